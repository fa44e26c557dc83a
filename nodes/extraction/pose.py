"""The pose of a tracked person in every frame of a clip."""

from __future__ import annotations

import numpy as np

from ..host import progress
from ..media.clip import Clip, ClipError
from ..media.pose import KEYPOINTS, THRESHOLD, Poses
from ..media.track import Track
from .one_euro import OneEuro
from .pose_model import PoseModel

# Crops that wait to be computed together: 10 MB at the largest input.
BATCH = 8


def estimate_poses(
    clip: Clip,
    track: Track,
    model: PoseModel,
    label: str = "person",
    threshold: float = THRESHOLD,
    smoothing_s: float = 0.0,
    batch: int = BATCH,
) -> Poses:
    """Estimate the pose inside the tracked person's box, frame by frame: who is meant is the track's matter.

    Args:
        clip: the footage that `track` was made from; it is read once, a frame at a time.
        label: the person's name in the track. Frames on which they are lost have no pose.
        threshold: points that score less are absent (their score stays).
        smoothing_s: time constant of the One-Euro filter for a still point, seconds; 0 leaves the points as they are.
        batch: how many crops are computed together; the result doesn't depend on it.

    Raises:
        KeyError: the track has no object `label`.
        ClipError: the clip and the track have different sizes or numbers of frames.
    """
    if (clip.height, clip.width) != track.clip_size:
        size = f"{track.clip_size[1]}x{track.clip_size[0]}"
        raise ClipError(f"{clip.name} is {clip.width}x{clip.height}, its track {size}")
    boxes = track.boxes()[:, track.index(label)]
    keypoints = np.full((len(track), KEYPOINTS, 3), (np.nan, np.nan, 0), np.float32)
    times, waiting, frames = [], [], []

    def flush() -> None:
        if waiting:
            keypoints[frames] = model(waiting)
            waiting.clear()
            frames.clear()

    for frame in progress(clip, len(track), "estimating poses"):
        times.append(frame.time)
        if frame.index < len(track) and np.isfinite(boxes[frame.index]).all():
            x1, y1, x2, y2 = (float(side) for side in boxes[frame.index])
            waiting.append(model.prepare(frame.image, (x1, y1, x2, y2)))
            frames.append(frame.index)
            if len(waiting) >= batch:
                flush()
    flush()
    if len(times) != len(track):
        raise ClipError(f"{clip.name} has {len(times)} frames, its track {len(track)}")
    scores = keypoints[..., 2]
    keypoints[(scores < threshold) | (scores <= 0), :2] = np.nan
    poses = Poses(keypoints, track.clip_size, track.rate, times, label, track.source, model.describe())
    if smoothing_s > 0:
        smooth(poses, smoothing_s, boxes)
    lost = int((~np.isfinite(boxes).all(axis=1)).sum())
    if lost:
        poses.warnings.append(f"{label} is not seen by the track on {lost} of {len(track)} frames, which have no pose")
    return poses


def smooth(poses: Poses, rest_s: float, boxes: np.ndarray) -> None:
    """Run the One-Euro filter over the points in place, in the clip's own time; see OneEuro.

    Args:
        rest_s: seconds, see OneEuro.
        boxes: [T, 4] px, the person's boxes, for their height; nan where lost.
    """
    heights = boxes[:, 3] - boxes[:, 1]
    if not np.isfinite(heights).any():
        return
    follow = OneEuro(rest_s, float(np.nanmedian(heights)))
    for t in range(len(poses)):
        poses.keypoints[t, :, :2] = follow(poses.keypoints[t, :, :2].astype(np.float64), poses.time(t))

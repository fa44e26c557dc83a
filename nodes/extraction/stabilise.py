"""What the camera did between two frames: an affine of the background, estimated beside what moves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from ..host import progress
from ..media.clip import Clip
from ..media.track import Track
from .detection import Box, grow_box

# Longer side, px, at which the background is followed: sub-pixel corners lose nothing above it, time does.
WORKING_SIDE = 480
CORNERS = 300
RANSAC_PX = 1.5  # at the working size
FEWEST_INLIERS = 12
FOREGROUND_MARGIN = 0.1  # people's boxes are grown by this share, so that limbs and shadows give no corners


class CameraEstimator:
    """Follows the background of one clip, frame after frame.

    Corners outside the foreground are followed by pyramidal Lucas-Kanade, checked backwards, and fitted with
    a similarity (shift, rotation, zoom) by RANSAC. It is deterministic, and keeps one small grey image.
    """

    def __init__(self) -> None:
        self._grey: np.ndarray | None = None
        self._free: np.ndarray | None = None

    def step(self, image: np.ndarray, foreground: np.ndarray | Sequence[Box] = ()) -> np.ndarray | None:
        """The camera's motion since the frame given before.

        Args:
            image: uint8 [H, W, 3] RGB.
            foreground: what isn't background in this frame: bool [H, W], or boxes in px.

        Returns:
            float64 [2, 3]: x, y (px) of a background point in the frame before -> its x, y here; None when
            the background can't be followed (the first frame, a cut, no texture).
        """
        height, width = image.shape[:2]
        scale = min(WORKING_SIDE / max(height, width), 1.0)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        grey = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        before, free = self._grey, self._free
        self._grey, self._free = grey, _free_area(foreground, size, (height, width))
        if before is None or free is None or before.shape != grey.shape:
            return None
        motion = follow_background(before, grey, free)
        if motion is None:
            return None
        sx, sy = width / size[0], height / size[1]
        up, down = np.diag([sx, sy, 1.0]), np.diag([1 / sx, 1 / sy, 1.0])
        return (up @ np.vstack([motion, [0, 0, 1]]) @ down)[:2]


def _free_area(foreground: np.ndarray | Sequence[Box], size: tuple[int, int], full: tuple[int, int]) -> np.ndarray:
    free = np.full(size[::-1], 255, np.uint8)
    if isinstance(foreground, np.ndarray) and foreground.dtype == bool:
        small = cv2.resize(foreground.view(np.uint8), size, interpolation=cv2.INTER_AREA)
        free[cv2.dilate(small, np.ones((9, 9), np.uint8)) > 0] = 0
        return free
    sx, sy = size[0] / full[1], size[1] / full[0]
    for box in foreground:
        x1, y1, x2, y2 = grow_box((box[0], box[1], box[2], box[3]), FOREGROUND_MARGIN, full)
        free[int(y1 * sy) : int(np.ceil(y2 * sy)), int(x1 * sx) : int(np.ceil(x2 * sx))] = 0
    return free


def follow_background(before: np.ndarray, after: np.ndarray, free: np.ndarray) -> np.ndarray | None:
    """Similarity float64 [2, 3] from one grey image uint8 [h, w] to the next, from corners where `free` > 0.

    None when fewer than 12 corners agree, or fewer than a third of those followed.
    """
    corners = cv2.goodFeaturesToTrack(before, CORNERS, 0.01, 6, mask=free)
    if corners is None or len(corners) < FEWEST_INLIERS:
        return None
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, np.empty_like(corners))
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, moved, np.empty_like(corners))
    error = np.linalg.norm((back - corners).reshape(-1, 2), axis=1)
    good = (found.ravel() > 0) & (found_back.ravel() > 0) & (error < 1.0)
    if good.sum() < FEWEST_INLIERS:
        return None
    motion, inliers = cv2.estimateAffinePartial2D(
        corners[good], moved[good], method=cv2.RANSAC, ransacReprojThreshold=RANSAC_PX, maxIters=500
    )
    if motion is None or inliers is None:
        return None
    agree = int(np.count_nonzero(inliers))
    return motion if agree >= FEWEST_INLIERS and 3 * agree >= int(good.sum()) else None


def camera_motion(clip: Clip, track: Track | None = None) -> np.ndarray:
    """The camera's motion over a clip, read once from start to end.

    Args:
        clip: T frames.
        track: its objects are kept out of the background; the same number of frames as the clip.

    Returns:
        float64 [T, 2, 3]: at t, background px of frame t - 1 -> frame t; row 0 is the identity, nan where the
        background can't be followed.
    """
    estimator = CameraEstimator()
    motions: list[np.ndarray] = []
    unknown = np.full((2, 3), np.nan)
    frames: Iterable = progress(clip, total=clip.expected_count(), label="camera motion")
    for frame in frames:
        foreground: np.ndarray | Sequence[Box] = ()
        if track is not None and frame.index < len(track) and track.labels:
            foreground = np.asarray(track.masks(frame.index).any(axis=0))
        motion = estimator.step(frame.image, foreground)
        motions.append(unknown if motion is None else motion)
    if motions:
        motions[0] = np.eye(2, 3)
    return np.array(motions).reshape(-1, 2, 3)


def accumulate(camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per-frame motions chained: where each frame's px lie in the first frame of its unbroken stretch.

    Args:
        camera: float64 [T, 2, 3], as `camera_motion` returns it.

    Returns:
        float64 [T, 2, 3]: px of frame t -> px of the stretch's first frame; int [T]: the stretch's number.
    """
    chained = np.zeros((len(camera), 2, 3))
    stretch = np.zeros(len(camera), int)
    total, number = np.eye(3), 0
    for t, motion in enumerate(camera):
        step = np.vstack([motion, [0.0, 0.0, 1.0]])
        if t and (not np.isfinite(motion).all() or abs(np.linalg.det(step)) < 1e-6):
            total, number = np.eye(3), number + 1
        elif t:
            total = total @ np.linalg.inv(step)
        chained[t], stretch[t] = total[:2], number
    return chained, stretch

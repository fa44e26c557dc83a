"""How well two poses of the same person agree: OKS and PCK, as COCO and the pose papers define them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..media.pose import Poses
    from ..media.track import Track
    from .align import Crop

# COCO's sigmas of the 17 body keypoints, in its order (cocodataset.org/#keypoints-eval; pycocotools computeOks).
SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
# Below this score a keypoint is not seen.
SEEN = 0.3
# A pose with fewer keypoints that both clips show says nothing.
FEWEST = 5
# Keypoints of COCO-WholeBody by limb: 17 body, 6 feet, 68 face, 21 left and 21 right hand.
LIMBS = {
    "left foot": (15, 17, 18, 19),
    "right foot": (16, 20, 21, 22),
    "left hand": (9, *range(91, 112)),
    "right hand": (10, *range(112, 133)),
    "head": (0, 1, 2, 3, 4),
    "left knee": (13,),
    "right knee": (14,),
    "hips": (11, 12),
}


def oks(source: np.ndarray, generated: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Object keypoint similarity of the body.

    Args:
        source, generated: float [T, K, 3], x, y px and score, the first 17 in COCO's order.
        area: float64 [T], px of the person in the source.

    Returns:
        float64 [T], 0..1; nan where fewer than FEWEST keypoints are seen in both.
    """
    return _over_seen(source, generated, _similarity(source, generated, area))


def pck(source: np.ndarray, generated: np.ndarray, side: np.ndarray, alpha: float = 0.1) -> np.ndarray:
    """Share of the body's keypoints that lie within alpha * side px of the source's; arguments as `oks`.

    side: float64 [T], the longer side of the person's box, px.
    """
    near = (_apart(source, generated) <= alpha * side[:, None]).astype(float)
    return _over_seen(source, generated, near)


def from_poses(poses: Poses, frames: int) -> np.ndarray:
    """float64 [frames, 133, 3] of a pose track; frames that it doesn't have are nan with score 0."""
    keypoints = np.full((frames, poses.keypoints.shape[1], 3), np.nan)
    keypoints[..., 2] = 0
    have = min(frames, len(poses.keypoints))
    keypoints[:have] = poses.keypoints[:have]
    keypoints[..., 2] = np.nan_to_num(keypoints[..., 2], nan=0.0)
    return keypoints


def placed_poses(
    poses: tuple[Poses, Poses] | None,
    source: Track,
    crop: Crop | None,
    frames: Sequence[int | None] | None,
    size: tuple[int, int],
    total: int,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Both poses in the generated clip's picture and timeline, float64 [T, 133, 3]."""
    if poses is None:
        return None
    own, other = poses
    x1, y1, x2, y2 = crop or (0, 0, source.clip_size[1], source.clip_size[0])
    to_source = source.clip_size[1] / own.size[1], source.clip_size[0] / own.size[0]
    keypoints = from_poses(own, len(source))
    keypoints[..., 0] = (keypoints[..., 0] * to_source[0] - x1) * size[1] / (x2 - x1)
    keypoints[..., 1] = (keypoints[..., 1] * to_source[1] - y1) * size[0] / (y2 - y1)
    shown = range(len(source)) if frames is None else frames
    placed = np.full((len(shown), *keypoints.shape[1:]), np.nan)
    placed[..., 2] = 0
    for t, frame in enumerate(shown):
        if frame is not None:
            placed[t] = keypoints[frame]
    generated = from_poses(other, max(total, 1))
    generated[..., 0] *= size[1] / other.size[1]
    generated[..., 1] *= size[0] / other.size[0]
    return placed, generated


def nearest_limb(keypoints: np.ndarray, x: float, y: float) -> str | None:
    """The limb whose seen keypoint is nearest to a place in px; keypoints float [133, 3]. None: none is seen."""
    found = {}
    for limb, members in LIMBS.items():
        points = keypoints[[k for k in members if k < len(keypoints)]]
        points = points[(points[:, 2] >= SEEN) & np.isfinite(points[:, 0])]
        if len(points):
            found[limb] = float(np.hypot(points[:, 0] - x, points[:, 1] - y).min())
    return min(found, key=lambda limb: found[limb]) if found else None


def _apart(source: np.ndarray, generated: np.ndarray) -> np.ndarray:
    return np.hypot(*(source[:, :17, axis] - generated[:, :17, axis] for axis in (0, 1)))


def _similarity(source: np.ndarray, generated: np.ndarray, area: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.exp(-(_apart(source, generated) ** 2) / (2 * area[:, None] * (2 * SIGMAS) ** 2))


def _over_seen(source: np.ndarray, generated: np.ndarray, values: np.ndarray) -> np.ndarray:
    seen = (source[:, :17, 2] >= SEEN) & (generated[:, :17, 2] >= SEEN) & np.isfinite(values)
    count = seen.sum(axis=1)
    return np.where(count >= FEWEST, np.where(seen, values, 0).sum(axis=1) / np.maximum(count, 1), np.nan)

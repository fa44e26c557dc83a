"""Two poses of the same person: how well they agree (OKS, PCK), and which limb is nearest to an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .findings import in_words
from .shape import Shapes

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
# The body's keypoints with left and right exchanged.
EXCHANGED = (0, *(k + 1 if k % 2 else k - 1 for k in range(1, 17)))
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


@dataclass(frozen=True)
class Limbs:
    """Which limb is nearest to an object, in source and generated clip.

    Attributes:
        source, generated: object [T], a name of LIMBS, None where no limb is seen or the object isn't.
        another: bool [T]: it is another one, clearly in both clips. comparable: bool [T]: this could be told.
    """

    source: np.ndarray
    generated: np.ndarray
    another: np.ndarray
    comparable: np.ndarray


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


def limb_distances(keypoints: np.ndarray, shape: Shapes) -> np.ndarray:
    """float64 [T, len(LIMBS)]: px from each limb's nearest seen keypoint to an object's rectangle; inf where unknown.

    Inside the rectangle, where two limbs may stand, the one nearer to its centre has the smaller number, below 1.

    Args:
        keypoints: float64 [T, 133, 3], px and score; shape: the object.
    """
    with np.errstate(invalid="ignore"):
        x, y = keypoints[..., 0] - shape.x[:, None], keypoints[..., 1] - shape.y[:, None]
        turn = np.radians(np.nan_to_num(shape.angle))[:, None]
        along, across = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
        level = np.isnan(shape.angle)  # no long axis: the box
        wide = np.where(level, shape.right - shape.left, shape.long)[:, None] / 2
        high = np.where(level, shape.bottom - shape.top, shape.short)[:, None] / 2
        outside = np.hypot(np.maximum(np.abs(along) - wide, 0), np.maximum(np.abs(across) - high, 0))
        far = outside + np.hypot(x, y) / (np.hypot(x, y) + 1e6)
        far = np.where((keypoints[..., 2] >= SEEN) & np.isfinite(far), far, np.inf)
    return np.stack([far[:, list(members)].min(axis=1) for members in LIMBS.values()], axis=1)


def seems_mirrored(source: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """bool [T]: the bodies agree better with left and right exchanged in one; arguments as `oks`."""
    with np.errstate(invalid="ignore"):
        own, other = (
            _over_seen(source, body, -_apart(source, body)) for body in (generated, generated[:, list(EXCHANGED)])
        )
        return np.asarray(other > own)


def limb_words(found: Limbs, failing: np.ndarray, start: int, stop: int) -> str:
    """ "the left hand touches where the source's right foot does on frames 10-20": what most of these frames show."""
    pairs = [(found.generated[t], found.source[t]) for t in range(start, stop) if failing[t]]
    touching, instead = max(sorted(set(pairs)), key=pairs.count)
    return f"the {touching} touches where the source's {instead} does on {in_words([(start, stop)])}"


def _apart(source: np.ndarray, generated: np.ndarray) -> np.ndarray:
    return np.hypot(*(source[:, :17, axis] - generated[:, :17, axis] for axis in (0, 1)))


def _similarity(source: np.ndarray, generated: np.ndarray, area: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.exp(-(_apart(source, generated) ** 2) / (2 * area[:, None] * (2 * SIGMAS) ** 2))


def _over_seen(source: np.ndarray, generated: np.ndarray, values: np.ndarray) -> np.ndarray:
    seen = (source[:, :17, 2] >= SEEN) & (generated[:, :17, 2] >= SEEN) & np.isfinite(values)
    count = seen.sum(axis=1)
    return np.where(count >= FEWEST, np.where(seen, values, 0).sum(axis=1) / np.maximum(count, 1), np.nan)

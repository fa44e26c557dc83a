"""The disparity of one object, spread from where it is sure to all of the object and beyond its outline."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..extraction.flow import grid, sample

# How far sure disparities reach, px: near ones first, farther ones only where there are none.
REACHES = (1.0, 6.0, 18.0, 54.0)
# How much less each farther reach counts, and the object's mean where nothing is near.
FADE = 0.02
# Disparities at the outline itself are often the other side's: so many px are left out.
RIM = 1
# An object is of one piece: what differs from the mean of the wide reaches by this share of it, and by so many px,
# belongs to something else.
OUTLIER, OUTLIER_PX = 0.15, 2.0
WIDE, ROUNDS = REACHES[2:], 2
# An object's disparity is worked out so far around it, px; beyond it is the mean.
MARGIN = 64
# Steps of the inverse.
STEPS = 6


@dataclass(frozen=True, eq=False)
class Layer:
    """The disparity of every pixel, were it of one object, in the picture worked in.

    Attributes:
        left: float32 [h, w, 2], px: pixel p of the left eye is p - left[p] in the right one.
        right: float32 [h, w, 2], px: pixel p of the right eye is p + right[p] in the left one.
    """

    left: np.ndarray
    right: np.ndarray


def object_disparity(cover: np.ndarray, shift: np.ndarray, valid: np.ndarray) -> Layer | None:
    """The disparity of one object, spread over both pictures.

    Args:
        cover: float32 [h, w] 0..1, the object in the left eye, in the picture worked in.
        shift, valid: `Disparity.left` and `left_valid`.

    Returns:
        The layer, or None where nothing of the object was matched.
    """
    inside = (cover > 0.5).astype(np.uint8)
    core = cv2.erode(inside, np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8))
    sure = (core > 0) & valid
    if not sure.any():
        sure = (inside > 0) & valid
    if not sure.any():
        return None
    part = _around(inside, float(np.abs(shift[sure]).max()))
    mean = shift[sure].mean(axis=0, dtype=np.float32)
    left, right = (np.broadcast_to(mean, shift.shape).copy() for _ in range(2))
    left[part] = _of_one_piece(np.ascontiguousarray(shift[part]), sure[part])
    base = grid(cover.shape[0], cover.shape[1])[part]
    back = left[part]
    for _ in range(STEPS):  # right pixel q is left pixel q + back: back(q) = left(q + back(q))
        back = sample(left, base + back)
    right[part] = back
    return Layer(left, right)


def _around(mask: np.ndarray, shift: float) -> tuple[slice, slice]:
    """Rows and columns within reach of a mask, uint8 [h, w], in either eye."""
    x, y, w, h = cv2.boundingRect(mask)
    wide = int(MARGIN + shift)
    return slice(max(0, y - MARGIN), y + h + MARGIN), slice(max(0, x - wide), x + w + wide)


def _of_one_piece(shift: np.ndarray, sure: np.ndarray) -> np.ndarray:
    """float32 [h, w, 2]: disparities spread from the sure ones, less those of something else."""
    for _ in range(ROUNDS):
        wide = _spread(shift, sure, WIDE)
        apart = cv2.absdiff(shift, wide)
        closer = sure & (np.maximum(apart[..., 0], apart[..., 1]) <= np.maximum(OUTLIER_PX, OUTLIER * wide[..., 0]))
        if closer.any():
            sure = closer
    return _spread(shift, sure, REACHES)


def _spread(field: np.ndarray, sure: np.ndarray, reaches: tuple[float, ...]) -> np.ndarray:
    """float32 [h, w, 2]: the field where it is sure, bool [h, w], and a smooth continuation elsewhere."""
    height, width = sure.shape
    mean = field[sure].mean(axis=0, dtype=np.float32)
    # The field less its mean, and its weight: three channels that are blurred together.
    known = np.dstack([(field - mean) * sure[..., None], sure]).astype(np.float32)
    total, share = np.zeros((height, width, 3), np.float32), 1.0
    for reach in reaches:
        shrink = max(1, int(reach // 4))
        size = max(1, width // shrink), max(1, height // shrink)
        blurred = cv2.GaussianBlur(cv2.resize(known, size, interpolation=cv2.INTER_AREA), (0, 0), reach / shrink)
        total += share * cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR)
        share *= FADE
    return mean + total[..., :2] / (total[..., 2:] + 1e-6)

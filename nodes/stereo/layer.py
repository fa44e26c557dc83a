"""The disparity of one object, spread from where it is sure to all of the object and beyond its outline."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..extraction.flow import grid, sample

# How far sure disparities reach, px: near ones first, farther ones only where there are none.
REACHES = (2.0, 6.0, 18.0, 54.0)
# How much less each farther reach counts, and the object's mean where nothing is near.
FADE = 0.02
# Disparities at the outline itself are often the other side's: so many px are left out.
RIM = 1
# An object is of one piece: what differs from the mean of the wide reaches by this share of it, and by so many px,
# belongs to something else.
OUTLIER, OUTLIER_PX = 0.15, 2.0
WIDE, ROUNDS = REACHES[2:], 2
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
    for _ in range(ROUNDS):
        wide = _spread(shift, sure.astype(np.float32), WIDE)
        limit = np.maximum(OUTLIER_PX, OUTLIER * np.abs(wide[..., 0]))
        closer = sure & (np.abs(shift - wide).max(axis=-1) <= limit)
        if closer.any():
            sure = closer
    spread_out = _spread(shift, sure.astype(np.float32), REACHES)
    base, back = grid(cover.shape[0], cover.shape[1]), spread_out
    for _ in range(STEPS):  # right pixel q is left pixel q + back: back(q) = shift(q + back(q))
        back = sample(spread_out, base + back)
    return Layer(spread_out, back)


def _spread(field: np.ndarray, weight: np.ndarray, reaches: tuple[float, ...]) -> np.ndarray:
    """float32 [h, w, 2]: the field where it has weight, [h, w], and a smooth continuation elsewhere."""
    weighted = field * weight[..., None]
    top = 1e-6 * weighted.sum((0, 1)) / weight.sum()
    bottom, share = np.full(weight.shape, 1e-6, np.float32), 1.0
    total = np.broadcast_to(top, field.shape).astype(np.float32)
    for reach in reaches:
        shrink = max(1, int(reach // 4))
        size = max(1, field.shape[1] // shrink), max(1, field.shape[0] // shrink)
        parts = [cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in (weighted, weight)]
        blurred = [cv2.GaussianBlur(part, (0, 0), reach / shrink) for part in parts]
        enlarged = [cv2.resize(part, field.shape[1::-1], interpolation=cv2.INTER_LINEAR) for part in blurred]
        total += share * enlarged[0]
        bottom += share * enlarged[1]
        share *= FADE
    return total / bottom[..., None]

"""Which pixels of each frame the model is to generate, in the control's picture."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ..media.track import Track
from .choices import BACKGROUND, BOX, EVERYTHING, Choices, ConditioningError
from .plan import ControlPlan

# A box holds still for what its object does within so many frames before and after; see `steady_boxes`.
STEADY_FRAMES = 6

MaskOf = Callable[[int], np.ndarray]


def drawn_masks(track: Track, plan: ControlPlan, choices: Choices) -> MaskOf:
    """A function from a source frame's index to its mask, bool [height, width], True = generate.

    The masks are what the user meant; `latents.aligned` makes of them what VACE should be given.

    Raises:
        ConditioningError: the track lacks what is to be repainted, or it is empty on every frame of the control.
    """
    if choices.repaint == EVERYTHING:
        everything = np.ones((plan.height, plan.width), bool)
        return lambda t: everything
    labels = choices.labels(track.labels)
    columns = [track.index(label) for label in labels]
    if choices.shape == BOX:
        boxes = _in_control(steady_boxes(track.boxes()[:, columns]), plan, choices.grow)
        mask_of: MaskOf = lambda t: _filled(boxes[t], plan)  # noqa: E731
    else:
        mask_of = lambda t: plan.mask(np.logical_or.reduce(track.masks(t)[columns]))  # noqa: E731
    if not any(mask_of(t).any() for t in plan.frames if t is not None):
        raise ConditioningError(
            f"the track of {' and '.join(labels)} is empty on every frame that the control shows: track it again, or "
            "choose another size or part of the clip"
        )
    if choices.shape == BOX:
        return mask_of
    if choices.repaint == BACKGROUND:
        return lambda t: grown(~mask_of(t), choices.grow)
    return lambda t: grown(mask_of(t), choices.grow)


def grown(mask: np.ndarray, grow: int) -> np.ndarray:
    """bool [H, W]: every pixel within `grow` px (Euclidean) of the mask."""
    if grow == 0 or not mask.any():
        return mask
    outside = (~mask).view(np.uint8)
    return cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= grow + 1e-3


def steady_boxes(boxes: np.ndarray, reach: int = STEADY_FRAMES) -> np.ndarray:
    """Boxes that hold the given ones and move slowly instead of flickering with the mask's outline.

    Each side is the mean, over `reach` frames before and after, of its outermost place within `reach` frames of each:
    every one of those places is as far out as the box of the frame itself, so their mean is too.

    Args:
        boxes: float [T, N, 4] x1, y1, x2, y2; nan where an object is not seen.

    Returns:
        float64 [T, N, 4], nan in the same places.
    """
    outward = np.array([-1.0, -1.0, 1.0, 1.0])
    seen = ~np.isnan(boxes)
    sides = np.where(seen, boxes * outward, -np.inf)
    total = len(boxes)
    padded = np.pad(sides, ((reach, reach), (0, 0), (0, 0)), constant_values=-np.inf)
    outermost = np.max([padded[k : k + total] for k in range(2 * reach + 1)], axis=0)
    outermost = np.where(seen, outermost, 0.0)
    spread = np.pad(outermost, ((reach, reach), (0, 0), (0, 0)))
    counted = np.pad(seen.astype(float), ((reach, reach), (0, 0), (0, 0)))
    sums, counts = (sum(values[k : k + total] for k in range(2 * reach + 1)) for values in (spread, counted))
    return np.where(seen, sums / np.maximum(counts, 1) * outward, np.nan)


def _in_control(boxes: np.ndarray, plan: ControlPlan, grow: int) -> np.ndarray:
    """float64 [T, N, 4] in whole px of the control video, widened by `grow`, outward; nan stays nan."""
    scale, offset = np.tile(plan.scale, 2), np.tile(plan.offset, 2)
    placed = boxes * scale - offset
    return np.concatenate([np.floor(placed[..., :2] + 1e-6) - grow, np.ceil(placed[..., 2:] - 1e-6) + grow], axis=-1)


def _filled(boxes: np.ndarray, plan: ControlPlan) -> np.ndarray:
    mask = np.zeros((plan.height, plan.width), bool)
    for box in boxes[~np.isnan(boxes[:, 0])]:
        x1, y1, x2, y2 = np.clip(box, 0, [plan.width, plan.height] * 2).astype(int)
        mask[y1:y2, x1:x2] = True
    return mask

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

# Signs with which x1, y1, x2, y2 grow outward.
OUTWARD = np.array([-1.0, -1.0, 1.0, 1.0])

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
    """Boxes that hold the given ones and glide with their objects, instead of flickering with the masks' outlines.

    Each side becomes its mean over `reach` frames before and after, moved out by the mean, over as many frames, of the
    farthest that the real side lies beyond its mean within `reach` frames of each. So no side is ever cut off, and the
    box of an object that moves evenly is its own box.

    Args:
        boxes: float [T, N, 4] x1, y1, x2, y2; nan where an object is not seen.

    Returns:
        float64 [T, N, 4], nan in the same places.
    """
    steady = np.full(boxes.shape, np.nan)
    for n in range(boxes.shape[1]):
        seen = np.flatnonzero(~np.isnan(boxes[:, n, 0]))
        for run in np.split(seen, np.flatnonzero(np.diff(seen) > 1) + 1):
            if len(run):
                steady[run, n] = OUTWARD * _steady(boxes[run, n] * OUTWARD, reach)
    return steady


def _steady(sides: np.ndarray, reach: int) -> np.ndarray:
    """float64 [T, 4] from sides that grow outward, float [T, 4]."""
    around = 2 * reach + 1
    padded = np.pad(sides, ((reach, reach), (0, 0)), "reflect", reflect_type="odd")  # motion goes on past the ends
    mean = np.mean([padded[k : k + len(sides)] for k in range(around)], axis=0)
    beyond = np.pad(np.maximum(sides - mean, 0), ((2 * reach, 2 * reach), (0, 0)))
    farthest = np.max([beyond[k : k + len(sides) + 2 * reach] for k in range(around)], axis=0)
    return mean + np.mean([farthest[k : k + len(sides)] for k in range(around)], axis=0)


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

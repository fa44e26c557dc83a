"""Our prompts into a SAM2Stream, and its logits out as masks of the clip's size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from .prompts import Prompt

if TYPE_CHECKING:
    from .sam2_stream import SAM2Stream


def show_to_stream(
    stream: SAM2Stream, t: int, image: np.ndarray, n: int, prompt: Prompt, base: np.ndarray | None = None
) -> np.ndarray:
    """Give one prompt to a SAM2Stream as its object n. Returns its logits, float32 [h, w].

    base: bool [H, W], what clicks correct where neither a mask nor a box is given; None for nothing.
    """
    points = np.array([(point.x, point.y) for point in prompt.points], np.float32) if prompt.points else None
    positive = np.array([point.positive for point in prompt.points], bool) if prompt.points else None
    mask = prompt.mask if prompt.mask is not None else base if prompt.box is None else None
    box = prompt.box if prompt.mask is None else None
    return stream.prompt(t, image, n, points=points, positive=positive, box=box, mask=mask)


def masks_from_logits(logits: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """bool [N, H, W] without overlap from logits float32 [N, h, w], bilinear as the official predictor scales them."""
    masks = np.zeros((len(logits), *size), bool)
    best = np.zeros(size, np.float32)
    owner = np.full(size, -1, np.int32)
    for n, low in enumerate(logits):
        if (low > 0).any():
            large = cv2.resize(low, size[::-1], interpolation=cv2.INTER_LINEAR)
            better = large > best
            owner[better] = n
            best = np.maximum(best, large)
    for n in range(len(logits)):
        masks[n] = owner == n
    return masks

"""What prompts show on one frame, as masks: by clicks, boxes and masks, with no learned weights or with SAM 2.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .box_masks import masks_from_boxes
from .point_masks import mask_from_points
from .prompts import Prompt, PromptError
from .sam2_masks import masks_from_logits, show_to_stream

if TYPE_CHECKING:
    from .sam2_model import SAM2Model


def prompt_masks(
    image: np.ndarray,
    prompts: Sequence[Prompt],
    model: SAM2Model | None = None,
    bases: Mapping[str, np.ndarray] | None = None,
) -> np.ndarray:
    """What the prompts show on one frame.

    Args:
        image: uint8 [H, W, 3] RGB, the frame that the prompts were made on (their own frame numbers are not read).
        prompts: one or more objects with different labels. Where they overlap, a mask keeps its pixels against a box,
            clicks against both, and a small box (a board) against a large one (its rider).
        model: makes the masks of boxes and clicks; None: colours do. With a model the larger logit has the pixel, and
            a mask may be empty.
        bases: bool [H, W] by label: what an earlier track has on this frame, for prompts that are clicks only.

    Returns:
        bool [N, H, W], without overlap.

    Raises:
        PromptError: no prompts, a label given twice, a mask of another size, a box or a point outside the frame, only
            negative points, or nothing is left of an object.
    """
    bases = bases or {}
    labels = [prompt.label for prompt in prompts]
    if len(set(labels)) != len(labels):
        raise PromptError(f"every object needs a label of its own: {', '.join(labels)}")
    if not prompts:
        raise PromptError("there is nothing to track: give a box, points, a mask or a detector")
    for prompt in prompts:
        corrects = prompt.label in bases and bool(bases[prompt.label].any())
        require_inside(prompt, image.shape[0], image.shape[1], corrects)
    if model is not None:
        return _by_model(image, prompts, model, bases)
    masks = np.zeros((len(prompts), *image.shape[:2]), bool)
    taken = np.zeros(image.shape[:2], bool)
    for n, prompt in enumerate(prompts):
        if prompt.mask is not None:
            masks[n] = prompt.mask & ~taken
            taken |= masks[n]
    boxed = [(n, prompt.box) for n, prompt in enumerate(prompts) if prompt.mask is None and prompt.box is not None]
    if boxed:
        masks[[n for n, _ in boxed]] = masks_from_boxes(image, [box for _, box in boxed], taken)
    for n, prompt in enumerate(prompts):
        if prompt.points:
            only_clicks = prompt.mask is None and prompt.box is None
            masks[n] = clicked(image, prompt, bases.get(prompt.label) if only_clicks else masks[n])
            masks[:n] &= ~masks[n]
            masks[n + 1 :] &= ~masks[n]
    for prompt, mask in zip(prompts, masks, strict=True):
        if not mask.any():
            raise PromptError(f"the prompt for {prompt.label!r} covers nothing on this frame")
    return masks


def _by_model(
    image: np.ndarray, prompts: Sequence[Prompt], model: SAM2Model, bases: Mapping[str, np.ndarray]
) -> np.ndarray:
    from .sam2_stream import SAM2Stream

    size = image.shape[0], image.shape[1]
    with SAM2Stream(model, size, len(prompts)) as stream:
        logits = [
            show_to_stream(stream, 0, image, n, prompt, bases.get(prompt.label)) for n, prompt in enumerate(prompts)
        ]
    masks = masks_from_logits(np.stack(logits), size)
    for n, prompt in enumerate(prompts):
        if prompt.mask is not None and not prompt.points:
            masks &= ~prompt.mask
            masks[n] = prompt.mask
    return masks


def clicked(image: np.ndarray, prompt: Prompt, base: np.ndarray | None) -> np.ndarray:
    """bool [H, W]: what a prompt's clicks make of `base`, bool [H, W], or without it of the picture alone."""
    positive = [(point.x, point.y) for point in prompt.points if point.positive]
    negative = [(point.x, point.y) for point in prompt.points if not point.positive]
    return mask_from_points(image, positive, negative, base)


def require_inside(prompt: Prompt, height: int, width: int, correction: bool = False) -> None:
    """Raise PromptError for a prompt that shows nothing on a frame of this size.

    Args:
        correction: negative points alone are enough, as they take something from a mask that is there already.
    """
    size = f"{width}x{height}"
    if prompt.mask is not None and prompt.mask.shape != (height, width):
        given = f"{prompt.mask.shape[1]}x{prompt.mask.shape[0]}"
        raise PromptError(f"the mask for {prompt.label!r} is {given}, the clip {size}")
    if prompt.mask is None and prompt.box is not None:
        x1, y1, x2, y2 = prompt.box
        if not (x1 < x2 and y1 < y2 and x1 < width and y1 < height and x2 > 0 and y2 > 0):
            raise PromptError(f"the box {prompt.box} for {prompt.label!r} is not inside {size}")
    for point in prompt.points:
        if not (0 <= point.x < width and 0 <= point.y < height):
            raise PromptError(f"the point {point.x:g}, {point.y:g} for {prompt.label!r} is not inside {size}")
    if prompt.mask is None and prompt.box is None and not correction:
        if not prompt.points:
            raise PromptError(f"{prompt.label!r} has neither a box nor points nor a mask")
        if not any(point.positive for point in prompt.points):
            raise PromptError(
                f"{prompt.label!r} has only negative points, which say what it isn't: click on it, or draw a box"
            )

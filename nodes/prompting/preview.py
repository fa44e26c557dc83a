"""What prompts make on the one frame they were drawn on, as masks and as pictures for a widget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..extraction.prompts import PromptError, parse_prompts
from ..extraction.tracking import prompt_masks
from ..media.overlay import draw_overlay
from ..media.stills import write_image

if TYPE_CHECKING:
    from ..extraction.sam2_model import SAM2Model


def prompted_masks(
    image: np.ndarray, frame: int, prompts: Mapping[str, Any] | None, model: SAM2Model | None = None
) -> tuple[list[str], np.ndarray]:
    """Masks of the objects that have a prompt on this frame.

    Args:
        image: uint8 [H, W, 3], RGB.
        frame: its number.
        prompts: PHYSICS_PROMPTS; None for no prompts at all.
        model: a SAM2Model; None takes the embedded first mask.

    Returns:
        Their N labels, and bool [N, H, W] without overlap; without prompts no labels and one empty mask.

    Raises:
        PromptError: no object has a prompt on this frame, or a prompt shows nothing.
    """
    if prompts is None:
        return [], np.zeros((1, *image.shape[:2]), bool)
    listed = parse_prompts(prompts)
    here = [prompt for prompt in listed if prompt.frame == frame]
    if not here:
        others = ", ".join(map(str, sorted({prompt.frame for prompt in listed})))
        raise PromptError(f"no object has a prompt on frame {frame}; there are prompts on: {others}")
    return [prompt.label for prompt in here], prompt_masks(image, here, model)


def write_mask_preview(picture: Path, index: Path, image: np.ndarray, masks: np.ndarray, labels: Sequence[str]) -> None:
    """Write the frame with its masks drawn in, and the masks as one small grey PNG.

    Args:
        picture: JPEG to write.
        index: PNG to write: 0 outside, n + 1 inside mask n.
        image: uint8 [H, W, 3], RGB.
        masks: bool [N, H, W], not overlapping.
        labels: their names; fewer of them leave the last masks out.
    """
    numbers = np.zeros(image.shape[:2], np.uint8)
    for n, mask in enumerate(masks):
        numbers[mask] = n + 1
    write_image(index, numbers)
    write_image(picture, draw_overlay(image, masks[: len(labels)], labels), quality=90)

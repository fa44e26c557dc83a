"""Prompts for the tracker out of what a graph carries: bounding boxes per frame, a batch of masks, names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .detection import Detection, from_bounding_boxes
from .tracking import Prompt, PromptError

# The anchor that means: the first frame that has boxes.
FIRST_BOXES = -1


def read_prompts(
    boxes: Any = None,
    masks: np.ndarray | None = None,
    names: Sequence[str] = (),
    anchor: int = FIRST_BOXES,
) -> tuple[list[Prompt], int]:
    """The objects to track and the frame on which they are shown.

    Args:
        boxes: core's BOUNDING_BOX in any of its forms. One frame's boxes belong to the anchor, whichever it is; of
            boxes for several frames those of the anchor are taken.
        masks: float [N, H, W] in 0..1, one object each (inside above one half), shown on the anchor.
        names: for the masks in order, then for boxes without a label. An object that is left gets "object 1", ...; of
            several with one name the later ones are numbered. A mask replaces the box of the same name.
        anchor: frame index, FIRST_BOXES for the first frame that has boxes (0 where there are only masks).

    Returns:
        The prompts, masks first, and the anchor.

    Raises:
        PromptError: neither boxes nor masks, no boxes on the anchor (the frames that have some are named).
        DetectionError: malformed boxes.
    """
    found, anchor = _on_anchor(from_bounding_boxes(boxes, "") if boxes is not None else [], anchor)
    waiting = [name.strip() for name in names if name.strip()]
    prompts = []
    for n, mask in enumerate(() if masks is None else masks):
        prompts.append(Prompt(waiting.pop(0) if waiting else f"object {n + 1}", mask=np.asarray(mask) > 0.5))
    shown = {prompt.label for prompt in prompts}
    for detection in found:
        label = detection.label or next((name for name in waiting if name not in shown), f"object {len(prompts) + 1}")
        if label in waiting:
            waiting.remove(label)
        if any(prompt.label == label and prompt.mask is not None for prompt in prompts):
            continue
        prompts.append(Prompt(_free_name(label, [prompt.label for prompt in prompts]), box=detection.box))
    if not prompts:
        raise PromptError("there is nothing to track: connect boxes or masks")
    return prompts, anchor


def _on_anchor(frames: list[list[Detection]], anchor: int) -> tuple[list[Detection], int]:
    filled = [t for t, found in enumerate(frames) if found]
    if len(frames) <= 1 or not filled:
        return (frames[0] if frames else []), max(anchor, 0)
    if anchor == FIRST_BOXES:
        anchor = filled[0]
    if anchor not in filled:
        listed = ", ".join(map(str, filled[:10])) + (", ..." if len(filled) > 10 else "")
        raise PromptError(f"there are no boxes on frame {anchor}; frames with boxes: {listed}")
    return frames[anchor], anchor


def _free_name(label: str, taken: Sequence[str]) -> str:
    number = 2
    name = label
    while name in taken:
        name, number = f"{label} {number}", number + 1
    return name

"""Prompts from the drawing and from KJNodes' point strings, checked, and in the shapes that other nodes read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..extraction.prompts import Prompt, PromptError, parse_points, parse_prompts


def collect_prompts(objects: str, positive: str | None, negative: str | None, label: str, frame: int) -> list[Prompt]:
    """The prompts that were drawn, and one more object from KJNodes' strings.

    Args:
        objects: what the drawing wrote, "" for nothing.
        positive, negative, label, frame: see `points_prompt`; a label that is taken gets a number.

    Raises:
        PromptError: nothing at all, an object without a point or box, or something malformed.
    """
    prompts = parse_prompts(objects) if objects.strip() else []
    extra = points_prompt(positive, negative, label, frame)
    if extra is not None:
        taken, number = {prompt.label for prompt in prompts}, 2
        while extra.label in taken:
            extra, number = replace(extra, label=f"{label.strip()} {number}"), number + 1
        prompts.append(extra)
    if not prompts:
        raise PromptError("nothing is prompted yet: add an object in Prompt Objects and click on it in the picture")
    return prompts


def points_prompt(positive: str | None, negative: str | None, label: str, frame: int) -> Prompt | None:
    """One object from KJNodes' two strings; None when both are empty.

    Raises:
        PromptError: a string that isn't points, or negative ones alone.
    """
    points = parse_points(positive or "", negative or "")
    if points and not any(point.positive for point in points):
        raise PromptError("points_negative alone show no object: connect points_positive as well")
    return Prompt(label.strip() or "object", frame, points=points) if points else None


def point_strings(prompts: Sequence[Prompt], label: str) -> tuple[str, str, int]:
    """One object's points as KJNodes' strings, positive and negative, with the frame they are on.

    Args:
        label: which object; "" = the first that has points.

    Returns:
        "[]" twice and frame 0 where it has none. Of several frames the first that has points.

    Raises:
        PromptError: there is no such object.
    """
    labels = list(dict.fromkeys(prompt.label for prompt in prompts))
    if label and label not in labels:
        raise PromptError(f"points_of names {label!r}; the objects are: {', '.join(labels)}")
    shown = [prompt for prompt in prompts if prompt.points and prompt.label == (label or prompt.label)]
    if not shown:
        return "[]", "[]", 0
    first = min((p for p in shown if p.label == shown[0].label), key=lambda prompt: prompt.frame)
    texts = [
        json.dumps([{"x": point.x, "y": point.y} for point in first.points if point.positive is side])
        for side in (True, False)
    ]
    return texts[0], texts[1], first.frame


def bounding_boxes(prompts: Sequence[Prompt]) -> list[list[dict[str, Any]]]:
    """Core's BOUNDING_BOX: per frame, up to the last one with a box, a list of boxes with their labels; px."""
    frames: list[list[dict[str, Any]]] = [[]]
    for prompt in prompts:
        if prompt.box is None:
            continue
        frames += [[] for _ in range(prompt.frame + 1 - len(frames))]
        x1, y1, x2, y2 = (float(side) for side in prompt.box)
        size = {"x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1}
        frames[prompt.frame].append({**size, "label": prompt.label, "score": 1.0})
    return frames


def require_on_clip(prompts: Sequence[Prompt], width: int, height: int, frames: int) -> None:
    """Raise PromptError, with the values, for a prompt that lies outside the picture (px) or after the last frame."""
    for prompt in prompts:
        if prompt.frame >= frames:
            raise PromptError(
                f"{prompt.label!r} has a prompt on frame {prompt.frame} and the clip ends with frame {frames - 1}: "
                "delete that prompt, or connect the clip it was drawn on"
            )
        corners = [] if prompt.box is None else [prompt.box[:2], prompt.box[2:]]
        outside = [(x, y) for x, y in corners if not (0 <= x <= width and 0 <= y <= height)]
        outside += [(p.x, p.y) for p in prompt.points if not (0 <= p.x < width and 0 <= p.y < height)]
        if outside:
            raise PromptError(
                f"the prompt for {prompt.label!r} on frame {prompt.frame} is at {outside[0][0]:g}, {outside[0][1]:g} "
                f"and the clip is {width}x{height}: draw it again, or connect the clip it was drawn on"
            )


def fault(objects: str) -> str | None:
    """What is wrong with the text that the drawing wrote, None for nothing; for checks before a run."""
    try:
        if objects.strip():
            parse_prompts(objects)
    except PromptError as error:
        return str(error)
    return None

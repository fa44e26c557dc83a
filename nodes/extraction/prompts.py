"""What a person shows to the tracker: clicks, boxes and masks on frames, and how a graph carries them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .detection import Box, Detection, from_bounding_boxes

SCHEMA = "physics-preserver/prompts"
SCHEMA_VERSION = 1

# The anchor that means: the first frame that has boxes.
FIRST_BOXES = -1


class PromptError(ValueError):
    """Prompts that nothing can be tracked from; the message is one sentence for the user."""


@dataclass(frozen=True)
class Point:
    """A click, in px of the clip, x right and y down: on the object, or (not `positive`) on what isn't part of it."""

    x: float
    y: float
    positive: bool = True


@dataclass(frozen=True, eq=False)
class Prompt:
    """An object shown to the tracker on one frame: by a mask, or else by a box, clicks, or both.

    Attributes:
        label: the object's name; one object may be shown on several frames.
        frame: index of the clip's frame, from 0.
        box: x1, y1, x2, y2 px, ends exclusive.
        mask: bool [H, W], of the clip's size.
        points: clicks. With a box or a mask they correct it; alone they need at least one that is positive, except in a
            correction of an earlier track, where that track's mask is what they correct.
    """

    label: str
    frame: int = 0
    box: Box | None = None
    mask: np.ndarray | None = None
    points: tuple[Point, ...] = ()


def parse_prompts(data: str | Mapping[str, Any]) -> list[Prompt]:
    """The prompts in PHYSICS_PROMPTS, as a dict or as its JSON text.

    Form: {"schema": "physics-preserver/prompts", "schema_version": 1, "objects": [{"label": str, "prompts": [{"frame":
    int, "box": [x1, y1, x2, y2] or null, "points": [{"x": px, "y": px, "positive": bool}]}]}]}.

    Returns:
        One Prompt for each object and frame, in the order given.

    Raises:
        PromptError: no such structure (what and where is said), a label given twice, an object without prompts.
    """
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError as error:
            raise PromptError(f"the prompts are not JSON: {error}") from None
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, Mapping) else type(data).__name__
        raise PromptError(f'the prompts are {found!r}, not {SCHEMA}: write "schema": "{SCHEMA}", "schema_version": 1')
    version = data.get("schema_version")
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        raise PromptError(f"the prompts have schema_version {version!r}; this release reads up to {SCHEMA_VERSION}")
    prompts: list[Prompt] = []
    labels: set[str] = set()
    for item in _list_of_dicts(data, "objects", "the prompts"):
        label = item.get("label")
        if not isinstance(label, str) or not label.strip():
            raise PromptError(f"an object in the prompts has the label {label!r}: give it a name")
        label = label.strip()
        if label in labels:
            raise PromptError(f"two objects in the prompts are named {label!r}: every object needs a label of its own")
        labels.add(label)
        shown = [_prompt(label, entry) for entry in _list_of_dicts(item, "prompts", repr(label))]
        if not shown:
            raise PromptError(f"{label!r} is shown on no frame: click on it, draw a box around it, or remove it")
        prompts += shown
    if not prompts:
        raise PromptError("the prompts name no objects")
    return prompts


def prompts_to_dict(prompts: Sequence[Prompt]) -> dict[str, Any]:
    """The same as PHYSICS_PROMPTS; masks have no place in it (ValueError)."""
    objects: dict[str, list[dict[str, Any]]] = {}
    for prompt in prompts:
        if prompt.mask is not None:
            raise ValueError(f"the prompt for {prompt.label!r} is a mask, which JSON prompts can't carry")
        points = [{"x": point.x, "y": point.y, "positive": point.positive} for point in prompt.points]
        entry = {"frame": prompt.frame, "box": None if prompt.box is None else list(prompt.box), "points": points}
        objects.setdefault(prompt.label, []).append(entry)
    items = [{"label": label, "prompts": shown} for label, shown in objects.items()]
    return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "objects": items}


def parse_points(positive: str = "", negative: str = "") -> tuple[Point, ...]:
    """Clicks from KJNodes' and core's strings, JSON [{"x": px, "y": px}, ...]; empty strings are no clicks.

    Raises:
        PromptError: not such a list.
    """
    points: list[Point] = []
    for text, kind in ((positive, True), (negative, False)):
        if not text.strip():
            continue
        try:
            entries = json.loads(text)
        except ValueError:
            entries = None
        name = "positive" if kind else "negative"
        if not isinstance(entries, list):
            raise PromptError(f'the {name} points are no JSON list [{{"x": 1, "y": 2}}]: {text[:60]!r}')
        points += [_point({**entry, "positive": kind}, f"the {name} points") if isinstance(entry, Mapping)
                   else _point(entry, f"the {name} points") for entry in entries]  # fmt: skip
    return tuple(points)


def read_prompts(
    boxes: Any = None,
    masks: np.ndarray | None = None,
    names: Sequence[str] = (),
    anchor: int = FIRST_BOXES,
    points: tuple[Point, ...] = (),
) -> list[Prompt]:
    """The objects to track, shown on one frame.

    Args:
        boxes: core's BOUNDING_BOX in any of its forms. One frame's boxes belong to the anchor, whichever it is; of
            boxes for several frames those of the anchor are taken.
        masks: float [N, H, W] in 0..1, one object each (inside above one half), shown on the anchor.
        names: for the masks in order, then for boxes without a label. An object that is left gets "object 1", ...; of
            several with one name the later ones are numbered. A mask replaces the box of the same name.
        anchor: frame index, FIRST_BOXES for the first frame that has boxes (0 where there are none).
        points: clicks on one object: the only mask's or box's, or else the first name that no mask or box has.

    Returns:
        The prompts, masks first.

    Raises:
        PromptError: no boxes on the anchor (the frames that have some are named).
        DetectionError: malformed boxes.
    """
    found, anchor = _on_anchor(from_bounding_boxes(boxes, "") if boxes is not None else [], anchor)
    waiting = [name.strip() for name in names if name.strip()]
    prompts: list[Prompt] = []
    clicks = points if (0 if masks is None else len(masks)) + len(found) == 1 else ()
    for n, mask in enumerate(() if masks is None else masks):
        label = waiting.pop(0) if waiting else f"object {n + 1}"
        prompts.append(Prompt(label, anchor, mask=np.asarray(mask) > 0.5, points=clicks))
    shown = {prompt.label for prompt in prompts}
    for detection in found:
        label = detection.label or next((name for name in waiting if name not in shown), f"object {len(prompts) + 1}")
        if label in waiting:
            waiting.remove(label)
        if any(prompt.label == label and prompt.mask is not None for prompt in prompts):
            continue
        name = _free_name(label, [prompt.label for prompt in prompts])
        prompts.append(Prompt(name, anchor, box=detection.box, points=clicks))
    if points and not clicks:
        taken = [prompt.label for prompt in prompts]
        label = next((name for name in waiting if name not in taken), f"object {len(prompts) + 1}")
        prompts.append(Prompt(label, anchor, points=points))
    return prompts


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


def _prompt(label: str, entry: Mapping[str, Any]) -> Prompt:
    frame = entry.get("frame", 0)
    if not isinstance(frame, int) or isinstance(frame, bool) or frame < 0:
        raise PromptError(f"a prompt for {label!r} is on frame {frame!r}; frames are whole numbers from 0")
    where = f"the prompt for {label!r} on frame {frame}"
    box = entry.get("box")
    if box is not None:
        if not isinstance(box, Sequence) or isinstance(box, str) or len(box) != 4 or not all(map(_finite, box)):
            raise PromptError(f"{where} has the box {box!r}: four numbers x1, y1, x2, y2 are needed")
        box = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        if box[0] >= box[2] or box[1] >= box[3]:
            raise PromptError(f"{where} has the empty box {list(box)}: x1 < x2 and y1 < y2 are needed")
    points = entry.get("points") or []
    if not isinstance(points, Sequence) or isinstance(points, str):
        raise PromptError(f"{where} has points that are no list: {points!r}")
    clicks = tuple(_point(point, where) for point in points)
    if box is None and not clicks:
        raise PromptError(f"{where} has neither a box nor points")
    return Prompt(label, frame, box, points=clicks)


def _point(entry: Any, where: str) -> Point:
    if not isinstance(entry, Mapping) or not _finite(entry.get("x")) or not _finite(entry.get("y")):
        raise PromptError(f"{where}: {entry!r} is no point with numbers x and y")
    positive = entry.get("positive", True)
    if not isinstance(positive, bool):
        raise PromptError(f"{where}: positive is {positive!r}; it is true or false")
    return Point(float(entry["x"]), float(entry["y"]), positive)


def _finite(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _list_of_dicts(data: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    items = data.get(key)
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise PromptError(f'{where}: "{key}" is {items!r:.60}, not a list of objects')
    return items

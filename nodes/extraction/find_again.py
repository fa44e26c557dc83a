"""After a cut: which of the detector's finds are the objects that were tracked before it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from ..media.clip import Frame
from .detection import COCO_CLASSES, PERSON, Box, Detection, Detector, accepted_labels, box_distance, same_class

# How many frames of a new shot are searched, and how sure the detector must be.
SEARCHED = 24
SURE = 0.5
# A person's object is looked for within so many heights of that person.
NEAR = 0.5


@dataclass(frozen=True)
class Found:
    """An object seen again: on which frame, where, how sure the detector is, and why it is taken for the object."""

    label: str
    frame: int
    box: Box
    reason: str


def find_again(frames: Iterable[Frame], labels: Sequence[str], detector: Detector, has_person: bool) -> list[Found]:
    """Look for objects in the first SEARCHED frames of a shot; each is found on the first frame that shows it surely.

    A cut may show other people and things of the same kind. The largest person is taken; any other object must be near
    the largest person, where one is tracked and seen, and the surest there is taken.

    Args:
        frames: of the shot, from its first.
        labels: objects that were tracked elsewhere; those that are no class of the detector are not looked for.
        has_person: a person is among all the objects that are tracked.

    Returns:
        Those that were found, with the reason in words.
    """
    waiting = sorted((label for label in labels if same_class(label) in COCO_CLASSES), key=lambda name: name != PERSON)
    done: list[Found] = []
    for frame in islice(frames, SEARCHED):
        if not waiting:
            break
        sure = [item for item in detector(frame.image) if item.score >= SURE]
        for label in list(waiting):
            of_kind = [item for item in sure if item.label in accepted_labels(label)]
            of_kind = [item for item in of_kind if all(item.box != other.box for other in done)]
            chosen = _choose(label, of_kind, sure, has_person)
            if chosen is not None:
                done.append(Found(label, frame.index, chosen[0].box, chosen[1]))
                waiting.remove(label)
    return done


def _choose(
    label: str, of_kind: list[Detection], sure: list[Detection], has_person: bool
) -> tuple[Detection, str] | None:
    if label == PERSON:
        best = max(of_kind, key=lambda item: item.area, default=None)
        said = f", the largest of {len(of_kind)}" if len(of_kind) > 1 else ""
    else:
        people = [item.box for item in sure if item.label == PERSON]
        if has_person and people:
            person = max(people, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
            reach = NEAR * (person[3] - person[1])
            of_kind = [item for item in of_kind if box_distance(person, item.box) <= reach]
        best = max(of_kind, key=lambda item: item.score, default=None)
        said = f", the surest of {len(of_kind)}" if len(of_kind) > 1 else ""
    return None if best is None else (best, f"score {best.score:.2f}{said}")

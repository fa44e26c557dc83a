"""The extraction stage in one call: from a clip to what moves in it and how the two touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..media.clip import Clip
from ..media.track import Track
from .detection import PERSON, Detector
from .pairing import Pairing
from .relations import Relations, relate
from .stabilise import camera_motion
from .subjects import find_subjects
from .tracking import Prompt, track

if TYPE_CHECKING:
    from .sam2_model import SAM2Model


@dataclass
class Extraction:
    """What `extract` found: the track, the pair it chose (None where the user gave prompts), and how the two relate
    (None where only one object was tracked)."""

    track: Track
    pairing: Pairing | None
    relations: Relations | None


def extract(
    clip: Clip,
    prompts: Sequence[Prompt],
    detector: Detector | None,
    objects: Sequence[str] = ("skateboard",),
    model: SAM2Model | None = None,
    cuts: bool = True,
) -> Extraction:
    """Track the prompted objects, or without prompts the pair that `detector` finds, and relate them.

    Args:
        prompts: what to track; empty to look for the person and one of `objects`.
        detector: finds the pair where there are no prompts, and guides the tracker on every frame; None only where
            there are prompts.
        model, cuts: see `track`.

    Raises:
        ClipError, PromptError, DetectionError: the footage or the prompts can't be used, or nothing was found.
    """
    clip.count()  # a damaged file shall fail before the long work and not after it
    pairing = None
    guide = detector
    if not prompts:
        if detector is None:
            raise ValueError("without prompts a detector is needed to find what to track")
        pairing = find_subjects(clip, detector, objects)
        found = [pairing.person, *([pairing.object] if pairing.object else [])]
        prompts = [Prompt(item.label, pairing.anchor, item.box) for item in found]
        if all(item.source == "motion" for item in found):
            guide = None  # proposals name no classes, so they can't tell one frame's object from the next one's
    tracked = track(clip, prompts, guide, model, cuts=cuts)
    if pairing is not None:
        tracked.warnings.extend(pairing.warnings)
    return Extraction(tracked, pairing, relate_objects(tracked, clip))


def relate_objects(track: Track, clip: Clip | None, person: str = "", object: str = "") -> Relations | None:
    """Relations of two objects of a track, with the camera's motion in `clip` removed (None: it stands still).

    None for a track of fewer than two objects, as a single proposal from motion makes one.

    Args:
        person, object: labels; an empty one is chosen as `person_and_object` does.

    Raises:
        KeyError: the track has no object of that name.
    """
    roles = person_and_object([label for label in track.labels if label != object] + [object] * bool(object))
    if roles is None:
        return None
    person = person or roles[0]
    object = object or next(label for label in track.labels if label != person)
    return relate(track, person, object, None if clip is None else camera_motion(clip, track))


def person_and_object(labels: Sequence[str]) -> tuple[str, str] | None:
    """Who of a track's objects is the person and what is theirs: "person", or else the first, and the next other one.

    None for fewer than two objects.
    """
    if len(labels) < 2:
        return None
    person = PERSON if PERSON in labels else labels[0]
    return person, next(label for label in labels if label != person)


def labels_of(labels: Sequence[str], which: str) -> tuple[str, ...]:
    """A track's labels that are meant by "person", "object" or "both" (which is all of them).

    Raises:
        ValueError: the track has no objects, or no object beside the person.
    """
    roles = person_and_object(labels) or tuple(labels)
    chosen = {"person": roles[:1], "object": roles[1:], "both": tuple(labels)}[which]
    if not chosen:
        raise ValueError(f"the track has no {which!r}; it has: {', '.join(labels) or 'no objects'}")
    return chosen

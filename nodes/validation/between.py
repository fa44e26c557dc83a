"""Person and object together: where the object is in the person's frame, the limb nearest to it, and its turn."""

from __future__ import annotations

from typing import Any

import numpy as np

from .findings import FAILED, Finding, ranges
from .judging import frame_rule
from .measure import Subject, unit_px
from .poses import LIMBS, Limbs, limb_distances, limb_words, seems_mirrored
from .profile import Profile
from .shape import Shapes

# One limb is surely nearer to an object than another by so many person heights.
CLEARLY = 0.1
# An axis that turns by more than this from one frame to the next may have turned the other way round, degrees.
FOLLOWED_DEG = 60.0


def offset_in_heights(person: Shapes, thing: Shapes) -> np.ndarray:
    """float64 [T, 2]: (x right, y down) from the person's centre to the object's, in that person's heights.

    As `extraction.relations` has it; nan where one of the two isn't seen.
    """
    height = unit_px(person, person)
    return np.stack([thing.x - person.x, thing.y - person.y], axis=1) / height[:, None]


def offset_errors(person: Subject, thing: Subject) -> tuple[np.ndarray, list[np.ndarray]]:
    """How far that offset is from the source's, person heights, float64 [T]: in the generated clip, in every copy."""
    source = offset_in_heights(person.pair.expected, thing.pair.expected)
    errors = [
        np.hypot(*(offset_in_heights(one.found, other.found) - source).T)
        for one, other in zip((person.pair, *person.floors), (thing.pair, *thing.floors), strict=True)
    ]
    return errors[0], errors[1:]


def limbs(subject: Subject, poses: tuple[np.ndarray, np.ndarray]) -> Limbs:
    """The limb nearest to the object on every frame, and where it is surely another one than in the source.

    Args:
        poses: keypoints in source and generated clip, float64 [T, 133, 3], px of the picture. Frames on which one pose
            suits the other better with left and right exchanged are the pose estimator's, and are not compared.
    """
    names, frames = np.array([*LIMBS, None], object), np.arange(len(subject))
    shown = (subject.pair.expected, subject.pair.found)
    far = [limb_distances(keypoints, shape) for keypoints, shape in zip(poses, shown, strict=True)]
    near = [distance.argmin(axis=1) for distance in far]
    known = [np.isfinite(distance[frames, limb]) for distance, limb in zip(far, near, strict=True)]
    another = near[0] != near[1]
    comparable = known[0] & known[1] & ~seems_mirrored(*poses)
    for distance, own, other in zip(far, near, reversed(near), strict=True):
        # A limb that isn't seen may be anywhere, also at the object.
        comparable &= np.isfinite(distance[frames, other])
        with np.errstate(invalid="ignore"):
            another &= distance[frames, other] - distance[frames, own] > CLEARLY * subject.unit_px
    source, generated = (names[np.where(there, limb, len(LIMBS))] for there, limb in zip(known, near, strict=True))
    return Limbs(source, generated, another & comparable, comparable)


def limb_rule(subject: Subject, profile: Profile) -> list[Finding]:
    """Where the object touches the person in both clips, the same limb is nearest to it; `run` frames may differ."""
    keys, found = profile.get("limb"), subject.limbs
    if keys is None or found is None or subject.contact is None:
        return []
    touching = (subject.contact[0] > 0) & (subject.contact[1] > 0)
    judged = touching & found.comparable & ~subject.skip & ~subject.unsure & ~subject.gone
    nowhere = np.full(len(subject), np.nan)
    every = {"share": 1.0, "run": keys["run"]}  # frames in a row decide
    words = "another limb touches"
    finding = frame_rule(
        "limb", subject, every, found.another, judged, found.another.astype(float), nowhere, "", False, words
    )
    if finding.verdict == FAILED:
        finding.text = f"{subject.label}: " + "; ".join(
            limb_words(found, finding.failing, *part) for part in ranges(finding.failing)[:3]
        )
    return [finding]


def rotation(subject: Subject) -> dict[str, float | None]:
    """How far the object's long axis turns over the clip, in degrees, clockwise positive: the way there, not the end.

    Counted over the frames on which both clips show an elongated object.

    Returns:
        source_deg, generated_deg, difference_deg (generated - source), floor_deg (the largest difference of a copy);
        None where it can't be told: no such frames, or steps between them of more than FOLLOWED_DEG.
    """

    def beside(other: Shapes) -> tuple[float | None, float | None, float | None]:
        known = np.isfinite(subject.pair.expected.angle) & np.isfinite(other.angle)
        own, found = total_turn(subject.pair.expected.angle[known]), total_turn(other.angle[known])
        return own, found, None if own is None or found is None else found - own

    source, generated, difference = beside(subject.pair.found)
    copies = [beside(copy.found)[2] for copy in subject.floors]
    known = [abs(copy) for copy in copies if copy is not None]
    floor = max(known) if known and len(known) == len(copies) else None
    values = {"source_deg": source, "generated_deg": generated, "difference_deg": difference, "floor_deg": floor}
    return {name: None if value is None else round(value, 1) for name, value in values.items()}


def total_turn(angles: np.ndarray) -> float | None:
    """Degrees from the first to the last of the angles of an axis, every step taken the short way; see `rotation`."""
    if len(angles) < 2:
        return None
    steps = (np.diff(angles) + 90) % 180 - 90
    return None if np.abs(steps).max() > FOLLOWED_DEG else float(steps.sum())


def relations(person: Subject | None, thing: Subject) -> dict[str, Any]:
    """The report's `relations`: {offset: {source, generated} lists of [x, y] or None, limb: the same of names,
    rotation}; offset and limb are None without a person, and without poses."""
    offset = None
    if person is not None:
        offset = {
            name: [[round(float(x), 4), round(float(y), 4)] if np.isfinite(x + y) else None for x, y in places]
            for name, places in (
                ("source", offset_in_heights(person.pair.expected, thing.pair.expected)),
                ("generated", offset_in_heights(person.pair.found, thing.pair.found)),
            )
        }
    found = thing.limbs
    limb = None if found is None else {"source": found.source.tolist(), "generated": found.generated.tolist()}
    return {"offset": offset, "limb": limb, "rotation": rotation(thing)}

"""Which object belongs to which person, judged over several frames by where it is and how it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from .carrying import Place, place_of
from .detection import (
    PERSON,
    Detection,
    DetectionError,
    accepted_labels,
    box_overlap,
    same_class,
)
from .stabilise import accumulate
from .tracklets import Tracklet, link, travel

# All lengths below are in person heights. Start values by judgement, checked on the two real clips and on the
# made-up cases of tests/extraction/test_pairing.py.
CLOSE = 0.15  # an object this far from where it is carried counts 1/e
STEADY = 0.30  # an offset that wanders this much counts 1/e
MOVING = 0.50  # who travels this far moves beyond doubt
ACCEPTED = 0.35  # pairs below this score are no pair
OTHER_NAME = 0.8  # factor for an object that the detector mostly calls by a related name
INSIDE = 0.6  # factor for a "person" inside the object's box when someone else with it is not
PART = 0.85  # share of the person's box from which it is "inside"
CLOSE_CALL = 0.05  # a rival pair within this score is worth a warning


@dataclass(frozen=True, slots=True)
class Candidate:
    """One possible pair, with the evidence. score 0..1; boxes are those of its best frame."""

    score: float
    frame: int
    person: Detection
    object: Detection | None
    measures: dict[str, Any]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pairing:
    """The person, the object that belongs to them, and why.

    anchor: clip frame in which both are seen best; person, object: their detections there (object None when
    none belongs to the person); score: 0..1; reasons: sentences; alternatives: the pairs not chosen, best
    first.
    """

    anchor: int
    person: Detection
    object: Detection | None
    score: float
    reasons: tuple[str, ...]
    measures: dict[str, Any]
    alternatives: tuple[Candidate, ...] = ()
    warnings: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """The same as plain dicts, lists, numbers and strings, for JSON."""
        return asdict(self)


def pair(
    frames: Sequence[Sequence[Detection]],
    object_labels: str | Sequence[str] = "skateboard",
    size: tuple[int, int] | None = None,
    camera: np.ndarray | None = None,
    indices: Sequence[int] | None = None,
) -> Pairing:
    """Choose the person, the object that belongs to them, and the frame to start tracking from.

    Every object is scored with every person it is seen with: closeness to where such an object is carried (a
    board: the feet; a bicycle: under the hips; a ball: hands or feet), whether their offset stays the same
    while one of them moves, how often they are seen together, the detector's scores and its name for the
    object. Pairs of people who move and are large count more. A person alone is chosen, and said so, when no
    object belongs to anyone.

    Args:
        frames: detections of each observed frame, in order.
        object_labels: the wanted object, or several; relatives that a detector confuses them with are
        accepted. size: (H, W) px; without it, clipping at the frame's edge isn't judged. camera: float64
        [len(frames), 2, 3], background px of the observed frame before -> this one, nan when unknown;
            None: motion is judged in the image alone.
        indices: clip index of each observed frame; 0, 1, 2… by default.

    Raises:
        DetectionError: nobody (and nothing that moves) was found; the message says what was.
    """
    indices = list(range(len(frames))) if indices is None else list(indices)
    labels = [object_labels] if isinstance(object_labels, str) else list(object_labels)
    scene = _Scene(frames, size, camera)
    people, warnings = _people(frames)
    things = [track for track in _objects(frames, labels) if len(track.found) > 0]

    pairs = [
        candidate
        for person in people
        for thing in _rejoined(person, things, labels)
        if (candidate := _judge(scene, person, thing, labels, indices)) is not None
    ]
    alone = [_alone(scene, person, indices) for person in people]
    pairs = sorted(_doubt_parts(pairs), key=lambda candidate: -candidate.score)
    alone.sort(key=lambda candidate: -candidate.score)
    good = [candidate for candidate in pairs if candidate.score >= ACCEPTED]
    if not good:
        wanted = " or ".join(labels)
        best = f"; the nearest candidate scores {pairs[0].score:.2f} of {ACCEPTED:.2f}" if pairs else ""
        warnings.append(f"No {wanted} was found that belongs to the person{best}.")
    chosen = good[0] if good else alone[0]
    if len(good) > 1 and good[0].score - good[1].score < CLOSE_CALL:
        warnings.append(
            f"A close call: {good[1].measures['object']} with {good[1].measures['person']} scores "
            f"{good[1].score:.2f}, the chosen pair {good[0].score:.2f}."
        )
    others = [candidate for candidate in pairs if candidate is not chosen]
    others += [candidate for candidate in alone if candidate is not chosen and not _paired(candidate, pairs)]
    return Pairing(
        chosen.frame,
        chosen.person,
        chosen.object,
        chosen.score,
        chosen.reasons,
        chosen.measures,
        tuple(others[:8]),
        tuple(warnings),
    )


def _rejoined(person: Tracklet, things: Sequence[Tracklet], labels: Sequence[str]) -> list[Tracklet]:
    """The objects, with pieces joined that never appear together and are all carried by this person."""
    joined, apart = Tracklet(), []
    for thing in sorted(things, key=lambda thing: -len(thing.found)):
        gaps = _gaps(person, thing, place_of(_wanted_name(thing, labels)))
        if gaps and np.median(gaps) < CLOSE and not joined.found.keys() & thing.found.keys():
            joined.found.update(thing.found)
        else:
            apart.append(thing)
    return [joined, *apart] if joined.found else apart


def _gaps(person: Tracklet, thing: Tracklet, place: Place) -> list[float]:
    """Distance of the object from where it is carried, in person heights, wherever both are seen."""
    return [
        place.gap(person.found[p].box, thing.found[p].box) for p in sorted(person.found.keys() & thing.found.keys())
    ]


def _doubt_parts(pairs: Sequence[Candidate]) -> list[Candidate]:
    """Lower the score of a person who is wholly inside the object when someone else has it and is not.

    A seat or an engine is taken for a person more easily than a rider's box fits into that of the vehicle.
    """
    doubted = []
    for one in pairs:
        outside = any(
            _shares_object(one, other) and other.measures["person_inside_object"] <= PART
            for other in pairs
            if other is not one and other.score >= ACCEPTED
        )
        if outside and one.measures["person_inside_object"] > PART:
            said = "This person's box lies inside the object's: perhaps a part of it is taken for a person."
            one = replace(one, score=round(one.score * INSIDE, 4), reasons=(*one.reasons, said))
        doubted.append(one)
    return doubted


def _shares_object(one: Candidate, other: Candidate) -> bool:
    return one.measures["object"] == other.measures["object"]


def _paired(alone: Candidate, pairs: Sequence[Candidate]) -> bool:
    return any(alone.measures["person"] == candidate.measures["person"] for candidate in pairs)


def _people(frames: Sequence[Sequence[Detection]]) -> tuple[list[Tracklet], list[str]]:
    people = link(frames, lambda item: item.label == PERSON)
    if people:
        longest = max(len(track.found) for track in people)
        return [track for track in people if len(track.found) >= 0.1 * longest], []
    moving = link(frames, lambda item: item.source == "motion")
    if moving:
        return moving, ["Nobody was recognised: the subject is a proposal, whatever moves against the background."]
    seen = sorted({item.label for found in frames for item in found})
    raise DetectionError(
        f"No person was found in {len(frames)} frames (found: {', '.join(seen) or 'nothing'}); "
        "give the person's box or mask by hand."
    )


def _objects(frames: Sequence[Sequence[Detection]], labels: Sequence[str]) -> list[Tracklet]:
    accepted = {name for label in labels for name in accepted_labels(label)}
    exact = {same_class(label) for label in labels}
    rows = []
    for found in frames:
        kept: list[Detection] = []
        ranked = (item for item in found if same_class(item.label) in accepted and item.label != PERSON)
        for item in sorted(ranked, key=lambda item: -item.score * _name_factor(item.label, exact)):
            inside = (box_overlap(item.box, other.box) / min(item.area, other.area) for other in kept)
            if all(share < 0.6 for share in inside):
                kept.append(item)
        rows.append(kept)
    return link(rows, lambda item: True)


def _name_factor(label: str, exact: set[str]) -> float:
    return 1.0 if same_class(label) in exact else OTHER_NAME


class _Scene:
    """The observed frames, and positions in the first frame's coordinates where the camera's path is known."""

    def __init__(self, frames: Sequence[Sequence[Detection]], size: tuple[int, int] | None, camera: np.ndarray | None):
        self.count, self.size = len(frames), size
        known = camera is not None and len(camera) == len(frames) and len(frames) > 0
        self.camera_known = known and bool(np.isfinite(np.asarray(camera)[1:]).all())
        identity = np.broadcast_to(np.eye(2, 3), (len(frames), 2, 3))
        self.to_first = accumulate(np.asarray(camera))[0] if self.camera_known else identity
        self.largest = max((item.area for found in frames for item in found if item.label == PERSON), default=1.0)

    def path(self, track: Tracklet, positions: Sequence[int]) -> np.ndarray:
        """float64 [N, 2]: its centres, px of the first observed frame."""
        centres = np.array([(*track.found[p].centre, 1.0) for p in positions]).reshape(-1, 3)
        return np.einsum("nij,nj->ni", self.to_first[list(positions)], centres)

    def travelled(self, track: Tracklet, height: float) -> float:
        return travel(self.path(track, sorted(track.found))) / height


def _judge(
    scene: _Scene, person: Tracklet, thing: Tracklet, labels: Sequence[str], indices: Sequence[int]
) -> Candidate | None:
    together = sorted(person.found.keys() & thing.found.keys())
    if not together:
        return None
    name = _wanted_name(thing, labels)
    place = place_of(name)
    heights = np.array([person.found[p].height for p in together])
    height = float(np.median(heights))
    gap = float(np.median(_gaps(person, thing, place)))
    longer = max(thing.median_size()) / height
    offsets = np.array([np.subtract(thing.found[p].centre, person.found[p].centre) for p in together])
    offsets = offsets / height
    wander = float(np.quantile(np.linalg.norm(offsets - np.median(offsets, axis=0), axis=1), 0.75))
    person_travel, thing_travel = scene.travelled(person, height), scene.travelled(thing, height)

    close = float(np.exp(-((gap / CLOSE) ** 2)))
    fits = 1.0 if place.sides[0] <= longer <= place.sides[1] else 0.3
    inside = float(
        np.median([box_overlap(person.found[p].box, thing.found[p].box) / person.found[p].area for p in together])
    )
    steady = float(np.exp(-((wander / STEADY) ** 2)))
    telling = min(max(person_travel, thing_travel) / MOVING, 1.0) if len(together) > 2 else 0.0
    presence = len(together) / max(len(person.found), len(thing.found))
    evidence = (2 * telling * steady + presence + thing.score) / (2 * telling + 2)
    enough = len(together) / (len(together) + min(2, scene.count - 1))
    named = max(thing.share(same_class(label)) for label in labels)
    subject = _subject(scene, person, person_travel)
    score = close * fits * enough * (0.4 + 0.6 * evidence) * (OTHER_NAME + (1 - OTHER_NAME) * named)
    score *= 0.5 + 0.5 * subject

    best = max(together, key=lambda p: _clarity(scene, person.found[p], thing.found[p], person, thing))
    measures: dict[str, Any] = {
        "person": id_of(person, indices),
        "object": id_of(thing, indices),
        "object_label": thing.label(),
        "frames_together": len(together),
        "frames_person": len(person.found),
        "frames_object": len(thing.found),
        "frames_observed": scene.count,
        "distance_to_place": round(gap, 3),
        "object_length": round(longer, 3),
        "person_inside_object": round(inside, 3),
        "offset_wander": round(wander, 3),
        "person_travel": round(person_travel, 3),
        "object_travel": round(thing_travel, 3),
        "camera_removed": int(scene.camera_known),
        "closeness": round(close, 3),
        "evidence": round(evidence, 3),
        "subject": round(subject, 3),
        "detector_score": round(thing.score, 3),
        "name_share": round(named, 3),
    }
    reasons = _sentences(scene, measures, name, place.words, steady, telling, fits)
    return Candidate(
        round(score, 4),
        indices[best],
        person.found[best],
        replace(thing.found[best], label=name),
        measures,
        tuple(reasons),
    )


def _sentences(
    scene: _Scene,
    measures: dict[str, Any],
    name: str,
    place: str,
    steady: float,
    telling: float,
    fits: float,
) -> list[str]:
    gap, label = measures["distance_to_place"], measures["object_label"]
    where = f"at the person's {place}" if gap < CLOSE else f"away from the person's {place}"
    said = [f"The {name} is {where}: median distance {gap:.2f} person heights."]
    kept = f"their offset changes by {measures['offset_wander']:.2f} person heights"
    moved = f"the person travels {measures['person_travel']:.1f} and the object {measures['object_travel']:.1f}" + (
        " (camera motion removed)" if scene.camera_known else " in the image (camera motion unknown)"
    )
    if telling < 0.3:
        said.append(f"Neither moves enough to tell whether they belong together: {moved}.")
    elif steady > 0.5:
        said.append(f"They move together: {kept} while {moved}.")
    else:
        said.append(f"They don't move together: {kept} while {moved}.")
    said.append(
        f"Seen together in {measures['frames_together']} of {measures['frames_observed']} observed frames, "
        f"mean detector score {measures['detector_score']:.2f}."
    )
    if measures["name_share"] < 0.5:
        said.append(f"The detector mostly calls it {label}.")
    if fits < 1:
        said.append(f"Its length of {measures['object_length']:.2f} person heights is unlikely for a {name}.")
    return said


def _alone(scene: _Scene, person: Tracklet, indices: Sequence[int]) -> Candidate:
    height = float(np.median([item.height for item in person.found.values()]))
    moved = scene.travelled(person, height)
    subject = _subject(scene, person, moved)
    best = max(person.found, key=lambda p: (_clarity(scene, person.found[p], None, person, None), -p))
    measures: dict[str, Any] = {
        "person": id_of(person, indices),
        "frames_person": len(person.found),
        "frames_observed": scene.count,
        "person_travel": round(moved, 3),
        "camera_removed": int(scene.camera_known),
        "subject": round(subject, 3),
    }
    said = f"Seen in {len(person.found)} of {scene.count} observed frames, travels {moved:.1f} times the own height" + (
        " (camera motion removed)." if scene.camera_known else " in the image."
    )
    return Candidate(round(subject, 4), indices[best], person.found[best], None, measures, (said,))


def id_of(track: Tracklet, indices: Sequence[int]) -> str:
    """A name for a tracklet: its label, first frame and place there."""
    first = min(track.found)
    x, y = track.found[first].centre
    return f"{track.label()} at ({x:.0f}, {y:.0f}) in frame {indices[first]}"


def _wanted_name(thing: Tracklet, labels: Sequence[str]) -> str:
    """The asked-for object that this tracklet stands for."""
    return max((same_class(label) for label in labels), key=lambda name: _kinship(thing.label(), name))


def _kinship(label: str, name: str) -> int:
    if same_class(label) == name:
        return 2
    return int(same_class(label) in accepted_labels(name))


def _subject(scene: _Scene, person: Tracklet, moved: float) -> float:
    """How much this person is the one the clip is about, 0..1: moves, is large, is seen often, is near the middle."""
    width, height = person.median_size()
    large = min(float(np.sqrt(width * height / scene.largest)), 1.0)
    seen = len(person.found) / scene.count
    middle = 0.5
    if scene.size is not None:
        xs = [item.centre[0] / scene.size[1] for item in person.found.values()]
        middle = 1.0 - 2 * abs(float(np.median(xs)) - 0.5)
    return 0.4 * min(moved / MOVING, 1.0) + 0.3 * large + 0.2 * seen + 0.1 * max(middle, 0.0)


def _clarity(
    scene: _Scene, person: Detection, thing: Detection | None, whole_p: Tracklet, whole_t: Tracklet | None
) -> float:
    """How well one frame shows both: detector scores, no cut at the frame's edge, full size, little overlap."""
    value = person.score * _entire(person, whole_p, scene.size)
    if thing is None or whole_t is None:
        return value
    covered = box_overlap(person.box, thing.box) / thing.area
    return value * thing.score * _entire(thing, whole_t, scene.size) * (1.0 - 0.5 * covered)


def _entire(item: Detection, whole: Tracklet, size: tuple[int, int] | None) -> float:
    width, height = whole.median_size()
    full = min(item.area / max(width * height, 1.0), 1.0) ** 0.5
    if size is None:
        return full
    edge = min(item.box[0], item.box[1], size[1] - item.box[2], size[0] - item.box[3])
    return full * (0.2 if edge < 2 else 1.0)

"""Source track, source footage and generated clip in, judgement out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from ..extraction.detection import PERSON, same_class
from ..media.clip import Clip
from ..media.track import Track
from . import contact as contacts
from .align import Crop, PlacedClip, comparison_size, place, require_same_picture
from .between import limb_rule, limbs, relations
from .causes import name_causes
from .findings import Finding
from .follow import NothingToFollow, TrackFunction, follow
from .measure import Comparison, Subject, compare, residuals, unit_px, widened
from .measures import object_measures
from .motion import Lag, lag_of_frames, lags_by_object, path_costs
from .pictures import Pictures, compare_pictures
from .poses import oks, pck, placed_poses
from .profile import STANDARD, Profile
from .relation_rules import event_rules, pose_rule
from .report import build, parts
from .rules import length_rule, object_rules, timing_rule
from .shape import Shapes, edge_effects, shapes
from .sighted import SAME, TIMES_CLEARER, cut, is_gone, merged, picture_lags, picture_residuals, shows, sure
from .variants import VARIANTS, ChangedClip

if TYPE_CHECKING:
    from ..media.pose import Poses

# A mask with a score below this is one that its tracker isn't sure of.
UNSURE = 0.3
# A frame on which the tracker overlaps by less with the source itself says nothing about time.
FOLLOWED = 0.5
# An object is in its place when the pictures show it within this of it, of the person's height and px.
IN_PLACE, IN_PLACE_PX = 0.01, 1.5


@dataclass
class Judgement:
    """What `validate` found.

    Attributes:
        report: JSON-able, see `report.build`.
        expected, found: the source's track and the generated clip's, both in the generated clip's picture and timeline.
    """

    report: dict[str, Any]
    expected: Track
    found: Track


def validate(
    source: Track,
    footage: Clip,
    generated: Clip,
    track: TrackFunction,
    label: str | None = None,
    profile: Profile = STANDARD,
    crop: Crop | None = None,
    frames: Sequence[int | None] | None = None,
    poses: tuple[Poses, Poses] | None = None,
) -> Judgement:
    """Judge whether an object moves in a generated clip as it does in the source.

    All of the source's objects are tracked in the generated clip from one frame's masks (they hold each other in
    place). The source's own footage, harmlessly changed, is tracked in the same way from the same masks: what the
    tracker gets wrong there is the floor of every measure, and nothing below it is held against the clip.

    Args:
        source: the source's track.
        footage: the clip that it was made from.
        generated: the clip to judge, in any size of the same proportions.
        track: the tracker, for example `nodes.extraction.tracking.track_masks`.
        label: the object to judge; None for the first that isn't a person. The person is judged with it.
        profile: the rules and their limits.
        crop: x1, y1, x2, y2 px of the source that the generated clip shows, as vace.json has it; None for all.
        frames: for each frame of the generated clip the source frame it shows, None for padding; None for all in order.
        poses: the person's keypoints in the source and in the generated clip.

    Returns:
        A Judgement. Different lengths are a fault in it, not an error.

    Raises:
        AspectMismatch: the generated clip has other proportions than the source or its crop.
        KeyError: the source has no object `label`.
        ValueError: a track without objects, `frames` outside the source, footage of another size than its track.
    """
    label = main_label(source) if label is None else label
    source.index(label)
    if frames is not None and any(t is not None and not 0 <= t < len(source) for t in frames):
        raise ValueError(f"the frame mapping names frames that the source, of {len(source)}, doesn't have")
    if (footage.height, footage.width) != source.clip_size:
        raise ValueError(
            f"the source footage {footage.name} is {footage.width}x{footage.height}, its track was made on "
            f"{source.clip_size[1]}x{source.clip_size[0]}: give the clip that was tracked"
        )
    require_same_picture(source.clip_size, (generated.height, generated.width), crop)

    size = (generated.height, generated.width)
    masks = comparison_size(source, crop)
    expected = place(source, masks, crop, frames, size)
    labels = [label, *(other for other in source.labels if other != label)]
    original = _about(source.source or footage.name, len(source), source.clip_size, source.rate)
    person = person_label(labels)
    warnings = _rate_warnings(source, generated)
    try:
        followed = follow(generated, expected, labels, track)
    except NothingToFollow as reason:
        total = generated.count()
        findings = length_rule(len(expected), total, profile)
        nothing = np.zeros(0)
        report = build(
            label,
            person,
            findings,
            name_causes(findings, [], [], profile, size, float(generated.rate)),
            nothing,
            nothing.astype(bool),
            profile.to_dict(),
            {},
            {"source": [], "generated": [], "pairs": []},
            original,
            _about(generated.name, total, size, generated.rate),
            (source.tracker, ""),
            undecided=str(reason),
            warnings=warnings,
        )
        empty = Track(
            np.zeros((0, len(source.labels), masks[0], -(-masks[1] // 8)), np.uint8),
            source.labels,
            np.zeros((0, len(source.labels)), np.float32),
            size,
            masks,
            generated.rate,
        )
        return Judgement(report, expected, empty)
    found = place(followed.track, masks, clip_size=size)
    placed = PlacedClip(footage, size, crop, frames)
    copies = [
        place(
            track(ChangedClip(placed, change, name), followed.prompts, followed.prompted_frame), masks, clip_size=size
        )
        for name, change in VARIANTS.items()
    ]
    padding = [] if frames is None else [t for t, frame in enumerate(frames) if frame is None]
    told = [name for name in (label, person) if name is not None and name in found.labels]
    pictures = compare_pictures(placed, generated, expected, found, list(dict.fromkeys(told)))
    report = judge_tracks(
        expected,
        found,
        copies,
        label,
        profile,
        followed.prompted_frame,
        padding,
        placed_poses(poses, source, crop, frames, size, len(found)),
        pictures,
    )
    return Judgement(
        {**report, "source": original, "warnings": [*warnings, *followed.warnings, *report["warnings"]]},
        expected,
        found,
    )


def judge_tracks(
    expected: Track,
    found: Track,
    copies: Sequence[Track],
    label: str,
    profile: Profile = STANDARD,
    prompted: int | None = None,
    padding: Sequence[int] = (),
    poses: tuple[np.ndarray, np.ndarray] | None = None,
    pictures: Pictures | None = None,
) -> dict[str, Any]:
    """The report on two tracks in one picture and timeline, however they were made.

    Args:
        expected, found: of the source and of the generated clip; one mask size and clip size.
        copies: tracks of harmless copies of the source: the floor. None means that the masks are taken for exact.
        label: the object; the person is judged with it where both tracks have one.
        prompted: the frame on which the tracker was shown the source's mask; it is not judged.
        padding: frames that show nothing of the source.
        poses: the person's keypoints in both clips, float64 [T, 133, 3], px of the picture.
        pictures: what the pictures themselves say; None where there are only tracks.
    """
    person = person_label(expected.labels)
    judged = _Judged(expected, found, copies, label, person, profile, prompted, padding, pictures)
    return judged.report(
        _about(expected.source, len(expected), expected.clip_size, expected.rate),
        _about(found.source, len(found), found.clip_size, found.rate),
        found.warnings,
        poses,
    )


class _Judged:
    """Tracks in one picture and timeline, measured and held against a profile."""

    def __init__(
        self,
        expected: Track,
        found: Track,
        copies: Sequence[Track],
        label: str,
        person: str | None,
        profile: Profile,
        prompted: int | None,
        padded: Sequence[int],
        pictures: Pictures | None,
    ):
        self.expected, self.found, self.copies = expected, found, copies
        self.label, self.person, self.profile = label, person, profile
        self.total = min(len(expected), len(found), *(len(copy) for copy in copies))
        self.rate = float(found.rate)
        self.reasons: list[tuple[np.ndarray, str]] = []
        padding = np.isin(np.arange(self.total), np.array(padded, int))
        shown = np.arange(self.total) == (-1 if prompted is None else prompted)
        self.skip = padding | shown
        self.reasons += [(padding, "padding"), (shown & ~padding, "the tracker was shown the source's mask here")]
        self.labels = [label, *([person] if person not in (None, label) else [])]
        self.labels = [name for name in self.labels if name in found.labels and name in expected.labels]
        self.shapes = {name: shapes(expected, name) for name in self.labels}
        self.subjects = [self._subject(name) for name in self.labels]
        self.lags, self.timed = self._lags(pictures)
        if pictures is not None:
            self._look(cut(pictures, self.total))

    def _subject(self, name: str) -> Subject:
        pair = self._cut(compare(self.expected, self.found, name, self.shapes[name]))
        floors = [self._cut(compare(self.expected, copy, name, self.shapes[name])) for copy in self.copies]
        person = None if self.person is None else self.shapes.get(self.person)
        subject = Subject(
            name,
            pair,
            floors,
            unit_px(None if person is None else person.part(self.total), pair.expected),
            self.skip,
            _unsure(self.expected, name, self.total) | _unsure(self.found, name, self.total),
            self._contact(name),
            residuals(pair, floors),
            {key: effect[: self.total] for key, effect in edge_effects(self.expected, name).items()},
        )
        return subject

    def _cut(self, pair: Comparison) -> Comparison:
        end = self.total
        return Comparison(pair.expected.part(end), pair.found.part(end), pair.region[:end], pair.boundary[:end])

    def _contact(self, name: str) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]] | None:
        if self.person is None or name == self.person or self.person not in self.labels:
            return None
        height = unit_px(self.shapes[self.person], self.shapes[self.person])[: self.total]

        def gap(track: Track) -> np.ndarray:
            return contacts.distances(track, str(self.person), name)[: self.total]

        source = gap(self.expected)
        others = [contacts.contact_beside(source, gap(track), height) for track in (self.found, *self.copies)]
        return contacts.contact_states(source, height), others[0], others[1:]

    def report(
        self,
        original: Mapping[str, Any],
        generated: Mapping[str, Any],
        warnings: Sequence[str],
        poses: tuple[np.ndarray, np.ndarray] | None,
    ) -> dict[str, Any]:
        main, size = self.subjects[0], self.found.clip_size
        findings: list[Finding] = length_rule(len(self.expected), len(self.found), self.profile)
        late = self.lags
        findings += timing_rule(late, self.timed, self.profile, self.rate, self.total)
        for subject in self.subjects:
            findings += object_rules(subject, self.profile, size)
        events, event_findings = self._events(main)
        findings += event_findings
        pose = self._pose(poses)
        person = next((one for one in self.subjects if one.label == self.person), None)
        if poses is not None and person is not None and person is not main:
            main.limbs = limbs(main, (poses[0][: self.total], poses[1][: self.total]))
            findings += limb_rule(main, self.profile)
        if pose is not None:
            findings += pose_rule(self.subjects[self.labels.index(str(self.person))], self.profile, pose["pose_oks"])
        causes = name_causes(findings, self.subjects, late, self.profile, size, self.rate)
        covered, strays = self._coverage(main, findings)
        coverage = float(covered.sum() / max(main.shown.sum(), 1))
        lowest = self.profile.limit("coverage")
        undecided = None
        if not main.shown.any():
            undecided = f"{self.label!r} is on no frame that could be judged"
        elif lowest is not None and coverage < lowest:
            undecided = (
                f"only {coverage:.0%} of the frames with {self.label!r} could be judged ({lowest:.0%} are needed): on "
                "the others the tracker loses it even in the source itself, or isn't sure"
            )
        floor = main.floor([copy.region for copy in main.floors], "higher")
        stray = (floor < FOLLOWED) | (main.in_place & (main.pair.region < FOLLOWED))
        reasons = [
            *self.reasons,
            (main.unsure & ~main.skip, "a tracker isn't sure of what it shows"),
            (strays & ~main.unsure, "the tracker strays here on the source itself"),
        ]
        return build(
            self.label,
            self.person,
            findings,
            causes,
            main.pair.region,
            self.skip,
            self.profile.to_dict(),
            {
                subject.label: object_measures(
                    subject, self.profile, self.rate, pose if subject is person else None, person
                )
                for subject in self.subjects
            },
            events,
            original,
            generated,
            (self.expected.tracker, self.found.tracker),
            [part for flags, why in reasons for part in parts(flags, why)],
            coverage,
            undecided,
            warnings,
            ~stray,
            relations(None if person is main else person, main),
        )

    def _lags(self, pictures: Pictures | None) -> tuple[list[Lag], np.ndarray]:
        """What is late, and on which frames that can be told: by the pictures, or where they can't by the paths."""
        if pictures is not None:
            pictures = cut(pictures, self.total)
            late = picture_lags(pictures, {name: self.shapes[name].part(self.total) for name in self.labels})
            if late is not None:
                return late, ~self.skip
        costs = self._lag_costs(self.subjects)
        own = {subject.label: self._lag_costs([subject]) for subject in self.subjects}
        return lags_by_object(costs, own), np.asarray(np.isfinite(costs).any(axis=0))

    def _look(self, pictures: Pictures) -> None:
        """Let the pictures correct what the tracks say of every object."""
        for subject in self.subjects:
            sight, control = pictures.sights[subject.label], pictures.controls[subject.label]
            seen = sure(sight)
            late = lag_of_frames([lag for lag in self.lags if lag.of in ("clip", subject.label)], self.total)
            subject.late_in_place = shows(pictures, subject.label, late) & (late != 0)
            near = np.maximum(IN_PLACE_PX, IN_PLACE * subject.unit_px)
            with np.errstate(invalid="ignore"):
                whole = (np.abs(sight.scale) > 5) | (np.abs(sight.angle) > 5)
                here = (np.hypot(sight.x, sight.y) <= near) & ~whole
                # Other clothes leave less than SAME of the edges, but nowhere else nearly as much as here.
                subject.seen = seen & ((sight.like >= SAME) | (here & (sight.like >= TIMES_CLEARER * sight.second)))
                subject.in_place = subject.seen & here
                elsewhen = np.nanmax(np.nan_to_num(pictures.times[subject.label], nan=-1), axis=0) >= SAME
            subject.gone = is_gone(sight, control) & ~elsewhen
            subject.unsure = subject.unsure & ~seen
            subject.flicker = pictures.flicker[subject.label]
            subject.residuals = merged(subject.residuals, picture_residuals(sight, control))
        by_label = {subject.label: subject for subject in self.subjects}
        for subject in self.subjects:
            if subject.contact is None or self.person is None:
                continue
            source, generated, copies = subject.contact
            both = [by_label[name] for name in (subject.label, self.person)]
            late = lag_of_frames([lag for lag in self.lags if lag.of in ("clip", subject.label)], self.total)
            then = np.clip(np.arange(self.total) - late, 0, self.total - 1)
            known = np.all([one.in_place | one.late_in_place for one in both], axis=0)
            copies = [np.where(known, source, copy) for copy in copies]
            subject.contact = source, np.where(known, source[then], generated), copies

    def _lag_costs(self, subjects: Sequence[Subject]) -> np.ndarray:
        usable = {}
        for subject in subjects:
            floor = subject.floor([copy.region for copy in subject.floors], "higher")
            usable[subject.label] = ~self.skip & ~subject.unsure & ~(widened((floor < FOLLOWED).astype(float)) > 0)
        return path_costs(
            {subject.label: subject.pair.expected for subject in subjects},
            {subject.label: subject.pair.found for subject in subjects},
            [{subject.label: subject.floors[copy].found for subject in subjects} for copy in range(len(self.copies))],
            usable,
        )

    def _events(self, main: Subject) -> tuple[dict[str, Any], list[Finding]]:
        if main.contact is None:
            return {"source": [], "generated": [], "pairs": []}, []
        clocks = [_clock(track, self.total) for track in (self.expected, self.found)]
        source, generated = (
            contacts.events(states, clock) for states, clock in zip(main.contact[:2], clocks, strict=True)
        )
        copies = [contacts.events(states, clocks[0]) for states in main.contact[2]]
        findings = event_rules(main, self.profile, source, generated, copies, self.rate)
        told = {
            "source": [event.to_dict() for event in source],
            "generated": [event.to_dict() for event in generated],
            "pairs": contacts.pair_events(source, generated),
        }
        return told, findings

    def _pose(self, poses: tuple[np.ndarray, np.ndarray] | None) -> dict[str, np.ndarray] | None:
        if poses is None or self.person is None or self.person not in self.labels:
            return None
        source, generated = (pose[: self.total] for pose in poses)
        shape: Shapes = self.shapes[self.person].part(self.total)
        side = np.maximum(shape.right - shape.left, shape.height)
        area = np.where(shape.area > 0, shape.area, np.nan)
        return {"pose_oks": oks(source, generated, area), "pose_pck": pck(source, generated, side)}

    def _coverage(self, main: Subject, findings: Sequence[Finding]) -> tuple[np.ndarray, np.ndarray]:
        """bool [T]: frames on which a rule about the object's place or outline judged; and those where none could."""
        judged = np.zeros(self.total, bool)
        for finding in findings:
            if finding.of == self.label and finding.name in ("region", "offset", "missing", "boundary"):
                judged |= finding.judged if finding.name != "missing" else finding.failing
        judged &= main.shown
        return judged, main.shown & ~judged


def person_label(labels: Sequence[str]) -> str | None:
    """The person among a track's labels; None where there is none."""
    return next((label for label in labels if same_class(label) == PERSON), None)


def main_label(track: Track) -> str:
    """The object that a verdict is about unless the user says otherwise: the first that isn't the person."""
    if not track.labels:
        raise ValueError("the source track has no objects, so there is nothing to judge")
    return next((label for label in track.labels if same_class(label) != PERSON), track.labels[0])


def _unsure(track: Track, label: str, total: int) -> np.ndarray:
    """bool [T]: the mask is there but its score is low or no number."""
    column = track.index(label)
    scores = track.scores[:total, column]
    seen = track.areas()[:total, column] > 0
    return np.asarray(np.isnan(scores) | (seen & (scores < UNSURE)))


def _clock(track: Track, total: int) -> list[float]:
    start = track.time(0)
    return [float(track.time(t) - start) for t in range(total)]


def _about(name: str, frames: int, size: tuple[int, int], rate: Fraction) -> dict[str, Any]:
    return {"name": name, "frames": frames, "width": size[1], "height": size[0], "rate": str(rate)}


def _rate_warnings(source: Track, generated: Clip) -> list[str]:
    if generated.rate == source.rate:
        return []
    rates = [f"{float(rate):.6g}" for rate in (source.rate, generated.rate)]
    return [f"the source runs at {rates[0]} frames per second, the generated clip at {rates[1]}: compared one to one"]

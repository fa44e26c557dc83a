"""What is judged: the objects of two tracks in one picture and timeline, measured, and corrected by the pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..media.track import Track
from . import contact as contacts
from .measure import Comparison, Subject, compare, residuals, unit_px, widened
from .motion import Lag, lag_of_frames, lags_by_object, path_costs
from .pictures import Pictures
from .shape import edge_effects, shapes
from .sighted import SAME, TIMES_CLEARER, cut, is_gone, merged, picture_lags, picture_residuals, shows, sure

# A mask with a score below this is one that its tracker isn't sure of.
UNSURE = 0.3
# A frame on which the tracker overlaps by less with the source itself says nothing about time.
FOLLOWED = 0.5
# An object is in its place when the pictures show it within this of it, of the person's height and px.
IN_PLACE, IN_PLACE_PX = 0.01, 1.5

# Pictures that are so alike where a mask lies beyond the source's objects show the same background there.
SPILLED = 0.5


class Measured:
    """Two tracks side by side, over the frames that both and all copies have.

    Args:
        expected, found: of the source and of the generated clip; one mask size and clip size.
        copies: tracks of harmless copies of the source: the floor.
        label: the object; person: the one that is judged with it, None without.
        prompted: the frames on which the tracker was shown the source's masks; padded: those that show nothing of it.
        pictures: what the pictures themselves say; None where there are only tracks.

    Attributes:
        total: frames; rate: of them per second.
        labels: the object's and the person's, as far as both tracks have them; subjects: the same, measured.
        shapes: the source's, by label, over all its frames.
        skip: bool [T], frames that say nothing; reasons: pairs (bool [T], why) that add up to it.
        lags: the stretches that are late or early; timed: bool [T], where that can be told.
    """

    def __init__(
        self,
        expected: Track,
        found: Track,
        copies: Sequence[Track],
        label: str,
        person: str | None,
        prompted: int | Sequence[int] = (),
        padded: Sequence[int] = (),
        pictures: Pictures | None = None,
    ):
        self.expected, self.found, self.copies = expected, found, copies
        self.label, self.person = label, person
        self.total = min(len(expected), len(found), *(len(copy) for copy in copies))
        self.rate = float(found.rate)
        padding = np.isin(np.arange(self.total), np.array(padded, int))
        shown = np.isin(np.arange(self.total), prompted)
        self.skip = padding | shown
        self.reasons = [(padding, "padding"), (shown & ~padding, "the tracker was shown the source's mask here")]
        labels = [label, *([person] if person not in (None, label) else [])]
        self.labels = [name for name in labels if name in found.labels and name in expected.labels]
        self.shapes = {name: shapes(expected, name) for name in self.labels}
        self.subjects = [self._subject(name) for name in self.labels]
        pictures = None if pictures is None else cut(pictures, self.total)
        self.lags, self.timed = self._lags(pictures)
        if pictures is not None:
            self._look(pictures)

    @property
    def main(self) -> Subject:
        return self.subjects[0]

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

    def _lags(self, pictures: Pictures | None) -> tuple[list[Lag], np.ndarray]:
        """What is late, and on which frames that can be told: by the pictures, or where they can't by the paths."""
        if pictures is not None:
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
            with np.errstate(invalid="ignore"):
                subject.spilled = pictures.spilled[subject.label] >= SPILLED
            subject.travel = pictures.travel[subject.label]
            subject.unsure = (subject.unsure | subject.spilled) & ~seen
            # Nor do the pictures know where an object is that the source's own track has lost.
            floor = subject.floor([copy.region for copy in subject.floors], "higher")
            subject.unsure |= subject.travel.strays() & (floor < FOLLOWED)
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


def _unsure(track: Track, label: str, total: int) -> np.ndarray:
    """bool [T]: the mask is there but its score is low or no number."""
    column = track.index(label)
    scores = track.scores[:total, column]
    seen = track.areas()[:total, column] > 0
    return np.asarray(np.isnan(scores) | (seen & (scores < UNSURE)))

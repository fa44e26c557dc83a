"""Detections of single frames linked into short tracks of boxes, and how such a box track moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from .detection import Box, Detection, box_iou

# A box may stay away for this many observed frames and still be the same thing.
LONGEST_GAP = 8
# Two boxes of one thing, a frame apart, differ in area by less than this factor.
AREA_FACTOR = 3.0


@dataclass(slots=True)
class Tracklet:
    """One thing over the observed frames. found: position in the list of observed frames -> its detection."""

    found: dict[int, Detection] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return max(self.found)

    @property
    def score(self) -> float:
        """Mean detection score, 0..1."""
        return float(np.mean([item.score for item in self.found.values()]))

    def label(self) -> str:
        """The class it was called most often, weighted by score."""
        votes: dict[str, float] = {}
        for item in self.found.values():
            votes[item.label] = votes.get(item.label, 0.0) + item.score
        return max(votes, key=lambda name: votes[name])

    def share(self, label: str) -> float:
        """The part of the score votes that say `label`, 0..1."""
        total = sum(item.score for item in self.found.values())
        named = sum(item.score for item in self.found.values() if item.label == label)
        return named / total if total else 0.0

    def median_size(self) -> tuple[float, float]:
        """Median width and height, px."""
        sizes = np.array([(item.width, item.height) for item in self.found.values()])
        width, height = np.median(sizes, axis=0)
        return float(width), float(height)

    def predict(self, position: int) -> Box:
        """Where its box should be, from its last velocity; at rest when it was seen once."""
        last = self.last
        box = self.found[last].box
        earlier = [key for key in self.found if key < last]
        if not earlier:
            return box
        before = max(earlier)
        pace = (position - last) / (last - before)
        (x0, y0), (x1, y1) = self.found[before].centre, self.found[last].centre
        dx, dy = (x1 - x0) * pace, (y1 - y0) * pace
        return box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy


def link(
    frames: Sequence[Sequence[Detection]], wanted: Callable[[Detection], bool], gap: int = LONGEST_GAP
) -> list[Tracklet]:
    """Greedy linking by predicted overlap and distance, first seen first.

    Args:
        frames: detections of each observed frame, in order.
        wanted: which detections take part.
        gap: observed frames that a thing may miss.
    """
    done: list[Tracklet] = []
    for position, found in enumerate(frames):
        open_tracks = [track for track in done if position - track.last <= gap]
        candidates = [item for item in found if wanted(item)]
        ranked = sorted(
            (
                (-affinity(track.predict(position), item.box, position - track.last), a, b)
                for a, track in enumerate(open_tracks)
                for b, item in enumerate(candidates)
            ),
        )
        taken_tracks: set[int] = set()
        taken_items: set[int] = set()
        for cost, a, b in ranked:
            if cost >= 0 or a in taken_tracks or b in taken_items:
                continue
            open_tracks[a].found[position] = candidates[b]
            taken_tracks.add(a)
            taken_items.add(b)
        done += [Tracklet({position: item}) for b, item in enumerate(candidates) if b not in taken_items]
    return done


def affinity(expected: Box, box: Box, gap: int) -> float:
    """How well a box continues a track, 0 (not at all) to 2 (exactly where it was expected)."""
    area_a = (expected[2] - expected[0]) * (expected[3] - expected[1])
    area_b = (box[2] - box[0]) * (box[3] - box[1])
    if min(area_a, area_b) <= 0 or max(area_a, area_b) > AREA_FACTOR * min(area_a, area_b):
        return 0.0
    reach = max(expected[2] - expected[0], expected[3] - expected[1]) * (0.6 + 0.1 * gap)
    dx = (expected[0] + expected[2] - box[0] - box[2]) / 2
    dy = (expected[1] + expected[3] - box[1] - box[3]) / 2
    distance = float(np.hypot(dx, dy))
    return box_iou(expected, box) + 1.0 - distance / reach if distance < reach else 0.0


def travel(points: np.ndarray) -> float:
    """How far a path reaches: the longer side of the box around its points float [N, 2], in their unit.

    The outermost tenth is left out on each side, so that one stray box is no journey.
    """
    if len(points) < 2:
        return 0.0
    low, high = np.quantile(points, (0.1, 0.9), axis=0)
    return float((high - low).max())

"""Which of a frame's detections is the object that is being tracked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .detection import PERSON, Box, Detection, accepted_labels, box_distance

# A detection further than this many of the last box's diagonals away is another object...
REACH = 0.6
# ...but the reach grows by this share with every frame in which the object was not seen.
REACH_GROWTH = 0.05
# A person's object is also looked for within this many person heights of their box, whatever the tracker says: it may
# have gone astray. Such a detection must be this sure, and one that continues the object goes before it by this much.
NEAR_PERSON = 0.25
SURE = 0.4
ASTRAY = 0.5


class DetectionGate:
    """Keeps the last place of every object and gives each the detection that continues it, if there is one.

    Args:
        labels: of the tracked objects; those that are no class of the detector never get a box.
        masks: bool [N, H, W] on the frame where tracking starts.
    """

    def __init__(self, labels: Sequence[str], masks: np.ndarray):
        self._labels = labels
        self._last: list[Box | None] = [None] * len(labels)
        self._unseen = np.zeros(len(labels), int)
        self.update(masks)

    def boxes(self, detections: Sequence[Detection]) -> list[Box | None]:
        """The box for each object in this frame; None where no detection continues it."""
        chosen: list[Box | None] = []
        for n, label in enumerate(self._labels):
            candidates = [d for d in detections if d.label in accepted_labels(label) and d.box not in chosen]
            reached = [d for d in candidates if self._distance(n, d) <= 1.0]
            best = min(reached, key=lambda d: self._distance(n, d) - 0.3 * d.score, default=None)
            chosen.append(best.box if best else None)
        return chosen

    def update(self, masks: np.ndarray) -> None:
        """Take note of where the tracker put the objects, bool [N, H, W]."""
        for n, mask in enumerate(masks):
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            if len(rows) == 0:
                self._unseen[n] += 1
                continue
            self._unseen[n] = 0
            self._last[n] = (float(columns[0]), float(rows[0]), columns[-1] + 1.0, rows[-1] + 1.0)

    def _distance(self, n: int, detection: Detection) -> float:
        """0 at the object's last place, 1 where it ends to be plausible."""
        last = self._last[n]
        if last is None:  # never seen: anything sure of its kind is it
            return 0.0 if detection.score >= SURE else np.inf
        reach = REACH * (1 + REACH_GROWTH * self._unseen[n])
        distance = _centre_distance(last, detection.box) / max(1.0, reach * _diagonal(last))
        holder = self._person(n)
        if holder is None or not (self._unseen[n] or detection.score >= SURE):
            return distance
        beside = box_distance(holder, detection.box) / max(1.0, NEAR_PERSON * (holder[3] - holder[1]))
        return min(distance, beside + (0.0 if self._unseen[n] else ASTRAY))

    def _person(self, n: int) -> Box | None:
        """Last box of the tracked person, for objects other than that person."""
        if PERSON not in self._labels or self._labels[n] == PERSON:
            return None
        return self._last[list(self._labels).index(PERSON)]


def _centre_distance(a: Box, b: Box) -> float:
    return float(np.hypot(a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]) / 2)


def _diagonal(box: Box) -> float:
    return float(np.hypot(box[2] - box[0], box[3] - box[1]))

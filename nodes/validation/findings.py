"""One rule's answer about one object: its value beside limit and floor, and the frames that miss it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

PASSED, FAILED, NOT_JUDGED = "passed", "failed", "not judged"
WORST_FRAMES = 5
# A margin that is larger says no more.
MOST_MARGIN = 1000.0


@dataclass
class Finding:
    """What one rule says.

    Attributes:
        name, of: the rule and the object (or "clip").
        verdict: PASSED, FAILED or NOT_JUDGED.
        text: the answer in words.
        value, limit, unit, floor: numbers behind it; `floor` is what the tracker gets on harmless copies of the source.
        failing: bool [T], the frames that miss the limit.
        judged: bool [T], the frames that were judged.
        worst: the frames that miss it most, worst first.
        margin: how sure the verdict is, see `margin`; None where it can't be told.
    """

    name: str
    of: str
    verdict: str
    text: str
    value: float | None = None
    limit: float | None = None
    unit: str = ""
    floor: float | None = None
    failing: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    judged: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    worst: list[int] = field(default_factory=list)
    margin: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, as the report has it."""
        return {
            "name": self.name,
            "of": self.of,
            "text": self.text,
            "value": rounded(self.value),
            "limit": self.limit,
            "unit": self.unit,
            "floor": rounded(self.floor),
            "verdict": self.verdict,
            "margin": rounded(self.margin, 2),
            "judged_frames": int(self.judged.sum()),
            "ranges": [list(part) for part in ranges(self.failing)],
            "worst_frames": self.worst,
        }


def margin(distance: float, spread: float | None) -> float | None:
    """How sure a verdict is: how many times the floor's spread the value lies beyond (failed) or within its limit.

    Below 1 the tracker's own error could turn the verdict round. Times have no floor: they are known to one frame, and
    that is their spread. None for rules without a floor (pose, airtime, length) and for those that only count frames
    (missing, swapped, contact, limb).

    Args:
        distance: of the value from the limit, 0 or less where the value alone wouldn't decide.
        spread: what a harmless copy of the source gets where the truth is known, in the same unit; at least 0.001.
    """
    return None if spread is None else min(max(distance, 0.0) / max(spread, 1e-3), MOST_MARGIN)


def ranges(failing: np.ndarray, bridge: int = 1) -> list[tuple[int, int]]:
    """Half-open ranges of the True frames of bool [T]; gaps of up to `bridge` frames are bridged."""
    found: list[tuple[int, int]] = []
    for t in np.flatnonzero(failing):
        if found and t - found[-1][1] <= bridge:
            found[-1] = (found[-1][0], int(t) + 1)
        else:
            found.append((int(t), int(t) + 1))
    return found


def longest_run(failing: np.ndarray) -> tuple[int, int]:
    """The longest unbroken range of True frames, half-open; (0, 0) without any."""
    return max(ranges(failing, bridge=0), key=lambda part: part[1] - part[0], default=(0, 0))


def rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), digits) + 0.0  # no -0.0


def in_words(parts: Sequence[tuple[int, int]], most: int = 3) -> str:
    """Half-open ranges as people write them: "frames 31-49 and 60"."""
    if not parts:
        return "no frames"
    texts = [f"{a}" if b - a == 1 else f"{a}-{b - 1}" for a, b in parts[:most]]
    if len(parts) > most:
        texts.append(f"{len(parts) - most} more ranges")
    plural = len(parts) > 1 or parts[0][1] - parts[0][0] > 1
    listed = texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " and " + texts[-1]
    return f"frame{'s' if plural else ''} {listed}"


def worst_frames(badness: np.ndarray, failing: np.ndarray) -> list[int]:
    """The failing frames with the largest badness, float64 [T]; worst first."""
    frames = np.flatnonzero(failing)
    order = np.argsort(-np.nan_to_num(badness[frames], nan=-np.inf), kind="stable")
    return [int(t) for t in frames[order[:WORST_FRAMES]]]

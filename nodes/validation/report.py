"""The verdict: per-frame measures in, a plain JSON-able report out, and from there to disk and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

SCHEMA = "physics-preserver/report"
SCHEMA_VERSION = 1

PASSED, FAILED, UNDECIDED = "passed", "failed", "could not judge"

# Frames named one by one in the report, as the seed's report had it; the ranges and all_scores have the rest.
LISTED_FRAMES = 10


class ReportError(ValueError):
    """A report that can't be read, said in one sentence."""


@dataclass(frozen=True)
class Rule:
    """When a frame fails, and when the clip does.

    Attributes:
        threshold: a frame fails when its region J is below this...
        outline: ...and, unless None, its boundary F below this.
        failed_share: the clip fails when more than this share of the frames that show the object fail...
        failed_run: ...or when more than this many fail in a row.
    """

    threshold: float
    failed_share: float
    failed_run: int
    outline: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"a threshold of J lies in 0..1, not {self.threshold}")

    @property
    def limit(self) -> str:
        """What a frame must not be below, in words."""
        return f"J {self.threshold:.2f}" + ("" if self.outline is None else f" and F {self.outline:.2f}")

    def fails(self, region: np.ndarray, boundary: np.ndarray) -> np.ndarray:
        """bool [T] from J and F, float [T]; a frame that is not judged (nan) doesn't fail."""
        off = region < self.threshold
        return off if self.outline is None else off & (boundary < self.outline)


# With the embedded tracker on four DAVIS sequences, a recoloured copy of the clip leaves no frame below .60 against the
# original's own track (21 % in motocross-jump, where the tracker is the limit); masks three frames late leave 57 to
# 100 % (tests/benchmarks/validation_floor.py). At the .90 of the first version the recoloured copy loses 2 to 96 %. A
# copy with its texture painted over leaves none below .60 in three of them, 56 % in motocross-jump.
# The outline counts because a board of w px that lies s px too low scores (w - s) / (w + s): one thinner than four
# times F's tolerance r fails by J alone though no point of it is further off than r.
STANDARD = Rule(threshold=0.60, failed_share=0.05, failed_run=2, outline=0.75)


def rule_for(threshold: float | None = None) -> Rule:
    """STANDARD, or with a threshold the first version's rule: every frame must reach it (it asked for 0.90)."""
    return STANDARD if threshold is None else Rule(threshold, failed_share=0.0, failed_run=0)


@dataclass(frozen=True)
class Measures:
    """One object, frame by frame; arrays [T].

    Attributes:
        region, boundary: J and F, float64 in 0..1, nan where a frame is not judged.
        expected, found: bool: the source shows the object, the generated clip does.
    """

    region: np.ndarray
    boundary: np.ndarray
    expected: np.ndarray
    found: np.ndarray


def judge(label: str, measures: Measures, rule: Rule) -> dict[str, Any]:
    """What the rule says about one object: verdict, faults, the seed's figures, F, and where it fails.

    Frames on which neither clip shows the object agree (J = 1) but don't dilute the share of failed frames. Ranges are
    half-open and bridge a single frame that is good or not judged between two failing ones.
    """
    scores = measures.region
    judged = ~np.isnan(scores)
    failing = rule.fails(scores, measures.boundary)
    failed = np.flatnonzero(failing)
    compared = int(np.count_nonzero(judged & (measures.expected | measures.found)))
    values = scores[judged]
    faults = _faults(label, failing, compared, rule)
    verdict = FAILED if faults else PASSED if compared else UNDECIDED
    return {
        "verdict": verdict,
        "passed": verdict == PASSED,
        "faults": faults,
        "total_frames": len(scores),
        "judged_frames": len(values),
        "visible_frames": compared,
        "failed_count": len(failed),
        "failed_frames": [[int(t), float(scores[t])] for t in failed[:LISTED_FRAMES]],
        "failing_ranges": [_range(measures, start, stop) for start, stop in ranges(failing)],
        **{f"{name}_iou": _statistic(of, values) for name, of in _STATISTICS.items()},
        "all_scores": _listed(scores),
        "boundary_f": {
            **{name: _statistic(of, measures.boundary[judged]) for name, of in _STATISTICS.items()},
            "per_frame": _listed(measures.boundary),
        },
    }


def build(
    label: str,
    objects: dict[str, Measures],
    rule: Rule,
    source: dict[str, Any],
    generated: dict[str, Any],
    trackers: tuple[str, str] = ("", ""),
    not_judged: Sequence[dict[str, Any]] = (),
    faults: Sequence[dict[str, str]] = (),
    warnings: Sequence[str] = (),
    undecided: str | None = None,
) -> dict[str, Any]:
    """The whole report.

    Args:
        label: the object that the verdict is about; the others are reported beside it.
        objects: measures of every object that was tracked.
        source, generated: name, frames, width, height, rate of both clips.
        trackers: what tracked the source, and what the generated clip.
        not_judged: {start, stop, why} of frames that were not judged, half-open.
        faults: {name, text} of what is wrong with the clip as a whole, such as its length. Any fault is a failure.
        undecided: why nothing can be said about the object; the verdict is then that.
    """
    nothing = Measures(*(np.zeros(0, kind) for kind in (float, float, bool, bool)))
    main = judge(label, objects.get(label, nothing), rule)
    found = [*faults, *main.pop("faults")]
    verdict = FAILED if found else UNDECIDED if undecided else main["verdict"]
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "label": label,
        **main,
        "verdict": verdict,
        "passed": verdict == PASSED,
        "faults": found,
        "undecided": undecided if verdict == UNDECIDED else None,
        "threshold": rule.threshold,
        "rule": asdict(rule),
        "others": {other: judge(other, measures, rule) for other, measures in objects.items() if other != label},
        "source": source,
        "generated": generated,
        "source_tracker": trackers[0],
        "tracker": trackers[1],
        "not_judged": list(not_judged),
        "warnings": list(warnings),
    }


def summary(report: dict[str, Any]) -> str:
    """The verdict and its reasons in one line."""
    reasons = "; ".join(fault["text"] for fault in report["faults"]) or report["undecided"]
    if reasons:
        return f"{report['label']}: {report['verdict']}: {reasons}"
    return (
        f"{report['label']}: {report['verdict']}: mean J {report['avg_iou']:.2f}, F {report['boundary_f']['avg']:.2f}, "
        f"{report['failed_count']} of {report['judged_frames']} judged frames fail"
    )


def read(file: Path) -> dict[str, Any]:
    """A report from disk. Raises ReportError: not a report, or from a newer release."""
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{file} can't be read as a report: {error}") from error
    schema, version = (report.get("schema"), report.get("schema_version", 0)) if isinstance(report, dict) else (None, 0)
    if schema != SCHEMA or version > SCHEMA_VERSION:
        raise ReportError(f"{file} is {schema} version {version}; this release reads {SCHEMA} up to {SCHEMA_VERSION}")
    return report


def ranges(failing: np.ndarray, bridge: int = 1) -> list[tuple[int, int]]:
    """Half-open ranges of the True frames of bool [T]; gaps of up to `bridge` frames are bridged."""
    found: list[tuple[int, int]] = []
    for t in np.flatnonzero(failing):
        if found and t - found[-1][1] <= bridge:
            found[-1] = (found[-1][0], int(t) + 1)
        else:
            found.append((int(t), int(t) + 1))
    return found


def _faults(label: str, failing: np.ndarray, compared: int, rule: Rule) -> list[dict[str, str]]:
    faults = []
    failed = int(failing.sum())
    if failed > rule.failed_share * compared:
        text = (
            f"{label} is below {rule.limit} on {failed} of {compared} frames "
            f"({failed / max(compared, 1):.0%}, {rule.failed_share:.0%} are allowed)"
        )
        faults.append({"name": "share", "text": text})
    runs = [(stop - start, start, stop) for start, stop in ranges(failing, bridge=0)]
    longest = max(runs, default=(0, 0, 0))
    if longest[0] > max(rule.failed_run, 1):
        text = f"{label} is below {rule.limit} on frames {longest[1]} to {longest[2] - 1} without a break"
        faults.append({"name": "run", "text": text})
    return faults


def _range(measures: Measures, start: int, stop: int) -> dict[str, Any]:
    inside = slice(start, stop)
    worst = start + int(np.nanargmin(measures.region[inside]))
    missing = np.count_nonzero(measures.expected[inside] & ~measures.found[inside])
    extra = np.count_nonzero(measures.found[inside] & ~measures.expected[inside])
    cause = "lost" if missing * 2 > stop - start else "appeared" if extra * 2 > stop - start else "moved"
    return {
        "start": start,
        "stop": stop,
        "worst_frame": worst,
        "worst_iou": float(measures.region[worst]),
        "cause": cause,
    }


_STATISTICS = {"min": np.min, "max": np.max, "avg": np.mean, "median": np.median}


def _statistic(of: Any, values: np.ndarray) -> float | None:
    return float(of(values)) if len(values) else None


def _listed(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]

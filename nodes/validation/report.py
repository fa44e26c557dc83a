"""The report: findings and causes as one plain JSON-able dict with a schema version, to disk and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .causes import Cause
from .findings import FAILED, PASSED, Finding, ranges, rounded

SCHEMA = "physics-preserver/report"
SCHEMA_VERSION = 2

UNDECIDED = "could not judge"

# Under this name a node that judges a clip shows `verdict_of`; the editor ignores it, a client ends by it.
VERDICT = "physics_verdict"
# Under this one it lists the document that the editor's viewer reads (web/validate_physics.js), its parts beside it.
VIEWER = "physics_report"

# Frames named one by one in the report, as the seed's report had it; the ranges and all_scores have the rest.
LISTED_FRAMES = 10


class ReportError(ValueError):
    """A report that can't be read, said in one sentence."""


def verdict_of(report: Mapping[str, Any]) -> dict[str, Any]:
    """What a script has to know of a report: verdict, summary, score, label."""
    return {key: report[key] for key in ("verdict", "summary", "score", "label")}


def build(
    label: str,
    person: str | None,
    findings: Sequence[Finding],
    causes: Sequence[Cause],
    region: np.ndarray,
    skip: np.ndarray,
    limits: Mapping[str, Any],
    measures: Mapping[str, Mapping[str, Mapping[str, Any]]],
    events: Mapping[str, Any],
    source: Mapping[str, Any],
    generated: Mapping[str, Any],
    trackers: tuple[str, str] = ("", ""),
    not_judged: Sequence[Mapping[str, Any]] = (),
    coverage: float = 0.0,
    undecided: str | None = None,
    warnings: Sequence[str] = (),
    believed: np.ndarray | None = None,
    relations: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The whole report.

    Args:
        label: the object that the verdict is about; person: the other one, None without.
        findings: one per rule and object. One that failed is a failure of the clip.
        causes: what is behind the failed ones.
        region: J of `label`, float64 [T]; skip: bool [T], the frames on which it says nothing.
        limits: `Profile.to_dict()`.
        measures: see `measures.py`.
        events: {source, generated, pairs}.
        source, generated: name, frames, width, height, rate of both clips.
        trackers: what tracked the source, and what the generated clip.
        not_judged: {start, stop, why}, half-open.
        coverage: share of the frames with the object that were judged.
        undecided: why nothing can be said; the verdict is then that, unless a rule failed all the same.
        believed: bool [T], the frames on which J is the object's and not a stray tracker's; the score is their mean.
        relations: see `between.relations`.
    """
    failed = any(finding.verdict == FAILED for finding in findings)
    passed = not failed and undecided is None and any(finding.verdict == PASSED for finding in findings)
    if not failed and not passed and undecided is None:
        undecided = "none of the profile's rules could be judged"
    verdict = FAILED if failed else PASSED if passed else UNDECIDED
    scores = np.where(skip, np.nan, region)
    values = scores[np.isfinite(scores)]
    bad = [cause for cause in causes if cause.name != "length" and cause.start < len(region)]
    frames = sorted({t for cause in bad for t in range(cause.start, min(cause.stop, len(region)))})
    trusted = values if believed is None else scores[np.isfinite(scores) & believed]
    score = rounded(float(trusted.mean())) if len(trusted) else None
    report = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "label": label,
        "person": person,
        "verdict": verdict,
        "passed": passed,
        "undecided": undecided if verdict == UNDECIDED else None,
        "summary": "",
        "score": score,
        "profile": dict(limits),
        "rules": [finding.to_dict() for finding in findings],
        "causes": [cause.to_dict() for cause in causes],
        "failing_ranges": [_failing(cause, region) for cause in bad],
        "not_judged": list(not_judged),
        "coverage": round(coverage, 4),
        "measures": measures,
        "events": events,
        "relations": relations,
        "source": source,
        "generated": generated,
        "source_tracker": trackers[0],
        "tracker": trackers[1],
        "warnings": list(warnings),
        "total_frames": len(region),
        "failed_count": len(frames),
        "failed_frames": [[t, float(region[t])] for t in frames[:LISTED_FRAMES]],
        "min_iou": float(values.min()) if len(values) else None,
        "max_iou": float(values.max()) if len(values) else None,
        "avg_iou": float(values.mean()) if len(values) else None,
        "median_iou": float(np.median(values)) if len(values) else None,
        "all_scores": listed(scores),
        "threshold": limits["limits"].get("region", {}).get("limit"),
    }
    return {**report, "summary": summary(report)}


def summary(report: Mapping[str, Any]) -> str:
    """The verdict and its reasons in one line."""
    said = f"{report['label']}: {report['verdict']}"
    if report["verdict"] == UNDECIDED:
        return f"{said}: {report['undecided']}"
    if report["verdict"] == FAILED:
        reasons = [cause["text"] for cause in report["causes"]]
        reasons = reasons or [rule["text"] for rule in report["rules"] if rule["verdict"] == FAILED]
        more = f"; and {len(reasons) - 4} more" if len(reasons) > 4 else ""
        return f"{said}: {'; '.join(reasons[:4])}{more}"
    unjudged = sorted({rule["name"] for rule in report["rules"] if rule["verdict"] not in (PASSED, FAILED)})
    also = f"; not judged: {', '.join(unjudged)}" if unjudged else ""
    mean = "" if report["score"] is None else f"mean overlap {report['score']:.2f}, "
    return f"{said}: {mean}{report['coverage']:.0%} of the frames judged{also}"


def read(file: Path) -> dict[str, Any]:
    """A report from disk. Raises ReportError: not a report, from a newer release, or from before profiles."""
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{file} can't be read as a report: {error}") from error
    schema, version = (report.get("schema"), report.get("schema_version", 0)) if isinstance(report, dict) else (None, 0)
    if schema != SCHEMA or version != SCHEMA_VERSION:
        hint = "; validate the clip again with it" if schema == SCHEMA and version < SCHEMA_VERSION else ""
        raise ReportError(f"{file} is {schema} version {version}; this release reads {SCHEMA} {SCHEMA_VERSION}{hint}")
    return report


def listed(values: np.ndarray, digits: int | None = None) -> list[float | None]:
    """Plain floats for JSON, None where nan or infinite."""
    return [
        None if not np.isfinite(value) else float(value) if digits is None else round(float(value), digits)
        for value in values
    ]


def parts(flags: np.ndarray, why: str) -> list[dict[str, Any]]:
    """{start, stop, why} for the True frames of bool [T]."""
    return [{"start": a, "stop": b, "why": why} for a, b in ranges(flags, bridge=0)]


def _failing(cause: Cause, region: np.ndarray) -> dict[str, Any]:
    stop = min(cause.stop, len(region))
    worst = min(max(cause.worst_frame, cause.start), stop - 1)
    return {
        "start": cause.start,
        "stop": stop,
        "worst_frame": worst,
        "worst_iou": float(region[worst]),
        "cause": cause.name,
    }

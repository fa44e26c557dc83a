"""Rules about person and object together, and about the person's pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .contact import Event, airtime_errors, pair_events
from .findings import FAILED, NOT_JUDGED, PASSED, Finding, margin
from .judging import frame_rule
from .measure import Subject
from .profile import Profile

# Two frames to each side of an event must be judged for it to be one.
AROUND = 2


def event_rules(
    subject: Subject,
    profile: Profile,
    source: Sequence[Event],
    generated: Sequence[Event],
    copies: Sequence[Sequence[Event]],
    rate: float,
) -> list[Finding]:
    """Take-offs and landings on time, and as long in the air.

    Args:
        source, generated, copies: the events of the source's track, of the generated clip and of the floor's tracks.
            An event that the copies don't have at its time is the tracker's, and is not judged.
        rate: frames per second.
    """
    findings = []
    known = [event for event in source if _in_copies(event, copies)]
    pairs = [pair for pair in pair_events(known, generated) if pair["error_ms"] is not None]
    frames, judged = np.zeros(len(subject), bool), np.zeros(len(subject), bool)
    for pair in pairs:
        judged[pair["generated_frame"]] = True
    limit = profile.limit("events")
    if limit is not None and source:
        late = [pair for pair in pairs if abs(pair["error_ms"]) > limit]
        for pair in late:
            frames[pair["generated_frame"]] = True
        worst = max((abs(pair["error_ms"]) for pair in pairs), default=None)
        said = "; ".join(event_words(pair) for pair in late)
        text = said or (
            f"{len(pairs)} of {len(source)} take-offs and landings on time"
            if pairs
            else "no take-off or landing that the tracker finds again on the source"
        )
        verdict = FAILED if late else PASSED if pairs else NOT_JUDGED
        findings.append(
            Finding(
                "events",
                subject.label,
                verdict,
                f"{subject.label}: {text}",
                worst,
                limit,
                "ms",
                None,
                frames,
                judged,
                [pair["generated_frame"] for pair in late],
                None if worst is None else margin((worst - limit) * (1 if late else -1), 1000 / rate),
            )
        )
    limit = profile.limit("airtime")
    flights = airtime_errors(known, generated)
    if limit is not None and flights:
        misses = [flight for flight in flights if is_another_airtime(flight, limit, subject)]
        in_air = np.zeros(len(subject), bool)
        for flight in misses:
            in_air[flight["generated_start"] : flight["generated_stop"]] = True
        worst = max(abs(flight["percent"] or 0.0) for flight in flights)
        text = (
            "; ".join(airtime_words(flight) for flight in misses) or f"{len(flights)} flights as long as the source's"
        )
        findings.append(
            Finding(
                "airtime",
                subject.label,
                FAILED if misses else PASSED,
                f"{subject.label}: {text}",
                worst,
                limit,
                "%",
                None,
                in_air,
                judged,
                [flight["generated_stop"] for flight in misses],
            )
        )
    return findings


def is_another_airtime(flight: Mapping[str, Any], limit: float, subject: Subject) -> bool:
    """Longer or shorter by more than `limit` percent, and by more than an event of a harmless copy may be off."""
    frames = (flight["generated_stop"] - flight["generated_start"]) - (flight["stop"] - flight["start"])
    return flight["percent"] is not None and abs(flight["percent"]) > limit and abs(frames) > AROUND


def _in_copies(event: Event, copies: Sequence[Sequence[Event]]) -> bool:
    return all(
        any(other.kind == event.kind and abs(other.frame - event.frame) <= AROUND for other in copy) for copy in copies
    )


def event_words(pair: Mapping[str, Any]) -> str:
    late = "late" if pair["error_ms"] > 0 else "early"
    frames = abs(pair["generated_frame"] - pair["source_frame"])
    verb = "lands" if pair["kind"] == "landing" else "takes off"
    return f"{verb} {frames} frames ({abs(pair['error_ms']):.0f} ms) {late}, on frame {pair['generated_frame']}"


def airtime_words(flight: Mapping[str, Any]) -> str:
    kind = "longer" if flight["percent"] > 0 else "shorter"
    late = flight["generated_stop"] - flight["stop"]
    landing = f", landing {abs(late)} frames {'late' if late > 0 else 'early'}" if abs(late) > 1 else ""
    return (
        f"in the air {abs(flight['percent']):.0f} % {kind} ({flight['generated_s']:.2f} s, "
        f"not {flight['source_s']:.2f} s) from frame {flight['generated_start']} to {flight['generated_stop'] - 1}"
        f"{landing}"
    )


def pose_rule(subject: Subject, profile: Profile, values: np.ndarray) -> list[Finding]:
    """The person's keypoints where the source has them. `values`: OKS, float64 [T], nan where it can't be told."""
    keys = profile.get("pose")
    if keys is None:
        return []
    if not np.isfinite(values).any():
        nothing = np.zeros(len(subject), bool)
        text = f"{subject.label}: no frame shows enough keypoints in both clips"
        return [Finding("pose", subject.label, NOT_JUDGED, text, None, keys["limit"], "", None, nothing, nothing)]
    judged = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        misses = values < keys["limit"]
    words = f"keypoints agree (OKS) by less than {keys['limit']:.2f}"
    nowhere = np.full(len(subject), np.nan)
    return [frame_rule("pose", subject, keys, misses, judged, values, nowhere, "", True, words)]

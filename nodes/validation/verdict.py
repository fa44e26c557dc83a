"""What is held against a clip: its measured objects, by the rules of a profile, as a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..media.track import Track
from . import contact as contacts
from .between import limb_rule, limbs, relations
from .causes import name_causes
from .findings import Finding
from .measure import Subject
from .measures import object_measures
from .poses import oks, pck
from .profile import Profile
from .relation_rules import event_rules, pose_rule
from .report import build, parts
from .rules import length_rule, object_rules, timing_rule
from .subjects import FOLLOWED, Measured


def report_on(
    measured: Measured,
    profile: Profile,
    original: Mapping[str, Any],
    generated: Mapping[str, Any],
    warnings: Sequence[str] = (),
    poses: tuple[np.ndarray, np.ndarray] | None = None,
) -> dict[str, Any]:
    """The report.

    Args:
        original, generated: about the clips, see `report.build`.
        poses: the person's keypoints in both clips, float64 [T, 133, 3], px of the picture.
    """
    main, size, total = measured.main, measured.found.clip_size, measured.total
    findings: list[Finding] = length_rule(len(measured.expected), len(measured.found), profile)
    findings += timing_rule(measured.lags, measured.timed, profile, measured.rate, total)
    for subject in measured.subjects:
        findings += object_rules(subject, profile, size)
    events, event_findings = _events(measured, profile)
    findings += event_findings
    person = next((one for one in measured.subjects if one.label == measured.person), None)
    pose = None
    if poses is not None and person is not None:
        poses = (poses[0][:total], poses[1][:total])
        if person is not main:
            main.limbs = limbs(main, poses)
            findings += limb_rule(main, profile)
        pose = _pose_measures(person, poses)
        findings += pose_rule(person, profile, pose["pose_oks"])
    causes = name_causes(findings, measured.subjects, measured.lags, profile, size, measured.rate)
    covered = _covered(main, findings)
    coverage = float(covered.sum() / max(main.shown.sum(), 1))
    believed, reasons = _believed(measured, covered)
    return build(
        measured.label,
        measured.person,
        findings,
        causes,
        main.pair.region,
        measured.skip,
        profile.to_dict(),
        {
            subject.label: object_measures(subject, profile, measured.rate, pose if subject is person else None, person)
            for subject in measured.subjects
        },
        events,
        original,
        generated,
        (measured.expected.tracker, measured.found.tracker),
        [part for flags, why in reasons for part in parts(flags, why)],
        coverage,
        _undecided(main, coverage, profile.limit("coverage")),
        warnings,
        believed,
        relations(None if person is main else person, main),
    )


def _events(measured: Measured, profile: Profile) -> tuple[dict[str, Any], list[Finding]]:
    main = measured.main
    if main.contact is None:
        return {"source": [], "generated": [], "pairs": []}, []
    clocks = [_clock(track, measured.total) for track in (measured.expected, measured.found)]
    source, generated = (contacts.events(states, clock) for states, clock in zip(main.contact[:2], clocks, strict=True))
    copies = [contacts.events(states, clocks[0]) for states in main.contact[2]]
    findings = event_rules(main, profile, source, generated, copies, measured.rate)
    told = {
        "source": [event.to_dict() for event in source],
        "generated": [event.to_dict() for event in generated],
        "pairs": contacts.pair_events(source, generated),
    }
    return told, findings


def _clock(track: Track, total: int) -> list[float]:
    start = track.time(0)
    return [float(track.time(t) - start) for t in range(total)]


def _pose_measures(person: Subject, poses: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    shape = person.pair.expected
    side = np.maximum(shape.right - shape.left, shape.height)
    area = np.where(shape.area > 0, shape.area, np.nan)
    return {"pose_oks": oks(*poses, area), "pose_pck": pck(*poses, side)}


def _covered(main: Subject, findings: Sequence[Finding]) -> np.ndarray:
    """bool [T]: frames on which a rule about the object's place or outline judged."""
    judged = np.zeros(len(main), bool)
    for finding in findings:
        if finding.of == main.label and finding.name in ("region", "offset", "missing", "boundary"):
            judged |= finding.judged if finding.name != "missing" else finding.failing
    return judged & main.shown


def _believed(measured: Measured, covered: np.ndarray) -> tuple[np.ndarray, list[tuple[np.ndarray, str]]]:
    """bool [T], frames on which the masks' overlap is the object's and not a stray tracker's; and why others aren't
    judged: pairs (bool [T], words)."""
    main = measured.main
    floor = main.floor([copy.region for copy in main.floors], "higher")
    stray = (floor < FOLLOWED) | (main.in_place & (main.pair.region < FOLLOWED))
    reasons = [
        *measured.reasons,
        (main.unsure & ~main.skip, "a tracker isn't sure of what it shows, or holds background with it"),
        (main.shown & ~covered & ~main.unsure, "the tracker strays here on the source itself"),
    ]
    return ~stray, reasons


def _undecided(main: Subject, coverage: float, lowest: float | None) -> str | None:
    """Why nothing can be said; None where something can."""
    if not main.shown.any():
        return f"{main.label!r} is on no frame that could be judged"
    if lowest is not None and coverage < lowest:
        return (
            f"only {coverage:.0%} of the frames with {main.label!r} could be judged ({lowest:.0%} are needed): on "
            "the others the tracker loses it even in the source itself, or isn't sure"
        )
    return None

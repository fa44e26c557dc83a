"""The per-frame numbers of the report: every measure of every object beside its floor and its limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .between import offset_errors
from .measure import Comparison, Subject
from .motion import acceleration_error, velocity_error
from .profile import Profile
from .report import listed


def object_measures(
    subject: Subject,
    profile: Profile,
    rate: float,
    pose: Mapping[str, np.ndarray] | None = None,
    person: Subject | None = None,
) -> dict[str, dict[str, Any]]:
    """{measure: {unit, better, limit, values, floor}} of one object; lists of T numbers, None where unknown.

    Args:
        rate: frames per second, of the velocities.
        pose: "pose_oks", "pose_pck" of the person, float64 [T].
        person: the object's offset from this one is measured, where it is another.
    """
    percent = 100 / subject.unit_px
    steps = {
        "region": ("", "higher", profile.limit("region"), lambda c: c.region),
        "boundary": ("", "higher", profile.limit("boundary"), lambda c: c.boundary),
        "offset_px": ("px", "lower", None, _offset),
        "offset_percent": (
            "% of the person's height",
            "lower",
            profile.limit("offset"),
            lambda c: _offset(c) * percent,
        ),
        "scale_percent": ("%", "lower", profile.limit("scale"), lambda c: np.abs(c.difference("scale"))),
        "orientation_deg": ("degrees", "lower", profile.limit("orientation"), lambda c: np.abs(c.difference("angle"))),
        "velocity": ("heights/s", "lower", None, lambda c: velocity_error(c.expected, c.found, subject.unit_px, rate)),
        "acceleration": (
            "heights/s²",
            "lower",
            None,
            lambda c: acceleration_error(c.expected, c.found, subject.unit_px, rate),
        ),
    }
    found = {}
    for name, (unit, better, limit, of) in steps.items():
        floor = subject.floor([of(copy) for copy in subject.floors], better)
        values, floor = (np.where(subject.skip, np.nan, series) for series in (of(subject.pair), floor))
        found[name] = _entry(unit, better, limit, values, floor)
    if subject.contact is not None:
        source, generated, copies = subject.contact
        same = [
            np.where(np.isfinite(source + state), (source == state).astype(float), np.nan)
            for state in (generated, *copies)
        ]
        found["contact"] = _entry("", "higher", None, same[0], subject.floor(same[1:], "higher"))
    if person is not None and person is not subject:
        off, copies = offset_errors(person, subject)
        off, floor = (np.where(subject.skip, np.nan, one) for one in (off, subject.floor(copies, "lower")))
        found["offset_from_person"] = _entry("heights", "lower", None, off, floor)
    if subject.flicker is not None:
        found["flicker"] = _entry("", "lower", None, subject.flicker[1], subject.flicker[0])
    for name, values in (pose or {}).items():
        found[name] = _entry("", "higher", profile.limit("pose") if name == "pose_oks" else None, values, None)
    return found


def _offset(pair: Comparison) -> np.ndarray:
    return np.hypot(pair.difference("x"), pair.difference("y"))


def _entry(unit: str, better: str, limit: float | None, values: np.ndarray, floor: np.ndarray | None) -> dict[str, Any]:
    return {
        "unit": unit,
        "better": better,
        "limit": limit,
        "values": listed(values, 4),
        "floor": None if floor is None or np.isnan(floor).all() else listed(floor, 4),
    }

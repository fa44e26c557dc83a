"""From failed rules to named causes: what is wrong, where, in words that a person can check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .findings import FAILED, Finding, in_words, ranges
from .measure import Comparison, Residual, Subject, residuals
from .motion import Lag, lag_of_frames
from .poses import limb_words
from .profile import Profile
from .rules import object_rules
from .shape import Shapes

# Gaps of so many good frames don't end a cause; ranges of one object and cause that are listed at most.
BRIDGE, LISTED = 3, 6
# A delay that begins so near a flight, s, is the flight's.
AROUND_FLIGHT_S = 0.25


@dataclass(frozen=True)
class Cause:
    """What is wrong with an object (or the "clip") on frames start <= t < stop; `name` as in the report's schema."""

    name: str
    of: str
    start: int
    stop: int
    worst_frame: int
    text: str

    def to_dict(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in self.__dataclass_fields__}


def name_causes(
    findings: Sequence[Finding],
    subjects: Sequence[Subject],
    lags: Sequence[Lag],
    profile: Profile,
    size: tuple[int, int],
    rate: float,
) -> list[Cause]:
    """The causes behind the failed rules, each fact once.

    What is late is compared with the source's frame that it shows before place, size, angle and contact are named, so
    a late clip isn't also displaced on every frame.
    """
    failed = [finding for finding in findings if finding.verdict == FAILED]
    causes = [_length(finding, subjects) for finding in failed if finding.name == "length"]
    late = [lag for lag in lags if any(finding.name == "timing" for finding in failed)]
    causes += [_late(lag, rate, len(subjects[0])) for lag in late]
    for subject in subjects:
        own = [finding for finding in failed if finding.of == subject.label]
        on_time = subject
        own_lags = [lag for lag in late if lag.of in ("clip", subject.label)]
        if own_lags:
            on_time = without_lag(subject, own_lags)
            names = {finding.name for finding in own}
            own = [f for f in object_rules(on_time, profile, size) if f.verdict == FAILED and f.name in names] + [
                f for f in own if f.name in ("swapped", "pose", "flicker", "limb", "airtime", "events")
            ]
        causes += _of_object(on_time, own, own_lags)
        if own_lags and profile.get("airtime") and not any(finding.name == "airtime" for finding in own):
            causes += _airtimes(subject, own_lags, rate)
    return sorted(causes, key=lambda cause: (cause.start, cause.stop))


def without_lag(subject: Subject, late: Sequence[Lag]) -> Subject:
    """The subject with the source's frames moved to where the generated clip shows them."""
    shown = np.arange(len(subject))
    for lag in late:
        shown[lag.start : lag.stop] -= lag.frames
    outside = (shown < 0) | (shown >= len(subject))
    moved_frames = shown != np.arange(len(subject))
    shown = np.clip(shown, 0, len(subject) - 1)

    def moved(shape: Shapes) -> Shapes:
        return Shapes(*(getattr(shape, name)[shown] for name in shape.__dataclass_fields__))

    pair = replace(subject.pair, expected=moved(subject.pair.expected))
    floors = [Comparison(pair.expected, moved(c.found), c.region[shown], c.boundary[shown]) for c in subject.floors]
    contact = subject.contact
    if contact is not None:
        contact = (contact[0][shown], contact[1], [copy[shown] for copy in contact[2]])
    there = subject.late_in_place
    left = {}
    for name, residual in residuals(pair, floors).items():
        known = subject.residuals[name]  # outside the stretches that are late nothing changes
        left[name] = Residual(
            np.where(there, 0.0, np.where(moved_frames, residual.value, known.value)),
            np.where(there, 0.0, np.where(moved_frames, residual.control, known.control)),
            np.where(there, 0.0, np.where(moved_frames, residual.error, known.error)),
        )
    return replace(
        subject,
        pair=pair,
        floors=floors,
        skip=subject.skip | outside,
        contact=contact,
        residuals=left,
        in_place=(subject.in_place & ~moved_frames) | there,
        gone=subject.gone & ~there,
        edges={name: effect[shown] for name, effect in subject.edges.items()},
    )


def _length(finding: Finding, subjects: Sequence[Subject]) -> Cause:
    start = len(subjects[0]) if subjects else 0
    stop = start + int(finding.value or 0)
    return Cause("length", "clip", start, stop, start, finding.text)


def _late(lag: Lag, rate: float, total: int) -> Cause:
    name = "late" if lag.frames > 0 else "early"
    what = "everything" if lag.of == "clip" else lag.of
    where = what if lag.stop - lag.start >= 0.9 * total else f"from frame {lag.start} to {lag.stop - 1} {what}"
    frames = abs(lag.frames)
    text = f"{where} is {frames} frame{'s' if frames > 1 else ''} ({frames * 1000 / rate:.0f} ms) {name}"
    return Cause(name, lag.of, lag.start, lag.stop, lag.start, text)


def _of_object(subject: Subject, failed: Sequence[Finding], late: Sequence[Lag]) -> list[Cause]:
    by_name = {finding.name: finding for finding in failed}
    causes: list[Cause] = []
    label = subject.label
    if "missing" in by_name:
        causes += _missing(subject, by_name["missing"])
    swapped = by_name.get("swapped")
    if swapped is not None:
        for start, stop in _largest(ranges(swapped.failing, BRIDGE)):
            text = f"another object is in {label}'s place on {in_words([(start, stop)])}"
            causes.append(Cause("swapped", label, start, stop, _worst(swapped, start, stop), text))
    else:
        scaled = _residual_causes("scaled", subject, by_name, ("scale", "scale steady"), _scale_words)
        causes += scaled
        causes += _residual_causes("rotated", subject, by_name, ("orientation", "orientation steady"), _turn_words)
        shifts = _residual_causes("shifted", subject, by_name, ("offset", "offset steady"), _shift_words)
        causes += [shift for shift in shifts if not _follows_from_scale(subject, shift, scaled)]
    if "contact" in by_name:
        causes += _contact(subject, by_name["contact"])
    if "limb" in by_name and subject.limbs is not None:
        finding = by_name["limb"]
        for start, stop in _largest(ranges(finding.failing, BRIDGE)):
            text = f"{label}: {limb_words(subject.limbs, finding.failing, start, stop)}"
            causes.append(Cause("other limb", label, start, stop, (start + stop) // 2, text))
    if "airtime" in by_name:
        finding = by_name["airtime"]
        for start, stop in ranges(finding.failing):
            causes.append(Cause("airtime", label, start, stop, stop - 1, finding.text))
    elif "events" in by_name:
        causes += _events(subject, by_name["events"], late)
    for name in ("pose", "flicker"):
        if name in by_name:
            finding = by_name[name]
            for start, stop in ranges(finding.failing, BRIDGE)[:LISTED]:
                worst = _worst(finding, start, stop)
                causes.append(Cause(name, label, start, stop, worst, finding.text))
    causes += _moved(subject, by_name, causes, late)
    return causes


def _missing(subject: Subject, finding: Finding) -> list[Cause]:
    causes = []
    expected, found = subject.pair.expected.visible, subject.pair.found.visible
    for name, which, words in (
        ("lost", expected & (~found | subject.gone), "is missing"),
        ("appeared", found & ~expected, "is there where the source has none"),
    ):
        for start, stop in _largest(ranges(finding.failing & which)):
            text = f"{subject.label} {words} on {in_words([(start, stop)])}"
            causes.append(Cause(name, subject.label, start, stop, start, text))
    return causes


def _residual_causes(
    name: str,
    subject: Subject,
    by_name: dict[str, Finding],
    rules: tuple[str, str],
    words: Callable[[Subject, np.ndarray], str],
) -> list[Cause]:
    found = [by_name[rule] for rule in rules if rule in by_name]
    if not found:
        return []
    failing = np.any([finding.failing for finding in found], axis=0)
    causes = []
    for start, stop in _largest(ranges(failing, BRIDGE)):
        inside = np.zeros(len(subject), bool)
        inside[start:stop] = failing[start:stop]
        worst = max((_worst(finding, start, stop) for finding in found), key=lambda t: inside[t])
        text = f"{subject.label} {words(subject, inside)} on {in_words([(start, stop)])}"
        causes.append(Cause(name, subject.label, start, stop, worst, text))
    return causes


def _shift_words(subject: Subject, frames: np.ndarray) -> str:
    x, y = (_off(subject, axis, frames) for axis in ("x", "y"))
    parts = []
    if abs(y) >= 0.4 * abs(x):
        parts.append(f"{abs(y):.0f} px too {'low' if y > 0 else 'high'}")
    if abs(x) > 0.4 * abs(y):
        parts.append(f"{abs(x):.0f} px too far {'right' if x > 0 else 'left'}")
    return "is " + " and ".join(parts)


def _scale_words(subject: Subject, frames: np.ndarray) -> str:
    percent = _off(subject, "scale", frames)
    return f"is {abs(percent):.0f} % too {'large' if percent > 0 else 'small'}"


def _turn_words(subject: Subject, frames: np.ndarray) -> str:
    degrees = _off(subject, "angle", frames)
    return f"is turned by {abs(degrees):.0f} degrees {'clockwise' if degrees > 0 else 'counter-clockwise'}"


def _off(subject: Subject, name: str, frames: np.ndarray) -> float:
    """By how much the object is off on these frames, bool [T]: as the pictures show it, else as the tracks have it."""
    shown = subject.residuals[name].value
    return _median(np.where(subject.seen & np.isfinite(shown), shown, subject.pair.difference(name))[frames])


def _follows_from_scale(subject: Subject, shift: Cause, scaled: Sequence[Cause]) -> bool:
    """An object that is scaled about its foot, or another point of it, has its centre elsewhere: one fact, not two."""
    frames = slice(shift.start, shift.stop)
    for cause in scaled:
        overlap = min(shift.stop, cause.stop) - max(shift.start, cause.start)
        if overlap < 0.5 * (shift.stop - shift.start):
            continue
        x, y, percent = (abs(_median(subject.residuals[name].value[frames])) for name in ("x", "y", "scale"))
        shape = subject.pair.expected
        wide, high = (_median((b - a)[frames]) for a, b in ((shape.left, shape.right), (shape.top, shape.bottom)))
        if x <= 0.6 * percent / 100 * wide + 1 and y <= 0.6 * percent / 100 * high + 1:
            return True
    return False


def _contact(subject: Subject, finding: Finding) -> list[Cause]:
    assert subject.contact is not None
    source, generated = subject.contact[0], subject.contact[1]
    causes = []
    for name, which, words in (
        (
            "contact lost",
            (source > 0) & (generated == 0),
            "and the person don't touch on {} where they do in the source",
        ),
        ("contact added", (source == 0) & (generated > 0), "and the person touch on {} where they don't in the source"),
    ):
        for start, stop in _largest(ranges(finding.failing & which)):
            text = f"{subject.label} {words.format(in_words([(start, stop)]))}"
            causes.append(Cause(name, subject.label, start, stop, (start + stop) // 2, text))
    return causes


def _airtimes(subject: Subject, late: Sequence[Lag], rate: float) -> list[Cause]:
    """Flights across which the delay grows or shrinks: the object is in the air for so much longer or less."""
    if subject.contact is None:
        return []
    source, total = subject.contact[0], len(subject)
    frames, margin = lag_of_frames(late, total), max(3, round(AROUND_FLIGHT_S * rate))
    causes = []
    for start, stop in ranges(source == 0, bridge=0):
        if start == 0 or stop == total:
            continue
        before = int(frames[max(0, start - margin)])
        after = int(frames[min(total - 1, stop + max(0, before, int(frames[stop:].max())) + margin)])
        change = after - before
        if change and abs(change) <= 2 * (stop - start):
            longer = "longer" if change > 0 else "shorter"
            ms = abs(change) * 1000 / rate
            text = f"{subject.label} is {abs(change)} frames ({ms:.0f} ms) {longer} in the air, from frame {start} on"
            causes.append(Cause("airtime", subject.label, start, min(total, stop + after), stop, text))
    return causes


def _events(subject: Subject, finding: Finding, late: Sequence[Lag]) -> list[Cause]:
    """A take-off or landing that is off where the clip as a whole is not."""
    causes = []
    for t in finding.worst:
        if any(lag.start <= t < lag.stop for lag in late):
            continue
        name = "late" if " late" in finding.text else "early"
        causes.append(Cause(name, subject.label, t, t + 1, t, finding.text))
    return causes


def _moved(subject: Subject, by_name: dict[str, Finding], causes: Sequence[Cause], late: Sequence[Lag]) -> list[Cause]:
    """Masks that don't overlap for none of the reasons above."""
    failing = np.zeros(len(subject), bool)
    for rule in ("region", "boundary"):
        if rule in by_name:
            failing |= by_name[rule].failing
    explained = np.zeros(len(subject), bool)
    for part in (*causes, *late):
        explained[max(0, part.start - 1) : part.stop + 1] = True
    found = []
    for start, stop in _largest(ranges(failing & ~explained, BRIDGE)):
        worst = start + int(np.argmin(subject.pair.region[start:stop]))
        overlap = subject.pair.region[worst]
        text = f"{subject.label} isn't where the source has it on {in_words([(start, stop)])}: overlap {overlap:.2f}"
        found.append(Cause("moved", subject.label, start, stop, worst, f"{text} on frame {worst}"))
    return found


def _largest(parts: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest ranges, in order; single frames only where there is nothing longer."""
    long = [part for part in parts if part[1] - part[0] > 1] or list(parts)
    return sorted(sorted(long, key=lambda part: part[0] - part[1])[:LISTED])


def _worst(finding: Finding, start: int, stop: int) -> int:
    return next((t for t in finding.worst if start <= t < stop), (start + stop - 1) // 2)


def _median(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values)) if values.size else 0.0

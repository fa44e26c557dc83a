"""The rules of a profile, applied: one Finding for each rule and object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .findings import FAILED, NOT_JUDGED, PASSED, Finding, in_words, margin, ranges, worst_frames
from .judging import ENOUGH, frame_rule, not_judged, steady_rule
from .measure import Comparison, Subject, widened
from .motion import Lag
from .profile import Profile
from .shape import edge_jaccard, outline_likeness

# Frames of a contact change by which source and clip may differ: the edge of a mask decides on which it falls.
EDGE_OF_CONTACT = 1
# Frames from which something else in an object's place is another object, and not the object missing for a moment; it
# goes at least this share of the object's way.
ANOTHER, TRAVELS = 12, 0.4
# Masks that overlap by so much show the same outline at the same place: other edges inside it are a restyle. Where one
# is smaller, it is a part of the same thing when so much of it lies in the larger, which is the same for equal areas.
RESTYLED, PART = 0.6, 0.75
# Where a copy of the source overlaps by less with its own track, a mask that is gone is the tracker's doing.
FOLLOWED = 0.5
# Times the effect of an outline 1 px further out or in that is allowed, for the rounding of masks to whole px.
EDGES = 1.2


def object_rules(subject: Subject, profile: Profile, size: tuple[int, int]) -> list[Finding]:
    """Every rule of the profile that is about one object's masks. `size`: (H, W) px of the generated clip."""
    makers: Mapping[str, Callable[[Subject, Mapping[str, float], tuple[int, int]], list[Finding]]] = {
        "missing": _missing,
        "region": _region,
        "boundary": _boundary,
        "offset": _offset,
        "scale": _scale,
        "orientation": _orientation,
        "contact": _contact,
        "swapped": _swapped,
        "flicker": _flicker,
    }
    return [
        finding for rule, make in makers.items() if (keys := profile.get(rule)) for finding in make(subject, keys, size)
    ]


def _missing(subject: Subject, keys: Mapping[str, float], size: tuple[int, int]) -> list[Finding]:
    pair = subject.pair
    one = pair.expected.visible != pair.found.visible
    # Where a copy of the source has the same fault, the tracker has it, not the clip.
    copies = [floor.expected.visible != floor.found.visible for floor in subject.floors]
    stray = widened(np.any(copies, axis=0).astype(float)) > 0 if copies else np.zeros(len(pair), bool)
    instead, gone = _instead(subject, 0.0), subject.gone & (pair.region < RESTYLED)
    # Something that the source shows there as well didn't appear: its own track has lost it, or never had it.
    common = subject.spilled & ~pair.expected.visible
    one = ((one & ~subject.in_place) | (gone & pair.expected.visible)) & ~instead
    followed = subject.floor([copy.region for copy in subject.floors], "higher")
    stray |= widened((followed < FOLLOWED).astype(float)) > 0
    judged = subject.shown & ~common & (~stray | gone)
    words = "it is missing, or there when the source has none,"
    floor = np.any(copies, axis=0).astype(float) if copies else np.full(len(pair), np.nan)
    return [frame_rule("missing", subject, keys, one, judged, one.astype(float), floor, "", False, words)]


def _instead(subject: Subject, limit: float) -> np.ndarray:
    """bool [T]: something is there in the object's stead, for longer than an object that is merely missing.

    Either nothing in the picture is like the object, but something goes the object's way or a tracker still follows
    something; or what it follows is of another shape: the sides and the fullness of the two outlines, each as a share
    of the larger, multiply to less than `limit`.
    """
    pair = subject.pair
    alike = outline_likeness(pair.expected, pair.found)
    floor = subject.floor([outline_likeness(copy.expected, copy.found) for copy in subject.floors], "higher")
    with np.errstate(invalid="ignore"):
        other = (alike < limit) & ~(floor < (1 + limit) / 2) & ~_is_part(pair) & ~subject.seen & ~subject.spilled
    misses = (subject.gone & pair.found.visible) | other
    enough = np.zeros(len(subject), bool)
    for start, stop in ranges(misses | subject.gone, bridge=3):
        if stop - start >= ANOTHER:
            travels = _travels(subject, start, stop)
            enough[start:stop] = misses[start:stop].mean() >= 0.4 if travels is None else travels >= TRAVELS
    return enough & subject.shown & (~subject.unsure | subject.gone)


def _travels(subject: Subject, start: int, stop: int) -> float | None:
    """Where the object is gone, the share of its way that something else goes there; None: it can't be told."""
    if subject.travel is None or subject.gone[start:stop].mean() < 0.5:
        return None
    return subject.travel.share(slice(start, stop))


def _is_part(pair: Comparison) -> np.ndarray:
    """bool [T]: so much of the smaller mask lies in the larger that it is the same thing in part, or with something."""
    a, b, overlap = pair.expected.area, pair.found.area, pair.region
    both = overlap * (a + b) / (1 + overlap)
    return both >= PART * np.maximum(np.minimum(a, b), 1)


def _swapped(subject: Subject, keys: Mapping[str, float], size: tuple[int, int]) -> list[Finding]:
    misses = _instead(subject, keys["limit"])
    alike = outline_likeness(subject.pair.expected, subject.pair.found)
    floor = subject.floor([outline_likeness(copy.expected, copy.found) for copy in subject.floors], "higher")
    judged = subject.shown & (misses | (~subject.unsure & np.isfinite(alike)))
    words = "another object is in its place: its outline or its picture isn't the source's"
    every = {"limit": keys["limit"], "share": 1.0, "run": 0}  # they are many in a row already
    return [frame_rule("swapped", subject, every, misses, judged, alike, floor, "", True, words)]


def _region(subject: Subject, keys: Mapping[str, float], size: tuple[int, int]) -> list[Finding]:
    thin = edge_jaccard(subject.pair.expected, keys["edge"] * float(np.hypot(*size)))
    if keys["edge"] > 0:
        thin = np.minimum(thin, subject.edges["overlap"] ** EDGES)
    limit = np.minimum(keys["limit"], thin)
    values = subject.pair.region
    floor = subject.floor([copy.region for copy in subject.floors], "higher")
    words = f"the masks overlap by less than {keys['limit']:.2f}"
    return [_overlap("region", subject, keys, values, floor, limit, words)]


def _boundary(subject: Subject, keys: Mapping[str, float], size: tuple[int, int]) -> list[Finding]:
    values = subject.pair.boundary
    floor = subject.floor([copy.boundary for copy in subject.floors], "higher")
    words = f"the outlines agree by less than {keys['limit']:.2f}"
    return [_overlap("boundary", subject, keys, values, floor, np.full(len(values), keys["limit"]), words)]


def _overlap(
    name: str,
    subject: Subject,
    keys: Mapping[str, float],
    values: np.ndarray,
    floor: np.ndarray,
    limit: np.ndarray,
    words: str,
) -> Finding:
    strays = widened((2 * floor - 1 < limit).astype(float)) > 0  # twice the tracker's own error would miss the limit
    # Where the pictures show the object in its place, it is the tracker that left it.
    judged = subject.shown & ~subject.unsure & ~subject.gone & ~subject.spilled & ~strays
    judged &= ~(subject.in_place & (values < limit))
    return frame_rule(name, subject, keys, values < limit, judged, values, floor, "", True, words, limit)


def _offset(subject: Subject, keys: Mapping[str, float], size: tuple[int, int]) -> list[Finding]:
    x, y = subject.residuals["x"], subject.residuals["y"]
    percent = 100 / subject.unit_px
    edges = _edges(subject, np.hypot(subject.edges["x"], subject.edges["y"]))
    least = np.maximum(keys["least_px"], edges) * percent
    value, error = np.hypot(x.value, y.value) * percent, np.hypot(x.error, y.error) * percent
    control = np.hypot(x.control, y.control) * percent
    limit, steady = np.maximum(keys["limit"], least), np.maximum(keys["steady"], least)
    usable = subject.shown & ~subject.unsure & ~subject.gone & np.isfinite(value) & np.isfinite(error)
    unit = "% of the person's height"
    return [
        _single("offset", subject, keys, value, error, control, limit, usable, unit, "the centre is off by more than"),
        steady_rule(
            "offset steady",
            subject,
            steady,
            (x.value, y.value),
            (x.control, y.control),
            usable,
            unit,
            percent,
            "the centre stays off",
        ),
    ]


def _edges(subject: Subject, effect: np.ndarray) -> np.ndarray:
    """float64 [T]: what the rounding of masks may do to a quantity; nothing where the pictures tell it."""
    return np.where(subject.seen, 0.0, EDGES * effect)


def _scale(subject: Subject, keys: Mapping[str, float], size: tuple[int, int]) -> list[Finding]:
    return _scalar("scale", "scale", subject, keys, "%", "the size is off")


def _orientation(subject: Subject, keys: Mapping[str, float], size: tuple[int, int]) -> list[Finding]:
    if not np.isfinite(subject.residuals["angle"].value).any():
        return []  # an object that is never elongated has no angle
    return _scalar("orientation", "angle", subject, keys, "degrees", "the long axis is turned")


def _scalar(
    name: str,
    quantity: str,
    subject: Subject,
    keys: Mapping[str, float],
    unit: str,
    words: str,
) -> list[Finding]:
    """Rules on one signed quantity."""
    residual = subject.residuals[quantity]
    usable = subject.shown & ~subject.unsure & ~subject.gone & np.isfinite(residual.value)
    usable &= np.isfinite(residual.error)
    limit, steady = (np.maximum(keys[key], _edges(subject, subject.edges[quantity])) for key in ("limit", "steady"))
    value, control = np.abs(residual.value), np.abs(residual.control)
    return [
        _single(name, subject, keys, value, residual.error, control, limit, usable, unit, f"{words} by more than"),
        steady_rule(
            f"{name} steady",
            subject,
            steady,
            (residual.value,),
            (residual.control,),
            usable,
            unit,
            np.ones(len(subject)),
            words,
        ),
    ]


def _single(
    name: str,
    subject: Subject,
    keys: Mapping[str, float],
    value: np.ndarray,
    error: np.ndarray,
    control: np.ndarray,
    limit: np.ndarray,
    usable: np.ndarray,
    unit: str,
    words: str,
) -> Finding:
    judged = usable & (error <= limit)
    with np.errstate(invalid="ignore"):
        misses = value > limit + error
    typical = float(np.median(limit)) if len(limit) else keys["limit"]
    return frame_rule(
        name,
        subject,
        {**keys, "limit": round(typical, 4)},
        misses,
        judged,
        value,
        control,
        unit,
        False,
        f"{words} {typical:.2g} {unit}",
        limit,
    )


def _contact(subject: Subject, keys: Mapping[str, float], size: tuple[int, int]) -> list[Finding]:
    if subject.contact is None:
        return []
    source, generated, copies = subject.contact
    differs, stray = contact_differs(source, generated), np.zeros(len(source), bool)
    for copy in copies:
        stray |= contact_differs(source, copy) | (np.isnan(copy) & np.isfinite(source))
    judged = np.isfinite(source) & np.isfinite(generated) & ~subject.skip & ~subject.unsure & ~subject.gone
    judged &= ~(widened(stray.astype(float)) > 0)
    floor = stray.astype(float)
    words = "contact with the person differs"
    return [frame_rule("contact", subject, keys, differs, judged, differs.astype(float), floor, "", False, words)]


def _flicker(subject: Subject, keys: Mapping[str, float], size: tuple[int, int]) -> list[Finding]:
    if subject.flicker is None:
        return []
    source, generated = subject.flicker
    # A mask that flickers around an object that the pictures show to be still is the tracker's.
    judged = subject.shown & ~subject.unsure & ~subject.seen & np.isfinite(source) & np.isfinite(generated)
    if judged.sum() < ENOUGH * max(int(subject.shown.sum()), 1):
        text = "the pictures show the object itself; its mask says nothing more"
        return [not_judged("flicker", subject, keys["limit"], "", text)]
    excess = generated - source
    value = float(excess[judged].mean())
    failed = value > keys["limit"]
    spread = float(source[judged].mean())
    failing = judged & (excess > keys["limit"]) if failed else np.zeros(len(subject), bool)
    text = f"{subject.label}: the mask flickers by {value:.2f} more than the source's ({keys['limit']:.2f} allowed)"
    return [
        Finding(
            "flicker", subject.label, FAILED if failed else PASSED, text, value, keys["limit"], "",
            spread, failing, judged, worst_frames(excess, failing),
            margin((value - keys["limit"]) * (1 if failed else -1), spread),
        )
    ]  # fmt: skip


def contact_differs(source: np.ndarray, generated: np.ndarray) -> np.ndarray:
    """bool [T]: both states are known and differ, and not only because a change falls a frame sooner or later."""
    known = np.isfinite(source) & np.isfinite(generated)
    differs = known & (source != generated)
    same_nearby = np.zeros(len(source), bool)
    for shift in range(-EDGE_OF_CONTACT, EDGE_OF_CONTACT + 1):
        moved = np.full(len(source), np.nan)
        inside = slice(max(0, shift), len(source) + min(0, shift))
        moved[inside] = source[max(0, -shift) : len(source) + min(0, -shift)]
        same_nearby |= moved == generated
    return differs & ~same_nearby


def timing_rule(found: Sequence[Lag], judged: np.ndarray, profile: Profile, rate: float, total: int) -> list[Finding]:
    """Late or early by more than so many ms, over the clip or a part of it. judged: bool [T], where it can be told."""
    limit = profile.limit("timing")
    if limit is None:
        return []
    failing, misses = np.zeros(total, bool), []
    for lag in found:
        if abs(lag.frames) * 1000 / rate > limit:
            misses.append(lag)
            failing[lag.start : lag.stop] = True
    most = max(found, key=lambda lag: abs(lag.frames), default=None)
    value = None if not judged.any() else 0.0 if most is None else abs(most.frames) * 1000 / rate
    if misses:
        verdict = FAILED
        text = "; ".join(_lag_words(lag, rate) for lag in misses)
    elif judged.any():
        verdict, text = PASSED, "on time"
    else:
        verdict, text = NOT_JUDGED, "nothing moves that could tell the time by"
    distance = 0.0 if value is None else (value - limit) * (1 if misses else -1)
    return [
        Finding(
            "timing",
            "clip",
            verdict,
            text,
            value,
            limit,
            "ms",
            None,
            failing,
            judged,
            [lag.start for lag in misses],
            None if verdict == NOT_JUDGED else margin(distance, 1000 / rate),
        )
    ]


def _lag_words(lag: Lag, rate: float) -> str:
    when = f"{abs(lag.frames)} frames ({abs(lag.frames) * 1000 / rate:.0f} ms) {'late' if lag.frames > 0 else 'early'}"
    of = "" if lag.of == "clip" else f"{lag.of}: "
    return f"{of}{when} on {in_words([(lag.start, lag.stop)])}, which explains {lag.explained:.0%} of the difference"


def length_rule(expected: int, found: int, profile: Profile) -> list[Finding]:
    """As many frames as the source."""
    limit = profile.limit("length")
    if limit is None:
        return []
    off = abs(found - expected)
    total = min(expected, found)
    text = f"the generated clip has {found} frames, not {expected}: only the first {total} were compared"
    failed = off > limit
    return [
        Finding(
            "length",
            "clip",
            FAILED if failed else PASSED,
            text if off else f"{found} frames, as the source",
            off,
            limit,
            "frames",
        )
    ]

"""The two ways in which a rule judges frames: how many of them miss a limit, and what stays off over many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .findings import FAILED, NOT_JUDGED, PASSED, Finding, in_words, longest_run, margin, ranges, worst_frames
from .measure import Subject
from .shape import steadied

# Half-width of the window whose median tells a steady displacement from a wobble, frames; and how many frames in a row
# such a window must miss the limit.
WINDOW, LONG = 6, 10
# Share of the frames with an object that a rule must have judged to say that they pass.
ENOUGH = 0.25


def frame_rule(
    name: str,
    subject: Subject,
    keys: Mapping[str, float],
    misses: np.ndarray,
    judged: np.ndarray,
    values: np.ndarray,
    floor: np.ndarray,
    unit: str,
    higher: bool,
    words: str,
    limit: np.ndarray | None = None,
) -> Finding:
    """A rule of which a share of the frames, or so many in a row, may miss the limit.

    Args:
        misses, judged: bool [T]; a frame that isn't judged doesn't miss.
        values, floor: float64 [T], what was measured and what the tracker gets on the source itself.
        higher: larger values are better.
        words: "the masks overlap by less than 0.60".
        limit: float64 [T], the limit of every frame, for the margin; None for a rule that counts frames.
    """
    misses = misses & judged
    count, failed = int(judged.sum()), int(misses.sum())
    run = longest_run(misses)
    too_many = failed > keys.get("share", 0.0) * count
    too_long = run[1] - run[0] > keys["run"]
    failing = failed > max(keys.get("share", 0.0) * count, keys["run"]) or too_long
    verdict = (
        FAILED if failing else PASSED if count >= ENOUGH * max(int(subject.shown.sum()), 1) and count else NOT_JUDGED
    )
    sign = 1 if higher else -1
    share = keys.get("share", 0.0)

    def typical(series: np.ndarray) -> float | None:
        """What all but the frames that may miss reach; where too many in a row miss, what the best of these reaches."""
        part = series[run[0] : run[1]] if too_long and not too_many else np.zeros(0)
        if np.isfinite(part).any():
            return sign * float(np.nanmax(sign * part))
        inside = series[judged & np.isfinite(series)]
        return sign * float(np.quantile(sign * inside, share)) if len(inside) else None

    value = typical(values)
    known = floor[judged & np.isfinite(floor)]
    text = f"{subject.label}: {words} on {failed} of {count} judged frames"
    if failing:
        text += f" ({in_words(ranges(misses))})"
    elif verdict == NOT_JUDGED:
        text = f"{subject.label}: only {count} of {int(subject.shown.sum())} frames could be judged"
    spread = float(np.quantile(1 - known if higher else known, 1 - share)) if len(known) else None
    within = None if limit is None else typical(values - limit)
    sure = None if within is None or verdict == NOT_JUDGED else margin(sign * within * (-1 if failing else 1), spread)
    return Finding(
        name,
        subject.label,
        verdict,
        text,
        value,
        keys.get("limit"),
        unit,
        float(sign * np.quantile(sign * known, share)) if len(known) else None,
        misses if failing else np.zeros(len(misses), bool),
        judged,
        worst_frames(-sign * values, misses),
        sure,
    )


def steady_rule(
    name: str,
    subject: Subject,
    limit: np.ndarray,
    values: Sequence[np.ndarray],
    controls: Sequence[np.ndarray],
    usable: np.ndarray,
    unit: str,
    scale: np.ndarray,
    words: str,
) -> Finding:
    """A rule about what stays off over many frames: the median, over the clip and over windows of it.

    A single frame of a track is noisy, its median isn't: what the same median says of a harmless copy is how far it
    may be trusted.

    Args:
        limit: float64 [T], in `unit`.
        values, controls: one or two signed series, float64 [T]; two are a vector.
        usable: bool [T].
        scale: float64 [T]: what the series are multiplied by to be in `unit`.
    """
    total = int(subject.shown.sum())
    count = int(usable.sum())
    if count < min(3, max(total, 1)):
        return not_judged(name, subject, limit, unit, f"only {count} of {total} frames could be judged")
    within = [np.where(usable, value * scale, np.nan) for value in values]
    copies = [np.where(usable, control * scale, np.nan) for control in controls]
    whole, whole_floor = (_length([np.nanmedian(part) for part in parts]) for parts in (within, copies))
    moving, moving_floor = (_length([steadied(part, WINDOW) for part in parts]) for parts in (within, copies))
    typical = float(np.median(limit[usable]))
    local_floor = max(whole_floor, float(np.nanquantile(moving_floor[usable], 0.95)))
    off = usable & (moving > limit + local_floor)
    run = longest_run(off)
    misses_whole = whole > typical + whole_floor
    misses_part = run[1] - run[0] >= LONG
    failing = usable & (moving > limit / 2) if misses_whole else off
    value, floor = (whole, whole_floor)
    if misses_part and not misses_whole:
        value, floor = float(np.nanmax(moving[run[0] : run[1]])), local_floor
    if misses_whole or misses_part:
        verdict, distance = FAILED, value - typical
        text = (
            f"{words} by {value:.2g}{_spaced(unit)} over {in_words(ranges(failing, bridge=3))} ({typical:.2g} allowed)"
        )
    elif whole_floor > typical or whole > typical:
        return not_judged(
            name,
            subject,
            limit,
            unit,
            f"{words} by {whole:.2g}{_spaced(unit)}, but the tracker itself is off by {whole_floor:.2g} on the source",
            whole,
            whole_floor,
        )
    elif count < ENOUGH * total:
        return not_judged(name, subject, limit, unit, f"only {count} of {total} frames could be judged", whole, floor)
    else:
        verdict, distance = PASSED, typical - value
        text = f"steadily off by {value:.2g}{_spaced(unit)} at most ({typical:.2g} allowed)"
        failing = np.zeros(len(subject), bool)
    return Finding(
        name,
        subject.label,
        verdict,
        f"{subject.label}: {text}",
        value,
        round(typical, 4),
        unit,
        floor,
        failing,
        usable,
        worst_frames(moving, failing),
        margin(distance, floor),
    )


def _spaced(unit: str) -> str:
    return f" {unit}" if unit else ""


def _length(parts: Sequence[Any]) -> Any:
    return np.abs(parts[0]) if len(parts) == 1 else np.hypot(parts[0], parts[1])


def not_judged(
    name: str,
    subject: Subject,
    limit: Any,
    unit: str,
    text: str,
    value: float | None = None,
    floor: float | None = None,
) -> Finding:
    nothing = np.zeros(len(subject), bool)
    typical = float(np.median(limit)) if np.size(limit) else None
    return Finding(
        name, subject.label, NOT_JUDGED, f"{subject.label}: {text}", value, typical, unit, floor, nothing, nothing
    )

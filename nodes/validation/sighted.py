"""What the pictures say, weighed: where they are sure, they stand in for a tracker's guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .measure import Residual, widened
from .motion import EXPLAINED, MOST_LAG, SHORTEST, Lag, cheapest_path
from .pictures import BACKGROUND, Pictures, Sight
from .shape import Shapes

# An object's edges are found when they agree so much, and so much better than anywhere else; or when they agree less,
# as those of somebody in other clothes do, but so many times as much as anywhere else.
FOUND, CLEARER = 0.35, 0.10
FAINT, FAINT_CLEARER, TIMES_CLEARER = 0.25, 0.12, 1.8
# They say that it is the same thing when they agree so much; that it isn't there when they agree by less than this
# share of what they do in the clip as a whole. What is left is the background that a source's mask holds.
SAME, GONE_SHARE = 0.5, 0.5
# What an estimate is off by for every bit of disagreement, px, percent and degrees; more below HALF of agreement.
HALF = 0.5
SOFTNESS = {"x": 0.4, "y": 0.4, "scale": 0.8, "angle": 0.8}
# Likeness by which a lag of one frame must show on a harmless copy for the time to be told from it.
TELLING = 0.006
# Price of a change of lag within the clip, in frames of a clear lag of one.
CHANGE = 10.0
# A lag must fit so much better than any displacement.
BETTER = 0.02
# A displacement that is constant, or grows evenly, within so many px.
CONSTANT_PX = 1.0


def cut(pictures: Pictures, total: int) -> Pictures:
    """The first `total` frames."""

    def part(sights: Mapping[str, Sight]) -> dict[str, Sight]:
        return {
            label: Sight(*(getattr(sight, name)[:total] for name in sight.__dataclass_fields__))
            for label, sight in sights.items()
        }

    times, control = (
        {name: values[:, :total] for name, values in of.items()} for of in (pictures.times, pictures.control_times)
    )
    displaced = {name: values[:total] for name, values in pictures.displaced.items()}
    flicker = {name: (a[:total], b[:total]) for name, (a, b) in pictures.flicker.items()}
    spills = {name: values[:total] for name, values in pictures.spilled.items()}
    travel = {name: of.part(total) for name, of in pictures.travel.items()}
    return Pictures(part(pictures.sights), part(pictures.controls), times, control, displaced, flicker, spills, travel)


def sure(sight: Sight) -> np.ndarray:
    """bool [T]: the object's edges were found, at one place."""
    with np.errstate(invalid="ignore"):
        clear = (sight.like >= FOUND) & (sight.like - sight.second >= CLEARER)
        faint = (sight.like >= FAINT) & (sight.like - sight.second >= FAINT_CLEARER)
        return np.asarray((clear | (faint & (sight.like >= TIMES_CLEARER * sight.second))) & np.isfinite(sight.x))


def nearest(values: np.ndarray) -> np.ndarray:
    """float64 [T]: the known value nearest in time; all nan where none is known."""
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.full(len(values), np.nan)
    place = np.searchsorted(known, np.arange(len(values)))
    before, after = known[np.clip(place - 1, 0, len(known) - 1)], known[np.clip(place, 0, len(known) - 1)]
    frames = np.arange(len(values))
    return values[np.where(np.abs(frames - before) <= np.abs(after - frames), before, after)]


def picture_residuals(sight: Sight, control: Sight) -> dict[str, Residual]:
    """Place, size and angle by the pictures; nan where they aren't sure."""
    found = {}
    seen = sure(sight)
    for name, softness in SOFTNESS.items():
        value = np.where(seen, getattr(sight, name), np.nan)
        copy = nearest(np.where(sure(control), getattr(control, name), np.nan))
        like = np.clip(sight.like, 0.05, 1)
        error = np.where(np.isfinite(copy), np.abs(copy), np.inf)
        error += softness * (1 - like) * np.maximum(1, (HALF / like) ** 4)
        found[name] = Residual(value, copy, widened(np.nan_to_num(error, nan=np.inf), 1))
    return found


def merged(tracks: Mapping[str, Residual], pictures: Mapping[str, Residual]) -> dict[str, Residual]:
    """The pictures where they are sure, the tracks elsewhere."""
    both = {}
    for name, own in tracks.items():
        seen = pictures[name]
        better = np.isfinite(seen.value) & np.isfinite(seen.error)
        both[name] = Residual(*(np.where(better, getattr(seen, key), getattr(own, key)) for key in
                                ("value", "control", "error")))  # fmt: skip
    return both


def is_gone(sight: Sight, control: Sight) -> np.ndarray:
    """bool [T]: nothing like the object is there, though elsewhere in the clip it is, and in a harmless copy here."""
    copy = nearest(control.like)
    known = sight.like[np.isfinite(sight.like)]
    if not len(known) or np.quantile(known, 0.75) < SAME:
        return np.zeros(len(sight.like), bool)  # the edges weren't kept in this clip
    usual = np.quantile(known, 0.75)
    with np.errstate(invalid="ignore"):
        return np.asarray((sight.like < GONE_SHARE * usual) & (copy >= SAME))


def picture_lags(pictures: Pictures, paths: Mapping[str, Shapes]) -> list[Lag] | None:
    """Stretches that are late or early, each of an object or, where the background agrees or can't tell, of the clip.

    Args:
        paths: the source's shapes of the objects, by label.

    Returns:
        None where the pictures can't tell the time: nothing moves, or the edges weren't kept.
    """
    found: dict[str, list[Lag]] = {}
    for name in (*paths, BACKGROUND):
        told = lags_of(pictures.times[name], pictures.control_times[name], name)
        if told is not None:
            if name != BACKGROUND:
                told = [part for part in told if not _is_displaced(part, told, pictures, paths[name])]
            found[name] = told
    if not any(label in found for label in paths):
        return None
    background = found.pop(BACKGROUND, None)
    late: list[Lag] = []
    for label, own in found.items():
        for lag in own:
            partners = [background] if background is not None else [of for name, of in found.items() if name != label]
            whole = all(_overlaps(lag, of) for of in partners) and (bool(partners) or len(paths) == 1)
            late.append(Lag(lag.start, lag.stop, lag.frames, lag.explained, "clip" if whole else label))
    return _without_twins(late)


def lags_of(times: np.ndarray, control: np.ndarray, name: str) -> list[Lag] | None:
    """Stretches in which one object (or the background) is shown as the source has it at another time.

    How sure a lag is: how much better it fits than being on time, as a share of what it would be for a harmless copy
    that is so late.

    Args:
        times, control: float64 [2 * MOST_LAG + 1, T]: likeness at every lag, of the generated clip and of the copy.
    """
    rows, total = times.shape
    asked = np.isfinite(control[MOST_LAG])
    if not asked.any() or not np.isfinite(times).any():
        return None
    loss = np.stack([nearest(control[MOST_LAG] - row) for row in control])  # of likeness, by a lag, on the copy
    step = float(np.nanmean([np.nanmean(loss[MOST_LAG - 1]), np.nanmean(loss[MOST_LAG + 1])]))
    best = np.nanmax(np.where(np.isfinite(times), times, -1), axis=0)
    kept = float(np.median(best)) / max(float(np.nanmedian(control[MOST_LAG])), 1e-3)
    if not np.isfinite(step) or step < TELLING or kept < 0.3:
        return None
    unit = max(step * min(kept, 1.0), TELLING)
    costs = np.minimum((best - times) / unit, 6.0)
    # A lag that shows a frame outside the source can't be checked there: it costs half of what being on time does.
    costs = np.where(np.isfinite(times), costs, 0.5 * np.nan_to_num(costs[MOST_LAG]))
    costs[MOST_LAG] -= 1e-3
    path = cheapest_path(costs, CHANGE) - MOST_LAG
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), total]
    found = []
    for start, stop in zip(edges, edges[1:], strict=False):
        lag = int(path[start])
        if lag == 0 or stop - start < min(SHORTEST, total):
            continue
        gain = times[MOST_LAG + lag, start:stop] - times[MOST_LAG, start:stop]
        # The copy that is on time loses by -lag what one that is late by lag gains.
        hoped = loss[MOST_LAG - lag, start:stop] * min(kept, 1.0)
        known = np.isfinite(gain) & np.isfinite(hoped)
        if known.any() and hoped[known].sum() > 0:
            explained = float(gain[known].sum() / hoped[known].sum())
            if explained >= EXPLAINED and gain[known].mean() > TELLING:
                found.append(Lag(start, stop, lag, min(explained, 1.0), name))
    return found


def shows(pictures: Pictures, label: str, lag: np.ndarray) -> np.ndarray:
    """bool [T]: the object is there as the source has it `lag` frames (int [T]) before, at its place then."""
    times, control = pictures.times[label], nearest(pictures.control_times[label][MOST_LAG])
    likes = times[MOST_LAG + lag, np.arange(times.shape[1])]
    with np.errstate(invalid="ignore"):
        return np.asarray(likes >= np.maximum(SAME, 0.6 * control))


def _is_displaced(lag: Lag, chain: Sequence[Lag], pictures: Pictures, path: Shapes) -> bool:
    """The object is elsewhere rather than late: a displacement fits as well, and grows evenly or not at all.

    What is late is displaced by what the source moves in that time. Where the source moves evenly the two can't be
    told apart by the place, and being elsewhere is the simpler thing to say.
    """
    frames = np.arange(lag.start, lag.stop)
    late = float(np.nanmean(pictures.times[lag.of][MOST_LAG + lag.frames, frames]))
    sight = pictures.sights[lag.of]
    displaced = np.fmax(pictures.displaced[lag.of], np.where(sure(sight), sight.like, np.nan))[frames]
    if not np.isfinite(displaced).any() or late >= float(np.nanmean(displaced)) + BETTER:
        return False
    whole = np.zeros(len(sight.x), int)
    for part in chain:
        whole[part.start : part.stop] = part.frames
    # Neighbouring stretches belong together: a drift looks like one small lag after the other.
    moving = np.flatnonzero(whole)
    then = np.clip(moving - whole[moving], 0, len(whole) - 1)
    even, lagging = [], []
    for axis in ("x", "y"):
        found = np.where(sure(sight), getattr(sight, axis), np.nan)[moving]
        hoped = getattr(path, axis)[then] - getattr(path, axis)[moving]
        known = np.isfinite(found) & np.isfinite(hoped)
        if known.sum() < 4:
            return False
        line = np.polyfit(moving[known], found[known], 1)
        even.append(found[known] - np.polyval(line, moving[known]))
        lagging.append(found[known] - hoped[known])
    unevenness, mismatch = (float(np.sqrt(np.mean(np.square(rest)))) for rest in (even, lagging))
    return unevenness <= max(CONSTANT_PX, mismatch)


def _overlaps(lag: Lag, others: Sequence[Lag]) -> bool:
    shared = sum(
        max(0, min(lag.stop, other.stop) - max(lag.start, other.start))
        for other in others
        if other.frames == lag.frames
    )
    return shared >= 0.5 * (lag.stop - lag.start)


def _without_twins(late: Sequence[Lag]) -> list[Lag]:
    """Each stretch of the whole clip once, though several objects show it."""
    kept: list[Lag] = []
    for lag in sorted(late, key=lambda one: (one.of != "clip", one.start)):
        twins = [other for other in kept if other.of in ("clip", lag.of)]
        if not (lag.of == "clip" and _overlaps(lag, twins)):
            kept.append(lag)
    return sorted(kept, key=lambda one: one.start)

"""Airborne or not, from the path of an object's lowest point once the camera's motion is removed."""

from __future__ import annotations

import numpy as np

# A dip of the path that is shorter than this is an excursion from the ground, a longer one is terrain.
LONGEST_FLIGHT_S = 1.5
# In person heights. The upper value is that of the reference measure; the lower one keeps take-off and
# landing whole.
LEAVES, TOUCHES = 0.03, 0.015
SHORTEST_S = 0.08
# Free fall in person heights per s² is 9.81 / 1.7 = 5.8; the range allows for crouching, perspective and a
# board that is pushed or held.
FREE_FALL = (3.0, 12.0)
# A ground that curves down more than this, in person heights per s², is a hill, or a flight in slow motion.
ARCHED = 0.25
BRIDGED_S = 0.25  # frames without the object, up to this long, are interpolated
LOCAL_S = 0.35  # window in which the path's acceleration is measured


def airborne(
    bottom: np.ndarray,
    centre: np.ndarray,
    apart: np.ndarray,
    height: np.ndarray,
    stretch: np.ndarray,
    times: np.ndarray,
) -> tuple[list[bool | None], np.ndarray]:
    """Whether an object is off the ground, as far as its path and its contact can tell.

    The ground under it is taken to be the path's closing in time: dips (upward excursions) shorter than 1.5 s
    are filled, slopes stay. Off the ground means higher than that by .03 person heights, and either
    accelerating like free fall or apart from the person. Left open are: any other excursion (a hump or a ramp
    ridden up and down looks like that), a fall without a ground on both sides of it, and a ground that itself
    arches (over a hill, up and down a bowl, or a long flight in slow motion). On the ground means: none of these, so
    a straight stretch of a long flight still passes for riding, and a short steep ramp for a jump. This is a
    diagnostic, not a judge. Gaps of up to 0.25 s are interpolated.

    Args:
        bottom, centre: float64 [T], y in px of the first frame, down, of the object's lowest point and of its
            centroid; nan where it isn't seen.
        apart: bool [T], the object is near the person there, but doesn't touch them.
        height: float64 [T], the person's height there, px of the first frame.
        stretch: int [T], numbers of the unbroken camera stretches; paths don't continue from one to the next.
        times: float64 [T], s.

    Returns:
        True, False or None (can't be judged) per frame; float64 [T]: height above the assumed ground in
        person heights, nan where unknown.
    """
    state: list[bool | None] = [None] * len(bottom)
    rise = np.full(len(bottom), np.nan)
    for number in np.unique(stretch):
        whole = np.flatnonzero(stretch == number)
        for span in _seen_spans(bottom, times, whole):
            y = _filled(bottom[span], times[span])
            unit = _filled(height[span], times[span])
            if len(span) < 3 or not np.isfinite(unit).all():
                continue
            ground = close_in_time(y, times[span], LONGEST_FLIGHT_S)
            rise[span] = (ground - y) / unit
            middle = _filled(centre[span], times[span])
            for t, value in zip(
                span, _judge(rise[span], ground / unit, middle / unit, apart[span], times[span]), strict=True
            ):
                state[t] = value
    return state, rise


def _seen_spans(values: np.ndarray, times: np.ndarray, whole: np.ndarray) -> list[np.ndarray]:
    """Runs of frames in which the object is never away for longer than BRIDGED_S."""
    seen = whole[np.isfinite(values[whole])]
    if not seen.size:
        return []
    breaks = np.flatnonzero(np.diff(times[seen]) > BRIDGED_S) + 1
    return [np.arange(part[0], part[-1] + 1) for part in np.split(seen, breaks)]


def _filled(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    return np.interp(times, times[known], values[known]) if known.any() else values


def close_in_time(y: np.ndarray, times: np.ndarray, span_s: float) -> np.ndarray:
    """Grey closing of a path with a flat window of `span_s`: minima narrower than it are filled, slopes stay.

    Nothing is known beyond the ends, so a minimum that reaches an end is not filled.
    """
    half = span_s / 2
    step = float(np.median(np.diff(times))) if len(times) > 1 else half
    before = times[0] - step * np.arange(int(half / step) + 1, 0, -1)
    after = times[-1] + step * np.arange(1, int(half / step) + 2)
    wide = np.concatenate([before, times, after])
    path = np.concatenate([np.full(len(before), -np.inf), y, np.full(len(after), -np.inf)])
    first = np.searchsorted(wide, wide - half - 1e-9)
    last = np.searchsorted(wide, wide + half + 1e-9)
    highest = np.array([path[a:b].max() for a, b in zip(first, last, strict=True)])
    highest[np.isneginf(highest)] = np.inf
    lowest = np.array([highest[a:b].min() for a, b in zip(first, last, strict=True)])
    return lowest[len(before) : len(before) + len(times)]


def _judge(
    rise: np.ndarray, ground: np.ndarray, middle: np.ndarray, apart: np.ndarray, times: np.ndarray
) -> list[bool | None]:
    arched = _pull(ground, times, LONGEST_FLIGHT_S) > ARCHED
    state: list[bool | None] = [None if arch else False for arch in arched]
    falling = _pull(middle, times, LOCAL_S)
    for a, b in _runs((falling >= FREE_FALL[0]) & (falling <= FREE_FALL[1])):
        if times[b - 1] - times[a] >= LOCAL_S / 2 and not (rise[a:b] > LEAVES).any():
            state[a:b] = [None] * (b - a)
    for a, b in _runs(rise > TOUCHES):
        if not (rise[a:b] > LEAVES).any():
            continue
        if times[b - 1] - times[a] < SHORTEST_S:
            state[a:b] = [False] * (b - a)
            continue
        falls = FREE_FALL[0] <= acceleration(middle[a:b], times[a:b]) <= FREE_FALL[1]
        let_go = np.count_nonzero(apart[a:b]) >= 2
        state[a:b] = [True if falls or let_go else None] * (b - a)
    return state


def _pull(path: np.ndarray, times: np.ndarray, span_s: float) -> np.ndarray:
    """float64 [T]: downward acceleration in a window of `span_s` around each time, a whole window also at the ends."""
    starts = np.clip(times - span_s / 2, times[0], max(times[-1] - span_s, times[0]))
    first = np.searchsorted(times, starts - 1e-9)
    last = np.searchsorted(times, starts + span_s + 1e-9)
    return np.array([acceleration(path[a:b], times[a:b]) for a, b in zip(first, last, strict=True)])


def acceleration(y: np.ndarray, times: np.ndarray) -> float:
    """Second derivative of the quadratic that fits a path best, in its unit per s²; 0 for fewer than 4 samples."""
    if len(y) < 4:
        return 0.0
    return float(2 * np.polyfit(times - times.mean(), y, 2)[0])


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Half-open ranges of consecutive True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))

"""Is the motion the same and on time: lag, velocity and acceleration of objects in two tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .shape import Shapes, wrapped

# How late or early a clip may be to be called that, frames.
MOST_LAG = 12
# What one frame may say against a lag at most, in noise widths: a frame on which the tracker strays decides nothing.
CAP = 6.0
# What a change of lag within the clip costs, in the same unit; about four clear frames.
SWITCH = 24.0
# A lag must explain this share of the difference, and frames in a row, to be believed.
EXPLAINED = 0.35
SHORTEST = 6


@dataclass(frozen=True)
class Lag:
    """A stretch of the generated clip that is so many frames late (+) or early (-).

    Attributes:
        start, stop: its frames in the generated clip, half-open.
        frames: generated frame t shows what the source shows at t - frames.
        explained: share of the difference to the source that goes away with the lag, 0..1: how sure it is.
        of: the object that is late, "clip" for everything.
    """

    start: int
    stop: int
    frames: int
    explained: float
    of: str = "clip"


def path_costs(
    expected: Mapping[str, Shapes],
    found: Mapping[str, Shapes],
    floors: Sequence[Mapping[str, Shapes]],
    usable: np.ndarray,
    most: int = MOST_LAG,
) -> np.ndarray:
    """How badly the paths of all objects fit at every lag.

    Every object gives its place, its size and its angle; a constant difference between the clips is a displacement,
    not a lag, and is taken out first. The unit of each is what the tracker itself gets wrong (`floors`).

    Args:
        expected, found, floors: shapes by label, of T frames each.
        usable: bool [T], frames of the generated clip that count.

    Returns:
        float64 [2 * most + 1, T]: cost of lag -most ... +most on each frame, 0..CAP on average over what is known;
        nan where nothing is.
    """
    total = len(usable)
    costs = np.zeros((2 * most + 1, total))
    weight = np.zeros((2 * most + 1, total))
    for label, own in expected.items():
        if label not in found:
            continue
        for name, least in (("x", 0.5), ("y", 0.5), ("size", 0.5), ("angle", 1.0)):
            a, b = _feature(own, name), _feature(found[label], name)
            noise = [np.abs(_difference(_feature(floor[label], name), a, name)) for floor in floors if label in floor]
            width = max(least, 1.5 * _median(np.concatenate(noise) if noise else np.zeros(0)))
            zero = _difference(b, a, name)
            constant = _median(zero[usable[: len(zero)]], signed=True)
            for row, lag in enumerate(range(-most, most + 1)):
                difference = _difference(b, delayed(a, lag), name) - constant
                if name == "angle":
                    difference = wrapped(difference)
                known = np.isfinite(difference) & usable
                costs[row, known] += np.minimum(np.abs(difference[known]) / width, CAP)
                weight[row, known] += 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0, costs / np.maximum(weight, 1), np.nan)


def delayed(values: np.ndarray, lag: int) -> np.ndarray:
    """values[t - lag] at t, nan where that is outside."""
    out = np.full(len(values), np.nan)
    if abs(lag) >= len(values):
        return out
    if lag >= 0:
        out[lag:] = values[: len(values) - lag]
    else:
        out[:lag] = values[-lag:]
    return out


def lags(costs: np.ndarray, switch: float = SWITCH) -> list[Lag]:
    """The stretches of a clip that are late or early, from the cost of every lag on every frame.

    The cheapest piecewise constant lag is found by dynamic programming; a stretch in which it doesn't explain enough
    of the difference is left out.

    Args:
        costs: float64 [2 K + 1, T] of lags -K ... K, nan where unknown.
        switch: price of a change of lag.
    """
    rows, total = costs.shape
    most = rows // 2
    # A lag that shows a frame before the first or after the last has no cost there: give it the frame's mean.
    known = np.isfinite(costs)
    mean = np.where(known.any(axis=0), np.nansum(costs, axis=0) / np.maximum(known.sum(axis=0), 1), 0.0)
    filled = np.where(known, costs, mean)
    filled[most] -= 1e-3  # of equals, the one on time
    path = cheapest_path(filled, switch) - most
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), total]
    found = []
    for start, stop in zip(edges, edges[1:], strict=False):
        lag = int(path[start]) if total else 0
        if lag == 0 or stop - start < SHORTEST:
            continue
        both = known[most, start:stop] & known[most + lag, start:stop]
        here, on_time = (costs[row, start:stop][both].sum() for row in (most + lag, most))
        explained = 1 - here / on_time if on_time > 0 else 0.0
        if explained >= EXPLAINED:
            found.append(Lag(start, stop, lag, float(explained)))
    return found


def cheapest_path(costs: np.ndarray, switch: float) -> np.ndarray:
    """int [T]: the row taken on each frame, least sum of costs [K, T] and of `switch` for every change of row."""
    rows, total = costs.shape
    came = np.zeros((total, rows), int)
    so_far = np.zeros(rows)
    for t in range(total):
        best = int(np.argmin(so_far))
        stay = so_far <= so_far[best] + switch
        came[t] = np.where(stay, np.arange(rows), best)
        so_far = np.where(stay, so_far, so_far[best] + switch) + costs[:, t]
    path = np.zeros(total, int)
    row = int(np.argmin(so_far))
    for t in range(total - 1, -1, -1):
        path[t] = row
        row = came[t, row]
    return path


def lag_of_frames(found: Sequence[Lag], total: int) -> np.ndarray:
    """int [T]: the lag of every frame."""
    frames = np.zeros(total, int)
    for lag in found:
        frames[lag.start : lag.stop] = lag.frames
    return frames


def velocity_error(expected: Shapes, found: Shapes, unit_px: np.ndarray, rate: float) -> np.ndarray:
    """float64 [T]: difference of the centres' velocities, in units per second; nan on frame 0 and where unknown."""
    return _derived_error(expected, found, unit_px, rate, 1)


def acceleration_error(expected: Shapes, found: Shapes, unit_px: np.ndarray, rate: float) -> np.ndarray:
    """float64 [T]: difference of the centres' accelerations, in units per second squared."""
    return _derived_error(expected, found, unit_px, rate, 2)


def _derived_error(expected: Shapes, found: Shapes, unit_px: np.ndarray, rate: float, order: int) -> np.ndarray:
    error = np.full(len(unit_px), np.nan)
    if len(unit_px) > order:
        x, y = (np.diff(getattr(found, axis), order) - np.diff(getattr(expected, axis), order) for axis in ("x", "y"))
        error[order:] = np.hypot(x, y) * rate**order / unit_px[order:]
    return error


def _feature(shape: Shapes, name: str) -> np.ndarray:
    if name == "size":
        return np.where(shape.visible, np.sqrt(shape.area), np.nan)
    return getattr(shape, name)


def _difference(a: np.ndarray, b: np.ndarray, name: str) -> np.ndarray:
    return wrapped(a - b) if name == "angle" else a - b


def _median(values: np.ndarray, signed: bool = False) -> float:
    values = values[np.isfinite(values)]
    return float(np.median(values if signed else np.abs(values))) if values.size else 0.0

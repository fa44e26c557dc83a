"""Is the motion the same and on time: lag, velocity and acceleration of objects in two tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .shape import Shapes, wrapped

# How late or early a clip may be to be called that, frames.
MOST_LAG = 12
# What it costs a quantity to be off by a constant instead of on time: as half its noise would.
DISPLACED = 0.4
# What a change of lag within the clip costs: about four frames that are off by ten times their noise.
SWITCH = 10.0
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
    usable: Mapping[str, np.ndarray],
    most: int = MOST_LAG,
) -> np.ndarray:
    """How badly the paths of all objects fit at every lag.

    Every object gives its place, its size and its angle. On each frame they should lie between those of the source's
    track and those that the tracker finds in harmless copies of the source (`floors`); what is beyond counts by the
    logarithm, so that neither a stray frame nor a tracker that strays for long hides which lag fits best. On time, an
    object may also be displaced, turned or larger by a constant, at a price of DISPLACED: a delay must explain more
    than a displacement does.

    Args:
        expected, found, floors: shapes by label, of T frames each.
        usable: bool [T] by label, frames of the generated clip on which that object's path counts.

    Returns:
        float64 [2 * most + 1, T]: cost of lag -most ... +most on each frame, on average over what is known; nan where
        nothing is.
    """
    total = max((len(flags) for flags in usable.values()), default=0)
    costs = np.zeros((2 * most + 1, total))
    weight = np.zeros((2 * most + 1, total))
    for label in (label for label in expected if label in found):
        copies = [floor[label] for floor in floors if label in floor]
        for name, least in (("x", 0.5), ("y", 0.5), ("size", 0.5), ("angle", 1.0)):
            path, low, high = _range_of_paths(expected[label], copies, name)
            b = _feature(found[label], name)
            width = max(least, _median(high - low))
            constant = _median(_difference(b, path, name)[usable[label]], signed=True)
            displaced = DISPLACED if abs(constant) > width else 0.0
            for row, lag in enumerate(range(-most, most + 1)):
                cost = _beyond(b, delayed(path, lag), delayed(low, lag), delayed(high, lag), name) / width
                cost = np.log1p(cost)
                if lag == 0:
                    cost = np.minimum(cost, np.log1p(_beyond(b - constant, path, low, high, name) / width) + displaced)
                known = np.isfinite(cost) & usable[label]
                costs[row, known] += cost[known]
                weight[row, known] += 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0, costs / np.maximum(weight, 1), np.nan)


def _range_of_paths(own: Shapes, copies: Sequence[Shapes], name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """float64 [T] each: a quantity on the source's track, and by how much the copies are below (<= 0) and above it."""
    path = _feature(own, name)
    off = [np.zeros(len(path)), *(_difference(_feature(copy, name), path, name) for copy in copies)]
    return path, np.fmin.reduce(off), np.fmax.reduce(off)


def _beyond(values: np.ndarray, path: np.ndarray, low: np.ndarray, high: np.ndarray, name: str) -> np.ndarray:
    """float64 [T]: by how much values leave the range path + low ... path + high."""
    off = _difference(values, path, name)
    return np.abs(off - np.clip(off, low, high))


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


def lags_by_object(costs: np.ndarray, own: Mapping[str, np.ndarray]) -> list[Lag]:
    """The stretches that are late, each of the clip, or of the one object whose path says so where another's doesn't.

    Args:
        costs: of all objects together, see `path_costs`; own: of each alone, by label.
    """
    found: list[Lag] = []
    for lag in lags(costs):
        late = [label for label, alone in own.items() if _fits(alone, lag)]
        found += [lag] if len(late) == len(own) else [replace(lag, of=label) for label in late]
    if len(own) > 1:
        for label, alone in own.items():
            taken = [lag for lag in found if lag.of in ("clip", label)]
            for lag in lags(alone):
                if not any(lag.start < other.stop and other.start < lag.stop for other in taken):
                    found.append(replace(lag, of=label))
    return sorted(found, key=lambda lag: lag.start)


def _fits(costs: np.ndarray, lag: Lag) -> bool:
    """The lag suits these paths at least as well as being on time."""
    most = len(costs) // 2
    here, on_time = (costs[row, lag.start : lag.stop] for row in (most + lag.frames, most))
    known = np.isfinite(here) & np.isfinite(on_time)
    return not known.any() or float(here[known].mean()) <= float(on_time[known].mean()) + 0.05


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

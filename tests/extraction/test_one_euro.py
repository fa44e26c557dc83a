"""The One-Euro filter: it rests what rests, follows what moves, and counts seconds and not frames."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from physics_preserver.nodes.extraction.one_euro import OneEuro

HEIGHT = 300.0  # px, the person's


def run(points: np.ndarray, times, rest_s: float = 0.15) -> np.ndarray:
    follow = OneEuro(rest_s, HEIGHT)
    return np.stack([follow(frame, time) for frame, time in zip(points, times, strict=True)])


def clock(count: int, rate: int = 30) -> list[Fraction]:
    return [Fraction(t, rate) for t in range(count)]


def test_jitter_of_a_still_point_is_cut_to_less_than_half():
    noisy = 200 + np.random.default_rng(1).normal(0, 1.5, (300, 40, 2))
    smooth = run(noisy, clock(300))
    assert smooth[30:].std(axis=0).mean() < 0.5 * noisy[30:].std(axis=0).mean()
    assert np.abs(smooth[30:].mean(axis=0) - 200).max() < 0.5


def test_a_quick_hand_is_followed_within_a_frame():
    """A hand swings half the body's height to and fro, 1.5 times a second."""
    times = clock(120)
    swing = HEIGHT / 2 * np.sin(2 * np.pi * 1.5 * np.array([float(time) for time in times]))
    points = np.stack([320 + swing, np.full(120, 200.0)], axis=1)[:, None]
    smooth = run(points, times)
    step = np.abs(np.diff(points[:, 0, 0])).max()
    assert np.abs(smooth - points)[10:].max() < step
    assert np.abs(smooth - points)[10:].max() > 0.05 * step  # it does filter


def test_one_point_does_not_move_another():
    still = np.full((60, 2, 2), 100.0)
    moving = still.copy()
    moving[:, 1] += 5.0 * np.arange(60)[:, None]
    np.testing.assert_array_equal(run(still, clock(60))[:, 0], run(moving, clock(60))[:, 0])


def test_an_absent_point_stays_absent_and_starts_anew():
    points = np.full((9, 1, 2), 50.0)
    points[4:6] = np.nan
    points[6:] = 400.0
    smooth = run(points, clock(9))
    assert np.isnan(smooth[4:6]).all() and (smooth[:4] == 50).all()
    assert (smooth[6:] == 400).all()  # not dragged along from where it was before


def test_frames_left_out_of_a_steady_movement_change_little():
    """Time counts: with every third frame missing, the lag behind a steadily moving point stays the same."""
    times = clock(180, 60)
    points = np.array([[[0.5 * HEIGHT * float(time), 80.0]] for time in times])
    kept = [t for t in range(180) if t % 3]
    even, uneven = run(points, times), run(points[kept], [times[t] for t in kept])
    lag = (points - even)[kept, 0, 0][60:]
    assert (points[kept] - uneven)[60:, 0, 0] == pytest.approx(lag, abs=0.35 * lag.max())
    frames = run(points[kept], clock(len(kept), 60))  # what counting frames would give
    assert (
        np.abs((points[kept] - frames)[60:, 0, 0] - lag).mean()
        > np.abs((points[kept] - uneven)[60:, 0, 0] - lag).mean()
    )

"""Going over from one window to the next: a step of colour is spread, and two different pictures are never mixed."""

from __future__ import annotations

import numpy as np
from physics_preserver.nodes.conditioning.seams import join


def moving(count: int, at: int = 10) -> list[np.ndarray]:
    """A white square on grey that moves right by 2 px a frame."""
    frames = [np.full((64, 96, 3), 90, np.uint8) for _ in range(count)]
    for n, frame in enumerate(frames):
        frame[20:40, at + 2 * n : at + 2 * n + 20] = 250
    return frames


def test_a_step_of_colour_is_spread_evenly() -> None:
    shown = [np.full((8, 8, 3), 100, np.uint8)] * 9
    joined, seam = join(shown, [np.full((8, 8, 3), 110, np.uint8)] * 9)
    assert [int(frame[0, 0, 0]) for frame in joined] == [101, 102, 103, 104, 105, 106, 107, 108, 109]
    assert seam.cut is None and seam.difference == 10


def test_equal_frames_stay_as_they_are() -> None:
    shown = moving(6)
    joined, seam = join(shown, shown)
    assert all(np.array_equal(a, b) for a, b in zip(joined, shown, strict=True))
    assert (seam.difference, seam.ghosts, seam.cut) == (0, 0, None)


def test_noise_of_a_decoder_is_faded() -> None:
    shown = moving(6)
    random = np.random.default_rng(0)
    made = [np.clip(frame + random.normal(4, 6, frame.shape), 0, 255).astype(np.uint8) for frame in shown]
    assert join(shown, made)[1].cut is None


def test_what_the_model_did_not_keep_is_cut_where_it_differs_least() -> None:
    shown, made = moving(6), moving(6, at=20)
    made[3] = shown[3]
    joined, seam = join(shown, made)
    assert seam.cut == 4 and "cut after 4" in seam.describe()
    expected = [*shown[:4], *made[4:]]
    assert all(np.array_equal(a, b) for a, b in zip(joined, expected, strict=True)), "some frame shows both"

"""A range that was made anew meets the clip around it: no step of colour, and nothing of what was wrong comes back."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np
import pytest
from physics_preserver.nodes.conditioning.ends import Ends
from physics_preserver.nodes.media.stills import ArrayClip

START, STOP, TOTAL = 8, 20, 28
WALL = cv2.GaussianBlur(np.random.default_rng(3).integers(30, 220, (96, 160, 3), np.uint8), (0, 0), 4) * 2 - 110


def frames(board_at: int = 20, wall: np.ndarray = WALL) -> list[np.ndarray]:
    """A board that moves right by 3 px a frame in front of a wall."""
    shown = []
    for t in range(TOTAL):
        image = np.clip(wall, 20, 230).astype(np.uint8)
        image[60:70, board_at + 3 * t : board_at + 3 * t + 24] = (230, 40, 40)
        shown.append(image)
    return shown


def generated(wrong: int = 12) -> list[np.ndarray]:
    """The clip, whose board stands too far to the right in the range."""
    return [*frames()[:START], *frames(20 + wrong)[START:STOP], *frames()[STOP:]]


def ends(clip: list[np.ndarray], start: int = START, stop: int = STOP) -> Ends:
    return Ends(ArrayClip(np.stack(clip), Fraction(24)), start, stop, len(clip))


def tinted(image: np.ndarray, gain: float, offset: tuple[float, ...]) -> np.ndarray:
    return np.clip(np.rint(image * gain + np.array(offset)), 0, 255).astype(np.uint8)


def jump(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())


@pytest.mark.parametrize(("gain", "offset"), [(1.0, (9, -6, 4)), (1.1, (0, 0, 0)), (0.9, (5, 0, -5))])
def test_a_step_of_colour_goes_away_at_both_ends_and_in_between(gain: float, offset: tuple[float, ...]) -> None:
    clip, right = generated(), frames()
    made = [tinted(image, gain, offset) for image in right[START:STOP]]
    met = ends(clip).meet(made, START, last=True)
    own = jump(clip[2], clip[3])
    for seam in ((clip[START - 1], made[0], met[0]), (clip[STOP], made[-1], met[-1])):
        around, before, after = seam
        assert jump(around, before) > own + 3 and jump(around, after) < own + 0.5
    assert max(jump(a, b) for a, b in zip(met, right[START:STOP], strict=True)) < 1


def test_colours_that_differ_at_the_two_ends_go_over_evenly() -> None:
    flat = [np.full((16, 16, 3), 100, np.uint8)] * 4
    clip = [*flat, *[np.zeros((16, 16, 3), np.uint8)] * 5, *[np.full((16, 16, 3), 120, np.uint8)] * 4]
    met = ends(clip, 4, 9).meet([np.full((16, 16, 3), 80, np.uint8)] * 5, 4, last=True)
    assert [int(image[8, 8, 0]) for image in met] == [100, 105, 110, 115, 120]


def test_what_was_wrong_does_not_come_back() -> None:
    clip, right = generated(), frames()
    met = ends(clip).meet(right[START:STOP], START, last=True)
    for one, other in zip(met, right[START:STOP], strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1, "the board of the clip would be 190 levels off"


def test_small_differences_fade_at_the_ends_and_stay_in_the_middle() -> None:
    clip, grain = frames(), np.random.default_rng(1).integers(-4, 5, (96, 160, 1))
    made = [np.clip(image + grain, 0, 255).astype(np.uint8) for image in clip[START:STOP]]
    met = ends(clip).meet(made, START, last=True)
    left = [jump(a, b) for a, b in zip(met, clip[START:STOP], strict=True)]
    assert left[0] < left[1] < left[2] < left[3] < left[5] and left[-1] < left[-2] < left[-3] < left[-4] < left[-6]
    assert left[5] > 0.9 * jump(made[5], clip[START + 5])


def test_over_a_cut_no_colours_are_matched() -> None:
    other = frames(75, 255 - WALL[:, ::-1])
    clip = [*other[:START], *frames()[START:]]
    made = [tinted(image, 1, (9, 9, 9)) for image in frames()[START:STOP]]
    met = ends(clip).meet(made, START, last=True)
    assert jump(met[5], frames()[START + 5]) < 1, "the other end says which colours are right"
    alone = [*other[:START], *frames()[START:STOP]]
    assert np.array_equal(ends(alone, START, STOP).meet(made, START, last=True)[6], made[6])


def test_several_windows_take_the_first_ones_colours_and_end_at_the_last_ones() -> None:
    clip, right = generated(), frames()
    made = [tinted(image, 1, (9, 9, 9)) for image in right[START:STOP]]
    found = ends(clip)
    met = [*found.meet(made[:7], START, last=False), *found.meet(made[7:], START + 7, last=True)]
    assert max(jump(a, b) for a, b in zip(met, right[START:STOP], strict=True)) < 1


@pytest.mark.parametrize(("start", "stop"), [(0, 9), (19, TOTAL), (0, TOTAL), (5, 6)])
def test_ranges_at_the_clips_ends_and_of_one_frame(start: int, stop: int) -> None:
    right = frames()
    offset = 0 if (start, stop) == (0, TOTAL) else 9  # with nothing around it a range stays as it is
    made = [tinted(image, 1, (offset,) * 3) for image in right[start:stop]]
    met = ends(right, start, stop).meet(made, start, last=True)
    assert max(jump(a, b) for a, b in zip(met, right[start:stop], strict=True)) < 1

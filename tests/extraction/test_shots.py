"""Cuts: found where two clips are joined, and nowhere else, in frames that are read once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from physics_preserver.nodes.extraction.shots import FLASH, Shots
from physics_preserver.nodes.media.clip import Clip
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.stills import ArrayClip

pytest.importorskip("scenedetect")


def frames(scene: Clip, start: int, stop: int) -> list[np.ndarray]:
    return [frame.image for frame in scene.read(start) if frame.index < stop]


@pytest.fixture(scope="module")
def street() -> list[np.ndarray]:
    return frames(Scene(160, 90, 30, exposures=2), 0, 30)


@pytest.fixture(scope="module")
def other() -> list[np.ndarray]:
    """Another picture altogether: stripes that move fast."""
    y, x = np.mgrid[0:90, 0:160]
    return [np.stack([(x + 9 * t) % 64 * 3, y, 255 - y], 2).astype(np.uint8) for t in range(30)]


class Counted(ArrayClip):
    """Remembers which frames were read."""

    def __init__(self, images: list[np.ndarray]):
        super().__init__(np.stack(images), Fraction(24))
        self.seen: list[int] = []

    def read(self, start: int = 0):
        for frame in super().read(start):
            self.seen.append(frame.index)
            yield frame


def test_a_join_is_a_cut_and_both_shots_are_read_whole(street, other):
    clip = Counted([*street[:12], *other[:15], *street[15:25]])
    shots = Shots(clip)
    read, start = [], 0
    while start is not None:
        read.append([frame.index for frame in shots.read(start)])
        start = shots.next_cut(start)
    assert read == [list(range(12)), list(range(12, 27)), list(range(27, 37))]
    assert shots.cuts == [12, 27]


def test_looking_for_cuts_reads_hardly_more_than_reading(street):
    clip = Counted(street)
    assert len(list(Shots(clip).read(0))) == 30
    assert len(clip.seen) <= 30 + FLASH + 1


def test_cuts_up_to_a_frame_are_known_before_it_is_tracked(street, other):
    clip = Counted([*street[:12], *other[:15]])
    shots = Shots(clip)
    shots.look_until(14)
    assert shots.cuts == [12] and max(clip.seen) <= 14 + FLASH + 1
    assert [frame.index for frame in shots.back(20, 12)] == list(range(20, 11, -1))


@pytest.mark.parametrize("long", [1, 2])
def test_a_flash_is_no_cut(street, long):
    images = [image.copy() for image in street]
    for t in range(14, 14 + long):
        images[t] = np.clip(images[t].astype(int) + 120, 0, 255).astype(np.uint8)
    shots = Shots(Counted(images))
    assert len(list(shots.read(0))) == 30 and shots.cuts == []


def test_fast_motion_and_a_whip_pan_are_no_cuts(street, other):
    rolled = [np.roll(image, 17 * t, axis=1) for t, image in enumerate(street)]
    for images in (street[::5], rolled, other):
        shots = Shots(Counted(images))
        assert len(list(shots.read(0))) == len(images) and shots.cuts == []


def test_it_can_be_switched_off(street, other):
    shots = Shots(Counted([*street[:12], *other[:15]]), look=False)
    assert len(list(shots.read(0))) == 27 and shots.cuts == []


@pytest.mark.parametrize("length", [1, 2, 5])
def test_clips_shorter_than_the_window(street, length):
    shots = Shots(Counted(street[:length]))
    assert len(list(shots.read(0))) == length
    shots.look_until(100)
    assert shots.next_cut(0) is None

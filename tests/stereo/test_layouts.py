"""Eyes are taken apart and put together without a pixel of one reaching the other."""

from fractions import Fraction

import numpy as np
import pytest
from physics_preserver.nodes.media.clip import ClipError
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.stereo.choices import SEPARATE, SIDE_BY_SIDE, TOP_BOTTOM
from physics_preserver.nodes.stereo.layouts import Layout, StereoClip


def clip(height: int, width: int, frames: int = 3, rate: int = 24, seed: int = 0) -> ArrayClip:
    images = np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), np.uint8)
    return ArrayClip(images, Fraction(rate))


@pytest.mark.parametrize("arrangement", [SIDE_BY_SIDE, TOP_BOTTOM])
@pytest.mark.parametrize("right_first", [False, True])
@pytest.mark.parametrize("size", [(8, 12), (9, 13)])
def test_both_eyes_make_the_frame_again_but_for_an_odd_middle_line(arrangement, right_first, size):
    frame = np.random.default_rng(0).integers(1, 256, (*size, 3), np.uint8)
    layout = Layout(arrangement, right_first=right_first)
    left, right = layout.split(frame)
    again = layout.join(left, right, size)
    middle = {SIDE_BY_SIDE: np.s_[:, 6], TOP_BOTTOM: np.s_[4]}[arrangement]
    odd = size[1] % 2 == 1
    if odd:
        assert not again[middle].any()
        again[middle] = frame[middle]
    assert np.array_equal(again, frame)


def test_which_half_is_which_eye():
    frame = np.zeros((4, 6), np.uint8)
    frame[:, 3:] = 9
    assert Layout().split(frame)[1].min() == 9
    assert Layout(right_first=True).split(frame)[0].min() == 9
    assert Layout(TOP_BOTTOM).split(frame.T)[1].min() == 9


def test_the_eyes_of_a_clip_have_its_times_and_nothing_of_each_other():
    both = clip(10, 20)
    stereo = StereoClip(both, Layout())
    assert stereo.eye_size == (10, 10)
    assert stereo.left.count() == 3 == stereo.expected_count()
    for frame, (left, right), alone in zip(both, stereo.pairs(), stereo.right, strict=True):
        assert (left.index, left.time) == (frame.index, frame.time) == (right.index, right.time)
        assert np.array_equal(left.image, frame.image[:, :10])
        assert np.array_equal(right.image, frame.image[:, 10:])
        assert np.array_equal(alone.image, right.image)
        assert not np.shares_memory(left.image, frame.image)
    assert [left.index for left, _ in stereo.pairs(1)] == [1, 2]


def test_pairs_decode_the_footage_once():
    both, reads = clip(4, 8), []
    read = both.read
    both.read = lambda start=0: reads.append(start) or read(start)
    assert len(list(StereoClip(both, Layout()).pairs())) == 3
    assert reads == [0]


def test_separate_files_must_belong_together():
    first, second = clip(4, 8), clip(4, 8, seed=1)
    layout = Layout(SEPARATE)
    assert StereoClip(first, layout, second).left is first
    assert StereoClip(first, Layout(SEPARATE, right_first=True), second).left is second
    with pytest.raises(ClipError, match="two clips"):
        StereoClip(first, layout)
    with pytest.raises(ClipError, match="one clip with both"):
        StereoClip(first, Layout(), second)
    with pytest.raises(ClipError, match="8x4 at 24 fps.*8x6 at 24 fps"):
        StereoClip(first, layout, clip(6, 8))
    with pytest.raises(ClipError, match="8x4 at 24 fps.*8x4 at 30 fps"):
        StereoClip(first, layout, clip(4, 8, rate=30))
    with pytest.raises(ClipError, match="ends after 2 frames"):
        list(StereoClip(first, layout, clip(4, 8, 2)).pairs())
    with pytest.raises(ClipError, match="has 3 frames.* 2: both eyes"):
        StereoClip(first, layout, clip(4, 8, 2)).require_equal_length()
    StereoClip(first, layout, second).require_equal_length()
    with pytest.raises(ClipError, match="same number"):
        list(StereoClip(clip(4, 8, 2), layout, first).pairs())


def test_a_squeezed_eye_has_wide_or_tall_pixels():
    assert [Layout(a, squeezed=True).pixel_aspect for a in (SIDE_BY_SIDE, TOP_BOTTOM)] == [2, Fraction(1, 2)]
    assert Layout().pixel_aspect == 1
    with pytest.raises(ValueError, match="full-frame"):
        Layout(SEPARATE, squeezed=True)
    with pytest.raises(ValueError, match="crossed"):
        Layout("crossed")


def test_eyes_of_the_wrong_size_are_refused_with_both_sizes():
    eye = np.zeros((4, 5), bool)
    with pytest.raises(ValueError, match="5x4.*12x4.*6x4"):
        Layout().join(eye, eye, (4, 12))
    with pytest.raises(ValueError, match="no room"):
        Layout().eye_size(4, 1)

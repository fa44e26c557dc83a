"""What a person approves: the very masks they saw, on frames from the first to the last."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from physics_preserver.nodes.media.clip import ClipError
from physics_preserver.nodes.media.scrub import Scrubber
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.prompting.approval import fingerprint, in_words, is_approved, sample_frames, samples


def square_track(frames: int = 9, size: int = 8, labels: tuple[str, ...] = ("square",)) -> Track:
    builder = TrackBuilder(labels, (48, 64), Fraction(24))
    for t in range(frames):
        masks = np.zeros((len(labels), 48, 64), bool)
        masks[0, 10 : 10 + size, 4 * t : 4 * t + size] = True
        builder.append(masks, np.ones(len(labels)))
    return builder.finish()


def test_one_pixel_a_name_or_a_frame_more_is_another_track():
    track = square_track()
    one_pixel = replace(track, packed=track.packed.copy())
    one_pixel.packed[8, 0, 47, 7] ^= 128
    others = [one_pixel, replace(track, labels=("cube",)), square_track(10), square_track(size=9)]
    marks = {fingerprint(other) for other in (track, *others)}
    assert len(marks) == 5 and all(len(mark) == 16 for mark in marks)
    assert fingerprint(square_track()) == fingerprint(replace(track, scores=track.scores / 2)) == fingerprint(track)


def test_only_the_same_fingerprint_or_always_approves():
    assert is_approved(" ab12 ", "ab12") and is_approved("Always", "ab12")
    assert not any(is_approved(answer, "ab12") for answer in ("", "ab1", "ab123", "yes", "true"))


@pytest.mark.parametrize(
    ("count", "wanted", "frames"),
    [(25, 3, [0, 12, 24]), (25, 1, [0]), (2, 5, [0, 1]), (1, 3, [0]), (100, 4, [0, 33, 66, 99])],
)
def test_frames_are_spread_from_the_first_to_the_last(count, wanted, frames):
    assert sample_frames(count, wanted) == frames


def test_pictures_have_the_mask_where_it_is():
    clip = ArrayClip(np.full((9, 48, 64, 3), 90, np.uint8), Fraction(24))
    for sample in samples(Scrubber(clip), square_track(), 3):
        seen = cv2.imdecode(np.frombuffer(sample.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert seen is not None and seen.shape == (48, 64, 3)
        changed = np.abs(seen.astype(int) - 90).max(axis=2) > 25
        inside = changed[12:16, 4 * sample.frame + 2 : 4 * sample.frame + 6]
        assert inside.all() and not changed[20:27].any()


def test_the_clip_must_be_the_one_that_was_tracked():
    clip = ArrayClip(np.zeros((9, 24, 32, 3), np.uint8), Fraction(24))
    with pytest.raises(ClipError, match="images is 32x24, its track 64x48: connect the clip that was tracked"):
        samples(Scrubber(clip), square_track(), 1)


def test_words_count_the_frames_on_which_an_object_is_there():
    track = square_track(labels=("square", "board"))
    assert in_words(track, False) == "Waiting for approval: square on 9 of 9 frames; board on 0 of 9 frames"
    assert in_words(track, True).startswith("Approved: square")

"""Prompts on several frames, cuts, and corrections, through the embedded tracker and clips with known truth."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from physics_preserver.nodes.extraction.detection import Detection
from physics_preserver.nodes.extraction.tracking import Point, Prompt, PromptError, track
from physics_preserver.nodes.media.clip import Frame
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import Track
from physics_preserver.nodes.validation.region import mask_jaccard

H, W, N = 96, 128, 24
LANE = 34  # px from one lane to the next
RED, BLUE = (200, 40, 40), (40, 60, 200)


def square(t: int, lane: int, start: int = 0) -> np.ndarray:
    """A 24 px square that moves 3 px a frame along its lane; gone before frame `start`."""
    mask = np.zeros((H, W), bool)
    if t >= start:
        mask[10 + LANE * lane : 34 + LANE * lane, 5 + 3 * t : 29 + 3 * t] = True
    return mask


def ground(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    base = (90, 130, 90) if seed == 0 else (210, 190, 60)
    return np.clip(np.array(base) + rng.normal(0, 12, (H, W, 1)), 0, 255).astype(np.uint8)


def frames(starts=(0, 0), seed: int = 0, count: int = N) -> list[np.ndarray]:
    images = []
    for t in range(count):
        image = ground(seed).copy()
        for lane, colour in enumerate((RED, BLUE)):
            image[square(t, lane, starts[lane])] = colour
        images.append(image)
    return images


def clip_of(images: list[np.ndarray]) -> ArrayClip:
    return ArrayClip(np.stack(images), Fraction(24))


def overlap(found: Track, label: str, lane: int, span: range, shift: int = 0) -> float:
    """The worst frame's J against the truth."""
    return min(float(mask_jaccard(found.mask(t, label), square(t - shift, lane))) for t in span)


def click(label: str, frame: int, lane: int, positive: bool = True, shift: int = 0) -> Prompt:
    return Prompt(label, frame, points=(Point(5 + 3 * (frame - shift) + 12, 22 + LANE * lane, positive),))


def test_objects_shown_on_different_frames_are_tracked_both_ways():
    found = track(clip_of(frames()), [click("red", 4, 0), click("blue", 17, 1)])
    assert found.labels == ("red", "blue") and len(found) == N and found.warnings == []
    assert overlap(found, "red", 0, range(N)) > 0.8 and overlap(found, "blue", 1, range(N)) > 0.8
    assert found.scores[4, 0] == 1 and found.scores[17, 1] == 1
    assert found.times == [Fraction(t, 24) for t in range(N)]
    assert not any(np.logical_and(*found.masks(t)).any() for t in range(N))


def test_an_object_that_appears_late_is_empty_before():
    found = track(clip_of(frames(starts=(0, 10))), [click("red", 0, 0), click("blue", 15, 1)])
    assert overlap(found, "blue", 1, range(10, N)) > 0.8
    assert not found.packed[:9, 1].any() and not found.scores[:9, 1].any()


def test_a_second_prompt_puts_right_what_the_first_one_lost():
    """On frame 10 the red square jumps by 40 px, which motion does not explain; a click on frame 16 shows where."""
    images = [ground(0).copy() for _ in range(N)]
    truth = []
    for t, image in enumerate(images):
        x = 5 + t if t < 10 else 60 + t
        mask = np.zeros((H, W), bool)
        mask[30:54, x : x + 24] = True
        truth.append(mask)
        image[mask] = RED
    both = track(clip_of(images), [Prompt("red", 0, mask=truth[0]), Prompt("red", 16, points=(Point(88.0, 42.0),))])
    worst = {t: float(mask_jaccard(both.mask(t, "red"), truth[t])) for t in range(N)}
    assert min(score for t, score in worst.items() if t != 9) > 0.7, worst  # 9 is nearer to 16, beyond the jump


def test_nothing_is_carried_over_a_cut():
    images = [*frames(count=12), *frames(seed=1, count=12)]
    found = track(clip_of(images), [click("red", 3, 0)])
    assert overlap(found, "red", 0, range(12)) > 0.8
    assert not found.packed[12:].any() and not found.scores[12:].any()
    assert found.warnings == [
        "cut at frame 12: red lost; choose a detector, or show them again with a prompt in this shot"
    ]
    carried = track(clip_of(images), [click("red", 3, 0)], cuts=False)
    assert carried.warnings == []


def test_a_prompt_behind_a_cut_is_tracked_in_its_own_shot():
    images = [*frames(count=12), *frames(seed=1, count=12)]
    found = track(clip_of(images), [click("red", 0, 0), click("red", 20, 0, shift=12)])
    assert overlap(found, "red", 0, range(12)) > 0.8
    assert overlap(found, "red", 0, range(12, 24), shift=12) > 0.8 and found.warnings == []
    late = track(clip_of(images), [click("red", 20, 0, shift=12)])
    assert not late.packed[:12].any() and "before the cut at frame 12: red lost" in late.warnings[0]


def detector_of(images: list[np.ndarray], score: float = 0.9):
    """Names the red square a person and the blue one a skateboard, wherever they are."""

    def detect(image: np.ndarray) -> list[Detection]:
        found = []
        for label, colour in (("person", RED), ("skateboard", BLUE)):
            y, x = np.nonzero((image == np.array(colour, np.uint8)).all(2))
            if len(x):
                box = (float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1))
                found.append(Detection(label, score, box, "test"))
        return found

    return detect


def test_the_detector_takes_up_again_what_a_cut_ended_and_says_why():
    images = [*frames(count=12), *frames(seed=1, count=12)]
    prompts = [click("person", 0, 0), click("skateboard", 0, 1)]
    found = track(clip_of(images), prompts, detector_of(images))
    for lane, label in enumerate(found.labels):
        assert overlap(found, label, lane, range(12)) > 0.8
        assert overlap(found, label, lane, range(12, 24), shift=12) > 0.8
    assert found.warnings == [
        f"cut at frame 12: {label} taken up again on frame 12 by the detector (score 0.90)" for label in found.labels
    ]
    unsure = track(clip_of(images), prompts, detector_of(images, 0.2))
    assert not unsure.packed[12:].any() and "the detector is sure of none in 24 frames" in unsure.warnings[0]


def test_a_correction_keeps_what_was_before_it_bit_for_bit():
    clip = clip_of(frames())
    wrong = square(0, 0) | square(0, 1)
    first = track(clip, [Prompt("red", 0, mask=wrong)])
    assert mask_jaccard(first.mask(12, "red"), square(12, 0)) < 0.7
    corrected = track(clip, [click("red", 8, 1, positive=False)], previous=first)
    assert np.array_equal(corrected.packed[:8], first.packed[:8])
    assert np.array_equal(corrected.scores[:8], first.scores[:8])
    assert overlap(corrected, "red", 0, range(8, N)) > 0.8
    assert len(corrected) == N and corrected.times == first.times


def test_a_correction_leaves_the_other_objects_and_adds_new_ones():
    clip = clip_of(frames())
    first = track(clip, [click("red", 0, 0)])
    more = track(clip, [click("blue", 12, 1)], previous=first)
    assert more.labels == ("red", "blue")
    assert np.array_equal(more.packed[:, 0], first.packed[:, 0])
    assert overlap(more, "blue", 1, range(N)) > 0.8
    swallowed = track(clip, [Prompt("red", 10, mask=square(10, 0) | square(10, 1))], previous=more)
    assert np.array_equal(swallowed.packed[:10], more.packed[:10])
    assert not swallowed.mask(10, "blue").any() and not np.logical_and(*swallowed.masks(14)).any()


def test_a_correction_ends_with_its_shot():
    images = [*frames(count=12), *frames(seed=1, count=12)]
    first = track(clip_of(images), [click("red", 0, 0), click("red", 15, 0, shift=12)])
    again = track(clip_of(images), [Prompt("red", 5, mask=square(5, 1))], previous=first)
    assert overlap(again, "red", 1, range(5, 12)) > 0.8
    assert np.array_equal(again.packed[12:], first.packed[12:]) and np.array_equal(again.packed[:5], first.packed[:5])


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([click("red", 24, 0)], "24 frames, counted from 0; a prompt is on frame 24"),
        ([click("red", 3, 0), click("red", 3, 1)], "'red' is shown twice on frame 3"),
        ([Prompt("red", -1, box=(1, 1, 9, 9))], "on frame -1"),
        ([click("red", 3, 0, positive=False)], "'red' has only negative points"),
        ([], "nothing to track"),
    ],
)
def test_prompts_that_make_no_sense_are_named(prompts, message):
    with pytest.raises(PromptError, match=message):
        track(clip_of(frames()), prompts)


def test_a_track_of_another_clip_is_not_corrected():
    first = track(clip_of(frames(count=4)), [click("red", 0, 0)])
    with pytest.raises(PromptError, match="the track to correct has 4 frames of 128x96, images has 24 of 128x96"):
        track(clip_of(frames()), [click("red", 0, 0)], previous=first)


def test_one_frame_and_odd_sizes():
    found = track(clip_of([frames()[0][:95, :121]]), [click("red", 0, 0)])
    assert found.packed.shape == (1, 1, 95, 16) and mask_jaccard(found.mask(0, "red"), square(0, 0)[:95, :121]) > 0.8


def test_soft_logits_need_sam():
    found = track(clip_of(frames(count=2)), [click("red", 0, 0)], soft=True)
    assert found.soft is None and "only SAM 2.1" in found.warnings[0]


def test_uneven_times_survive_both_passes():
    class Uneven(ArrayClip):
        def read(self, start=0):
            for frame in super().read(start):
                yield Frame(frame.index, Fraction(frame.index**2, 24), frame.image)

    found = track(Uneven(np.stack(frames(count=9)), Fraction(24)), [click("red", 5, 0)])
    assert found.times == [Fraction(t**2, 24) for t in range(9)] and overlap(found, "red", 0, range(9)) > 0.8

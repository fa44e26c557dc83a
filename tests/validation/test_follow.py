"""A source of several shots: the tracker is shown the objects anew in each, and none is followed over a cut."""

from fractions import Fraction

import numpy as np
import pytest
from clips_of_colour import ColourTracker
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.validation.follow import follow
from physics_preserver.nodes.validation.validate import validate

pytest.importorskip("scenedetect", reason="cuts are found by PySceneDetect")

SIZE, CUT, FRAMES = (96, 160), 24, 48
RATE = Fraction(24)


def mask(t: int, x: int = 0) -> np.ndarray:
    """bool [96, 160]: a board; in the second shot elsewhere and going the other way."""
    left, top = (10 + 2 * t, 40) if t < CUT else (120 - 2 * (t - CUT), 70)
    out = np.zeros(SIZE, bool)
    out[top : top + 10, left + x : left + x + 30] = True
    return out


def clip(masks: list[np.ndarray]) -> ArrayClip:
    """The board is red on dark grey, in the second shot green on a lighter one: nothing of the first is there."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    images = np.zeros((len(masks), *SIZE, 3), np.uint8)
    for t, one in enumerate(masks):
        first = t < CUT
        images[t] = (20 + columns // 4 if first else 90 + rows // 3)[..., None]
        images[t][one] = (255, 0, 0) if first else (0, 255, 0)
    return ArrayClip(images, RATE)


def track(masks: list[np.ndarray]) -> Track:
    builder = TrackBuilder(("board",), SIZE, RATE, "source", "truth")
    for one in masks:
        builder.append(one[None], np.array([one.any()], np.float32))
    return builder.finish()


TRUTH = [mask(t) for t in range(FRAMES)]


def test_every_shot_is_tracked_from_its_own_first_frame_and_that_frame_is_not_judged():
    tracker = ColourTracker()
    report = validate(track(TRUTH), clip(TRUTH), clip(TRUTH), tracker).report
    assert report["verdict"] == "passed" and report["coverage"] == 1
    assert [frame for frame, _ in tracker.shown] == [0, 0] * 3, "in each shot of the clip and of two copies"
    for (_, first), (_, second) in zip(tracker.shown[::2], tracker.shown[1::2], strict=True):
        assert np.array_equal(first["board"], TRUTH[0]) and np.array_equal(second["board"], TRUTH[CUT])
    shown = [(part["start"], part["stop"]) for part in report["not_judged"]]
    assert shown == [(0, 1), (CUT, CUT + 1)]
    assert [t for t, score in enumerate(report["all_scores"]) if score is None] == [0, CUT]


def test_a_fault_behind_a_cut_is_found_where_it_is():
    moved = [mask(t, 8 if t > 30 else 0) for t in range(FRAMES)]
    report = validate(track(TRUTH), clip(TRUTH), clip(moved), ColourTracker()).report
    [cause] = report["causes"]
    assert (report["verdict"], cause["name"], cause["stop"]) == ("failed", "shifted", FRAMES)
    assert abs(cause["start"] - 31) <= 2 and "px too far right" in cause["text"]


def test_a_shot_without_the_object_is_followed_by_none_and_a_short_clip_as_far_as_it_goes():
    empty = np.zeros(SIZE, bool)
    absent = [empty if t < CUT else one for t, one in enumerate(TRUTH)]
    tracker = ColourTracker()
    followed = follow(clip(absent), track(absent), ["board"], tracker, [CUT])
    assert len(tracker.shown) == 1 and [each.frame for each in followed.shown] == [CUT]
    assert [bool(followed.track.mask(t, "board").any()) for t in range(FRAMES)] == [False] * CUT + [True] * CUT
    short = follow(clip(TRUTH[: CUT - 4]), track(TRUTH), ["board"], tracker, [CUT])
    assert len(short.track) == CUT - 4 and [each.frame for each in short.shown] == [0]
    longer = follow(clip([*TRUTH, TRUTH[-1]]), track(TRUTH), ["board"], tracker, [CUT])
    assert len(longer.track) == FRAMES + 1

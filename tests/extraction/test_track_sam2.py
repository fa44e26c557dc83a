"""SAM 2.1 through `track`: the official predictor's masks, both ways, with prompts of all kinds, corrections and cuts.

The network is small and random: what is compared is what the streaming predictor or the official one make of it.
"""

from __future__ import annotations

import gc
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sam2", reason="the sam2 package is not installed")

from physics_preserver.nodes.extraction.detection import Detection  # noqa: E402
from physics_preserver.nodes.extraction.sam2_masks import masks_from_logits  # noqa: E402
from physics_preserver.nodes.extraction.sam2_model import SAM2Model, place  # noqa: E402
from physics_preserver.nodes.extraction.sam2_stream import SAM2Stream  # noqa: E402
from physics_preserver.nodes.extraction.tracking import Point, Prompt, prompt_masks, track  # noqa: E402
from physics_preserver.nodes.media.exchange import from_socket, to_socket  # noqa: E402
from physics_preserver.nodes.media.stills import ArrayClip  # noqa: E402
from sam2_nets import official, scene  # noqa: E402

FRAMES = 20


@cache
def model() -> SAM2Model:
    return place(official(), "small SAM 2.1")


@cache
def clip() -> ArrayClip:
    return ArrayClip(np.stack(list(scene(FRAMES))), Fraction(24))


SIZE = clip().height, clip().width
BOX = (30.0, 30.0, 80.0, 80.0)


def bar() -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[10:25, 60:90] = True
    return mask


ALL_KINDS = [
    Prompt("box", 6, box=BOX),
    Prompt("mask", 6, mask=bar()),
    Prompt("points", 12, points=(Point(70, 20), Point(10, 10, False))),
    Prompt("box", 15, points=(Point(70, 50),)),
]


@cache
def tracked() -> Any:
    return track(clip(), ALL_KINDS, model=model(), soft=True)


def streamed(reverse_from: int, forward_from: int) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """The same prompts straight into the streaming predictor, whose parity with the official one has its own tests."""
    images = [frame.image for frame in clip()]
    with SAM2Stream(model(), SIZE, 3, FRAMES) as stream:
        stream.prompt(6, images[6], 0, box=BOX)
        stream.prompt(6, images[6], 1, mask=bar())
        stream.prompt(
            12, images[12], 2, points=np.array([[70, 20], [10, 10]], np.float32), positive=np.array([True, False])
        )
        stream.prompt(15, images[15], 0, points=np.array([[70, 50]], np.float32), positive=np.array([True]))
        back = {t: stream.step(t, images[t], True)[0] for t in range(reverse_from, -1, -1)}
        stream.restart()
        forth = {t: stream.step(t, images[t])[0] for t in range(forward_from, FRAMES)}
    return back, forth


def test_soft_logits_are_the_stream_s_from_the_right_direction():
    back, forth = streamed(12, 6)
    soft = tracked().soft
    assert soft is not None and soft.dtype == np.float16 and soft.shape == (FRAMES, 3, 32, 32)
    for n, first in enumerate((6, 6, 12)):
        for t in range(FRAMES):
            expected = (back if t < first else forth)[t][n]
            assert np.allclose(soft[t, n], np.clip(expected, -32, 32), atol=0.02), (n, t)


def test_masks_are_the_logits_at_the_clips_size_without_overlap():
    _, forth = streamed(12, 6)
    found = tracked()
    assert found.labels == ("box", "mask", "points") and found.mask_size == SIZE and len(found) == FRAMES
    for t in range(13, FRAMES):
        assert np.array_equal(found.masks(t), masks_from_logits(forth[t], SIZE)), t
        large = [torch.nn.functional.interpolate(torch.from_numpy(low)[None, None], SIZE, mode="bilinear")[0, 0].numpy()
                 for low in forth[t]]  # fmt: skip
        inside = np.argmax(large, axis=0)
        ours = found.masks(t)
        official_masks = np.stack([(inside == n) & (np.max(large, axis=0) > 0) for n in range(3)])
        assert np.count_nonzero(ours != official_masks) <= 0.002 * ours[0].size
    assert all(not (found.masks(t).sum(axis=0) > 1).any() for t in range(FRAMES))


def test_a_mask_that_was_given_comes_out_as_it_is():
    assert np.array_equal(tracked().mask(6, "mask"), bar())


def test_scores_and_absence():
    found = tracked()
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    empty = found.areas() == 0
    assert (found.soft[empty] <= 0).all()


def test_soft_logits_pass_through_the_socket_and_two_tracks_share_nothing():
    again = from_socket(to_socket(tracked()))
    assert again.soft is tracked().soft
    without = track(clip(), ALL_KINDS, model=model())
    assert without.soft is None and np.array_equal(without.packed, tracked().packed)


def test_the_first_mask_can_be_seen_before_tracking():
    prompts = [Prompt("box", 6, box=BOX), Prompt("mask", 6, mask=bar())]
    shown = prompt_masks(clip().frame(6).image, prompts, model())
    found = track(clip(), prompts, model=model())
    assert np.array_equal(shown, found.masks(6)) and np.array_equal(shown[1], bar())


def test_a_correction_keeps_the_frames_before_and_the_other_objects():
    first = tracked()
    changed = track(clip(), [Prompt("mask", 10, mask=np.roll(bar(), 30, 0))], model=model(), previous=first, soft=True)
    assert np.array_equal(changed.packed[:10], first.packed[:10])
    assert np.array_equal(changed.scores[:10], first.scores[:10])
    assert np.array_equal(changed.mask(10, "mask"), np.roll(bar(), 30, 0))
    assert not np.array_equal(changed.packed[10:, 1], first.packed[10:, 1])
    corrected = np.stack([changed.mask(t, "mask") for t in range(FRAMES)])
    for n in (0, 2):
        before = np.stack([first.masks(t)[n] for t in range(FRAMES)])
        after = np.stack([changed.masks(t)[n] for t in range(FRAMES)])
        assert np.array_equal(after[10:], before[10:] & ~corrected[10:])
        assert changed.soft is not None and np.array_equal(changed.soft[:, n], first.soft[:, n])
    assert changed.soft is not None and np.array_equal(changed.soft[:10], first.soft[:10])


def test_a_click_corrects_the_mask_that_was_there_and_what_was_approved_is_remembered(monkeypatch):
    asked: list[tuple[int, bool, bool]] = []
    prompt = SAM2Stream.prompt

    def noted(self, t, image, obj, **given):
        if obj == 1:
            asked.append((t, given["mask"] is not None, given["points"] is not None))
        return prompt(self, t, image, obj, **given)

    monkeypatch.setattr(SAM2Stream, "prompt", noted)
    first = tracked()
    seen = np.flatnonzero(first.areas()[:10, 1])
    track(clip(), [Prompt("mask", 10, points=(Point(5, 5, False),))], model=model(), previous=first)
    approved = sorted({int(seen[0]), int(seen[-1])})
    assert asked == [*((t, True, False) for t in approved), (10, True, True)]


def test_many_prompts_are_all_given_out_as_they_were():
    """More than are kept in memory at once, and a backward pass over them."""
    masks = {t: np.roll(bar(), t, axis=0) for t in range(2, 18)}
    prompts = [Prompt("a", t, mask=mask) for t, mask in masks.items()] + [Prompt("b", 19, box=BOX)]
    found = track(clip(), prompts, model=model(), soft=True)
    assert found.soft is not None
    for t, mask in masks.items():
        assert set(np.unique(np.abs(found.soft[t, 0])).tolist()) & {10.0}, f"frame {t} was tracked, not prompted"
        assert np.array_equal(found.mask(t, "a") | found.mask(t, "b"), mask | found.mask(t, "b")), t
        alone = mask & ~found.mask(t, "b")
        assert np.array_equal(found.mask(t, "a") & alone, alone), t


def test_a_lost_object_is_prompted_again_by_a_sure_detector(monkeypatch):
    """The network is made to see nothing after frame 3."""
    step = SAM2Stream.step
    prompted: list[int] = []
    prompt = SAM2Stream.prompt

    def blind(self, t, image, reverse=False):
        logits, scores = step(self, t, image, reverse)
        if t > 3:
            logits[:] = -1024
        return logits, scores

    def noted(self, t, image, obj, **given):
        prompted.append(t)
        return prompt(self, t, image, obj, **given)

    monkeypatch.setattr(SAM2Stream, "step", blind)
    monkeypatch.setattr(SAM2Stream, "prompt", noted)
    near = (60.0, 8.0, 92.0, 28.0)
    for score, expected in ((0.9, [0, 16]), (0.3, [0])):
        prompted.clear()
        sees = [Detection("person", score, near, "test")]
        track(clip(), [Prompt("person", 0, mask=bar())], lambda _, sees=sees: sees, model())
        assert prompted[: len(expected)] == expected and (len(prompted) > 1) == (score > 0.5)


def test_runs_leave_nothing_behind_also_when_they_fail(monkeypatch):
    import weakref

    streams: list[Any] = []
    begin = SAM2Stream.__init__

    def watched(self, *of, **more):
        begin(self, *of, **more)
        streams.append(weakref.ref(self))

    monkeypatch.setattr(SAM2Stream, "__init__", watched)
    track(clip(), ALL_KINDS[:1], model=model())

    class Broken(ArrayClip):
        def read(self, start=0):
            for frame in super().read(start):
                if frame.index == 13:
                    raise KeyboardInterrupt
                yield frame

    with pytest.raises(KeyboardInterrupt):
        track(Broken(np.stack(list(scene(FRAMES))), Fraction(24)), ALL_KINDS[:1], model=model())
    gc.collect()
    assert len(streams) == 2
    alive = [stream() for stream in streams if stream() is not None]
    assert all(stream._net is None and not stream._memories for stream in alive)

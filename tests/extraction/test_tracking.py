"""Driving a tracker through a clip: both ways from the prompt, every frame once, prompts that make sense."""

from fractions import Fraction

import numpy as np
import pytest
from physics_preserver.nodes.extraction import followers
from physics_preserver.nodes.extraction.detection import Detection
from physics_preserver.nodes.extraction.tracking import Point, Prompt, PromptError, prompt_masks, track
from physics_preserver.nodes.media.stills import ArrayClip


def clip_of(frames: int) -> ArrayClip:
    """40x60 frames whose grey level is their number, with a bright block that steps one px to the right each frame."""
    images = np.zeros((frames, 40, 60, 3), np.uint8)
    for t in range(frames):
        images[t] = t
        images[t, 10:20, 5 + t : 15 + t] = 200
    return ArrayClip(images, Fraction(24))


class Bright:
    """Stands in for a tracker: the object is what is bright; it writes down the frames it is given."""

    seen: list[list[int]] = []
    boxes: list = []

    def __init__(self, image, masks):
        self.seen.append([int(image[0, 0, 0])])

    def step(self, image, boxes=None):
        self.seen[-1].append(int(image[0, 0, 0]))
        self.boxes.append(boxes)
        return (image[None, ..., 0] > 100), np.array([0.5])


@pytest.fixture
def bright(monkeypatch) -> type[Bright]:
    monkeypatch.setattr(followers, "EmbeddedTracker", Bright)
    monkeypatch.setattr(Bright, "seen", [])
    monkeypatch.setattr(Bright, "boxes", [])
    return Bright


def block(t: int) -> np.ndarray:
    mask = np.zeros((40, 60), bool)
    mask[10:20, 5 + t : 15 + t] = True
    return mask


@pytest.mark.parametrize("anchor", [0, 4, 9])
def test_every_frame_is_tracked_away_from_the_anchor(bright, anchor):
    result = track(clip_of(10), [Prompt("a", anchor, mask=block(anchor))])
    assert len(result) == 10
    for t in range(10):
        assert np.array_equal(result.mask(t, "a"), block(t)), f"frame {t} is out of order"
    back, forth = list(range(anchor, -1, -1)), list(range(anchor, 10))
    assert bright.seen == ([back, forth] if anchor else [forth])
    assert result.scores[anchor, 0] == 1 and (np.delete(result.scores[:, 0], anchor) == 0.5).all()
    assert result.times == [Fraction(t, 24) for t in range(10)]


def test_a_frame_behind_the_end_is_refused(bright):
    with pytest.raises(PromptError, match="10 frames, counted from 0; a prompt is on frame 10"):
        track(clip_of(10), [Prompt("a", 10, mask=block(0))])


def test_the_detector_guides_only_objects_it_can_name(bright):
    def detector(image):
        return [Detection("skateboard", 0.9, (5, 10, 16, 21), "yolox")]

    track(clip_of(3), [Prompt("skateboard", mask=block(0))], detector=detector)
    assert bright.boxes == [[(5, 10, 16, 21)]] * 2
    bright.boxes.clear()
    track(clip_of(3), [Prompt("hoverboard", mask=block(0))], detector=detector)
    assert bright.boxes == [None, None]


def test_prompts_never_overlap_and_the_exact_one_wins():
    image = np.zeros((40, 60, 3), np.uint8)
    small, large = block(0), np.zeros((40, 60), bool)
    large[5:35, 2:50] = True
    masks = prompt_masks(image, [Prompt("a", mask=small), Prompt("b", mask=large)])
    assert np.array_equal(masks[0], small) and np.array_equal(masks[1], large & ~small)
    image[10:20, 5:15] = 200
    masks = prompt_masks(image, [Prompt("person", box=(2, 5, 50, 35)), Prompt("board", mask=small)])
    assert np.array_equal(masks[1], small) and not (masks[0] & masks[1]).any()


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([], "nothing to track"),
        ([Prompt("a", box=(1, 1, 9, 9)), Prompt("a", box=(20, 1, 29, 9))], "label of its own"),
        ([Prompt("a")], "neither a box nor points nor a mask"),
        ([Prompt("a", points=(Point(5, 5, False),))], "'a' has only negative points"),
        ([Prompt("a", points=(Point(60, 5),))], "the point 60, 5 for 'a' is not inside 60x40"),
        ([Prompt("a", points=(Point(5, -1),))], "the point 5, -1 for 'a' is not inside 60x40"),
        ([Prompt("a", mask=np.zeros((40, 60), bool))], "covers nothing"),
        ([Prompt("a", mask=np.ones((40, 64), bool))], "is 64x40, the clip 60x40"),
        ([Prompt("a", box=(70, 1, 90, 9))], "not inside 60x40"),
    ],
)
def test_prompts_that_make_no_sense_are_named(prompts, message):
    with pytest.raises(PromptError, match=message):
        prompt_masks(np.zeros((40, 60, 3), np.uint8), prompts)

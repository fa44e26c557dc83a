"""The right eye from the left eye, checked: what fails is flagged or done again."""

import numpy as np
import pytest
from physics_preserver.nodes.stereo.choices import FLAG, REPROCESS
from physics_preserver.nodes.stereo.eyes import MasterSlave
from physics_preserver.nodes.stereo.rig import Rig
from physics_preserver.nodes.validation.region import mask_jaccard
from vr_scene import Person, Pole, StereoScene

SIZE = (384, 384)


def frame(scene: StereoScene, t: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return scene.view(t, False).image, scene.view(t, True).image, scene.masks(t, False)


def test_good_frames_pass_and_have_the_same_people():
    scene = StereoScene([Person(1.0, -30), Person(1.5, 25)], size=SIZE)
    eyes = MasterSlave(Rig(scene.projection, SIZE))
    for t in (0, 3):
        done = eyes.frame(t, *frame(scene, t))
        assert not done.failed.any()
        assert done.s_iou.min() > 0.92
        assert [mask_jaccard(a, b) > 0.95 for a, b in zip(done.masks, scene.masks(t, True), strict=True)] == [True] * 2


def test_a_right_eye_that_shows_something_else_is_flagged():
    scene = StereoScene([Person(1.0)], size=SIZE)
    left, _, masks = frame(scene, 0)
    noise = np.random.default_rng(0).integers(0, 256, left.shape, np.uint8)
    for choice in (FLAG, REPROCESS):
        assert MasterSlave(Rig(scene.projection, SIZE), on_failure=choice).frame(0, left, noise, masks).failed[0]


def test_eyes_that_do_not_stand_level_fail_along_rows_and_are_saved_by_matching_in_two_dimensions():
    scene = StereoScene([Person(0.9)], size=SIZE, shift_rows=6)
    rig, picture = Rig(scene.projection, SIZE), frame(scene, 0)
    flagged = MasterSlave(rig, 0.95, FLAG).frame(0, *picture)
    again = MasterSlave(rig, 0.95, REPROCESS).frame(0, *picture)
    truth = scene.masks(0, True)[0]
    assert flagged.failed[0]
    assert again.again[0]
    assert mask_jaccard(again.masks[0], truth) > mask_jaccard(flagged.masks[0], truth) + 0.01


def test_the_right_eyes_tracker_is_asked_on_every_kth_frame():
    scene, asked = StereoScene([Person(1.5, 10)], [Pole(0.8, 12)], size=SIZE), []

    def own(t: int, image: np.ndarray, masks: np.ndarray) -> np.ndarray:
        asked.append(t)
        return scene.masks(t, True)

    eyes = MasterSlave(Rig(scene.projection, SIZE), own=own, every=2)
    for t in range(4):
        eyes.frame(t, *frame(scene, t))
    assert asked == [0, 2]


def test_nobody_in_the_picture_is_no_failure():
    scene = StereoScene([], size=SIZE)
    left, right = (scene.view(0, eye).image for eye in (False, True))
    eyes = MasterSlave(Rig(scene.projection, SIZE))
    assert not eyes.frame(0, left, right, np.zeros((2, *SIZE), bool)).failed.any()
    assert eyes.frame(0, left, right, np.zeros((0, *SIZE), bool)).masks.shape == (0, *SIZE)


def test_what_can_not_be_chosen_is_refused():
    rig = Rig(StereoScene([]).projection, SIZE)
    with pytest.raises(ValueError, match="1.5"):
        MasterSlave(rig, 1.5)
    with pytest.raises(ValueError, match="ignore"):
        MasterSlave(rig, on_failure="ignore")

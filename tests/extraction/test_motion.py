"""Motion: the camera's motion against an exact one, and proposals of what moves in made-up and rendered clips."""

import cv2
import numpy as np
import pytest
from physics_preserver.nodes.extraction.detection import box_iou, box_overlap
from physics_preserver.nodes.extraction.motion import MotionDetector
from physics_preserver.nodes.extraction.stabilise import CameraEstimator, accumulate, camera_motion
from physics_preserver.nodes.media.scene import Scene

SIZE = (240, 320)


def texture(height, width, seed):
    """A smooth random picture, uint8 [H, W, 3]."""
    noise = np.random.default_rng(seed).standard_normal((height, width, 3)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.clip(128 + 45 * noise / noise.std(), 0, 255).astype(np.uint8)


WALL, COAT = texture(500, 900, 0), texture(60, 40, 1)


def view(t, boxes, pan=3.0):
    """The wall seen by a panning camera, with coats at `boxes` in front of it."""
    image = cv2.getRectSubPix(WALL, SIZE[::-1], (300 + pan * t, 250 + 0.5 * t))
    for x, y, width, height in boxes:
        image[y : y + height, x : x + width] = cv2.resize(COAT, (width, height))
    return image


def test_a_panning_wall_alone_proposes_nothing():
    assert MotionDetector().over(view(t, []) for t in range(8)) == [[]] * 8


def test_a_still_picture_or_a_blank_one_proposes_nothing():
    assert MotionDetector().over([view(0, [])] * 5) == [[]] * 5
    assert MotionDetector().over([np.full((240, 320, 3), 90, np.uint8)] * 5) == [[]] * 5
    assert MotionDetector().over([]) == []


def test_what_moves_against_the_pan_is_found_in_every_frame():
    """It stands still in the picture while the wall passes: only against the background does it move."""
    frames = MotionDetector().over(view(t, [(140, 90, 40, 60)]) for t in range(10))
    for found in frames:
        (thing,) = found
        assert thing.source == "motion" and thing.label == "moving 1" and 0 < thing.score <= 1
        assert box_iou(thing.box, (140, 90, 180, 150)) > 0.6


def test_two_things_keep_their_names_and_one_that_flashes_up_gets_none():
    def boxes(t):
        large, small = (20 + 6 * t, 40, 60, 90), (250 - 4 * t, 180, 24, 30)
        return [large, small, (140, 60, 40, 40)] if t == 4 else [large, small]

    frames = MotionDetector().over(view(t, boxes(t), pan=0.0) for t in range(10))
    for t, found in enumerate(frames):
        named = {item.label: item for item in found}
        assert set(named) == {"moving 1", "moving 2"}
        for label, (x, y, width, height) in zip(("moving 1", "moving 2"), boxes(t), strict=False):
            assert box_iou(named[label].box, (x, y, x + width, y + height)) > 0.4


def test_called_frame_by_frame_it_is_a_detector():
    detector = MotionDetector()
    assert detector(view(0, [(140, 90, 40, 60)])) == []
    (found,) = detector(view(1, [(140, 90, 40, 60)]))
    assert box_iou(found.box, (140, 90, 180, 150)) > 0.5 and found.label == "moving"


def test_boxes_are_in_px_of_the_frame_given():
    small = [view(t, [(140, 90, 40, 60)]) for t in range(6)]
    large = [cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC) for image in small]
    (found,) = MotionDetector().over(large)[3]
    assert box_iou(found.box, (420, 270, 540, 450)) > 0.6


def test_the_rendered_skater_is_inside_the_proposal_with_the_board():
    scene = Scene(640, 360, exposures=2)
    frames = range(0, 24, 2)
    for t, found in zip(frames, MotionDetector().over(scene.render(t) for t in frames), strict=True):
        ys, xs = np.nonzero(scene.truth(t).masks.any(axis=0))
        truth = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        inside = box_overlap(found[0].box, truth) / ((truth[2] - truth[0]) * (truth[3] - truth[1]))
        assert found[0].label == "moving 1" and inside > 0.8
        assert box_iou(found[0].box, truth) > 0.4  # the cast shadow is in it too


def test_proposals_are_the_same_twice():
    images = [view(t, [(140, 90, 40, 60), (20 + 5 * t, 20, 30, 40)]) for t in range(6)]
    assert MotionDetector().over(images) == MotionDetector().over(images)


def test_camera_motion_agrees_with_the_rendered_camera():
    scene = Scene(480, 270, frames=24, exposures=1)
    motions = camera_motion(scene, scene.track())
    corners = np.array([[0, 480, 0, 480], [0, 0, 270, 270], [1, 1, 1, 1]], float)
    assert motions.shape == (24, 2, 3) and np.array_equal(motions[0], np.eye(2, 3))
    for t in range(1, 24):
        now, before = scene.truth(t).camera, np.vstack([scene.truth(t - 1).camera, [0, 0, 1]])
        exact = now @ np.vstack([np.linalg.inv(before)])
        assert np.abs(motions[t] @ corners - exact @ corners).max() < 0.35
    chained, stretch = accumulate(motions)
    back = np.vstack([scene.truth(23).camera, [0, 0, 1]])
    assert (stretch == 0).all()
    assert np.abs(chained[23] @ corners - (np.linalg.inv(back) @ corners)[:2]).max() < 3


def test_foreground_is_kept_out_of_the_camera():
    """Most of the picture moves the other way; only the rest is background."""
    images = [view(t, [(60 - 2 * t, 0, 250, 240)], pan=3) for t in range(2)]
    mask = np.zeros(SIZE, bool)
    mask[:, 56:312] = True
    for foreground in (mask, [(58.0, 0.0, 310.0, 240.0)]):
        estimator = CameraEstimator()
        assert estimator.step(images[0], foreground) is None
        motion = estimator.step(images[1], foreground)
        assert motion is not None and motion[:, 2] == pytest.approx([-3, -0.5], abs=0.3)


def test_a_cut_and_a_blank_frame_give_no_camera():
    estimator = CameraEstimator()
    estimator.step(view(0, []))
    assert estimator.step(texture(240, 320, 7)) is None
    assert estimator.step(np.zeros((240, 320, 3), np.uint8)) is None
    assert estimator.step(view(0, [])) is None


def test_a_stretch_ends_where_the_camera_is_unknown():
    steps = np.tile(np.array([[1.0, 0, -2], [0, 1, 0]]), (5, 1, 1))
    steps[0], steps[3] = np.eye(2, 3), np.nan
    chained, stretch = accumulate(steps)
    assert stretch.tolist() == [0, 0, 0, 1, 1]
    assert chained[:, 0, 2].tolist() == [0, 2, 4, 0, 2]

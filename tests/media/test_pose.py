"""Poses: to and from POSE_KEYPOINT in the forms that are in use, and who is meant where there are several people."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from physics_preserver.nodes.media.pose import (
    BODY,
    FACE,
    FEET,
    LEFT_HAND,
    RIGHT_HAND,
    PoseError,
    Poses,
    from_pose_keypoints,
    to_pose_keypoints,
)
from physics_preserver.nodes.media.track import Track, pack

RATE = Fraction(30000, 1001)
SIZE = (480, 640)

# Who stands facing the camera has their left on the right side of the picture.
LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_WRIST, RIGHT_WRIST = (340, 200), (300, 204), (380, 300), (260, 300)


def standing(x: float = 0, y: float = 0, scale: float = 1, score: float = 0.9) -> np.ndarray:
    """A person facing the camera, float32 [133, 3]; every point has a place and a score of its own."""
    rng = np.random.default_rng(7)
    points = np.full((133, 3), score, np.float32)
    points[BODY, :2] = (320, 240) + rng.uniform(-60, 60, (17, 2))
    points[0, :2] = (320, 150)
    points[[5, 6, 9, 10], :2] = (LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_WRIST, RIGHT_WRIST)
    points[FEET, :2] = (320, 400) + rng.uniform(-20, 20, (6, 2))
    points[FACE, :2] = (320, 150) + rng.uniform(-20, 20, (68, 2))
    points[LEFT_HAND, :2] = np.array(LEFT_WRIST) + np.arange(21)[:, None] * (0.5, 1)
    points[RIGHT_HAND, :2] = np.array(RIGHT_WRIST) + np.arange(21)[:, None] * (-0.5, 1)
    points[:, :2] = points[:, :2] * scale + (x, y)
    points[:, 2] -= np.arange(133, dtype=np.float32) / 1000
    return points


def poses(*frames: np.ndarray) -> Poses:
    return Poses(np.stack(frames).astype(np.float32), SIZE, RATE)


def nobody() -> np.ndarray:
    return np.full((133, 3), (np.nan, np.nan, 0), np.float32)


def tracked(*boxes: tuple[int, int, int, int] | None) -> Track:
    masks = np.zeros((len(boxes), 1, *SIZE), bool)
    for mask, box in zip(masks, boxes, strict=True):
        if box is not None:
            mask[0, box[1] : box[3], box[0] : box[2]] = True
    scores = np.array([[float(box is not None)] for box in boxes], np.float32)
    return Track(pack(masks), ("rider",), scores, SIZE, SIZE, RATE, [Fraction(t, 7) for t in range(len(boxes))])


def points_of(frame: dict, key: str) -> np.ndarray:
    return np.array(frame["people"][0][key]).reshape(-1, 3)


def test_core_form_has_cores_counts_and_order():
    (frame,) = to_pose_keypoints(poses(standing()))
    assert (frame["canvas_width"], frame["canvas_height"]) == (640, 480)
    counts = {key: len(values) / 3 for key, values in frame["people"][0].items()}
    assert counts == {
        "pose_keypoints_2d": 18,
        "foot_keypoints_2d": 6,
        "face_keypoints_2d": 70,
        "hand_left_keypoints_2d": 21,
        "hand_right_keypoints_2d": 21,
    }
    body = points_of(frame, "pose_keypoints_2d")
    assert body[1] == pytest.approx((320, 202, 0.894))  # the neck: between the shoulders, as sure as the worse of them
    assert body[2, :2] == pytest.approx(RIGHT_SHOULDER) and body[5, :2] == pytest.approx(LEFT_SHOULDER)
    assert body[4, :2] == pytest.approx(RIGHT_WRIST) and body[7, :2] == pytest.approx(LEFT_WRIST)
    assert json.loads(json.dumps(frame)) == frame


def test_the_left_hand_is_the_one_on_the_left_wrist():
    (frame,) = to_pose_keypoints(poses(standing()))
    assert points_of(frame, "hand_left_keypoints_2d")[0, :2] == pytest.approx(LEFT_WRIST)
    assert points_of(frame, "hand_right_keypoints_2d")[0, :2] == pytest.approx(RIGHT_WRIST)


def test_all_points_come_back_with_their_scores():
    whole, partly = standing(), standing(x=3)
    partly[[9, *range(91, 112)], :2] = np.nan
    partly[[9, *range(91, 112)], 2] = 0.0
    before = poses(whole, partly, nobody())
    frames = to_pose_keypoints(before)
    assert [len(frame["people"]) for frame in frames] == [1, 1, 0]
    assert points_of(frames[1], "pose_keypoints_2d")[7].tolist() == [0, 0, 0]
    after = from_pose_keypoints(json.loads(json.dumps(frames)), rate=RATE)
    np.testing.assert_allclose(after.keypoints, before.keypoints, rtol=1e-6)
    assert after.warnings == [] and after.size == SIZE and after.rate == RATE


def test_a_point_without_one_shoulder_has_no_neck():
    person = standing()
    person[5, :2] = np.nan
    (frame,) = to_pose_keypoints(poses(person))
    body = points_of(frame, "pose_keypoints_2d")
    assert body[1].tolist() == [0, 0, 0] and body[2, :2] == pytest.approx(RIGHT_SHOULDER)


def test_low_scores_are_absent_and_keep_their_score():
    person = standing()
    person[3, 2], person[4, 2] = 0.29, 0.31
    read = from_pose_keypoints(to_pose_keypoints(poses(person)))
    assert np.isnan(read.keypoints[0, 3, :2]).all() and read.keypoints[0, 3, 2] == pytest.approx(0.29)
    assert np.isfinite(read.keypoints[0, 4, :2]).all()
    assert from_pose_keypoints(to_pose_keypoints(poses(person)), threshold=0.0).present().all()


def test_cores_exchanged_hands_are_put_right_and_said():
    frames = to_pose_keypoints(poses(standing(), standing(x=5)))
    for frame in frames:
        (person,) = frame["people"]
        left, right = person["hand_left_keypoints_2d"], person["hand_right_keypoints_2d"]
        person["hand_left_keypoints_2d"], person["hand_right_keypoints_2d"] = right, left
    read = from_pose_keypoints(frames)
    assert read.keypoints[0, LEFT_HAND.start, :2] == pytest.approx(LEFT_WRIST)
    assert read.keypoints[0, RIGHT_HAND.start, :2] == pytest.approx(RIGHT_WRIST)
    assert len(read.warnings) == 1 and "exchanged" in read.warnings[0]


def test_the_form_of_controlnet_aux():
    """Scores 1 or 0, None for a part that was switched off, no feet, the canvas of the picture it looked at."""
    person = standing()
    person[:, 2] = 1
    person[10, :2] = np.nan
    (frame,) = to_pose_keypoints(poses(person))
    frame["people"][0].pop("foot_keypoints_2d")
    frame["people"][0] |= {"hand_left_keypoints_2d": None, "hand_right_keypoints_2d": None}
    frame |= {"canvas_width": 1280, "canvas_height": 1920}
    read = from_pose_keypoints([frame], size=SIZE)
    assert read.keypoints[0, 9, :2] == pytest.approx(np.array(LEFT_WRIST) * (0.5, 0.25))
    there = read.present()[0]
    assert there[BODY].sum() == 16 and not there[10] and there[FACE].all()
    assert not there[FEET].any() and not there[LEFT_HAND].any()
    assert set(read.keypoints[0, there, 2]) == {1.0}


@pytest.mark.parametrize("scores", ["real", "none"])
def test_shares_of_the_picture(scores):
    (frame,) = to_pose_keypoints(poses(standing()))
    for key, flat in frame["people"][0].items():
        points = np.array(flat).reshape(-1, 3)
        points[:, :2] /= (640, 480)
        frame["people"][0][key] = (points if scores == "real" else points[:, :2]).ravel().tolist()
    read = from_pose_keypoints([frame])
    np.testing.assert_allclose(read.keypoints[0, :, :2], standing()[:, :2], atol=1e-3)
    if scores == "none":
        assert (read.keypoints[..., 2] == 1).all()


def test_twenty_five_body_points_bring_their_feet():
    (frame,) = to_pose_keypoints(poses(standing()))
    person = frame["people"][0]
    body = np.array(person["pose_keypoints_2d"]).reshape(-1, 3)
    feet = np.array(person.pop("foot_keypoints_2d")).reshape(-1, 3)
    person["pose_keypoints_2d"] = np.concatenate([body[:8], [[1, 2, 0.9]], body[8:], feet]).ravel().tolist()
    read = from_pose_keypoints([frame])
    np.testing.assert_allclose(read.keypoints[0], standing(), rtol=1e-6)


def two_people(*frames: tuple[np.ndarray, np.ndarray]) -> list[dict]:
    pairs = [to_pose_keypoints(poses(*pair)) for pair in frames]
    return [{**first, "people": first["people"] + second["people"]} for first, second in pairs]


def test_the_tracked_person_is_taken_and_not_the_largest():
    big, small = standing(x=-150, scale=1.2), standing(x=420, y=100, scale=0.5)
    frames = two_people((big, small), (small, big), (big, small))
    x1, y1, x2, y2 = (int(side) for side in poses(small).boxes()[0])
    read = from_pose_keypoints(frames, tracked((x1, y1, x2, y2), (x1, y1, x2, y2), None), "rider")
    np.testing.assert_allclose(read.keypoints[:2], np.stack([small, small]), rtol=1e-6)
    assert not read.present()[2].any()  # the track lost the person, so nobody is theirs
    assert read.warnings == [] and read.label == "rider" and read.times == [Fraction(t, 7) for t in range(3)]


def test_somebody_far_from_the_tracked_box_is_nobody():
    read = from_pose_keypoints(to_pose_keypoints(poses(standing())), tracked((0, 0, 40, 80)), "rider")
    assert not read.present().any()


def test_without_a_track_the_largest_is_taken_and_said():
    big, small = standing(x=-150, scale=1.2), standing(x=420, y=100, scale=0.5)
    read = from_pose_keypoints(two_people((small, big)))
    np.testing.assert_allclose(read.keypoints[0], big, rtol=1e-6)
    assert "1 frames show several people" in read.warnings[0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a string", "list with a dict for every frame"),
        ([], "list with a dict"),
        ([3], "frame 0 .* no list of people: 3"),
        ([{"people": []}], "needs canvas_width"),
        ([{"people": [], "canvas_width": 0, "canvas_height": 5}], "above 0"),
        ([{"people": [5], "canvas_width": 4, "canvas_height": 5}], "is 5, not a dict"),
    ],
)
def test_what_is_no_pose_is_refused_with_the_value(value, said):
    with pytest.raises(PoseError, match=said):
        from_pose_keypoints(value)


def test_wrong_counts_are_named():
    (frame,) = to_pose_keypoints(poses(standing()))
    frame["people"][0]["hand_left_keypoints_2d"] = [1, 2, 3, 4]
    with pytest.raises(PoseError, match="hand_left_keypoints_2d of frame 0 has 4 numbers.*21 points"):
        from_pose_keypoints([frame])
    with pytest.raises(PoseError, match="poses of 1 frames, the track has 2"):
        from_pose_keypoints(to_pose_keypoints(poses(standing())), tracked(None, None), "rider")

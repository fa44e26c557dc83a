"""Drawn poses: OpenPose's colours where they belong, nothing where a point is absent, at every size and in a video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from physics_preserver.nodes.media.clip import ClipError
from physics_preserver.nodes.media.draw_pose import (
    WHOLE,
    Style,
    draw_pose,
    drawn_frames,
    fitting_size,
    write_pose_video,
)
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.pose import FACE, LEFT_HAND, RIGHT_HAND
from physics_preserver.nodes.media.stills import ArrayClip

# Where COCO's 17 points of a standing person are, in a picture of 512 x 512 px.
BODY = {
    "nose": (0, 256, 90), "left eye": (1, 280, 80), "right eye": (2, 232, 80), "left ear": (3, 305, 86),
    "right ear": (4, 207, 86), "left shoulder": (5, 312, 150), "right shoulder": (6, 200, 150),
    "left elbow": (7, 350, 215), "right elbow": (8, 150, 200), "left wrist": (9, 370, 290),
    "right wrist": (10, 110, 150),
    "left hip": (11, 290, 300), "right hip": (12, 225, 300), "left knee": (13, 310, 390), "right knee": (14, 200, 380),
    "left ankle": (15, 300, 480), "right ankle": (16, 170, 470),
}  # fmt: skip
NECK = (256, 150)

# The published picture: body points and limbs by name, with their colours (points full, limbs at six tenths).
POINTS = {
    "nose": (255, 0, 0), "neck": (255, 85, 0), "right shoulder": (255, 170, 0), "right elbow": (255, 255, 0),
    "right wrist": (170, 255, 0), "left shoulder": (85, 255, 0), "left elbow": (0, 255, 0), "left wrist": (0, 255, 85),
    "right hip": (0, 255, 170), "right knee": (0, 255, 255), "right ankle": (0, 170, 255), "left hip": (0, 85, 255),
    "left knee": (0, 0, 255), "left ankle": (85, 0, 255), "right eye": (170, 0, 255), "left eye": (255, 0, 255),
    "right ear": (255, 0, 170), "left ear": (255, 0, 85),
}  # fmt: skip
LIMBS = {
    ("neck", "right shoulder"): (255, 0, 0), ("neck", "left shoulder"): (255, 85, 0),
    ("right shoulder", "right elbow"): (255, 170, 0), ("right elbow", "right wrist"): (255, 255, 0),
    ("left shoulder", "left elbow"): (170, 255, 0), ("left elbow", "left wrist"): (85, 255, 0),
    ("neck", "right hip"): (0, 255, 0), ("right hip", "right knee"): (0, 255, 85),
    ("right knee", "right ankle"): (0, 255, 170), ("neck", "left hip"): (0, 255, 255),
    ("left hip", "left knee"): (0, 170, 255), ("left knee", "left ankle"): (0, 85, 255),
    ("neck", "nose"): (0, 0, 255), ("nose", "right eye"): (85, 0, 255), ("right eye", "right ear"): (170, 0, 255),
    ("nose", "left eye"): (255, 0, 255), ("left eye", "left ear"): (255, 0, 170),
}  # fmt: skip


def nobody() -> np.ndarray:
    return np.full((133, 3), np.nan)


def body() -> np.ndarray:
    points = nobody()
    for index, x, y in BODY.values():
        points[index] = x, y, 0.9
    return points


def place(name: str) -> np.ndarray:
    return np.array(NECK if name == "neck" else BODY[name][1:], float)


def drawn(points: np.ndarray, size: tuple[int, int] = (512, 512), style: Style = WHOLE) -> np.ndarray:
    image = np.zeros((*size, 3), np.uint8)
    scaled = points.copy()
    scaled[:, :2] *= np.array([size[1], size[0]]) / 512
    draw_pose(image, scaled, style)
    return image


def colour_at(image: np.ndarray, where: np.ndarray) -> list[int]:
    x, y = np.round(where).astype(int)
    return image[y, x].tolist()


def test_every_point_and_limb_has_openposes_colour():
    image = drawn(body())
    assert {name: tuple(colour_at(image, place(name))) for name in POINTS} == POINTS
    for (a, b), colour in LIMBS.items():
        assert colour_at(image, (place(a) + place(b)) / 2) == [round(0.6 * value) for value in colour], (a, b)


def test_an_absent_point_takes_its_limbs_with_it():
    points = body()
    points[BODY["left shoulder"][0], :2] = np.nan
    image = drawn(points)
    for gone in ("left shoulder", "neck"):  # the neck is between the shoulders
        assert colour_at(image, place(gone)) == [0, 0, 0]
    assert colour_at(image, (place("left shoulder") + place("left elbow")) / 2) == [0, 0, 0]
    assert colour_at(image, (place("neck") + place("right hip")) / 2) == [0, 0, 0]
    assert colour_at(image, place("left elbow")) == list(POINTS["left elbow"])
    assert not drawn(nobody()).any()


@pytest.mark.parametrize("size", [(256, 256), (1024, 1024), (768, 768)])
def test_thickness_follows_the_picture(size):
    def width_of(image, scale):
        column = round(175 * scale[0])  # through the right upper arm
        return int((image[: round(190 * scale[1]), column] > 30).any(axis=1).sum())

    scale = size[1] / 512, size[0] / 512
    thin = width_of(drawn(body()), (1, 1))
    grown = width_of(drawn(body(), size), scale)
    assert grown == pytest.approx(thin * min(scale), rel=0.4, abs=2)
    assert width_of(drawn(body(), size, Style(thickness=2)), scale) > 1.5 * grown


def test_parts_can_be_left_out():
    points = body()
    points[LEFT_HAND, :2] = place("left wrist") + np.arange(21)[:, None] * (1, 3)
    points[RIGHT_HAND, :2] = place("right wrist") - np.arange(21)[:, None] * (1, 3)
    points[FACE, :2] = place("nose") + np.stack([np.arange(68) - 34, np.full(68, 30)], axis=1)
    end, chin = place("left wrist") + (20, 60), place("nose") + (0, 30)
    whole = drawn(points)
    assert colour_at(whole, end) == [0, 0, 255] and colour_at(whole, chin) == [255, 255, 255]
    no_hands, no_face = drawn(points, style=Style(hands=False)), drawn(points, style=Style(face=False))
    assert colour_at(no_hands, end) == [0, 0, 0] and colour_at(no_hands, chin) == [255, 255, 255]
    assert colour_at(no_face, end) == [0, 0, 255] and colour_at(no_face, chin) != [255, 255, 255]
    faceless = drawn(points, style=Style(body=False))
    assert colour_at(faceless, place("left hip")) == [0, 0, 0] and colour_at(faceless, end) == [0, 0, 255]


def test_points_far_outside_do_no_harm():
    points = body()
    points[BODY["left ankle"][0], :2] = 1e7, -1e7
    image = drawn(points)
    assert colour_at(image, place("left knee")) == list(POINTS["left knee"])


@pytest.mark.parametrize(
    ("asked", "size"), [((0, 0), (360, 640)), ((320, 0), (180, 320)), ((0, 720), (720, 1280)), ((300, 300), (300, 300))]
)
def test_the_size_that_is_asked_for(asked, size):
    assert fitting_size((360, 640), *asked) == size


def test_poses_are_stretched_to_the_size():
    ((image, time),) = drawn_frames([[body()]], (512, 512), (256, 1024), rate=Fraction(25))
    assert image.shape == (256, 1024, 3) and time == 0
    assert colour_at(image, place("left knee") * (2, 0.5)) == list(POINTS["left knee"])


def test_several_people_are_all_drawn():
    beside = body()
    beside[:, 0] += 300
    ((image, _),) = drawn_frames([[body(), beside]], (512, 900), (512, 900))
    for shift in (0, 300):
        assert colour_at(image, place("left knee") + (shift, 0)) == list(POINTS["left knee"])


def test_a_video_has_the_clips_times_and_may_lie_over_it(tmp_path: Path):
    grey = ArrayClip(np.full((5, 512, 512, 3), 90, np.uint8), Fraction(30000, 1001))
    people = [[body()], [body()], [], [body()], [body()]]
    for over, ground in ((False, 0), (True, 90)):
        file = tmp_path / f"over {over}.mp4"
        write_pose_video(file, people, (512, 512), (512, 512), clip=grey, over=over)
        frames = list(open_clip(file))
        assert [frame.time for frame in frames] == [frame.time for frame in grey]
        assert abs(int(frames[2].image.mean()) - ground) <= 2  # nobody
        assert np.abs(frames[0].image[300, 290].astype(int) - POINTS["left hip"]).max() < 60
        assert abs(int(frames[0].image[500, 500].mean()) - ground) <= 2


def test_another_number_of_frames_is_refused(tmp_path: Path):
    grey = ArrayClip(np.zeros((3, 64, 64, 3), np.uint8), Fraction(24))
    for people in ([[]] * 2, [[]] * 4):
        with pytest.raises(ClipError, match=f"images has 3 frames, its poses {len(people)}"):
            write_pose_video(tmp_path / "bad.mp4", people, (64, 64), (64, 64), clip=grey)
    assert not list(tmp_path.iterdir())

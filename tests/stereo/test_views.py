"""People are found through flat views, and those of two eyes are brought together."""

from dataclasses import replace

import numpy as np
import pytest
from physics_preserver.nodes.extraction.detection import Detection, box_iou
from physics_preserver.nodes.stereo.associate import BOTH, LEFT, RIGHT, associate
from physics_preserver.nodes.stereo.projections import Flat, HalfEquirectangular, Turned, pixel_directions, to_pixels
from physics_preserver.nodes.stereo.rig import Rig
from physics_preserver.nodes.stereo.views import box_to_eye, detect_in_views, detection_views
from vr_scene import Person, StereoScene

SIZE = (384, 384)


def box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def marks(image: np.ndarray) -> list[Detection]:
    """A detector of coloured marks: every primary colour is an object."""
    found = []
    for channel in range(3):
        others = [c for c in range(3) if c != channel]
        mask = (image[..., channel] > 200) & (image[..., others] < 60).all(-1)
        if mask.sum() > 20:
            found.append(Detection("person", 0.5 + mask.mean(), box_of(mask), "marks"))
    return found


def eye_with(*discs: tuple[np.ndarray, float, int]) -> np.ndarray:
    """A grey half-equirectangular eye with discs: direction, radius in rad, channel."""
    rays = pixel_directions(HalfEquirectangular(), SIZE)
    image = np.full((*SIZE, 3), 128, np.uint8)
    for direction, radius, channel in discs:
        colour = np.zeros(3, np.uint8)
        colour[channel] = 255
        image[rays @ (direction / np.linalg.norm(direction)) > np.cos(radius)] = colour
    return image


def test_the_views_see_all_of_half_a_sphere_but_for_the_far_corners():
    rays = pixel_directions(HalfEquirectangular(), (90, 90))
    seen = np.zeros((90, 90), bool)
    for view in detection_views(HalfEquirectangular()):
        seen |= to_pixels(view, rays, (64, 64))[1]
    weight = np.cos((np.arange(90) + 0.5) / 90 * np.pi - np.pi / 2)[:, None] * np.ones(90)
    assert weight[seen].sum() / weight.sum() > 0.97
    assert detection_views(Flat(60, 40)) == ()


def test_objects_ahead_at_the_side_and_near_the_pole_are_found_once_and_in_place():
    places = [np.array([0.0, 0.1, 1]), np.array([1.0, 0.2, 0.25]), np.array([0.1, 1.0, 0.35])]
    image = eye_with(*((place, 0.25, n) for n, place in enumerate(places)))
    found = detect_in_views(marks, image, HalfEquirectangular(), 256)
    assert len(found) == 3
    for n in range(3):
        mask = (image[..., n] > 200) & (image[..., (n + 1) % 3] < 60)
        assert max(box_iou(item.box, box_of(mask)) for item in found) > 0.5


def test_a_box_that_a_view_stretches_is_of_the_one_whom_another_view_shows_as_it_is():
    image = eye_with((np.array([-0.45, 0.1, 1.0]), 0.16, 0))
    there = box_of((image[..., 0] > 200) & (image[..., 1] < 60))

    looked = []

    def first_loosely(view: np.ndarray) -> list[Detection]:
        """In the first view that shows it, the box has as much around its object again on every side."""
        found = marks(view)
        if found and not looked:
            looked.append(0)
            x1, y1, x2, y2 = found[0].box
            around = x1 - (x2 - x1) / 2, y1 - (y2 - y1) / 2, x2 + (x2 - x1) / 2, y2 + (y2 - y1) / 2
            return [Detection("person", 0.9, around, "loose")]
        looked.extend(found)
        return found

    found = detect_in_views(first_loosely, image, HalfEquirectangular(), 256)
    assert len(looked) > 1, "several views show it"
    assert [item.source for item in found] == ["loose"]
    x1, y1, x2, y2 = found[0].box
    assert x1 <= there[0] and y1 <= there[1] and x2 >= there[2] and y2 >= there[3]


def test_someone_in_front_of_someone_is_not_taken_for_the_same():
    image = eye_with((np.array([0.0, 0.0, 1.0]), 0.4, 0), (np.array([0.05, 0.1, 1.0]), 0.13, 2))
    assert len(detect_in_views(marks, image, HalfEquirectangular(), 256)) == 2


def test_something_larger_than_a_view_is_joined_from_its_parts():
    image = eye_with((np.array([0.0, 0, 1]), 1.1, 0))
    found = detect_in_views(marks, image, HalfEquirectangular(), 256)
    assert len(found) == 1
    assert box_iou(found[0].box, box_of((image[..., 0] > 200) & (image[..., 1] < 60))) > 0.8


def test_a_box_of_a_view_covers_in_the_eye_what_it_showed():
    view = Turned(Flat(90, 90), 40, -35)
    box = (40.0, 100.0, 120.0, 180.0)
    there = box_to_eye(box, view, 256, HalfEquirectangular(), SIZE)
    assert there is not None
    at, seen = to_pixels(view, pixel_directions(HalfEquirectangular(), SIZE), (256, 256))
    inside = seen & (at[..., 0] >= 40) & (at[..., 0] < 119) & (at[..., 1] >= 100) & (at[..., 1] < 179)
    x1, y1, x2, y2 = box_of(inside)
    assert there == pytest.approx((x1, y1, x2, y2), abs=2)
    assert box_to_eye((0, 0, 9, 9), Turned(Flat(30, 30), 150), 256, HalfEquirectangular(), SIZE) is None


@pytest.fixture(scope="module")
def people() -> StereoScene:
    return StereoScene([Person(0.9, -40), Person(1.5, 5), Person(2.0, 45)], size=SIZE)


def detections(scene: StereoScene, right: bool, order: list[int]) -> list[Detection]:
    masks = scene.masks(0, right)
    return [Detection("person", 0.9 - 0.1 * n, box_of(masks[n]), "test") for n in order]


def test_people_are_paired_whatever_the_order_of_detection(people):
    rig, eyes = Rig(people.projection, SIZE), [people.view(0, right).image for right in (False, True)]
    left, right = detections(people, False, [0, 1, 2]), detections(people, True, [2, 0, 1])
    pairs, alone = associate(rig, eyes[0], eyes[1], left, right)
    assert alone == []
    assert [(left.index(pair.left), [2, 0, 1][right.index(pair.right)]) for pair in pairs] == [(0, 0), (1, 1), (2, 2)]
    assert {pair.seen for pair in pairs} == {BOTH}


def test_who_is_found_in_one_eye_gets_a_box_in_the_other(people):
    rig, eyes = Rig(people.projection, SIZE), [people.view(0, right).image for right in (False, True)]
    pairs, alone = associate(rig, eyes[0], eyes[1], detections(people, False, [0, 1]), detections(people, True, [1, 2]))
    assert alone == []
    assert [pair.seen for pair in pairs] == [LEFT, BOTH, RIGHT]
    assert box_iou(pairs[0].right.box, box_of(people.masks(0, True)[0])) > 0.85
    assert box_iou(pairs[2].left.box, box_of(people.masks(0, False)[2])) > 0.85


def test_a_box_with_much_around_its_person_is_paired_with_a_tight_one(people):
    rig, eyes = Rig(people.projection, SIZE), [people.view(0, right).image for right in (False, True)]
    left, right = detections(people, False, [0, 1]), detections(people, True, [0, 1])
    x1, y1, x2, y2 = left[1].box
    left[1] = replace(left[1], box=(x1 - 0.5 * (x2 - x1), y1, x2 + 0.5 * (x2 - x1), y2 + 0.4 * (y2 - y1)))
    pairs, alone = associate(rig, eyes[0], eyes[1], left, right)
    assert alone == [] and [pair.seen for pair in pairs] == [BOTH, BOTH]
    assert [(pair.left, pair.right) for pair in pairs] == list(zip(left, right, strict=True))


def test_boxes_in_other_rows_or_on_the_wrong_side_are_not_one_person(people):
    rig, eyes = Rig(people.projection, SIZE), [people.view(0, right).image for right in (False, True)]
    box = box_of(people.masks(0, False)[1])
    one = Detection("person", 0.9, box, "test")
    for other in (
        (box[0], box[1] - 130, box[2], box[3] - 130),
        (box[0] + 60, box[1], box[2] + 60, box[3]),
        (box[0] - 90, box[1], box[2] - 90, box[3]),
    ):
        pairs, _ = associate(rig, eyes[0], eyes[1], [one], [Detection("person", 0.9, other, "test")])
        assert BOTH not in {pair.seen for pair in pairs}
    pairs, _ = associate(rig, eyes[0], eyes[1], [one], [Detection("dog", 0.9, box, "test")])
    assert BOTH not in {pair.seen for pair in pairs}

"""Measures of agreement on pairs whose answer is known."""

import json
import math

import numpy as np
import pytest
from physics_preserver.nodes.stereo.consistency import AgreementReport, measure_agreement
from physics_preserver.nodes.stereo.projections import HalfEquirectangular, pixel_directions
from physics_preserver.nodes.stereo.rig import Rig
from vr_scene import Person, StereoScene

SIZE = (512, 512)


@pytest.fixture(scope="module")
def wall() -> StereoScene:
    """A room without people: masks of this test are painted on its walls."""
    return StereoScene([], size=SIZE)


def painted(scene: StereoScene, where: np.ndarray, angle: float) -> list[np.ndarray]:
    """What both eyes see of a ball of paint around a point of the room, bool [1, H, W] each: one mask on a surface."""
    masks = []
    for right in (False, True):
        eye = scene.eye(right)
        at = eye + scene.view(0, right).distance[..., None] * pixel_directions(HalfEquirectangular(), SIZE)
        masks.append((np.linalg.norm(at - where, axis=-1) < angle)[None])
    return masks


def agree(scene: StereoScene, left: np.ndarray, right: np.ndarray, **more):
    eyes = [scene.view(0, which).image for which in (False, True)]
    return measure_agreement(Rig(scene.projection, SIZE), eyes[0], eyes[1], left, right, **more)


def test_one_mask_on_a_surface_rendered_to_both_eyes_agrees(wall):
    left, right = painted(wall, np.array([0.5, 0.3, 5.0]), 1.6)
    found = agree(wall, left, right)
    assert found.s_iou[0] > 0.99
    assert found.coverage[0] > 0.98
    assert found.s_f[0] == 1
    assert found.s_f_fine[0] > 0.99
    assert abs(found.top[0]) + abs(found.bottom[0]) <= 1
    assert found.rows[0] <= 1
    assert found.implausible[0] == 0
    assert found.area[0] < 0.02


def test_four_rows_of_shift_are_found(wall):
    left, right = painted(wall, np.array([0.5, 0.3, 5.0]), 0.7)
    good, bad = agree(wall, left, right), agree(wall, left, np.roll(right, 4, axis=1))
    assert bad.s_iou[0] < good.s_iou[0] - 0.05
    assert bad.s_f_fine[0] < 0.8
    assert bad.top[0] == pytest.approx(4, abs=1)
    assert bad.bottom[0] == pytest.approx(4, abs=1)
    assert bad.rows[0] == pytest.approx(8, abs=2)
    assert bad.area[0] < 0.02


def test_a_missing_arm_is_found():
    scene = StereoScene([Person(1.2)], size=SIZE)
    without = StereoScene([Person(1.2, arms=1)], size=SIZE)
    left, right = scene.masks(0, False), scene.masks(0, True)
    arm = without.masks(0, True)
    assert 0.05 < 1 - arm.sum() / right.sum() < 0.25
    good, bad = agree(scene, left, right), agree(scene, left, arm)
    assert good.s_iou[0] > 0.94
    assert good.area[0] < 0.03
    assert bad.s_iou[0] < good.s_iou[0] - 0.05
    assert bad.s_f[0] < good.s_f[0] - 0.05
    assert bad.area[0] == pytest.approx(1 - arm.sum() / right.sum(), abs=0.05)


def test_what_an_object_hides_from_the_left_eye_is_not_compared():
    """Beside a person the right eye sees a strip of wall that the left one doesn't: of him or not, none can say."""
    scene = StereoScene([Person(0.8)], size=SIZE)
    left, right = scene.masks(0, False), scene.masks(0, True)
    _, seen = scene.partners(0, True, scene.lenses, SIZE)
    strips = [np.roll(right, shift, axis=2) & ~right for shift in (5, -5)]
    hidden, shown = (strips[0] & ~seen, strips[1] & seen)
    assert min(strip.sum() for strip in (hidden, shown)) > 0.03 * right.sum()
    good, unknown, wrong = (agree(scene, left, mask).s_iou[0] for mask in (right, right | hidden, right | shown))
    assert good > 0.96
    assert unknown > good - 0.018
    assert wrong < good - 0.04


def test_an_edge_on_the_wrong_side_has_an_impossible_disparity(wall):
    left, right = painted(wall, np.array([0.5, 0.3, 5.0]), 0.7)
    assert agree(wall, left, np.roll(right, 12, axis=2)).implausible[0] > 0.9
    assert agree(wall, left, np.roll(right, -60, axis=2)).implausible[0] > 0.9


def test_someone_seen_by_one_eye_alone_and_by_neither(wall):
    left, _ = painted(wall, np.array([0.5, 0.3, 5.0]), 0.7)
    none = np.zeros_like(left)
    found = agree(wall, np.concatenate([left, none]), np.concatenate([none, none]))
    assert found.s_iou.tolist() == [0, 1]
    assert (found.left_count, found.right_count) == (1, 0)
    assert found.area.tolist() == [1, 0]
    assert np.isnan(found.top).all()
    with pytest.raises(ValueError, match="left eye has 1 objects, the right eye 2"):
        agree(wall, left, np.concatenate([none, none]))


def test_areas_are_shares_of_the_sphere():
    """A disc has the same area straight ahead and far to the side, however stretched its pixels are."""
    rig, areas = Rig(HalfEquirectangular(), SIZE), []
    for lon, lat in ((0, 0), (60, 0), (0, 60), (40, 45)):
        a, b = math.radians(lon), math.radians(lat)
        middle = np.array([math.cos(b) * math.sin(a), math.sin(b), math.cos(b) * math.cos(a)])
        disc = pixel_directions(HalfEquirectangular(), SIZE) @ middle > math.cos(0.3)
        areas.append(float((rig.weight * rig.to_working(SIZE, right=False).cover(disc)).sum()) / rig.px_per_rad**2)
    assert areas == pytest.approx([2 * math.pi * (1 - math.cos(0.3))] * 4, rel=0.01)


def test_soft_edges_that_differ_are_measured_in_the_band(wall):
    left, right = painted(wall, np.array([0.5, 0.3, 5.0]), 0.7)
    import cv2

    soft = [cv2.GaussianBlur(mask[0].astype(np.float32), (0, 0), 2) for mask in (left, right)]
    same = agree(wall, left, right, alphas=(soft[0], soft[1])).s_mad
    wider = agree(wall, left, right, alphas=(soft[0], cv2.GaussianBlur(soft[1], (0, 0), 6))).s_mad
    assert same < 0.03
    assert wider > 3 * same
    assert np.isnan(agree(wall, left, right).s_mad)


def test_the_report_of_a_clip_is_json_and_names_what_fails(wall):
    left, right = painted(wall, np.array([0.5, 0.3, 5.0]), 0.7)
    report = AgreementReport(("ball",), threshold=0.9)
    for masks in (right, np.roll(right, 20, axis=1), np.zeros_like(right)):
        report.add(agree(wall, left, masks))
    found = json.loads(json.dumps(report.report()))
    assert found["schema"] == "physics-preserver/stereo-consistency"
    assert found["frames"] == 3
    assert found["frames_below"] == [1, 2]
    assert found["frames_with_unequal_counts"] == [2]
    ball = found["objects"][0]
    assert ball["per_frame"]["top"][2] is None
    values = ball["per_frame"]["s_iou"]
    assert ball["s_iou"] == pytest.approx(sum(values) / 3, abs=1e-3)
    assert ball["s_iou_flicker"] == pytest.approx(
        (abs(values[1] - values[0]) + abs(values[2] - values[1])) / 2, abs=1e-3
    )

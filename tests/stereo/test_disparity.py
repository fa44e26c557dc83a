"""Matching against the renderer's exact disparity."""

import numpy as np
import pytest
from physics_preserver.nodes.stereo.choices import BLOCKS, METHODS
from physics_preserver.nodes.stereo.disparity import find_disparity
from physics_preserver.nodes.stereo.projections import Flat, HalfEquirectangular
from physics_preserver.nodes.stereo.rig import Rig
from vr_scene import Person, Pole, RowsRig, StereoScene

SIZE = (256, 256)


def pictures(scene: StereoScene, rig: Rig) -> tuple[np.ndarray, np.ndarray]:
    left, right = (rig.to_working(scene.size, eye).image(scene.view(0, eye).image) for eye in (False, True))
    return left, right


@pytest.fixture(scope="module")
def scene() -> StereoScene:
    return StereoScene([Person(0.8, -45), Person(1.5, 20)], size=SIZE)


@pytest.mark.parametrize("method", METHODS)
def test_what_both_eyes_see_is_found_to_less_than_a_pixel(scene, method):
    rig = Rig(scene.projection, SIZE)
    found = find_disparity(rig, *pictures(scene, rig), method=method)
    exact, visible = scene.disparity(0, rig.cassini, rig.working_size)
    error = np.abs(found.left - exact).max(axis=-1)
    both = found.left_valid & visible
    assert both.mean() > 0.9
    assert np.median(error[both]) < 0.25
    assert (error[both] > 1).mean() < 0.03


def test_rows_of_the_equirectangular_picture_can_not_be_matched_off_the_axis(scene):
    """The same matcher on the picture as it is: a third and more of what it is sure of is wrong at high latitudes."""

    rig = RowsRig(scene.projection, SIZE)
    found = find_disparity(rig, *pictures(scene, rig))
    exact, visible = scene.disparity(0, rig.cassini, SIZE)
    rows = np.abs((np.arange(256) + 0.5) / 256 - 0.5) * 180
    high = (rows > 30)[:, None] & visible
    wrong = np.abs(found.left - exact).max(axis=-1) > 1
    assert (found.left_valid & ~wrong)[high].mean() < 0.75
    rig = Rig(scene.projection, SIZE)
    found = find_disparity(rig, *pictures(scene, rig))
    exact, visible = scene.disparity(0, rig.cassini, SIZE)
    wrong = np.abs(found.left - exact).max(axis=-1) > 1
    assert (found.left_valid & ~wrong)[high & visible].mean() > 0.95


def test_what_only_one_eye_sees_behind_a_pole_is_not_matched():
    scene = StereoScene([], [Pole(0.6, 0)], size=SIZE)
    rig = Rig(scene.projection, SIZE)
    found = find_disparity(rig, *pictures(scene, rig))
    exact, visible = scene.disparity(0, rig.cassini, SIZE)
    middle = np.s_[100:150]
    hidden = ~visible[middle]
    assert hidden.sum() > 200
    assert found.left_valid[middle][hidden].mean() < 0.35
    assert found.left_valid[middle][~hidden].mean() > 0.95


def test_only_what_is_asked_for_is_matched_and_the_same_is_found(scene):
    rig = Rig(scene.projection, SIZE)
    left, right = pictures(scene, rig)
    where = np.zeros(SIZE, bool)
    where[120:160, 90:130] = True
    every, part = find_disparity(rig, left, right), find_disparity(rig, left, right, where)
    assert not part.left_valid[:80].any()
    assert part.left_valid[where].mean() > 0.9
    both = where & part.left_valid & every.left_valid
    assert np.median(np.abs(part.left - every.left)[both]) < 0.1


def test_eyes_that_do_not_stand_level_are_matched_in_two_dimensions():
    scene = StereoScene([Person(1.5)], size=SIZE, shift_rows=2)
    rig = Rig(scene.projection, SIZE)
    left, right = pictures(scene, rig)
    rows = find_disparity(rig, left, right, method="flow")
    middle = np.s_[100:150, 110:150]
    assert np.median(rows.left[middle][rows.left_valid[middle]][:, 1]) == pytest.approx(-2, abs=0.3)


def test_flat_pictures_that_converge_have_disparities_on_both_sides_of_nothing():
    eye = Flat(70, 70)
    scene = StereoScene([Person(1.2)], size=SIZE, projection=eye)
    left, right = (scene.view(0, which).image for which in (False, True))
    right = np.roll(right, 6, axis=1)
    rig = Rig(eye, SIZE, infinity=-6 / 256 * 70)
    least, most = rig.bounds
    assert least == pytest.approx(-6)
    one, other = rig.to_working(SIZE, right=False).image(left), rig.to_working(SIZE, right=True).image(right)
    found = find_disparity(rig, one, other, method=BLOCKS)
    columns = found.left[..., 0][found.left_valid]
    assert columns.min() < -4
    assert columns.max() > 2


def test_bounds_follow_from_the_lenses():
    rig = Rig(HalfEquirectangular(), (3072, 3072), working=3072, nearest=0.5)
    assert rig.bounds == pytest.approx((0, 125), abs=0.5)
    assert Rig(Flat(60, 34), (1080, 1920)).working_size == (580, 1024)
    assert Rig(HalfEquirectangular(), (500, 500)).working_size == (500, 500)


def test_what_can_not_be_is_refused():
    with pytest.raises(ValueError, match="32 px"):
        Rig(HalfEquirectangular(), SIZE, working=32)
    with pytest.raises(ValueError, match="-0.1 m"):
        Rig(HalfEquirectangular(), SIZE, baseline=-0.1)
    image = np.zeros((*SIZE, 3), np.uint8)
    with pytest.raises(ValueError, match="guess"):
        find_disparity(Rig(HalfEquirectangular(), SIZE), image, image, method="guess")
    with pytest.raises(ValueError, match="128"):
        find_disparity(Rig(HalfEquirectangular(), SIZE, working=128), image, image)

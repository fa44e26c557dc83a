"""The renderer that stereo is measured on, against geometry worked out by hand."""

import numpy as np
import pytest
from physics_preserver.nodes.stereo.projections import Fisheye, HalfEquirectangular
from vr_scene import ROOM, Person, Pole, StereoScene

SIZE = (512, 512)


def test_the_end_wall_and_the_side_walls_are_where_the_room_has_them():
    view = StereoScene([], size=(513, 513)).view(0, False)
    assert view.distance[256, 256] == pytest.approx(ROOM[2], rel=1e-3)
    assert view.distance[256, 0] == pytest.approx(-0.032 - ROOM[0][0], rel=1e-2)
    assert view.distance[-1, 256] == pytest.approx(ROOM[1][1], rel=1e-2)


@pytest.mark.parametrize(("distance", "degrees"), [(0.7, 0), (1.5, 40), (3.0, -65)])
def test_a_pole_stands_in_each_eye_where_the_angle_says(distance, degrees):
    """Both of its edges on the horizon, in degrees, from the triangle of eye and pole."""
    scene = StereoScene([], [Pole(distance, degrees, 0.05)], size=(1025, 1025))
    foot = distance * np.array([np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))])
    for right in (False, True):
        x, z = foot - [0.032 if right else -0.032, 0]
        far = np.hypot(x, z)
        edges = np.rad2deg(np.arctan2(x, z) + np.arcsin(0.05 / far) * np.array([-1, 1]))
        row = scene.view(0, right).distance[512] < far
        seen = np.flatnonzero(row)[[0, -1]] + [0, 1]
        assert seen / 1025 * 180 - 90 == pytest.approx(edges, abs=180 / 1025)


@pytest.mark.parametrize("projection", [HalfEquirectangular(), Fisheye(190)], ids=str)
def test_what_both_eyes_see_has_one_colour_and_one_owner(projection):
    scene = StereoScene([Person(0.9, 20), Person(2.0, -15)], size=SIZE, projection=projection)
    for right in (False, True):
        one, other = scene.view(0, right), scene.view(0, not right)
        there, seen = scene.partners(0, right, scene.lenses, SIZE)
        x, y = np.clip(np.rint(there), 0, 511).astype(int)[seen].T
        assert seen.mean() > 0.7
        assert (one.owner[seen] == other.owner[y, x]).mean() > 0.995
        assert np.median(np.abs(one.image[seen].astype(int) - other.image[y, x])) <= 6


def test_true_masks_agree_by_exact_disparity_and_planted_faults_do_not():
    scene = StereoScene([Person(1.5, 30)], size=SIZE)
    left, right = scene.masks(0, False)[0], scene.masks(0, True)[0]
    assert scene.s_iou(0, left, right) > 0.99
    assert scene.s_iou(0, left, np.roll(right, 2, axis=1)) < 0.95
    without = StereoScene([Person(1.5, 30, arms=1)], size=SIZE).masks(0, True)[0]
    assert scene.s_iou(0, left, without) < 0.95


def test_people_move_and_are_never_drawn_over_one_another():
    scene = StereoScene([Person(1.2, -10, walks=1.0), Person(1.6, 10)], size=SIZE, rate=8)
    first, later = scene.masks(0, False), scene.masks(6, False)
    assert not (later[0] & later[1]).any()
    columns = [np.nonzero(mask[0])[1].mean() for mask in (first, later)]
    assert columns[1] - columns[0] > 30
    assert (first[1] != later[1]).any()

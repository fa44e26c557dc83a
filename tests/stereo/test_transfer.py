"""Masks carried from the left eye to the right one, against the renderer's truth."""

import numpy as np
import pytest
from physics_preserver.nodes.stereo.projections import Fisheye, Flat, HalfEquirectangular, pixel_directions
from physics_preserver.nodes.stereo.rig import Rig
from physics_preserver.nodes.stereo.transfer import transfer
from physics_preserver.nodes.validation.region import mask_jaccard
from vr_scene import Person, Pole, RowsRig, StereoScene

SIZE = (512, 512)


def carry(scene: StereoScene, **rig):
    """The transfer of frame 0, and its IoU with the truth by person."""
    left, right = (scene.view(0, eye).image for eye in (False, True))
    done = transfer(Rig(scene.projection, scene.size, **rig), left, right, scene.masks(0, False))
    return done, [mask_jaccard(a, b) for a, b in zip(done.masks, scene.masks(0, True), strict=True)]


@pytest.mark.parametrize("degrees", [0, 60])
def test_a_person_arrives_in_the_right_eye(degrees):
    done, overlap = carry(StereoScene([Person(0.9, degrees)], size=SIZE))
    assert overlap[0] > 0.97
    assert done.matched[0] > 0.9
    assert done.hidden[0] < 0.02


def test_disparity_tells_the_distance():
    done, _ = carry(StereoScene([Person(1.0), Person(3.0, 30)], size=SIZE))
    metres = 0.064 / np.tan(np.radians(done.shift)) * np.cos(np.radians([0, 30])) ** 2
    assert metres == pytest.approx([1, 3], rel=0.15)


def test_outlines_are_as_fine_as_the_mask_and_not_as_the_size_worked_in():
    scene = StereoScene([Person(0.9, 20)], size=(768, 768), fine=False)
    coarse = carry(scene, working=256)[1][0]
    assert coarse > 0.955


@pytest.mark.parametrize("projection", [Fisheye(190), Flat(80, 80)], ids=str)
def test_other_lenses(projection):
    assert carry(StereoScene([Person(0.9, 10)], size=SIZE, projection=projection))[1][0] > 0.97


@pytest.mark.parametrize("size", [(512, 256), (256, 512)])
def test_squeezed_eyes(size):
    assert carry(StereoScene([Person(0.9, 25), Person(1.2, -40)], size=size))[1] == pytest.approx([1, 1], abs=0.04)


@pytest.mark.parametrize("turned", [(0.0, 0.0, 0.0), (0.4, 0.6, -0.5)])
def test_what_a_wide_fisheye_sees_behind_its_sides_is_carried_over(turned):
    """Beyond 90 degrees to a side there are no rows of Cassini, and next to no parallax."""
    scene = StereoScene([Person(1.2, 94), Person(1.0, -93)], size=SIZE, projection=Fisheye(210), turned=turned)
    behind = pixel_directions(scene.lenses[1], SIZE)[..., 2] < -0.02
    truth = scene.masks(0, True)
    done, overlap = carry(scene, turned=turned)
    assert (truth & behind).sum(axis=(1, 2)).min() > 0.3 * truth.sum(axis=(1, 2)).max()
    assert mask_jaccard(done.masks[0] & behind, truth[0] & behind) > 0.83
    assert mask_jaccard(done.masks[1] & behind, truth[1] & behind) > 0.83
    assert min(overlap) > 0.88


def test_two_people_who_cover_each_other_stay_apart_and_keep_their_numbers():
    done, overlap = carry(StereoScene([Person(2.2, 8), Person(1.0, 0)], size=SIZE))
    assert overlap[1] > 0.96
    assert overlap[0] > 0.6
    assert not (done.masks[0] & done.masks[1]).any()


def test_what_a_pole_hides_from_the_left_eye_is_filled_and_what_it_hides_from_the_right_is_taken():
    scene = StereoScene([Person(1.5, 10)], [Pole(0.8, 12, 0.025)], size=SIZE)
    done, overlap = carry(scene)
    truth, masks = scene.masks(0, True)[0], done.masks[0]
    assert overlap[0] > 0.94
    assert done.hidden[0] > 0.05
    pole = (scene.view(0, True).owner < 0) & (scene.view(0, True).distance < 1.2)
    beside = pole & (np.roll(truth, 20, 1) | np.roll(truth, -20, 1))
    assert masks[beside].mean() < 0.15


def test_the_right_eyes_own_tracker_decides_what_is_hidden_when_it_ran():
    scene = StereoScene([Person(1.5, 10)], [Pole(0.8, 12, 0.025)], size=SIZE)
    left, right = (scene.view(0, eye).image for eye in (False, True))
    rig, masks = Rig(scene.projection, SIZE), scene.masks(0, False)
    own = scene.masks(0, True)
    with_truth = transfer(rig, left, right, masks, own).masks[0]
    with_nothing = transfer(rig, left, right, masks, np.zeros_like(own)).masks[0]
    assert mask_jaccard(with_truth, own[0]) > 0.94
    assert mask_jaccard(with_nothing, own[0]) < 0.9


def test_a_person_at_the_edge_of_the_picture_is_carried_over():
    assert min(carry(StereoScene([Person(1.0, 78), Person(1.0, -80)], size=SIZE))[1]) > 0.97


def test_rows_of_the_footage_lose_what_cassini_keeps():
    scene = StereoScene([Person(0.7, 60)], size=SIZE)
    left, right, masks = scene.view(0, False).image, scene.view(0, True).image, scene.masks(0, False)
    truth = scene.masks(0, True)[0]
    kept, lost = (
        mask_jaccard(transfer(rig, left, right, masks).masks[0], truth)
        for rig in (Rig(scene.projection, SIZE), RowsRig(scene.projection, SIZE, nearest=0.2))
    )
    assert kept > 0.97
    assert lost < 0.93


@pytest.mark.parametrize("pole", [1.5, -1.6])
def test_what_covers_straight_down_or_up_is_carried_over(pole):
    """All of a row of half-equirectangular is one direction there: a patch of floor under the lenses is as wide as it.

    A ball of paint on the floor or the ceiling of an empty room; both eyes see the same of it.
    """
    scene, masks = StereoScene([], size=(256, 256)), []
    for eye in (False, True):
        rays = pixel_directions(HalfEquirectangular(), scene.size)
        at = scene.eye(eye) + scene.view(0, eye).distance[..., None] * rays
        masks.append((np.linalg.norm(at - np.array([0, pole, 0.2]), axis=-1) < 1.2)[None])
    left, right = (scene.view(0, eye).image for eye in (False, True))
    done = transfer(Rig(scene.projection, scene.size), left, right, masks[0])
    assert masks[1][0, -1 if pole > 0 else 0].all()
    assert mask_jaccard(done.masks[0], masks[1][0]) > 0.99


def test_nobody_and_nothing_that_can_be_matched_give_empty_masks():
    grey = np.full((*SIZE, 3), 128, np.uint8)
    scene = StereoScene([Person(1.5)], size=SIZE)
    rig = Rig(scene.projection, SIZE)
    nobody = transfer(rig, grey, grey, np.zeros((0, *SIZE), bool))
    assert nobody.masks.shape == (0, *SIZE)
    empty = transfer(rig, grey, grey, np.zeros((1, *SIZE), bool))
    assert not empty.masks.any()
    left, noise = scene.view(0, False).image, np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    assert transfer(rig, left, noise, scene.masks(0, False)).matched[0] < 0.5

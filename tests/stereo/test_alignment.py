"""Lenses that stand askew are found, allowed for, and not imagined."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.stereo.alignment import FRAMES, align, measure_alignment
from physics_preserver.nodes.stereo.disparity import find_disparity
from physics_preserver.nodes.stereo.layouts import Layout, StereoClip
from physics_preserver.nodes.stereo.projections import Fisheye, Flat, HalfEquirectangular
from physics_preserver.nodes.stereo.rig import Rig
from physics_preserver.nodes.stereo.transfer import transfer
from physics_preserver.nodes.validation.region import mask_jaccard
from vr_scene import Person, StereoScene

SIZE = (384, 384)
PEOPLE = (Person(0.8, -35), Person(1.5, 20))


def look(scene: StereoScene, t: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return scene.view(t, False).image, scene.view(t, True).image


@pytest.mark.parametrize("projection", [HalfEquirectangular(), Fisheye(190), Flat(80, 80)], ids=str)
@pytest.mark.parametrize("turned", [(0.6, 0.4, -0.5), (-1.5, -1.0, 1.0)])
def test_the_right_lens_is_found_as_it_was_rendered(projection, turned):
    scene = StereoScene(PEOPLE, size=SIZE, projection=projection, turned=turned)
    found = measure_alignment(Rig(projection, SIZE), [look(scene)])
    assert found.turned == pytest.approx(turned, abs=0.04)
    assert found.rows_left < 0.12 < found.rows_off
    assert found.frames == 1


@pytest.mark.parametrize("faults", [{}, {"noise": 8}, {"gains": (1.3, 1.1, 0.8)}], ids=str)
def test_level_lenses_stay_as_they_are_whatever_their_colours(faults):
    scene = StereoScene(PEOPLE, size=SIZE, **faults)
    found = measure_alignment(Rig(scene.projection, SIZE), [look(scene)])
    assert found.turned == (0, 0, 0)
    assert found.rows_off == found.rows_left < 0.1


def test_eyes_that_show_different_things_or_nothing_are_not_turned():
    scene, rng = StereoScene(PEOPLE, size=SIZE), np.random.default_rng(0)
    left, other = look(scene)[0], look(StereoScene([], size=SIZE, seed=5))[1]
    noise = rng.integers(0, 256, left.shape, np.uint8)
    for right in (other, noise, np.full_like(left, 90)):
        assert measure_alignment(Rig(scene.projection, SIZE), [(left, right)]).turned == (0, 0, 0)
    assert measure_alignment(Rig(scene.projection, SIZE), []).frames == 0


def test_a_clip_that_opens_dark_is_looked_at_where_it_shows_something():
    scene = StereoScene(PEOPLE, size=SIZE, turned=(0, 0.5, 0), frames=1)
    picture = next(scene.read()).image
    frames = np.stack([np.zeros_like(picture)] * 14 + [picture] * 24)
    rig, found = align(Rig(scene.projection, SIZE), StereoClip(ArrayClip(frames, Fraction(24)), Layout()))
    assert found.frames == 2 < FRAMES
    assert rig.turned == found.turned == pytest.approx((0, 0.5, 0), abs=0.04)


def test_masks_arrive_through_a_lens_that_stands_askew():
    scene = StereoScene(PEOPLE, size=(512, 512), turned=(0.4, 0.8, 0.5))
    level = Rig(scene.projection, scene.size)
    found = measure_alignment(level, [look(scene)])
    truth = scene.masks(0, True)
    overlap = [
        min(map(mask_jaccard, transfer(rig, *look(scene), scene.masks(0, False)).masks, truth))
        for rig in (level, replace(level, turned=found.turned))
    ]
    assert overlap[1] > 0.96
    assert overlap[0] < 0.92


def test_an_eye_that_is_darker_or_of_another_colour_is_matched_as_well():
    """Half the light, and blue for red: next to none of what level colours match is lost."""
    known = []
    for gains in ((1, 1, 1), (0.5, 0.5, 0.5), (1.3, 1, 0.7)):
        scene = StereoScene(PEOPLE, size=SIZE, gains=gains)
        rig = Rig(scene.projection, SIZE)
        one, other = (rig.to_working(SIZE, bool(n)).image(eye) for n, eye in enumerate(look(scene)))
        known.append(find_disparity(rig, one, other).left_valid.mean())
    assert min(known) > known[0] - 0.02

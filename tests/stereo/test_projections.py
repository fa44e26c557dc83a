"""Known answers: where a lens sees what, there and back, and that a row of Cassini holds both eyes of every point."""

import math

import numpy as np
import pytest
from physics_preserver.nodes.stereo.choices import FISHEYE, FLAT, HALF_EQUIRECTANGULAR
from physics_preserver.nodes.stereo.projections import (
    Cassini,
    Fisheye,
    Flat,
    HalfEquirectangular,
    Turned,
    from_pixels,
    open_projection,
    pixel_directions,
    resampling,
    to_pixels,
)

EVERY = [
    HalfEquirectangular(), Fisheye(180), Fisheye(190), Flat(90, 60), Cassini(), Cassini(1.2, 2.0),
    Turned(Flat(90, 90), 40, -30), Turned(Flat(90, 90), 40, -30, 20),
]  # fmt: skip
BASELINE = 0.064


@pytest.mark.parametrize("projection", EVERY, ids=str)
def test_a_direction_goes_back_to_its_pixel(projection):
    size = (60, 80)
    directions = pixel_directions(projection, size)
    at, seen = to_pixels(projection, 3.7 * directions, size)
    x, y = np.meshgrid(np.arange(80), np.arange(60))
    assert np.abs(np.linalg.norm(directions, axis=-1) - 1).max() < 1e-5
    assert np.abs(at - np.dstack([x, y]))[seen].max() < 0.01
    assert seen.mean() > 0.75


@pytest.mark.parametrize(
    ("projection", "u", "v", "direction"),
    [
        (HalfEquirectangular(), 0, 0, (0, 0, 1)),
        (HalfEquirectangular(), 1, 0, (1, 0, 0)),
        (HalfEquirectangular(), 0.5, 0, (math.sqrt(0.5), 0, math.sqrt(0.5))),
        (HalfEquirectangular(), 0.3, -1, (0, -1, 0)),
        (HalfEquirectangular(), 0.5, 0.5, (0.5, math.sqrt(0.5), 0.5)),
        (Fisheye(180), 0, 1, (0, 1, 0)),
        (Fisheye(180), 0.5, 0, (math.sqrt(0.5), 0, math.sqrt(0.5))),
        (Fisheye(190), -1, 0, (-math.cos(math.radians(5)), 0, -math.sin(math.radians(5)))),
        (Flat(90, 90), 1, -1, (math.sqrt(1 / 3), -math.sqrt(1 / 3), math.sqrt(1 / 3))),
        (Cassini(), 1, 0.4, (1, 0, 0)),
        (Cassini(), 0, -1, (0, -1, 0)),
        (Cassini(), 0.5, 0.5, (math.sqrt(0.5), 0.5, 0.5)),
        (Turned(Flat(90, 90), yaw=90), 0, 0, (1, 0, 0)),
        (Turned(Flat(90, 90), pitch=90), 0, 0, (0, -1, 0)),
        (Turned(Flat(90, 90), yaw=45, pitch=30), 0, 0, (math.sqrt(3 / 8), -0.5, math.sqrt(3 / 8))),
        (Turned(Flat(90, 90), roll=90), 1, 0, (0, math.sqrt(0.5), math.sqrt(0.5))),
    ],
)
def test_directions_of_middle_edges_and_corners(projection, u, v, direction):
    assert projection.directions(np.array(u), np.array(v)) == pytest.approx(direction, abs=1e-6)


def test_a_point_is_in_the_same_cassini_row_of_both_eyes_and_not_in_the_same_equirectangular_row():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2000, 3))
    points[:, 2] = np.abs(points[:, 2])
    points *= (rng.uniform(0.5, 5, 2000) / np.linalg.norm(points, axis=1))[:, None]
    size = (3072, 3072)
    (left, _), (right, _) = (to_pixels(Cassini(), points - [x, 0, 0], size) for x in (0, BASELINE))
    assert np.abs(left[:, 1] - right[:, 1]).max() < 0.01
    assert (left[:, 0] - right[:, 0]).min() >= 0
    (left, _), (right, _) = (to_pixels(HalfEquirectangular(), points - [x, 0, 0], size) for x in (0, BASELINE))
    assert np.abs(left[:, 1] - right[:, 1]).max() > 40


@pytest.mark.parametrize(
    ("lon", "lat", "equirectangular", "column"),
    [(0, 0, (125, 0), 125), (0, 40, (163, 0), 125), (45, 30, (102, -44), 99), (60, 45, (89, -77), 99)],
)
def test_disparities_at_half_a_metre_are_those_of_the_reference(lon, lat, equirectangular, column):
    """A table measured apart from this code: 3072 px an eye, eyes 64 mm apart around the middle; y is up in it."""
    a, b = math.radians(lon), math.radians(lat)
    point = 0.5 * np.array([math.cos(b) * math.sin(a), -math.sin(b), math.cos(b) * math.cos(a)])
    eyes = np.stack([point + [BASELINE / 2, 0, 0], point - [BASELINE / 2, 0, 0]])
    left, right = to_pixels(HalfEquirectangular(), eyes, (3072, 3072))[0]
    assert left - right == pytest.approx((equirectangular[0], -equirectangular[1]), abs=1)
    left, right = to_pixels(Cassini(), eyes, (3072, 3072))[0]
    assert left - right == pytest.approx((column, 0), abs=1)


@pytest.mark.parametrize("squeeze", [(1, 1), (1, 2), (2, 1)])
def test_a_mask_of_everything_stays_everything_there_and_back(squeeze):
    """No seam, gap or soft edge along the border: Cassini and half-equirectangular show the same half sphere."""
    eye = HalfEquirectangular()
    size = (120 // squeeze[0], 120 // squeeze[1])
    there = resampling(eye, size, Cassini(), (96, 96))
    assert there.seen.all()
    cassini = there.cover(np.ones(size, bool))
    assert cassini.min() == 1
    assert resampling(Cassini(), (96, 96), eye, size).cover(cassini).min() == 1


def test_a_disc_on_the_sphere_keeps_its_place_through_cassini():
    eye = HalfEquirectangular()
    towards = from_pixels(eye, np.array([300, 80]), (400, 400))
    disc = pixel_directions(eye, (400, 400)) @ towards > math.cos(0.3)
    cassini = resampling(eye, (400, 400), Cassini(), (400, 400)).cover(disc)
    again = resampling(Cassini(), (400, 400), eye, (400, 400)).cover(cassini) > 0.5
    assert (again & disc).sum() / (again | disc).sum() > 0.98
    exact = pixel_directions(Cassini(), (400, 400)) @ towards > math.cos(0.3)
    assert ((cassini > 0.5) & exact).sum() / ((cassini > 0.5) | exact).sum() > 0.98


def test_a_fisheyes_corners_show_nothing_and_its_masks_end_at_the_circle():
    size = (100, 100)
    there = resampling(Fisheye(180), size, HalfEquirectangular(), size)
    assert there.seen.all()
    back = resampling(HalfEquirectangular(), size, Fisheye(180), size)
    assert not back.seen[0, 0]
    assert back.seen.mean() == pytest.approx(math.pi / 4, abs=0.01)
    assert np.array_equal(back.cover(np.ones(size, bool)), back.seen.astype(np.float32))


def test_a_fine_picture_is_averaged_into_a_coarse_one():
    stripes = np.zeros((1024, 1024), np.uint8)
    stripes[:, ::2] = 255
    small = resampling(HalfEquirectangular(), (1024, 1024), Cassini(), (128, 128)).image(stripes)
    assert np.abs(small.astype(int) - 128).max() <= 2


def test_the_way_of_a_narrow_view_is_not_coarser_than_the_picture_it_looks_into():
    view = Turned(Flat(90, 90), 30, 10)
    assert resampling(HalfEquirectangular(), (512, 512), view, (256, 256)).source == (512, 512)
    assert resampling(HalfEquirectangular(), (3072, 3072), view, (256, 256)).source[0] < 1024


def test_a_flat_eye_has_square_pixels_unless_it_is_squeezed():
    full = open_projection(FLAT, (100, 200), 90)
    squeezed = open_projection(FLAT, (100, 100), 90, pixel_aspect=2)
    assert full == squeezed
    assert full.field == pytest.approx((math.pi / 2, 2 * math.atan(0.5)))
    assert open_projection(FISHEYE, (10, 10), 200) == Fisheye(200)
    assert open_projection(HALF_EQUIRECTANGULAR, (10, 10)) == HalfEquirectangular()


@pytest.mark.parametrize(("name", "degrees"), [("mercator", 90), (FLAT, 180), (FISHEYE, 360), (FISHEYE, 0)])
def test_what_no_lens_can_have_is_refused_by_name(name, degrees):
    with pytest.raises(ValueError, match=f"{name}|{degrees}"):
        open_projection(name, (10, 10), degrees)

"""The planted faults are what they say: moved by so many px, late by so many frames, pasted where their masks are."""

from fractions import Fraction

import numpy as np
import pytest
from faults import (
    all_faults,
    faithful,
    grown,
    jittered,
    late,
    longer_flight,
    missing,
    moved,
    parted,
    planted_track,
    resized,
    scaled,
    swapped,
    touching_span,
    turned,
    way_out,
)
from motions import DrawnClip, Motion
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import Track
from physics_preserver.nodes.validation.region import jaccard
from planting import RESTYLES, Background, PlantedClip, PlantedScene, RestyledClip, encoded

BOARD = "skateboard"
ROLL = Motion("roll", thing=70, seconds=1.5)


@pytest.fixture(scope="module")
def source() -> Track:
    return ROLL.track()


def test_an_object_is_moved_on_its_span_only_and_takes_the_pixels_it_covers(source):
    planted = planted_track(source, moved(source, BOARD, 8, 270, (10, 20)))
    by = planted.centroids()[:, 1] - source.centroids()[:, 1]
    assert by[10:20] == pytest.approx(np.tile([0, -8], (10, 1)), abs=0.01)
    assert np.abs(by[:10]).max() == np.abs(by[20:]).max() == 0
    assert planted.areas()[15, 0] < source.areas()[15, 0]  # it went up, over the feet
    assert not (planted.masks(15)[0] & planted.masks(15)[1]).any()


def test_everything_late_shows_the_frames_before_and_keeps_the_length(source):
    planted = planted_track(source, late(source, 4))
    assert len(planted) == len(source)
    assert all(np.array_equal(planted.masks(t), source.masks(max(t - 4, 0))) for t in (0, 3, 4, 20, len(source) - 1))
    early = planted_track(source, late(source, -2))
    assert np.array_equal(early.masks(5), source.masks(7))


@pytest.mark.parametrize("degrees", [5, 20])
def test_a_turned_board_turns_clockwise_about_its_centre(source, degrees):
    planted = planted_track(source, turned(source, BOARD, degrees, (10, 20)))
    points = np.argwhere(planted.mask(15, BOARD))[:, ::-1]
    values, vectors = np.linalg.eigh(np.cov(points.T))
    x, y = vectors[:, 1] * np.sign(vectors[0, 1])
    assert np.rad2deg(np.arctan2(y, x)) == pytest.approx(degrees, abs=0.6)
    assert planted.centroids()[15, 1] == pytest.approx(source.centroids()[15, 1], abs=0.1)


def test_a_person_five_percent_larger_is_ten_percent_more_area_and_stays_on_its_feet(source):
    planted = planted_track(source, scaled(source, "person", 5))
    assert np.median(planted.areas()[:, 0] / source.areas()[:, 0]) == pytest.approx(1.05**2, abs=0.015)
    assert planted.boxes()[20, 0, 3] == pytest.approx(source.boxes()[20, 0, 3], abs=1)


def test_another_thing_has_the_same_area_and_place_but_not_the_shape(source):
    planted = planted_track(source, swapped(source, BOARD, (10, 20)))
    assert planted.areas()[15, 1] == pytest.approx(source.areas()[15, 1], rel=0.05)
    x1, y1, x2, y2 = planted.boxes()[15, 1]
    assert (x2 - x1) / (y2 - y1) == pytest.approx(1, abs=0.1)


def test_missing_means_gone_and_the_length_is_off_by_one(source):
    gone = planted_track(source, missing(source, BOARD, 12, 3)).areas()[:, 1]
    assert np.flatnonzero(gone == 0).tolist() == [12, 13, 14]
    assert [len(planted_track(source, resized(source, by))) - len(source) for by in (1, -1)] == [1, -1]


def test_a_parted_object_is_clear_of_the_person(source):
    span = touching_span(source, BOARD, 5, 30)
    assert span is not None
    px, degrees = way_out(source, BOARD, span)
    planted = planted_track(source, parted(source, BOARD, px, degrees, span))
    middle = sum(span) // 2
    person, board = (np.argwhere(mask) for mask in planted.masks(middle))
    apart = np.sqrt(((person[:, None, :] - board[None, ::7, :]) ** 2).sum(axis=2)).min()
    assert apart > 0.05 * ROLL.person


def test_a_longer_flight_is_slower_and_everything_after_it_late():
    motion = Motion("throw", thing=26, rate=30, seconds=2)
    source, flight = motion.track(), motion.flight
    assert flight is not None
    planted = planted_track(source, longer_flight(source, flight))
    height = source.centroids()[:, 1, 1]
    apex, later = int(height.argmin()), int(planted.centroids()[:, 1, 1].argmin())
    extra = 0.2 * (flight[1] - flight[0])
    assert later - apex == pytest.approx(extra / 2, abs=1.1)
    assert np.array_equal(planted.masks(len(source) - 1), source.masks(len(source) - 1 - round(extra)))


def test_edges_move_by_one_pixel(source):
    for change, least in ((grown(source, 1), 1.0), (grown(source, -1), 0.0)):
        ratio = change.areas()[:, 1] / source.areas()[:, 1]
        assert ((ratio > 1) == (least == 1)).all() and np.abs(ratio - 1).max() < 0.4
    wobbled = jittered(source)
    assert 0.7 < jaccard(source, wobbled, BOARD).min() < jaccard(source, wobbled, BOARD).max() < 1
    assert not np.array_equal(wobbled.masks(3) ^ source.masks(3), wobbled.masks(4) ^ source.masks(4))


def test_footage_is_pasted_where_the_planted_masks_are_and_untouched_elsewhere(source):
    footage = DrawnClip(source, "drawn")
    fault = moved(source, BOARD, 8, 90, (10, 20))
    clip = PlantedClip(footage, source, fault, Background(footage, source))
    planted = planted_track(source, fault)
    assert clip.count() == len(source)
    assert np.array_equal(clip.frame(5).image, footage.frame(5).image)
    image, board = clip.frame(15).image.astype(int), (60, 120, 230)
    inside = np.abs(image[planted.mask(15, BOARD)] - board).sum(axis=1)
    assert np.mean(inside < 30) > 0.75  # but for its soft edge
    uncovered = source.mask(15, BOARD) & ~planted.mask(15, BOARD)
    assert np.mean(np.abs(image[uncovered] - board).sum(axis=1) < 30) < 0.1


def test_the_scene_draws_a_fault_where_its_track_has_it():
    source = Scene(320, 180, 24).track()
    fault = moved(source, BOARD, 8, 0, (4, 8))
    scene = PlantedScene(fault, width=320, height=180, frames=24)
    before, after = Scene(320, 180, 24).truth(5).whole[1], scene.truth(5).whole[1]
    assert np.array_equal(np.roll(before, 8, axis=1), after)
    assert np.array_equal(scene.track().masks(8), source.masks(8))
    assert np.array_equal(scene.frame(2).image, Scene(320, 180, 24).frame(2).image)
    assert not np.array_equal(scene.frame(5).image, Scene(320, 180, 24).frame(5).image)
    gone = PlantedScene(missing(source, BOARD, 5, 3), width=320, height=180, frames=24)
    assert np.flatnonzero(gone.track().areas()[:, 1] == 0).tolist() == [5, 6, 7]


def test_restyles_change_the_picture_and_nothing_else(source, tmp_path):
    footage = DrawnClip(source, "drawn")
    for change in RESTYLES:
        restyled = RestyledClip(footage, change, source)
        assert restyled.count() == footage.count() and restyled.frame(3).image.shape == footage.frame(3).image.shape
        assert np.abs(restyled.frame(3).image.astype(int) - footage.frame(3).image).mean() > 0.3
    low = encoded(ArrayClip(np.stack([footage.frame(t).image for t in range(5)]), Fraction(24)), tmp_path / "low.mp4")
    assert low.count() == 5


def test_every_fault_says_where_it_is():
    for motion in (ROLL, Motion("throw", thing=26, seconds=1.5)):
        source = motion.track()
        for fault in all_faults(source, motion.labels[1], flight=motion.flight):
            assert fault.names and fault.start < fault.stop
            planted = planted_track(source, fault)
            if fault.kind in ("length", "airtime"):  # after a longer flight everything is late
                continue
            differs = [not np.array_equal(planted.masks(t), source.masks(t)) for t in range(len(source))]
            assert all(fault.start <= t < fault.stop for t in np.flatnonzero(differs))
            assert np.mean(differs[fault.start : fault.stop]) > 0.7
    assert faithful(ROLL.track()).names == ()

"""Relations: shapes with known answers, and the rendered ollie against its exact truth."""

import json
from fractions import Fraction

import cv2
import numpy as np
import pytest
from physics_preserver.nodes.extraction.airtime import acceleration, airborne, close_in_time
from physics_preserver.nodes.extraction.front import front_evidence
from physics_preserver.nodes.extraction.relations import Relations, relate
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.track import TrackBuilder

SIZE = (240, 320)


def blank():
    return np.zeros(SIZE, np.uint8)


def box(x1, y1, x2, y2):
    mask = blank()
    mask[y1:y2, x1:x2] = 1
    return mask.astype(bool)


def stick(x, y, length, degrees, thick=8):
    mask = blank()
    rad = np.deg2rad(degrees)
    dx, dy = np.cos(rad) * length / 2, np.sin(rad) * length / 2
    cv2.line(mask, (round(x - dx), round(y - dy)), (round(x + dx), round(y + dy)), 1, thick)
    return mask.astype(bool)


def track(pairs, rate=24):
    builder = TrackBuilder(("person", "board"), SIZE, Fraction(rate))
    for person, board in pairs:
        builder.append(np.stack([person, board & ~person]), np.ones(2, np.float32), None)
    return builder.finish()


def relations(pairs, camera=None, rate=24):
    return relate(track(pairs, rate), "person", "board", camera)


def test_distance_is_counted_between_pixel_centres_and_in_person_heights():
    person = box(100, 40, 140, 140)  # 100 px tall
    gaps = relations([(person, box(90, 140 + gap, 150, 150 + gap)) for gap in (0, 4, 9)])
    assert gaps.distance_px == [1, 5, 10]
    assert gaps.distance == [0.01, 0.05, 0.1] and gaps.height_px == [100, 100, 100]
    diagonal = relations([(person, box(143, 144, 160, 150))])
    assert diagonal.distance_px[0] == pytest.approx(np.hypot(4, 5), abs=0.01)


def test_contact_begins_close_and_ends_further_off():
    """In person heights of 100 px: begins within 1.5 px, ends beyond 3 px."""
    gaps = [20, 20, 1, 1, 1, 0, 0, 0, 1, 1, 1, 5, 5, 5, 1, 1, 1]  # empty rows between the two; distance is one more
    found = relations([(box(100, 40, 140, 140), box(90, 140 + gap, 150, 150 + gap)) for gap in gaps])
    assert found.contact == [False] * 5 + [True] * 6 + [False] * 6


def test_a_single_flicker_is_no_contact():
    gaps = [20, 20, 0, 20, 20]
    assert relations([(box(100, 40, 140, 140), box(90, 140 + g, 150, 150 + g)) for g in gaps]).contact == [False] * 5


def test_place_and_angle_of_a_stick_are_known():
    person = box(140, 40, 160, 140)  # centroid (150, 90)
    for degrees in (-70, -30, 0, 25, 80):
        found = relations([(person, stick(210, 90, 80, degrees))])
        assert found.angle[0] == pytest.approx(degrees, abs=2)
        assert found.offset[0] == pytest.approx((0.605, 0.005), abs=0.01)
    assert relations([(person, box(200, 80, 220, 100))]).angle == [None]  # a square has no direction


def test_what_is_not_there_is_none():
    person, board, nothing = box(100, 40, 140, 140), box(90, 140, 150, 150), box(0, 0, 0, 0)
    found = relations([(person, board), (person, nothing), (nothing, board), (nothing, nothing)])
    for values in (found.contact, found.distance_px, found.distance, found.offset, found.front):
        assert values[0] is not None and values[1:] == [None, None, None]
    assert found.angle[0] == found.angle[2] == 0 and found.angle[1] is None
    assert found.airborne[3] is None


@pytest.mark.parametrize("front", ["person", "object"])
@pytest.mark.parametrize("degrees", [0, 20, -35])
def test_the_one_whose_outline_runs_on_is_in_front(front, degrees):
    person, board = stick(160, 100, 160, 90, 24), stick(160, 150, 130, degrees, 14)
    pairs = [(person, board & ~person)] if front == "person" else [(person & ~board, board)]
    assert relations(pairs).front == [front]


def test_a_part_that_is_enclosed_is_in_front():
    wheel, foot = box(100, 60, 220, 180), stick(160, 120, 14, 0, 6)
    evidence = front_evidence(foot, wheel & ~foot, 150)
    assert evidence is not None and evidence > 0.12
    turned = front_evidence(wheel & ~foot, foot, 150)
    assert turned is not None and turned < -0.12


def test_two_that_stand_side_by_side_are_unclear_and_apart_there_is_no_front():
    assert relations([(box(100, 40, 140, 140), box(140, 40, 180, 140))]).front == ["unclear"]
    assert relations([(box(100, 40, 140, 140), box(150, 40, 190, 140))]).front == [None]


def hop(frames=48, rate=24, pop=16, airtime=0.5, height=100.0, camera_dy=0.0, gravity=5.8):
    """A board's lowest row over a hop: free fall for `airtime` s from frame `pop` on; heights in person heights."""
    t = (np.arange(frames) - pop) / rate
    up = np.where((t > 0) & (t < airtime), 0.5 * gravity * t * (airtime - t), 0.0)
    return 200 - up * height + camera_dy * np.arange(frames), (t > 0) & (t < airtime)


def judged(bottom, rate=24, stretch=None, apart=None):
    frames = len(bottom)
    apart = np.zeros(frames, bool) if apart is None else apart
    stretch = np.zeros(frames, int) if stretch is None else stretch
    return airborne(bottom, bottom - 5, apart, np.full(frames, 100.0), stretch, np.arange(frames) / rate)


@pytest.mark.parametrize("rate", [24, 30, 60])
def test_a_hop_is_airborne_from_pop_to_landing(rate):
    bottom, truth = hop(2 * rate, rate, pop=2 * rate // 3)
    found, rise = judged(bottom, rate)
    wrong = sum(a is not bool(b) for a, b in zip(found, truth, strict=True))
    assert wrong <= 2  # the frames beside pop and landing rise less than .03 person heights
    assert np.nanmax(rise) == pytest.approx(5.8 / 8 * 0.25, abs=0.01)


def test_rolling_down_a_slope_is_not_airborne():
    bottom = 100 + 1.5 * np.arange(60.0) + np.random.default_rng(0).normal(0, 0.5, 60)
    assert judged(bottom)[0] == [False] * 60


def test_a_slow_hump_is_left_open():
    """Up and down by .2 person heights in 1.3 s is slower than free fall: a ramp looks like that."""
    t = np.arange(72) / 24
    up = np.where((t > 1) & (t < 2.3), 0.1 * (1 - np.cos(2 * np.pi * (t - 1) / 1.3)), 0)
    found, _ = judged(200 - 100 * up)
    assert True not in found and found.count(None) > 15 and found[:20] == [False] * 20
    let_go = (t > 1.4) & (t < 1.8)
    assert judged(200 - 100 * up, apart=let_go)[0][40] is True  # without anyone on it, a ramp is no reason


def test_falling_without_a_ground_on_both_sides_is_left_open():
    t = np.arange(12) / 24
    found, _ = judged(100 + 100 * 2.9 * t**2)
    assert True not in found and None in found


@pytest.mark.parametrize(("bend", "expected"), [(0.8, None), (-0.8, False), (0.05, False)])
def test_over_a_hill_is_left_open_and_through_a_valley_is_not(bend, expected):
    """A path 3 s long that bends by so many person heights per s², downwards in the first case."""
    t = np.arange(72) / 24 - 1.5
    assert judged(200 + 100 * bend / 2 * t**2)[0] == [expected] * 72


def test_frames_without_the_board_are_not_judged():
    bottom, _ = hop()
    bottom[30:44] = np.nan
    found, rise = judged(bottom)
    assert found[30:44] == [None] * 14 and np.isnan(rise[30:44]).all() and found[20] is True


def test_the_path_does_not_cross_a_cut():
    bottom = np.concatenate([np.full(24, 200.0), np.full(8, 150.0), np.full(24, 200.0)])
    stretch = np.repeat([0, 1, 2], [24, 8, 24])
    assert True not in judged(bottom, stretch=stretch)[0]


def test_closing_fills_short_dips_and_keeps_slopes():
    t = np.arange(100) / 25
    slope = 3 * t
    dip = slope - np.where((t > 2) & (t < 2.5), 1.0, 0)
    assert np.allclose(close_in_time(slope, t, 1.0), slope)
    assert np.all(close_in_time(dip, t, 1.0) >= slope - 1e-9 - 3 * 0.5)
    assert np.allclose(close_in_time(dip, t, 1.0)[t < 1.4], slope[t < 1.4])
    assert acceleration(4.9 * t**2, t) == pytest.approx(9.8)


def test_a_tilting_camera_is_taken_out():
    """The board stays on the ground while the camera bobs as if it jumped."""
    frames, lift = 48, hop()[0] - 200
    person, pairs, camera = [], [], [np.eye(2, 3)]
    shifts = np.round(lift).astype(int)
    for t in range(frames):
        y = 190 + shifts[t]
        person.append(box(100, y - 100, 140, y))
        pairs.append((person[-1], box(90, y, 150, y + 8)))
        if t:
            camera.append(np.array([[1.0, 0, 0], [0, 1, shifts[t] - shifts[t - 1]]]))
    assert True in relations(pairs).airborne
    assert relations(pairs, np.array(camera)).airborne == [False] * frames


def test_json_round_trip():
    person, board, nothing = box(100, 40, 140, 140), stick(120, 150, 60, 10), box(0, 0, 0, 0)
    found = relations([(person, board), (person, nothing)])
    again = Relations.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again == found and len(again) == 2
    with pytest.raises(ValueError, match="schema"):
        Relations.from_dict({**found.to_dict(), "schema": 99})
    with pytest.raises(ValueError, match="contact"):
        Relations.from_dict({key: value for key, value in found.to_dict().items() if key != "contact"})


def test_wrong_arguments_are_named():
    one = track([(box(100, 40, 140, 140), box(90, 140, 150, 150))])
    with pytest.raises(KeyError, match="dog"):
        relate(one, "person", "dog")
    with pytest.raises(ValueError, match="2 frames, the track 1"):
        relate(one, "person", "board", np.tile(np.eye(2, 3), (2, 1, 1)))


@pytest.mark.parametrize("fault", [None, "late_landing"])
def test_the_rendered_ollie_agrees_with_its_truth(fault):
    scene = Scene(480, 270, fault=fault)
    truths = [scene.truth(t) for t in range(scene.count())]
    builder = TrackBuilder(("person", "skateboard"), (270, 480), scene.rate)
    for truth in truths:
        builder.append(truth.masks, np.ones(2, np.float32), None)
    paths = [np.vstack([truth.camera, [0, 0, 1]]) for truth in truths]
    steps = [now @ np.linalg.inv(before) for before, now in zip(paths[:1] + paths, paths, strict=False)]
    found = relate(builder.finish(), "person", "skateboard", np.array(steps)[:, :2])
    contact = [bool(truth.contact) for truth in truths]
    flying = [bool(truth.airborne) for truth in truths]
    front = ["person" if truth.front == "person" else "object" for truth in truths]
    assert sum(a is not b for a, b in zip(found.contact, contact, strict=True)) <= 1
    assert sum(a is not b for a, b in zip(found.airborne, flying, strict=True)) <= 3
    met = [(a, b) for a, b in zip(found.front, front, strict=True) if a is not None]
    assert sum(a == b for a, b in met) >= 0.95 * len(met)
    for distance, truth in zip(found.distance_px, truths, strict=True):
        if distance is not None and truth.distance > 2:
            assert distance == pytest.approx(truth.distance, abs=1)

"""Single measures: edges that are found again, contact and its events, lags, poses, flicker; each against the truth."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from clips_of_colour import track_of
from physics_preserver.nodes.media.track import pack
from physics_preserver.nodes.validation.contact import (
    Event,
    airtime_errors,
    contact_states,
    distance,
    distances,
    events,
    pair_events,
    without_blips,
)
from physics_preserver.nodes.validation.flicker import Flicker
from physics_preserver.nodes.validation.motion import cheapest_path, delayed
from physics_preserver.nodes.validation.pictures import find_object
from physics_preserver.nodes.validation.poses import oks, pck
from physics_preserver.nodes.validation.shape import look, outline_likeness, shapes
from physics_preserver.nodes.validation.variants import recoloured, softened


def scene(move: np.ndarray | None = None, there: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A textured board on a textured ground, uint8 [240, 320, 3], and its mask; `move` is applied to the board."""
    rng = np.random.default_rng(5)
    ground = cv2.resize(rng.integers(40, 120, (30, 40, 3), np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
    board = cv2.resize(rng.integers(120, 255, (24, 32, 3), np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
    mask = np.zeros((240, 320), np.uint8)
    cv2.ellipse(mask, (160, 120), (60, 14), 10, 0, 360, 1, -1)
    if move is not None:
        board, mask = (cv2.warpAffine(image, move, (320, 240)) for image in (board, mask))
    return np.where((mask > 0)[..., None] & there, board, ground), mask > 0


def turned(degrees: float, percent: float = 0, x: float = 0, y: float = 0) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((160, 120), -degrees, 1 + percent / 100)
    matrix[:, 2] += (x, y)
    return matrix


@pytest.mark.parametrize("restyle", [lambda image: image, lambda image: recoloured(softened(image))])
@pytest.mark.parametrize(
    "x, y, degrees, percent", [(2, -3, 0, 0), (8, 5, 0, 0), (0, 0, 10, 0), (0, 0, -20, 0), (1, 0, 0, 5)]
)
def test_edges_are_found_where_they_are_whatever_their_colour(restyle, x, y, degrees, percent):
    source, mask = scene()
    generated, _ = scene(turned(degrees, percent, x, y))
    fit = find_object(source, restyle(generated), mask)
    assert fit is not None and fit.like > 0.7 and fit.like > fit.near
    assert (fit.x, fit.y) == pytest.approx((x, y), abs=0.6)
    assert fit.angle == pytest.approx(degrees, abs=1.5) and fit.scale == pytest.approx(percent, abs=1.5)


def test_an_object_that_is_not_there_is_not_found():
    source, mask = scene()
    fit = find_object(source, scene(there=False)[0], mask)
    assert fit is not None and fit.like < 0.35
    assert find_object(source, source, np.zeros_like(mask)) is None
    assert find_object(np.full_like(source, 90), source, mask) is None, "a flat picture has no edges"


def test_contact_changes_make_events_with_times():
    def at(gap):
        masks = np.zeros((2, 60, 80), bool)
        masks[0, 10:40, 20:30] = True
        masks[1, 40 + gap : 46 + gap, 15:40] = True
        return masks

    gaps = [0] * 8 + [5] * 6 + [0] * 8
    distance = distances(track_of([at(gap) for gap in gaps]), "person", "board")
    assert distance[0] == 1 and distance[10] == pytest.approx(6, abs=0.1)
    states = contact_states(distance, np.full(len(gaps), 30.0))
    assert [(event.kind, event.frame) for event in events(states, [t / 24 for t in range(22)])] == [
        ("take-off", 8),
        ("landing", 14),
    ]
    empty = track_of([at(0) & False])
    assert np.isnan(distances(empty, "person", "board")[0])


def test_short_changes_of_contact_are_the_trackers():
    states = np.array([1, 1, 1, 0, 1, 1, 1, np.nan, 1, 0, 0, 0, 0])
    assert np.nan_to_num(without_blips(states), nan=-1).tolist() == [1, 1, 1, 1, 1, 1, 1, -1, 1, 0, 0, 0, 0]


def test_events_are_paired_once_and_airtime_is_compared_in_the_clips_own_time():
    source = [Event("take-off", 10, 10 / 24), Event("landing", 20, 20 / 24)]
    generated = [Event("take-off", 11, 11 / 30), Event("landing", 26, 26 / 30), Event("take-off", 60, 2.0)]
    pairs = pair_events(source, generated)
    assert [(pair["source_frame"], pair["generated_frame"]) for pair in pairs] == [(10, 11), (20, 26), (None, 60)]
    assert pairs[1]["error_ms"] == pytest.approx(1000 * (26 / 30 - 20 / 24), abs=0.1) and pairs[2]["error_ms"] is None
    [flight] = airtime_errors(source, generated)
    assert flight["percent"] == pytest.approx(100 * (15 / 30) / (10 / 24) - 100, abs=0.01)


def test_oks_is_cocos():
    source = np.zeros((1, 133, 3))
    source[..., 2] = 1
    generated = source.copy()
    generated[0, 0, 0] = 10  # the nose, sigma .026
    expected = (16 + np.exp(-(10**2) / (2 * 5000 * (2 * 0.026) ** 2))) / 17
    assert oks(source, generated, np.array([5000.0])) == pytest.approx([expected])
    assert pck(source, generated, np.array([90.0])) == pytest.approx([16 / 17])
    generated[0, 5:, 2] = 0.1
    generated[0, 1, 2] = 0.1
    assert np.isnan(oks(source, generated, np.array([5000.0]))[0]), "four keypoints say nothing"


def test_a_mask_that_moves_with_its_picture_does_not_flicker():
    source, mask = scene()
    still, jumping = Flicker(), Flicker()
    values = {"still": [], "jumping": []}
    for t in range(6):
        shift = np.array([[1, 0, 3.0 * t], [0, 1, 0]])
        image = cv2.warpAffine(source, shift, (320, 240), borderMode=cv2.BORDER_REFLECT)
        moved = cv2.warpAffine(mask.view(np.uint8), shift, (320, 240)).view(bool)
        values["still"].append(still.step(image, moved[None])[0])
        fat = cv2.dilate(moved.view(np.uint8), np.ones((9, 9), np.uint8)).view(bool) if t % 2 else moved
        values["jumping"].append(jumping.step(image, fat[None])[0])
    assert np.isnan(values["still"][0]) and np.mean(values["still"][1:]) < 0.12
    assert np.mean(values["jumping"][1:]) > np.mean(values["still"][1:]) + 0.15


def test_shapes_of_a_tilted_bar_and_of_nothing():
    bar = np.zeros((2, 100, 200), bool)
    canvas = np.zeros((100, 200), np.uint8)
    cv2.fillPoly(canvas, [cv2.boxPoints(((100, 50), (90, 10), 25)).astype(np.int32)], 1)
    bar[1] = canvas > 0
    found = shapes(track_of([bar, bar & False], Fraction(24)), "board")
    assert found.angle[0] == pytest.approx(25, abs=0.5) and found.long[0] == pytest.approx(91, abs=2)
    assert found.area.tolist() == [canvas.sum(), 0] and np.isnan(found.x[1])
    assert outline_likeness(found, found)[0] == pytest.approx(1)


def test_lags_are_found_by_the_cheapest_path():
    costs = np.ones((3, 30))
    costs[1, :12] = costs[2, 12:] = 0
    costs[0, 20] = -1  # one frame says otherwise
    assert cheapest_path(costs, 4.0).tolist() == [1] * 12 + [2] * 18
    assert np.nan_to_num(delayed(np.arange(4.0), 1), nan=-1).tolist() == [-1, 0, 1, 2]
    assert np.isnan(delayed(np.arange(2.0), 5)).all()


def blobs(rng, shape) -> np.ndarray:
    """bool: a few filled ellipses, some of them cut off by the edge of the picture."""
    canvas = np.zeros(shape, np.uint8)
    middle = rng.integers(0, (shape[1], shape[0]))
    for _ in range(rng.integers(1, 4)):
        x, y = middle + rng.integers(-12, 13, 2)
        axes = rng.integers(0, 25, 2).tolist()
        cv2.ellipse(canvas, (int(x), int(y)), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return canvas.astype(bool)


@pytest.mark.parametrize("seed", range(300))
def test_distance_and_shape_from_crops_are_those_of_whole_masks(seed):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(20, 150)), int(rng.integers(20, 220)))
    person, thing = blobs(rng, shape), blobs(rng, shape)
    found = distance(pack(person), pack(thing), shape[1])
    if not (person.any() and thing.any()):
        assert np.isnan(found)
        return
    away = cv2.distanceTransform((~person).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    whole = float(away[thing].min())
    rows = np.flatnonzero(person.any(axis=1))
    reach = max(8, round(0.2 * (rows[-1] + 1 - rows[0])))
    assert found == whole if whole <= reach else found >= whole  # beyond its reach it may look no further

    m = cv2.moments(person.view(np.uint8), binaryImage=True)
    ys, xs = np.nonzero(person)
    area, x, y, *_, left, top, right, bottom = look(pack(person))
    assert (area, left, top, right, bottom) == (len(xs), xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert (x, y) == pytest.approx((m["m10"] / m["m00"] + 0.5, m["m01"] / m["m00"] + 0.5), rel=1e-12)
    long, short = look(pack(person))[4:6]
    spread = (m["mu20"] + m["mu02"]) / m["m00"] + 2 / 12
    assert np.hypot(long, short) == pytest.approx(np.sqrt(12 * spread), rel=1e-9)

"""The synthetic scene: its truth agrees with what it draws, and faults change only what they say."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from physics_preserver.nodes.media import scenery
from physics_preserver.nodes.media.figure import GRAVITY
from physics_preserver.nodes.media.scene import LABELS, PICTURE_M, POP, Scene

SMALL: dict[str, Any] = {"width": 320, "height": 180}
PERSON, BOARD = (LABELS.index(label) for label in ("person", "skateboard"))


@pytest.fixture(scope="module")
def truths():
    scene = Scene(**SMALL)
    return [scene.truth(i) for i in range(scene.count())]


def truths_of(**fault):
    scene = Scene(**SMALL, **fault)
    return [scene.truth(i) for i in range(scene.count())]


def grown(mask, by):
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * by + 1, 2 * by + 1))) > 0


def airborne_frames(truths):
    return np.flatnonzero([truth.airborne for truth in truths])


def test_same_seed_same_picture_and_any_start():
    one, two, other = Scene(**SMALL, seed=3), Scene(**SMALL, seed=3), Scene(**SMALL, seed=4)
    assert np.array_equal(one.frame(31).image, next(two.read(31)).image)
    assert (one.frame(31).image != other.frame(31).image).mean() > 0.5
    assert np.array_equal(one.truth(31).masks, other.truth(31).masks)


def test_frames_carry_index_and_time():
    scene = Scene(**SMALL, frames=3, exposures=1)
    frames = list(scene)
    assert [frame.index for frame in frames] == [0, 1, 2] and scene.count() == 3
    assert [frame.time * 24 for frame in frames] == [0, 1, 2]
    assert frames[0].image.shape == (180, 320, 3) and frames[0].image.dtype == np.uint8


def test_masks_are_exclusive_and_inside_the_whole_silhouettes(truths):
    for truth in truths:
        assert not (truth.masks[PERSON] & truth.masks[BOARD]).any()
        assert truth.masks.any(axis=(1, 2)).all()
        assert not (truth.masks & ~np.stack([grown(whole, 1) for whole in truth.whole])).any()


@pytest.mark.parametrize("label, frame", [("person", 10), ("person", 36), ("skateboard", 36), ("skateboard", 60)])
def test_new_colours_of_one_object_change_only_its_pixels(monkeypatch, label, frame):
    look = scenery.LOOKS["original"]
    scene = Scene(**SMALL, exposures=1)
    before, truth = scene.render(frame), scene.truth(frame)
    blue, other = (10, 20, 250), (30, 250, 20)
    if label == "person":
        changed = replace(look, shirt=(blue, other, "stripes"), trouser=(other, blue, "denim"), skin=blue, hair=blue)
        changed = replace(changed, cap=(blue, other), shoe=(blue, other))
    else:
        changed = replace(look, board=(blue, other, blue), grip=blue, wheel=(other, blue))
    monkeypatch.setitem(scenery.LOOKS, "original", changed)
    differs = np.abs(Scene(**SMALL, exposures=1).render(frame).astype(int) - before).max(axis=2)
    mask = truth.masks[LABELS.index(label)]
    # A pixel belongs to what covers most of it, so a faint rim of less than half covered ones is outside the mask.
    outside = np.where(grown(mask, 1), 0, differs)
    assert outside.max() <= 128 and outside.sum() < 0.03 * differs.sum()
    # Deck edge and trucks keep their colour.
    assert (differs[mask] > 0).mean() > (0.99 if label == "person" else 0.5)


def test_contact_is_the_distance_of_the_silhouettes(truths):
    for truth in truths[::3]:
        rows, columns = np.nonzero(truth.whole[PERSON])
        person = np.stack([rows, columns], axis=1).astype(float)
        board = np.argwhere(truth.whole[BOARD]).astype(float)
        nearest = min(np.sqrt(((person - pixel) ** 2).sum(axis=1).min()) for pixel in board)
        assert truth.distance == pytest.approx(nearest, abs=1e-3)
        assert truth.contact == (nearest <= max(1, 0.01 * (rows.max() + 1 - rows.min())))


def test_rolls_flies_and_rolls_again(truths):
    flight = airborne_frames(truths)
    assert np.array_equal(flight, np.arange(flight[0], flight[-1] + 1)) and 13 <= len(flight) <= 17
    apart = np.flatnonzero([not truth.contact for truth in truths])
    assert len(apart) >= 3 and set(apart) <= set(flight)
    fronts = [truth.front for truth in truths]
    assert fronts[0] == fronts[-1] == "person" and "skateboard" in fronts


def test_the_rider_falls_as_gravity_says(truths):
    flight = airborne_frames(truths)[1:-1]
    hips = []
    for i in flight:
        camera = truths[i].camera
        point = truths[i].keypoints[11:13, :2].mean(axis=0)
        hips.append(np.linalg.solve(camera[:, :2], point - camera[:, 2])[1])
    acceleration = 2 * np.polyfit(flight / 24, hips, 2)[0] * PICTURE_M / 180
    assert acceleration == pytest.approx(GRAVITY, rel=0.02)


def test_camera_carries_the_first_frame_onto_later_ones(truths):
    scene = Scene(**SMALL, exposures=1)
    first = scene.render(0)
    for i in (6, 15):
        moved = cv2.warpAffine(first, truths[i].camera, (320, 180), flags=cv2.INTER_LINEAR)
        street = np.where(grown(truths[0].whole.any(axis=0), 2), 0, 255).astype(np.uint8)
        street = cv2.warpAffine(street, truths[i].camera, (320, 180)) > 250
        street &= ~grown(truths[i].whole.any(axis=0), 2)
        street[int(0.8 * 180) :] = False  # where the shadow is
        error = np.abs(moved.astype(int) - scene.render(i)).mean(axis=2)[street]
        unmoved = np.abs(first.astype(int) - scene.render(i)).mean(axis=2)[street]
        assert error.mean() < 0.3 * unmoved.mean()


def test_pole_hides_the_rider_for_a_moment(truths):
    seen = np.array([truth.masks[PERSON].sum() / truth.whole[PERSON].sum() for truth in truths])
    hidden = np.flatnonzero(seen < 0.93)
    assert 3 <= len(hidden) <= 12 and np.array_equal(hidden, np.arange(hidden[0], hidden[-1] + 1))
    assert hidden[0] > airborne_frames(truths)[-1] + 6 and seen.min() > 0.5


def test_keypoints_lie_in_the_silhouette(truths):
    for truth in truths[::5]:
        inside = grown(truth.whole[PERSON], 1)
        for x, y, visible in truth.keypoints:
            assert not visible or inside[round(y), round(x)]
        assert truth.keypoints.shape == (17, 3) and truth.keypoints[:, 2].sum() >= 10


def test_reskin_keeps_every_mask_and_no_colour(truths):
    for i, truth in enumerate(truths_of(style="reskin")):
        assert np.array_equal(truth.masks, truths[i].masks) and truth.contact == truths[i].contact
    plain, reskin = Scene(**SMALL).render(36), Scene(**SMALL, style="reskin").render(36)
    assert np.abs(plain.astype(int) - reskin).mean() > 40


def test_drift_moves_the_board_alone_and_by_what_it_says(truths):
    faulty = truths_of(fault="drift", fault_start=20, drift=0.08)
    for i, (truth, true) in enumerate(zip(faulty, truths, strict=True)):
        assert np.array_equal(truth.whole[PERSON], true.whole[PERSON])
        assert np.array_equal(truth.masks, true.masks) == (i <= 20)
    shift = [np.argwhere(truth.whole[BOARD])[:, 1].mean() for truth in (faulty[-1], truths[-1])]
    assert shift[0] - shift[1] == pytest.approx(0.08 * 320 * 1.03, abs=0.5)
    clean, broken = Scene(**SMALL), Scene(**SMALL, fault="drift", fault_start=20)
    assert np.array_equal(clean.render(19), broken.render(19))


def test_late_landing_is_late_by_what_it_says(truths):
    faulty = truths_of(fault="late_landing", late_frames=6)
    flight, late = airborne_frames(truths), airborne_frames(faulty)
    assert late[-1] == flight[-1] + 6 and abs(late[0] - flight[0]) <= 1
    for i in range(int(POP * 72) + 1):
        assert np.array_equal(faulty[i].masks, truths[i].masks)
    heights = [truth.keypoints[0, 1] for truth in truths], [truth.keypoints[0, 1] for truth in faulty]
    assert min(heights[1]) == pytest.approx(min(heights[0]), abs=1.5)


def test_every_size_shows_the_same_scene(truths):
    large = Scene(640, 360).truth(36).masks.astype(np.uint8) * 255
    for mask, small in zip(large, truths[36].masks, strict=True):
        shrunk = cv2.resize(mask, (320, 180), interpolation=cv2.INTER_AREA) > 127
        assert (shrunk & small).sum() / (shrunk | small).sum() > 0.9
    assert Scene(201, 333, frames=2, exposures=1).render(1).shape == (333, 201, 3)


def test_track_holds_the_masks(truths):
    scene = Scene(**SMALL, frames=72)
    track = scene.track()
    assert len(track) == 72 and track.labels == LABELS
    assert np.array_equal(track.masks(40), truths[40].masks)


@pytest.mark.parametrize("wrong", [{"style": "noir"}, {"fault": "flip"}, {"frames": 0}, {"width": 4}])
def test_what_cannot_be_rendered_is_refused(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        Scene(**{**SMALL, **wrong})

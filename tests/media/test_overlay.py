"""Overlay and contact sheet: objects are marked where they are, everything else stays."""

from typing import NamedTuple

import numpy as np
import pytest
from physics_preserver.nodes.media import overlay
from physics_preserver.nodes.media.overlay import COLOURS, draw_overlay
from physics_preserver.nodes.media.sheet import Row, contact_sheet


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(60, 180, (240, 320, 3), dtype=np.uint8)


@pytest.fixture
def masks():
    masks = np.zeros((2, 240, 320), bool)
    masks[0, 80:150, 140:180] = True
    masks[1, 160:170, 110:210] = True
    return masks


def test_tints_inside_and_leaves_the_rest(image, masks):
    before = image.copy()
    drawn = draw_overlay(image, masks, ("person", "skateboard"))
    assert np.array_equal(image, before) and drawn.shape == image.shape and drawn.dtype == np.uint8
    inner = drawn[90:140, 150:170].astype(float).mean(axis=(0, 1))
    assert inner == pytest.approx(0.62 * image[90:140, 150:170].mean(axis=(0, 1)) + 0.38 * np.array(COLOURS[0]), abs=1)
    assert np.array_equal(drawn[:, :80], image[:, :80]) and np.array_equal(drawn[200:], image[200:])


class Told(NamedTuple):
    contact: bool
    airborne: bool


def test_badges_follow_the_relation(image, masks):
    shown = [
        draw_overlay(image, masks, ("a", "b"), Told(contact, airborne))
        for contact, airborne in ((True, False), (False, True))
    ]
    plain = draw_overlay(image, masks, ("a", "b"))
    changed = [(drawn != plain).any(axis=2) for drawn in shown]
    assert all(change.any() and not change[40:].any() for change in changed)
    assert (shown[0] != shown[1]).any()


def test_tags_of_objects_beside_each_other_stand_apart(monkeypatch):
    image, masks = np.full((240, 320, 3), 90, np.uint8), np.zeros((4, 240, 320), bool)
    for n in range(4):
        masks[n, 100:180, 100 + 20 * n : 115 + 20 * n] = True
    labels = [f"person {n}" for n in range(4)]
    plates = []
    monkeypatch.setattr(overlay, "tag", lambda image, text, x, y, size, colour: plates.append((text, x, y, size)))
    draw_overlay(image, masks, labels)
    assert [text for text, *_ in plates] == labels
    boxes = [overlay._plate(image, *plate) for plate in plates]
    for n, (left, top, right, low) in enumerate(boxes):
        assert 0 <= left and right <= 320 and 0 <= top and low <= 240
        for x0, y0, x1, y1 in boxes[:n]:
            assert left >= x1 or right <= x0 or top >= y1 or low <= y0


def test_empty_masks_and_objects_at_the_edge(image):
    masks = np.zeros((2, 240, 320), bool)
    assert np.array_equal(draw_overlay(image, masks, ("person", "skateboard")), image)
    masks[1, 235:, 300:] = True
    assert (draw_overlay(image, masks, ("person", "a very long name of an object")) != image).any()


def test_sheet_places_every_image(image):
    colours = [np.full((90, 160, 3), value, np.uint8) for value in (40, 90, 140, 190)]
    sheet = contact_sheet([Row("one", colours[:2]), Row("two", [colours[2], None])], ["frame 0", "frame 7"], 160)
    areas = [int((sheet == value).all(axis=2).sum()) for value in (40, 90, 140, 190)]
    assert areas[:3] == pytest.approx([160 * 90] * 3, rel=0.01) and areas[3] < 100


def test_sheet_refuses_rows_that_do_not_fit(image):
    with pytest.raises(ValueError, match="2"):
        contact_sheet([Row("one", [image])], ["frame 0", "frame 1"])
    with pytest.raises(ValueError):
        contact_sheet([], [])

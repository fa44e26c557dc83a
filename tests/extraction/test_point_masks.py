"""Clicks, as masks: on shapes with known outlines, and on the scene's skater."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from physics_preserver.nodes.extraction.shown import prompt_masks
from physics_preserver.nodes.extraction.tracking import Point, Prompt
from physics_preserver.nodes.media.scene import LABELS, Scene
from physics_preserver.nodes.validation.region import mask_jaccard

H, W = 240, 320


def clicks(positive: list, negative: list | None = None, label: str = "a", **more) -> Prompt:
    points = [Point(x, y) for x, y in positive] + [Point(x, y, False) for x, y in negative or []]
    return Prompt(label, points=tuple(points), **more)


@pytest.fixture
def picture() -> np.ndarray:
    """A red disc and a blue one that touch, on a noisy grey ground with a slope of brightness."""
    rng = np.random.default_rng(1)
    image = np.full((H, W, 3), 120, np.uint8) + np.linspace(0, 50, W).astype(np.uint8)[None, :, None]
    cv2.circle(image, (120, 120), 40, (200, 40, 40), -1)
    cv2.circle(image, (200, 120), 40, (40, 60, 200), -1)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def disc(x: int, y: int, radius: int) -> np.ndarray:
    mask = np.zeros((H, W), np.uint8)
    cv2.circle(mask, (x, y), radius, 1, -1)
    return mask > 0


@pytest.mark.parametrize("scale", [1, 4])
def test_a_click_selects_the_disc_it_is_on(picture, scale):
    image = cv2.resize(picture, (W * scale, H * scale), interpolation=cv2.INTER_CUBIC)
    truth = cv2.resize(disc(120, 120, 40).astype(np.uint8), (W * scale, H * scale)) > 0
    [mask] = prompt_masks(image, [clicks([(100 * scale, 130 * scale)])])
    assert mask_jaccard(mask, truth) > 0.9


def test_two_clicks_select_both_and_a_negative_one_takes_its_part_away(picture):
    both = disc(120, 120, 40) | disc(200, 120, 40)
    [mask] = prompt_masks(picture, [clicks([(110, 120), (210, 120)])])
    assert mask_jaccard(mask, both) > 0.9
    [mask] = prompt_masks(picture, [clicks([], [(210, 120)], mask=both)])
    assert mask_jaccard(mask, disc(120, 120, 40)) > 0.9


def test_a_positive_click_adds_to_a_mask(picture):
    [mask] = prompt_masks(picture, [clicks([(210, 120)], mask=disc(120, 120, 40))])
    assert mask_jaccard(mask, disc(120, 120, 40) | disc(200, 120, 40)) > 0.9


def test_two_things_of_one_colour_part_at_their_neck():
    image = np.full((H, W, 3), 200, np.uint8)
    for x in (100, 220):
        cv2.circle(image, (x, 120), 40, (20, 20, 20), -1)
    cv2.line(image, (100, 120), (220, 120), (20, 20, 20), 5)
    [mask] = prompt_masks(image, [clicks([(100, 120)], [(220, 120)])])
    assert mask_jaccard(mask, disc(100, 120, 40)) > 0.9


def test_a_click_holds_its_own_pixel_and_a_negative_one_never(picture):
    rng = np.random.default_rng(2)
    noise = rng.integers(0, 255, (H, W, 3), np.uint8)
    for image in (picture, noise, np.zeros_like(noise)):
        [mask] = prompt_masks(image, [clicks([(160, 100), (0, 0)], [(160, 108), (W - 1, H - 1)])])
        assert mask[100, 160] and mask[0, 0] and not mask[108, 160] and not mask[H - 1, W - 1]


def test_what_is_clicked_is_taken_from_the_others(picture):
    boxed = Prompt("pair", box=(70, 70, 250, 170))
    masks = prompt_masks(picture, [boxed, clicks([(200, 120)], label="blue")])
    assert not (masks[0] & masks[1]).any()
    assert mask_jaccard(masks[0], disc(120, 120, 40)) > 0.8 and mask_jaccard(masks[1], disc(200, 120, 40)) > 0.9


@pytest.mark.parametrize("size", [(640, 360), (1280, 720), (339, 193)])
def test_clicks_on_the_scene_select_board_and_trousers(size):
    scene = Scene(*size, exposures=2)
    image, truth = scene.frame(0).image, dict(zip(LABELS, scene.truth(0).masks, strict=True))
    scale = size[0] / 640
    [board] = prompt_masks(image, [clicks([(180 * scale, 309 * scale)])])
    assert mask_jaccard(board, truth["skateboard"]) > 0.5
    [legs] = prompt_masks(image, [clicks([(152 * scale, 240 * scale), (205 * scale, 240 * scale)])])
    inside = np.count_nonzero(legs & truth["person"]) / np.count_nonzero(legs)
    assert inside > 0.9 and np.count_nonzero(legs) > 0.25 * np.count_nonzero(truth["person"])
    everything = truth["person"] | truth["skateboard"]
    [less] = prompt_masks(image, [clicks([], [(180 * scale, 309 * scale)], mask=everything)])
    assert mask_jaccard(less, truth["person"]) > mask_jaccard(everything, truth["person"])
    assert np.count_nonzero(less & truth["skateboard"]) < 0.55 * np.count_nonzero(truth["skateboard"])

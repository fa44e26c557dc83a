"""Boxes become masks: what stands out from its surroundings, shared between overlapping boxes."""

import numpy as np
from physics_preserver.nodes.extraction.box_masks import masks_from_boxes


def picture() -> tuple[np.ndarray, np.ndarray]:
    """A tall blue figure with a red board at its feet, noise on each, on grey noise; their true masks."""
    rng = np.random.default_rng(0)
    image = rng.integers(90, 130, (160, 240, 3), np.uint8)
    masks = np.zeros((2, 160, 240), bool)
    masks[0, 30:112, 100:130] = True
    masks[1, 108:120, 80:150] = True
    masks[0] &= ~masks[1]
    for mask, colour in zip(masks, ((30, 40, 190), (190, 40, 30)), strict=True):
        image[mask] = np.array(colour, np.uint8) + rng.integers(0, 50, (mask.sum(), 1), np.uint8)
    return image, masks


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_a_single_box_gives_what_stands_out_in_it():
    image, masks = picture()
    mask = masks_from_boxes(image, [(78, 104, 152, 124)])[0]
    assert mask.shape == (160, 240) and mask.dtype == bool
    assert iou(mask, masks[1]) > 0.9


def test_a_board_does_not_take_its_riders_legs_nor_he_the_board():
    image, masks = picture()
    found = masks_from_boxes(image, [(96, 26, 134, 118), (78, 100, 152, 124)])
    assert iou(found[0], masks[0]) > 0.9 and iou(found[1], masks[1]) > 0.9
    assert not (found[0] & found[1]).any()


def test_pixels_that_are_taken_stay_taken():
    image, masks = picture()
    found = masks_from_boxes(image, [(96, 26, 134, 118)], taken=masks[1])
    assert not (found[0] & masks[1]).any() and iou(found[0], masks[0]) > 0.9


def test_where_nothing_stands_out_the_box_is_the_mask():
    flat = np.full((60, 80, 3), 90, np.uint8)
    assert masks_from_boxes(flat, [(20, 10, 40, 30)])[0].sum() == 400
    assert not masks_from_boxes(flat, [(100, 10, 140, 30)]).any(), "outside the picture there is nothing"

"""Facts about the embedded tracker on small synthetic scenes whose truth is known by construction."""

import cv2
import numpy as np
import pytest
from physics_preserver.nodes.extraction.embedded import EmbeddedTracker

H, W = 120, 200


def texture(height, width, seed, base, spread=45, grain=4):
    """uint8 [height, width, 3]: smooth noise around a colour."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-spread, spread, (height // grain + 2, width // grain + 2, 3)).astype(np.float32)
    noise = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(noise + np.asarray(base, np.float32), 0, 255).astype(np.uint8)


BACKGROUND = texture(H + 80, W + 160, 1, (110, 130, 100), grain=6)
SPRITE = texture(40, 40, 2, (190, 70, 60))
BOARD = texture(10, 50, 3, (60, 70, 190))


def background(pan=0.0):
    return np.ascontiguousarray(BACKGROUND[40 : 40 + H, 40 + int(pan) : 40 + int(pan) + W])


def paste(image, sprite, x, y):
    """Draw a sprite with its top-left corner at (x, y), cut at the frame's edges, and return its mask."""
    mask = np.zeros(image.shape[:2], bool)
    h, w = sprite.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, image.shape[1]), min(y + h, image.shape[0])
    if x1 > x0 and y1 > y0:
        image[y0:y1, x0:x1] = sprite[y0 - y : y1 - y, x0 - x : x1 - x]
        mask[y0:y1, x0:x1] = True
    return mask


def iou(a, b):
    return (a & b).sum() / max((a | b).sum(), 1)


def test_follows_a_textured_square_over_a_panning_background():
    tracker = None
    for t in range(20):
        image = background(pan=2 * t)
        truth = paste(image, SPRITE, 20 + 5 * t, 40 + t)
        if tracker is None:
            tracker = EmbeddedTracker(image, truth[None])
            continue
        masks, scores = tracker.step(image)
        assert masks.shape == (1, H, W) and masks.dtype == bool
        assert iou(masks[0], truth) > 0.85, t
        assert 0.5 < scores[0] <= 1


def test_two_touching_objects_never_overlap():
    tracker = None
    for t in range(15):
        image = background(pan=t)
        person = paste(image, SPRITE, 30 + 4 * t, 40)
        board = paste(image, BOARD, 25 + 4 * t, 80)
        if tracker is None:
            tracker = EmbeddedTracker(image, np.stack([person, board]))
            continue
        masks, _ = tracker.step(image)
        assert not (masks[0] & masks[1]).any()
        assert iou(masks[0], person) > 0.8, t
        assert iou(masks[1], board) > 0.7, t


def test_overlapping_start_masks_are_made_exclusive():
    image = background()
    whole = paste(image, SPRITE, 60, 40)
    part = np.zeros_like(whole)
    part[70:80, 60:100] = True
    masks, _ = EmbeddedTracker(image, np.stack([whole, part])).step(image)
    assert not masks.all(0).any()
    assert masks[0].any()


def test_occluded_object_is_empty_and_is_found_again():
    wall = texture(H, 60, 7, (30, 30, 30), spread=15)
    tracker, seen = None, []
    for t in range(40):
        image = background()
        paste(image, SPRITE, 5 + 4 * t, 40)
        paste(image, wall, 70, 0)
        truth = np.zeros((H, W), bool)
        truth[40:80, 5 + 4 * t : min(45 + 4 * t, W)] = True
        truth[:, 70:130] = False
        if tracker is None:
            tracker = EmbeddedTracker(image, truth[None])
            continue
        masks, scores = tracker.step(image)
        seen.append((t, iou(masks[0], truth), masks[0].sum(), scores[0], truth.sum()))
    hidden = [s for s in seen if s[4] == 0]
    assert len(hidden) >= 4
    assert all(area == 0 and score < 0.5 for _, _, area, score, _ in hidden[1:])
    assert all(overlap > 0.6 for t, overlap, *_ in seen if t >= 36), seen[-6:]


def test_object_that_left_the_frame_is_empty():
    tracker = None
    for t in range(24):
        image = background()
        truth = paste(image, SPRITE, 120 + 5 * t, 40)
        if tracker is None:
            tracker = EmbeddedTracker(image, truth[None])
            continue
        masks, scores = tracker.step(image)
        if truth.sum() > 600:
            assert iou(masks[0], truth) > 0.7, t
        if 120 + 5 * t > W + 10:
            assert not masks.any(), t
            assert scores[0] < 0.5


def test_cast_shadow_is_kept_out():
    tracker = None
    for t in range(20):
        image = background()
        x = 20 + 5 * t
        shadow = np.zeros((H, W), np.uint8)
        cv2.ellipse(shadow, (x + 20, 84), (28, 6), 0, 0, 360, 1, -1)
        image[shadow > 0] = (image[shadow > 0] * 0.5).astype(np.uint8)
        truth = paste(image, SPRITE, x, 40)
        if tracker is None:
            tracker = EmbeddedTracker(image, truth[None])
            continue
        masks, _ = tracker.step(image)
        only_shadow = (shadow > 0) & ~truth
        assert (masks[0] & only_shadow).sum() < 0.15 * only_shadow.sum(), t
        assert iou(masks[0], truth) > 0.8, t


def test_hard_cut_is_lost_not_garbage():
    image = background()
    truth = paste(image, SPRITE, 60, 40)
    tracker = EmbeddedTracker(image, truth[None])
    other = texture(H, W, 9, (210, 215, 225), spread=25)
    for _ in range(3):
        masks, scores = tracker.step(other)
        assert not masks.any()
        assert scores[0] < 0.5


def test_still_image_keeps_the_mask():
    image = background()
    truth = paste(image, SPRITE, 60, 40)
    tracker = EmbeddedTracker(image, truth[None])
    for _ in range(25):
        masks, _ = tracker.step(image)
    assert iou(masks[0], truth) > 0.9


def test_same_input_gives_the_same_output():
    frames = []
    for t in range(6):
        image = background(pan=2 * t)
        truth = paste(image, SPRITE, 20 + 5 * t, 40)
        frames.append((image, truth))
    runs = []
    for _ in range(2):
        tracker = EmbeddedTracker(frames[0][0], frames[0][1][None])
        runs.append(np.stack([tracker.step(image)[0] for image, _ in frames[1:]]))
        cv2.setRNGSeed(12345)
    assert (runs[0] == runs[1]).all()


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (33, 200), (241, 427)])
def test_small_and_odd_sizes(size):
    h, w = size
    image = texture(h, w, 4, (90, 120, 100))
    mask = np.zeros((h, w), bool)
    mask[h // 4 : h // 2 + 1, w // 4 : w // 2 + 1] = True
    image[mask] = (200, 60, 60)
    masks, _ = EmbeddedTracker(image, mask[None]).step(image)
    assert masks.shape == (1, h, w)
    assert iou(masks[0], mask) > 0.6


@pytest.mark.parametrize("kind", ["whole", "pixel", "border", "empty"])
def test_extreme_start_masks(kind):
    image = background()
    mask = np.zeros((H, W), bool)
    if kind == "whole":
        mask[:] = True
    elif kind == "pixel":
        mask[50, 70] = True
    elif kind == "border":
        mask[:40, :] = True
    tracker = EmbeddedTracker(image, mask[None])
    for _ in range(3):
        masks, scores = tracker.step(image)
    assert masks.shape == (1, H, W) and scores.shape == (1,)
    if kind in ("whole", "border"):
        assert iou(masks[0], mask) > 0.8
    if kind == "empty":
        assert not masks.any() and scores[0] == 0


def test_object_without_a_start_mask_is_taken_up_through_a_box():
    image = background()
    truth = paste(image, SPRITE, 60, 40)
    tracker = EmbeddedTracker(image, np.zeros((1, H, W), bool))
    assert not tracker.step(image)[0].any()
    assert iou(tracker.step(image, [(58.0, 38.0, 102.0, 82.0)])[0][0], truth) > 0.7
    assert iou(tracker.step(image)[0][0], truth) > 0.7


def test_follows_a_ball_of_a_few_pixels():
    tracker = None
    for t in range(15):
        image = background(pan=t)
        truth = np.zeros((H, W), np.uint8)
        cv2.circle(truth, (30 + 4 * t, 50 + t), 3, 1, -1)
        image[truth > 0] = (220, 40, 40)
        if tracker is None:
            tracker = EmbeddedTracker(image, truth[None] > 0)
            continue
        masks, _ = tracker.step(image)
        assert iou(masks[0], truth > 0) > 0.5, t


def test_large_frames_are_worked_on_small():
    image = cv2.resize(background(), (1600, 960), interpolation=cv2.INTER_CUBIC)
    truth = np.zeros((960, 1600), bool)
    truth[300:700, 500:900] = True
    image[truth] = (200, 60, 50)
    masks, _ = EmbeddedTracker(image, truth[None]).step(image)
    assert masks.shape == (1, 960, 1600)
    assert iou(masks[0], truth) > 0.95


def test_box_gates_the_mask():
    image = background()
    truth = paste(image, SPRITE, 60, 40)
    masks, _ = EmbeddedTracker(image, truth[None]).step(image, [(60.0, 40.0, 80.0, 80.0)])
    assert not masks[0][:, 84:].any()
    assert masks[0][:, 60:80].sum() > 400


def test_wrong_input_is_named():
    image = background()
    with pytest.raises(ValueError, match="masks must be bool"):
        EmbeddedTracker(image, np.zeros((1, 5, 5), bool))
    tracker = EmbeddedTracker(image, np.zeros((1, H, W), bool))
    with pytest.raises(ValueError, match="every frame"):
        tracker.step(image[:-2])
    with pytest.raises(ValueError, match="boxes"):
        tracker.step(image, [None, None])


def _scene_with_two(x: int, board: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A tall blue figure at x and, at its feet, a red board; their true masks."""
    image = np.random.default_rng(7).integers(90, 130, (160, 240, 3), np.uint8)
    masks = np.zeros((2, 160, 240), bool)
    masks[0, 40:110, x : x + 24] = True
    masks[1, 112:122, x - 12 : x + 36] = board
    texture = np.random.default_rng(8).integers(0, 50, (160, 240, 1), np.uint8)
    for mask, colour in zip(masks, ((30, 40, 190), (190, 40, 30)), strict=True):
        image[mask] = (np.array(colour, np.uint8) + texture)[mask]
    return image, masks


def test_a_boxed_object_comes_back_only_in_a_box():
    image, masks = _scene_with_two(60)
    tracker = EmbeddedTracker(image, masks)
    board = (48.0, 112.0, 96.0, 122.0)
    tracker.step(image, [None, board])
    gone, _ = _scene_with_two(60, board=False)
    for _ in range(3):
        lost, scores = tracker.step(gone, [None, None])
    assert not lost[1].any() and scores[1] == 0
    still_lost, _ = tracker.step(image, [None, None])
    assert not still_lost[1].any(), "the detector did not see it, yet it was found"
    back, scores = tracker.step(image, [None, board])
    assert iou(back[1], masks[1]) > 0.8 and 0 < scores[1] <= 0.5


def test_a_box_takes_pixels_back_from_another_object():
    image, masks = _scene_with_two(60)
    swallowed = np.array([masks.any(0), np.zeros_like(masks[1])])
    tracker = EmbeddedTracker(image, swallowed)
    found, _ = tracker.step(image, [None, (48.0, 112.0, 96.0, 122.0)])
    assert iou(found[1], masks[1]) > 0.8
    assert not (found[0] & found[1]).any() and not (found[0] & masks[1]).sum() > 0.2 * masks[1].sum()

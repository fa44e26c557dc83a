"""What the choices do to masks, guides and references, on pictures whose every pixel is known."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from gradient_clip import RATE, scene, track_of
from physics_preserver.nodes.conditioning.choices import Choices, ConditioningError
from physics_preserver.nodes.conditioning.guides import edge_lines
from physics_preserver.nodes.conditioning.masks import drawn_masks, steady_boxes
from physics_preserver.nodes.conditioning.plan import plan_control
from physics_preserver.nodes.conditioning.references import reference_sheet
from physics_preserver.nodes.conditioning.vace import GREY, control_frames, describe, float_control
from physics_preserver.nodes.media.stills import ArrayClip

SIZE = (64, 96)


def masks_of(choices: Choices, person: np.ndarray, board: np.ndarray, **planned: Any) -> np.ndarray:
    """bool [T, h, w] as the control has them."""
    track = track_of(person, board)
    plan = plan_control(SIZE, len(track), **planned)
    return np.stack([mask for _, mask in control_frames(scene(SIZE, len(track))[0], track, plan, choices)])


def square(frames: int, at: Any, side: int = 10) -> np.ndarray:
    """bool [T, H, W]: a square whose corner (x, y) on frame t is at(t); cut off by the picture's edges."""
    masks = np.zeros((frames, *SIZE), bool)
    for t in range(frames):
        x, y = at(t)
        masks[t, max(0, y) : max(0, y + side), max(0, x) : max(0, x + side)] = True
    return masks


NOTHING = np.zeros((9, *SIZE), bool)


def test_box_holds_its_object_and_follows_even_motion_without_a_margin():
    board = square(9, lambda t: (10 + 5 * t, 20))
    assert np.array_equal(masks_of(Choices("object", shape="box"), NOTHING, board), board)


def test_box_does_not_flicker_with_the_outline():
    rng = np.random.default_rng(3)
    jumps = rng.integers(-2, 3, (60, 2))
    boxes = np.array([[[30 + x, 20 + y, 60 - x, 50 - y]] for x, y in jumps], float)
    steady = steady_boxes(boxes)
    assert (steady[..., :2] <= boxes[..., :2] + 1e-9).all() and (steady[..., 2:] >= boxes[..., 2:] - 1e-9).all()
    assert np.abs(np.diff(steady, axis=0)).max() < 1 < np.abs(np.diff(boxes, axis=0)).max()
    assert np.abs(steady - boxes).max() <= 5


def test_box_is_there_where_its_object_is_and_nowhere_else():
    board = square(9, lambda t: (10 + 5 * t, 20))
    board[4] = False
    person = square(9, lambda t: (80, 40))
    masks = masks_of(Choices("both", shape="box"), person, board)
    assert not (masks & ~(board | person)).any() and not masks[4, 20:30].any() and (masks[:, 40:50, 80:90]).all()
    lone = np.full((5, 1, 4), np.nan)
    lone[2] = (1, 2, 3, 4)
    assert np.array_equal(steady_boxes(lone), lone, equal_nan=True)


@pytest.mark.parametrize("shape", ["tight", "box"])
def test_masks_grow_up_to_the_edge_of_the_picture(shape):
    board = square(5, lambda t: (-4, -4))
    masks = masks_of(Choices("object", shape=shape, grow=3), NOTHING[:5], board)
    expected = np.zeros(SIZE, bool)
    expected[:9, :9] = True
    if shape == "tight":  # round at the corner
        expected[6:9, 6:9] = np.hypot(*np.mgrid[1:4, 1:4]) <= 3
    assert np.array_equal(masks, np.stack([expected] * 5))


def test_growing_the_background_takes_the_rim_of_the_person():
    person = square(5, lambda t: (30, 20), side=20)
    masks = masks_of(Choices("background", grow=4), person, NOTHING[:5])
    kept = ~masks[0]
    assert kept[24:36, 34:46].all() and kept.sum() == 12 * 12


def test_everything_is_all_ones_whatever_the_track_holds():
    assert masks_of(Choices("everything", shape="box", grow=9), NOTHING, NOTHING).all()


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("fit", ["trim", "pad"])
def test_the_shortest_clips_make_a_control(frames, aligned, fit):
    board = square(frames, lambda t: (10 + 9 * t, 20))
    masks = masks_of(Choices("object", latent_aligned=aligned), NOTHING[:frames], board, fit=fit)
    assert len(masks) == (1 if frames < 5 and (fit == "trim" or frames == 1) else 5)
    assert all((board[t] & ~masks[t]).sum() == 0 for t in range(min(frames, len(masks))))


def test_frames_without_the_object_keep_everything():
    board = square(9, lambda t: (10, 20))
    board[3:6] = False
    masks = masks_of(Choices("object"), NOTHING, board)
    assert [bool(mask.any()) for mask in masks] == [True] * 3 + [False] * 3 + [True] * 3


def test_a_track_with_nothing_in_it_is_refused_by_name():
    with pytest.raises(ConditioningError, match="track of board is empty on every frame"):
        masks_of(Choices("object"), square(9, lambda t: (0, 0)), NOTHING)
    # Also where the object lies outside the part that the control shows.
    aside = square(9, lambda t: (0, 20))
    with pytest.raises(ConditioningError, match="empty on every frame that the control shows"):
        masks_of(Choices("object"), NOTHING, aside, width=32, height=64)


@pytest.mark.parametrize(("target", "scale"), [((192, 128), 2.0), ((48, 32), 0.5)])
def test_clips_smaller_and_larger_than_the_control(target, scale):
    width, height = target
    board = square(5, lambda t: (20, 20), side=20)
    masks = masks_of(Choices("object", shape="box", grow=2), NOTHING[:5], board, width=width, height=height)
    rows, columns = (np.flatnonzero(masks[0].any(axis=axis)) for axis in (1, 0))
    assert masks.shape == (5, height, width)
    for side in (rows, columns):
        assert (side[0], side[-1] + 1) == (20 * scale - 2, 40 * scale + 2)


def guided(choices: Choices, guide=None, size=SIZE, frames=5, **planned: Any):
    clip, track = scene(size, frames)
    plan = plan_control(size, frames, **planned)
    return clip, plan, list(control_frames(clip, track, plan, choices, guide))


def test_original_pixels_stand_inside_the_mask_and_the_mask_alone_tells():
    clip, _, frames = guided(Choices("person", guide="original"))
    for t, (control, mask) in enumerate(frames):
        assert np.array_equal(control, clip.frame(t).image) and mask.any() and not mask.all()


def test_edges_are_white_lines_on_black_where_brightness_jumps():
    image = np.full((240, 320, 3), 40, np.uint8)
    cv2.circle(image, (160, 120), 60, (220, 180, 90), -1)
    lines = edge_lines(image)
    assert set(np.unique(lines)) == {0, 255} and np.array_equal(lines[..., 0], lines[..., 2])
    rows, columns = np.nonzero(lines[..., 0])
    assert np.abs(np.hypot(columns - 160, rows - 120) - 60).max() <= 2
    around = np.unique(np.round(np.degrees(np.arctan2(rows - 120, columns - 160)) / 10))
    assert len(around) >= 36  # all the way round
    assert not edge_lines(np.full((64, 64, 3), 128, np.uint8)).any()


def test_edges_stand_inside_the_mask_and_the_original_outside():
    clip, track = scene(SIZE, 5)
    images = np.stack([frame.image for frame in clip])
    images[:, 16:32, 40] = 255  # a post in the person
    clip = ArrayClip(images, RATE)
    for t, (control, mask) in enumerate(control_frames(clip, track, plan_control(SIZE, 5), Choices("person", "edges"))):
        assert set(np.unique(control[mask])) == {0, 255}
        assert np.array_equal(control[~mask], images[t][~mask])


def marked(size: tuple[int, int], frames: int = 5) -> ArrayClip:
    """A guide clip whose colours tell where each pixel is, in shares of the picture."""
    height, width = size
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = (np.arange(width) + 0.5) * 255 / width
    image[..., 1] = ((np.arange(height) + 0.5) * 255 / height)[:, None]
    return ArrayClip(np.stack([image] * frames), RATE)


@pytest.mark.parametrize("guide_size", [(64, 96), (128, 192), (32, 48), (50, 76)])
def test_a_guide_of_the_whole_clip_is_scaled_and_cropped_with_it(guide_size):
    # The control shows the middle of the clip: columns 16 to 80 of 96.
    _, plan, frames = guided(Choices("everything", guide="pose"), marked(guide_size), width=64, height=64)
    assert plan.crop == (16, 0, 80, 64)
    control, _ = frames[0]
    expected = (np.arange(64) + 16.5) * 255 / 96
    assert np.abs(control[30:34, 2:-2, 0].astype(float) - expected[2:-2]).max() <= 4


def test_a_guide_of_the_controls_own_part_is_not_cropped_again():
    _, _, frames = guided(Choices("everything", guide="depth"), marked((32, 32)), width=64, height=64)
    assert np.abs(frames[0][0][30:34, 2:-2, 0].astype(float) - ((np.arange(64) + 0.5) * 255 / 64)[2:-2]).max() <= 4


def test_longer_guides_are_cut_and_other_misfits_refused():
    long = guided(Choices("person", guide="pose"), marked(SIZE, 30))[2]
    assert len(long) == 5
    with pytest.raises(ConditioningError, match="guide video ends after 3 frames, the control needs 5"):
        guided(Choices("person", guide="pose"), marked(SIZE, 3))
    with pytest.raises(ConditioningError, match="48x96 px.*96x64.*64x64"):
        guided(Choices("person", guide="pose"), marked((96, 48)), width=64, height=64)
    for guide in ("pose", "depth"):
        with pytest.raises(ConditioningError, match=f"guide = {guide} needs a guide video"):
            guided(Choices("person", guide=guide))


def test_a_guide_that_is_not_used_is_told():
    clip, track = scene(SIZE, 5)
    plan = plan_control(SIZE, 5)
    assert "not used" in describe(clip, track, plan, Choices(guide="edges"), marked(SIZE))["notes"][0]
    assert "not used at all" in describe(clip, track, plan, Choices("everything"))["notes"][0]
    assert describe(clip, track, plan, Choices(guide="pose"), marked(SIZE))["notes"] == []


@pytest.mark.parametrize("guide", ["nothing", "pose", "original", "edges", "depth"])
def test_exactly_half_stands_only_where_nothing_is_known(guide):
    choices = Choices("person", guide)
    for control, mask in guided(choices, marked(SIZE))[2]:
        half = (float_control(control, mask, choices) == 0.5).all(axis=-1)
        assert np.array_equal(half, mask if guide == "nothing" else np.zeros_like(mask))
        assert guide != "nothing" or (control[mask] == GREY).all()


def test_boxes_around_the_background_are_refused():
    with pytest.raises(ConditioningError, match="background"):
        Choices("background", shape="box")


def test_lead_in_shows_the_first_frame_and_is_whole_latents():
    clip, plan, frames = guided(Choices("object"), frames=5, lead_in=3)
    assert plan.frames == (None,) * 4 + (0, 1, 2, 3, 4) and plan.lead_in == 4 and plan.length == 9
    assert any("first 4 generated frames" in note for note in plan.notes)
    for control, mask in frames[:4]:
        assert np.array_equal(control, frames[4][0]) and np.array_equal(mask, frames[4][1])
    assert np.array_equal(frames[8][0][~frames[8][1]], clip.frame(4).image[~frames[8][1]])
    with pytest.raises(ConditioningError, match="-4"):
        plan_control(SIZE, 5, lead_in=-4)


def pictures(*sizes: tuple[int, int]) -> list[np.ndarray]:
    return [np.full((*size, 3), 10 * (n + 1), np.uint8) for n, size in enumerate(sizes)]


def box_of(inside: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@pytest.mark.parametrize(
    ("reference", "box"),
    [((50, 50), (56, 0, 136, 80)), ((200, 100), (76, 0, 116, 80)), ((60, 360), (0, 24, 192, 56))],
)
def test_one_reference_is_as_large_as_it_fits_centred_on_white(reference, box):
    sheet = reference_sheet(pictures(reference), 192, 80)
    assert sheet.shape == (80, 192, 3) and sheet.dtype == np.uint8
    assert box_of(sheet[..., 0] == 10) == box
    assert (sheet[sheet[..., 0] != 10] == 255).all()


def test_several_references_lie_side_by_side_undistorted():
    sheet = reference_sheet(pictures((40, 40), (90, 45), (30, 60)), 192, 48)
    boxes = [box_of(sheet[..., 0] == value) for value in (10, 20, 30)]
    assert boxes[0][2] == boxes[1][0] and boxes[1][2] == boxes[2][0]  # next to each other
    for (x1, y1, x2, y2), proportion in zip(boxes, (1, 0.5, 2), strict=True):
        assert (y1, y2) == (0, 48) and x2 - x1 == pytest.approx(48 * proportion, abs=1)
    assert boxes[0][0] == pytest.approx(192 - boxes[2][2], abs=1)
    with pytest.raises(ConditioningError, match="references are empty"):
        reference_sheet([], 64, 64)


def test_a_reference_of_the_controls_size_stays_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (1, 48, 80, 3), np.uint8)
    assert np.array_equal(reference_sheet(image, 80, 48), image[0])
    assert np.array_equal(reference_sheet(image.astype(np.float32) / 255, 80, 48), image[0])


def test_masks_are_asked_for_one_frame_at_a_time():
    clip, track = scene(SIZE, 81)
    asked = []
    masks = track.masks
    track.masks = lambda t: (asked.append(t), masks(t))[1]  # type: ignore[method-assign]
    mask_of = drawn_masks(track, plan_control(SIZE, 81), Choices())
    assert set(asked) == {0}
    mask_of(7)
    assert asked[-1] == 7

"""Refining: tiles without seams, only where there is a band, known regions kept, frames reused only when alike."""

import numpy as np
import pytest
from physics_preserver.nodes.matting.guided import guided_alpha
from physics_preserver.nodes.matting.methods import METHODS
from physics_preserver.nodes.matting.refine import Refiner, open_refiner
from physics_preserver.nodes.matting.tiles import Tally, in_tiles, spans
from physics_preserver.nodes.matting.trimap import from_mask


def disc(height: int, width: int, centre: tuple[float, float], radius: float) -> np.ndarray:
    """float [height, width]: coverage of each pixel by a disc, softened over two px."""
    y, x = np.mgrid[:height, :width]
    return np.clip((radius - np.hypot(y - centre[0], x - centre[1])) / 2 + 0.5, 0, 1)


def composite(alpha: np.ndarray, seed: int = 0) -> np.ndarray:
    """uint8 [H, W, 3]: a warm front over a cold ground, both a little noisy."""
    noise = np.random.default_rng(seed).normal(0, 3, (*alpha.shape, 3))
    shade = alpha[..., None] * (210, 120, 60) + (1 - alpha[..., None]) * (40, 90, 150)
    return np.clip(shade + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("length", [1, 99, 100, 101, 180, 333, 1000])
def test_shares_of_all_tiles_add_up_to_one(length):
    total, tiles = np.zeros(length), spans(length, 100, 20)
    for span in tiles:
        assert span.stop - span.start == min(100, length)
        total[span.start : span.stop] += span.share
    assert total == pytest.approx(np.ones(length))
    for left, right in zip(tiles[:-1], tiles[1:], strict=True):
        assert left.stop - right.start >= 20
    assert spans(length, 100, 20)[0].start == 0 and tiles[-1].stop == length


def test_only_tiles_that_touch_the_band_run_and_what_is_known_stays():
    trimap = np.zeros((300, 400), np.uint8)
    trimap[:, 300:] = 255
    trimap[40:60, 30:50] = 128
    image = np.zeros((300, 400, 3), np.uint8)
    seen = []

    def solve(tile, known, prior):
        seen.append(known.shape)
        return np.full(known.shape, 0.25, np.float32)

    tally = Tally()
    alpha = in_tiles(image, trimap, solve, 100, 20, tally=tally)
    assert seen == [(100, 100)] and (tally.run, tally.skipped) == (1, 4 * 5 - 1)
    assert alpha[trimap == 128] == pytest.approx(0.25)
    assert (alpha[trimap == 0] == 0).all() and (alpha[trimap == 255] == 1).all()


def test_a_local_method_gives_the_same_alpha_in_tiles_as_at_once():
    truth = disc(240, 320, (120, 160), 90)
    image, trimap = composite(truth), from_mask(truth > 0.5, 6, 6)
    whole = guided_alpha(image, trimap)
    tiled = in_tiles(image, trimap, guided_alpha, 128, 64)
    assert np.abs(whole - tiled).max() < 0.02


def test_guided_alpha_is_nearer_to_the_truth_than_the_mask():
    truth = disc(120, 160, (60, 80), 40)
    shifted = disc(120, 160, (62, 78), 40) > 0.5  # a mask that is off by nearly 3 px
    image, trimap = composite(truth), from_mask(shifted, 6, 6)
    alpha = guided_alpha(image, trimap, shifted)
    assert np.abs(alpha - truth).mean() < 0.5 * np.abs(shifted - truth).mean()


def test_where_colour_tells_nothing_the_mask_stays():
    mask = disc(80, 80, (40, 40), 20) > 0.5
    image = np.full((80, 80, 3), 90, np.uint8)
    assert np.array_equal(guided_alpha(image, from_mask(mask, 5, 5), mask), mask.astype(np.float32))


def test_without_a_mask_the_band_is_halved():
    trimap = np.zeros((20, 40), np.uint8)
    trimap[:, 10:30], trimap[:, 30:] = 128, 255
    alpha = guided_alpha(np.full((20, 40, 3), 90, np.uint8), trimap)
    assert (alpha[:, :20] == 0).all() and (alpha[:, 20:] == 1).all()


def counting() -> tuple[Refiner, list[int]]:
    calls: list[int] = []

    def solve(image, trimap, prior):
        calls.append(1)
        return image[..., 0] / 255

    return Refiner("counted", solve, 64, 8, 0.0), calls


def test_equal_frames_are_solved_once_and_give_equal_alpha():
    truth = disc(60, 60, (30, 30), 15)
    image, trimap = composite(truth), from_mask(truth > 0.5, 4, 4)
    refiner, calls = counting()
    with refiner:
        first, second = refiner.refine(image, trimap), refiner.refine(image.copy(), trimap.copy())
        assert np.array_equal(first, second) and len(calls) == 1
        brighter = image + np.uint8(1)
        assert not np.array_equal(refiner.refine(brighter, trimap), first) and len(calls) == 2
        outside = brighter.copy()
        outside[0, 0] = 0  # not in the band
        refiner.refine(outside, trimap)
        assert len(calls) == 2 and refiner.report.reused == 2 and refiner.report.frames == 4
    with pytest.raises(ValueError, match="closed"):
        refiner.refine(image, trimap)


def test_reuse_is_measured_from_the_frame_that_was_solved_so_it_cannot_drift():
    truth = disc(60, 60, (30, 30), 15)
    trimap = from_mask(truth > 0.5, 4, 4)
    refiner, calls = counting()
    refiner._reuse = 2.5
    for level in range(0, 12):  # one grey level brighter every frame
        refiner.refine(np.full((60, 60, 3), 100 + level, np.uint8), trimap)
    assert len(calls) == 4  # frames 0, 3, 6 and 9


def test_frames_without_band_are_counted_by_kind():
    with open_refiner("guided") as refiner:
        image = np.zeros((20, 20, 3), np.uint8)
        assert (refiner.refine(image, np.zeros((20, 20), np.uint8)) == 0).all()
        assert (refiner.refine(image, np.full((20, 20), 255, np.uint8)) == 1).all()
        about = refiner.report.data()
    assert about["frames_without_subject"] == 1 and about["frames_without_band"] == [1] and about["tiles_run"] == 0


def test_what_does_not_fit_is_said():
    image, trimap = np.zeros((20, 30, 3), np.uint8), np.zeros((20, 20), np.uint8)
    with open_refiner() as refiner, pytest.raises(ValueError, match="30x20 and its trimap 20x20"):
        refiner.refine(image, trimap)
    with pytest.raises(ValueError, match=f"no method 'magic'.*{METHODS[0]}"):
        open_refiner("magic")
    with pytest.raises(ValueError, match="needs a model: connect Load Matte Model"):
        open_refiner("mematte")
    with pytest.raises(ValueError, match="can't overlap by 200"):
        open_refiner("guided", tile=256, overlap=200)


def test_closed_form_finds_the_alpha_of_a_soft_disc():
    pytest.importorskip("pymatting")
    truth = disc(64, 64, (32, 32), 18)
    image, trimap = composite(truth), from_mask(truth > 0.5, 5, 5)
    with open_refiner("closed form") as refiner:
        alpha = refiner.refine(image, trimap)
    band = trimap == 128
    assert np.abs(alpha - truth)[band].mean() < 0.06
    assert np.abs(alpha - truth)[band].mean() < 0.5 * np.abs((trimap / 255.0) - truth)[band].mean()


def front_over(ground: np.ndarray, alpha: np.ndarray, seed: int = 0) -> np.ndarray:
    """uint8 [H, W, 3]: a warm front over a ground, float [H, W, 3]; a little noisy."""
    noise = np.random.default_rng(seed).normal(0, 3, ground.shape)
    return np.clip(alpha[..., None] * (210, 120, 60) + (1 - alpha[..., None]) * ground + noise, 0, 255).astype(np.uint8)


def test_a_good_mask_is_left_alone_where_the_ground_looks_like_the_front_and_a_bad_one_is_not():
    truth = disc(200, 200, (100, 100), 60)
    ground = np.full((200, 200, 3), (40, 90, 150.0))
    # Above the disc a patch of nearly its colours that begins at its edge.
    ground[30:44, 85:115] = (170, 112, 82)
    image = front_over(ground, truth)
    found, moved = {}, {}
    for name, radius in (("good", 60), ("grown", 64)):
        mask = disc(200, 200, (100, 100), radius) >= 0.5
        alpha = guided_alpha(image, from_mask(mask, 6, 6), mask)
        found[name] = np.count_nonzero((alpha >= 0.5) != (truth >= 0.5))
        moved[name] = np.count_nonzero(mask != (truth >= 0.5))
    assert moved["good"] == 0 and found["good"] < 30 and found["grown"] < 0.2 * moved["grown"]


def test_specks_in_a_mask_do_not_grow():
    y, x = np.mgrid[:160, :160]
    truth = disc(160, 160, (80, 80), 60)
    image = front_over(np.full((160, 160, 3), (40, 90, 150.0)), truth)
    glints = np.hypot(y % 40 - 20, x % 40 - 20) < 6
    image[glints & (truth == 1)] = (150, 170, 190)
    mask = truth > 0.5
    mask[18::40, 18::40] = mask[19::40, 18::40] = False  # two px of every glint are missing
    alpha = guided_alpha(image, from_mask(mask, 6, 6), mask)
    assert np.count_nonzero(alpha[truth == 1] < 0.5) <= np.count_nonzero(~mask[truth == 1])

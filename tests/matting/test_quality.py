"""Matte measures have known answers: identity, planted differences, stairs, flicker and drop-outs."""

import json
from fractions import Fraction

import cv2
import numpy as np
import pytest
from physics_preserver.nodes.matting import blind, truth
from physics_preserver.nodes.matting.alphas import Alphas, open_alphas
from physics_preserver.nodes.matting.quality import matte_quality, quality_in_words
from physics_preserver.nodes.media.clip import ClipError
from physics_preserver.nodes.media.stills import ArrayClip


def disc(size: int, centre: tuple[float, float], radius: float, edge: float = 1.0) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return np.clip((radius - np.hypot(y - centre[0], x - centre[1])) / edge + 0.5, 0, 1).astype(np.float32)


def alphas_of(*planes: np.ndarray) -> Alphas:
    return open_alphas(np.stack(planes))


def clip_of(*planes: np.ndarray) -> ArrayClip:
    levels = [np.rint(plane * 255).astype(np.uint8) for plane in planes]
    return ArrayClip(np.stack([np.dstack([level] * 3) for level in levels]), Fraction(24))


def test_the_same_alpha_is_no_difference():
    a = disc(64, (30, 33), 20, 6)
    assert [f(a, a) for f in (truth.sad, truth.mad, truth.mse, truth.grad, truth.conn)] == [0] * 5
    assert truth.dtssd(a, a, 1 - a, 1 - a) == 0


def test_sums_and_means_are_of_the_stated_scale():
    g, a = np.zeros((40, 50), np.float32), np.zeros((40, 50), np.float32)
    a[10:20, 10:30] = 0.5
    assert truth.sad(a, g) == pytest.approx(200 * 0.5 / 1000)
    assert truth.mad(a, g) == pytest.approx(1000 * 200 * 0.5 / 2000)
    assert truth.mse(a, g) == pytest.approx(1000 * 200 * 0.25 / 2000)
    where = np.zeros((40, 50), bool)
    where[10:12, 10:20] = True
    assert truth.sad(a, g, where) == pytest.approx(20 * 0.5 / 1000) and truth.mad(a, g, where) == pytest.approx(500)
    assert truth.mad(a, g, np.zeros((40, 50), bool)) == 0


def test_grad_equals_the_formula_written_out():
    random = np.random.default_rng(0)
    a, g = random.random((20, 24), np.float32), random.random((20, 24), np.float32)
    sigma, half = 1.4, 4  # ceil(1.4 sqrt(-2 ln(sqrt(2 pi) 1.4 .01)))
    x = np.arange(-half, half + 1)
    gauss = lambda v: np.exp(-(v**2) / (2 * sigma**2)) / (sigma * np.sqrt(2 * np.pi))  # noqa: E731
    kernel = np.array([[gauss(i) * -j * gauss(j) / sigma**2 for j in x] for i in x])
    kernel /= np.sqrt((kernel**2).sum())

    def magnitude(plane):
        padded = np.pad(plane.astype(float), half, mode="edge")
        out = np.zeros((2, *plane.shape))
        for i, j in np.ndindex(plane.shape):
            window = padded[i : i + 2 * half + 1, j : j + 2 * half + 1]
            out[:, i, j] = (window * kernel).sum(), (window * kernel.T).sum()
        return np.hypot(out[0], out[1])

    assert truth.grad(a, g) == pytest.approx(((magnitude(a) - magnitude(g)) ** 2).sum() / 1000, rel=1e-5)


def flood(mask: np.ndarray) -> np.ndarray:
    """The largest 4-connected part of a mask, by hand."""
    left, largest = {(int(y), int(x)) for y, x in zip(*np.nonzero(mask), strict=True)}, set()
    while left:
        part, edge = set(), [left.pop()]
        while edge:
            y, x = edge.pop()
            part.add((y, x))
            beside = {(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)} & left
            left -= beside
            edge += beside
        largest = max(largest, part, key=len)
    found = np.zeros(mask.shape, bool)
    for place in largest:
        found[place] = True
    return found


def test_every_measure_equals_its_definition_computed_by_loops():
    random = np.random.default_rng(5)
    # Rough enough that parts fall off, smooth enough that one is largest at every threshold.
    a, g, a1, g1 = (cv2.GaussianBlur(random.random((24, 31), np.float32), (0, 0), 1.5) for _ in range(4))
    a, g, a1, g1 = (np.clip((plane - 0.5) * 5 + 0.5, 0, 1) for plane in (a, g, a1, g1))
    where = random.random(a.shape) < 0.6
    sums = {"sad": 0.0, "mad": 0.0, "mse": 0.0, "changes": 0.0}
    level = np.full(a.shape, -1.0)
    for step in range(1, 11):
        part = flood((a >= step / 10 - 1e-6) & (g >= step / 10 - 1e-6))
        level[(level == -1) & ~part] = (step - 1) / 10
    level[level == -1] = 1
    conn = 0.0
    for y, x in np.ndindex(a.shape):
        sums["changes"] += (float(a1[y, x] - a[y, x]) - float(g1[y, x] - g[y, x])) ** 2
        if where[y, x]:
            off = abs(float(a[y, x]) - float(g[y, x]))
            sums["sad"], sums["mse"] = sums["sad"] + off, sums["mse"] + off * off
            phi = [1 - d if d >= 0.15 else 1 for d in (float(a[y, x]) - level[y, x], float(g[y, x]) - level[y, x])]
            conn += abs(phi[0] - phi[1])
    count = where.sum()
    assert truth.sad(a, g, where) == pytest.approx(sums["sad"] / 1000, rel=1e-5)
    assert truth.mad(a, g, where) == pytest.approx(1000 * sums["sad"] / count, rel=1e-5)
    assert truth.mse(a, g, where) == pytest.approx(1000 * sums["mse"] / count, rel=1e-5)
    assert conn > 0.05 and truth.conn(a, g, where) == pytest.approx(conn / 1000, rel=1e-4)
    assert truth.dtssd(a1, g1, a, g) == pytest.approx(100 * (sums["changes"] / a.size) ** 0.5, rel=1e-5)


def test_an_island_that_is_not_there_is_not_connected():
    g, a = np.zeros((40, 40), np.float32), np.zeros((40, 40), np.float32)
    g[5:20, 5:20] = a[5:20, 5:20] = 1
    a[30:33, 30:33] = 1  # 9 px that hang on nothing
    assert truth.conn(a, g) == pytest.approx(9 / 1000)
    g[30:33, 30:33] = 1  # in both it is just as unconnected
    assert truth.conn(a, g) == 0


def test_connectedness_counts_differences_of_15_percent_and_more():
    g = np.zeros((20, 20), np.float32)
    g[2:18, 2:18] = 1
    a = g.copy()
    a[10, 10] = 0.87  # reaches .8: off by .2 in g
    assert truth.conn(a, g) == pytest.approx(0.2 / 1000, rel=1e-3)
    a[10, 10] = 0.93  # reaches .9: off by .1
    assert truth.conn(a, g) == 0


def test_dtssd_is_of_changes_only():
    still = np.full((10, 10), 0.5, np.float32)
    assert truth.dtssd(still + 0.2, still, still + 0.2, still) == 0  # wrong, but steadily
    assert truth.dtssd(still + 0.2, still, still, still) == pytest.approx(20)


def test_an_enlarged_mask_has_stairs_and_a_smooth_or_straight_one_has_not():
    small = disc(60, (30, 29), 21, 0.01)
    enlarged = np.kron(small, np.ones((4, 4), np.float32))
    fine = disc(240, (121, 119), 84, 1)
    share, height = blind.stairs(enlarged)
    assert share > 0.8 and 3 < height < 4.5
    assert max(blind.stairs(fine)) < 0.02 and max(blind.stairs(disc(240, (121, 119), 84, 0.01))) < 0.02
    twice = np.kron(disc(120, (60, 60), 42, 0.01), np.ones((2, 2), np.float32))
    assert blind.stairs(twice)[0] > 0.7 and 1.4 < blind.stairs(twice)[1] < 2
    box = np.zeros((100, 100), np.float32)
    box[20:70, 30:80] = 1
    assert blind.stairs(box) == (0, 0)
    turned = cv2.warpAffine(box, cv2.getRotationMatrix2D((50, 50), 27, 1), (100, 100))
    assert blind.stairs(turned)[0] < 0.02
    assert np.isnan(blind.stairs(np.zeros((9, 9), np.float32))).all()


def test_softness_and_sharpness_follow_the_edge():
    found = []
    for edge in (0.01, 3, 9):
        alpha = disc(120, (60, 60), 40, edge)
        band = blind.outline_band(alpha)
        found.append((blind.softness(alpha, band), blind.sharpness(alpha, band)))
    (hard, steep), (medium, less), (soft, least) = found
    assert hard < 0.01 and 0.1 < medium < 0.5 < 0.7 < soft
    assert steep > less > least
    nothing = np.zeros((20, 20), np.float32)
    assert np.isnan(blind.softness(nothing, blind.outline_band(nothing)))


def textured(size: int, shift: int) -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 255, (size, size + 40), np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    view = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX)[:, shift : shift + size]  # pyright: ignore
    return np.dstack([view] * 3)


def test_what_moves_with_the_picture_is_stable_and_what_flickers_is_not():
    images = [textured(160, 3 * t) for t in range(4)]
    carried = [disc(160, (80, 90 - 3 * t), 40, 4) for t in range(4)]
    flickering = [np.clip(a * (1 if t % 2 else 0.8), 0, 1) for t, a in enumerate(carried)]
    values = {}
    for name, alphas in (("carried", carried), ("flickering", flickering)):
        motion = blind.Instability()
        steps = [motion.step(image, alpha) for image, alpha in zip(images, alphas, strict=True)]
        assert np.isnan(steps[0][0]) and steps[0][1] == 0
        assert all(coverage > 0.9 for _, coverage in steps[1:])
        values[name] = np.mean([value for value, _ in steps[1:]])
    assert values["carried"] < 10 < 50 < values["flickering"]


def test_dropouts_come_back_and_leaving_for_good_is_none():
    areas = np.full(60, 100.0)
    areas[20:23] = 30
    areas[50:] = 10
    assert blind.dropouts(areas) == [(20, 23)]
    assert blind.dropouts(np.linspace(100, 20, 60)) == []


def test_report_has_every_measure_and_says_what_it_is_of():
    g = [disc(48, (24, 20 + t), 12, 3) for t in range(3)]
    a = [disc(48, (24, 20 + t), 12.5, 3) for t in range(3)]
    clip = ArrayClip(np.stack([textured(48, t) for t in range(3)]), Fraction(24))
    found = matte_quality(alphas_of(*a), alphas_of(*g), clip)
    assert found["frames"] == 3 and found["over"] == "whole frames" and len(found["per_frame"]["grad"]) == 3
    assert found["per_frame"]["dtssd"][0] == 0 and found["per_frame"]["instability"][0] is None
    assert found["mean"]["mad"] > 0 and found["mean"]["boundary_f_2px"] == 1
    assert json.loads(json.dumps(found)) == found
    text = quality_in_words(found)
    assert "less is better" in text and "drop-outs: none" in text and "flow coverage" in text
    alone = matte_quality(alphas_of(*a))
    assert "sad" not in alone["mean"] and "instability" not in alone["mean"] and "stair_stepping" in alone["mean"]


def test_measures_can_be_of_the_unknown_band_alone():
    g, a = np.zeros((40, 40), np.float32), np.zeros((40, 40), np.float32)
    a[:10], a[30:] = 1, 0.4
    trimap = np.zeros((40, 40), np.float32)
    trimap[30:] = 128 / 255
    found = matte_quality(alphas_of(a), alphas_of(g), trimap=clip_of(trimap))
    assert found["mean"]["mad"] == pytest.approx(1000 * 0.4) and "unknown" in found["over"]


def test_clips_that_do_not_fit_are_named():
    a = disc(40, (20, 20), 9)
    with pytest.raises(ClipError, match="the truth ends after 1 frames"):
        matte_quality(alphas_of(a, a), alphas_of(a))
    with pytest.raises(ClipError, match="the matte has 1 frames, the truth more"):
        matte_quality(alphas_of(a), alphas_of(a, a))
    with pytest.raises(ClipError, match="40x40, the truth 30x30"):
        matte_quality(alphas_of(a), alphas_of(disc(30, (15, 15), 9)))


# Planted faults, each growing with `by`, and the measures that must rise with it (fall, where more is better).
def stepped(t: int, alpha: np.ndarray, by: int) -> np.ndarray:
    """As of a mask `by` times smaller."""
    return np.kron((alpha[by // 2 :: by, by // 2 :: by] >= 0.5).astype(np.float32), np.ones((by, by), np.float32))


def flickering(t: int, alpha: np.ndarray, by: float) -> np.ndarray:
    return alpha * (1 - by * (t % 2))


def dropped(t: int, alpha: np.ndarray, by: int) -> np.ndarray:
    return alpha * (not 3 <= t < 3 + by)


def shaking(t: int, alpha: np.ndarray, by: int) -> np.ndarray:
    return np.roll(alpha, by * (t % 2), axis=1)


def blurred(t: int, alpha: np.ndarray, by: float) -> np.ndarray:
    return cv2.GaussianBlur(alpha, (0, 0), by)


FAULTS = {
    stepped: ((2, 4, 8), ("sad", "mad", "mse", "grad", "stair_height")),
    flickering: ((0.2, 0.3, 0.4), ("sad", "mad", "mse", "conn", "dtssd", "instability")),
    dropped: ((1, 2, 3), ("sad", "mad", "mse", "conn", "dropped_frames", "area_variation")),
    shaking: ((1, 2, 4), ("sad", "mad", "mse", "grad", "dtssd", "instability")),
    blurred: ((1, 2, 4), ("sad", "mad", "mse", "grad", "edge_softness")),
}


@pytest.fixture(scope="module")
def scene() -> tuple[list[np.ndarray], ArrayClip]:
    """A disc that moves with the picture, and the picture."""
    shift = range(0, 20, 2)
    return [disc(128, (64, 75 - t), 35, 2) for t in shift], ArrayClip(
        np.stack([textured(128, t) for t in shift]), Fraction(24)
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_measured_and_the_more_of_it_the_worse(scene, fault):
    true, clip = scene
    strengths, rising = FAULTS[fault]
    found = [matte_quality(alphas_of(*true), alphas_of(*true), clip)]
    for by in strengths:
        faulty = [fault(t, alpha, by) for t, alpha in enumerate(true)]
        found.append(matte_quality(alphas_of(*faulty), alphas_of(*true), clip))
    perfect = found[0]
    assert [perfect["mean"][name] for name in ("sad", "mad", "mse", "grad", "conn", "dtssd")] == [0] * 6
    assert perfect["mean"]["boundary_f_2px"] == 1 and perfect["dropped_frames"] == 0
    for name in rising:
        values = [report["mean"].get(name, report.get(name)) for report in found]
        assert all(a < b for a, b in zip(values, values[1:], strict=False)), (name, values)
    if fault in (stepped, shaking, dropped):
        assert found[-1]["mean"]["boundary_f_2px"] < 1
    if fault is stepped:
        assert perfect["mean"]["stair_stepping"] < 0.05 and all(
            report["mean"]["stair_stepping"] > 0.4 for report in found[1:]
        )
    if fault is blurred:
        sharp = [report["mean"]["edge_sharpness"] for report in found]
        assert sharp == sorted(sharp, reverse=True)

"""Region J and boundary F: equal to the DAVIS evaluation, to its definition by brute force, and in hand-made cases."""

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from physics_preserver.nodes.media.exchange import read_mask
from physics_preserver.nodes.media.stills import read_image
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.validation import region
from physics_preserver.nodes.validation.boundary import boundary_f, mask_boundary_f, tolerance_px
from physics_preserver.nodes.validation.region import TrackMismatch, jaccard, mask_jaccard


def track_of(masks, label="square") -> Track:
    builder = TrackBuilder((label,), masks[0].shape, Fraction(25))
    for mask in masks:
        builder.append(mask[None], np.ones(1))
    return builder.finish()


def square(at, size=8, shape=(24, 30)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[at[0] : at[0] + size, at[1] : at[1] + size] = True
    return mask


def brute_force_f(a: np.ndarray, b: np.ndarray, radius: int) -> float:
    """F pixel by pixel: the outline looks right, down and down-right, the picture's edge repeats."""

    def outline(mask):
        height, width = mask.shape
        return np.array(
            [
                (y, x)
                for y in range(height)
                for x in range(width)
                if any(
                    mask[y, x] != mask[min(y + dy, height - 1), min(x + dx, width - 1)]
                    for dy, dx in ((0, 1), (1, 0), (1, 1))
                )
            ]
        ).reshape(-1, 2)

    pa, pb = outline(a), outline(b)
    if len(pa) == 0 or len(pb) == 0:
        return float(len(pa) == len(pb))
    near = ((pa[:, None] - pb[None]) ** 2).sum(axis=2) <= radius**2
    precision, recall = near.any(axis=1).mean(), near.any(axis=0).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def test_jaccard_of_shifted_square_is_known():
    a, b = track_of([square((0, 0))]), track_of([square((0, 4))])
    assert jaccard(a, b, "square") == pytest.approx([32 / 96])


def test_empty_masks_agree_with_each_other_and_with_nothing_else():
    empty, full = np.zeros((9, 13), bool), np.ones((9, 13), bool)
    a = track_of([empty, empty, full, full])
    b = track_of([empty, full, empty, full])
    assert jaccard(a, b, "square").tolist() == [1, 0, 0, 1]
    assert boundary_f(a, b, "square").tolist() == [1, 0, 0, 1]


def test_counting_bits_does_not_depend_on_the_numpy_version(monkeypatch):
    a, b = track_of([square((3, 2))]), track_of([square((5, 6))])
    modern = jaccard(a, b, "square")
    monkeypatch.delattr(np, "bitwise_count", raising=False)
    assert jaccard(a, b, "square").tolist() == modern.tolist() == [24 / 104]
    assert region.popcount(np.array([0xFFFF000000000001], np.uint64)) == 17


def test_tracks_that_do_not_fit_are_refused_with_both_sides_named():
    small, large = track_of([square((0, 0))]), track_of([square((0, 0), shape=(48, 60))])
    with pytest.raises(TrackMismatch, match="30x24.*60x48"):
        jaccard(small, large, "square")
    with pytest.raises(TrackMismatch, match="1 frames.*2 frames"):
        boundary_f(small, track_of([square((0, 0))] * 2), "square")
    with pytest.raises(TrackMismatch, match="30x24.*60x48"):
        mask_jaccard(square((0, 0)), square((0, 0), shape=(48, 60)))
    with pytest.raises(KeyError, match="board.*square"):
        jaccard(small, small, "board")


def test_boundary_tolerance_is_davis_own():
    assert tolerance_px((480, 854)) == 8
    assert tolerance_px((1080, 1920)) == 18
    assert tolerance_px((1080, 1920), bound_th=3) == 3


def test_boundary_forgives_what_lies_within_the_tolerance_and_nothing_beyond():
    def at(x):
        return square((20, x), 40, (100, 200))

    assert mask_boundary_f(at(20), at(23), bound_th=3) == 1
    assert mask_boundary_f(at(20), at(24), bound_th=3) < 1
    assert mask_boundary_f(at(20), at(120), bound_th=3) == 0


@pytest.mark.parametrize("seed", range(40))
def test_boundary_equals_brute_force_up_to_the_edges_of_the_picture(seed):
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 30)), int(rng.integers(1, 150)))
    smooth = rng.random() < 0.7

    def blob():
        noise = rng.random(shape).astype(np.float32)
        return (cv2.GaussianBlur(noise, (0, 0), 2) if smooth else noise) > rng.uniform(0.45, 0.55)

    a, b = blob(), blob()
    if a.any() and b.any():
        radius = int(rng.integers(1, 9))
        assert mask_boundary_f(a, b, bound_th=radius) == pytest.approx(brute_force_f(a, b, radius), abs=1e-12)


@pytest.mark.parametrize("sequence", ["bmx-trees", "kite-surf"])
def test_equal_to_the_davis_evaluation(shared_data: Path, sequence):
    expected = json.loads((shared_data / "parity" / "davis_osvos_jf.json").read_text())[sequence]
    files = sorted((shared_data / "davis" / "osvos" / sequence).glob("*.png"))
    masks = shared_data / "davis" / sequence / "masks"
    found = track_of([read_image(file).any(axis=2) for file in files])  # any colour of the palette is the object
    truth = track_of([read_mask(masks / file.name) for file in files])
    j, f = jaccard(found, truth, "square"), boundary_f(found, truth, "square")
    assert np.abs(j - expected["J"]).max() <= 1e-6  # the file keeps six digits per frame, all of them for the mean
    assert np.abs(f - expected["F"]).max() <= 1e-6
    assert j.mean() == pytest.approx(expected["J_mean"], abs=1e-12)
    assert f.mean() == pytest.approx(expected["F_mean"], abs=1e-12)

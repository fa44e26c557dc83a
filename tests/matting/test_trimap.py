"""Trimaps: a band of exact width, thresholds on probabilities, and no silence about frames without a band."""

from fractions import Fraction

import numpy as np
import pytest
from physics_preserver.nodes.matting.trimap import (
    EmptyBand,
    TrimapChoices,
    Trimaps,
    band_box,
    classify,
    from_logits,
    from_mask,
    wanted_labels,
)
from physics_preserver.nodes.media.track import Track, TrackBuilder

SIZE = (60, 80)


def track_of(*frames: tuple[np.ndarray, ...], labels: tuple[str, ...] = ("a",)) -> Track:
    builder = TrackBuilder(labels, SIZE, Fraction(24))
    for masks in frames:
        builder.append(np.stack(masks), np.ones(len(masks)))
    return builder.finish()


def square(top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_band_has_the_asked_euclidean_width():
    mask = square(20, 20, 20)
    trimap = from_mask(mask, inside=3, outside=5)
    y, x = np.nonzero(mask)
    inside = np.stack([y, x], 1)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    places = np.stack([rows.ravel(), columns.ravel()], 1)
    to_mask = np.sqrt(((places[:, None] - inside) ** 2).sum(-1)).min(1).reshape(SIZE)
    outside = np.stack(np.nonzero(~mask), 1)
    to_outside = np.sqrt(((places[:, None] - outside) ** 2).sum(-1)).min(1).reshape(SIZE)
    expected = np.where(mask, np.where(to_outside <= 3, 128, 255), np.where(to_mask <= 5, 128, 0))
    assert np.array_equal(trimap, expected)


def test_the_pictures_edge_is_no_outline():
    mask = np.zeros(SIZE, bool)
    mask[:, :40] = True  # reaches three edges
    trimap = from_mask(mask, 4, 4)
    assert np.array_equal(np.flatnonzero((trimap == 128).all(axis=0)), np.arange(36, 44))
    assert (trimap[:, :36] == 255).all() and (trimap[:, 44:] == 0).all()
    full = np.ones(SIZE, bool)
    assert (from_mask(full, 4, 4) == 255).all()


def test_logits_are_cut_at_the_probabilities():
    logits = np.tile(np.linspace(-8, 8, 81), (10, 1))
    trimap = from_logits(logits, (10, 81), 0.97, 0.03)
    probability = 1 / (1 + np.exp(-logits))
    expected = np.where(probability >= 0.97, 255, np.where(probability <= 0.03, 0, 128))
    assert np.array_equal(trimap, expected)


def test_a_track_of_nothing_has_nothing_unknown():
    track = TrackBuilder((), SIZE, Fraction(24))
    track.append(np.zeros((0, *SIZE), bool), np.zeros(0))
    empty = track.finish()
    empty.soft = np.zeros((1, 0, 15, 20), np.float16)
    assert (Trimaps(empty).at(0) == 0).all() and (Trimaps(empty, TrimapChoices(source="masks")).at(0) == 0).all()


def test_small_logits_come_out_at_the_clips_size():
    track = track_of((square(15, 20, 20),))
    soft = np.full((1, 1, 15, 20), -10, np.float16)
    soft[0, 0, 4:9, 5:10] = 10
    track.soft = soft
    made = Trimaps(track)
    trimap = made.at(0)
    assert trimap.shape == SIZE and made.report.source == "logits"
    assert (trimap[20:32, 24:36] == 255).all() and (trimap[:12] == 0).all() and (trimap == 128).any()
    assert Trimaps(track, TrimapChoices(source="masks")).report.source == "masks"


def test_objects_are_united_or_chosen():
    a, b = square(10, 10, 12), square(10, 22, 12)  # side by side: no band between them when they are one
    track = track_of((a, b), labels=("a", "b"))
    both = Trimaps(track, TrimapChoices(inside=2, outside=2)).at(0)
    one = Trimaps(track, TrimapChoices(inside=2, outside=2, labels=("a",))).at(0)
    assert (both[13:19, 20:24] == 255).all()
    assert np.array_equal(one, from_mask(a, 2, 2))
    with pytest.raises(KeyError, match="no object 'c'.*a, b"):
        Trimaps(track, TrimapChoices(labels=("c",)))


def test_an_empty_frame_is_no_error_and_an_empty_band_is_one():
    track = track_of((np.zeros(SIZE, bool),), (square(10, 10, 12),), (np.ones(SIZE, bool),))
    narrow = TrimapChoices(inside=0, outside=0)
    made = Trimaps(track, narrow)
    assert (made.at(0) == 0).all()
    with pytest.raises(EmptyBand, match="frame 1 has a subject.*0 px inside.*make it wider"):
        made.at(1)
    lenient = Trimaps(track, TrimapChoices(inside=0, outside=0, allow_empty_band=True))
    for t in range(3):
        lenient.at(t)
    about = lenient.report.data()
    assert about["frames_without_subject"] == [0] and about["frames_without_band"] == [1]  # a full frame has no edge


def test_overconfident_logits_name_the_thresholds_as_the_cure():
    track = track_of((square(0, 0, 40),))
    track.soft = np.where(np.arange(80) < 40, 30, -30)[None, None, None].repeat(60, 2).astype(np.float16)
    with pytest.raises(EmptyBand, match=r"foreground 0\.97 and background 0\.03.*nearer to 1 and 0"):
        Trimaps(track).at(0)


def test_unknown_share_is_that_of_the_pixels():
    track = track_of((square(20, 20, 10),))
    made = Trimaps(track, TrimapChoices(inside=1, outside=0))
    made.at(0)
    assert made.report.data()["unknown_share"]["mean"] == pytest.approx(36 / (60 * 80))


def test_choices_that_make_no_sense_are_named():
    with pytest.raises(ValueError, match="background 0.97 and foreground 0.03"):
        TrimapChoices(foreground=0.03, background=0.97)
    with pytest.raises(ValueError, match="negative"):
        TrimapChoices(inside=-1)
    with pytest.raises(ValueError, match="no soft logits"):
        Trimaps(track_of((square(1, 1, 5),)), TrimapChoices(source="logits"))


def test_drawn_trimaps_are_read_as_three_values():
    grey = np.array([[0, 30, 120, 128, 200, 255]], np.uint8)
    assert classify(grey).tolist() == [[0, 0, 128, 128, 255, 255]]
    assert classify(np.dstack([grey] * 3)).tolist() == [[0, 0, 128, 128, 255, 255]]
    assert classify(np.array([[0.0, 0.5, 1.0]], np.float32)).tolist() == [[0, 128, 255]]
    assert wanted_labels(" person, board ,") == ("person", "board")


def test_box_of_the_band():
    trimap = np.zeros(SIZE, np.uint8)
    assert band_box(trimap) is None
    trimap[5:8, 70:75] = 128
    assert band_box(trimap) == (70, 5, 75, 8)
    assert band_box(trimap, 10) == (60, 0, 80, 18)

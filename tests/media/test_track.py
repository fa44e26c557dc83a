"""Tracks: one bit a pixel, the same numbers as unpacked masks, the same masks through every exchange form."""

import json
from fractions import Fraction

import numpy as np
import pytest
from physics_preserver.nodes.media import track as track_module
from physics_preserver.nodes.media.clip import ClipError
from physics_preserver.nodes.media.exchange import from_rle, from_socket, read_masks, to_rle, to_socket, write_masks
from physics_preserver.nodes.media.track import Track, TrackBuilder


def masks_of(frames: int = 7, size: tuple[int, int] = (37, 61)) -> np.ndarray:
    """bool [T, 2, H, W]: noise in one object, a growing block in the other, which is absent in frame 3."""
    masks = np.zeros((frames, 2, *size), bool)
    masks[:, 0, 4:30] = np.random.default_rng(0).random((frames, 26, size[1])) > 0.7
    for t in range(frames):
        masks[t, 1, t : 2 * t + 3, 5 : 20 + t] = t != 3
    return masks


def built(masks: np.ndarray, labels: tuple[str, ...] = ("a", "b"), times: bool = True) -> Track:
    builder = TrackBuilder(labels, masks.shape[2:], Fraction(24000, 1001), "clip.mp4", "test")
    for t, frame in enumerate(masks):
        builder.append(frame, np.array([0.25, t / 10]), Fraction(t * t, 600) if times else None)
    return builder.finish()


def same(a: Track, b: Track) -> bool:
    return (
        np.array_equal(np.asarray(a.packed), np.asarray(b.packed))
        and (a.labels, a.clip_size, a.mask_size) == (b.labels, b.clip_size, b.mask_size)
        and (a.rate, a.times, a.source, a.tracker) == (b.rate, b.times, b.source, b.tracker)
        and np.array_equal(a.scores, b.scores)
    )


@pytest.fixture(params=["in memory", "in a file"])
def spill(request, monkeypatch) -> bool:
    if request.param == "in a file":
        monkeypatch.setattr(track_module, "SPILL_BYTES", 100)
    return request.param == "in a file"


def test_masks_survive_packing(spill):
    masks = masks_of()
    track = built(masks)
    assert isinstance(track.packed, np.memmap) == spill
    assert np.array_equal(np.stack([track.masks(t) for t in range(7)]), masks)
    assert np.array_equal(track.mask(5, "b"), masks[5, 1])
    assert track.packed.nbytes == 7 * 2 * 37 * 8  # 61 columns in 8 bytes


def test_measures_equal_those_of_the_pixels():
    masks = masks_of()
    track = built(masks)
    assert np.array_equal(track.areas(), masks.sum((2, 3)))
    for t, n in np.ndindex(7, 2):
        y, x = np.nonzero(masks[t, n])
        box, centre = track.boxes()[t, n], track.centroids()[t, n]
        if len(x) == 0:
            assert np.isnan(box).all() and np.isnan(centre).all()
        else:
            assert box.tolist() == [x.min(), y.min(), x.max() + 1, y.max() + 1]
            assert centre == pytest.approx([x.mean() + 0.5, y.mean() + 0.5])


def test_masks_below_the_clips_size_are_scaled_up():
    small = np.zeros((1, 1, 6, 8), bool)
    small[0, 0, 2:4, 4:8] = True
    builder = TrackBuilder(("a",), (12, 16), Fraction(24))
    builder.append(small[0], np.ones(1))
    track = builder.finish()
    assert track.mask(0, "a")[4:8, 8:16].all() and track.mask(0, "a").sum() == 32 == track.areas()[0, 0]
    assert track.boxes()[0, 0].tolist() == [8, 4, 16, 8] and track.centroids()[0, 0].tolist() == [12, 6]


def test_an_unknown_object_is_named_with_the_known_ones():
    with pytest.raises(KeyError, match="no object 'c'.* a, b"):
        built(masks_of()).mask(0, "c")


@pytest.mark.parametrize("width", [64, 61, 57])
def test_the_socket_gives_back_the_same_track(width, spill):
    pytest.importorskip("torch", reason="the socket carries torch tensors")
    track = built(masks_of(size=(37, width)))
    data = to_socket(track)
    assert data["packed_masks"].shape == (7, 2, 37, 8) and data["orig_size"] == (37, width)
    assert same(from_socket(data), track)


def test_a_core_track_is_read_with_names_for_its_objects():
    masks = masks_of(size=(37, 64))
    data = {
        "packed_masks": np.packbits(masks, axis=-1, bitorder="little"),
        "n_frames": 7,
        "scores": [0.9, 0.8],
        "orig_size": (74, 128),
    }
    track = from_socket(data)
    assert track.labels == ("object 1", "object 2") and track.clip_size == (74, 128)
    assert track.scores[:, 1].tolist() == pytest.approx([0.8, 0.8, 0.8, 0, 0.8, 0.8, 0.8])  # empty in frame 3
    assert track.mask(1, "object 1").shape == (74, 128)
    empty = from_socket({"packed_masks": None, "n_frames": 5, "scores": [], "orig_size": (74, 128)})
    assert len(empty) == 5 and empty.labels == () and empty.masks(0).shape == (0, 74, 128)


def test_what_is_no_track_is_refused():
    with pytest.raises(ValueError, match="no track data"):
        from_socket({"samples": 1})


def test_run_lengths_are_cocos_and_survive_json():
    track = built(masks_of())
    data = json.loads(json.dumps(to_rle(track)))
    assert same(from_rle(data), track)
    block = np.zeros((1, 2, 3, 4), bool)
    block[0, 0, 1, 2] = True  # column-major position 2 * 3 + 1
    assert to_rle(built(block))["objects"][0]["counts"][0] == [7, 1, 4]
    with pytest.raises(ValueError, match="version 99"):
        from_rle({**data, "schema_version": 99})


def test_png_folders_give_back_the_masks(tmp_path):
    track = built(masks_of(), ("person", "my board"), times=False)
    write_masks(track, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mask_my_board", "mask_person"]
    again = read_masks(tmp_path, track.labels, track.rate, track.scores, source="clip.mp4", tracker="test")
    assert same(again, track)
    (tmp_path / "mask_person" / "00003.png").unlink()
    with pytest.raises(ClipError, match="different numbers of frames"):
        read_masks(tmp_path, track.labels, track.rate)
    with pytest.raises(ClipError, match="no folder mask_dog"):
        read_masks(tmp_path, ("dog",), track.rate)


def test_logits_are_read_frame_by_frame_from_their_file(tmp_path):
    track = built(masks_of())
    with pytest.raises(ValueError, match="no soft logits"):
        track.logits(0)
    values = np.random.default_rng(0).normal(0, 5, (7, 2, 8, 9)).astype(np.float16)
    track.soft = np.memmap(tmp_path / "soft", np.float16, "w+", shape=values.shape)
    track.soft[:] = values
    assert all(np.array_equal(track.logits(t), values[t].astype(np.float32)) for t in range(7))

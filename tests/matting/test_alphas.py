"""Alpha is read at the depth it was written with, from its own channel, and never from colours."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from mattes import BACKGROUND, SIZE, picture
from physics_preserver.nodes.matting.alphas import open_alphas
from physics_preserver.nodes.matting.encodings import ENCODINGS, GREY, KEYED, alpha_levels
from physics_preserver.nodes.matting.joining import SegmentWriter
from physics_preserver.nodes.matting.still_writer import write_alpha
from physics_preserver.nodes.media.clip import ClipError
from physics_preserver.nodes.media.stills import write_image

FRAMES = 3
# Largest error of alpha, and what the report calls its source.
READ = {
    "prores4444": (1 / 255, "alpha plane, 12 bits"),
    "ffv1": (0.51 / 1023, "alpha plane, 10 bits"),
    "qtrle": (0.51 / 255, "alpha channel, 8 bits"),
    "vp9": (7 / 255, "alpha plane, 8 bits"),
    "grey-hevc": (4 / 255, "grey, 10 bits"),
    "grey-ffv1": (0.51 / 65535, "grey, 16 bits"),
}


def written(folder: Path, name: str) -> Path:
    encoding = ENCODINGS[name]
    path = folder / f"matte{encoding.suffix}"
    with SegmentWriter(path, encoding, SIZE, Fraction(24)) as segment:
        for n in range(FRAMES):
            segment.write(*picture(n), BACKGROUND)
    return path


@pytest.mark.parametrize("name", [name for name, encoding in ENCODINGS.items() if encoding.holds != KEYED])
def test_alpha_comes_back_as_deep_as_it_was_written(tmp_path, name):
    alphas = open_alphas(written(tmp_path, name))
    found = list(alphas)
    slack, read_from = READ[name]
    assert len(found) == FRAMES and alphas.read_from == read_from and alphas.expected_count() == FRAMES
    assert (alphas.height, alphas.width) == SIZE
    for n, alpha in enumerate(found):
        assert alpha.dtype == np.float32 and np.abs(alpha - picture(n)[1]).max() <= slack
    assert np.array_equal(found, list(alphas))  # and as often as it is asked for


@pytest.mark.parametrize("name", [name for name, encoding in ENCODINGS.items() if encoding.holds == KEYED])
def test_a_keyed_video_is_no_alpha(tmp_path, name):
    with pytest.raises(ClipError, match="coloured picture without alpha"):
        list(open_alphas(written(tmp_path, name)))


def test_sixteen_bit_pictures_are_read_at_sixteen_bits(tmp_path):
    alpha = np.linspace(0, 1, SIZE[0] * SIZE[1], dtype=np.float32).reshape(SIZE)
    for n in range(FRAMES):
        write_alpha(tmp_path / "deep" / f"{n:05d}.png", alpha_levels(alpha, 16))
    alphas = open_alphas(tmp_path / "deep")
    assert all(np.abs(found - alpha).max() <= 0.51 / 65535 for found in alphas) and alphas.read_from == "grey, 16 bits"
    still = open_alphas(tmp_path / "deep" / "00000.png")  # one picture is a clip of one frame
    assert len(found := list(still)) == 1 and np.abs(found[0] - alpha).max() <= 0.51 / 65535


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_picture_with_four_channels_gives_its_alpha(tmp_path, kind):
    colours, alpha = picture(0)
    most = np.iinfo(kind).max
    levels = alpha_levels(alpha, 8 * np.dtype(kind).itemsize)
    picture_of = np.dstack([(colours.astype(kind) * (most // 255)), levels])
    (tmp_path / "stills").mkdir()
    done, data = cv2.imencode(".png", picture_of)
    assert done
    (tmp_path / "stills" / "0.png").write_bytes(data.tobytes())
    for source in (tmp_path / "stills", tmp_path / "stills" / "0.png"):
        (found,) = open_alphas(source)
        assert np.abs(found - alpha).max() <= 0.51 / most


@pytest.mark.parametrize("range_of", [1, 2], ids=["limited", "full"])
def test_grey_video_means_what_its_range_says(tmp_path, range_of):
    alpha = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (48, 1))
    low, high = (64, 940) if range_of == 1 else (0, 1023)
    path = tmp_path / "grey.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p10le"
        stream.codec_context.color_range = range_of
        frame = av.VideoFrame(64, 48, "yuv420p10le")
        for number, plane in enumerate(frame.planes):
            buffer: Any = plane
            rows = np.frombuffer(buffer, np.uint16).reshape(plane.height, -1)
            rows[:, : plane.width] = np.rint(low + (high - low) * alpha) if number == 0 else 512
        frame.color_range = range_of
        for packet in (*stream.encode(frame), *stream.encode()):
            container.mux(packet)
    (found,) = open_alphas(path)
    assert np.abs(found - alpha).max() <= 0.51 / (high - low)


def test_batches_keep_their_floats():
    mask = np.random.default_rng(0).random((2, 10, 12), np.float32)
    assert np.array_equal(np.stack(list(open_alphas(mask))), mask)
    rgba = np.zeros((1, 10, 12, 4), np.float32)
    rgba[..., :3], rgba[..., 3] = (0.1, 0.9, 0.3), mask[0]
    alphas = open_alphas(rgba)
    assert np.array_equal(next(iter(alphas)), mask[0]) and alphas.read_from == "alpha channel, float"
    with pytest.raises(ClipError, match="coloured picture without alpha"):
        list(open_alphas(rgba[..., :3]))


def test_pictures_of_other_sizes_and_broken_ones_are_named(tmp_path):
    for n, size in enumerate(((8, 8), (8, 9))):
        write_image(tmp_path / f"{n}.png", np.zeros(size, np.uint8))
    with pytest.raises(ClipError, match="frame 1 of .* is 9x8, those before it 8x8"):
        list(open_alphas(tmp_path))
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(ClipError, match="1.png: not an image"):
        list(open_alphas(tmp_path))


def test_every_kind_that_has_alpha_has_a_test():
    assert set(READ) == {name for name, encoding in ENCODINGS.items() if encoding.holds != KEYED}
    assert {encoding.holds for encoding in ENCODINGS.values()} > {GREY}

"""Mattes as video: every container keeps frames, times, alpha and the source's sound."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import audio_packets, with_audio
from hair import hair
from mattes import BACKGROUND, SIZE, picture, read_back
from physics_preserver.nodes.matting.colours import composite, foreground_colours
from physics_preserver.nodes.matting.encodings import ENCODINGS, GREY, KEYED, STILLS
from physics_preserver.nodes.matting.joining import SegmentWriter, join, joined_path
from physics_preserver.nodes.matting.methods import STILL_FORMATS, VIDEO_FORMATS

RATE = Fraction(24000, 1001)
STEADY = [n / RATE for n in range(24)]
# Whole milliseconds, which Matroska can keep, no two alike.
UNSTEADY = [Fraction(n * 40 + n * n % 17, 1000) for n in range(24)]


def write(folder: Path, name: str, times, base, audio=None, size=SIZE, segments=(0, 9, 10, 24)):
    encoding = ENCODINGS[name]
    files = []
    for start, stop in zip(segments, segments[1:], strict=False):
        files.append(folder / f"segment{start}{encoding.suffix}")
        with SegmentWriter(files[-1], encoding, size, RATE) as segment:
            for n in range(start, stop):
                segment.write(*picture(n, size), BACKGROUND)
    path = joined_path(folder / "matte", encoding, audio)
    return path, join(path, files, times, size, RATE, base, audio)


# Largest error of alpha in the containers, and of colours where alpha is whole.
ALPHA = {"prores4444": 1 / 255, "ffv1": 1 / 1023, "qtrle": 0.5 / 255, "vp9": 7 / 255, "grey-hevc": 4 / 255,
         "grey-ffv1": 1 / 65535}  # fmt: skip


@pytest.mark.parametrize("seconds", [0.4, 2.5], ids=["audio shorter", "audio longer"])
@pytest.mark.parametrize("times", [STEADY, UNSTEADY], ids=["steady", "unsteady"])
@pytest.mark.parametrize("name", ENCODINGS)
def test_a_matte_keeps_frames_times_alpha_and_sound(tmp_path, name, times, seconds):
    source = with_audio(tmp_path / "source.mp4", audio_seconds=seconds)
    base = Fraction(1, 24000) if times is STEADY else Fraction(1, 1000)
    path, warnings = write(tmp_path, name, times, base, str(source))
    encoding = ENCODINGS[name]
    kind = {GREY: "grey", KEYED: "colours"}.get(encoding.holds, "alpha")
    found, colours, alphas = read_back(path, kind)
    if path.suffix == ".mkv" and times is STEADY:
        assert max(abs(a - b) for a, b in zip(found, times, strict=True)) <= Fraction(1, 2000)
        assert "milliseconds" in warnings[0]
    else:
        assert found == times and not warnings
    copied, original = audio_packets(path), audio_packets(source)
    assert [data for _, data in copied] == [data for _, data in original]
    for n, (picture_back, alpha_back) in enumerate(zip(colours, alphas, strict=True)):
        wanted, alpha = picture(n)
        if encoding.holds == KEYED:
            wanted, alpha = composite(wanted, alpha, BACKGROUND), np.ones(SIZE)
        else:
            assert np.abs(alpha_back - alpha).max() <= ALPHA[name] * 1.001, n
        if encoding.has_colours:
            error = np.abs(picture_back.astype(float) - wanted)[alpha == 1]
            assert error.mean() < 3 and (name not in ("qtrle", "ffv1") or error.max() <= 1)


@pytest.mark.parametrize("name", ENCODINGS)
def test_odd_sizes_are_kept(tmp_path, name):
    path, _ = write(tmp_path, name, STEADY[:4], Fraction(1, 24000), size=(47, 65), segments=(0, 4))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (65, 47)


def test_segments_that_lack_a_frame_are_no_video(tmp_path):
    with pytest.raises(Exception, match="hold 23 frames, the clip has 24"):
        write(tmp_path, "qtrle", STEADY, Fraction(1, 24000), segments=(0, 9, 23))
    assert not (tmp_path / "matte.mov").exists()


def test_composites_of_estimated_colours_have_no_halo():
    y, x = np.mgrid[:240, :320].astype(np.float32)
    alpha = np.clip((80 - np.hypot(x - 160, y - 120)) / 12 + 0.5, 0, 1)
    front = np.dstack([180 + 20 * np.sin(x / 15), 60 + 10 * np.sin(y / 9), 50 + 0 * x])
    back = np.dstack([30 + 0 * x, 120 + 30 * np.sin(x / 7 + y / 11), 220 + 0 * x])
    filmed = np.rint(front * alpha[..., None] + back * (1 - alpha[..., None])).astype(np.uint8)
    edge = (alpha > 0.02) & (alpha < 0.98)
    truth = front * alpha[..., None] + np.array([0, 255, 0]) * (1 - alpha[..., None])
    halo = np.abs(composite(filmed, alpha, (0, 255, 0)) - truth)[edge].mean()
    clean = np.abs(composite(foreground_colours(filmed, alpha), alpha, (0, 255, 0)) - truth)[edge].mean()
    assert clean < halo / 5 and clean < 4
    inside = alpha == 1
    assert np.array_equal(foreground_colours(filmed, alpha)[inside], filmed[inside])


def test_hair_over_something_else_has_no_halo():
    """Estimated colours of strands thinner than a pixel, before a bright ground, against the true ones."""
    alpha = hair(192).alpha
    y, x = np.mgrid[:192, :192].astype(np.float32)
    front = np.dstack([96 + 12 * np.sin(x / 3), 58 + 12 * np.sin(y / 4), 34 + 0 * x])
    ground = np.dstack([170 + 50 * np.sin(x / 7 + y / 5), 190 + 30 * np.sin(y / 9), 200 + 0 * x])
    share = alpha[..., None]
    filmed = np.rint(front * share + ground * (1 - share)).astype(np.uint8)
    edge = (alpha > 0.02) & (alpha < 0.98)
    for below in ((0, 0, 0), (0, 255, 0), (255, 255, 255)):
        truth = front * share + np.array(below) * (1 - share)
        halo = (composite(filmed, alpha, below) - truth)[edge]
        clean = (composite(foreground_colours(filmed, alpha), alpha, below) - truth)[edge]
        assert np.abs(clean).mean() < 0.2 * np.abs(halo).mean() and np.abs(clean).mean() < 4.5
        assert halo.mean() > 18 and abs(clean.mean()) < 2


# What players and editors read in each file: FFmpeg's tag, pixel format, primaries, transfer, matrix, range.
SAID = {
    "prores4444": ("ap4h", "yuva444p12le", 1, 1, 1, 1), "qtrle": ("rle ", "argb", 2, 2, 2, 0),
    "ffv1": ("\0\0\0\0", "gbrap10le", 1, 1, 2, 0), "vp9": ("\0\0\0\0", "yuv420p", 1, 1, 1, 1),
    "grey-hevc": ("hvc1", "yuv420p10le", 1, 1, 1, 1), "grey-ffv1": ("\0\0\0\0", "gray16le", 1, 1, 2, 0),
    "green-h264": ("avc1", "yuv420p", 1, 1, 1, 1), "green-hevc": ("hvc1", "yuv420p", 1, 1, 1, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", ENCODINGS)
def test_what_files_say_about_their_pixels(tmp_path, name):
    path, _ = write(tmp_path, name, STEADY[:2], Fraction(1, 24000), segments=(0, 2))
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        colours = context.color_primaries, context.color_trc, context.colorspace, context.color_range
        assert (context.codec_tag, context.pix_fmt, *colours) == SAID[name]
        assert (stream.metadata.get("alpha_mode") == "1") == (name == "vp9")


def test_every_format_that_is_offered_has_its_encoding():
    assert (tuple(STILLS), tuple(ENCODINGS)) == (STILL_FORMATS, VIDEO_FORMATS)

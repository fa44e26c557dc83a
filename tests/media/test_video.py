"""Reading video: exact frames and times, and one clear sentence for every way in which a file can be bad."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from clips import number_of, remuxed, shades, with_audio, write_gop
from physics_preserver.nodes.media.clip import ClipError
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.video import VideoClip
from physics_preserver.nodes.media.writer import VideoWriter


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory) -> Path:
    return write_gop(tmp_path_factory.mktemp("clip") / "clip.mp4", shades(36), gop=10)


@pytest.fixture(scope="module")
def noisy_file(tmp_path_factory) -> Path:
    """Frames of noise, so that every packet is large and damage hits picture data."""
    noise = np.random.default_rng(0).integers(0, 256, (60, 96, 128, 3), np.uint8)
    return write_gop(tmp_path_factory.mktemp("noise") / "noise.mp4", list(noise), gop=12)


def test_every_frame_comes_once_and_in_order(clip_file):
    frames = list(open_clip(clip_file))
    assert [frame.index for frame in frames] == list(range(36))
    assert [number_of(frame.image) for frame in frames] == list(range(36))
    assert [frame.time for frame in frames] == [Fraction(n, 24) for n in range(36)]
    assert frames[0].image.shape == (48, 64, 3) and frames[0].image.dtype == np.uint8


@pytest.mark.parametrize("counted", [False, True], ids=["by skipping", "by seeking"])
def test_random_access_gives_the_frame_of_that_number(clip_file, counted):
    clip = open_clip(clip_file)
    if counted:
        assert clip.count() == 36
    for index in (0, 35, 9, 10, 11, 20, 1):
        assert number_of(clip.frame(index).image) == index
    with pytest.raises(IndexError, match="36 frames; frame 36"):
        clip.frame(36)


def test_packets_are_counted_without_decoding_and_let_a_read_jump(clip_file, monkeypatch):
    part = VideoClip(clip_file, (0.5, 0.5))
    assert (open_clip(clip_file).index(), part.index()) == (36, 12)
    clip = open_clip(clip_file)
    decoded = []
    whole = clip._decode  # type: ignore[attr-defined]
    monkeypatch.setattr(clip, "_decode", lambda seek=None: (decoded.append(f) or f for f in whole(seek)))
    clip.index()
    assert decoded == []
    for index in (0, 35, 9, 20, 1):
        assert number_of(clip.frame(index).image) == index
    assert len(decoded) < 5 * 11  # a group has 10 frames
    assert [number_of(part.frame(index).image) for index in (11, 0, 5)] == [23, 12, 17]


@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".ts"])
def test_packets_of_every_container_are_counted_as_its_frames(clip_file, tmp_path, suffix):
    clip = open_clip(remuxed(clip_file, tmp_path / f"clip{suffix}"))
    assert clip.index() == 36
    assert [number_of(clip.frame(index).image) for index in (17, 35, 1)] == [17, 35, 1]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("clip.avi", "mpeg4", {"bf": "2", "g": "9", "qmin": "2", "qmax": "2"}),
        ("clip.webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16", "crf": "4"}),  # packets nobody sees
        ("clip.webm", "libvpx-vp9", {"auto-alt-ref": "1", "lag-in-frames": "16", "crf": "4"}),
    ],
)
def test_packets_of_other_codecs_are_counted_as_their_frames(tmp_path, name, codec, options):
    with av.open(str(tmp_path / name), "w") as container:
        video = container.add_stream(codec, rate=24, options=options)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for image in shades(40):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
    clip = open_clip(tmp_path / name)
    assert clip.index() == sum(1 for _ in clip) == 40
    assert [number_of(clip.frame(index).image) for index in (21, 39, 1)] == [21, 39, 1]


def test_backwards_is_forwards_reversed(clip_file, monkeypatch):
    monkeypatch.setattr("physics_preserver.nodes.media.clip.BACKWARDS_BYTES", 7 * 64 * 48 * 3)
    clip = open_clip(clip_file)
    clip.count()
    assert [number_of(frame.image) for frame in clip.backwards(23)] == list(range(23, -1, -1))


def test_a_range_of_frames_is_renumbered_and_keeps_its_times(clip_file):
    clip = open_clip(clip_file, start=12, stop=20)
    assert clip.count() == 8
    frames = list(clip)
    assert [frame.index for frame in frames] == list(range(8))
    assert [number_of(frame.image) for frame in frames] == list(range(12, 20))
    assert frames[0].time == Fraction(12, 24)
    assert open_clip(clip_file, start=30, stop=99).count() == 6
    with pytest.raises(ClipError, match="36 frames: none from 40"):
        open_clip(clip_file, start=40).count()


def test_variable_frame_rate_keeps_every_timestamp(tmp_path):
    times = [Fraction(n, 600) for n in (0, 20, 60, 66, 1200, 1201)]
    with VideoWriter(tmp_path / "vfr.mp4", 64, 48, Fraction(30), time_base=Fraction(1, 600)) as video:
        for image, time in zip(shades(6), times, strict=True):
            video.write(image, time)
    assert [frame.time for frame in open_clip(tmp_path / "vfr.mp4")] == times


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_in_the_header_is_applied(tmp_path, rotation):
    image = np.zeros((48, 64, 3), np.uint8)
    image[:12, :16] = 255  # a bright corner, top left
    plain = write_gop(tmp_path / "plain.mp4", [image] * 3, gop=3)
    clip = open_clip(remuxed(plain, tmp_path / "turned.mp4", rotation))
    turned = clip.frame(0).image
    assert (clip.height, clip.width) == turned.shape[:2] == ((64, 48) if rotation != 180 else (48, 64))
    # ISO 14496-12's matrix (a b; c d) maps x' = a x + c y, y' = b x + d y: (0 1; -1 0) turns the picture clockwise.
    corner = {90: np.s_[:8, -8:], 180: np.s_[-8:, -8:], 270: np.s_[-8:, :8]}[rotation]
    assert turned[corner].mean() > 200 and turned.mean() < 40


@pytest.mark.parametrize("size", [(65, 47), (101, 75), (33, 33)])
def test_odd_sizes_are_exact_and_repeatable(tmp_path, size):
    width, height = size
    ramp = np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8)[None, :, None], (height, width, 3))
    with VideoWriter(tmp_path / "odd.mp4", width, height, Fraction(24)) as video:
        for _ in range(3):
            video.write(ramp)
    first, again = (list(open_clip(tmp_path / "odd.mp4")) for _ in range(2))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    assert np.abs(first[0].image.astype(int) - ramp).max() <= 8


def test_a_file_in_memory_and_its_trim_window(clip_file):
    class Video:
        def get_stream_source(self):
            return BytesIO(clip_file.read_bytes())

        def get_active_trim_window(self):
            return 0.5, 0.25

    clip = open_clip(Video())
    assert [number_of(frame.image) for frame in clip] == list(range(12, 18))
    assert clip.count() == 6 and number_of(clip.frame(3).image) == 15
    both = [(number_of(a.image), number_of(b.image)) for a, b in zip(clip, clip.read(1), strict=False)]
    assert both == [(n, n + 1) for n in range(12, 17)], "two readers of one clip get in each other's way"


def cut(source: Path, target: Path, share: float) -> Path:
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def as_folder(path: Path) -> Path:
    path.mkdir()
    return path


def audio_only(path: Path) -> Path:
    with av.open(str(with_audio(path.with_suffix(".mp4")))) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.audio[0])
        for packet in old.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return path


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


BAD_FILES = {
    "missing": (lambda tmp, clip: tmp / "gone.mp4", r"gone\.mp4: there is no such file"),
    "empty": (lambda tmp, clip: written(tmp / "empty.mp4", b""), r"empty\.mp4 is empty \(0 bytes\)"),
    "not a video": (lambda tmp, clip: written(tmp / "notes.mp4", b"dear diary " * 400), r"notes\.mp4 can't be opened"),
    "header lost": (lambda tmp, clip: written(tmp / "b.mp4", clip.read_bytes()[-9000:]), r"b\.mp4 can't be opened"),
    "sound only": (lambda tmp, clip: audio_only(tmp / "song.m4a"), r"song\.m4a has no video stream, only audio"),
    "empty folder": (lambda tmp, clip: as_folder(tmp / "frames"), r"frames: the folder has no images"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_one_clear_error(name, tmp_path, noisy_file):
    make, message = BAD_FILES[name]
    with pytest.raises(ClipError, match=message):
        open_clip(make(tmp_path, noisy_file))


def test_a_container_without_frames_is_an_error(tmp_path):
    with av.open(str(tmp_path / "none.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(ClipError, match=r"none\.mp4"):
        open_clip(tmp_path / "none.mp4")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_truncated_file_says_how_far_it_got(tmp_path, noisy_file, suffix):
    whole = noisy_file if suffix == ".mp4" else remuxed(noisy_file, tmp_path / f"whole{suffix}")
    assert open_clip(whole).count() == 60
    short = cut(whole, tmp_path / f"short{suffix}", 0.6)
    with pytest.raises(ClipError, match=r"breaks off after \d+ frames at \d\.\d\d s: .*--allow-truncated"):
        list(open_clip(short))
    allowed = open_clip(short, allow_truncated=True)
    frames = list(allowed)
    assert 30 <= len(frames) <= 37 and allowed.count() == len(frames)
    assert allowed.warnings and f"after {len(frames)} frames" in allowed.warnings[0]
    whole_frames = open_clip(whole)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(frames, whole_frames, strict=False))


def test_damage_in_the_middle_stops_there(tmp_path, noisy_file):
    data = bytearray(noisy_file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20000] = np.random.default_rng(1).integers(0, 256, 20000, np.uint8).tobytes()
    (tmp_path / "hurt.mp4").write_bytes(data)
    with pytest.raises(ClipError, match=r"hurt\.mp4 breaks off after \d+ frames"):
        list(open_clip(tmp_path / "hurt.mp4"))
    good = list(open_clip(tmp_path / "hurt.mp4", allow_truncated=True))
    assert 15 < len(good) < 32
    assert all(np.array_equal(a.image, b.image) for a, b in zip(good, open_clip(noisy_file), strict=False)), (
        "a frame after the damage was passed on"
    )


def test_the_real_clips_read_to_their_last_frame(shared_data):
    for name, count in (("skateboarder.mp4", 192), ("biker.mp4", 239)):
        clip = open_clip(shared_data / "clips" / name)
        times = [frame.time for frame in clip]
        assert len(times) == count == clip.count()
        assert all(a < b for a, b in pairwise(times))

"""Writing video: exact times, untouched audio, and never half a file."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from clips import audio_packets, number_of, shades, sound_tracks, with_audio, with_sound
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.writer import LosslessWriter, VideoWriter


def write(path, images, **options):
    with VideoWriter(path, images[0].shape[1], images[0].shape[0], Fraction(24), **options) as video:
        for image in images:
            video.write(image)


def test_ntsc_rate_survives(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 64, 48, Fraction(24000, 1001)) as video:
        for image in shades(30):
            video.write(image)
    clip = open_clip(tmp_path / "a.mp4")
    assert clip.rate == Fraction(24000, 1001)
    assert [frame.time for frame in clip] == [Fraction(1001 * n, 24000) for n in range(30)]


def test_colours_come_back_without_a_cast(tmp_path):
    small = np.random.default_rng(0).integers(0, 256, (9, 16, 3), np.uint8)
    image = cv2.resize(small, (1280, 720), interpolation=cv2.INTER_LINEAR)
    write(tmp_path / "colours.mp4", [image] * 2, crf=4)
    error = open_clip(tmp_path / "colours.mp4").frame(1).image.astype(float) - image
    assert np.abs(error.mean(axis=(0, 1))).max() < 0.3 and np.abs(error).mean() < 1


def test_the_same_frames_make_the_same_file_whatever_lies_in_memory(tmp_path):
    scene, noise = Scene(340, 194, 25, exposures=2), np.random.default_rng(0)
    files = set()
    for n in range(6):
        left = [noise.integers(0, 255, noise.integers(100_000, 1_000_000), np.uint8) for _ in range(20)]
        del left
        write(tmp_path / f"{n}.mp4", [frame.image for frame in scene])
        files.add((tmp_path / f"{n}.mp4").read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize("seconds", [0.4, 2.5], ids=["audio shorter", "audio longer"])
def test_audio_packets_are_copied_byte_for_byte(tmp_path, seconds):
    source = with_audio(tmp_path / "source.mp4", audio_seconds=seconds)
    write(tmp_path / "copy.mp4", shades(24), audio_from=source)
    assert audio_packets(tmp_path / "copy.mp4") == audio_packets(source)
    assert open_clip(tmp_path / "copy.mp4").count() == 24


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_frames_are_on_disk_though_the_audio_has_ended_or_not_begun(tmp_path, suffix):
    """FFmpeg would hold ten seconds of frames to see whether audio still comes: gigabytes, where frames are large."""
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    for name, start in (("ended", 0), ("late", 60)):
        source = with_sound(tmp_path / f"{name}.mkv", ["aac"], seconds=0.3, start=start)
        with LosslessWriter(tmp_path / f"a{name}{suffix}", 128, 96, Fraction(24), audio_from=source) as video:
            for _ in range(120):
                video.write(noise)
            partial = tmp_path / f".a{name}.partial{suffix}"
            assert partial.stat().st_size > 110 * noise.size
        copied, wanted = sound_tracks(tmp_path / f"a{name}{suffix}"), sound_tracks(source)
        assert [data for _, data in copied[0]] == [data for _, data in wanted[0]]


def test_audio_of_a_span_starts_with_its_first_frame(tmp_path):
    source = with_audio(tmp_path / "source.mp4", frames=48, audio_seconds=2)
    clip = open_clip(source, start=12, stop=36)
    with VideoWriter(
        tmp_path / "cut.mp4", 64, 48, clip.rate, clip.time_base, source, (Fraction(1, 2), Fraction(3, 2))
    ) as video:
        for frame in clip:
            video.write(frame.image, frame.time)
    cut = open_clip(tmp_path / "cut.mp4")
    assert [frame.time for frame in cut] == [Fraction(n, 24) for n in range(24)]
    assert [number_of(frame.image) for frame in cut] == list(range(12, 36))
    kept = [data for _, data in audio_packets(tmp_path / "cut.mp4")]
    inside = [data for time, data in audio_packets(source) if Fraction(1, 2) <= time < Fraction(3, 2)]
    assert kept[-len(inside) :] == inside and len(kept) - len(inside) <= 1


def test_an_interrupted_run_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "a.mp4", 64, 48, Fraction(24)) as video:
        video.write(shades(1)[0])
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_touched(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"precious")
    with pytest.raises(FileExistsError, match="already there"):
        write(tmp_path / "a.mp4", shades(2))
    assert (tmp_path / "a.mp4").read_bytes() == b"precious"
    write(tmp_path / "a.mp4", shades(2), overwrite=True)
    assert open_clip(tmp_path / "a.mp4").count() == 2


def test_a_frame_of_another_size_is_refused(tmp_path):
    with pytest.raises(ValueError, match="64, 48"), VideoWriter(tmp_path / "a.mp4", 64, 48, Fraction(24)) as video:
        video.write(np.zeros((48, 62, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_lossless_frames_come_back_bit_for_bit_with_their_times_and_audio(tmp_path, suffix):
    source = with_audio(tmp_path / "source.mp4")
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (47, 65, 3), np.uint8) for _ in range(24)]
    times = [Fraction(n, 24) + Fraction(n % 2, 1000) for n in range(24)]
    base = Fraction(1, 24000)
    file = (tmp_path / "a").with_suffix(suffix)
    with LosslessWriter(file, 65, 47, Fraction(24), base, audio_from=source) as video:
        for image, time in zip(images, times, strict=True):
            video.write(image, time)
    back = list(open_clip(file))
    assert [frame.time for frame in back] == times
    assert all(np.array_equal(frame.image, image) for frame, image in zip(back, images, strict=True))
    assert audio_packets(file) == audio_packets(source)


def test_lossless_frames_in_matroska_for_audio_that_nothing_else_holds(tmp_path):
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (47, 65, 3), np.uint8) for _ in range(6)]
    with LosslessWriter(tmp_path / "a.mkv", 65, 47, Fraction(24)) as video:
        for image in images:
            video.write(image)
    assert all(np.array_equal(f.image, image) for f, image in zip(open_clip(tmp_path / "a.mkv"), images, strict=True))

"""Small clips made on the spot, each with a property that readers get wrong."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def shades(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Flat grey frames, each 5 levels brighter than the one before: a frame's number can be read off its mean."""
    return [np.full((height, width, 3), 20 + 5 * n, np.uint8) for n in range(count)]


def number_of(image: np.ndarray) -> int:
    """Which of `shades` an image is, after coding."""
    return round((float(image.mean()) - 20) / 5)


def with_audio(path: Path, frames: int = 24, rate: int = 24, audio_seconds: float = 1.5) -> Path:
    """H.264 of `shades` with a sine in AAC that is longer or shorter than the picture."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"crf": "8"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=48000, layout="mono")
        for image in shades(frames):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
        wave = np.sin(np.arange(round(48000 * audio_seconds)) / 20).astype(np.float32)
        for start in range(0, len(wave), 1024):
            block = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
            block.sample_rate, block.pts = 48000, start
            container.mux(audio.encode(block))
        container.mux(audio.encode(None))
    return path


def with_sound(path: Path, codecs: Sequence[str], seconds: float = 1.5, start: float = 0.0, frames: int = 24) -> Path:
    """H.264 of `shades` at 24 fps with a stereo sine for each of FFmpeg's audio encoders, from `start` seconds on.

    The first two are in English and German; a negative start stays one, as an edit list or a negative time.
    """
    with av.open(str(path), "w", options={"avoid_negative_ts": "disabled"}) as container:
        video = container.add_stream("libx264", rate=24, options={"crf": "20"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        tracks: list[Any] = [container.add_stream(codec, rate=48000, layout="stereo") for codec in codecs]
        for track, language in zip(tracks, ("eng", "ger"), strict=False):
            track.metadata["language"] = language
        for image in shades(frames):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
        for n, track in enumerate(tracks):
            wave = np.sin(np.arange(round(48000 * seconds)) / (20 + n)).astype(np.float32)
            sound = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
            sound.sample_rate, sound.pts = 48000, 0
            coder = track.codec_context
            cut = av.AudioResampler(coder.format.name, "stereo", 48000, coder.frame_size or 1024)
            for block in [*cut.resample(sound), *cut.resample(None)]:
                block.pts = (block.pts or 0) + round(start * 48000)
                container.mux(track.encode(block))
            container.mux(track.encode(None))
    return path


def sound_tracks(path: Path) -> list[list[tuple[Fraction, bytes]]]:
    """(seconds, payload) of every packet of each audio track."""
    with av.open(str(path)) as container:
        found = {stream.index: list[tuple[Fraction, bytes]]() for stream in container.streams.audio}
        for packet in container.demux(list(container.streams.audio)) if found else ():
            if packet.pts is not None and packet.size:
                found[packet.stream.index].append((packet.pts * Fraction(packet.time_base), bytes(packet)))
    return list(found.values())


def audio_packets(path: Path) -> list[tuple[Fraction, bytes]]:
    """(seconds, payload) of every audio packet."""
    with av.open(str(path)) as container:
        return [
            (packet.pts * Fraction(packet.time_base), bytes(packet))
            for packet in container.demux(audio=0)
            if packet.pts is not None and packet.size
        ]


def remuxed(source: Path, target: Path, rotation: int | None = None) -> Path:
    """The same video packets in another container, or with a rotation written into the track header."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    if rotation is not None:
        data = target.read_bytes()
        one, quarter = (1 << 16).to_bytes(4, "big"), {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
        a, b, c, d = quarter[rotation]
        word = lambda value: (value * (1 << 16)).to_bytes(4, "big", signed=True)  # noqa: E731
        upright = one + bytes(12) + one + bytes(12) + (1 << 30).to_bytes(4, "big")
        turned = word(a) + word(b) + bytes(4) + word(c) + word(d) + bytes(12) + (1 << 30).to_bytes(4, "big")
        place = data.index(upright, data.index(b"tkhd"))
        target.write_bytes(data[:place] + turned + data[place + 36 :])
    return target


def write_gop(path: Path, images: Sequence[np.ndarray], gop: int, options: dict[str, str] | None = None) -> Path:
    """H.264 with a keyframe every `gop` frames and B-frames between, header first so that cutting it leaves a video."""
    height, width = images[0].shape[:2]
    with av.open(str(path), "w", options={"movflags": "+faststart"} | (options or {})) as container:
        video = container.add_stream("libx264", rate=24, options={"g": str(gop), "bf": "2", "sc_threshold": "0"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        for image in images:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
    return path

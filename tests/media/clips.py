"""Small clips made on the spot, each with a property that readers get wrong."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

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

"""Small pictures with alpha, and how to read back what was written of them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SIZE = (66, 98)
BACKGROUND = (10, 200, 40)
DISC_SIZE = (96, 160)


def picture(n: int, size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Colours uint8 [H, W, 3] and alpha float32 [H, W] of a soft disc that moves by a pixel a frame."""
    y, x = np.mgrid[: size[0], : size[1]]
    alpha = np.clip((24 - np.hypot(x - 30 - n, y - 32)) / 8, 0, 1).astype(np.float32)
    colours = np.dstack([40 + x, 60 + 2 * y, np.full(size, 20 + 5 * n)]).astype(np.uint8)
    return colours, alpha


def disc_alpha(t: int, size=DISC_SIZE) -> np.ndarray:
    """float32 [H, W]: a disc with a soft edge that moves to the right, three times oversampled."""
    y, x = np.mgrid[: 3 * size[0], : 3 * size[1]] / 3 + 1 / 6
    inside = np.clip((20 - np.hypot(x - 40 - 1.5 * t, y - 50)) / 2 + 0.5, 0, 1)
    return inside.reshape(size[0], 3, size[1], 3).mean(axis=(1, 3)).astype(np.float32)


def disc_image(t: int, size=DISC_SIZE) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]]
    back = np.dstack([60 + 40 * np.sin(x / 5), 80 + 40 * np.sin(y / 4 + x / 9), 90 + 0 * x])
    front = np.dstack([220 + 0 * x, 150 + 30 * np.sin((x - 1.5 * t) / 3), 60 + 0 * x])
    alpha = disc_alpha(t, size)[..., None]
    return np.rint(front * alpha + back * (1 - alpha)).astype(np.uint8)


def read_back(path: Path, alpha_of: str) -> tuple[list[Fraction], list[np.ndarray], list[np.ndarray]]:
    """Times, colours uint8 [H, W, 3] and alpha float [H, W] of a written matte; VP9 by the decoder that knows alpha."""
    times, colours, alphas = [], [], []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        for frame in _frames(container, stream):
            assert frame.pts is not None
            times.append(frame.pts * Fraction(stream.time_base))
            colours.append(frame.to_ndarray(format="rgb24"))
            alphas.append(_alpha(frame, alpha_of))
    return times, colours, alphas


def _frames(container: Any, stream: Any) -> list[Any]:
    if stream.codec_context.name != "vp9":
        return list(container.decode(stream))
    decoder: Any = av.CodecContext.create("libvpx-vp9", "r")
    return [frame for packet in container.demux(stream) if packet.size for frame in decoder.decode(packet)]


def _alpha(frame: Any, of: str) -> np.ndarray:
    name = frame.format.name
    if of == "colours":
        return np.ones((frame.height, frame.width))
    if name == "argb":
        return frame.to_ndarray()[..., 0] / 255
    bits = 16 if "16" in name else 12 if "12" in name else 10 if "10" in name else 8
    plane = frame.planes[3 if "a" in name.removeprefix("gray") else 0]
    kind = np.uint16 if bits > 8 else np.uint8
    rows = np.frombuffer(plane, kind).reshape(-1, plane.line_size // np.dtype(kind).itemsize)
    levels = rows[: frame.height, : frame.width].astype(float)
    return (levels - 64) / 876 if name.startswith("yuv4") and of == "grey" else levels / (2**bits - 1)

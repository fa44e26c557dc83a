"""Alpha read from footage of any kind at the depth it is stored in: alpha planes, grey video, pictures, batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..media.clip import Clip, ClipError
from ..media.open import open_clip
from ..media.stills import ArrayClip, FolderClip
from ..media.video import EXACT_COLOURS, VideoClip

# The colours of what is called grey may be off by so many levels of 255 on average: lossy encoders leave less than 2.
COLOURED = 6.0
# AVColorRange's value for 0 .. 255; 16 .. 235 otherwise, in YUV.
FULL_RANGE = 2


class Alphas:
    """The alphas of a clip, one at a time, as often as they are asked for.

    Attributes:
        name: what to call it in messages.
        width, height: px.
        read_from: what alpha is read from and at how many bits, such as "alpha plane, 10 bits"; "" before a frame was
            read.
    """

    def __init__(self, clip: Clip):
        self._clip = clip
        self.name, self.width, self.height = clip.name, clip.width, clip.height
        self.read_from = ""

    def expected_count(self) -> int | None:
        """Number of frames as far as it is known without decoding."""
        return self._clip.expected_count()

    def __iter__(self) -> Iterator[np.ndarray]:
        """float32 [H, W] in 0..1.

        Raises:
            ClipError: footage that is damaged, or coloured and without alpha, such as a keyed video.
        """
        for index, (plane, read_from, colour) in enumerate(self._planes()):
            self.read_from = read_from
            if colour > COLOURED:
                raise ClipError(
                    f"frame {index} of {self.name} is a coloured picture without alpha (its colours are {colour:.0f} "
                    "levels of 255 from grey); give the alpha itself, not the clip or a keyed video"
                )
            if plane.shape != (self.height, self.width):
                size = f"{plane.shape[1]}x{plane.shape[0]}"
                raise ClipError(f"frame {index} of {self.name} is {size}, those before it {self.width}x{self.height}")
            yield plane

    def _planes(self) -> Iterator[tuple[np.ndarray, str, float]]:
        """Alpha, what it was read from, and how far from grey the colours are, in levels of 255."""
        clip = self._clip
        if isinstance(clip, VideoClip):
            for frame in clip.stored():
                plane, about, colour = _of_frame(frame)
                yield np.ascontiguousarray(np.rot90(plane, round(frame.rotation / 90) % 4)), about, colour
        elif isinstance(clip, FolderClip):
            yield from (_of_picture(_read(file)) for file in clip.files)
        elif isinstance(clip, ArrayClip):
            yield from (_of_picture(_in_memory(image)) for image in clip.images)
        else:
            raise TypeError(f"alpha is read from files, folders and batches, not from a {type(clip).__name__}")


def open_alphas(source: Any) -> Alphas:
    """Open footage as alphas: of its alpha channel where it has one, else of its grey.

    Args:
        source: path of a video, of a picture or of a folder of pictures; a ComfyUI VIDEO, IMAGE [T, H, W, 3 or 4] or
            MASK [T, H, W], float in 0..1 or uint8, as an array or a tensor.

    Raises:
        ClipError: one sentence that says what is wrong.
    """
    if hasattr(source, "ndim") and source.ndim in (2, 3):  # a MASK
        planes = source.reshape(-1, *source.shape[-2:], 1)
        shape = (*planes.shape[:3], 3)
        source = planes.expand(shape) if hasattr(planes, "expand") else np.broadcast_to(planes, shape)
    return Alphas(open_clip(source))


def _read(file: Path) -> np.ndarray:
    picture = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_UNCHANGED) if file.stat().st_size else None
    if picture is None:
        raise ClipError(f"{file}: not an image that can be read")
    return picture


def _in_memory(image: Any) -> np.ndarray:
    return np.asarray(image.detach().cpu().float() if hasattr(image, "detach") else image)


def _of_picture(picture: np.ndarray) -> tuple[np.ndarray, str, float]:
    """Of uint8, uint16 or float [H, W] or [H, W, 3 or 4]; the fourth channel is alpha, the order of the others is all
    the same."""
    most = 1.0 if picture.dtype.kind == "f" else float(np.iinfo(picture.dtype).max)
    depth = "float" if picture.dtype.kind == "f" else f"{8 * picture.dtype.itemsize} bits"
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    if channels == 4:
        return _share(picture[..., 3], 0, most), f"alpha channel, {depth}", 0.0
    plane = picture if picture.ndim == 2 else picture[..., channels // 2]
    colour = 0.0
    if channels == 3:
        few = picture[::4, ::4].astype(np.float32)
        colour = 255 / most * float(np.ptp(few, axis=2).mean())
    return _share(plane, 0, most), f"grey, {depth}", colour


def _of_frame(frame: Any) -> tuple[np.ndarray, str, float]:
    """Of one decoded frame of any pixel format."""
    name, parts = frame.format.name, frame.format.components
    bits = parts[0].bits
    if bits > 16:
        raise ClipError(f"alpha can't be read from {name}: floats and more than 16 bits are not supported")
    if name == "pal8" or any(part.is_alpha for part in parts):
        if name.startswith(("yuva", "gbrap")):
            return _share(_samples(frame, 3), 0, 2**bits - 1), f"alpha plane, {bits} bits", 0.0
        wide = "rgba64le" if bits > 8 else "rgba"
        return _of_picture(frame.reformat(format=wide).to_ndarray())
    if name.startswith("gray"):
        return _share(_samples(frame, 0), 0, 2**bits - 1), f"grey, {bits} bits", 0.0
    if name.startswith("yuv"):
        full = name.startswith("yuvj") or frame.color_range == FULL_RANGE
        low, high = (0, 2**bits - 1) if full else (16 << (bits - 8), 235 << (bits - 8))
        middle = float(1 << (bits - 1))
        off = [np.abs(_samples(frame, plane).astype(np.float32) - middle).mean() for plane in (1, 2)]
        return _share(_samples(frame, 0), low, high), f"grey, {bits} bits", 255 / (2**bits - 1) * float(max(off))
    wide = "rgb48le" if bits > 8 else "rgb24"
    return _of_picture(frame.reformat(format=wide, interpolation=EXACT_COLOURS).to_ndarray())


def _samples(frame: Any, number: int) -> np.ndarray:
    """uint8 or uint16 [h, w]: one plane of a planar frame."""
    plane = frame.planes[number]
    kind = np.dtype(np.uint8)
    if frame.format.components[0].bits > 8:
        kind = np.dtype(">u2" if frame.format.is_big_endian else "<u2")
    return np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)[: plane.height, : plane.width]


def _share(levels: np.ndarray, low: float, high: float) -> np.ndarray:
    """float32 in 0..1."""
    found = (levels.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return np.clip(found, 0, 1, out=found)

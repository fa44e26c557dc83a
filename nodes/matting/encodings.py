"""In what a matte can be written: which encoder, which container, and how picture and alpha become one frame of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np

from ..media.clip import Look
from ..media.video import UNSAID
from ..media.writer import DEFAULT_CRF, EXACT_COLOURS, LIMITED_RANGE, REPEATABLE
from .colours import composite

# libswscale's matrix, BT.601's, for files that don't say theirs: with it their levels come out as they were, and, being
# untagged as they were, look as the source does in any player, whatever it takes them for.
READ_BY = 5

# What a frame of an encoding holds: colours that are not multiplied by alpha, and alpha; alpha as grey; or the colours
# over a key colour.
STRAIGHT, GREY, KEYED = "straight colours and alpha", "alpha as grey", "colours over a key colour"


@dataclass(frozen=True)
class Encoding:
    """A way to write mattes as video.

    Attributes:
        name: what users call it.
        suffix: of the file.
        codec: FFmpeg's encoder.
        pixels: FFmpeg's pixel format.
        holds: STRAIGHT, GREY or KEYED.
        note: for users, in a few words.
        options: of the encoder. None makes B-frames, so that packets are frames, in order.
        others: suffixes of containers that take its place where it can't hold the source's sound.
        tag: the codec's name in the container where FFmpeg's choice is one that some players don't read.
    """

    name: str
    suffix: str
    codec: str
    pixels: str
    holds: str
    note: str
    options: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    tag: str = ""

    @property
    def has_colours(self) -> bool:
        return self.holds != GREY


# Encoders look few frames ahead and back, and work on one at a time, by rows: else they would hold 40 of them, which
# are gigabytes at VR180's size (tests/benchmarks/encoder_memory.py).
_X265 = "bframes=0:rc-lookahead=3:frame-threads=1:ref=2:log-level=error"
_MP4_OR = (".mov", ".mkv")
_VP9 = {"crf": "18", "b": "0", "auto-alt-ref": "0", "lag-in-frames": "0", "deadline": "good", "cpu-used": "4"}

ENCODINGS = {
    encoding.name: encoding
    for encoding in (
        Encoding("prores4444", ".mov", "prores_ks", "yuva444p10le", STRAIGHT, "10 bits, for editing",
                 {"profile": "4444", "alpha_bits": "16", "vendor": "apl0"}, (".mkv",), "ap4h"),
        Encoding("ffv1", ".mkv", "ffv1", "gbrap10le", STRAIGHT, "10 bits, lossless",
                 {"level": "3", "g": "1", "slicecrc": "1"}),
        Encoding("qtrle", ".mov", "qtrle", "argb", STRAIGHT, "8 bits, lossless, reads everywhere, large"),
        Encoding("vp9", ".webm", "libvpx-vp9", "yuva420p", STRAIGHT, "8 bits, small, for browsers", _VP9, (".mkv",)),
        Encoding("grey-hevc", ".mp4", "libx265", "yuv420p10le", GREY, "10 bits, a small side-car",
                 {"crf": "6", "preset": "medium", "x265-params": _X265}, _MP4_OR, "hvc1"),
        Encoding("grey-ffv1", ".mkv", "ffv1", "gray16le", GREY, "16 bits, a lossless side-car",
                 {"level": "3", "g": "1", "slicecrc": "1"}),
        Encoding("green-h264", ".mp4", "libx264", "yuv420p", KEYED, "for any editor and headset",
                 {"crf": str(DEFAULT_CRF), "bf": "0", "rc-lookahead": "8", **REPEATABLE}, _MP4_OR),
        Encoding("green-hevc", ".mp4", "libx265", "yuv420p", KEYED, "for frames wider than 4096 px",
                 {"crf": str(DEFAULT_CRF), "preset": "medium", "x265-params": _X265}, _MP4_OR, "hvc1"),
    )
}  # fmt: skip

# A frame that holds alpha already, for headset players; not of FORMATS, as it isn't chosen by this name.
PACKED = Encoding(
    "packed", ".mp4", "libx265", "yuv420p", KEYED, "fisheye with alpha in its corners", ENCODINGS["green-hevc"].options,
    _MP4_OR, "hvc1",
)  # fmt: skip

# A small picture of clip, alpha and composite, which browsers play; not of FORMATS either.
PREVIEW = Encoding(
    "preview", ".mp4", "libx264", "yuv420p", KEYED, "to look at",
    {"crf": "20", "preset": "veryfast", "bf": "0", **REPEATABLE},
)  # fmt: skip

# 10 bits of 8.
TEN_BITS = np.rint(np.arange(256) * (1023 / 255)).astype(np.uint16)

# Numbered pictures of the alpha alone, by their bits.
STILLS = {"png8": 8, "png16": 16}


def alpha_levels(alpha: np.ndarray, bits: int) -> np.ndarray:
    """uint8 or uint16 [H, W] of 0 .. 2 ** bits - 1 from alpha, float [H, W] in 0..1."""
    return _levels(alpha, 0, 2**bits - 1, np.uint8 if bits <= 8 else np.uint16)


def _levels(alpha: np.ndarray, black: int, span: int, kind: type) -> np.ndarray:
    """black + span * alpha, rounded; in one copy, as a VR180 frame has 19 million samples."""
    levels = np.clip(alpha, 0, 1, dtype=np.float32)
    levels *= np.float32(span)
    levels += np.float32(black)
    return np.rint(levels, out=levels).astype(kind)


def add_video(
    container: Any, encoding: Encoding, size: tuple[int, int], rate: Fraction, time_base: Fraction, look: Look
) -> Any:
    """Add the video stream of an encoding, (H, W) px, to an open container, and say in it how its pixels look."""
    stream = container.add_stream(encoding.codec, rate=rate, options=dict(encoding.options))
    stream.height, stream.width = size
    stream.pix_fmt = pixels_for(encoding, size)
    context = stream.codec_context
    context.time_base = time_base
    if encoding.tag:
        context.codec_tag = encoding.tag
    context.sample_aspect_ratio = look.pixel_aspect
    context.color_primaries, context.color_trc = look.primaries, look.transfer
    if stream.pix_fmt.startswith("yuv"):
        context.colorspace, context.color_range = look.matrix, LIMITED_RANGE
    return stream


def pixels_for(encoding: Encoding, size: tuple[int, int]) -> str:
    """FFmpeg's pixel format for frames of (H, W) px: H.264 and HEVC halve the colours of even sizes only."""
    odd = size[0] % 2 or size[1] % 2
    return encoding.pixels.replace("420", "444") if odd and encoding.pixels.startswith("yuv420") else encoding.pixels


def make_frame(
    encoding: Encoding,
    colours: np.ndarray | None,
    alpha: np.ndarray,
    background: tuple[int, int, int],
    look: Look,
) -> Any:
    """One frame for the encoder.

    Args:
        colours: uint8 [H, W, 3] RGB of what is in front; None where the encoding has no colours.
        alpha: float32 [H, W], 0..1.
        background: RGB 0..255, for encodings that have a key colour.
        look: of the colours.
    """
    pixels = pixels_for(encoding, (alpha.shape[0], alpha.shape[1]))
    if encoding.holds == GREY:
        return _grey(alpha, pixels)
    assert colours is not None
    if encoding.holds == KEYED:
        return _converted(composite(colours, alpha, background), pixels, look)
    if pixels == "argb":
        return av.VideoFrame.from_ndarray(np.dstack([alpha_levels(alpha, 8), colours]), format="argb")
    frame = av.VideoFrame(alpha.shape[1], alpha.shape[0], pixels)
    if pixels.startswith("gbrap"):
        for plane, channel in zip(frame.planes, (1, 2, 0), strict=False):
            _fill(plane, TEN_BITS[colours[..., channel]])
    else:
        opaque = _converted(colours, pixels.replace("yuva", "yuv"), look)
        for plane, source in zip(frame.planes, opaque.planes, strict=False):
            plane.update(source)
        frame.color_primaries, frame.color_trc = look.primaries, look.transfer
        frame.colorspace, frame.color_range = look.matrix, LIMITED_RANGE
    _fill(frame.planes[3], alpha_levels(alpha, 10 if pixels.endswith("10le") else 8))
    return frame


def _grey(alpha: np.ndarray, pixels: str) -> Any:
    if pixels == "gray16le":
        return av.VideoFrame.from_ndarray(alpha_levels(alpha, 16), format=pixels)
    frame = av.VideoFrame(alpha.shape[1], alpha.shape[0], pixels)
    _fill(frame.planes[0], _levels(alpha, 64, 876, np.uint16))  # 10 bits, limited range
    for plane in frame.planes[1:]:
        _fill(plane, np.full((plane.height, plane.width), 512, np.uint16))
    return frame


def _converted(image: np.ndarray, pixels: str, look: Look) -> Any:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return frame.reformat(
        format=pixels,
        dst_colorspace=READ_BY if look.matrix == UNSAID else look.matrix,
        dst_color_range=LIMITED_RANGE,
        interpolation=EXACT_COLOURS,
    )


def _fill(plane: Any, values: np.ndarray) -> None:
    """Write samples, uint8 or uint16 [h, w], into a plane whose rows may be padded."""
    rows = np.frombuffer(plane, values.dtype).reshape(-1, plane.line_size // values.dtype.itemsize)
    rows[: values.shape[0], : values.shape[1]] = values

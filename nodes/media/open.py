"""One door for all footage: a file, a folder of images, ComfyUI's VIDEO or its IMAGE."""

from __future__ import annotations

import inspect
from fractions import Fraction
from pathlib import Path
from typing import Any

from .clip import Clip, TrimmedClip
from .stills import ArrayClip, FolderClip
from .video import VideoClip

# What a folder of images or an IMAGE batch plays at unless the caller knows better.
DEFAULT_RATE = Fraction(24)


def open_clip(
    source: Any,
    start: int = 0,
    stop: int | None = None,
    rate: Fraction = DEFAULT_RATE,
    allow_truncated: bool = False,
) -> Clip:
    """Open footage of any kind as a Clip.

    Args:
        source: path of a video file or of a folder of images; a ComfyUI VIDEO (its stream and its trim window are
            honoured); an IMAGE batch, float [T, H, W, 3] in 0..1, or uint8, as an array or a tensor.
        start, stop: half-open range of frames; stop None = to the end.
        rate: frames per second of a folder or an IMAGE batch. A video has its own.
        allow_truncated: read a damaged video up to the break; `Clip.warnings` then says where that was.

    Raises:
        ClipError: one sentence that says what is wrong and how far reading got.
    """
    if isinstance(source, (str, Path)):
        folder = Path(source).is_dir()
        clip = FolderClip(source, rate) if folder else VideoClip(source, allow_truncated=allow_truncated)
    elif hasattr(source, "get_stream_source"):
        clip = _from_comfyui(source, allow_truncated)
    elif hasattr(source, "ndim"):
        clip = ArrayClip(source, rate)
    else:
        raise TypeError(f"footage is a path, a VIDEO or an IMAGE batch, not {type(source).__name__}")
    return clip if start == 0 and stop is None else TrimmedClip(clip, start, stop)


def _from_comfyui(video: Any, allow_truncated: bool) -> Clip:
    owner = next(kind for kind in type(video).__mro__ if "get_stream_source" in vars(kind))
    if inspect.isabstract(owner):  # the base class would encode frames that are in memory as they are
        components = video.get_components()
        clip = ArrayClip(components.images, Fraction(components.frame_rate))
        clip.sound_in_memory = components.audio is not None
        return clip
    return VideoClip(video.get_stream_source(), video.get_active_trim_window(), allow_truncated)

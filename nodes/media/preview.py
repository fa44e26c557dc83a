"""A track drawn over its clip, as a video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..host import progress
from .clip import Clip, ClipError
from .overlay import draw_overlay
from .track import Track
from .writer import VideoWriter


@dataclass(frozen=True, slots=True)
class Touch:
    """One frame of saved relations; None where it can't be told."""

    contact: bool | None
    airborne: bool | None


def write_preview(path: Path, clip: Clip, track: Track, relations: Mapping[str, Any] | None = None) -> None:
    """Write the clip with every object drawn in; times are the clip's, the audio of its file is copied.

    Args:
        path: a new file; see VideoWriter for the formats.
        relations: JSON-able, with lists "contact" and "airborne", as in the physics folder; drawn as two badges.

    Raises:
        ClipError: the clip and the track have different sizes or numbers of frames.
        OSError: see VideoWriter.
    """
    if (clip.height, clip.width) != track.clip_size:
        raise ClipError(
            f"{clip.name} is {clip.width}x{clip.height}, its track {track.clip_size[1]}x{track.clip_size[0]}"
        )
    touches = None
    if relations is not None:
        touches = [Touch(*of) for of in zip(relations["contact"], relations["airborne"], strict=True)]
        if len(touches) != len(track):
            raise ClipError(f"the relations are of {len(touches)} frames, the track has {len(track)}")
    size = (clip.width, clip.height)
    with VideoWriter(path, *size, clip.rate, clip.time_base, clip.audio_file(), clip.span()) as video:
        frames = 0
        for frame in progress(clip, len(track), "drawing"):
            if frame.index < len(track):
                touch = touches[frame.index] if touches else None
                image = draw_overlay(frame.image, track.masks(frame.index), track.labels, touch)
                video.write(image, frame.time)
            frames += 1
        if frames != len(track):
            raise ClipError(f"{clip.name} has {frames} frames, its track {len(track)}")

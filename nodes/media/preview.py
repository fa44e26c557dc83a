"""A track drawn over its clip, as a video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..host import progress
from .clip import Clip, ClipError
from .overlay import Relation, draw_overlay
from .track import Track
from .writer import VideoWriter


def write_preview(path: Path, clip: Clip, track: Track, relations: Sequence[Relation | None] | None = None) -> None:
    """Write the clip with every object drawn in; times are the clip's, the audio of its file is copied.

    Args:
        path: a new file; see VideoWriter for the formats.
        relations: one per frame, None where unknown.

    Raises:
        ClipError: the clip and the track have different sizes or numbers of frames.
        OSError: see VideoWriter.
    """
    if (clip.height, clip.width) != track.clip_size:
        raise ClipError(
            f"{clip.name} is {clip.width}x{clip.height}, its track {track.clip_size[1]}x{track.clip_size[0]}"
        )
    start = next(iter(clip)).time
    end = None
    audio = clip.path if clip.path is not None and Path(clip.path).is_file() else None
    with VideoWriter(path, clip.width, clip.height, clip.rate, clip.time_base, audio, (start, end)) as video:
        frames = 0
        for frame in progress(clip, len(track), "drawing"):
            if frame.index < len(track):
                relation = relations[frame.index] if relations else None
                image = draw_overlay(frame.image, track.masks(frame.index), track.labels, relation)
                video.write(image, frame.time)
            frames += 1
        if frames != len(track):
            raise ClipError(f"{clip.name} has {frames} frames, its track {len(track)}")

"""Whole clips, frame by frame: trimaps of a track, and a clip refined by its trimaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..host import progress, require_memory
from ..media.clip import Clip, ClipError, Frame
from ..media.stills import common_time_base
from ..media.track import Track
from ..media.writer import VideoWriter
from .refine import Refiner
from .trimap import UNKNOWN, Trimaps, classify

# x264 this fine is off by less than .1 grey level on average and 7 at worst, so that a trimap's values are still told
# apart; browsers play it, as they don't play what is lossless.
PREVIEW_CRF = 1

# 0, .5 and 1 for the values of a trimap.
MIDDLE = np.where(np.arange(256) == UNKNOWN, 0.5, np.arange(256) / 255).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Matted:
    """One refined frame: the frame, its trimap uint8 [H, W] of 0, 128, 255, and its alpha float32 [H, W], 0..1."""

    frame: Frame
    trimap: np.ndarray
    alpha: np.ndarray


def matted(clip: Clip, refiner: Refiner, trimaps: Trimaps | None = None, drawn: Clip | None = None) -> Iterator[Matted]:
    """Refine a clip, holding one frame at a time.

    Args:
        trimaps: of the clip's track. Its masks are what the methods without weights lean on.
        drawn: trimaps from elsewhere, as footage of the clip's size; they are used in place of the track's.

    Raises:
        ClipError: other sizes or numbers of frames than the clip's.
        EmptyBand: see `Trimaps.at`.
        ValueError: neither trimaps nor drawn ones.
    """
    if trimaps is None and drawn is None:
        raise ValueError("refining needs a track or a trimap; connect one of them")
    size = (clip.height, clip.width)
    if drawn is not None and (drawn.height, drawn.width) != size:
        raise ClipError(f"{clip.name} is {clip.width}x{clip.height}, its trimap {drawn.width}x{drawn.height}")
    if trimaps is not None and trimaps.size != size:
        raise ClipError(f"{clip.name} is {clip.width}x{clip.height}, its track {trimaps.size[1]}x{trimaps.size[0]}")
    given = None if drawn is None else iter(drawn)
    expected = len(trimaps) if trimaps is not None else clip.expected_count()
    count = 0
    for frame in progress(clip, expected, "refining"):
        if trimaps is not None and frame.index >= len(trimaps):
            raise ClipError(f"{clip.name} goes on after frame {frame.index - 1}, where its track ends")
        if given is None:
            assert trimaps is not None
            trimap = trimaps.at(frame.index)
        else:
            other = next(given, None)
            if other is None:
                raise ClipError(f"{clip.name} goes on after frame {frame.index - 1}, where its trimap ends")
            trimap = classify(other.image)
        prior = None if trimaps is None else trimaps.mask(frame.index)
        yield Matted(frame, trimap, refiner.refine(frame.image, trimap, prior))
        count += 1
    if trimaps is not None and count != len(trimaps):
        raise ClipError(f"{clip.name} has {count} frames, its track {len(trimaps)}")
    if given is not None and next(given, None) is not None:
        raise ClipError(f"{clip.name} has {count} frames, its trimap more")


def trimap_frames(trimaps: Trimaps) -> Iterator[np.ndarray]:
    """Every trimap of a track, uint8 [H, W] of 0, 128, 255."""
    for t in progress(range(len(trimaps)), len(trimaps), "trimaps"):
        yield trimaps.at(t)


class GreyVideo:
    """A grey video of frames in 0..255 or 0..1, at a clip's or a track's times; use it in a `with` block.

    Args:
        path: a new file.
        of: the clip whose size and times the frames have, or the track.
    """

    def __init__(self, path: Path, of: Clip | Track):
        if isinstance(of, Clip):
            size, rate, base, span = (of.height, of.width), of.rate, of.time_base, of.span()
        else:
            base = common_time_base(of.rate, of.times)
            size, rate, span = of.clip_size, of.rate, (of.time(0) if len(of) else Fraction(0), None)
        self._writer = VideoWriter(path, size[1], size[0], rate, base, span=span, crf=PREVIEW_CRF)

    def write(self, plane: np.ndarray, time: Fraction) -> None:
        """Append uint8 [H, W], or float [H, W] in 0..1, at `time` seconds of the source's clock."""
        grey = plane if plane.dtype == np.uint8 else np.rint(np.clip(plane, 0, 1) * 255).astype(np.uint8)
        self._writer.write(np.dstack([grey] * 3), time)

    def __enter__(self) -> GreyVideo:
        self._writer.__enter__()
        return self

    def __exit__(self, *error) -> bool | None:
        return self._writer.__exit__(*error)


class MaskBatch:
    """Frames collected for a MASK, float32 [T, H, W].

    Raises:
        MemoryError: so many frames of (H, W) px don't fit into memory, before any is made.
    """

    def __init__(self, frames: int, size: tuple[int, int]):
        shape = (frames, *size)
        what = f"the MASK of {frames} frames of {size[1]}x{size[0]} (as_masks can be switched off)"
        require_memory(4 * int(np.prod(shape)), what)
        self._planes, self._count = np.zeros(shape, np.float32), 0

    def append(self, plane: np.ndarray) -> None:
        """Add a frame: float [H, W] in 0..1, or a trimap, uint8 of 0, 128, 255."""
        self._planes[self._count] = MIDDLE[plane] if plane.dtype == np.uint8 else plane
        self._count += 1

    def finish(self) -> np.ndarray:
        """float32 [T, H, W], 0..1."""
        return self._planes

"""Source and generated clip in one video: side by side, wiped, overlaid or subtracted, with outlines, poses and scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest
from math import cos, pi
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..host import progress
from ..media.clip import Clip, ClipError, Frame
from ..media.overlay import FONT, INK, PAPER, tag, text_size
from ..media.track import Track
from ..media.writer import VideoWriter
from .strip import ScoreStrip

SIDE_BY_SIDE, WIPE, OVERLAY, DIFFERENCE = MODES = ("side by side", "wipe", "overlay", "difference")

# RGB: sky blue and orange (Okabe and Ito) on a dark casing; the found outline is dashed, so colour isn't needed.
SOURCE_COLOUR, FOUND_COLOUR = (86, 180, 233), (230, 159, 0)
EMPTY = (40, 43, 48)
# Seconds in which the wipe goes over the picture and back.
WIPE_S = 4.0
# Dashes and gaps, in line widths.
DASH, GAP = 5, 3


@dataclass(frozen=True)
class Side:
    """One of the two clips, and what is drawn into it.

    Attributes:
        clip: the frames; both sides are in one timeline, frame t beside frame t.
        track: masks whose outlines are drawn, None for none; in the picture of this side's clip, whatever its size.
    """

    clip: Clip
    track: Track | None = None


def write_compare(
    path: Path,
    source: Side,
    generated: Side,
    mode: str = SIDE_BY_SIDE,
    report: Mapping[str, Any] | None = None,
    height: int | None = None,
    sound: Clip | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Write both clips into one video, streamed: two frames are in memory at a time.

    Both are scaled to the generated clip's picture; a source of other proportions keeps them and gets bars. Frame t
    stands beside frame t (put a conditioned source into the generated clip's timeline with `align.PlacedClip`), at the
    source's times, so that its sound fits; a clip that ends earlier is shown as an empty picture that says so.

    Args:
        path: a new file; see VideoWriter for the formats.
        mode: one of MODES. "wipe" moves a line over the picture, source to its left; "overlay" is half of each;
            "difference" is how far the colours are apart.
        report: of `validate`, schema version 2: adds a strip with the score, the causes and the place in the clip.
        height: px of one picture; None for the generated clip's.
        sound: the footage whose file gives the audio, with the frames that are compared, in order and from its first
            on; None for silence.

    Returns:
        Warnings: different rates and lengths.

    Raises:
        ValueError: an unknown mode, a height that isn't positive.
        OSError: see VideoWriter.
    """
    if mode not in MODES:
        raise ValueError(f"{mode!r} is no way to compare; there are: {', '.join(MODES)}")
    size = _picture_size(generated.clip, height)
    wide = 2 * size[1] if mode == SIDE_BY_SIDE else size[1]
    strip = None if report is None else ScoreStrip(report, wide, size[0])
    full = (wide, size[0] + (0 if strip is None else strip.height))
    timed = sound if sound is not None else source.clip
    audio = sound.path if sound is not None and sound.path is not None and Path(sound.path).is_file() else None
    span = timed.span()
    counted = {"source": 0, "generated": 0}
    with VideoWriter(path, *full, timed.rate, timed.time_base, audio, span, overwrite=overwrite) as video:
        clock = _Clock(timed.rate, span[0])
        pairs: Iterator[tuple[Frame | None, Frame | None]] = zip_longest(source.clip, generated.clip)
        total = max(source.clip.expected_count() or 0, generated.clip.expected_count() or 0) or None
        for t, (original, found) in enumerate(progress(pairs, total, "comparing")):
            counted["source"] += original is not None
            counted["generated"] += found is not None
            a = _Pane(original, size, "source")
            b = _Pane(found, size, "generated")
            lines = _outlines(source.track, t, size), _outlines(generated.track, t, size)
            picture = _compose(mode, a, b, lines, wipe_at(t / float(timed.rate)))
            if strip is not None:
                picture = np.concatenate([picture, strip.draw(t)])
            video.write(picture, clock.time(original))
    return _warnings(source.clip, generated.clip, counted)


def wipe_at(seconds: float) -> float:
    """Where the wipe's line is, 0..1 of the width: in the middle at 0 s, once over the picture and back in WIPE_S."""
    return 0.5 + 0.45 * cos(2 * pi * seconds / WIPE_S + pi / 2)


class _Pane:
    """One clip's frame at the size of the comparison; a plate where there is none."""

    def __init__(self, frame: Frame | None, size: tuple[int, int], name: str):
        self.name, self.there = name, frame is not None
        self.image = _fitted(frame.image, size) if frame is not None else np.full((*size, 3), EMPTY, np.uint8)
        if frame is None:
            letters = text_size(size[0])
            tag(self.image, f"no more frames: {name}", size[1] / 2, size[0] / 2, letters, PAPER, centred=True)


class _Clock:
    """Times of the written frames, seconds of the source's clock: the source's own as long as they go on, then beats."""

    def __init__(self, rate: Fraction, start: Fraction):
        self._beat, self._next = 1 / rate, start

    def time(self, frame: Frame | None) -> Fraction:
        at = self._next if frame is None or frame.time < self._next - self._beat / 2 else frame.time
        self._next = at + self._beat
        return at


def _picture_size(clip: Clip, height: int | None) -> tuple[int, int]:
    """(H, W) px, even, so that every player reads the video."""
    if height is not None and height < 16:
        raise ValueError(f"pictures of {height} px height can't be compared; use 16 or more")
    high = height or clip.height
    return max(2, high // 2 * 2), max(2, round(clip.width * high / clip.height / 2) * 2)


def _fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The image inside (H, W) = `size`, its proportions kept, with bars where they differ by a pixel or more."""
    if image.shape[:2] == size:
        return image.copy()
    scale = min(size[0] / image.shape[0], size[1] / image.shape[1])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    height, width = (full if abs(full - side) <= 1 else side for full, side in zip(size, (height, width), strict=True))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image, (width, height), interpolation=how)
    if (height, width) == size:
        return small
    page = np.zeros((*size, 3), np.uint8)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    page[top : top + height, left : left + width] = small
    return page


Lines = list[np.ndarray]


def _outlines(track: Track | None, t: int, size: tuple[int, int]) -> Lines:
    """Outlines of every object of frame t in px of the comparison, int32 [P, 1, 2] each."""
    if track is None or t >= len(track):
        return []
    found: Lines = []
    for mask in track.masks(t):
        small = _fitted(np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2), size)[..., 0] > 127
        found += cv2.findContours(small.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0]
    return found


def _compose(mode: str, a: _Pane, b: _Pane, lines: tuple[Lines, Lines], at: float) -> np.ndarray:
    expected, found = lines
    if mode == SIDE_BY_SIDE:
        for pane, drawn in ((a, (expected, [])), (b, (expected, found))):
            if pane.there:
                _draw(pane.image, *drawn)
            _name(pane.image, pane.name)
        return np.concatenate([a.image, b.image], axis=1)
    if not (a.there and b.there):
        alone = b if b.there else a
        _draw(alone.image, expected if a.there else [], found if b.there else [])
        _name(alone.image, f"only {alone.name}: the other clip has no such frame")
        return alone.image
    if mode == WIPE:
        column = round(at * a.image.shape[1])
        picture = np.concatenate([a.image[:, :column], b.image[:, column:]], axis=1)
        _draw(picture, expected, found)
        cv2.line(picture, (column, 0), (column, picture.shape[0]), PAPER, max(1, picture.shape[0] // 240))
        _name(picture, "source | generated")
        return picture
    picture = cv2.addWeighted(a.image, 0.5, b.image, 0.5, 0) if mode == OVERLAY else cv2.absdiff(a.image, b.image)
    _draw(picture, expected, found)
    _name(picture, "source + generated" if mode == OVERLAY else "source - generated")
    return picture


def _draw(image: np.ndarray, expected: Lines, found: Lines) -> None:
    """The source's outlines solid, the found ones dashed; nothing where there are none."""
    stroke = max(1, round(image.shape[0] / 300))
    cv2.drawContours(image, [*expected, *found], -1, INK, stroke + 2, cv2.LINE_AA)
    cv2.drawContours(image, expected, -1, SOURCE_COLOUR, stroke, cv2.LINE_AA)
    period, on = (DASH + GAP) * stroke, DASH * stroke
    dashes = [loop[n : n + on] for loop in found for n in range(0, len(loop), period)]
    cv2.polylines(image, dashes, False, FOUND_COLOUR, stroke, cv2.LINE_AA)


def _name(image: np.ndarray, text: str) -> None:
    letters = text_size(image.shape[0])
    tag(image, text, letters, letters, letters, PAPER)


def _warnings(source: Clip, generated: Clip, counted: Mapping[str, int]) -> list[str]:
    if not all(counted.values()):
        raise ClipError(f"{(source if not counted['source'] else generated).name} has no frames to compare")
    warnings = []
    if source.rate != generated.rate:
        rates = [f"{float(clip.rate):.6g}" for clip in (source, generated)]
        said = f"the source runs at {rates[0]} frames per second, the generated clip at {rates[1]}"
        warnings.append(f"{said}: compared frame by frame, at the source's times")
    if counted["source"] != counted["generated"]:
        warnings.append(f"the source has {counted['source']} frames, the generated clip {counted['generated']}")
    return warnings

"""Source and generated clip in one video: side by side, wiped, overlaid or subtracted, with outlines and scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest
from math import pi, sin
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..host import progress
from ..media.clip import Clip, ClipError, Frame, TrimmedClip
from ..media.overlay import INK, PAPER, tag, text_size
from ..media.track import Track
from ..media.writer import VideoWriter
from .align import ASPECT_TOLERANCE, Crop, PlacedClip, refit
from .modes import COMPARE_MODES, OVERLAY, SIDE_BY_SIDE, WIPE
from .strip import ScoreStrip

if TYPE_CHECKING:
    from ..media.pose import Poses

# RGB: sky blue and orange (Okabe and Ito) on a dark casing; the found outline is dashed, so colour isn't needed.
SOURCE_COLOUR, FOUND_COLOUR = (86, 180, 233), (230, 159, 0)
EMPTY = (40, 43, 48)
# Seconds in which the wipe goes over the picture and back, and how far it goes from the middle, in widths.
WIPE_S, WIPE_REACH = 4.0, 0.45
# Dashes and gaps, in line widths.
DASH, GAP = 5, 3
# The body's bones between the first 17 keypoints of COCO-WholeBody; a point below this score isn't drawn.
BONES = (
    *((0, 1), (0, 2), (1, 3), (2, 4), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12)),
    *((11, 13), (13, 15), (12, 14), (14, 16)),
)
SEEN = 0.3


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        source, generated: the clips.
        source_track, generated_track: masks of their objects, drawn as outlines; None for none.
        source_poses, generated_poses: drawn as skeletons; None for none.
        report: of `validate`, schema version 2, for the score and the causes; None for none.
        crop: x1, y1, x2, y2 px of the source that the generated clip shows, as vace.json has it; None for all.
        frames: for each frame of the generated clip the source frame it shows, None for padding; None for all in order.
    """

    source: Clip
    generated: Clip
    source_track: Track | None = None
    generated_track: Track | None = None
    source_poses: Poses | None = None
    generated_poses: Poses | None = None
    report: Mapping[str, Any] | None = None
    crop: Crop | None = None
    frames: Sequence[int | None] | None = None


def write_compare(
    path: str | Path, clips: Comparison, mode: str = SIDE_BY_SIDE, height: int | None = None, overwrite: bool = False
) -> list[str]:
    """Write both clips into one video, streamed: two frames are in memory at a time.

    Frame t stands beside frame t, or beside the source frame that `frames` names. Both are scaled into the generated
    clip's picture; where the source (or its crop) has other proportions it keeps them, between bars. The video has the
    source's times (with `frames`: the beats of its rate), and a copy of its file's sound as long as the frames are
    those of the source in order; otherwise it is silent. A frame that one clip lacks is a plate that says so.

    Args:
        path: a new file; see VideoWriter for the formats.
        mode: of COMPARE_MODES. "wipe" moves a line over the picture, the source left of it; "overlay" is half of each;
            "difference" is how far the colours are apart.
        height: px of one picture; None for the generated clip's.
        overwrite: replace a file that is there.

    Returns:
        Warnings: different rates and lengths, sound that was left out.

    Raises:
        ValueError: an unknown mode, a height below 16.
        ClipError: a clip breaks off, or has no frames.
        OSError: see VideoWriter.
    """
    if mode not in COMPARE_MODES:
        raise ValueError(f"{mode!r} is no way to compare; there are: {', '.join(COMPARE_MODES)}")
    size = _picture_size(clips.generated, height)
    sides = (
        _Side("source", clips.source, clips.source_track, clips.source_poses, size, clips.crop, clips.frames),
        _Side("generated", clips.generated, clips.generated_track, clips.generated_poses, size),
    )
    wide = 2 * size[1] if mode == SIDE_BY_SIDE else size[1]
    strip = None if clips.report is None else ScoreStrip(clips.report, wide, size[0])
    high = size[0] + (0 if strip is None else strip.height)
    timing = _in_order(clips.source, clips.frames)
    audio = None if timing is None or timing.path is None or not Path(timing.path).is_file() else timing.path
    span = (Fraction(0), None) if timing is None else timing.span()
    rate, base = clips.source.rate, clips.source.time_base if timing is not None else None
    counted = [0, 0]
    with VideoWriter(path, wide, high, rate, base, audio, span, overwrite=overwrite) as video:
        clock = _Clock(rate, span[0])
        pairs: Iterator[tuple[Frame | None, Frame | None]] = zip_longest(sides[0].placed, sides[1].placed)
        total = max(side.placed.expected_count() or 0 for side in sides) or None
        for t, pair in enumerate(progress(pairs, total, "comparing")):
            for n, frame in enumerate(pair):
                counted[n] += frame is not None
            a, b = (side.pane(frame, t) for side, frame in zip(sides, pair, strict=True))
            picture = _compose(mode, a, b, wipe_at(t / float(rate)))
            if strip is not None:
                picture = np.concatenate([picture, strip.draw(t)])
            video.write(picture, clock.time(pair[0] if clips.frames is None else None))
        if not all(counted):
            raise ClipError(f"{(clips.generated if counted[0] else clips.source).name} has no frames to compare")
    return _warnings(clips, counted, timing)


def wipe_at(seconds: float) -> float:
    """Where the wipe's line is, in widths from the left: in the middle at 0 s, over the picture and back in WIPE_S."""
    return 0.5 + WIPE_REACH * sin(2 * pi * seconds / WIPE_S)


@dataclass
class _Pane:
    """One clip's picture of one frame, uint8 [H, W, 3] RGB, with what is drawn over it.

    Attributes:
        there: False where the clip has no such frame; the picture then says so.
        lines: outlines, int32 [P, 1, 2] px each.
        keypoints: float [133, 3], x, y px and score; None for no skeleton.
    """

    name: str
    image: np.ndarray
    there: bool
    lines: list[np.ndarray]
    keypoints: np.ndarray | None


class _Side:
    """One of the clips, brought into the comparison's picture and timeline frame by frame."""

    def __init__(
        self,
        name: str,
        clip: Clip,
        track: Track | None,
        poses: Poses | None,
        size: tuple[int, int],
        crop: Crop | None = None,
        frames: Sequence[int | None] | None = None,
    ):
        self._name, self._clip, self._track, self._poses = name, clip, track, poses
        self._size, self._frames = size, frames
        self._crop = crop or (0.0, 0.0, float(clip.width), float(clip.height))
        self._inner = _fitted(size, self._crop)
        self._top, self._left = ((full - side) // 2 for full, side in zip(size, self._inner, strict=True))
        self.placed = PlacedClip(clip, self._inner, crop, frames)

    def pane(self, frame: Frame | None, t: int) -> _Pane:
        """What there is of frame t of the comparison."""
        shown = t if self._frames is None else self._frames[t] if t < len(self._frames) else None
        if frame is None or shown is None:
            image = np.full((*self._size, 3), EMPTY, np.uint8)
            why = "padding" if frame is not None else "the clip has ended"
            middle = self._size[1] / 2, self._size[0] / 2
            tag(image, f"{self._name}: no frame ({why})", *middle, text_size(self._size[0]), PAPER, centred=True)
            return _Pane(self._name, image, False, [], None)
        image = frame.image.copy() if self._inner == self._size else self._framed(frame.image)
        return _Pane(self._name, image, True, self._outlines(shown), self._keypoints(shown))

    def _framed(self, image: np.ndarray) -> np.ndarray:
        page = np.zeros((*self._size, 3), np.uint8)
        page[self._top : self._top + self._inner[0], self._left : self._left + self._inner[1]] = image
        return page

    def _outlines(self, t: int) -> list[np.ndarray]:
        if self._track is None or t >= len(self._track):
            return []
        scale = self._track.clip_size[1] / self._clip.width, self._track.clip_size[0] / self._clip.height
        x1, y1, x2, y2 = (side * scale[n % 2] for n, side in enumerate(self._crop))
        found: list[np.ndarray] = []
        for mask in self._track.masks(t):
            small = refit(mask, self._inner, (x1, y1, x2, y2))
            found += cv2.findContours(small.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)[0]
        return [loop + np.array([self._left, self._top], np.int32) for loop in found]

    def _keypoints(self, t: int) -> np.ndarray | None:
        if self._poses is None or t >= len(self._poses):
            return None
        x1, y1, x2, y2 = self._crop
        points = self._poses.keypoints[t].astype(float)
        # Keypoints count from the first pixel's centre.
        x = (points[:, 0] + 0.5) * self._clip.width / self._poses.size[1]
        y = (points[:, 1] + 0.5) * self._clip.height / self._poses.size[0]
        points[:, 0] = (x - x1) * self._inner[1] / (x2 - x1) + self._left - 0.5
        points[:, 1] = (y - y1) * self._inner[0] / (y2 - y1) + self._top - 0.5
        return points


class _Clock:
    """Times of written frames, seconds of the source's clock: the source's own while they go on, then its beats."""

    def __init__(self, rate: Fraction, start: Fraction):
        self._beat, self._next, self._last = 1 / rate, start, None

    def time(self, frame: Frame | None) -> Fraction:
        at = self._next if frame is None or (self._last is not None and frame.time <= self._last) else frame.time
        self._last, self._next = at, at + self._beat
        return at


def _in_order(source: Clip, frames: Sequence[int | None] | None) -> Clip | None:
    """The part of the source that the comparison runs through from frame to frame; None where it jumps."""
    if frames is None:
        return source
    shown = [t for t in frames]
    while shown and shown[-1] is None:
        shown.pop()
    first = shown[0] if shown else None
    if first is None or shown != list(range(first, first + len(shown))):
        return None
    return source if first == 0 else TrimmedClip(source, first, None)


def _picture_size(clip: Clip, height: int | None) -> tuple[int, int]:
    """(H, W) px, even, so that every player reads the video."""
    if height is not None and height < 16:
        raise ValueError(f"pictures of {height} px height can't be compared; use 16 or more")
    high = height or clip.height
    return max(2, high // 2 * 2), max(2, round(clip.width * high / clip.height / 2) * 2)


def _fitted(size: tuple[int, int], shown: Crop) -> tuple[int, int]:
    """(h, w) that a part of a clip, x1, y1, x2, y2 px, gets inside (H, W): all of it where the proportions agree."""
    aspect, wanted = (shown[2] - shown[0]) / (shown[3] - shown[1]), size[1] / size[0]
    if abs(aspect / wanted - 1) <= ASPECT_TOLERANCE:
        return size
    return (size[0], max(1, round(size[0] * aspect))) if aspect < wanted else (max(1, round(size[1] / aspect)), size[1])


def _compose(mode: str, a: _Pane, b: _Pane, at: float) -> np.ndarray:
    if mode == SIDE_BY_SIDE:
        _draw(a.image, a, None)
        _draw(b.image, a if b.there else None, b)
        for pane in (a, b):
            _name(pane.image, pane.name)
        return np.concatenate([a.image, b.image], axis=1)
    if not (a.there and b.there):
        alone = b if b.there else a
        _draw(alone.image, a, b)
        _name(alone.image, f"{alone.name} alone: the other clip has no such frame" if alone.there else "no frame")
        return alone.image
    column = round(at * a.image.shape[1])
    if mode == WIPE:
        picture, words = np.concatenate([a.image[:, :column], b.image[:, column:]], axis=1), "source | generated"
    elif mode == OVERLAY:
        picture, words = cv2.addWeighted(a.image, 0.5, b.image, 0.5, 0), "source + generated"
    else:
        picture, words = cv2.absdiff(a.image, b.image), "source - generated"
    _draw(picture, a, b)
    if mode == WIPE:
        cv2.line(picture, (column, 0), (column, picture.shape[0]), PAPER, max(1, picture.shape[0] // 240))
    _name(picture, words)
    return picture


def _draw(image: np.ndarray, source: _Pane | None, found: _Pane | None) -> None:
    """The source's outlines solid, the found ones dashed, and skeletons in the same colours."""
    stroke = max(1, round(image.shape[0] / 300))
    solid, dashed = ([] if pane is None else pane.lines for pane in (source, found))
    cv2.drawContours(image, [*solid, *dashed], -1, INK, stroke + 2, cv2.LINE_AA)
    cv2.drawContours(image, solid, -1, SOURCE_COLOUR, stroke, cv2.LINE_AA)
    cv2.polylines(image, _dashes(dashed, stroke), False, FOUND_COLOUR, stroke, cv2.LINE_AA)
    for pane, colour in ((source, SOURCE_COLOUR), (found, FOUND_COLOUR)):
        if pane is not None and pane.keypoints is not None:
            bones = _bones(pane.keypoints)
            cv2.polylines(image, bones, False, INK, stroke + 2, cv2.LINE_AA)
            cv2.polylines(
                image, bones if pane is source else _dashes(bones, stroke), False, colour, stroke, cv2.LINE_AA
            )


def _dashes(lines: Sequence[np.ndarray], stroke: int) -> list[np.ndarray]:
    """Lines that run from pixel to pixel, cut into dashes."""
    period, on = (DASH + GAP) * stroke, DASH * stroke
    return [line[n : n + on] for line in lines for n in range(0, len(line), period)]


def _bones(keypoints: np.ndarray) -> list[np.ndarray]:
    """A line from pixel to pixel, int32 [P, 1, 2], for every bone whose ends are seen."""
    lines = []
    for a, b in (keypoints[list(bone)] for bone in BONES):
        if min(a[2], b[2]) >= SEEN and np.isfinite([*a, *b]).all():
            steps = max(2, int(np.abs(b[:2] - a[:2]).max()) + 1)
            lines.append(np.round(np.linspace(a[:2], b[:2], steps)).astype(np.int32)[:, None])
    return lines


def _name(image: np.ndarray, text: str) -> None:
    letters = text_size(image.shape[0])
    tag(image, text, letters, letters, letters, PAPER)


def _warnings(clips: Comparison, counted: Sequence[int], timing: Clip | None) -> list[str]:
    warnings = []
    if clips.source.rate != clips.generated.rate:
        rates = [f"{float(clip.rate):.6g}" for clip in (clips.source, clips.generated)]
        said = f"the source runs at {rates[0]} frames per second, the generated clip at {rates[1]}"
        warnings.append(f"{said}: compared frame by frame, at the source's rate")
    if counted[0] != counted[1]:
        warnings.append(f"{counted[0]} frames of the source stand beside {counted[1]} of the generated clip")
    if timing is None:
        warnings.append("the frames are not those of the source in order, so its sound was left out")
    return warnings

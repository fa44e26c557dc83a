"""Place, size, angle and thickness of an object's masks, frame by frame, and how two tracks differ in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from ..media.track import Track, occupied

# Ratio of the axes from which an angle means anything.
ELONGATED = 1.5


@dataclass(frozen=True)
class Shapes:
    """One object over T frames; float64 [T], px of the picture, nan where the mask is empty.

    Attributes:
        area: px, 0 where empty.
        x, y: centre of area; pixel 0 spans 0..1.
        angle: of the long axis in degrees, -90..90, from x towards y (clockwise on the screen); nan unless elongated.
        long, short: sides of the rectangle with the same second moments.
        left, top, right, bottom: the box, ends exclusive.
    """

    area: np.ndarray
    x: np.ndarray
    y: np.ndarray
    angle: np.ndarray
    long: np.ndarray
    short: np.ndarray
    left: np.ndarray
    top: np.ndarray
    right: np.ndarray
    bottom: np.ndarray

    def __len__(self) -> int:
        return len(self.area)

    @property
    def visible(self) -> np.ndarray:
        """bool [T]: the mask has pixels."""
        return self.area > 0

    @property
    def height(self) -> np.ndarray:
        return self.bottom - self.top

    def part(self, stop: int) -> Shapes:
        """The first `stop` frames."""
        return Shapes(*(getattr(self, name)[:stop] for name in self.__dataclass_fields__))


def shapes(track: Track, label: str) -> Shapes:
    """Shapes of one object, in px of the track's clip. Reads one frame's masks at a time.

    Raises:
        KeyError: no such object.
    """
    column = track.index(label)
    rows = np.array([look(track.packed_masks(t)[column]) for t in range(len(track))]).reshape(-1, 10)
    sx, sy = track.clip_size[1] / track.mask_size[1], track.clip_size[0] / track.mask_size[0]
    both = float(np.sqrt(sx * sy))
    return Shapes(*(rows * (sx * sy, sx, sy, 1, both, both, sx, sy, sx, sy)).T)


def look(packed: np.ndarray) -> tuple[float, ...]:
    """The ten numbers of Shapes of one packed mask, uint8 [h, ceil(w / 8)] little-endian, in its own px."""
    box = occupied(packed)
    if box is None:
        return (0.0, *(np.nan,) * 9)
    top, bottom, first, last = box
    crop = packed[top:bottom, first:last]
    # Of a mask of 0 and 1; `binaryImage` would only make it one again, and takes twice the time.
    m = cv2.moments(np.unpackbits(crop, axis=1, bitorder="little"))
    area = m["m00"]
    columns = np.flatnonzero(np.unpackbits(np.bitwise_or.reduce(crop, axis=0), bitorder="little"))
    left, right = 8 * first + int(columns[0]), 8 * first + int(columns[-1]) + 1
    x, y = 8 * first + m["m10"] / area + 0.5, top + m["m01"] / area + 0.5
    # A pixel is a square, not a point: its own second moment is 1/12.
    xx, yy, xy = m["mu20"] / area + 1 / 12, m["mu02"] / area + 1 / 12, m["mu11"] / area
    spread = float(np.hypot(xx - yy, 2 * xy))
    long, short = (xx + yy + spread) / 2, max((xx + yy - spread) / 2, 1 / 12)
    angle = float(np.degrees(0.5 * np.arctan2(2 * xy, xx - yy))) if long >= ELONGATED**2 * short else np.nan
    return area, x, y, angle, np.sqrt(12 * long), np.sqrt(12 * short), left, top, right, bottom


def scale_percent(expected: Shapes, found: Shapes) -> np.ndarray:
    """float64 [T]: how much larger (+) or smaller (-) the found object is, in percent of its length.

    Length is how far the mask spreads about its centre, not the root of its area: an outline that lies 1 px further
    out adds a fifth to the area of a board 10 px thick, but hardly to its spread.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.hypot(found.long, found.short) / np.hypot(expected.long, expected.short)
    return np.where(expected.visible & found.visible, 100 * (ratio - 1), np.nan)


def edge_effects(track: Track, label: str) -> dict[str, np.ndarray]:
    """By how much an object's measures change when its outline lies 1 px further out or in: nothing to be blamed for.

    Two masks of one thing differ by so much at least. It is little for a compact object, and much for a thin one: 1 px
    further in, the deck between two wheels is gone.

    Returns:
        "x", "y" (px of the track's clip), "scale" (percent), "angle" (degrees): float64 [T], 0 where it isn't seen;
        "overlap": the lower J of the two, float64 [T], 1 where it isn't seen.
    """
    column = track.index(label)
    rows = np.array([_edge_effect(track.packed_masks(t)[column]) for t in range(len(track))]).reshape(-1, 5)
    sx, sy = track.clip_size[1] / track.mask_size[1], track.clip_size[0] / track.mask_size[0]
    return dict(zip(("x", "y", "scale", "angle", "overlap"), (rows * (sx, sy, 1, 1, 1)).T, strict=True))


def _edge_effect(packed: np.ndarray) -> np.ndarray:
    """x, y (px), scale (percent) and angle (degrees) of the larger change of the two, of the mask's own px; and J."""
    box = occupied(packed)
    if box is None:
        return np.array([0, 0, 0, 0, 1.0])
    top, bottom, first, last = box
    mask = np.pad(np.unpackbits(packed[top:bottom, first:last], axis=1, bitorder="little"), 8)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    own = look(np.packbits(mask, axis=1, bitorder="little"))
    effect, overlap = np.zeros(4), 1.0
    for change in (cv2.dilate, cv2.erode):
        other = look(np.packbits(np.asarray(change(mask, cross), np.uint8), axis=1, bitorder="little"))
        spread = np.hypot(other[4], other[5]) / np.hypot(own[4], own[5])
        moved = [other[1] - own[1], other[2] - own[2], 100 * (spread - 1), wrapped(other[3] - own[3])]
        effect = np.fmax(effect, np.abs(moved))  # what vanishes or has no angle says nothing
        overlap = min(overlap, *(a / b for a, b in ((own[0], other[0]), (other[0], own[0])) if b > a > 0), 1.0)
    return np.array([*effect, overlap])


def turn_deg(expected: Shapes, found: Shapes) -> np.ndarray:
    """float64 [T]: by how much the found object is turned, -90..90 degrees, clockwise on the screen."""
    return wrapped(found.angle - expected.angle)


def wrapped(degrees: Any) -> Any:
    """Axes have no direction: any difference of two as -90..90 degrees."""
    return (degrees + 90) % 180 - 90


def outline_likeness(expected: Shapes, found: Shapes) -> np.ndarray:
    """float64 [T]: how alike two outlines are wherever they lie, 0..1: sides and fullness, smaller / larger."""
    with np.errstate(divide="ignore", invalid="ignore"):
        pairs = (
            (expected.long, found.long),
            (expected.short, found.short),
            (expected.area / (expected.long * expected.short), found.area / (found.long * found.short)),
        )
        return np.prod([np.minimum(a, b) / np.maximum(a, b) for a, b in pairs], axis=0)


def edge_jaccard(shape: Shapes, px: float) -> np.ndarray:
    """float64 [T]: J of a shape against itself moved by `px` across its short side, (w - px) / (w + px).

    A region limit above this would ask more of a thin object than its outline can be known to.
    """
    width = np.nan_to_num(shape.short, nan=np.inf)
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(width), 1.0, np.clip((width - px) / (width + px), 0, 1))


def steadied(values: np.ndarray, half: int) -> np.ndarray:
    """float64 [T]: running median over 2 * half + 1 frames without those that are nan; nan where all are."""
    out = np.full(len(values), np.nan)
    for t in range(len(values)):
        near = values[max(0, t - half) : t + half + 1]
        near = near[np.isfinite(near)]
        if near.size:
            out[t] = np.median(near)
    return out

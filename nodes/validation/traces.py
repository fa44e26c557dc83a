"""Two things that a picture tells when an object's own edges don't: a mask that spilled, and something on its path.

A tracker that takes a piece of background with an object holds pixels that source and generated clip show alike, at
the same place. And where an object's edges are gone, what is there instead either goes the object's way, which is
another object, or the background's, which is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from .structure import likeness

# Share of a mask, and px of the small picture, that must lie beyond the source's objects to be asked about.
SHARE, SMALLEST = 0.25, 30
# Around an object's own mask so many px of the small picture may still be its edge.
RIM = 2
# Over so many px of the small picture it can be told whether something goes along; what goes this share of them does,
# and what goes less than the other stays with the background.
FURTHER, GOES_ALONG, STAYS = 6.0, 0.5, 0.25
# Half-width of the window in which a source's mask is held against what it holds, frames.
WINDOW = 6
# Background next to an object: within so many times its box.
AROUND = 1.0


def spilled(own: np.ndarray, generated: np.ndarray, objects: np.ndarray, found: np.ndarray) -> float:
    """How alike two pictures are where a found mask lies beyond all of the source's objects, -1..1.

    Args:
        own, generated: edge fields of source and generated clip, float32 [h, w, 2].
        objects: bool [h, w], all of the source's objects together; found: bool [h, w], the mask found in the generated
            clip.

    Returns:
        nan where too little of the mask lies beyond them.
    """
    near = cv2.dilate(objects.view(np.uint8), np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)).view(bool)
    beyond = found & ~near
    if np.count_nonzero(beyond) < max(SMALLEST, SHARE * np.count_nonzero(found)):
        return float("nan")
    return likeness(own[beyond], generated[beyond])


@dataclass
class Travel:
    """How far what is seen at an object's place goes the object's way, frame by frame; px of the small picture.

    Attributes:
        way: float64 [T], how far the source's mask moves against the background; nan unknown.
        own: how far in its direction what the source shows inside it does; along: what the generated clip shows there.
    """

    way: np.ndarray
    own: np.ndarray
    along: np.ndarray

    def part(self, total: int) -> Travel:
        """The first `total` frames."""
        return Travel(self.way[:total], self.own[:total], self.along[:total])

    def share(self, frames: slice) -> float | None:
        """Over these frames, what the generated clip shows goes so much of the way that the source's object goes: 1 if
        it is the object or another one, 0 if it is background. None where the source's object itself can't be seen to
        move against the background."""
        way, own, along = (values[frames] for values in (self.way, self.own, self.along))
        known = np.isfinite(way) & np.isfinite(own) & np.isfinite(along)
        total, seen = float(way[known].sum()), float(own[known].sum())
        return float(along[known].sum()) / seen if total >= FURTHER and seen >= GOES_ALONG * total else None

    def strays(self) -> np.ndarray:
        """bool [T]: around this frame the source's own mask moves, and what it holds stays with the background."""
        known = np.isfinite(self.way) & np.isfinite(self.own)
        around, end = np.ones(2 * WINDOW + 1), WINDOW + len(known)
        way, own = (np.convolve(np.where(known, values, 0), around)[WINDOW:end] for values in (self.way, self.own))
        return (way >= FURTHER) & (own < STAYS * way)


@dataclass
class Traveller:
    """Measures `Travel` of one object; keeps its place on the frame before."""

    total: int
    travel: Travel = field(init=False)
    _place: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.travel = Travel(*np.full((3, self.total), np.nan))

    def step(self, t: int, backs: Sequence[np.ndarray | None], mask: np.ndarray, objects: np.ndarray) -> None:
        """Frame t.

        Args:
            backs: float32 [h, w, 2], the motion from this frame to the one before of the source and of the generated
                clip; None: unknown.
            mask: bool [h, w], the source's object on this frame; objects: all of them together.
        """
        m = cv2.moments(mask.view(np.uint8), binaryImage=True)
        before = self._place
        self._place = np.array([m["m10"], m["m01"]]) / m["m00"] if m["m00"] >= SMALLEST else None
        if before is None or self._place is None or backs[0] is None:
            return
        left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
        x, y = round(AROUND * width), round(AROUND * height)
        window = slice(max(0, top - y), top + height + y), slice(max(0, left - x), left + width + x)
        free = ~cv2.dilate(objects[window].view(np.uint8), np.ones((7, 7), np.uint8)).view(bool)
        if np.count_nonzero(free) < SMALLEST:
            return
        ground = np.median(backs[0][window][free], axis=0)  # the generated clip's may be hidden by what is there
        way = before - self._place - ground
        length = float(np.hypot(*way))
        if length == 0:
            return
        self.travel.way[t] = length
        for back, into in zip(backs, (self.travel.own, self.travel.along), strict=True):
            if back is not None:
                gone = (np.median(back[mask], axis=0) - ground) @ way / length
                into[t] = float(np.clip(gone, -length, 2 * length))

"""Where a range that was made anew meets the clip around it: no step of colour there, and no pop where both agree.

The frames outside stay as they are, so the range alone is brought to them. Its colours are taken to those of the frame
before it and the frame after it, and over the first and last frames it fades from and to what the clip showed there;
but only where both show the same thing, since those frames were made anew because something in them is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import cv2
import numpy as np

from ..media.clip import Clip
from .seams import BLOCK, GHOST_LEVELS, blocks, colour_step

# Frames at either end over which the range fades.
FADE = 4
# Frames of one shot have blocks that go together so much (Pearson's r): 98 % of neighbouring frames of seven real clips
# do, and no two of different clips (tests/benchmarks/seams.py). Over a cut there is no colour to match.
SAME_SHOT = 0.55

Step = tuple[np.ndarray, np.ndarray]
NO_STEP: Step = (np.ones(3, np.float32), np.zeros(3, np.float32))


class Ends:
    """Takes a range's frames as the model made them, in order, and gives them back as they belong there.

    Args:
        clip: what is around the range, and was in its place.
        start, stop: the range, half-open.
        total: frames of the clip.
    """

    def __init__(self, clip: Clip, start: int, stop: int, total: int):
        self._start, self._stop = start, stop
        self._fade = min(FADE, (stop - start) // 2)
        first, end = max(0, start - 1), min(total, stop + 1)
        around = {t: image for t, image in _images(clip, first, start + self._fade)}
        around |= {t: image for t, image in _images(clip, stop - self._fade, end)}
        self._before, self._after, self._own = around.get(start - 1), around.get(stop), around
        self._head: Step | None = None

    def meet(self, frames: Sequence[np.ndarray], first: int, last: bool) -> list[np.ndarray]:
        """The next frames of the range.

        Args:
            frames: uint8 [H, W, 3] each, as made.
            first: the index in the clip of the first of them.
            last: they are the range's last.
        """
        if first == self._start:
            self._head = None if self._before is None else _step_to(self._before, frames[0])
        tail = _step_to(self._after, frames[-1]) if last and self._after is not None else None
        # Steps differ at both ends: from one to the other over the last frames given. What can't be told is as nearby.
        whole = first == self._start and last
        head = self._head or (tail if whole else None) or NO_STEP
        tail = tail or head
        met = []
        for n, frame in enumerate(frames):
            share = n / (len(frames) - 1) if len(frames) > 1 else 0.5
            gain, offset = (a + share * (b - a) for a, b in zip(head, tail, strict=True))
            matched = np.clip((frame - offset) / gain, 0, 255)
            met.append(self._faded(matched, first + n))
        return met

    def _faded(self, image: np.ndarray, t: int) -> np.ndarray:
        """uint8 [H, W, 3] from float32; near an end with a share of what the clip showed there."""
        inside = [t - self._start] if self._before is not None else []
        inside += [self._stop - 1 - t] if self._after is not None else []
        share = 1 - (min(inside, default=self._fade) + 1) / (self._fade + 1)
        if share > 0:
            own = self._own[t].astype(np.float32)
            image = image + share * _agreement(image, own)[..., None] * (own - image)
        return np.rint(image).astype(np.uint8)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """How much the blocks of two images, uint8 [H, W, 3], go together: Pearson's r; 1 where one is flat."""
    x, y = (means - means.mean(axis=(0, 1)) for means in (blocks(a), blocks(b)))
    spread = np.sqrt((x * x).sum() * (y * y).sum())
    return float((x * y).sum() / spread) if spread > 0 else 1.0


def _step_to(around: np.ndarray, made: np.ndarray) -> Step | None:
    """The step of colour from a frame outside to the one next to it; None where they are of different shots."""
    return colour_step(around, made) if likeness(around, made) >= SAME_SHOT else None


def _agreement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """float32 [H, W]: 1 where two pictures, float32 [H, W, 3], are the same; 0 where they are not, and around it."""
    side = (2 * BLOCK + 1, 2 * BLOCK + 1)
    apart = np.abs(cv2.blur(a - b, (BLOCK, BLOCK))).max(axis=2)
    alike = cv2.erode(np.clip(1 - apart / GHOST_LEVELS, 0, 1), np.ones(side, np.uint8))
    return cv2.blur(alike, side)


def _images(clip: Clip, start: int, stop: int) -> list[tuple[int, np.ndarray]]:
    return [(frame.index, frame.image) for frame in islice(clip.read(start), stop - start)] if start < stop else []

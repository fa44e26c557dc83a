"""What an object's colours are, here and now and since the start: class-balanced histograms in Lab.

Foreground and background are normalised apart. As posteriors the larger class would win everywhere and masks would
shrink to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

# Colour cells used along each axis of Lab, and the stored side: an empty cell at either end keeps neighbouring rows
# of the flat table apart when it is blurred. CELL_BINS: colour numbers in all.
BINS = 14
SIDE = BINS + 2
CELL_BINS = SIDE**3
# Log-likelihood ratios are kept within this: no colour alone is proof.
LIMIT = 3.0
# Weight of the first frame's colours against the running mean of the later ones, and that mean's memory.
FIRST_WEIGHT = 3.0
KEEP = 0.9

_BLUR = np.array([0.25, 0.5, 0.25], np.float32)


def llr(fg: np.ndarray, bg: np.ndarray, floor: float, limit: float = LIMIT) -> np.ndarray:
    """log(fg / bg) of two float32 arrays of frequencies, with `floor` added to both, within +-limit."""
    ratio = (fg + floor) / (bg + floor)
    return np.clip(cv2.log(ratio).reshape(ratio.shape), -limit, limit)  # OpenCV 4 makes a column of a vector


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) of a float32 array."""
    return 1.0 / (1.0 + cv2.exp(-x).reshape(x.shape))


class Palette:
    """Numbers a clip's colours, 0..CELL_BINS-1, in steps fitted to the range of one Lab image, uint8 [h, w, 3]."""

    def __init__(self, lab: np.ndarray):
        low, high = np.percentile(lab.reshape(-1, 3), [1, 99], axis=0)
        levels = np.arange(256)
        self._tables = []
        for axis in range(3):
            middle = (low[axis] + high[axis]) / 2
            # No bin under 2 levels wide: on a grey picture the bins would only tell noise apart.
            half = max((high[axis] - low[axis]) / 2, BINS)
            cell = np.clip((levels - middle + half) / (2 * half) * BINS, 0, BINS - 1).astype(np.int32) + 1
            self._tables.append(cell * np.int32(SIDE ** (2 - axis)))

    def index(self, lab: np.ndarray) -> np.ndarray:
        """int32 [h, w]: the colour number of every pixel of a Lab image, uint8 [h, w, 3]."""
        light, a, b = self._tables
        return light[lab[..., 0]] + a[lab[..., 1]] + b[lab[..., 2]]


def count_colours(index: np.ndarray) -> np.ndarray:
    """float32 [CELL_BINS]: how often each colour number occurs."""
    return np.bincount(index.ravel(), minlength=CELL_BINS).astype(np.float32)


def blur_colour(counts: np.ndarray) -> np.ndarray:
    """float32 [n, CELL_BINS] counts, blurred by [1 2 1] / 4 along the three colour axes."""
    out = cv2.sepFilter2D(counts.reshape(-1, SIDE * SIDE), -1, _BLUR, _BLUR, borderType=cv2.BORDER_CONSTANT)
    return _blur_axis(out.reshape(-1, SIDE, SIDE), 1).reshape(counts.shape)


def _blur_axis(x: np.ndarray, axis: int) -> np.ndarray:
    x = np.moveaxis(x, axis, 0)
    out = 0.5 * x
    out[1:] += 0.25 * x[:-1]
    out[:-1] += 0.25 * x[1:]
    return np.moveaxis(out, 0, axis)


class LocalColour:
    """Colours of each object and of what surrounds it on one frame, in square cells of the picture."""

    def __init__(self, index: np.ndarray, masks: Sequence[np.ndarray], cell: int):
        """index: int32 [h, w] colour numbers. masks: bool [h, w] each. cell: px."""
        h, w = index.shape
        self._cell, self._rows, self._columns = cell, -(-h // cell), -(-w // cell)
        row = np.arange(h, dtype=np.int32) // cell * (self._columns * CELL_BINS)
        column = np.arange(w, dtype=np.int32) // cell * CELL_BINS
        place = index + row[:, None] + column
        size = self._rows * self._columns * CELL_BINS
        everything = np.bincount(place.ravel(), minlength=size).astype(np.float32).reshape(-1, CELL_BINS)
        self._models = []
        # Colour counts float32 [CELL_BINS] of each object and of the rest, over the whole window.
        self.totals: list[tuple[np.ndarray, np.ndarray]] = []
        for mask in masks:
            fg = np.bincount(place[mask], minlength=size).astype(np.float32).reshape(-1, CELL_BINS)
            bg = everything - fg
            self.totals.append((fg.sum(0), bg.sum(0)))
            self._models.append((self._smooth(fg), self._smooth(bg)))

    def _smooth(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        out = blur_colour(counts).reshape(self._rows, self._columns, CELL_BINS)
        out = _blur_axis(_blur_axis(out, 0), 1).reshape(-1, CELL_BINS)
        return out, 1.0 / (out.sum(1) + 10.0)

    def look_up(self, n: int, index: np.ndarray, at: np.ndarray) -> np.ndarray:
        """float32 [h, w]: log-likelihood ratio of object n for colours `index` at places `at`, [h, w, 2] px (x, y)."""
        column = np.clip((at[..., 0] * (1 / self._cell)).astype(np.int32), 0, self._columns - 1)
        row = np.clip((at[..., 1] * (1 / self._cell)).astype(np.int32), 0, self._rows - 1)
        cell = row * self._columns + column
        place = cell * CELL_BINS + index
        (fg, fg_share), (bg, bg_share) = self._models[n]
        return llr(fg.ravel()[place] * fg_share[cell], bg.ravel()[place] * bg_share[cell], 1e-3)


class ColourMemory:
    """One object's colours and its surroundings' since the first frame, which never fades."""

    def __init__(self, fg: np.ndarray, bg: np.ndarray):
        """fg, bg: colour counts, float32 [CELL_BINS]."""
        self._first = _frequencies(fg), _frequencies(bg)
        self._recent = self._first

    def update(self, bg: np.ndarray, fg: np.ndarray | None) -> None:
        """Learn the newest counts; fg is None when the object is not seen well enough to learn from."""
        old_fg, old_bg = self._recent
        new_fg = old_fg if fg is None else KEEP * old_fg + (1 - KEEP) * _frequencies(fg)
        self._recent = new_fg, KEEP * old_bg + (1 - KEEP) * _frequencies(bg)

    def table(self) -> np.ndarray:
        """float32 [CELL_BINS]: log-likelihood ratio of the object against its surroundings."""
        return llr(self._mean(0), self._mean(1), 1e-4).ravel()

    def table_against(self, counts: np.ndarray) -> np.ndarray:
        """float32 [CELL_BINS]: the same against other colour counts, such as those of a whole frame."""
        return llr(self._mean(0), _frequencies(counts), 1e-4).ravel()

    def similarity(self, counts: np.ndarray) -> float:
        """0..1: Bhattacharyya coefficient of colour counts [CELL_BINS] with the first or the recent ones."""
        other = _frequencies(counts)
        return float(max(np.sqrt(other * known[0]).sum() for known in (self._first, self._recent)))

    def _mean(self, side: int) -> np.ndarray:
        return (FIRST_WEIGHT * self._first[side] + self._recent[side]) / (FIRST_WEIGHT + 1)


def _frequencies(counts: np.ndarray) -> np.ndarray:
    blurred = blur_colour(counts[None])[0]
    return blurred / max(float(blurred.sum()), 1e-6)

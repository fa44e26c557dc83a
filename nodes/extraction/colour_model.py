"""Colour models."""

from __future__ import annotations

import cv2
import numpy as np

BINS = 14
SIDE = 16
CELL_BINS = SIDE**3
LIMIT = 3.0


class Palette:
    def __init__(self, lab):
        flat = lab.reshape(-1, 3)[:: max(1, lab.size // 300000)]
        low, high = np.percentile(flat, [1, 99], axis=0)
        levels = np.arange(256)
        self.luts = []
        for c, (a, b) in enumerate(zip(low, high)):
            # at least 2 levels a bin: noise is not a colour
            mid, half = (a + b) / 2, max((b - a) / 2, BINS)
            q = np.clip(((levels - mid + half) / (2 * half) * BINS).astype(int), 0, BINS - 1) + 1
            self.luts.append((q * SIDE ** (2 - c)).astype(np.int32))

    def index(self, lab):
        a, b, c = self.luts
        return a[lab[..., 0]] + b[lab[..., 1]] + c[lab[..., 2]]


_K = np.array([0.25, 0.5, 0.25], np.float32)
_ONE = np.array([1.0], np.float32)


def blur_colour(hist):
    """[..., SIDE^3] blurred by [1 2 1]/4 on three axes; the empty outer bins keep neighbours apart."""
    shape = hist.shape
    h = cv2.sepFilter2D(hist.reshape(-1, SIDE * SIDE), -1, _K, _K, borderType=cv2.BORDER_CONSTANT)
    h = h.reshape(-1, SIDE, SIDE)
    out = 0.5 * h
    out[:, 1:] += 0.25 * h[:, :-1]
    out[:, :-1] += 0.25 * h[:, 1:]
    return out.reshape(shape)


def blur_cells(hist):
    """[cy, cx, bins] blurred by [1 2 1]/4 over the cells."""
    out = 0.5 * hist
    out[1:] += 0.25 * hist[:-1]
    out[:-1] += 0.25 * hist[1:]
    res = 0.5 * out
    res[:, 1:] += 0.25 * out[:, :-1]
    res[:, :-1] += 0.25 * out[:, 1:]
    return res


def llr(a, b, eps=1e-3, limit=LIMIT):
    return np.clip(cv2.log((a + eps) / (b + eps)), -limit, limit)


class LocalColour:
    """Class-balanced colour histograms of one frame in spatial cells."""

    def __init__(self, index, masks, cell):
        h, w = index.shape
        self.cell = cell
        self.cy, self.cx = -(-h // cell), -(-w // cell)
        ys = (np.arange(h) // cell * self.cx * CELL_BINS).astype(np.int32)
        xs = (np.arange(w) // cell * CELL_BINS).astype(np.int32)
        flat = index + ys[:, None] + xs[None]
        n = self.cy * self.cx * CELL_BINS
        total = np.bincount(flat.ravel(), minlength=n).astype(np.float32)
        self.fg_raw, self.bg_raw, self.fg, self.bg = [], [], [], []
        for m in masks:
            f = np.bincount(flat[m], minlength=n).astype(np.float32)
            f, b = f.reshape(-1, CELL_BINS), (total - f).reshape(-1, CELL_BINS)
            self.fg_raw.append(f.sum(0))
            self.bg_raw.append(b.sum(0))
            self.fg.append(self._smooth(f))
            self.bg.append(self._smooth(b))

    def _smooth(self, h):
        h = blur_cells(blur_colour(h).reshape(self.cy, self.cx, CELL_BINS)).reshape(-1, CELL_BINS)
        return h, 1.0 / (h.sum(1) + 10.0)

    def look_up(self, k, index, at):
        """LLR [h,w] of object k for colours `index` at positions `at` (float [h,w,2], px in the modelled frame)."""
        cx = np.clip((at[..., 0] * (1.0 / self.cell)).astype(np.int32), 0, self.cx - 1)
        cy = np.clip((at[..., 1] * (1.0 / self.cell)).astype(np.int32), 0, self.cy - 1)
        c = cy * self.cx + cx
        i = c * CELL_BINS + index
        (f, fs), (b, bs) = self.fg[k], self.bg[k]
        return llr(f.ravel()[i] * fs[c], b.ravel()[i] * bs[c])


class GlobalColour:
    def __init__(self, fg, bg, first_weight=3.0, keep=0.9):
        self.first = self._norm(fg), self._norm(bg)
        self.recent = self.first
        self.first_weight, self.keep = first_weight, keep

    @staticmethod
    def _norm(h):
        h = blur_colour(h[None])[0]
        return h / (h.sum() + 10.0)

    def update(self, fg, bg):
        k = self.keep
        self.recent = tuple(k * r + (1 - k) * self._norm(n) for r, n in zip(self.recent, (fg, bg)))

    def table(self):
        w = self.first_weight
        f, b = ((w * a + r) / (w + 1) for a, r in zip(self.first, self.recent))
        return llr(f, b, 1e-4).ravel()

    def similarity(self, hist):
        """Bhattacharyya coefficient, 0..1, of a colour count [SIDE^3] with the object's first or recent colours."""
        h = self._norm(hist.astype(np.float32))
        return float(max(np.sqrt(h * r[0]).sum() for r in (self.first, self.recent)))

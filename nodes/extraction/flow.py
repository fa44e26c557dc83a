"""Where pixels and objects go between two frames: optical flow in a crop, object layers, background motion."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np


@dataclass(frozen=True, slots=True)
class Window:
    x0: int
    y0: int
    x1: int
    y1: int
    width: int
    height: int

    def crop(self, image):
        view = image[self.y0 : self.y1, self.x0 : self.x1]
        return cv2.resize(view, (self.width, self.height), interpolation=cv2.INTER_AREA)

    @property
    def scale(self):
        return np.array([self.width / (self.x1 - self.x0), self.height / (self.y1 - self.y0)], np.float32)


MIN_SIDE = 64


def window_around(box, frame_size, budget):
    h, w = frame_size
    x0, y0 = max(int(box[0]), 0), max(int(box[1]), 0)
    x1, y1 = min(int(np.ceil(box[2])), w), min(int(np.ceil(box[3])), h)
    # A sliver cannot hold a flow patch: widen towards the inside of the frame.
    x0, x1 = _widen(x0, x1, min(MIN_SIDE, w), w)
    y0, y1 = _widen(y0, y1, min(MIN_SIDE, h), h)
    s = min(1.0, (budget / ((x1 - x0) * (y1 - y0))) ** 0.5)
    return Window(x0, y0, x1, y1, max(round((x1 - x0) * s), MIN_SIDE), max(round((y1 - y0) * s), MIN_SIDE))


def _widen(a, b, least, limit):
    if b - a >= least:
        return a, b
    a = max(min((a + b) // 2 - least // 2, limit - least), 0)
    return a, a + least


@lru_cache(maxsize=8)
def grid(h, w):
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    out = np.dstack([x, y])
    out.flags.writeable = False
    return out


def sample(image, at, border=cv2.BORDER_REPLICATE):
    return cv2.remap(image, at, None, cv2.INTER_LINEAR, borderMode=border, borderValue=0)


def layer_backward(forward, weight, sigma=8.0, shrink=4):
    """Backward flow of one layer, extrapolated smoothly from where `weight` trusts the forward flow."""
    h, w = weight.shape
    size = (max(w // shrink, 8), max(h // shrink, 8))
    ww = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    fw = cv2.resize(forward * weight[..., None], size, interpolation=cv2.INTER_AREA)
    total = float(ww.sum())
    mean = fw.sum((0, 1)) / max(total, 1e-6)
    s = sigma * size[0] / w
    num = cv2.GaussianBlur(fw, (0, 0), s) + 0.02 * cv2.GaussianBlur(fw, (0, 0), 2 * s) + 1e-4 * mean
    den = cv2.GaussianBlur(ww, (0, 0), s) + 0.02 * cv2.GaussianBlur(ww, (0, 0), 2 * s) + 1e-4
    layer = (num / den[..., None]).astype(np.float32)
    step = np.array([size[0] / w, size[1] / h], np.float32)
    base = grid(size[1], size[0])
    back = -layer
    for _ in range(3):
        back = -sample(layer, base + back * step)
    return cv2.resize(back, (w, h), interpolation=cv2.INTER_LINEAR)


def background_affine(backward, background, step=8):
    """Affine camera motion: the backward flow it predicts for every pixel, or the median when it cannot be fitted."""
    h, w = background.shape
    pts = grid(h, w)[::step, ::step]
    ok = background[::step, ::step]
    src = pts[ok]
    flow = backward[::step, ::step][ok]
    if len(src) >= 12:
        m, inl = cv2.estimateAffine2D(src, src + flow, method=cv2.RANSAC, ransacReprojThreshold=1.0, maxIters=200)
        if m is not None and inl.mean() > 0.2:
            m = m.astype(np.float32)
            g = grid(h, w)
            return g @ (m[:, :2].T - np.eye(2, dtype=np.float32)) + m[:, 2]
    return np.broadcast_to(np.median(flow, 0) if len(src) else np.zeros(2, np.float32), backward.shape).astype(
        np.float32
    )

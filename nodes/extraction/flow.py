"""Where pixels and objects go between two frames: the window worked in, and the motion of one layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

# Side of the smallest window, px: an optical flow patch with its pyramid needs about this much.
MIN_SIDE = 64


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of the frame, [x0, x1) x [y0, y1) px, worked on at width x height px."""

    x0: int
    y0: int
    x1: int
    y1: int
    width: int
    height: int

    @property
    def scale(self) -> np.ndarray:
        """float [2]: working px for one frame px, along x and y."""
        return np.array([self.width / (self.x1 - self.x0), self.height / (self.y1 - self.y0)], np.float32)

    def view(self, frame: np.ndarray) -> np.ndarray:
        """The rectangle of a frame [H, W, …], not resized; writing to it writes to the frame."""
        return frame[self.y0 : self.y1, self.x0 : self.x1]

    def crop(self, frame: np.ndarray) -> np.ndarray:
        """The rectangle of a uint8 frame [H, W, …] at working size."""
        return cv2.resize(self.view(frame), (self.width, self.height), interpolation=cv2.INTER_AREA)

    def crop_mask(self, mask: np.ndarray) -> np.ndarray:
        """float32 [height, width] 0..1: the share of each working pixel that a mask, bool [H, W], covers."""
        return self.crop(mask.astype(np.uint8) * 255).astype(np.float32) / 255

    def enlarge(self, mask: np.ndarray) -> np.ndarray:
        """bool [y1 - y0, x1 - x0]: a mask, bool [height, width], back at the frame's resolution."""
        size = (self.x1 - self.x0, self.y1 - self.y0)
        return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5

    def take_over(self, image: np.ndarray, origin: Window) -> np.ndarray:
        """An image [h, w, …] of another window, drawn in this one; 0 where that one does not reach."""
        a, b = origin.scale, self.scale
        shift = np.array([self.x0 - origin.x0, self.y0 - origin.y0]) * a
        matrix = np.array([[a[0] / b[0], 0, shift[0]], [0, a[1] / b[1], shift[1]]])
        return cv2.warpAffine(image, matrix, (self.width, self.height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def window_around(box: tuple[float, float, float, float], size: tuple[int, int], budget: int) -> Window:
    """The part of `box` (px) inside a frame of size (H, W), worked on at no more than about `budget` px."""
    h, w = size
    x0, x1 = _widen(max(int(box[0]), 0), min(int(np.ceil(box[2])), w), w)
    y0, y1 = _widen(max(int(box[1]), 0), min(int(np.ceil(box[3])), h), h)
    scale = min(1.0, (budget / ((x1 - x0) * (y1 - y0))) ** 0.5)
    width, height = (max(round(side * scale), MIN_SIDE) for side in (x1 - x0, y1 - y0))
    return Window(x0, y0, x1, y1, width, height)


def _widen(start: int, stop: int, limit: int) -> tuple[int, int]:
    least = min(MIN_SIDE, limit)
    if stop - start >= least:
        return start, stop
    start = max(min((start + stop) // 2 - least // 2, limit - least), 0)
    return start, start + least


@lru_cache(maxsize=8)
def grid(height: int, width: int) -> np.ndarray:
    """float32 [height, width, 2], read only: the (x, y) of every pixel."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    out = np.dstack([x, y])
    out.flags.writeable = False
    return out


def sample(image: np.ndarray, at: np.ndarray, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """`image` [h, w, …] at positions `at`, float32 [h, w, 2] px (x, y), linearly interpolated."""
    return cv2.remap(image, at, None, cv2.INTER_LINEAR, borderMode=border, borderValue=0)  # pyright: ignore


def round_trip_error(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """float32 [h, w] px: how far from where it began a pixel of the first frame ends, there and back."""
    error = forward + sample(backward, grid(*forward.shape[:2]) + forward)
    return cv2.magnitude(error[..., 0], error[..., 1])


def layer_motion(forward: np.ndarray, weight: np.ndarray, sigma: float, shrink: int = 4) -> np.ndarray:
    """Backward flow of one layer of the picture, spread smoothly to where the layer is hidden or only about to come.

    Args:
        forward: flow of the first frame, float32 [h, w, 2] px.
        weight: how far a pixel of the first frame belongs to the layer and its flow is trusted, float32 [h, w].
        sigma: reach of the spreading, px; where nothing is that near, twice it and then the layer's mean take over.
        shrink: the field is smooth, so it is made at this fraction of the resolution.

    Returns:
        float32 [h, w, 2]: from a pixel of the second frame to its place in the first, were it of this layer.
    """
    h, w = weight.shape
    size = (max(w // shrink, 8), max(h // shrink, 8))
    small = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    flow = cv2.resize(forward * weight[..., None], size, interpolation=cv2.INTER_AREA)
    mean = flow.sum((0, 1)) / max(float(small.sum()), 1e-6)
    reach = sigma * size[0] / w
    top = cv2.GaussianBlur(flow, (0, 0), reach) + 0.02 * cv2.GaussianBlur(flow, (0, 0), 2 * reach) + 1e-4 * mean
    bottom = cv2.GaussianBlur(small, (0, 0), reach) + 0.02 * cv2.GaussianBlur(small, (0, 0), 2 * reach) + 1e-4
    layer = (top / bottom[..., None]).astype(np.float32)
    step = np.array([size[0] / w, size[1] / h], np.float32)
    base = grid(size[1], size[0])
    back = -layer
    # The inverse of a smooth field, by fixed-point steps: back(x) = -layer(x + back(x)).
    for _ in range(3):
        back = -sample(layer, base + back * step)
    return cv2.resize(back, (w, h), interpolation=cv2.INTER_LINEAR)

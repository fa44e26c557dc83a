"""Work at a part of the clip's size: frames made smaller, the matte made large again along the frame's own edges."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np

from ..media.clip import Clip, Frame
from .tiles import in_tiles
from .trimap import INSIDE, OUTSIDE, UNKNOWN, band_box

# Regularisation of the guided filter, squared colours of 0..1: 2 % noise.
EPSILON = 4e-4
# Radius of its windows, px of the small matte: what one of its pixels can have mixed.
RADIUS = 3
# How often what averaging shows to be missing is added.
BACK = 4
TILE, OVERLAP = 512, 64


def working_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """(h, w) px for a share of (H, W) px."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def shrink(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture at (h, w) px, averaged; itself when it has that size."""
    return image if image.shape[:2] == size else cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)


class ScaledClip(Clip):
    """A clip's frames at (h, w) px, with its times."""

    def __init__(self, clip: Clip, size: tuple[int, int]):
        self._clip, (self.height, self.width) = clip, size
        self.name, self.path = clip.name, clip.path
        self.rate, self.time_base = clip.rate, clip.time_base
        self.warnings = clip.warnings

    def read(self, start: int = 0) -> Iterator[Frame]:
        for frame in self._clip.read(start):
            yield Frame(frame.index, frame.time, shrink(frame.image, (self.height, self.width)))

    def count(self) -> int:
        return self._clip.count()

    def expected_count(self) -> int | None:
        return self._clip.expected_count()

    def index(self) -> int:
        return self._clip.index()

    def span(self) -> tuple[Fraction, Fraction | None]:
        return self._clip.span()


def enlarge(alpha: np.ndarray, trimap: np.ndarray, image: np.ndarray) -> np.ndarray:
    """A matte made at a smaller size, at the frame's size and along the frame's own edges.

    Args:
        alpha: float32 [h, w], 0..1; trimap: uint8 [h, w] of 0, 128, 255 that it was made with.
        image: uint8 [H, W, 3] RGB, the frame as it is.

    Returns:
        float32 [H, W], 0..1. Averaged down again it is the small matte, but for what clipping costs; what a small pixel
        had mixed lies where the frame's colours put it.

    A guided filter (He, Sun and Tang, "Guided Image Filtering", ECCV 2010, equations 14 to 16, colour form) over the
    matte enlarged by a cubic, which alone would leave halos; then back-projection, as in Irani and Peleg, "Improving
    Resolution by Image Registration", CVGIP 1991: what averaging shows to be missing is added, BACK times.
    """
    size = image.shape[1], image.shape[0]
    if alpha.shape == image.shape[:2]:
        return alpha
    factor = image.shape[0] / alpha.shape[0]
    large = np.clip(cv2.resize(alpha, size, interpolation=cv2.INTER_CUBIC), 0, 1)
    # A small pixel that is known is known in all its large ones, unless an unknown one is beside it.
    levels = cv2.resize(trimap, size, interpolation=cv2.INTER_LINEAR)
    known = np.select([levels == OUTSIDE, levels == INSIDE], [np.uint8(OUTSIDE), np.uint8(INSIDE)], np.uint8(UNKNOWN))
    radius = max(1, round(RADIUS * factor))

    def solve(tile: np.ndarray, band: np.ndarray, prior: np.ndarray | None) -> np.ndarray:
        assert prior is not None
        return _guided(tile.astype(np.float32) / 255, prior, radius)

    found = in_tiles(image, known, solve, TILE, OVERLAP, large)
    small, whole = _around_band(trimap, found.shape)
    unknown = known[whole] == UNKNOWN
    part, wanted = found[whole], alpha[small]
    for _ in range(BACK):
        missing = wanted - cv2.resize(part, wanted.shape[::-1], interpolation=cv2.INTER_AREA)
        added = cv2.resize(missing, part.shape[::-1], interpolation=cv2.INTER_CUBIC)
        np.clip(part + added, 0, 1, out=part, where=unknown)
    return found


def _around_band(trimap: np.ndarray, size: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """The rectangle around a small trimap's band, and the same of a picture of (H, W) px; all of both where the large
    side is no multiple of the small one."""
    box = band_box(trimap, 2)
    height, width = trimap.shape
    if box is None or size[0] % height or size[1] % width:
        return (slice(0, height), slice(0, width)), (slice(0, size[0]), slice(0, size[1]))
    down, across = size[0] // height, size[1] // width
    x1, y1, x2, y2 = box
    return (slice(y1, y2), slice(x1, x2)), (slice(y1 * down, y2 * down), slice(x1 * across, x2 * across))


def _guided(image: np.ndarray, values: np.ndarray, radius: int) -> np.ndarray:
    """float32 [h, w]: the guided filter of `values` by a colour picture, both float32 in 0..1."""
    side = (2 * radius + 1, 2 * radius + 1)

    def mean(plane: np.ndarray) -> np.ndarray:
        return cv2.blur(plane, side, borderType=cv2.BORDER_REFLECT)

    r, g, b = cv2.split(image)
    mr, mg, mb, mp = (mean(plane) for plane in (r, g, b, values))
    rr, rg, rb = mean(r * r) - mr * mr + EPSILON, mean(r * g) - mr * mg, mean(r * b) - mr * mb
    gg, gb, bb = mean(g * g) - mg * mg + EPSILON, mean(g * b) - mg * mb, mean(b * b) - mb * mb + EPSILON
    pr, pg, pb = mean(r * values) - mr * mp, mean(g * values) - mg * mp, mean(b * values) - mb * mp
    c_rr, c_rg, c_rb = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    scale = 1 / np.maximum(rr * c_rr + rg * c_rg + rb * c_rb, EPSILON**3)
    ar = (c_rr * pr + c_rg * pg + c_rb * pb) * scale
    ag = (c_rg * pr + c_gg * pg + c_gb * pb) * scale
    ab = (c_rb * pr + c_gb * pg + c_bb * pb) * scale
    offset = mp - ar * mr - ag * mg - ab * mb
    return mean(ar) * r + mean(ag) * g + mean(ab) * b + mean(offset)

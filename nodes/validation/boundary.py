"""Boundary F: how well the outlines of two masks agree, with a tolerance that grows with the picture.

Everything works on packed masks, 64 pixels to a word, inside the box that holds both masks.
"""

from __future__ import annotations

import math

import numpy as np

from ..media.track import Track, occupied
from .region import popcount, require_same_clip

# Tolerance as a share of the picture's diagonal; DAVIS scores every method with this value.
BOUND_TH = 0.008


def boundary_f(a: Track, b: Track, label: str, bound_th: float = BOUND_TH) -> np.ndarray:
    """Boundary F of one object in two tracks, frame by frame.

    Args:
        a, b: tracks of the same mask size and length; `b` is the one taken as truth (F is symmetric).
        label: the object, present in both.
        bound_th: how far two outlines may lie apart: below 1 a share of the mask's diagonal, else px.

    Returns:
        float64 [T], in 0..1: the harmonic mean of the shares of each outline that lie near the other. 1 where both
        masks are empty, 0 where one is.

    Raises:
        TrackMismatch: different mask size or number of frames (both are named).
        KeyError: one of the tracks has no such object.

    Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016, section
    4, with the matching of the DAVIS evaluation: dilation by a disk in place of bipartite matching.
    """
    require_same_clip(a, b)
    i, j = a.index(label), b.index(label)
    width, radius = a.mask_size[1], tolerance_px(a.mask_size, bound_th)
    pairs = ((a.packed_masks(t)[i], b.packed_masks(t)[j]) for t in range(len(a)))
    return np.array([packed_boundary_f(pa, pb, width, radius) for pa, pb in pairs])


def mask_boundary_f(a: np.ndarray, b: np.ndarray, bound_th: float = BOUND_TH) -> float:
    """Boundary F of two masks, bool [H, W] of one shape; the same measure as `boundary_f`."""
    pa, pb = (np.packbits(mask, axis=1, bitorder="little") for mask in (a, b))
    return packed_boundary_f(pa, pb, a.shape[1], tolerance_px(a.shape, bound_th))


def tolerance_px(shape: tuple[int, ...], bound_th: float = BOUND_TH) -> int:
    """Radius in px within which outlines of masks [H, W] match: 8 at 480p, 18 at 1080p."""
    if bound_th >= 1:
        return math.floor(bound_th)
    return math.ceil(bound_th * math.hypot(shape[0], shape[1]))


def packed_boundary_f(a: np.ndarray, b: np.ndarray, width: int, radius: int) -> float:
    """Boundary F of two packed masks, uint8 [h, ceil(width / 8)] little-endian with unused bits 0.

    A mask that fills the picture has no outline, so the DAVIS code calls it equal to an empty one; here one empty mask
    is always 0.
    """
    boxes = [box for box in (occupied(a), occupied(b)) if box is not None]
    if len(boxes) < 2:
        return 0.0 if boxes else 1.0
    # An outline pixel lies at most one left of or above its mask; the row below lets the last one see background.
    top, bottom = max(0, min(box[0] for box in boxes) - 1), min(len(a), max(box[1] for box in boxes) + 1)
    left, right = max(0, min(box[2] for box in boxes) - 1), max(box[3] for box in boxes)
    last = width - 1 - 8 * left
    outlines = np.stack([_outline(_words(mask[top:bottom, left:right]), last) for mask in (a, b)])
    counts = [popcount(outline) for outline in outlines]
    if 0 in counts:
        return float(counts[0] == counts[1])
    near = _dilate(outlines, radius)
    precision, recall = popcount(outlines[0] & near[1]) / counts[0], popcount(outlines[1] & near[0]) / counts[1]
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _words(packed: np.ndarray) -> np.ndarray:
    """uint64 [n, h]: column x of the window is bit x % 64 of word x // 64. Rows lie last, where loops are long."""
    height, count = packed.shape
    padded = np.zeros((height, -(-count // 8) * 8), np.uint8)
    padded[:, :count] = packed
    return np.ascontiguousarray(padded.view("<u8").T)


def _outline(mask: np.ndarray, last: int) -> np.ndarray:
    """Pixels that differ from their right, lower or lower right neighbour; beyond the picture the edge repeats.

    `last` is the window's column in which the picture ends.
    """
    east = mask >> np.uint64(1)
    east[:-1] |= mask[1:] << np.uint64(63)
    if last < 64 * len(mask):
        east[last // 64] |= mask[last // 64] & np.uint64(1 << last % 64)
    south, south_east = (np.concatenate([words[:, 1:], words[:, -1:]], axis=1) for words in (mask, east))
    return (mask ^ east) | (mask ^ south) | (mask ^ south_east)


def _dilate(bits: np.ndarray, radius: int) -> np.ndarray:
    """Every pixel within `radius` px (Euclidean, inclusive) of a set one, inside the window; uint64 [2, n, h] each."""
    count, height = bits.shape[1:]
    # As one long row every shift is one fast loop; the empty words between take up what leaves a word column or a mask.
    stride = height + radius
    plane = np.zeros((2, count + -(-radius // 64), stride), np.uint64)
    plane[:, :count, :height] = bits
    wide, reach = plane.reshape(-1), 0
    near = np.zeros_like(wide)
    for dy in range(radius, -1, -1):  # a disk's rows grow toward its middle, so one row is widened step by step
        half_width = math.isqrt(radius * radius - dy * dy)
        while reach < half_width:
            step = min(half_width - reach, 2 * reach + 1, 63)  # a run of 2 reach + 1 px can move so far without a gap
            wide = _widened(wide, step, stride)
            reach += step
        near[dy:] |= wide[: len(wide) - dy]
        near[: len(wide) - dy] |= wide[dy:]
    return near.reshape(plane.shape)[:, :count, :height]


def _widened(bits: np.ndarray, px: int, stride: int) -> np.ndarray:
    """Every pixel joined by those `px` to its left and right; the words of one row lie `stride` apart."""
    here, carried = np.uint64(px), np.uint64(64 - px)
    wide = bits >> here
    wide |= bits
    wide |= bits << here
    wide[:-stride] |= bits[stride:] << carried
    wide[stride:] |= bits[:-stride] >> carried
    return wide

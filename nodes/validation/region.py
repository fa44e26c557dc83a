"""Region similarity: how much of two masks is the same area."""

from __future__ import annotations

import numpy as np

from ..media.track import Track

# Set bits of every byte value, for numpy below 2.0, which has no bitwise_count.
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)


class TrackMismatch(ValueError):
    """Two tracks that can't be compared frame by frame."""


def jaccard(a: Track, b: Track, label: str) -> np.ndarray:
    """Region similarity J of one object in two tracks, frame by frame.

    Args:
        a, b: tracks of the same mask size and length.
        label: the object, present in both.

    Returns:
        float64 [T], in 0..1. 1 where both masks are empty, 0 where one is.

    Raises:
        TrackMismatch: different mask size or number of frames (both are named).
        KeyError: one of the tracks has no such object.

    Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016,
    section 4.
    """
    require_same_clip(a, b)
    i, j = a.index(label), b.index(label)
    return np.array([packed_jaccard(a.packed_masks(t)[i], b.packed_masks(t)[j]) for t in range(len(a))])


def mask_jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """J of two masks, bool [H, W]: |a and b| / |a or b|, and 1 when both are empty.

    Raises:
        TrackMismatch: different shapes.
    """
    if a.shape != b.shape:
        raise TrackMismatch(f"masks of {_size(a.shape)} and {_size(b.shape)} px can't be compared")
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def packed_jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """J of two packed masks, uint8 [h, ceil(w / 8)] with unused bits 0, as a Track keeps them."""
    union = popcount(a | b)
    return popcount(a & b) / union if union else 1.0


def popcount(bits: np.ndarray) -> int:
    """Number of set bits in an array of any unsigned integer type."""
    bits = np.ascontiguousarray(bits)
    if hasattr(np, "bitwise_count"):
        words = bits.reshape(-1).view(np.uint64) if bits.nbytes % 8 == 0 else bits
        return int(np.bitwise_count(words).sum(dtype=np.int64))
    return int(_BITS[bits.reshape(-1).view(np.uint8)].sum(dtype=np.int64))


def require_same_clip(a: Track, b: Track) -> None:
    """Raise TrackMismatch, naming both, unless two tracks agree in mask size and number of frames."""
    if a.mask_size != b.mask_size:
        raise TrackMismatch(
            f"masks of {_size(a.mask_size)} px ({a.source or 'first track'}) and {_size(b.mask_size)} px "
            f"({b.source or 'second track'}) can't be compared; bring one to the other's size first"
        )
    if len(a) != len(b):
        raise TrackMismatch(
            f"{len(a)} frames ({a.source or 'first track'}) and {len(b)} frames ({b.source or 'second track'}) "
            "can't be compared frame by frame"
        )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"

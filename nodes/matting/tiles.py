"""A picture worked on in tiles: where they lie, and how their results become one without a seam."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..host import check_cancelled
from .trimap import INSIDE, UNKNOWN

# What works on one tile: image uint8 [h, w, 3] RGB, trimap uint8 [h, w], prior float or bool [h, w] or None -> alpha
# float32 [h, w].
Solve = Callable[[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray]


@dataclass(frozen=True, slots=True)
class Span:
    """Where a tile lies along one axis, px start <= x < stop, and its share of every pixel there, float32 [stop-start].

    The shares of all tiles add up to 1 everywhere.
    """

    start: int
    stop: int
    share: np.ndarray


def spans(length: int, tile: int, overlap: int) -> list[Span]:
    """Tiles along one axis: all of one size, at places that depend on the three numbers alone.

    Neighbours share at least `overlap` px, over which the one fades into the other in a half cosine.

    Raises:
        ValueError: an overlap of more than half the tile, or not even one px left.
    """
    if tile < 1 or not 0 <= overlap <= tile // 2:
        raise ValueError(f"tiles of {tile} px can't overlap by {overlap} px: 0 to half the tile")
    if length <= tile:
        return [Span(0, length, np.ones(length, np.float32))]
    count = -(-(length - overlap) // (tile - overlap))
    starts = [round(n * (length - tile) / (count - 1)) for n in range(count)]
    fades = [np.ones(length) for _ in starts]
    for n in range(1, count):
        first, last = starts[n], starts[n - 1] + tile  # what the two share
        rise = (np.arange(first, last) - first + 0.5) / (last - first)
        rise = 0.5 - 0.5 * np.cos(np.pi * rise)
        fades[n][:first] = 0
        fades[n][first:last] *= rise
        fades[n - 1][last:] = 0
        fades[n - 1][first:last] *= 1 - rise
    total = np.sum(fades, axis=0)  # 1, but for pixels that three tiles share
    return [
        Span(start, start + tile, (fade / total)[start : start + tile].astype(np.float32))
        for start, fade in zip(starts, fades, strict=True)
    ]


@dataclass
class Tally:
    """Tiles that were worked on, and tiles that were not, as no unknown pixel is in them."""

    run: int = 0
    skipped: int = 0


def in_tiles(
    image: np.ndarray,
    trimap: np.ndarray,
    solve: Solve,
    tile: int,
    overlap: int,
    prior: np.ndarray | None = None,
    tally: Tally | None = None,
) -> np.ndarray:
    """The alpha of a picture, solved tile by tile where there is something unknown.

    Args:
        image: uint8 [H, W, 3] RGB; trimap: uint8 [H, W] of 0, 128, 255.
        solve: works on one tile.
        tile, overlap: px.
        prior: the mask, float or bool [H, W], for those that can use it.
        tally: is counted up.

    Returns:
        float32 [H, W], 0..1; exactly 0 and 1 where the trimap is known. Besides it only one tile is in memory.
    """
    height, width = trimap.shape
    tally = tally if tally is not None else Tally()
    alpha = np.zeros(trimap.shape, np.float32)
    for row, column in product(spans(height, tile, overlap), spans(width, tile, overlap)):
        place = np.s_[row.start : row.stop, column.start : column.stop]
        unknown = trimap[place] == UNKNOWN
        if not unknown.any():
            tally.skipped += 1
            continue
        check_cancelled()
        tally.run += 1
        mask = None if prior is None else prior[place]
        found = solve(np.ascontiguousarray(image[place]), np.ascontiguousarray(trimap[place]), mask)
        found = np.clip(found, 0, 1) * row.share[:, None] * column.share
        np.add(alpha[place], found, out=alpha[place], where=unknown)
    alpha[trimap == INSIDE] = 1
    return np.minimum(alpha, 1, out=alpha)

"""From clicks on an object, and beside it, to a mask, with no learned weights."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .flow import Window, window_around
from .outline import bounds, refine_outline

# Px at which clicks are understood: mean shift needs 0.1 s for so many.
BUDGET = 480 * 270
# How far around the clicks is looked, in shares of the frame's longer side: the next one when the object reaches
# beyond, the whole frame at last.
MARGINS = (0.12, 0.3)
# Colour differences (Lab, per channel, after smoothing) at which a region may end, and the largest share of the picture
# that clicks alone may select: what is larger is background that a leak has reached.
TOLERANCES = tuple(range(3, 31))
MOST_SHARE = 0.35
# Smoothing before a region is grown: px, and colour levels.
SMOOTH_PX, SMOOTH_LEVELS = 5, 12
# A region smaller than this, px, is a speck; of two that are equally stable the larger one is meant, by so much a step.
LEAST = 12
STEADY = 0.02
# Difference of neighbouring colours that counts as an outline, and how much longer a way over it is.
EDGE_CONTRAST, EDGE_COST = 16, 6
# A click always holds this many working px around it, and never less than one.
HOLD_PX = 2

Place = tuple[float, float]


def mask_from_points(
    image: np.ndarray, positive: Sequence[Place], negative: Sequence[Place], base: np.ndarray | None = None
) -> np.ndarray:
    """What clicks mean: the regions of one colour around the positive ones, less those around the negative ones.

    A region is grown over similar colours, at the tolerance over which it changes least (the idea of maximally stable
    regions: Matas et al., BMVC 2002), so that it ends at an outline and not at a shade. A positive click never loses
    its own pixels, a negative one never keeps them.

    Args:
        image: uint8 [H, W, 3], RGB.
        positive, negative: x, y in px of the image, inside it.
        base: bool [H, W], what is already known of the object (from a box, or from an earlier track): positive clicks
            add to it, negative ones take from it. None: the positive clicks alone.

    Returns:
        bool [H, W].
    """
    size = image.shape[:2]
    places = np.array([*positive, *negative], float).reshape(-1, 2)
    (x0, y0), (x1, y1) = places.min(0), places.max(0)
    if base is not None and base.any():
        left, top, right, bottom = bounds(base)
        x0, y0, x1, y1 = min(x0, left), min(y0, top), max(x1, right), max(y1, bottom)
    for margin in MARGINS:
        reach = margin * max(size)
        window = window_around((x0 - reach, y0 - reach, x1 + reach, y1 + reach), size, BUDGET)
        found, cut = _understand(image, window, positive, negative, base)
        if not cut:
            return found
    return _understand(image, window_around((0, 0, size[1], size[0]), size, BUDGET), positive, negative, base)[0]


def _understand(
    image: np.ndarray,
    window: Window,
    positive: Sequence[Place],
    negative: Sequence[Place],
    base: np.ndarray | None,
) -> tuple[np.ndarray, bool]:
    """bool [H, W] as seen in one window, and whether the object reaches over an edge of it."""
    small = window.crop(image)
    smooth = cv2.cvtColor(cv2.pyrMeanShiftFiltering(small, SMOOTH_PX, SMOOTH_LEVELS), cv2.COLOR_RGB2LAB)
    inside, outside = (_cells(places, window) for places in (positive, negative))
    mask = np.zeros(small.shape[:2], bool) if base is None else window.crop_mask(base) > 0.5
    added = np.zeros(small.shape[:2], bool)
    for seed in inside:
        if not mask[seed[1], seed[0]]:
            region = _region(smooth, seed, outside)
            added |= _region(smooth, seed, ()) if region is None else region
    if added.any():
        added = refine_outline(small, added)
    taken = np.zeros_like(mask)
    for seed in outside:
        if mask[seed[1], seed[0]] or added[seed[1], seed[0]]:
            region = _region(smooth, seed, inside, within=mask | added)
            taken |= mask | added if region is None else region
    if taken.any() and inside:
        taken &= _nearer(smooth, mask | added, outside, inside)
    for x, y in inside:
        hold = _disc(mask.shape, x, y)
        added |= hold
        taken &= ~hold
    for x, y in outside:
        taken |= _disc(mask.shape, x, y)
    result = np.zeros(image.shape[:2], bool) if base is None else base.copy()
    part = window.view(result)
    part |= window.enlarge(added)
    part &= ~window.enlarge(taken)
    return result, _reaches_over(added, window, image.shape[:2])


def _reaches_over(mask: np.ndarray, window: Window, size: tuple[int, int]) -> bool:
    edges = (mask[0], window.y0 > 0), (mask[-1], window.y1 < size[0]), (mask[:, 0], window.x0 > 0)
    return any(bool(edge.any()) and inner for edge, inner in (*edges, (mask[:, -1], window.x1 < size[1])))


def _cells(places: Sequence[Place], window: Window) -> list[tuple[int, int]]:
    """Working px of each place."""
    sx, sy = window.scale
    cells = ((int((x - window.x0) * sx), int((y - window.y0) * sy)) for x, y in places)
    return [(min(max(x, 0), window.width - 1), min(max(y, 0), window.height - 1)) for x, y in cells]


def _disc(shape: tuple[int, ...], x: int, y: int) -> np.ndarray:
    disc = np.zeros(shape, np.uint8)
    cv2.circle(disc, (x, y), HOLD_PX, 1, -1)
    return disc > 0


def _region(
    smooth: np.ndarray, seed: tuple[int, int], avoid: Sequence[tuple[int, int]], within: np.ndarray | None = None
) -> np.ndarray | None:
    """bool [h, w]: the most stable region around `seed` that reaches none of `avoid`, inside `within`.

    None where already the first tolerance reaches one of them; without `avoid` there is always a region.
    """
    height, width = smooth.shape[:2]
    grown: list[np.ndarray] = []
    for tolerance in TOLERANCES:
        blocked = np.zeros((height + 2, width + 2), np.uint8)
        if within is not None:
            blocked[1:-1, 1:-1] = ~within
        flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (2 << 8)
        cv2.floodFill(smooth, blocked, seed, 0, (tolerance,) * 3, (tolerance,) * 3, flags)
        region = blocked[1:-1, 1:-1] == 2
        if any(region[y, x] for x, y in avoid):
            break
        if grown and np.count_nonzero(region) > MOST_SHARE * height * width:
            break
        grown.append(region)
    if not grown:
        return None
    areas = np.array([np.count_nonzero(region) for region in grown], float)
    # How much a region changes over two steps of tolerance; a speck is stable too, so it must have some size.
    change = (np.append(areas[1:], areas[-1]) - np.append(areas[0], areas[:-1])) / areas - STEADY * np.arange(
        len(areas)
    )
    change[areas < LEAST] = np.inf
    best = int(np.argmin(change)) if np.isfinite(change).any() else len(areas) - 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    return cv2.morphologyEx(grown[best].astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0


def _nearer(
    smooth: np.ndarray, region: np.ndarray, ours: Sequence[tuple[int, int]], theirs: Sequence[tuple[int, int]]
) -> np.ndarray:
    """bool [h, w]: pixels of `region` whose way to one of `ours`, inside it, is shorter than to any of `theirs`.

    Where colours change the way is EDGE_COST times as long, so that two things part at the outline between them, or,
    of one colour, halfway.
    """
    kernel = np.ones((3, 3), np.uint8)
    contrast = (cv2.dilate(smooth, kernel).astype(int) - cv2.erode(smooth, kernel)).max(2)
    easy = (region & (contrast < EDGE_CONTRAST)).astype(np.uint8)
    every = region.astype(np.uint8)
    mine, other = np.zeros_like(every), np.zeros_like(every)
    for front, seeds in ((mine, ours), (other, theirs)):
        for x, y in seeds:
            front[y, x] = 1
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    reached = -1
    for step in range(4 * max(region.shape)):
        slow = step % EDGE_COST == EDGE_COST - 1
        allowed, shape = every if slow else easy, kernel if step % 2 else cross
        mine |= (cv2.dilate(mine, shape) > 0) & (allowed > other)
        other |= (cv2.dilate(other, shape) > 0) & (allowed > mine)
        if slow:
            last, reached = reached, np.count_nonzero(mine) + np.count_nonzero(other)
            if reached == last:
                break
    return mine > 0

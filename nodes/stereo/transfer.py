"""Masks of the left eye carried to the right one by each object's own disparity, mindful of what hides what."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from ..extraction.flow import grid, sample
from .choices import BLOCKS
from .disparity import Disparity, find_disparity
from .hidden import fill_hidden
from .layer import Layer, object_disparity
from .projections import from_pixels, pixel_directions, to_pixels
from .rig import Rig

# Something is in front of an object when its disparity is so much larger, px of the picture worked in.
IN_FRONT = 1.5
# Pixels around an object's box in which it is looked for, px of the picture worked in.
MARGIN = 4
# Between two things at different distances disparity is neither's for so many px on each side.
GAP = 2
# So far around an object, px, what is behind it often gets its disparity.
SPILL = 4
# Where an object meets what is in front of it, disparity is unsure for so many px: they are the nearer thing's.
BETWEEN = 6
# The place in a picture that stands for straight up or down: just inside the edge, whatever rounding does.
NEAR_POLE = 0.9999


@dataclass(frozen=True, eq=False)
class Transfer:
    """The right eye's masks.

    Attributes:
        masks: bool [N, H, W], of the left masks' size, without overlap.
        hidden: float32 [N]: share of each mask that the left eye doesn't see, filled from the right eye's pixels.
        matched: float32 [N]: share of each left mask whose disparity is sure; 0: the object could not be carried over,
            its mask is empty but for what lies beyond the picture worked in.
        shift: float32 [N]: median disparity of each object in degrees; nan where it was not matched.
        disparity: what was matched, in the picture worked in.
    """

    masks: np.ndarray
    hidden: np.ndarray
    matched: np.ndarray
    shift: np.ndarray
    disparity: Disparity


def transfer(
    rig: Rig,
    left: np.ndarray,
    right: np.ndarray,
    masks: np.ndarray,
    own: np.ndarray | None = None,
    method: str = BLOCKS,
    disparity: Disparity | None = None,
) -> Transfer:
    """Carry the left eye's masks to the right eye.

    Each object moves by its own disparity, spread smoothly over all of it, so that its outline stays as fine as it was
    in the left eye whatever the size worked in. Where something else in the right eye is nearer, the object is taken
    away. What would lie behind something nearer in the left eye, and is free in the right one, is decided by the right
    eye's own pixels (`fill_hidden`), or by `own`. What a fisheye sees behind the ends of the baseline is kept in its
    direction.

    Args:
        rig: the lenses.
        left, right: uint8 [H, W, 3], RGB, the eyes; of any size.
        masks: bool [N, h, w], of any size, without overlap.
        own: bool [N, h, w], what the right eye's own tracker says of the same objects on this frame, if it ran.
        method: how to match, see `find_disparity`.
        disparity: what was matched, where that is known already.

    Raises:
        ValueError: see `find_disparity`.
    """
    size = masks.shape[1], masks.shape[2]
    covers = [rig.to_working(size, right=False).cover(mask) for mask in masks]
    where = np.logical_or.reduce([cover > 0.5 for cover in covers]) if covers else np.zeros(rig.working_size, bool)
    ours, theirs = (rig.to_working(eye.shape[:2], bool(n)).image(eye) for n, eye in enumerate((left, right)))
    if disparity is None:
        disparity = find_disparity(rig, ours, theirs, where, method)
    count = len(masks)
    result = Transfer(
        np.zeros_like(masks), np.zeros(count, np.float32), np.zeros(count, np.float32),
        np.full(count, np.nan, np.float32), disparity,
    )  # fmt: skip
    layers = [object_disparity(cover, disparity.left, disparity.left_valid) for cover in covers]
    found = [n for n, layer in enumerate(layers) if layer is not None]
    scene = _Scene(rig, disparity, covers, layers)
    nearest = np.full(size, -np.inf, np.float32)
    for n in found:
        inside = covers[n] > 0.5
        result.matched[n] = disparity.left_valid[inside].mean()
        layer = scene.layer(n)
        warped = sample(covers[n], scene.grid + layer)
        gone = scene.in_front(n)
        free = scene.behind(n)
        added = _added(rig, theirs, (warped > 0.5) & ~gone, free, None if own is None else own[n])
        place = _place(rig, (warped > 0.5) | added, size)
        if place is None:
            continue
        result.shift[n] = np.degrees(np.median(layer[..., 0][warped > 0.5]) / rig.px_per_rad) if warped.any() else 0
        edits = np.dstack([gone, added, layer[..., 0]]).astype(np.float32)
        value, depth, filled = _carried(rig, place, masks[n], layer, edits)
        won = value & (depth > nearest[place])
        nearest[place][won] = depth[won]
        result.masks[(slice(None), *place)][:, won] = False
        result.masks[n][place] |= won
        result.hidden[n] = (filled & won).sum() / max(1, won.sum())
    beyond = _beyond(rig, size)
    if beyond is not None:
        where, rows, columns = beyond
        result.masks[:, where] = masks[:, rows, columns]
    return result


class _Scene:
    """What is nearer than what in both eyes, in the picture worked in."""

    def __init__(self, rig: Rig, disparity: Disparity, covers: list[np.ndarray], layers: list[Layer | None]):
        self.grid = grid(*rig.working_size)
        self._disparity, self._layers = disparity, layers
        self._size = rig.working_size
        self._reach = int(np.ceil(rig.bounds[1] - rig.bounds[0]))  # nothing moves farther between the eyes
        owner = np.full(rig.working_size, -1, np.int16)
        for n, cover in enumerate(covers):
            owner[cover > 0.5] = n
        self._owner = owner
        self._partner = self.grid + disparity.right

    def _of(self, n: int) -> Layer:
        layer = self._layers[n]
        assert layer is not None
        return layer

    def layer(self, n: int) -> np.ndarray:
        """float32 [h, w, 2]: see `Layer.right`."""
        return self._of(n).right

    def in_front(self, n: int) -> np.ndarray:
        """bool [h, w]: right pixels that show something nearer, which is none of the objects (those are compared).

        It is carried over like an object: where it meets this one, its outline in the left eye is the object's.
        """
        nearer = self._disparity.left[..., 0] > self._of(n).left[..., 0] + IN_FRONT
        front = nearer & self._disparity.left_valid & (self._owner < 0)
        thing = self._owner == n
        front = _without_specks(front & ~_grown((self._owner >= 0) & ~thing, SPILL))
        between = _grown(front, BETWEEN) & _grown(thing, BETWEEN) & ~self._disparity.left_valid
        front = (front & _grown(thing, self._reach) | between) & (self._owner < 0)
        layer = object_disparity(front.astype(np.float32), self._disparity.left, self._disparity.left_valid)
        if layer is None:
            return np.zeros(self._size, bool)
        return sample(front.astype(np.float32), self.grid + layer.right, cv2.BORDER_CONSTANT) > 0.5

    def behind(self, n: int) -> np.ndarray:
        """bool [h, w]: right pixels that the left eye would see behind something nearer, were they of this object, or
        beyond its picture's edge; and that it doesn't see as something else."""
        layer = self.layer(n)
        at = self.grid + layer
        beyond = (at[..., 0] < -0.5) | (at[..., 0] > self._size[1] - 0.5)
        others = (self._disparity.left_valid & (self._owner != n)).astype(np.float32)
        there = sample(self._disparity.left[..., 0], at)
        hides = (sample(others, at) > 0.5) & (there > layer[..., 0] + IN_FRONT)
        near = _grown(self._owner == n, 1).astype(np.uint8)
        elsewhere = self._disparity.right_valid & (sample(near, self._partner) == 0)
        return (_grown(_without_specks(hides), GAP) | beyond) & ~elsewhere


def _grown(mask: np.ndarray, px: int) -> np.ndarray:
    """bool [h, w]: a mask and everything within a square of so many px around it."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * px + 1, 2 * px + 1), np.uint8)) > 0)


def _without_specks(mask: np.ndarray) -> np.ndarray:
    """bool [h, w]: a mask less what is too small to hold 3x3 px."""
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0)


def _added(rig: Rig, image: np.ndarray, known: np.ndarray, free: np.ndarray, own: np.ndarray | None) -> np.ndarray:
    """bool [h, w], in the picture worked in: what of `free` belongs to the object."""
    if own is not None:
        return free & ~known & (rig.to_working(own.shape, right=True).cover(own) > 0.5)
    return fill_hidden(image, known, free & ~known)


@lru_cache(maxsize=4)
def _beyond(rig: Rig, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Pixels of the right eye that the picture worked in leaves out, bool [H, W], and rows and columns of the left
    eye's in the same directions; None where it leaves out nothing.

    They are what a fisheye of more than 180 degrees, or a lens that is turned, sees behind the ends of the baseline:
    there is next to no parallax.
    """
    if rig.projection.field[1] <= math.pi and not any(rig.turned):
        return None
    directions = pixel_directions(rig.lenses[1], size)
    _, worked_in = to_pixels(rig.cassini, directions, rig.working_size)
    _, shown = to_pixels(rig.lenses[1], directions, size)
    where = shown & ~worked_in
    if not where.any():
        return None
    at, _ = to_pixels(rig.lenses[0], directions[where], size)
    columns, rows = np.clip(np.rint(at), 0, np.array(size[::-1]) - 1).astype(int).T
    return where, rows, columns


def _place(rig: Rig, mask: np.ndarray, size: tuple[int, int]) -> tuple[slice, slice] | None:
    """Rows and columns of the right eye, of `size`, that hold a mask of the picture worked in, bool [h, w]."""
    grown = _grown(mask, MARGIN)
    inner = cv2.erode(grown.astype(np.uint8), np.ones((3, 3), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    rows, columns = np.nonzero(grown & (inner == 0))  # the outline is enough
    if not len(rows):
        return None
    directions = from_pixels(rig.cassini, np.stack([columns, rows], axis=-1), rig.working_size)
    at, seen = to_pixels(rig.lenses[1], directions, size)
    at = at[seen]
    if not len(at):
        return None
    pole = _encloses_pole(rig, grown)
    x0, y0 = np.floor(at.min(0)).astype(int)
    x1, y1 = np.ceil(at.max(0)).astype(int) + 1
    x0, x1 = (0, size[1]) if pole else (max(0, x0), min(size[1], x1))
    y0, y1 = max(0, 0 if pole and y0 < size[0] / 2 else y0), min(size[0], size[0] if pole and y1 > size[0] / 2 else y1)
    return (slice(y0, y1), slice(x0, x1)) if x1 > x0 and y1 > y0 else None


def _encloses_pole(rig: Rig, mask: np.ndarray) -> bool:
    """Whether what is straight up or down for the right eye lies in a mask: all of half-equirectangular's edge row."""
    up_and_down = rig.lenses[1].directions(np.zeros(2), np.array([-1, 1]) * NEAR_POLE)
    at, seen = to_pixels(rig.cassini, up_and_down, rig.working_size)
    x, y = np.round(at).astype(int).T
    inside = np.clip(y, 0, mask.shape[0] - 1), np.clip(x, 0, mask.shape[1] - 1)
    return bool((seen & (mask[inside] > 0)).any())


def _carried(
    rig: Rig, place: tuple[slice, slice], mask: np.ndarray, layer: np.ndarray, edits: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A left mask in one part of the right eye, at the mask's resolution.

    The way from right to left changes slowly, so it is worked out for every few pixels and enlarged.

    Returns:
        bool [h, w] the mask, float32 [h, w] its disparity (larger is nearer), bool [h, w] what was filled.
    """
    rows, columns = place
    h, w = rows.stop - rows.start, columns.stop - columns.start
    step = max(1, mask.shape[0] // rig.working_size[0])
    few = -(-h // step), -(-w // step)
    y = rows.start + (np.arange(few[0]) + 0.5) * h / few[0] - 0.5
    x = columns.start + (np.arange(few[1]) + 0.5) * w / few[1] - 0.5
    at = np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)
    there, _ = to_pixels(rig.cassini, from_pixels(rig.lenses[1], at, mask.shape), rig.working_size)
    moved = there + sample(layer, there)
    back, _ = to_pixels(rig.lenses[0], from_pixels(rig.cassini, moved, rig.working_size), mask.shape)
    full = grid(h, w) + np.array([columns.start, rows.start], np.float32)
    way = full + cv2.resize(back - at, (w, h), interpolation=cv2.INTER_LINEAR)
    value = sample(mask.astype(np.uint8) * 255, way) > 127
    gone, added, depth = np.moveaxis(cv2.resize(sample(edits, there), (w, h), interpolation=cv2.INTER_LINEAR), -1, 0)
    filled = (added > 0.5) & ~value
    return (value & (gone <= 0.5)) | filled, depth, filled

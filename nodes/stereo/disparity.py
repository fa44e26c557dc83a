"""Which pixels of two eyes show the same thing, in the picture worked in (see `rig`), checked both ways."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..extraction.flow import grid, sample
from .choices import BLOCKS, METHODS
from .rig import Rig

# Side of the blocks compared, px, and how dear a step of disparity is: OpenCV's own advice for colour pictures.
BLOCK = 5
SMOOTH, JUMP = 8 * 3 * BLOCK**2, 32 * 3 * BLOCK**2
# A best match must beat the second by this many percent; patches smaller than this, px, that stand apart are noise.
UNIQUE, SPECKLE, SPECKLE_RANGE = 5, 60, 2
# There and back a pixel must come home to this, px.
ROUND_TRIP = 1.0
# Disparities may lie this far beyond the rig's bounds, px.
SLACK = 2.0
# Around the part that is asked for as much is matched, px, so that its border is sure.
CONTEXT = 24


@dataclass(frozen=True, eq=False)
class Disparity:
    """Pixels of the picture worked in that belong together.

    Attributes:
        left: float32 [h, w, 2], px: pixel p of the left eye is p - left[p] in the right one.
        right: float32 [h, w, 2], px: pixel p of the right eye is p + right[p] in the left one.
        left_valid, right_valid: bool [h, w]: sure in both directions, inside the picture, and within what the rig
            allows. Elsewhere the numbers mean nothing.
    """

    left: np.ndarray
    right: np.ndarray
    left_valid: np.ndarray
    right_valid: np.ndarray


def find_disparity(
    rig: Rig,
    left: np.ndarray,
    right: np.ndarray,
    where: np.ndarray | None = None,
    method: str = BLOCKS,
) -> Disparity:
    """Match two eyes.

    Args:
        rig: the lenses.
        left, right: uint8 [h, w, 3], RGB, in the picture worked in.
        where: bool [h, w]: pixels of the left eye that are asked for; only the rectangle around them is matched, with
            what of the right eye it can be seen in. None: all.
        method: BLOCKS: semi-global matching along rows (Hirschmüller, PAMI 2008), which keeps jumps sharp. FLOW: dense
            inverse search (Kroeger et al., ECCV 2016), in two dimensions, for lenses that don't stand level; jumps are
            softer.

    Raises:
        ValueError: another method, or pictures that don't have the working size.
    """
    if method not in METHODS:
        raise ValueError(f"there is no way to match called {method!r}; there are: {', '.join(METHODS)}")
    for image in (left, right):
        if image.shape != (*rig.working_size, 3):
            raise ValueError(f"pictures to match are {(*rig.working_size, 3)}, not {image.shape}")
    least, most = rig.bounds
    part = _part(where, rig.working_size, least, most)
    a, b = (np.ascontiguousarray(image[part]) for image in (left, alike(left, right)))
    if method == BLOCKS:
        found = _blocks(a, b, least, most), _blocks(b[:, ::-1], a[:, ::-1], least, most)[:, ::-1]
        shifts = [np.dstack([columns, np.zeros_like(columns)]) for columns in found]
    else:
        shifts = [-dense_flow(a, b), dense_flow(b, a)]
    fields, sure = [], []
    for field, other, sign in ((shifts[0], shifts[1], -1), (shifts[1], shifts[0], 1)):
        full = np.zeros((*rig.working_size, 2), np.float32)
        good = np.zeros(rig.working_size, bool)
        full[part] = np.nan_to_num(field, nan=0.0)
        good[part] = _agrees(field, other, sign, least, most)
        fields.append(full)
        sure.append(good)
    return Disparity(fields[0], fields[1], sure[0], sure[1])


def _part(where: np.ndarray | None, size: tuple[int, int], least: float, most: float) -> tuple[slice, slice]:
    if where is None or not where.any():
        return slice(0, size[0]), slice(0, size[1])
    x, y, w, h = cv2.boundingRect(where.astype(np.uint8))
    left, right = max(0, x - CONTEXT - int(max(most, 0))), min(size[1], x + w + CONTEXT + int(max(-least, 0)))
    return slice(max(0, y - CONTEXT), min(size[0], y + h + CONTEXT)), slice(left, right)


def _blocks(image: np.ndarray, other: np.ndarray, least: float, most: float) -> np.ndarray:
    """float32 [h, w]: columns by which a pixel of `image` lies to the right of its match; nan where there is none."""
    start = int(np.floor(least - SLACK))
    count = -(-int(np.ceil(most + SLACK) - start) // 16) * 16
    pad = count + max(start, 0)  # what lies beyond the other picture's left edge is not matched by OpenCV at all
    after = max(-start, 0)
    matcher = cv2.StereoSGBM.create(
        start, count, BLOCK, SMOOTH, JUMP, -1, 0, UNIQUE, SPECKLE, SPECKLE_RANGE, cv2.STEREO_SGBM_MODE_SGBM_3WAY
    )
    wide = (cv2.copyMakeBorder(part, 0, 0, pad, after, cv2.BORDER_REPLICATE) for part in (image, other))
    found = matcher.compute(*wide)[:, pad : pad + image.shape[1]]
    return np.where(found >= 16 * start, found / np.float32(16), np.float32(np.nan)).astype(np.float32)


def alike(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The right picture, uint8 [h, w, 3], as bright in each colour as the left one: lenses expose and balance
    differently, and matching compares levels."""
    means = [np.array(cv2.mean(image)[:3]) for image in (left, right)]
    gains = np.where(means[1] > 0, means[0] / np.maximum(means[1], 1e-6), 1)
    return cv2.LUT(right, np.clip(np.rint(np.arange(256)[:, None] * gains), 0, 255).astype(np.uint8)[:, None])


def dense_flow(image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """float32 [h, w, 2] px: from a pixel of `image` to its match, by dense inverse search in two dimensions."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = (cv2.cvtColor(part, cv2.COLOR_RGB2GRAY) for part in (image, other))
    return search.calc(*grey, None)  # pyright: ignore


def _agrees(field: np.ndarray, other: np.ndarray, sign: int, least: float, most: float) -> np.ndarray:
    """bool [h, w]: the match's own match is the pixel itself, and the disparity is one that can be."""
    h, w = field.shape[:2]
    at = grid(h, w) + sign * np.nan_to_num(field, nan=1e6)
    inside = (at[..., 0] >= -0.5) & (at[..., 0] <= w - 0.5) & (at[..., 1] >= -0.5) & (at[..., 1] <= h - 0.5)
    back = sample(np.nan_to_num(other, nan=1e6), at)
    error = np.abs(np.nan_to_num(field, nan=-1e6) - back).max(axis=-1)
    columns = field[..., 0]
    with np.errstate(invalid="ignore"):
        possible = (columns >= least - SLACK) & (columns <= most + SLACK)
    return inside & possible & (error <= ROUND_TRIP)

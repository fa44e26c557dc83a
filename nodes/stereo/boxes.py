"""Boxes from one projection in another: what is straight in one picture is bent in the other."""

from __future__ import annotations

import numpy as np

from ..extraction.detection import Box
from .projections import Projection, to_pixels

# Points along a side of a box.
POINTS = 24


def points_in(box: Box) -> np.ndarray:
    """Pixel places [POINTS, POINTS, 2], x and y, on a box's edges and on lines across it."""
    x, y = np.linspace(box[0], box[2], POINTS) - 0.5, np.linspace(box[1], box[3], POINTS) - 0.5
    return np.stack(np.meshgrid(x, y), axis=-1)


def box_around(directions: np.ndarray, projection: Projection, size: tuple[int, int]) -> Box | None:
    """The box of a picture of (H, W) px that holds all directions [..., 3] that it shows; None where it shows none."""
    at, seen = to_pixels(projection, directions, size)
    at = at[seen] + 0.5
    if not len(at):
        return None
    left, top = np.maximum(at.min(axis=0), 0).tolist()
    right, bottom = np.minimum(at.max(axis=0), size[::-1]).tolist()
    return (left, top, right, bottom) if right > left and bottom > top else None

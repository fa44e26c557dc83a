"""A matte at a glance, small: the clip, its alpha, and the subject over a colour, in a row for each eye."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .colours import composite

# Longer side of one of its pictures, px; nobody looks closer in a node.
PANEL = 320


def preview_size(size: tuple[int, int], eyes: int) -> tuple[int, int]:
    """(H, W) px of the preview of eyes of (H, W) px; even, as browsers' H.264 wants it."""
    height, width = _panel(size)
    return height * eyes, width * 3


def draw_preview(
    images: Sequence[np.ndarray],
    alphas: Sequence[np.ndarray],
    colours: Sequence[np.ndarray],
    background: tuple[int, int, int],
) -> np.ndarray:
    """Clip, alpha and composite of one frame.

    Args: for every eye its picture and its foreground colours, uint8 [H, W, 3] RGB, and alpha, float [H, W] in 0..1;
        the background is RGB 0..255.

    Returns:
        uint8 [*preview_size, 3] RGB.
    """
    rows = []
    for image, alpha, front in zip(images, alphas, colours, strict=True):
        small = _small(alpha, _panel(alpha.shape))
        grey = np.rint(np.clip(small, 0, 1) * 255).astype(np.uint8)
        image, front = _small(image, small.shape), _small(front, small.shape)
        rows.append(np.hstack([image, np.dstack([grey] * 3), composite(front, small, background)]))
    return np.vstack(rows)


def _panel(size: tuple[int, ...]) -> tuple[int, int]:
    factor = min(1.0, PANEL / max(size))
    height, width = (max(2, 2 * round(side * factor / 2)) for side in size[:2])
    return height, width


def _small(picture: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """At (h, w) px. Of a large one only every so many pixels are looked at, which costs nothing at VR180's size."""
    step = max(1, min(picture.shape[0] // size[0], picture.shape[1] // size[1]) // 2)
    return cv2.resize(picture[::step, ::step], (size[1], size[0]), interpolation=cv2.INTER_AREA)

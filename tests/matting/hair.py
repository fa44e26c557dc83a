"""A head with hair over a ground, with the exact coverage of every pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# Each pixel is drawn as so many by so many, so that coverage is exact to 1 / 64.
FINE = 8


@dataclass(frozen=True, slots=True)
class Hair:
    """image uint8 [H, W, 3] RGB; alpha float32 [H, W], its exact coverage; mask bool [H, W], as a tracker would give
    it: the head with the thickest of its hair; trimap uint8 [H, W] whose band holds every strand."""

    image: np.ndarray
    alpha: np.ndarray
    mask: np.ndarray
    trimap: np.ndarray


def hair(size: int = 192, strands: int = 90, busy: float = 0.0, seed: int = 0) -> Hair:
    """A picture of size x size px.

    Args:
        strands: how many, 0.5 to 1.5 px thick, bent, as long as a quarter of the head.
        busy: contrast of the ground's texture, 0 (smooth) to 1.
    """
    random = np.random.default_rng(seed)
    alpha = _coverage(size, strands, random)
    front = np.array((96, 58, 34)) + 12 * _noise(size, 1.5, random)[..., None]
    shade = np.linspace(0, 40, size)[None, :, None]
    ground = np.array((150, 175, 190)) + shade + busy * 70 * _noise(size, 4, random)[..., None] * (1, 0.6, -0.5)
    image = alpha[..., None] * front + (1 - alpha[..., None]) * ground + random.normal(0, 1.5, (size, size, 3))
    mask = cv2.GaussianBlur(alpha, (0, 0), size / 64) > 0.5
    trimap = np.full((size, size), 128, np.uint8)
    reach = cv2.dilate((alpha > 0).view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    trimap[~reach] = 0
    whole = cv2.erode((alpha >= 1).view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    trimap[whole] = 255
    return Hair(np.clip(np.rint(image), 0, 255).astype(np.uint8), alpha, mask, trimap)


def _coverage(size: int, strands: int, random: np.random.Generator) -> np.ndarray:
    fine = np.zeros((size * FINE, size * FINE), np.uint8)
    centre, radius = np.array((0.5, 0.58)) * size, 0.26 * size
    cv2.circle(fine, tuple(int(v * FINE) for v in centre), int(radius * FINE), 255, -1)
    for _ in range(strands):
        angle = random.uniform(0, 2 * np.pi)
        length, bend = random.uniform(0.08, 0.24) * size, random.uniform(-0.9, 0.9)
        steps = np.linspace(0, 1, 24)
        way = angle + bend * steps
        path = centre + (radius - 2) * np.array((np.cos(angle), np.sin(angle)))
        points = path + np.cumsum(np.stack([np.cos(way), np.sin(way)], 1) * length / len(steps), axis=0)
        thickness = max(1, round(random.uniform(0.5, 1.5) * FINE))
        cv2.polylines(fine, [np.rint(points * FINE).astype(np.int32)], False, 255, thickness)
    return cv2.resize(fine.astype(np.float32) / 255, (size, size), interpolation=cv2.INTER_AREA)


def _noise(size: int, scale: float, random: np.random.Generator) -> np.ndarray:
    """float [size, size], smooth over `scale` px, of deviation 1."""
    noise = cv2.GaussianBlur(random.standard_normal((size, size)), (0, 0), scale)
    return noise / noise.std()

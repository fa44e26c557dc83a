"""The embedded way to an alpha, without weights: linear functions of colour tell inside from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from .trimap import INSIDE, OUTSIDE, UNKNOWN, band_box

# Half the side, px, of the windows in which the colours of both sides are gathered; the wide ones where the narrow ones
# don't reach both, as on the tips of hair.
RADIUS, WIDE = 8, 40
# The second pass knows the fine parts that the first one found.
PASSES = 2
# Regularisation, in squared colours of 0..1: noise of 3 % (8 grey levels), which compressed footage has.
EPSILON = 1e-3
# Distance between the colours of the two sides, in standard deviations along the line between them: up to the first
# colour isn't believed and the mask stays, from the second on it is believed fully.
DOUBTED, BELIEVED = 2.0, 4.0
# What a pixel at the mask's outline weighs, where one that is surely on its side weighs 1.
LEAST_WEIGHT = 0.1
# Below this share of a window (in weights) a side is not there.
PRESENT = 1e-3


def guided_alpha(image: np.ndarray, trimap: np.ndarray, prior: np.ndarray | None = None) -> np.ndarray:
    """Alpha from the local colours of both sides of the mask, in the form of a guided filter.

    In every window the colours inside and outside of the mask are two Gaussians of equal covariance, and alpha is the
    place of a colour on the line between their means, measured across the covariance (Fisher's discriminant, scaled to
    0 and 1 at the means): a linear function of colour. A pixel takes the mean of the functions of the windows that hold
    it, weighted by how far apart the two sides are there. Where they are not, the mask stays as it is, so that thin
    parts and camouflaged edges don't dissolve.

    Args:
        image: uint8 [H, W, 3] RGB.
        trimap: uint8 [H, W] of 0, 128, 255.
        prior: the mask, bool or float [H, W] in 0..1. Without it the band is halved between what is known.

    Returns:
        float32 [H, W], 0..1; 0 and 1 where the trimap says so.

    The means over windows are those of He, Sun and Tang, "Guided Image Filtering", ECCV 2010, equations 14 to 16;
    their regression of the mask on colour is replaced, as it pulls small parts towards grey: of two sides of unequal
    size the smaller one hardly counts, and what the mask has wrong counts in full.
    """
    alpha = (trimap == INSIDE).astype(np.float32)
    box = band_box(trimap, 2 * WIDE + 1)
    if box is None:
        return alpha
    part = np.s_[box[1] : box[3], box[0] : box[2]]
    known, view = trimap[part], alpha[part]
    unknown = known == UNKNOWN
    mask = halved(known) if prior is None else prior[part].astype(np.float32)
    mask = np.where(unknown, mask, known == INSIDE).astype(np.float32)
    planes = cv2.split(image[part].astype(np.float32) / 255)
    for _ in range(PASSES):
        mask = np.where(unknown, _pass(planes, mask, unknown), mask)
    view[unknown] = mask[unknown]
    return alpha


def _pass(planes: Sequence[Any], mask: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """float32 [h, w]: the mask, float32 [h, w] in 0..1, moved to what colour says as far as that is to be trusted."""
    weight = certainty(mask > 0.5, unknown)
    narrow = _fit(planes, mask, weight, RADIUS)
    found = mask + narrow.trust * (narrow.alpha - mask)
    if (narrow.absent[unknown] > 0).any():
        wide = _fit(planes, mask, weight, WIDE)
        found += narrow.absent * wide.trust * (wide.alpha - mask)
    return np.clip(found, 0, 1)


def certainty(mask: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """float32 [H, W]: how surely each pixel is on the mask's side of its outline; 1 where it isn't unknown.

    In the band it grows with the square of the way from the outline (0) to the nearest known pixel (1).

    Args:
        mask, unknown: bool [H, W].
    """
    to_outline = _distance(mask) + _distance(~mask)
    way = to_outline / np.maximum(to_outline + _distance(unknown), 1)
    return np.where(unknown, LEAST_WEIGHT + (1 - LEAST_WEIGHT) * way * way, 1).astype(np.float32)


def halved(trimap: np.ndarray) -> np.ndarray:
    """float32 [H, W] of 0 and 1: each unknown pixel to the nearer of what is known; uint8 trimap of 0, 128, 255."""
    to_inside, to_outside = (_distance(trimap != value) for value in (INSIDE, OUTSIDE))
    return (to_inside < to_outside).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Side:
    """Colours of one side in the window around each pixel, float32 [h, w] each: share of it, mean, and covariance in
    the order rr, rg, rb, gg, gb, bb."""

    share: np.ndarray
    mean: list[np.ndarray]
    covariance: list[np.ndarray]


@dataclass(frozen=True, slots=True)
class _Fit:
    """What windows of one size say of each pixel, float32 [h, w] each, 0..1: alpha, how far it is to be trusted, and
    the share of the windows around it that lack one of the sides."""

    alpha: np.ndarray
    trust: np.ndarray
    absent: np.ndarray


def _fit(planes: Sequence[Any], mask: np.ndarray, weight: np.ndarray, radius: int) -> _Fit:
    inside, outside = (_gather(planes, weight * side, radius) for side in (mask, 1 - mask))
    present = (inside.share >= PRESENT) & (outside.share >= PRESENT)
    slopes, offset, distance = _line_between(inside, outside)
    trust = np.where(present, np.clip((distance - DOUBTED) / (BELIEVED - DOUBTED), 0, 1), 0).astype(np.float32)
    total = _mean(trust, radius)
    alpha = _mean(offset * trust, radius)
    for plane, slope in zip(planes, slopes, strict=True):
        alpha += _mean(slope * trust, radius) * plane
    alpha = np.clip(alpha / np.maximum(total, 1e-6), 0, 1)
    return _Fit(alpha, np.clip(total, 0, 1), _mean((~present).astype(np.float32), radius))


def _gather(planes: Sequence[Any], weight: np.ndarray, radius: int) -> _Side:
    share = _mean(weight, radius)
    scale = 1 / np.maximum(share, 1e-6)
    weighted = [plane * weight for plane in planes]
    mean = [_mean(plane, radius) * scale for plane in weighted]
    pairs = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    covariance = [_mean(weighted[i] * planes[j], radius) * scale - mean[i] * mean[j] for i, j in pairs]
    return _Side(share, mean, covariance)


def _line_between(inside: _Side, outside: _Side) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """(slope, offset) of alpha = slope . colour + offset, and the distance of the two sides in deviations along it."""
    rr, rg, rb, gg, gb, bb = ((a + b) / 2 for a, b in zip(inside.covariance, outside.covariance, strict=True))
    rr, gg, bb = (np.maximum(plane, 0) + EPSILON for plane in (rr, gg, bb))
    r, g, b = (a - b for a, b in zip(inside.mean, outside.mean, strict=True))
    # The inverse of the symmetric 3 x 3 covariance, by its cofactors, times the way from mean to mean.
    c_rr, c_rg, c_rb = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    scale = 1 / np.maximum(rr * c_rr + rg * c_rg + rb * c_rb, EPSILON**3)
    across = [(c_rr * r + c_rg * g + c_rb * b) * scale, (c_rg * r + c_gg * g + c_gb * b) * scale,
              (c_rb * r + c_gb * g + c_bb * b) * scale]  # fmt: skip
    squared = np.maximum(across[0] * r + across[1] * g + across[2] * b, 1e-9)
    slope = [plane / squared for plane in across]
    offset = -(slope[0] * outside.mean[0] + slope[1] * outside.mean[1] + slope[2] * outside.mean[2])
    return slope, offset, np.sqrt(squared)


def _mean(plane: np.ndarray, radius: int) -> np.ndarray:
    """float32 [h, w]: the mean over the window around each pixel, mirrored at the edges; as quick for wide ones."""
    return cv2.blur(plane, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)


def _distance(of: np.ndarray) -> np.ndarray:
    """float32 [h, w]: px from each pixel of a bool mask to the nearest outside it; huge where there is none."""
    return cv2.distanceTransform(of.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)

"""The embedded way to an alpha, without weights: linear functions of colour tell inside from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from .trimap import INSIDE, OUTSIDE, UNKNOWN, band_box, distance

# Half the side, px, of the windows in which the colours of both sides are gathered; the wide ones where the narrow ones
# don't reach both, as on the tips of hair.
RADIUS, WIDE = 8, 40
# Regularisation, in squared colours of 0..1: noise of 3 % (8 grey levels), which compressed footage has.
EPSILON = 1e-3
# Distance between the colours of the two sides, in standard deviations along the line between them: up to the first
# colour isn't believed and the mask stays, from the second on it is believed fully.
DOUBTED, BELIEVED = 2.0, 4.0
# The same, for saying how far the mask's outline is off: only where colour tells the sides apart beyond doubt.
TELLING, PLAIN = 4.0, 6.0
# What a pixel at the mask's outline weighs, where one that is surely on its side weighs 1.
LEAST_WEIGHT = 0.1
# Below this share of a window (in weights) a side is not there.
PRESENT = 1e-3
# Holes in the mask of fewer px say nothing of the colours outside: trackers leave specks on highlights.
SPECK = RADIUS * RADIUS
# How far off an outline is taken to be, px, as if so many px of it had been seen; and the least that is believed.
USUALLY_OFF, SEEN, LEAST_OFF = 1.0, 8.0, 0.5
# Depth, in units of how far the outline is off, up to which it counts: masks have gross errors too.
DEEPEST = 3.0


def guided_alpha(image: np.ndarray, trimap: np.ndarray, prior: np.ndarray | None = None) -> np.ndarray:
    """Alpha from the local colours of both sides of the mask, in the form of a guided filter.

    In every window the colours inside and outside of the mask are two Gaussians of equal covariance, and alpha is the
    place of a colour on the line between their means, measured across the covariance (Fisher's discriminant, scaled to
    0 and 1 at the means): a linear function of colour. A pixel takes the mean of the functions of the windows that hold
    it, weighted by how far apart the two sides are there. Where they are not, the mask stays as it is, so that thin
    parts and camouflaged edges don't dissolve.

    This is done three times, each with the sides as the time before found them, so that fine parts count as inside. The
    last time the mask has a say: where colour tells the sides apart beyond doubt it is measured how far the mask's
    outline is off, and a pixel that lies deeper than that on one side needs plainer colours to change over.

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
    band = _Band(cv2.split(image[part].astype(np.float32) / 255), mask, unknown, _specks(mask > 0.5))
    first = _pass(band, mask)
    second = _pass(band, first.alpha)
    view[unknown] = _pass(band, second.alpha, _lean(band, second)).alpha[unknown]
    return alpha


@dataclass(frozen=True, slots=True)
class _Band:
    """What all passes work on: colours as three planes of 0..1, the mask, 0..1, what is unknown, and specks, bool; all
    [h, w]."""

    planes: Sequence[Any]
    mask: np.ndarray
    unknown: np.ndarray
    specks: np.ndarray


@dataclass(frozen=True, slots=True)
class _Found:
    """What a pass found, float32 [h, w] each: alpha, how far colour was trusted, 0..1, and the squared distance of the
    two sides, in deviations."""

    alpha: np.ndarray
    trust: np.ndarray
    apart: np.ndarray


def _pass(band: _Band, sides: np.ndarray, lean: np.ndarray | float = 0.0) -> _Found:
    """The mask moved to what colour says, as far as that is to be trusted.

    Args:
        sides: float32 [h, w] in 0..1, what is inside and outside as far as is known.
        lean: added to alpha times the squared distance of the two sides: what speaks for inside besides colour.
    """
    weight = np.where(band.specks, np.float32(0), certainty(sides > 0.5, band.unknown))
    narrow = _fit(band.planes, sides, weight, RADIUS)
    found = band.mask + narrow.trust * (narrow.leaning(lean) - band.mask)
    if (narrow.absent[band.unknown] > 0).any():
        wide = _fit(band.planes, sides, weight, WIDE)
        found += narrow.absent * wide.trust * (wide.leaning(lean) - band.mask)
    alpha = np.where(band.unknown, np.clip(found, 0, 1), band.mask)
    return _Found(alpha, narrow.trust, narrow.apart)


def _lean(band: _Band, found: _Found) -> np.ndarray:
    """float32 [h, w]: what the mask says, above 0 for inside: how deep each pixel lies on its side of the outline, over
    how far the outline is off around it.

    Two Gaussians of equal covariance, D deviations apart, put the logarithm of the odds of a pixel at D^2 (alpha - .5);
    an outline that is off by e on average, in the manner of Laplace, at depth / e.
    """
    inside = band.mask > 0.5
    depth = np.where(inside, distance(inside) - 0.5, 0.5 - distance(~inside)).astype(np.float32)
    plain = np.clip((np.sqrt(found.apart) - TELLING) / (PLAIN - TELLING), 0, 1) * found.trust * band.unknown
    changed = _sum(plain * np.abs(found.alpha - band.mask))
    outline = _sum(plain * 0.5 * (np.abs(depth) < 1))  # has px on both sides of it
    off = np.maximum((changed + SEEN * USUALLY_OFF) / (outline + SEEN), LEAST_OFF)
    return np.clip(depth / off, -DEEPEST, DEEPEST)


def _sum(plane: np.ndarray) -> np.ndarray:
    return _mean(plane.astype(np.float32), WIDE) * (2 * WIDE + 1) ** 2


def _specks(inside: np.ndarray) -> np.ndarray:
    """bool [h, w]: holes of a bool mask, 4-connected, that are smaller than SPECK."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats((~inside).view(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < SPECK
    small[0] = False  # the mask itself
    return np.asarray(small[parts.astype(np.intp)])


def certainty(mask: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """float32 [H, W]: how surely each pixel is on the mask's side of its outline; 1 where it isn't unknown.

    In the band it grows with the square of the way from the outline (0) to the nearest known pixel (1).

    Args:
        mask, unknown: bool [H, W].
    """
    to_outline = distance(mask) + distance(~mask)
    way = to_outline / np.maximum(to_outline + distance(unknown), 1)
    return np.where(unknown, LEAST_WEIGHT + (1 - LEAST_WEIGHT) * way * way, 1).astype(np.float32)


def halved(trimap: np.ndarray) -> np.ndarray:
    """float32 [H, W] of 0 and 1: each unknown pixel to the nearer of what is known; uint8 trimap of 0, 128, 255."""
    to_inside, to_outside = (distance(trimap != value) for value in (INSIDE, OUTSIDE))
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
    """What windows of one size say of each pixel, float32 [h, w] each: alpha, not yet kept to 0..1, how far it is to be
    trusted, 0..1, the squared distance of the two sides, and the share of the windows that lack one of the sides."""

    alpha: np.ndarray
    trust: np.ndarray
    apart: np.ndarray
    absent: np.ndarray

    def leaning(self, lean: np.ndarray | float) -> np.ndarray:
        """Alpha in 0..1, with what else speaks for inside."""
        return np.clip(self.alpha + lean / np.maximum(self.apart, 1), 0, 1)


def _fit(planes: Sequence[Any], sides: np.ndarray, weight: np.ndarray, radius: int) -> _Fit:
    # What is half inside has the colours of neither side.
    inside, outside = (_gather(planes, weight * np.maximum(2 * side - 1, 0), radius) for side in (sides, 1 - sides))
    present = (inside.share >= PRESENT) & (outside.share >= PRESENT)
    slopes, offset, between = _line_between(inside, outside)
    trust = np.where(present, np.clip((between - DOUBTED) / (BELIEVED - DOUBTED), 0, 1), 0).astype(np.float32)
    total = _mean(trust, radius)
    scale = 1 / np.maximum(total, 1e-6)
    alpha = _mean(offset * trust, radius)
    for plane, slope in zip(planes, slopes, strict=True):
        alpha += _mean(slope * trust, radius) * plane
    apart = np.maximum(_mean(between * between * trust, radius) * scale, 0)
    return _Fit(alpha * scale, np.clip(total, 0, 1), apart, _mean((~present).astype(np.float32), radius))


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

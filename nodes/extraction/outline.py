"""The outline of a mask on one picture: distance to it, and moving it to where the colours meet."""

from __future__ import annotations

import cv2
import numpy as np

from .colour_model import sigmoid

# How far an outline may move, and how far around a pixel the colours of the two sides are measured, px.
BAND = 2
RADIUS = 8


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """(x1, y1, x2, y2) px of a mask, bool [H, W]; all 0 when it is empty."""
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    return x, y, x + w, y + h


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """float32 [h, w] px: distance to the outline of a mask, uint8 0 or 1; positive inside."""
    return cv2.distanceTransform(mask, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)


def refine_outline(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Move an outline, within a narrow band, to where the colours on its two sides meet.

    Each pixel of the band goes to the side whose colours, normal within RADIUS of it, explain it better: one step of
    Lankton and Tannenbaum, "Localizing Region-Based Active Contours", IEEE TIP 2008. Parts too thin to hold a band
    (spokes, lines) stay as they are.

    Args:
        image: RGB uint8 [h, w, 3].
        mask: bool [h, w], not empty.

    Returns:
        bool [h, w].
    """
    x0, y0, x1, y1 = bounds(mask)
    pad = BAND + RADIUS
    part = np.s_[max(y0 - pad, 0) : y1 + pad, max(x0 - pad, 0) : x1 + pad]
    old = mask[part].astype(np.uint8)
    lab = cv2.cvtColor(np.ascontiguousarray(image[part]), cv2.COLOR_RGB2LAB).astype(np.float32)
    square = cv2.transform(lab * lab, np.ones((1, 3), np.float32))
    step = np.ones((2 * BAND + 1, 2 * BAND + 1), np.uint8)
    inside, outside = cv2.erode(old, step) > 0, cv2.dilate(old, step) == 0
    around = (2 * RADIUS + 1, 2 * RADIUS + 1)

    def fit(side: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        weight = side.astype(np.float32)
        share = cv2.blur(weight, around) + 1e-4
        mean = cv2.blur(lab * weight[..., None], around) / share[..., None]
        power = cv2.transform(mean * mean, np.ones((1, 3), np.float32))
        spread = np.maximum(cv2.blur(square * weight, around) / share - power, 0) + 60
        apart = lab - mean
        return cv2.transform(apart * apart, np.ones((1, 3), np.float32)) / spread, spread, share

    fg, fg_spread, fg_share = fit(inside)
    bg, bg_spread, bg_share = fit(outside)
    evidence = np.clip(1.5 * (bg - fg + cv2.log(bg_spread / fg_spread)), -3, 3)
    evidence *= (fg_share > 0.02) & (bg_share > 0.02)
    probability = sigmoid(evidence + np.clip(signed_distance(old), -4, 4))
    new = (cv2.GaussianBlur(probability, (0, 0), 1.0) > 0.5) & ~outside | inside

    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    near = np.ones((3, 3), np.uint8)
    thin = (old > 0) & (cv2.dilate(cv2.morphologyEx(old, cv2.MORPH_OPEN, disk), near) == 0)
    gap = (old == 0) & (cv2.erode(cv2.morphologyEx(old, cv2.MORPH_CLOSE, disk), near) > 0)
    out = np.zeros_like(mask)
    out[part] = (new | thin) & ~gap
    return out


def keep_components(mask: np.ndarray, where: np.ndarray, least: float) -> np.ndarray:
    """The connected parts of a mask, bool [h, w], that have `least` px and a fifth of them inside `where`, bool."""
    n, label, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    area = stats[:, cv2.CC_STAT_AREA]
    keep = (np.bincount(label[where], minlength=n) >= 0.2 * area) & (area >= least)
    keep[0] = False
    return np.asarray(keep)[label]  # pyright: ignore

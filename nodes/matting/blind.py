"""How good an alpha looks without a true one: edges, stairs, flicker and drop-outs. The definitions are our own."""

from __future__ import annotations

import cv2
import numpy as np

from ..extraction.flow import grid, round_trip_error, sample
from .trimap import distance

# Half the width, px, of the band around the outline (where alpha crosses .5) in which edges are judged.
BAND = 5.0
# Alpha between these is soft.
SOFT = (0.05, 0.95)
# Steps of an outline shorter than this, px, are those of any slanted line.
STEP = 2
# Width, px, at which motion is looked for in wider frames.
FLOW_WIDTH = 960
# A flow is valid where there and back it ends this near to where it began, px at FLOW_WIDTH.
FLOW_SLACK = 1.0
# A drop-out: the area falls below the first share of the median of so many frames before, and within so many frames
# comes back above the second.
LOST, BACK, TRAILING, WITHIN = 0.72, 0.9, 24, 24


def outline_band(alpha: np.ndarray) -> np.ndarray:
    """bool [H, W]: pixels within BAND px of the outline; none where nothing crosses .5."""
    inside = alpha >= 0.5
    if not inside.any() or inside.all():
        return np.zeros(alpha.shape, bool)
    return np.asarray(distance(inside) + distance(~inside) <= BAND)


def softness(alpha: np.ndarray, band: np.ndarray) -> float:
    """Share of the band's pixels whose alpha lies between SOFT: 0 for a hard mask, 1 for a blur; nan without a band."""
    inside = alpha[band]
    return float(((inside > SOFT[0]) & (inside < SOFT[1])).mean()) if inside.size else float("nan")


def sharpness(alpha: np.ndarray, band: np.ndarray) -> float:
    """Mean gradient of alpha in the band, per px (Sobel / 8); nan without a band."""
    if not band.any():
        return float("nan")
    x, y = (cv2.Sobel(alpha, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
    return float(cv2.magnitude(x, y)[band].mean())


def stairs(alpha: np.ndarray) -> tuple[float, float]:
    """(share of the outline's length that is stairs, mean height of the steps over all of the outline, px).

    Both are 0 for smooth, slanted and straight edges; the share comes near 1 and the height near n for a mask that was
    enlarged n times without smoothing; nan without an outline.

    The outline runs between pixels, along their sides. A straight piece of it is part of stairs when it is at least
    STEP px long, turns off to different sides at its two ends, and one of the pieces that it meets there is as long:
    on a line of any slope the pieces along one of the two directions are 1 px long, and on a true corner or bar both
    ends turn to the same side. The shorter of piece and longest neighbour is the step's height.
    """
    inside = alpha >= 0.5
    found = np.add(_stairs_along(inside), _stairs_along(np.ascontiguousarray(inside.T)))
    if found[2] == 0:
        return float("nan"), float("nan")
    return float(found[0] / found[2]), float(found[1] / found[2])


def _stairs_along(inside: np.ndarray) -> tuple[int, int, int]:
    """Px of the outline between the rows of a bool mask: those that are stairs, the same times their steps' heights,
    and all."""
    start_y, start_x, stop_x = _pieces(inside)
    if len(start_y) == 0:
        return 0, 0, 0
    length = stop_x - start_x
    height, width = inside.shape
    # At each corner between four pixels, the length of the vertical piece that goes down from it, and up.
    down, up = np.zeros((height + 1, width + 1), np.int32), np.zeros((height + 1, width + 1), np.int32)
    column, top, bottom = _pieces(np.ascontiguousarray(inside.T))
    down[top, column], up[bottom, column] = bottom - top, bottom - top
    ends = [(down[start_y, x], up[start_y, x]) for x in (start_x, stop_x)]
    opposite = ((ends[0][0] > 0) & (ends[1][1] > 0)) | ((ends[0][1] > 0) & (ends[1][0] > 0))
    step = np.minimum(length, np.maximum(np.maximum(*ends[0]), np.maximum(*ends[1])))
    stepped = opposite & (step >= STEP)
    return int(length[stepped].sum()), int((length * step)[stepped].sum()), int(length.sum())


def _pieces(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(y, x, x end) of every straight piece of the outline between two rows: above row y, from x to x end."""
    change = np.zeros((inside.shape[0] + 1, inside.shape[1] + 2), np.int8)
    change[1:-1, 1:-1] = inside[1:].astype(np.int8) - inside[:-1].astype(np.int8)
    edges = np.diff(change, axis=1) != 0
    y, x = np.nonzero(edges)
    # In each row the edges bound stretches of one value; those of value 0 are no outline.
    value = change[y, x + 1]
    first = np.flatnonzero(value != 0)
    return y[first], x[first], x[first + 1]


class Instability:
    """How much alpha changes from frame to frame beyond what the picture moves; keeps one small frame."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._grey: np.ndarray | None = None
        self._alpha: np.ndarray | None = None

    def step(self, image: np.ndarray, alpha: np.ndarray) -> tuple[float, float]:
        """Mean |alpha - the one before, moved along| x 1000 in the bands of both, and the share of the bands in which
        the motion is known (there and back it agrees), on which alone that mean is taken.

        Args:
            image: uint8 [H, W, 3] RGB; alpha: float32 [H, W]. Frames wider than FLOW_WIDTH are made smaller.

        Returns:
            (x 1000, 0..1); (nan, 0) on the first frame, and where neither frame has an outline or no motion is known.
        """
        scale = min(1.0, FLOW_WIDTH / alpha.shape[1])
        size = (round(alpha.shape[1] * scale), round(alpha.shape[0] * scale))
        grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        small = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
        before, earlier = self._grey, self._alpha
        self._grey, self._alpha = grey, small
        if before is None or earlier is None or before.shape != grey.shape:
            return float("nan"), 0.0
        back, forth = (self._flow.calc(*pair, np.zeros((*grey.shape, 2), np.float32))
                       for pair in ((grey, before), (before, grey)))  # fmt: skip
        at = grid(*grey.shape) + back
        height, width = grey.shape
        inside = (at[..., 0] >= 0) & (at[..., 0] <= width - 1) & (at[..., 1] >= 0) & (at[..., 1] <= height - 1)
        valid = inside & (round_trip_error(back, forth) <= FLOW_SLACK)
        moved = sample(earlier, at)
        band = outline_band(small) | outline_band(moved)
        known = band & valid
        if not known.any():
            return float("nan"), 0.0
        return 1000 * float(np.abs(small - moved)[known].mean()), float(known.sum() / band.sum())


def dropouts(areas: np.ndarray) -> list[tuple[int, int]]:
    """Drop-outs, as (first frame, first frame after): the area is below LOST of the trailing median, and comes back.

    Args:
        areas: float [T], the sum of alpha in each frame.
    """
    found, t = [], 1
    while t < len(areas):
        usual = float(np.median(areas[max(0, t - TRAILING) : t]))
        if usual > 0 and areas[t] < LOST * usual:
            after = next((n for n in range(t + 1, min(len(areas), t + WITHIN + 1)) if areas[n] > BACK * usual), None)
            if after is not None:
                found.append((t, after))
                t = after
        t += 1
    return found


def fragments(alpha: np.ndarray) -> int:
    """Number of parts, 8-connected, of what is at least half there."""
    return cv2.connectedComponents((alpha >= 0.5).view(np.uint8), connectivity=8)[0] - 1

"""The One-Euro filter for keypoints: still points rest, quick ones are followed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

# Of the speed itself, Hz, as the paper proposes.
SPEED_CUTOFF = 1.0
# How much the cutoff rises with speed, Hz per (body height per second). At 4 heights a second, a quick hand, it is 24
# Hz above that at rest, which is less than a frame of lag at 30 frames a second.
BETA = 6.0
# Frames that claim to be at one time are taken as so far apart, seconds.
SHORTEST = 1e-3


class OneEuro:
    """Smooths [N, 2] points from frame to frame, each on its own.

    Casiez, Roussel & Vogel, "1 Euro Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
    Systems", CHI 2012. x and y of a point share its cutoff, which follows the length of its velocity.

    Args:
        rest_s: time constant for a point that stands still, seconds; 1 / (2 pi rest_s) is the paper's mincutoff, Hz.
        unit: px, the person's height; it makes the speeds independent of the picture's size.
    """

    def __init__(self, rest_s: float, unit: float):
        self._lowest, self._unit = 1 / (2 * np.pi * rest_s), unit
        self._points: np.ndarray | None = None
        self._speeds: np.ndarray | None = None
        self._time = Fraction(0)

    def __call__(self, points: np.ndarray, time: Fraction) -> np.ndarray:
        """The smoothed points, px; nan stays nan, and a point that comes back after nan starts anew.

        Args:
            points: [N, 2] px, nan where absent.
            time: seconds, later than the time before.
        """
        if self._points is None or self._speeds is None:
            smooth, self._speeds = points.copy(), np.zeros_like(points)
        else:
            step = max(float(time - self._time), SHORTEST)
            known = np.isfinite(self._points)
            speeds = np.where(known, (points - self._points) / step, 0.0)
            self._speeds += _share(SPEED_CUTOFF, step) * (speeds - self._speeds)
            cutoff = self._lowest + BETA * np.linalg.norm(self._speeds, axis=1, keepdims=True) / self._unit
            smooth = np.where(known, self._points + _share(cutoff, step) * (points - self._points), points)
            self._speeds[~np.isfinite(smooth)] = 0.0
        self._points, self._time = smooth, time
        return smooth.copy()


def _share(cutoff, step: float):
    """Weight of the new value in a first-order low-pass filter of `cutoff` Hz after `step` seconds."""
    return 1 / (1 + 1 / (2 * np.pi * cutoff * step))

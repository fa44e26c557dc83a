"""The colour shift of a generated clip, measured where it should show the original, and taken off where it doesn't.

VACE shifts the colours of the whole picture, kept pixels included (ali-vilab/VACE issues 44 and 147). What is kept is
known twice, so next to the seam the shift can be read off; inside it is continued smoothly.
"""

from __future__ import annotations

import cv2
import numpy as np

# The band outside the mask that is compared: px, on a picture whose shorter side has BAND_OF px. The first few are
# left out, since the VAE lets the generated region bleed over its edge.
BAND, BAND_OF = (3.0, 24.0), 480
# Grey levels from the median within which a difference counts (Welsch's weight): what the generator drew into the band
# is no shift.
OUTLIER = 12.0
# The shift has no detail: it is measured on a picture whose shorter side is about WORKING_SIDE px, and smoothed by a
# Gaussian of SPREAD of that.
WORKING_SIDE, SPREAD = 96, 1 / 6
# Where the band is far away, its mean counts like so much of the weight there is close to it.
FAR = 0.02
# What the frames before count: a mean over about 8 of them, so that the correction doesn't flicker.
MEMORY = 0.88


class ColourMatch:
    """Takes frames one after another and remembers the shift of those before."""

    def __init__(self) -> None:
        self._shift: np.ndarray | None = None
        self._weight: np.ndarray | None = None

    def corrected(self, original: np.ndarray, generated: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """The generated frame with its colours brought to the original's.

        Args:
            original, generated: uint8 [H, W, 3], the same picture outside the mask.
            mask: bool [H, W], True where the generated one shows something else.

        Returns:
            uint8 [H, W, 3]. Where no frame so far has had a band to compare, the generated frame as it is.
        """
        self._measure(original, generated, mask)
        if self._shift is None or self._weight is None or not self._weight.any():
            return generated
        total = self._shift.sum(axis=(0, 1)) / self._weight.sum()
        far = FAR * self._weight.max()
        field = (self._shift + far * total) / (self._weight + far)[..., None]
        field = cv2.resize(field, generated.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return np.rint(np.clip(generated - field, 0, 255)).astype(np.uint8)

    def _measure(self, original: np.ndarray, generated: np.ndarray, mask: np.ndarray) -> None:
        side = min(mask.shape)
        size = tuple(max(1, round(length * min(1.0, WORKING_SIDE / side))) for length in mask.shape[::-1])
        if self._shift is not None and self._weight is not None:
            self._shift, self._weight = MEMORY * self._shift, MEMORY * self._weight
        band = _band(mask)
        if not band.any():
            return
        difference = generated[band].astype(np.float32) - original[band]
        away = (np.abs(difference - np.median(difference, axis=0)) / OUTLIER).max(axis=1)
        weights = np.zeros(mask.shape, np.float32)
        weights[band] = np.exp(-0.5 * away**2)
        weighted = np.zeros((*mask.shape, 3), np.float32)
        weighted[band] = difference * weights[band, None]
        sigma = SPREAD * min(size)
        shift, weight = (
            cv2.GaussianBlur(cv2.resize(values, size, interpolation=cv2.INTER_AREA), (0, 0), sigma)
            for values in (weighted, weights)
        )
        if self._shift is None or self._weight is None:
            self._shift, self._weight = shift, weight
        else:
            self._shift, self._weight = self._shift + shift, self._weight + weight


def _band(mask: np.ndarray) -> np.ndarray:
    """bool [H, W]: pixels outside the mask, close to it; none where there is no seam."""
    if not mask.any():
        return np.zeros_like(mask)
    scale = min(mask.shape) / BAND_OF
    away = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return (away > BAND[0] * scale) & (away <= max(BAND[1] * scale, 2.0))

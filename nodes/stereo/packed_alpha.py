"""Alpha for headset players: in the black corners of a side-by-side fisheye frame, as red discs cut in parts."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .projections import Fisheye, Projection, resampling

# An eye's alpha is a disc of this share of the eye's side. The corner is .207 sides away from the image circle, and the
# disc's radius is .2.
SHARE = 0.4


class AlphaPacker:
    """Makes packed frames of one clip.

    Frames are 2 S wide and S high: two equidistant fisheye pictures. The left eye's disc lies around the middle of the
    upper edge and the right eye's around the upper left corner, as if the frame went on at its other side: so the left
    disc's lower half is at the top and its upper half at the bottom, and the right disc's quarters are in the four
    corners. Red is alpha, green and blue are 0.

    Args:
        projection: of the footage's eyes; size: (H, W) px of each.
        degrees: field of view of the fisheye; what the footage doesn't show stays black.

    The layout is that of garrrrido's vr-masking-tools (alpha_packer.py), which a second public packer shares; its
    stretching of 180 degrees over 190 is not followed. No vendor's text on it was at hand: check on a headset.
    """

    def __init__(self, projection: Projection, size: tuple[int, int], degrees: float = 180.0):
        self.side = min(size) // 4 * 4
        self._disc = round(SHARE * self.side) // 4 * 4
        target = Fisheye(degrees)
        self._picture = resampling(projection, size, target, (self.side, self.side))
        self._alpha = resampling(projection, size, target, (self._disc, self._disc))

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) px of the packed frame."""
        return self.side, 2 * self.side

    def pack(self, colours: Sequence[np.ndarray], alphas: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 [S, 2 S, 3] RGB of both eyes' colours, uint8 [H, W, 3], and alphas, float32 [H, W]."""
        frame = np.hstack([self._picture.image(image) * self._picture.seen[..., None] for image in colours])
        red = np.zeros(self.size, np.uint8)
        for alpha, centre in zip(alphas, (self.side, 0), strict=True):
            self._place(red, self._levels(alpha), centre)
        free = red > 0
        frame[free] = 0
        frame[..., 0][free] = red[free]
        return frame

    def _levels(self, alpha: np.ndarray) -> np.ndarray:
        """uint8 [d, d]: the disc; the largest of every 2 x 2, as colours are coded at half the size."""
        disc = np.rint(self._alpha.cover(alpha.astype(np.float32)) * 255).astype(np.uint8)
        small = disc.reshape(self._disc // 2, 2, self._disc // 2, 2).max(axis=(1, 3))
        return cv2.resize(small, (self._disc, self._disc), interpolation=cv2.INTER_NEAREST)

    def _place(self, red: np.ndarray, disc: np.ndarray, column: int) -> None:
        """Draw a disc with its centre at (column, 0) on a frame that goes on at its other side."""
        half = self._disc // 2
        columns = np.arange(column - half, column + half) % red.shape[1]
        rows = np.arange(-half, half) % red.shape[0]
        red[np.ix_(rows, columns)] = np.maximum(red[np.ix_(rows, columns)], disc)

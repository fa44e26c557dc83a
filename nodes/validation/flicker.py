"""How much an object's mask flickers: what of it changes from frame to frame beyond what the picture moves."""

from __future__ import annotations

import cv2
import numpy as np

from .region import mask_jaccard

# A mask that covers fewer px of the small picture than this has no shape there that could flicker.
SMALLEST = 30


class Flicker:
    """Follows one clip; keeps one small grey picture and its masks.

    Attributes:
        back: float32 [h, w, 2], px, the picture's motion from the last frame to the one before; None on the first.
    """

    def __init__(self) -> None:
        self.back: np.ndarray | None = None
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._grey: np.ndarray | None = None
        self._masks: np.ndarray | None = None

    def step(self, image: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """1 - J of each mask with the one before, moved along by the picture's own motion.

        Args:
            image: uint8 [h, w, 3] RGB; masks: bool [N, h, w] of the same size.

        Returns:
            float64 [N], 0..1; nan on the first frame and where either mask is (nearly) empty.
        """
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        before, earlier = self._grey, self._masks
        self._grey, self._masks = grey, masks
        found = np.full(len(masks), np.nan)
        if before is None or earlier is None:
            return found
        self.back = back = self._flow.calc(grey, before, np.zeros((*grey.shape, 2), np.float32))
        rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float32)
        for n, (mask, old) in enumerate(zip(masks, earlier, strict=True)):
            if np.count_nonzero(mask) >= SMALLEST and np.count_nonzero(old) >= SMALLEST:
                there = columns + back[..., 0], rows + back[..., 1]
                moved = cv2.remap(old.view(np.uint8) * 255, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                found[n] = 1 - mask_jaccard(moved > 127, mask)
        return found

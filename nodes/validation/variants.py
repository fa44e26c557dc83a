"""Harmless copies of the source, tracked to learn what the tracker itself gets wrong: the floor of every measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from ..media.clip import Clip, Frame

# uint8 [H, W, 3] RGB and the frame's index in, the same shape out.
Change = Callable[[np.ndarray, int], np.ndarray]


class ChangedClip(Clip):
    """A clip whose frames are changed one by one as they are read; the change must not depend on the order."""

    def __init__(self, clip: Clip, change: Change, name: str):
        self._clip, self._change = clip, change
        self.name, self.path = f"{clip.name} ({name})", None
        self.width, self.height, self.rate, self.time_base = clip.width, clip.height, clip.rate, clip.time_base
        self.warnings = clip.warnings

    def read(self, start: int = 0) -> Iterator[Frame]:
        for frame in self._clip.read(start):
            yield Frame(frame.index, frame.time, self._change(frame.image, frame.index))

    def count(self) -> int:
        return self._clip.count()

    def expected_count(self) -> int | None:
        return self._clip.expected_count()


def recoloured(image: np.ndarray, index: int = 0) -> np.ndarray:
    """Hue turned by 120 degrees, tones lifted; uint8 [H, W, 3] RGB in and out."""
    turned = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    turned[..., 0] = (turned[..., 0].astype(int) + 60) % 180
    return cv2.LUT(cv2.cvtColor(turned, cv2.COLOR_HSV2RGB), _LIFTED)


def softened(image: np.ndarray, index: int = 0) -> np.ndarray:
    """Slightly out of focus, warmer, with film grain of its own on every frame; uint8 [H, W, 3] RGB in and out."""
    soft = cv2.GaussianBlur(image, (0, 0), max(image.shape[:2]) / 1000)
    grain = np.random.default_rng(index).normal(0, 4, (image.shape[0] // 2 + 1, image.shape[1] // 2 + 1))
    grain = cv2.resize(grain.astype(np.float32), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    warm = np.array([1.08, 1.0, 0.88], np.float32)
    return np.clip(soft * warm + grain[..., None], 0, 255).astype(np.uint8)


_LIFTED = np.clip(np.arange(256) ** 0.9 * 1.4, 0, 255).astype(np.uint8)

# In the order in which they are tracked.
VARIANTS: dict[str, Change] = {"recoloured": recoloured, "softened": softened}

"""Which of two moving layers a pixel belongs to: the object's or the background's.

Both layers are moved on by their own motion and compared with the new frame. How often the differences that result
occur on the object and beside it is counted, so that the cue weighs as much as it can tell: nothing, when the object
rests or the background is water.
"""

from __future__ import annotations

import cv2
import numpy as np

from .colour_model import llr
from .flow import Window, grid, sample

# Steps of a difference in flow (px) and in tone (0..255) that are told apart.
FLOW_STEPS = np.array([0.5, 1.5, 4.0], np.float32)
TONE_STEPS = np.array([4, 8, 14, 28])
UNKNOWN = len(TONE_STEPS) + 1
FLOWS, TONES, OBJECT_TONES = len(FLOW_STEPS) + 1, UNKNOWN + 1, len(TONE_STEPS)
# How far beside the object the background is counted, px. Flow bleeds over an outline, so that these pixels look like
# the object's; counted among a whole background they would not matter, and masks would grow into them.
BESIDE = 15.0
# The counts' memory, and the bound of one pixel's evidence.
KEEP = 0.95
LIMIT = 4.0

_TONE_LEVEL = np.searchsorted(TONE_STEPS, np.arange(256), side="right").astype(np.int32)


class Scene:
    """A picture of the background as far as it was ever seen, moved along with it."""

    def __init__(self, image: np.ndarray, known: np.ndarray, window: Window):
        """image: RGB uint8 [h, w, 3]. known: uint8 [h, w], 1 where it shows background. window: where it lies."""
        self.image, self.known, self.window = image, known, window

    @classmethod
    def seen(cls, image: np.ndarray, objects: np.ndarray, window: Window, before: Scene | None) -> Scene:
        """The picture on one frame: what objects, bool [h, w], leave free, completed from `before`."""
        known = cv2.erode(1 - objects.astype(np.uint8), np.ones((5, 5), np.uint8))
        if before is not None:
            image = np.where(known[..., None] > 0, image, window.take_over(before.image, before.window))
            known = np.maximum(known, window.take_over(before.known, before.window))
        return cls(image, known, window)

    def moved(self, backward: np.ndarray) -> Scene:
        """The picture a frame later, by the background's motion, float32 [h, w, 2] px."""
        at = grid(*backward.shape[:2]) + backward
        return Scene(sample(self.image, at), sample(self.known, at, cv2.BORDER_CONSTANT), self.window)


def background_levels(image: np.ndarray, scene: Scene, flow: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """int32 [h, w]: how each pixel of `image` differs from the scene expected there, in flow and tone."""
    tone = _TONE_LEVEL[_excess(image, scene.image)]
    tone[scene.known == 0] = UNKNOWN
    return _flow_level(flow, motion) * TONES + tone


def object_levels(image: np.ndarray, before: np.ndarray, flow: np.ndarray, motion: np.ndarray) -> np.ndarray:
    """int32 [h, w]: how each pixel differs from the object's layer: the frame before, moved by the object's motion."""
    moved = sample(before, grid(*flow.shape[:2]) + motion)
    tone = np.minimum(_TONE_LEVEL[_excess(image, moved)], OBJECT_TONES - 1)
    return _flow_level(flow, motion) * OBJECT_TONES + tone


class LayerEvidence:
    """How often each pair of levels occurs on one object and beside it."""

    def __init__(self) -> None:
        self._known: tuple[np.ndarray, np.ndarray] | None = None

    def judge(self, levels: np.ndarray, prior: np.ndarray, signed: np.ndarray) -> np.ndarray:
        """float32 [h, w]: log-likelihood ratio for the object.

        levels: int32 [h, w], from pair_levels. prior: uint8 [h, w], where the object is expected. signed: float32
        [h, w] px, the distance to the prior's outline, positive inside.
        """
        core = cv2.erode(prior, np.ones((5, 5), np.uint8)) > 0
        if np.count_nonzero(core) < 20:
            core = prior > 0
        now = _frequencies(levels, core, (signed < -4) & (signed > -BESIDE))
        fg, bg = now
        if self._known is not None:
            fg, bg = (KEEP * old + (1 - KEEP) * new for old, new in zip(self._known, now, strict=True))
        return llr(fg, bg, 2e-3, LIMIT).ravel()[levels]

    def learn(self, levels: np.ndarray, mask: np.ndarray) -> None:
        """Count the levels with the object's final mask, bool [h, w]."""
        outside = cv2.distanceTransform(1 - mask.astype(np.uint8), cv2.DIST_L2, 3)
        self._known = _frequencies(levels, mask, (outside > 1.5) & (outside < BESIDE))


def pair_levels(background: np.ndarray, own: np.ndarray) -> np.ndarray:
    """int32 [h, w]: one number for the two levels of a pixel."""
    return background * (FLOWS * OBJECT_TONES) + own


def _frequencies(levels: np.ndarray, fg: np.ndarray, bg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = FLOWS * TONES * FLOWS * OBJECT_TONES
    counts = (np.bincount(levels[region], minlength=size).astype(np.float32) for region in (fg, bg))
    fg_share, bg_share = (count / (count.sum() + 10) for count in counts)
    return fg_share, bg_share


def _flow_level(flow: np.ndarray, motion: np.ndarray) -> np.ndarray:
    apart = cv2.magnitude(*cv2.split(flow - motion))
    return np.searchsorted(FLOW_STEPS, apart).astype(np.int32)


def _excess(image: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """uint8 [h, w]: how far each colour lies outside those expected within a pixel of it, in the worst channel."""
    near = np.ones((3, 3), np.uint8)
    over = cv2.subtract(image, cv2.dilate(expected, near))
    under = cv2.subtract(cv2.erode(expected, near), image)
    worst = cv2.max(over, under)
    return cv2.max(cv2.max(worst[..., 0], worst[..., 1]), worst[..., 2])

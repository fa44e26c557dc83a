"""Where one window of a long clip goes over into the next: a cross-fade that never shows two pictures at once.

The frames that a window keeps are shown to the model with mask 0, but they come back through VAE and sampler, a little
changed: mostly in colour. Fading from the frames as they were to the frames as they came back spreads that step over
all of them. It can only do so where both show the same thing; where the model did not keep what it was shown, a fade
would show both (a ghost), so there the clip goes over between two frames, where they differ least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

# Pictures are compared in blocks of so many px, those of Wan's latents: what a decoder does to texture cancels out
# there, and what has moved does not.
BLOCK = 8
# A block that is off by more than the picture's colours as a whole, by so many of 255, shows something else; and with
# more of such blocks than GHOST_SHARE a fade would show a ghost. Measured on seven real clips by
# tests/benchmarks/seams.py: frames as from a decoder, blurred by up to 1.5 px and up to a tenth brighter, have at most
# .1 % of such blocks, those with an object displaced by 4 px at least 1 %.
GHOST_LEVELS = 16
GHOST_SHARE = 0.005
# Blocks this near to black or white say nothing about colours, which may be cut off there; nor do those that changed by
# GHOST_LEVELS more than most, in which something moved. Where fewer than this share of the blocks is left, all are
# taken, and where their deviation is below FLAT of 255 nothing is said about contrast.
CUT_OFF, ENOUGH, FLAT = 10.0, 0.1, 2.0
# More contrast than that, or less than its inverse, is not taken for a shift of colours.
MOST_GAIN = 1.5


@dataclass(frozen=True)
class Seam:
    """How two windows were joined.

    Attributes:
        difference: mean absolute difference of the frames that both have, of 255.
        ghosts: largest share of a frame that shows something else.
        cut: how many of the shared frames were taken from the window before, where they could not be faded; else None.
    """

    difference: float
    ghosts: float
    cut: int | None

    def describe(self) -> str:
        said = f"differ by {self.difference:.1f} of 255 levels"
        if self.cut is None:
            return f"{said}, faded"
        return f"{said}, {self.ghosts:.0%} of a frame shows something else: cut after {self.cut} of them, not faded"


def join(shown: Sequence[np.ndarray], made: Sequence[np.ndarray]) -> tuple[list[np.ndarray], Seam]:
    """The frames between two windows.

    Args:
        shown: the frames as they were, uint8 [H, W, 3] each.
        made: the same frames as the next window's model gave them back.

    Returns:
        As many frames, the first nearly `shown`'s and the last nearly `made`'s; and what was done.
    """
    differences, ghosts = zip(*(_compared(a, b) for a, b in zip(shown, made, strict=True)), strict=True)
    if max(ghosts) > GHOST_SHARE:
        cut = int(np.argmin(ghosts)) + 1
        return [*shown[:cut], *made[cut:]], Seam(float(np.mean(differences)), max(ghosts), cut)
    faded = [
        np.rint(a + (b.astype(np.float32) - a) * ((n + 1) / (len(shown) + 1))).astype(np.uint8)
        for n, (a, b) in enumerate(zip(shown, made, strict=True))
    ]
    return faded, Seam(float(np.mean(differences)), max(ghosts), None)


def colour_step(shown: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How the colours of a picture differ from another's of the same scene, whatever moves in it.

    Args:
        shown, made: uint8 [H, W, 3].

    Returns:
        (gain, offset), float32 [3] each: made is about gain * shown + offset, as means and deviations of blocks have it
        (Reinhard et al., "Color Transfer between Images", 2001, channel by channel).
    """
    return _step(blocks(shown), blocks(made))


def blocks(image: np.ndarray) -> np.ndarray:
    """float32 [h, w, 3]: the means of an image's BLOCK x BLOCK px."""
    height, width = image.shape[:2]
    size = (max(1, width // BLOCK), max(1, height // BLOCK))
    return cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA)


def _step(shown: np.ndarray, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gain, offset = np.ones(3, np.float32), np.zeros(3, np.float32)
    inside = (np.minimum(shown, made) > CUT_OFF) & (np.maximum(shown, made) < 255 - CUT_OFF)
    change = made - shown
    inside &= np.abs(change - np.median(change, axis=(0, 1))) < GHOST_LEVELS
    for channel in range(3):
        use = inside[..., channel] if inside[..., channel].mean() >= ENOUGH else np.ones(shown.shape[:2], bool)
        before, after = shown[use, channel], made[use, channel]
        if min(before.std(), after.std()) >= FLAT:
            gain[channel] = np.clip(after.std() / before.std(), 1 / MOST_GAIN, MOST_GAIN)
        offset[channel] = after.mean() - gain[channel] * before.mean()
    return gain, offset


def _compared(shown: np.ndarray, made: np.ndarray) -> tuple[float, float]:
    """Mean absolute difference of 255, and the share of blocks that differ beyond the frames' colours as a whole."""
    before, after = blocks(shown), blocks(made)
    gain, offset = _step(before, after)
    beyond = np.abs(after - np.clip(gain * before + offset, 0, 255)).max(axis=2)
    return float(np.abs(made.astype(np.int16) - shown).mean()), float((beyond > GHOST_LEVELS).mean())

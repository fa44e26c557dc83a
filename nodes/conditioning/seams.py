"""Where one window of a long clip goes over into the next: a cross-fade that never shows two pictures at once.

The frames that a window keeps are shown to the model with mask 0, but they come back through VAE and sampler, a little
changed: mostly in colour. Fading from the frames as they were to the frames as they came back spreads that step over
all of them. It can only do so where both show the same thing; where the model did not keep what it was shown, a fade
would show both (a ghost), so there the clip goes over between two frames, where they differ least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# A pixel whose brightness is off by more than the frame's colours as a whole, by so many of 255, shows something else.
GHOST_LEVELS = 32
# So much of a frame may: noise, and edges that moved by a fraction of a pixel.
GHOST_SHARE = 0.01


@dataclass(frozen=True)
class Seam:
    """How two windows were joined.

    Attributes:
        difference: mean absolute difference of the frames that both have, of 255.
        ghosts: largest share of a frame's pixels that show something else.
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


def _compared(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Mean absolute difference of 255, and the share of pixels that differ beyond the frames' mean difference."""
    difference = b.astype(np.int16) - a
    beyond = np.abs(difference - difference.mean(axis=(0, 1), dtype=np.float32)).max(axis=2)
    return float(np.abs(difference).mean()), float((beyond > GHOST_LEVELS).mean())

"""What is known of the two lenses, and the picture that disparity is worked out in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .choices import BASELINE, NEAREST, WORKING
from .projections import Cassini, Projection, Resampling, Turned, resampling


@dataclass(frozen=True)
class Rig:
    """Two lenses side by side, parallel but for what `turned` says.

    Attributes:
        projection: of each eye.
        size: (H, W) px of each eye as it is stored.
        working: width in px of the picture that disparity is worked out in; never more than the eye has.
        baseline: m between the lenses.
        nearest: m from the lenses to the nearest thing that may be in the picture; nearer things aren't matched.
        infinity: degrees of disparity of what is infinitely far: below 0 in pictures shifted so that they converge.
        turned: (yaw, pitch, roll) degrees by which the right lens stands askew to the left one, see `Turned`; measured
            by `alignment`. Both eyes' pictures are worked in as the left lens stands.
    """

    projection: Projection
    size: tuple[int, int]
    working: int = WORKING
    baseline: float = BASELINE
    nearest: float = NEAREST
    infinity: float = 0.0
    turned: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if self.working < 64:
            raise ValueError(f"a working size of {self.working} px is too small to match anything; use 64 or more")
        if self.baseline <= 0 or self.nearest <= 0:
            raise ValueError(
                f"baseline {self.baseline:g} m and nearest distance {self.nearest:g} m have to be more than 0"
            )

    @cached_property
    def lenses(self) -> tuple[Projection, Projection]:
        """Of the left and of the right eye, both in the directions of the left one."""
        right = Turned(self.projection, *self.turned) if any(self.turned) else self.projection
        return self.projection, right

    @cached_property
    def cassini(self) -> Projection:
        """The picture worked in: its rows are the same in both eyes."""
        return Cassini(*self.projection.field)

    @cached_property
    def working_size(self) -> tuple[int, int]:
        """(h, w) px of it."""
        across, around = self.projection.field
        width = min(self.working, max(self.size))
        return max(1, round(width * around / across)), width

    @cached_property
    def px_per_rad(self) -> float:
        """Columns of the picture worked in for an angle."""
        return self.working_size[1] / self.projection.field[0]

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and most disparity that can be, in columns of the picture worked in.

        A point at distance r in front of the middle is seen under 2 atan(b / 2 r); elsewhere, at that distance, less.
        """
        shift = math.radians(self.infinity)
        most = 2 * math.atan(self.baseline / (2 * self.nearest))
        return shift * self.px_per_rad, (shift + most) * self.px_per_rad

    def to_working(self, size: tuple[int, int], right: bool) -> Resampling:
        """From pictures or masks of one eye, (H, W) px, to the picture worked in."""
        return resampling(self.lenses[right], size, self.cassini, self.working_size)

    @cached_property
    def weight(self) -> np.ndarray:
        """float32 [h, w]: share of the sphere that each pixel worked in stands for, 1 in the middle."""
        h, w = self.working_size
        angle = ((np.arange(w, dtype=np.float32) + 0.5) / w - 0.5) * self.projection.field[0]
        return np.broadcast_to(np.cos(angle), (h, w))

"""Everything that is measured of one object: the source's track beside the generated clip's, and beside the floor's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..host import progress
from ..media.track import Track
from .boundary import packed_boundary_f, tolerance_px
from .poses import Limbs
from .region import packed_jaccard
from .shape import Shapes, scale_percent, shapes, steadied, turn_deg
from .traces import Travel

# Half-width of the window in which a size to measure by is steadied, and in which the floor's error counts, frames.
STEADY, MARGIN = 12, 2


@dataclass(frozen=True)
class Comparison:
    """One object of two tracks of one mask size, over the frames that both have.

    Attributes:
        expected, found: its shapes in the source's and in the other track, px of the generated clip.
        region, boundary: J and F, float64 [T] in 0..1.
    """

    expected: Shapes
    found: Shapes
    region: np.ndarray
    boundary: np.ndarray

    def __len__(self) -> int:
        return len(self.region)

    def difference(self, name: str) -> np.ndarray:
        """float64 [T]: found minus expected of "x", "y" (px), "scale" (percent) or "angle" (degrees)."""
        if name == "scale":
            return scale_percent(self.expected, self.found)
        if name == "angle":
            return turn_deg(self.expected, self.found)
        return getattr(self.found, name) - getattr(self.expected, name)


def compare(expected: Track, found: Track, label: str, known: Shapes | None = None) -> Comparison:
    """Compare one object of two tracks of one mask size over the frames that both have; one frame at a time.

    Args:
        known: the shapes of `expected`, when they were measured before.
    """
    total = min(len(expected), len(found))
    i, j = expected.index(label), found.index(label)
    width, radius = expected.mask_size[1], tolerance_px(expected.mask_size)
    region, boundary = np.zeros(total), np.zeros(total)
    for t in progress(range(total), total, f"comparing {label}"):
        a, b = expected.packed_masks(t)[i], found.packed_masks(t)[j]
        region[t], boundary[t] = packed_jaccard(a, b), packed_boundary_f(a, b, width, radius)
    own = shapes(expected, label) if known is None else known
    return Comparison(own.part(total), shapes(found, label).part(total), region, boundary)


@dataclass(frozen=True)
class Residual:
    """How far a quantity is off, freed of what the tracker gets wrong on the source itself.

    Attributes:
        value: float64 [T], signed; nan where it can't be told.
        control: float64 [T]: width of the range of what the tracker gets on harmless copies, where the truth is 0.
        error: float64 [T]: the same, inf where nothing is known.
    """

    value: np.ndarray
    control: np.ndarray
    error: np.ndarray


@dataclass
class Subject:
    """One object that is judged.

    Attributes:
        label: its name.
        pair: source against generated clip.
        floors: source against its harmless copies, each tracked as the generated clip was.
        unit_px: float64 [T]: the person's height, or the object's longer side where no person is tracked.
        skip: bool [T]: padding, and the frame on which the tracker was shown the source's mask.
        unsure: bool [T]: a tracker says that it isn't sure of what it shows.
        contact: the states of `contact.contact_states` in source, generated clip and copies, where there is a person.
        residuals: "x", "y", "scale", "angle"; see `residuals`.
        flicker: of the source's and of the generated clip's mask, float64 [T] each; None without pictures.
        limbs: the person's, nearest to it; None without poses.
        seen: bool [T]: the pictures show where the source's object is, in its place or not.
        in_place: bool [T]: the pictures show the source's object at its place, whatever the tracker says.
        gone: bool [T]: they show nothing like it, neither there nor where the tracker is.
        late_in_place: bool [T]: they show it where the source has it at the time that the clip is late by.
        spilled: bool [T]: a part of the found mask is background that the source shows there as well.
        travel: what goes the object's way in the generated clip; None without pictures.
        edges: the same names, float64 [T]: see `shape.edge_effects`.
    """

    label: str
    pair: Comparison
    floors: list[Comparison]
    unit_px: np.ndarray
    skip: np.ndarray
    unsure: np.ndarray
    contact: tuple[np.ndarray, np.ndarray, list[np.ndarray]] | None = None
    residuals: dict[str, Residual] = field(default_factory=dict)
    edges: dict[str, np.ndarray] = field(default_factory=dict)
    flicker: tuple[np.ndarray, np.ndarray] | None = None
    seen: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    in_place: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    gone: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    limbs: Limbs | None = None
    late_in_place: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    spilled: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    travel: Travel | None = None

    def __post_init__(self) -> None:
        for name in ("seen", "in_place", "gone", "late_in_place", "spilled"):
            if not len(getattr(self, name)):
                setattr(self, name, np.zeros(len(self.pair), bool))

    def __len__(self) -> int:
        return len(self.pair)

    @property
    def shown(self) -> np.ndarray:
        """bool [T]: source or generated clip shows the object, and the frame counts."""
        return (self.pair.expected.visible | self.pair.found.visible) & ~self.skip

    def floor(self, values: Sequence[np.ndarray], better: str) -> np.ndarray:
        """float64 [T]: the worst of what the copies give; nan without any."""
        if not values:
            return np.full(len(self), np.nan)
        stack = np.stack(values)
        empty = np.isnan(stack).all(axis=0)
        worst = np.nanmin(np.where(empty, 0, stack), axis=0) if better == "higher" else np.nanmax(
            np.where(empty, 0, stack), axis=0
        )  # fmt: skip
        return np.where(empty, np.nan, worst)


def residuals(pair: Comparison, floors: Sequence[Comparison]) -> dict[str, Residual]:
    """Place, size and angle of the generated clip's object against the source's, beyond what the tracker explains.

    On a harmless copy the truth is 0, so what the tracker gets there (and 0 itself, and all between) needs no fault in
    the clip: a difference counts from the end of that range. How wide the range is, is how little can be told.
    """
    found = {}
    for name in ("x", "y", "scale", "angle"):
        off = pair.difference(name)
        copies = np.stack([np.zeros(len(pair)), *(floor.difference(name) for floor in floors)])
        known = np.isfinite(copies).all(axis=0)
        # Over a few frames: a tracker that strays on one frame strays on the next one in another copy.
        low, high = -widened(-np.min(copies, axis=0)), widened(np.max(copies, axis=0))
        value = np.where(known, off - np.clip(off, low, high), np.nan)
        spread = np.where(known, high - low, np.inf)
        found[name] = Residual(value, np.where(known, spread, np.nan), spread)
    return found


def widened(error: np.ndarray, margin: int = MARGIN) -> np.ndarray:
    """float64 [T]: the largest error within `margin` frames; a tracker that strays is not right the frame after."""
    if not len(error):
        return error
    padded = np.pad(error, margin, mode="edge")
    return np.max([padded[k : k + len(error)] for k in range(2 * margin + 1)], axis=0)


def unit_px(person: Shapes | None, thing: Shapes) -> np.ndarray:
    """float64 [T]: what places are measured by, px: the person's height, else the object's longer side.

    Steadied over a second; the clip's median where it isn't seen, 1 where it never is.
    """
    sides = [] if person is None else [person.height]
    sides.append(np.maximum(thing.right - thing.left, thing.bottom - thing.top))
    for side in sides:
        if np.isfinite(side).any():
            near = steadied(side, STEADY)
            return np.where(np.isfinite(near), near, np.nanmedian(side))
    return np.ones(len(thing))

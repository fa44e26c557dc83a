"""Trimaps: what is surely inside (255), surely outside (0), and the band between that is to be refined (128)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from ..media.track import Track
from .methods import SOURCES

OUTSIDE, UNKNOWN, INSIDE = 0, 128, 255

# The distance, px, to what is nowhere.
FAR = 65536.0
# The logit of what no object is near to.
SURELY_NOT = -32.0


class EmptyBand(ValueError):
    """A frame that has a subject and no unknown pixel: nothing could be refined there."""


@dataclass(frozen=True, slots=True)
class TrimapChoices:
    """How a track becomes a trimap.

    Attributes:
        source: one of SOURCES.
        foreground, background: for logits: the probabilities from which on a pixel is surely inside, and up to which
            it is surely outside.
        inside, outside: for masks: width of the band on either side of the outline, px of the clip.
        labels: the objects that are wanted, as one; none names all of them.
        allow_empty_band: report frames without a band and go on, instead of raising EmptyBand.

    Raises:
        ValueError: a value that makes no sense (it is named).
    """

    source: str = "auto"
    foreground: float = 0.97
    background: float = 0.03
    inside: float = 10.0
    outside: float = 10.0
    labels: tuple[str, ...] = ()
    allow_empty_band: bool = False

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"a trimap is made from {', '.join(SOURCES)}, not from {self.source!r}")
        if not 0 < self.background < self.foreground < 1:
            raise ValueError(
                f"background {self.background:g} and foreground {self.foreground:g} are probabilities, "
                "0 < background < foreground < 1"
            )
        if min(self.inside, self.outside) < 0:
            raise ValueError(f"a band has no negative width: inside {self.inside:g}, outside {self.outside:g} px")


@dataclass
class TrimapReport:
    """What came of it: for every frame the share of its pixels that are unknown; frames by kind."""

    source: str
    unknown_share: list[float] = field(default_factory=list)
    without_subject: list[int] = field(default_factory=list)
    without_band: list[int] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """JSON-able."""
        shares = np.array(self.unknown_share or [0.0])
        return {
            "source": self.source,
            "frames": len(self.unknown_share),
            "unknown_share": {"mean": float(shares.mean()), "max": float(shares.max())},
            "frames_without_subject": list(self.without_subject),
            "frames_without_band": list(self.without_band),
        }


class Trimaps:
    """The trimaps of a track, made frame by frame, with a report that grows as they are made.

    Raises:
        KeyError: the track has no object of a wanted name.
        ValueError: logits are wanted and the track has none.
    """

    def __init__(self, track: Track, choices: TrimapChoices | None = None):
        self._track, self.choices = track, choices or TrimapChoices()
        self._objects = [track.index(label) for label in self.choices.labels] or list(range(len(track.labels)))
        if self.choices.source == "logits" and track.soft is None:
            raise ValueError(
                "this track has no soft logits; switch on soft_logits in Track Objects (SAM 2.1), or make the trimap "
                "from masks"
            )
        self._soft = track.soft is not None and self.choices.source != "masks"
        self.report = TrimapReport("logits" if self._soft else "masks")

    def __len__(self) -> int:
        return len(self._track)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) px of the clip."""
        return self._track.clip_size

    def mask(self, t: int) -> np.ndarray:
        """bool [H, W]: the wanted objects in frame t, as one."""
        return np.asarray(self._track.masks(t)[self._objects].any(axis=0))

    def at(self, t: int) -> np.ndarray:
        """uint8 [H, W], 0, 128 or 255, of frame t at the clip's size; the wanted objects are one.

        Raises:
            EmptyBand: there is a subject and no band, and `allow_empty_band` is not set.
        """
        choices = self.choices
        mask = self.mask(t)
        if not self._soft:
            trimap = from_mask(mask, choices.inside, choices.outside)
        else:
            logits = self._track.logits(t)[self._objects]
            united = logits.max(axis=0, initial=SURELY_NOT)
            trimap = from_logits(united, self._track.clip_size, choices.foreground, choices.background)
        unknown = np.count_nonzero(trimap == UNKNOWN)
        subject = mask.any() or (trimap == INSIDE).any()
        if not subject:
            self.report.without_subject.append(t)
        elif unknown == 0 and not mask.all():
            if not choices.allow_empty_band:
                raise EmptyBand(
                    f"frame {t} has a subject and no unknown band, so nothing could be refined: {self._cure()}"
                )
            self.report.without_band.append(t)
        self.report.unknown_share.append(unknown / trimap.size)
        return trimap

    def _cure(self) -> str:
        if not self._soft:
            return (
                f"the band is {self.choices.inside:g} px inside and {self.choices.outside:g} px outside of the mask; "
                "make it wider"
            )
        return (
            f"the thresholds are foreground {self.choices.foreground:g} and background {self.choices.background:g}; "
            "move them nearer to 1 and 0 (.97 and .03, then .995 and .005), or make the trimap from masks"
        )


def from_mask(mask: np.ndarray, inside: float, outside: float) -> np.ndarray:
    """The trimap of one mask: unknown within so many px of its outline.

    Args:
        mask: bool [H, W].
        inside, outside: px, Euclidean, from the centre of a pixel to the nearest one of the other side; a pixel at
            the outline is at 1. What lies beyond the picture's edge counts as neither.

    Returns:
        uint8 [H, W] of 0, 128, 255.
    """
    trimap = np.where(mask, np.uint8(INSIDE), np.uint8(OUTSIDE))
    if not mask.any() or mask.all():
        return trimap
    # Only as much as the band can reach around the mask, as distances cost more than all the rest.
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    margin = math.ceil(outside) + 1
    top, left = max(0, rows[0] - margin), max(0, columns[0] - margin)
    part = np.s_[top : rows[-1] + 1 + margin, left : columns[-1] + 1 + margin]
    near = np.ascontiguousarray(mask[part])
    if near.all():  # the mask fills all of the rectangle, whose margin the picture cuts off on every side
        return trimap
    view = trimap[part]
    view[near & (distance(near) <= inside)] = UNKNOWN
    view[~near & (distance(~near) <= outside)] = UNKNOWN
    return trimap


def distance(of: np.ndarray) -> np.ndarray:
    """float32 [h, w]: px from each pixel of a bool mask to the nearest outside it; FAR where there is none.

    OpenCV's roots differ in the last bit with where the arrays lie in memory, so that no matte would come out twice
    the same: they are taken anew, of the whole numbers that squared distances are.
    """
    found = cv2.distanceTransform(of.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    squared = np.square(np.minimum(found, FAR))
    return np.sqrt(np.rint(squared, out=squared), out=squared)


def from_logits(logits: np.ndarray, size: tuple[int, int], foreground: float, background: float) -> np.ndarray:
    """The trimap of a map of logits: unknown where the probability lies between the two.

    Args:
        logits: float [h, w]; probability = 1 / (1 + exp(-logit)).
        size: (H, W) px of the result; the logits are scaled to it bilinearly.
        foreground, background: probabilities; inside from the one on, outside up to the other.

    Returns:
        uint8 [H, W] of 0, 128, 255.
    """
    scaled = cv2.resize(logits.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    trimap = np.full(size, UNKNOWN, np.uint8)
    trimap[scaled >= math.log(foreground / (1 - foreground))] = INSIDE
    trimap[scaled <= math.log(background / (1 - background))] = OUTSIDE
    return trimap


def classify(grey: np.ndarray) -> np.ndarray:
    """uint8 [H, W] of 0, 128, 255 from a trimap that was drawn, scaled or encoded: each value to the nearest of them.

    Args:
        grey: uint8 [H, W] or RGB [H, W, 3] (its first channel), or float in 0..1.
    """
    plane = grey[..., 0] if grey.ndim == 3 else grey
    level = plane if plane.dtype == np.uint8 else np.rint(np.clip(plane, 0, 1) * 255).astype(np.uint8)
    return _CLASSES[level]


_CLASSES = np.select([np.arange(256) < 64, np.arange(256) > 191], [OUTSIDE, INSIDE], UNKNOWN).astype(np.uint8)


def band_box(trimap: np.ndarray, margin: int = 0) -> tuple[int, int, int, int] | None:
    """x1, y1, x2, y2 px (ends exclusive) around the unknown pixels, widened inside the picture; None without any."""
    unknown = trimap == UNKNOWN
    rows = np.flatnonzero(unknown.any(axis=1))
    if len(rows) == 0:
        return None
    columns = np.flatnonzero(unknown.any(axis=0))
    height, width = trimap.shape
    return (
        max(0, int(columns[0]) - margin),
        max(0, int(rows[0]) - margin),
        min(width, int(columns[-1]) + 1 + margin),
        min(height, int(rows[-1]) + 1 + margin),
    )


def wanted_labels(text: str) -> tuple[str, ...]:
    """Names by commas, as a widget or an argument has them."""
    return tuple(part.strip() for part in text.split(",") if part.strip())

"""How well the masks of two eyes agree, frame by frame; nothing here needs a truth.

Nothing is published to match: these definitions are this project's own. All are taken in the picture worked in, where
a row of one eye is the same row of the other, and areas are weighted by the share of the sphere they stand for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from ..extraction.flow import grid, sample
from ..validation.boundary import mask_boundary_f
from .disparity import Disparity, find_disparity
from .layer import Layer, object_disparity
from .rig import Rig

# Tolerance of S-F in px of the picture worked in; S-F is also given at DAVIS' share of the diagonal.
FINE_PX = 2
# An edge's disparity may miss what is possible by this, px: masks have whole pixels.
EDGE_PX = 1.5
# One thing hides another in the other eye when its disparity is so much larger, px.
HIDES = 0.25
# Alphas between these are the soft band.
SOFT = 0.02, 0.98


@dataclass(frozen=True, eq=False)
class Agreement:
    """How N objects agree on one frame; float64 [N], nan where there is nothing to measure.

    Attributes:
        s_iou: overlap of the left mask, moved to the right eye pixel by pixel, with the right mask, over what is
            matched in both directions, inside the picture and not hidden from the left eye. 1 where both are empty, 0
            where one is.
        coverage: share of the two masks over which S-IoU was taken.
        s_f, s_f_fine: boundary F of the left mask, moved by its object's own disparity, and the right one; at .008 of
            the diagonal and at FINE_PX. What only one eye sees lowers it.
        top, bottom: rows by which the highest and the lowest row differ; right less left.
        rows: number of rows in which only one eye has any of the object.
        implausible: share of the rows' outer edges whose disparity no point in front of the lenses can have.
        area: |A left - A right| / the larger.
        s_mad: mean difference of the two alphas in the soft bands; over all objects, one number.
        left_count, right_count: how many objects have a mask.
    """

    s_iou: np.ndarray
    coverage: np.ndarray
    s_f: np.ndarray
    s_f_fine: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    rows: np.ndarray
    implausible: np.ndarray
    area: np.ndarray
    s_mad: float
    left_count: int
    right_count: int


PER_OBJECT = ("s_iou", "coverage", "s_f", "s_f_fine", "top", "bottom", "rows", "implausible", "area")


def measure_agreement(
    rig: Rig,
    left: np.ndarray,
    right: np.ndarray,
    left_masks: np.ndarray,
    right_masks: np.ndarray,
    alphas: tuple[np.ndarray, np.ndarray] | None = None,
    disparity: Disparity | None = None,
) -> Agreement:
    """Measure one frame.

    Args:
        left, right: uint8 [H, W, 3], RGB, the eyes.
        left_masks, right_masks: bool [N, h, w], the same objects in the same order; each of any size.
        alphas: float 0..1 [h, w], the mattes of both eyes, for S-MAD.
        disparity: what was matched, where that is known already.

    Raises:
        ValueError: different numbers of objects.
    """
    if len(left_masks) != len(right_masks):
        raise ValueError(f"the left eye has {len(left_masks)} objects, the right eye {len(right_masks)}")
    ours, theirs = (
        [rig.to_working((mask.shape[0], mask.shape[1]), right=bool(eye)).cover(mask) for mask in masks]
        for eye, masks in enumerate((left_masks, right_masks))
    )
    if disparity is None:
        one, other = (
            rig.to_working((image.shape[0], image.shape[1]), right=bool(eye)).image(image)
            for eye, image in enumerate((left, right))
        )
        disparity = find_disparity(rig, one, other, _wanted(rig, ours, theirs))
    layers = [object_disparity(cover, disparity.left, disparity.left_valid) for cover in ours]
    values: dict[str, list[float]] = {name: [] for name in PER_OBJECT}
    for a, b, layer in zip(ours, theirs, layers, strict=True):
        for name, value in _object(rig, a, b, layer, disparity).items():
            values[name].append(value)
    s_mad = np.nan if alphas is None else _s_mad(rig, alphas, ours, layers)
    left_count, right_count = (sum(bool(mask.any()) for mask in masks) for masks in (left_masks, right_masks))
    arrays = {name: np.array(values[name], float) for name in PER_OBJECT}
    return Agreement(**arrays, s_mad=s_mad, left_count=left_count, right_count=right_count)


def s_iou(rig: Rig, disparity: Disparity, left: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """S-IoU and its coverage of one object's covers, float32 [h, w] 0..1, in the picture worked in."""
    moved = sample(left, grid(*rig.working_size) + disparity.right) > 0.5
    there = right > 0.5
    # What the left eye has and the right one has not is not in `union` where nothing was matched; it is unknown there.
    union = rig.weight * (moved | there)
    sure = disparity.right_valid & ~_hidden(rig, disparity)
    whole, known = float(union.sum()), float(union[sure].sum())
    if known == 0:
        empty = not (left > 0.5).any() and not there.any()
        return (1.0, 1.0) if empty else (np.nan, 0.0)
    return float((rig.weight * (moved & there))[sure].sum()) / known, known / whole


def _hidden(rig: Rig, disparity: Disparity) -> np.ndarray:
    """bool [h, w]: right pixels whose match in the left eye is beside something nearer: that hides them there, and
    between the two the match is of neither."""
    known = np.where(disparity.left_valid, disparity.left[..., 0], np.float32(-1e6))
    nearest = cv2.dilate(known, np.ones((1, 3), np.uint8))
    there = sample(nearest, grid(*rig.working_size) + disparity.right)
    return np.asarray(there > disparity.right[..., 0] + HIDES)


def _wanted(rig: Rig, left: list[np.ndarray], right: list[np.ndarray]) -> np.ndarray:
    """bool [h, w]: left pixels that may show what either eye's masks cover."""
    wanted = np.zeros(rig.working_size, bool)
    for cover in left:
        wanted |= cover > 0.5
    least, most = (int(np.floor(rig.bounds[0])), int(np.ceil(rig.bounds[1])))
    for cover in right:
        rows, columns = np.nonzero(cover > 0.5)
        if len(rows):
            x0, x1 = columns.min() + min(least, 0), columns.max() + 1 + max(most, 0)
            wanted[rows.min() : rows.max() + 1, max(0, x0) : x1] = True
    return wanted


def _object(
    rig: Rig, left: np.ndarray, right: np.ndarray, layer: Layer | None, disparity: Disparity
) -> dict[str, float]:
    overlap, coverage = s_iou(rig, disparity, left, right)
    a, b = left > 0.5, right > 0.5
    size = a.shape
    base = grid(size[0], size[1])
    areas = float(rig.weight[a].sum()), float(rig.weight[b].sum())
    parity = abs(areas[0] - areas[1]) / max(areas) if max(areas) else 0.0
    if layer is None:
        coarse = fine = 1.0 if not a.any() and not b.any() else np.nan
    else:
        moved = sample(left, base + layer.right) > 0.5
        coarse, fine = mask_boundary_f(moved, b), mask_boundary_f(moved, b, FINE_PX)
        # What lies beyond the other eye's picture can't be in it.
        a = a & _inside(base[..., 0] - layer.left[..., 0], size[1])
        b = b & _inside(base[..., 0] + layer.right[..., 0], size[1])
    rows_a, rows_b = a.any(axis=1), b.any(axis=1)
    top = bottom = implausible = np.nan
    if rows_a.any() and rows_b.any():
        (top_a, bottom_a), (top_b, bottom_b) = (np.flatnonzero(rows)[[0, -1]] for rows in (rows_a, rows_b))
        top, bottom = float(top_b - top_a), float(bottom_b - bottom_a)
        both = rows_a & rows_b
        least, most = rig.bounds
        if both.any():
            edges = np.concatenate([_first(a[both]) - _first(b[both]), _last(a[both]) - _last(b[both])])
            implausible = float(((edges < least - EDGE_PX) | (edges > most + EDGE_PX)).mean())
    return {
        "s_iou": overlap, "coverage": coverage, "s_f": coarse, "s_f_fine": fine, "top": top, "bottom": bottom,
        "rows": float((rows_a != rows_b).sum()), "implausible": implausible, "area": parity,
    }  # fmt: skip


def _inside(columns: np.ndarray, width: int) -> np.ndarray:
    return (columns >= -0.5) & (columns <= width - 0.5)


def _first(rows: np.ndarray) -> np.ndarray:
    return rows.argmax(axis=1)


def _last(rows: np.ndarray) -> np.ndarray:
    return rows.shape[1] - 1 - rows[:, ::-1].argmax(axis=1)


def _s_mad(
    rig: Rig, alphas: tuple[np.ndarray, np.ndarray], covers: list[np.ndarray], layers: list[Layer | None]
) -> float:
    left, right = (
        rig.to_working((alpha.shape[0], alpha.shape[1]), right=bool(eye)).cover(alpha)
        for eye, alpha in enumerate(alphas)
    )
    moved = np.zeros_like(right)
    base = grid(rig.working_size[0], rig.working_size[1])
    owner = np.stack([*(cv2.GaussianBlur(cover, (0, 0), 8) for cover in covers), np.full_like(left, 1e-6)]).argmax(0)
    for n, layer in enumerate(layers):
        if layer is not None:
            moved = np.maximum(moved, sample(left * (owner == n), base + layer.right))
    band = ((moved > SOFT[0]) & (moved < SOFT[1])) | ((right > SOFT[0]) & (right < SOFT[1]))
    weight = float(rig.weight[band].sum())
    return float((rig.weight * np.abs(moved - right))[band].sum()) / weight if weight else np.nan


@dataclass
class AgreementReport:
    """Collects the frames of a clip and says how its eyes agree.

    Attributes:
        labels: the objects.
        threshold: S-IoU below which a frame is listed.
    """

    SCHEMA = "physics-preserver/stereo-consistency"
    VERSION = 1

    labels: tuple[str, ...]
    threshold: float = 0.8
    _frames: list[Agreement] = field(default_factory=list)

    def add(self, frame: Agreement) -> None:
        """Take the next frame in."""
        self._frames.append(frame)

    def report(self) -> dict:
        """A JSON-able dict: means by object, every frame's values, and which frames fall below the threshold."""
        count = len(self.labels)
        every = {name: self._all(name, count) for name in PER_OBJECT}
        s_mad = np.array([frame.s_mad for frame in self._frames])
        counts = [[frame.left_count, frame.right_count] for frame in self._frames]
        with np.errstate(invalid="ignore"):
            below = np.flatnonzero((every["s_iou"] < self.threshold).any(axis=1)) if count else np.array([], int)
        flicker = np.abs(np.diff(every["s_iou"], axis=0))
        return {
            "schema": self.SCHEMA,
            "schema_version": self.VERSION,
            "frames": len(self._frames),
            "threshold": self.threshold,
            "s_iou": _mean(every["s_iou"]),
            "coverage": _mean(every["coverage"]),
            "s_mad": _mean(s_mad),
            "frames_below": below.tolist(),
            "frames_with_unequal_counts": [t for t, (a, b) in enumerate(counts) if a != b],
            "counts": counts,
            "s_mad_per_frame": [_number(value) for value in s_mad],
            "objects": [
                {
                    "label": label,
                    **{name: _mean(np.abs(every[name][:, n])) for name in PER_OBJECT},
                    "s_iou_flicker": _mean(flicker[:, n]),
                    "per_frame": {name: [_number(value) for value in every[name][:, n]] for name in PER_OBJECT},
                }
                for n, label in enumerate(self.labels)
            ],
        }

    def _all(self, name: str, count: int) -> np.ndarray:
        return np.array([getattr(frame, name) for frame in self._frames], float).reshape(-1, count)


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return _number(finite.mean()) if finite.size else None

"""Detection on a few flat views into an eye, so that people near its poles or close to the lens are found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..extraction.detection import Box, Detection, Detector
from .boxes import box_around, points_in
from .projections import Flat, Projection, Turned, from_pixels, pixel_directions, resampling, to_pixels

# (yaw, pitch) in degrees of the views' axes, and their field of view: together they cover half a sphere.
AXES = ((0.0, 0.0), (-55.0, 0.0), (55.0, 0.0), (0.0, 50.0), (0.0, -50.0))
DEGREES = 95.0
# Side of a view, px.
SIDE = 640
# Two boxes of one label are one object when they share so much of what they cover of the sphere; one that a view's edge
# cuts when so much of it lies in the other; one of another view when so much of the smaller does: far off its axis a
# view stretches what it shows, and the box with it. (Within one view the detector has told them apart.)
SAME, PART, WITHIN = 0.5, 0.6, 0.85
# A box this near to a view's edge, px, is cut by it.
EDGE = 4
# Cells of the sphere that boxes are compared on, a side.
CELLS = 96


@dataclass(frozen=True, eq=False)
class _Seen:
    detection: Detection
    cells: np.ndarray
    cut: bool
    view: int


def detection_views(projection: Projection) -> tuple[Turned, ...]:
    """The views that look into what an eye shows; a narrow flat eye needs none."""
    if isinstance(projection, Flat):
        return ()
    return tuple(Turned(Flat(DEGREES, DEGREES), yaw, pitch) for yaw, pitch in AXES)


def detect_in_views(detector: Detector, image: np.ndarray, projection: Projection, side: int = SIDE) -> list[Detection]:
    """What a detector finds in an eye, seen through flat views.

    One object in several views is one detection: of boxes that cover the same part of the sphere the surest one is
    kept, and a whole one before one that the edge of a view cuts; parts of something larger than a view are joined.

    Args:
        detector: takes a flat picture.
        image: uint8 [H, W, 3], RGB, the eye.
        projection: of the eye.
        side: px of each view.

    Returns:
        Detections with boxes in px of the eye, best first: each box holds all that its object's box in the view shows.
    """
    views = detection_views(projection)
    if not views:
        return detector(image)
    size = image.shape[0], image.shape[1]
    found: list[_Seen] = []
    for number, view in enumerate(views):
        looked = resampling(projection, size, view, (side, side)).image(image)
        for item in detector(np.ascontiguousarray(looked)):
            seen = _placed(item, number, view, side, projection, size)
            if seen is not None:
                found.append(seen)
    kept: list[_Seen] = []
    for one in sorted(found, key=lambda seen: (seen.cut, -seen.detection.score)):
        same = max(
            (n for n, other in enumerate(kept) if _same(one, other)), key=lambda n: _share(one, kept[n]), default=None
        )
        if same is None:
            kept.append(one)
        elif one.cut and kept[same].cut:
            kept[same] = _joined(kept[same], one)
    return sorted((seen.detection for seen in kept), key=lambda item: -item.score)


def box_to_eye(box: Box, view: Projection, side: int, projection: Projection, size: tuple[int, int]) -> Box | None:
    """The box in an eye of (H, W) px that holds a box of a view of `side` px; None where the eye doesn't show it."""
    return box_around(from_pixels(view, points_in(box), (side, side)), projection, size)


@lru_cache(maxsize=4)
def _cells(projection: Projection) -> tuple[np.ndarray, np.ndarray]:
    """Directions of the cells of an eye, and the part of the sphere that each stands for."""
    directions = pixel_directions(projection, (CELLS, CELLS))
    across = np.gradient(directions, axis=1)
    down = np.gradient(directions, axis=0)
    area = np.linalg.norm(np.cross(across, down), axis=-1).astype(np.float32)
    return directions, area


def _placed(
    item: Detection, number: int, view: Turned, side: int, projection: Projection, size: tuple[int, int]
) -> _Seen | None:
    box = box_to_eye(item.box, view, side, projection, size)
    if box is None:
        return None
    directions, area = _cells(projection)
    at, seen = to_pixels(view, directions, (side, side))
    x1, y1, x2, y2 = item.box
    inside = seen & (at[..., 0] + 0.5 >= x1) & (at[..., 0] + 0.5 < x2) & (at[..., 1] + 0.5 >= y1)
    inside &= at[..., 1] + 0.5 < y2
    cut = x1 < EDGE or y1 < EDGE or x2 > side - EDGE or y2 > side - EDGE
    return _Seen(Detection(item.label, item.score, box, item.source), area * inside, cut, number)


def _same(one: _Seen, other: _Seen) -> bool:
    if one.detection.label != other.detection.label:
        return False
    areas = float(one.cells.sum()), float(other.cells.sum())
    shared = float(np.minimum(one.cells, other.cells).sum())
    if shared == 0:
        return False
    return (
        _share(one, other) > SAME
        or (one.cut and shared > PART * areas[0])
        or (one.cut and other.cut and shared > PART * areas[1])
        or (one.view != other.view and shared > WITHIN * min(areas))
    )


def _share(one: _Seen, other: _Seen) -> float:
    """Intersection over union of what two boxes cover of the sphere."""
    union = float(np.maximum(one.cells, other.cells).sum())
    return float(np.minimum(one.cells, other.cells).sum()) / union if union else 0.0


def _joined(one: _Seen, other: _Seen) -> _Seen:
    a, b = one.detection, other.detection
    box = (*np.minimum(a.box[:2], b.box[:2]).tolist(), *np.maximum(a.box[2:], b.box[2:]).tolist())
    return _Seen(Detection(a.label, a.score, box, a.source), np.maximum(one.cells, other.cells), True, one.view)

"""The same people in both eyes: detections of two eyes brought together before anything is tracked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..extraction.detection import Box, Detection, box_iou, box_overlap
from .boxes import box_around, points_in
from .disparity import find_disparity
from .projections import Projection, from_pixels, to_pixels
from .rig import Rig

# Least agreement of two boxes, 0..1, and the share of a box's width by which a detector misses its sides.
LEAST, LOOSE = 0.4, 0.2
# The middle of a box, as shares of it from each side, where its object is rather than what is around it.
MIDDLE = 0.25
# A box that is left over and carried to the other eye is of the detection there that shares so much of the smaller of
# the two, unless that is much the smaller: a detector's box may have much around a person in one eye and not in the
# other.
PART, MUCH_SMALLER = 0.7, 0.2
BOTH, LEFT, RIGHT = "both", "left", "right"


@dataclass(frozen=True)
class Pair:
    """One object in both eyes.

    Attributes:
        left, right: its detection in each eye, boxes in px of the eye.
        seen: BOTH, or the eye whose detector found it: LEFT or RIGHT; the other box was carried over by disparity.
    """

    left: Detection
    right: Detection
    seen: str


def associate(
    rig: Rig, left: np.ndarray, right: np.ndarray, in_left: Sequence[Detection], in_right: Sequence[Detection]
) -> tuple[list[Pair], list[Detection]]:
    """Bring the detections of two eyes together, so that both have the same objects in the same order.

    Two boxes are of one object when they cover the same rows of the picture worked in, are about as wide, and their
    sides lie apart by what the lenses allow; the best pairs are taken first. A box that is left over is carried to the
    other eye by the disparity in its middle: there it is of the box that it lies in or that lies in it, or a new one.

    Args:
        left, right: uint8 [H, W, 3], RGB, the eyes.
        in_left, in_right: detections, boxes in px of the eye.

    Returns:
        The pairs, best score first, and the detections that can't be carried over: nothing in them was matched, or
        their place is outside the other eye's picture.
    """
    size = left.shape[0], left.shape[1]
    boxes = [
        [_to_working(rig, lens, item.box, size) for item in found]
        for lens, found in zip(rig.lenses, (in_left, in_right), strict=True)
    ]
    scores = np.array([
        [_likeness(rig, a, b) if one.label == other.label else 0.0 for b, other in zip(boxes[1], in_right, strict=True)]
        for a, one in zip(boxes[0], in_left, strict=True)
    ]).reshape(len(in_left), len(in_right))  # fmt: skip
    pairs: list[Pair] = []
    free_left, free_right = set(range(len(in_left))), set(range(len(in_right)))
    while scores.size and scores.max() >= LEAST:
        i, j = divmod(int(scores.argmax()), len(in_right))
        pairs.append(Pair(in_left[i], in_right[j], BOTH))
        scores[i], scores[:, j] = 0, 0
        free_left.discard(i)
        free_right.discard(j)
    alone: list[Detection] = []
    if free_left or free_right:
        one, other = rig.to_working(size, right=False).image(left), rig.to_working(size, right=True).image(right)
        disparity = find_disparity(rig, one, other)
        lens, other_lens = rig.lenses
        for items, places, free, seen, field, valid, lenses in (
            (in_left, boxes[0], free_left, LEFT, -disparity.left, disparity.left_valid, (lens, other_lens)),
            (in_right, boxes[1], free_right, RIGHT, disparity.right, disparity.right_valid, (other_lens, lens)),
        ):
            for n in sorted(free):
                box = _carried(rig, lenses, items[n].box, places[n], field, valid, size)
                match = None if box is None or seen == RIGHT else _loosely(items[n].label, box, in_right, free_right)
                if box is None:
                    alone.append(items[n])
                elif match is not None:
                    pairs.append(Pair(items[n], in_right[match], BOTH))
                    free_right.discard(match)
                else:
                    other = replace(items[n], box=box)
                    pairs.append(Pair(items[n], other, seen) if seen == LEFT else Pair(other, items[n], seen))
    return sorted(pairs, key=lambda pair: -max(pair.left.score, pair.right.score)), alone


def _loosely(label: str, box: Box, found: Sequence[Detection], free: set[int]) -> int | None:
    """Which of the free detections most lies in a box that was carried to its eye, or has it in it; None: none does."""
    shares = {n: box_overlap(box, found[n].box) / min(found[n].area, (box[2] - box[0]) * (box[3] - box[1]))
              for n in free if found[n].label == label and box_iou(box, found[n].box) > MUCH_SMALLER}  # fmt: skip
    best = max(shares, key=lambda n: shares[n], default=None)
    return best if best is not None and shares[best] > PART else None


def _to_working(rig: Rig, lens: Projection, box: Box, size: tuple[int, int]) -> Box | None:
    """The box of the picture worked in around a box of an eye."""
    return box_around(from_pixels(lens, points_in(box), size), rig.cassini, rig.working_size)


def _likeness(rig: Rig, a: Box | None, b: Box | None) -> float:
    """0..1: how far two boxes of the picture worked in can be one object's; 0 where they lie impossibly apart."""
    if a is None or b is None:
        return 0.0
    rows = min(a[3], b[3]) - max(a[1], b[1])
    height = max(a[3], b[3]) - min(a[1], b[1])
    widths = a[2] - a[0], b[2] - b[0]
    if rows <= 0:
        return 0.0
    least, most = rig.bounds
    slack = LOOSE * max(widths) + 2
    shift = (a[0] + a[2] - b[0] - b[2]) / 2
    if not least - slack <= shift <= most + slack:
        return 0.0
    return float(rows / height * min(widths) / max(widths))


def _carried(
    rig: Rig,
    lenses: tuple[Projection, Projection],
    box: Box,
    place: Box | None,
    way: np.ndarray,
    valid: np.ndarray,
    size: tuple[int, int],
) -> Box | None:
    """A box of one eye in the other, moved by what was matched in the middle of its `place`, the same in Cassini.

    `lenses` are its own and the other's.
    """
    if place is None:
        return None
    corners = np.array([place[:2], place[2:]])
    inset = MIDDLE * (corners[1] - corners[0])
    x0, y0 = np.floor(corners[0] + inset).astype(int)
    x1, y1 = np.ceil(corners[1] - inset).astype(int)
    part = np.s_[y0 : max(y0 + 1, y1), x0 : max(x0 + 1, x1)]
    sure = way[part][valid[part]]
    if not len(sure):
        return None
    points, _ = to_pixels(rig.cassini, from_pixels(lenses[0], points_in(box), size), rig.working_size)
    moved = from_pixels(rig.cassini, points + np.median(sure, axis=0), rig.working_size)
    return box_around(moved, lenses[1], size)

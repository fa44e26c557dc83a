"""Looking twice: the whole frame, then closely around each person, with one rule for what counts as found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from .detection import PERSON, Box, Detection, box_iou, box_overlap, grow_box

# Measured with yolox_nano on the skater clip (tests/benchmarks/detector_clips.py): .3 is where it names few
# wrong things; down to .15 only boxes at a person's feet are trusted, which finds most of the boards that .3
# misses.
THRESHOLD = 0.3
THRESHOLD_AT_FEET = 0.15
NMS_IOU = 0.45
PERSON_MARGIN = 0.35
MOST_PEOPLE = 3  # the second pass costs one inference per person


class Network(Protocol):
    """A model that finds objects in one picture.

    names: the classes it can name.
    """

    names: tuple[str, ...]

    def find(self, image: np.ndarray, least: float) -> list[Detection]:
        """Every box in uint8 [H, W, 3] RGB that scores `least` or more, in px of it and inside it, best first."""
        ...

    def describe(self) -> str:
        """What it is and what it runs on, in a sentence or two."""
        ...


class TwoPassDetector:
    """A Detector: call it with an image uint8 [H, W, 3] RGB, get detections (px of it), best first.

    The first pass sees the whole frame. The second sees each of the (at most 3 largest) people with 35 %
    margin on every side, where a board is larger in the network's input; it contributes objects only, and
    nothing that is cut by the edge of that crop. Both are merged per class by non-maximum suppression. A
    detection counts from `threshold` on, and from `threshold_at_feet` on when its box touches a foot zone:
    the lower third of a person's box, grown by 15 % of the person's height below and 15 % of the width to the
    sides.
    """

    def __init__(
        self,
        network: Network,
        threshold: float = THRESHOLD,
        threshold_at_feet: float = THRESHOLD_AT_FEET,
        second_pass: bool = True,
    ):
        self.network = network
        self.names = network.names
        self.threshold = threshold
        self.threshold_at_feet = min(threshold_at_feet, threshold)
        self.second_pass = second_pass

    def describe(self) -> str:
        """What the network is and what it runs on."""
        return self.network.describe()

    def __call__(self, image: np.ndarray) -> list[Detection]:
        size = image.shape[:2]
        found = self.detect_once(image)
        people = [item for item in found if item.label == PERSON and item.score >= self.threshold]
        people.sort(key=lambda item: -item.area)
        if self.second_pass:
            for person in people[:MOST_PEOPLE]:
                found += self._look_around(image, person.box, size)
        zones = [foot_zone(person.box) for person in people]
        return suppress(item for item in found if self._counts(item, zones))

    def detect_once(self, image: np.ndarray) -> list[Detection]:
        """One pass over the image: every box from the lower threshold on, after class-wise suppression."""
        return suppress(self.network.find(image, self.threshold_at_feet))

    def _look_around(self, image: np.ndarray, person: Box, size: tuple[int, int]) -> list[Detection]:
        x1, y1, x2, y2 = (int(round(value)) for value in grow_box(person, PERSON_MARGIN, size))
        crop = image[y1:y2, x1:x2]
        if min(crop.shape[:2]) < 8 or crop.shape[:2] == size:
            return []
        moved = []
        for item in self.detect_once(crop):
            a, b, c, d = item.box
            box = (a + x1, b + y1, c + x1, d + y1)
            if item.label != PERSON and not _is_cut(box, (x1, y1, x2, y2), size):
                moved.append(replace(item, box=box))
        return moved

    def _counts(self, item: Detection, zones: Sequence[Box]) -> bool:
        if item.score >= self.threshold:
            return True
        return item.label != PERSON and any(box_overlap(item.box, zone) > 0 for zone in zones)


def to_detections(
    boxes: np.ndarray,
    classes: np.ndarray,
    scores: np.ndarray,
    names: Sequence[str],
    size: tuple[int, int],
    source: str,
) -> list[Detection]:
    """Boxes [N, 4] (x1, y1, x2, y2 in px of an image of `size` (H, W)), class indices [N] and scores [N], best first.

    Boxes are cut to the image; what is less than a pixel wide or high is left out.
    """
    height, width = size
    boxes = boxes.clip(0, (width, height, width, height))
    return [
        Detection(names[int(classes[n])], float(scores[n]), _as_box(boxes[n]), source)
        for n in np.argsort(-scores, kind="stable")
        if (boxes[n, 2:] - boxes[n, :2] >= 1).all()
    ]


def corners(boxes: np.ndarray) -> np.ndarray:
    """x1, y1, x2, y2 [N, 4] from centre x, y, width, height [N, 4]."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def suppress(found: Iterable[Detection], iou: float = NMS_IOU) -> list[Detection]:
    """Non-maximum suppression inside each class; best score first, ties in the order given."""
    kept: list[Detection] = []
    for item in sorted(found, key=lambda item: -item.score):
        if all(item.label != other.label or box_iou(item.box, other.box) <= iou for other in kept):
            kept.append(item)
    return kept


def foot_zone(person: Box) -> Box:
    """Where a person's feet and what is under them are: the lower third of the box, 15 % wider and deeper."""
    x1, y1, x2, y2 = person
    width, height = x2 - x1, y2 - y1
    return (x1 - 0.15 * width, y2 - height / 3, x2 + 0.15 * width, y2 + 0.15 * height)


def _as_box(box: np.ndarray) -> Box:
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


def _is_cut(box: Box, crop: tuple[int, int, int, int], size: tuple[int, int], slack: float = 2.0) -> bool:
    """The box ends at an edge of the crop that is not an edge of the frame."""
    height, width = size
    return (
        (crop[0] > 0 and box[0] < crop[0] + slack)
        or (crop[1] > 0 and box[1] < crop[1] + slack)
        or (crop[2] < width and box[2] > crop[2] - slack)
        or (crop[3] < height and box[3] > crop[3] - slack)
    )

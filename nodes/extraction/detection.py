"""What a detector returns, the classes it names, and the way to and from core ComfyUI's BOUNDING_BOX."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Box = tuple[float, float, float, float]

PERSON = "person"

COCO_CLASSES = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
    *("traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog"),
    *("horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella"),
    *("handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite"),
    *("baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle"),
    *("wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange"),
    *("broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant"),
    *("bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone"),
    *("microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors"),
    *("teddy bear", "hair drier", "toothbrush"),
)

# A small detector often names a board under someone's feet as another board (measured on the skater clip:
# when the skateboard is missed, skis and snowboard are the next classes).
BOARDS = ("skateboard", "snowboard", "skis", "surfboard")
CYCLES = ("bicycle", "motorcycle")
BALLS = ("sports ball", "frisbee")
GROUPS = (BOARDS, CYCLES, BALLS)

SYNONYMS = {
    "board": "skateboard",
    "longboard": "skateboard",
    "ski": "skis",
    "bike": "bicycle",
    "bmx": "bicycle",
    "motorbike": "motorcycle",
    "ball": "sports ball",
    "football": "sports ball",
    "basketball": "sports ball",
}


class DetectionError(ValueError):
    """Boxes, or a detector's file, that can't be used; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One object in one frame.

    label: class name, or the user's own name. score: 0..1. box: (x1, y1, x2, y2) in px, x right, y down,
    x2/y2 exclusive. source: "yolox", "motion" (a proposal, not a recognised object), "user", or another's
    name.
    """

    label: str
    score: float
    box: Box
    source: str

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


Detector = Callable[[np.ndarray], list[Detection]]
"""image uint8 [H, W, 3] RGB -> the detections of that frame, best score first."""


def describe_detector(detector: Detector) -> str:
    """What a detector is and runs on, in a sentence or two, as far as it says so itself."""
    describe = getattr(detector, "describe", None)
    return describe() if describe else "a detector of the caller's own"


def same_class(label: str) -> str:
    """The detector's class name behind a user's word: "bike" -> "bicycle"; an unknown word stays as it is."""
    plain = " ".join(label.strip().lower().replace("_", " ").split())
    return SYNONYMS.get(plain, plain)


def accepted_labels(object_label: str) -> tuple[str, ...]:
    """Labels a detector may give to the wanted object: its own first, then what it is confused with.

    "skateboard" -> ("skateboard", "snowboard", "skis", "surfboard"); any other label -> that label alone.
    """
    name = same_class(object_label)
    for group in GROUPS:
        if name in group:
            return (name, *(other for other in group if other != name))
    return (name,)


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1."""
    shared = box_overlap(a, b)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def box_overlap(a: Box, b: Box) -> float:
    """Area two boxes share, px²."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)


def box_distance(a: Box, b: Box) -> float:
    """Smallest distance between two boxes in px, 0 when they touch or overlap."""
    dx = max(a[0] - b[2], b[0] - a[2], 0.0)
    dy = max(a[1] - b[3], b[1] - a[3], 0.0)
    return math.hypot(dx, dy)


def grow_box(box: Box, share: float, size: tuple[int, int]) -> Box:
    """The box with `share` of its width and height added on every side, cut to the frame `size` (H, W)."""
    dx, dy = share * (box[2] - box[0]), share * (box[3] - box[1])
    return (
        max(box[0] - dx, 0.0),
        max(box[1] - dy, 0.0),
        min(box[2] + dx, float(size[1])),
        min(box[3] + dy, float(size[0])),
    )


def from_bounding_boxes(value: Any, label: str = "object") -> list[list[Detection]]:
    """Core ComfyUI's BOUNDING_BOX as detections per frame.

    Args:
        value: one dict {x, y, width, height, label?, score?} (px), a list of them (both: one frame),
            or a list of lists (one per frame).
        label: name for boxes that carry none.

    Returns:
        One list of detections per frame, source "user" or the box's metadata["source"].

    Raises:
        DetectionError: not such a structure, a value that is no finite number, or a box without area.
    """
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise DetectionError(f"Bounding boxes must be a dict or a list, not {type(value).__name__}.")
    frames = value if value and not isinstance(value[0], dict) else [value]
    found: list[list[Detection]] = []
    for index, boxes in enumerate(frames):
        if isinstance(boxes, dict) or not isinstance(boxes, Sequence):
            raise DetectionError(f"Bounding boxes of frame {index} must be a list, not {type(boxes).__name__}.")
        found.append([_from_dict(box, label, index) for box in boxes])
    return found


def _from_dict(box: Any, label: str, frame: int) -> Detection:
    if not isinstance(box, dict):
        raise DetectionError(f"A bounding box of frame {frame} is {type(box).__name__}, not a dict: {box!r}.")
    try:
        x, y, width, height = (float(box[key]) for key in ("x", "y", "width", "height"))
        score = float(box.get("score", 1.0))
    except (KeyError, TypeError, ValueError) as error:
        raise DetectionError(f"A bounding box of frame {frame} needs x, y, width, height: {box!r}.") from error
    if not all(map(math.isfinite, (x, y, width, height, score))) or width <= 0 or height <= 0:
        raise DetectionError(f"A bounding box of frame {frame} has no area or isn't finite: {box!r}.")
    metadata = box.get("metadata")
    source = metadata.get("source", "user") if isinstance(metadata, dict) else "user"
    name = str(box.get("label") or label)
    return Detection(name, score, (x, y, x + width, y + height), str(source))


def to_bounding_boxes(frames: Iterable[Iterable[Detection]]) -> list[list[dict[str, Any]]]:
    """Detections as BOUNDING_BOX: per frame a list of {x, y, width, height, label, score, metadata}."""
    return [
        [
            {
                "x": found.box[0],
                "y": found.box[1],
                "width": found.width,
                "height": found.height,
                "label": found.label,
                "score": found.score,
                "metadata": {"source": found.source},
            }
            for found in frame
        ]
        for frame in frames
    ]

"""YOLOX object detection from a local .onnx file: own decoder, and a second look around each person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from .detection import (
    COCO_CLASSES,
    PERSON,
    Box,
    Detection,
    DetectionError,
    box_iou,
    box_overlap,
    grow_box,
)
from .onnx_runtime import installed_runtime, open_session

SOURCE = "yolox"
STRIDES = (8, 16, 32)
PAD_VALUE = 114.0  # YOLOX trains with letterbox padding of this grey

# Measured with yolox_nano on the skater clip (tests/benchmarks/detector_clips.py): .3 is where it names few
# wrong things; down to .15 only boxes at a person's feet are trusted, which finds most of the boards that .3
# misses.
THRESHOLD = 0.3
THRESHOLD_AT_FEET = 0.15
NMS_IOU = 0.45
PERSON_MARGIN = 0.35
MOST_PEOPLE = 3  # the second pass costs one inference per person


class Yolox:
    """A loaded model; call it with an image uint8 [H, W, 3] RGB, get detections (px of it), best first.

    The first pass sees the whole frame. The second sees each of the (at most 3 largest) people with 35 %
    margin on every side, where a board is larger in the network's input; it contributes objects only, and
    nothing that is cut by the edge of that crop. Both are merged per class by non-maximum suppression. A
    detection counts from `threshold` on, and from `threshold_at_feet` on when its box touches a foot zone:
    the lower third of a person's box, grown by 15 % of the person's height below and 15 % of the width to the
    sides.
    """

    def __init__(self, session, names: Sequence[str], threshold: float, at_feet: float, second_pass: bool):
        self._session = session
        self._input = session.get_inputs()[0].name
        height, width = session.get_inputs()[0].shape[2:]
        self.input_size: tuple[int, int] = (int(height), int(width))
        self.names = tuple(names)
        self.threshold = threshold
        self.threshold_at_feet = min(at_feet, threshold)
        self.second_pass = second_pass
        self._grid, self._stride = _grid(self.input_size)
        self._decoded = self._boxes_are_decoded()

    @property
    def providers(self) -> tuple[str, ...]:
        """What the session really runs on: onnxruntime drops a provider whose libraries it can't load."""
        return tuple(self._session.get_providers())

    def describe(self) -> str:
        """One plain text for a report: the input size, the device in use, the installed runtime."""
        height, width = self.input_size
        used = self.providers[0].removesuffix("ExecutionProvider")
        return f"YOLOX {width}x{height}, {len(self.names)} classes, on {used}. {installed_runtime().describe()}"

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
        tensor, scale = letterbox(image, self.input_size)
        raw = self._session.run(None, {self._input: tensor})[0][0]
        boxes = raw[:, :4].copy() if self._decoded else decode(raw[:, :4], self._grid, self._stride)
        scores = raw[:, 4:5] * raw[:, 5:]
        rows, classes = np.nonzero(scores >= self.threshold_at_feet)
        boxes = _corners(boxes[rows]) / scale
        height, width = image.shape[:2]
        boxes = boxes.clip(0, (width, height, width, height))
        found = [
            Detection(self.names[int(kind)], float(score), _as_box(box), SOURCE)
            for box, kind, score in zip(boxes, classes, scores[rows, classes], strict=True)
            if box[2] - box[0] >= 1 and box[3] - box[1] >= 1
        ]
        return suppress(found)

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

    def _boxes_are_decoded(self) -> bool:
        """Raw centres are offsets from their cell; a built-in decoder's span the whole input."""
        height, width = self.input_size
        grey = np.full((1, 3, height, width), PAD_VALUE, np.float32)
        outputs = self._session.run(None, {self._input: grey})
        _check_output([output.shape for output in outputs], len(self._stride), len(self.names))
        return float(outputs[0][0, :, :2].max()) > max(height, width) / 2


def load_yolox(
    path: str | Path,
    names: Sequence[str] = COCO_CLASSES,
    threshold: float = THRESHOLD,
    threshold_at_feet: float = THRESHOLD_AT_FEET,
    second_pass: bool = True,
    threads: int | None = None,
) -> Yolox:
    """Open a YOLOX .onnx (input [1, 3, H, W] float32, output [1, H*W*21/1024, 5 + classes]) as a Detector.

    Args:
        names: class names in the model's order; COCO's 80 by default.
        threshold, threshold_at_feet: see `Yolox`; 0..1.
        second_pass: also look at each person's surroundings.
        threads: CPU threads, see `open_session`.

    Raises:
        OnnxRuntimeError: onnxruntime or the file is missing, or the file is damaged or no ONNX model.
        DetectionError: an ONNX model that is not such a YOLOX; its shapes are named.
    """
    session = open_session(path, threads)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = inputs[0].shape if inputs else []
    if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or not all(isinstance(n, int) for n in shape[2:]):
        raise DetectionError(
            f"{path} is not a YOLOX model: its input is {[item.shape for item in inputs]}, not [1, 3, height, width]."
        )
    if inputs[0].type != "tensor(float)" or any(side % STRIDES[-1] for side in shape[2:]):
        raise DetectionError(
            f"{path} is not a YOLOX model: its input is {inputs[0].type} {shape}, not float32 in multiples of 32."
        )
    cells = sum((shape[2] // stride) * (shape[3] // stride) for stride in STRIDES)
    try:
        declared = [output.shape for output in outputs]
        if all(isinstance(n, int) for n in (declared[0] if len(declared) == 1 else [None])):
            _check_output(declared, cells, len(names))
        return Yolox(session, names, threshold, threshold_at_feet, second_pass)
    except DetectionError as error:
        raise DetectionError(f"{path} is not a YOLOX model: {error}") from None


def _check_output(shapes: Sequence[Sequence[int]], cells: int, classes: int) -> None:
    want = [cells, 5 + classes]
    if len(shapes) != 1 or len(shapes[0]) != 3 or list(shapes[0][1:]) != want:
        got = ", ".join(str(list(shape)) for shape in shapes)
        raise DetectionError(f"it returns {got}, not one array [1, {cells}, {want[1]}] ({classes} classes).")


def letterbox(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """YOLOX's input from an image uint8 [H, W, 3] RGB.

    Returns:
        float32 [1, 3, h, w] BGR 0..255, the image top left and grey 114 elsewhere; the scale applied to it.
    """
    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    new = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.resize(image, new, interpolation=cv2.INTER_LINEAR)
    tensor = np.full((1, 3, *size), PAD_VALUE, np.float32)
    tensor[0, :, : new[1], : new[0]] = small[:, :, ::-1].transpose(2, 0, 1)
    return tensor, scale


def _grid(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    cells, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((x.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def decode(raw: np.ndarray, grid: np.ndarray, stride: np.ndarray) -> np.ndarray:
    """Network output [N, 4] to centre x, y, width, height [N, 4] in input px (Ge et al., "YOLOX", 2021)."""
    centre = (raw[:, :2] + grid) * stride
    return np.concatenate([centre, np.exp(np.minimum(raw[:, 2:4], 20)) * stride], axis=1)


def _corners(boxes: np.ndarray) -> np.ndarray:
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def _as_box(box: np.ndarray) -> Box:
    return float(box[0]), float(box[1]), float(box[2]), float(box[3])


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


def _is_cut(box: Box, crop: tuple[int, int, int, int], size: tuple[int, int], slack: float = 2.0) -> bool:
    """The box ends at an edge of the crop that is not an edge of the frame."""
    height, width = size
    return (
        (crop[0] > 0 and box[0] < crop[0] + slack)
        or (crop[1] > 0 and box[1] < crop[1] + slack)
        or (crop[2] < width and box[2] > crop[2] - slack)
        or (crop[3] < height and box[3] > crop[3] - slack)
    )

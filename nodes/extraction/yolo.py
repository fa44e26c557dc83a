"""YOLO object detection (ultralytics' v8, 11, 26 and their kin) from an .onnx or a .pt file, and YOLOX's .onnx."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..host import adopt_model, load_model, model_device
from .detection import COCO_CLASSES, Detection, DetectionError
from .onnx_runtime import describe_session, open_session
from .two_pass import THRESHOLD, THRESHOLD_AT_FEET, Network, TwoPassDetector, corners, to_detections
from .yolox import STRIDES, Yolox, cells

SOURCE = "yolo"
DEFAULT_SIDE = 640  # what ultralytics trains at unless it was told otherwise
PAD_VALUE = 114
# An end-to-end head lists this many boxes, best first, each x1, y1, x2, y2, score, class.
LISTED = 6
TASKS = ("detect", "segment")  # a segmenter's boxes are used, its masks are not

# Bytes that the activations of one picture need on a GPU, fp32 at 640 px, for the largest models.
WORKING_BYTES = 600 * 2**20


class Yolo:
    """A Network (see two_pass) around a function that runs the model.

    Args:
        run: float32 [1, 3, h, w], RGB in 0..1 -> the model's output, float [1, a, b]: rows of 6 (end-to-end: corner
            boxes in input px, score, class), or [4 + classes + more, cells] (centre boxes in input px, then scores).
        input_size: (H, W) px of the input, or None for one as large as the picture needs, its longer side `side`.
        side: see input_size.
        names: the classes in the model's order.
        about: what it is and runs on, for `describe`.
    """

    def __init__(
        self,
        run: Callable[[np.ndarray], np.ndarray],
        input_size: tuple[int, int] | None,
        side: int,
        names: Sequence[str],
        about: Callable[[], str],
    ):
        self._run, self._input_size, self._side, self._about = run, input_size, side, about
        self.names = tuple(names)

    def describe(self) -> str:
        """See Network."""
        return self._about()

    def find(self, image: np.ndarray, least: float) -> list[Detection]:
        """See Network."""
        tensor, scale, shift = centred(image, self._input_size, self._side)
        output = np.asarray(self._run(tensor), np.float32)[0]
        boxes, classes, scores = read_output(output, len(self.names), least)
        boxes = (boxes - (*shift, *shift)) / (*scale, *scale)
        return to_detections(boxes, classes, scores, self.names, image.shape[:2], SOURCE)


def load_detector(
    path: str | Path,
    threshold: float = THRESHOLD,
    threshold_at_feet: float = THRESHOLD_AT_FEET,
    second_pass: bool = True,
    threads: int | None = None,
    names: Sequence[str] | None = None,
) -> TwoPassDetector:
    """Open a detector file; what it is is told by its content, not by its name.

    Args:
        path: ultralytics' .pt (see checkpoint.read_checkpoint), or an .onnx: YOLO with boxes of 4 + classes, YOLO
            with an end-to-end head, or YOLOX.
        threshold, threshold_at_feet, second_pass: see TwoPassDetector; the thresholds are 0..1.
        threads: CPU threads of an .onnx, see `open_session`.
        names: class names in the model's order; by default those in the file, else COCO's 80.

    Raises:
        OnnxRuntimeError: onnxruntime or the file is missing, or the file is damaged or no ONNX model.
        DetectionError: ultralytics is missing, or the file holds something else; it is named.
    """
    if Path(path).suffix.lower() == ".pt":
        network: Network = _open_checkpoint(Path(path))
    else:
        try:
            network = _open_onnx(path, open_session(path, threads), names)
        except DetectionError as error:
            raise DetectionError(f"{path} is not a detector that is known here: {error}") from None
    return TwoPassDetector(network, threshold, threshold_at_feet, second_pass)


def _open_onnx(path: str | Path, session: Any, names: Sequence[str] | None) -> Network:
    about = session.get_modelmeta().custom_metadata_map
    size = _input_size(session, about)
    kind = np.float16 if session.get_inputs()[0].type == "tensor(float16)" else np.float32
    feed = session.get_inputs()[0].name

    def run(tensor: np.ndarray) -> np.ndarray:
        return session.run(None, {feed: tensor.astype(kind, copy=False)})[0]

    declared = [output.shape for output in session.get_outputs()]
    known = all(isinstance(side, int) for side in declared[0])
    # A look at grey tells what shapes that are not written down turn out to be.
    shape = list(declared[0]) if known else list(run(np.full((1, 3, *size), PAD_VALUE / 255, np.float32)).shape)
    task = about.get("task", "detect")
    if task not in TASKS:
        raise DetectionError(f"it is a YOLO model for the task {task!r}, not for detection.")
    if len(shape) == 3 and shape[1] == cells(size) and shape[2] > LISTED - 1 and kind is np.float32:
        classes = tuple(names or COCO_CLASSES)
        if shape[2] != 5 + len(classes):
            raise DetectionError(f"it returns {shape} like a YOLOX of {shape[2] - 5} classes, not of {len(classes)}.")
        if any(side % STRIDES[-1] for side in size):
            raise DetectionError(f"its input is {list(size)}, not in multiples of {STRIDES[-1]}.")
        return Yolox(session, classes)
    classes = tuple(names or _names(about) or COCO_CLASSES)
    if not _is_yolo(shape, len(classes), task):
        raise DetectionError(
            f"it returns {', '.join(str(list(one)) for one in [shape, *declared[1:]])} for a {size[1]}x{size[0]} input "
            f"and {len(classes)} classes: neither YOLO's [1, {4 + len(classes)}, boxes], nor [1, boxes, 6] of an "
            f"end-to-end head, nor YOLOX's [1, {cells(size)}, {5 + len(classes)}]."
        )
    kind_of = "an end-to-end YOLO" if shape[2] == LISTED else "a YOLO"
    title = about.get("description", "").strip() or f"{Path(path).name}, {kind_of}"

    def describe() -> str:
        return f"{title} {size[1]}x{size[0]}, {len(classes)} classes, {describe_session(session)}"

    return Yolo(run, size, max(size), classes, describe)


def _open_checkpoint(path: Path) -> Network:
    from .yolo_checkpoint import build, read_checkpoint

    checkpoint = read_checkpoint(path)
    module = build(checkpoint, path)
    patcher = adopt_model(module)

    def run(tensor: np.ndarray) -> np.ndarray:
        import torch

        load_model(patcher, WORKING_BYTES)
        with torch.inference_mode():
            output = module(torch.from_numpy(tensor).to(model_device()))
        return (output[0] if isinstance(output, (tuple, list)) else output).float().cpu().numpy()

    def describe() -> str:
        device = model_device()
        return (
            f"{path.name}, a YOLO, {len(checkpoint.names)} classes, on {device.type.upper()} by torch and ultralytics."
        )

    return Yolo(run, None, checkpoint.side, checkpoint.names, describe)


def _input_size(session: Any, about: Mapping[str, str]) -> tuple[int, int]:
    inputs = session.get_inputs()
    shape = inputs[0].shape if inputs else []
    if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3:
        raise DetectionError(f"its input is {[item.shape for item in inputs]}, not [1, 3, height, width].")
    if inputs[0].type not in ("tensor(float)", "tensor(float16)"):
        raise DetectionError(f"its input is {inputs[0].type}, not float.")
    if not isinstance(shape[0], str) and shape[0] not in (None, 1):
        raise DetectionError(f"it takes {shape[0]} pictures at once; export it with a batch of 1.")
    if all(isinstance(side, int) for side in shape[2:]):
        return shape[2], shape[3]
    try:
        sides = ast.literal_eval(about.get("imgsz", str(DEFAULT_SIDE)))
        height, width = sides if isinstance(sides, (list, tuple)) else (sides, sides)
        return int(height), int(width)
    except (ValueError, SyntaxError, TypeError):
        raise DetectionError(f"its metadata says imgsz {about['imgsz']!r}, which is no size.") from None


def _names(about: Mapping[str, str]) -> tuple[str, ...]:
    """The classes in ultralytics' metadata, a dict or a list written out; () where there are none."""
    try:
        return in_order(ast.literal_eval(about["names"])) if "names" in about else ()
    except (ValueError, SyntaxError):
        raise DetectionError(f"its metadata names its classes {about['names']!r}, which can't be read.") from None


def in_order(names: Any) -> tuple[str, ...]:
    """Class names from {0: "person", 1: ...} or a list. Raises ValueError for anything else."""
    if isinstance(names, Mapping):
        if sorted(names) != list(range(len(names))):
            raise ValueError(f"classes are numbered {sorted(names)}")
        names = [names[n] for n in range(len(names))]
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"class names are {names!r}")
    return tuple(names)


def _is_yolo(shape: Sequence[int], classes: int, task: str) -> bool:
    if len(shape) != 3:
        return False
    if shape[2] == LISTED:
        return True
    more = shape[1] - 4 - classes
    return shape[1] < shape[2] and (more == 0 or (more > 0 and task == "segment"))


def read_output(output: np.ndarray, classes: int, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One picture's output, see Yolo: boxes [N, 4] (corners, px of it), classes [N], scores [N] from `least` on."""
    if output.shape[1] == LISTED and output.shape[0] != 4 + classes:
        kept = output[output[:, 4] >= least]
        return kept[:, :4], kept[:, 5].astype(int), kept[:, 4]
    scores = output[4 : 4 + classes].T
    rows, kinds = np.nonzero(scores >= least)
    return corners(output[:4].T[rows]), kinds, scores[rows, kinds]


def centred(
    image: np.ndarray, size: tuple[int, int] | None, side: int
) -> tuple[np.ndarray, tuple[float, float], tuple[int, int]]:
    """YOLO's input from an image uint8 [H, W, 3] RGB, as ultralytics' LetterBox makes it.

    Args:
        size: (h, w) of the input, px; None for the smallest multiple of 32 that holds the image when its longer side
            is `side`.

    Returns:
        float32 [1, 3, h, w] RGB in 0..1, the image in the middle and grey 114 around it; px of the input per px of
        the image in x and in y; the px to the left of it and above it.
    """
    height, width = image.shape[:2]
    scale = min(side / height, side / width) if size is None else min(size[0] / height, size[1] / width)
    new = max(round(width * scale), 1), max(round(height * scale), 1)
    if size is None:
        size = tuple(-(-part // STRIDES[-1]) * STRIDES[-1] for part in new[::-1])  # type: ignore[assignment]
    assert size is not None
    left, top = (size[1] - new[0]) // 2, (size[0] - new[1]) // 2
    small = image if new == (width, height) else cv2.resize(image, new, interpolation=cv2.INTER_LINEAR)
    padded = np.full((*size, 3), PAD_VALUE, np.uint8)
    padded[top : top + new[1], left : left + new[0]] = small
    tensor = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32) / 255
    return tensor, (new[0] / width, new[1] / height), (left, top)

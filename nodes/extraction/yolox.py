"""YOLOX object detection on onnxruntime, with a decoder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from .detection import Detection
from .onnx_runtime import describe_session
from .two_pass import corners, to_detections

SOURCE = "yolox"
STRIDES = (8, 16, 32)
PAD_VALUE = 114.0  # YOLOX trains with letterbox padding of this grey


class Yolox:
    """A Network (see two_pass): an open session, input [1, 3, H, W] float32, output [1, cells(H, W), 5 + classes]."""

    def __init__(self, session: Any, names: Sequence[str]):
        self._session = session
        self._input = session.get_inputs()[0].name
        height, width = session.get_inputs()[0].shape[2:]
        self.input_size: tuple[int, int] = (int(height), int(width))
        self.names = tuple(names)
        self._grid, self._stride = _grid(self.input_size)
        self._decoded = self._boxes_are_decoded()

    def describe(self) -> str:
        """The input size, the number of classes, the device in use, the installed runtime."""
        height, width = self.input_size
        return f"YOLOX {width}x{height}, {len(self.names)} classes, {describe_session(self._session)}"

    def find(self, image: np.ndarray, least: float) -> list[Detection]:
        """See Network."""
        tensor, scale = letterbox(image, self.input_size)
        raw = self._session.run(None, {self._input: tensor})[0][0]
        boxes = raw[:, :4].copy() if self._decoded else decode(raw[:, :4], self._grid, self._stride)
        scores = raw[:, 4:5] * raw[:, 5:]
        rows, classes = np.nonzero(scores >= least)
        boxes = corners(boxes[rows]) / scale
        return to_detections(boxes, classes, scores[rows, classes], self.names, image.shape[:2], SOURCE)

    def _boxes_are_decoded(self) -> bool:
        """Raw centres are offsets from their cell; a built-in decoder's span the whole input."""
        height, width = self.input_size
        grey = np.full((1, 3, height, width), PAD_VALUE, np.float32)
        return float(self._session.run(None, {self._input: grey})[0][0, :, :2].max()) > max(height, width) / 2


def cells(size: tuple[int, int]) -> int:
    """How many cells the three grids have together over an input of (H, W) px."""
    return sum((size[0] // stride) * (size[1] // stride) for stride in STRIDES)


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


def decode(raw: np.ndarray, grid: np.ndarray, stride: np.ndarray) -> np.ndarray:
    """Network output [N, 4] to centre x, y, width, height [N, 4] in input px (Ge et al., "YOLOX", 2021)."""
    centre = (raw[:, :2] + grid) * stride
    return np.concatenate([centre, np.exp(np.minimum(raw[:, 2:4], 20)) * stride], axis=1)


def _grid(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    offsets, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: size[0] // stride, : size[1] // stride]
        offsets.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((x.size, 1), stride))
    return np.concatenate(offsets).astype(np.float32), np.concatenate(strides).astype(np.float32)

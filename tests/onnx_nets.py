"""ONNX models with known answers, put together from a few operators: they find coloured squares and coloured dots.

They have the inputs and outputs of the real models, so that they go the real way through onnxruntime, the decoders and
rtmlib; what they answer can be told from the picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

# RGB of the squares, by class: each has a channel of its own, so blue is free for the ground.
SQUARES = {"person": (0, 255, 0), "skateboard": (255, 0, 0)}

SCORE = 0.875  # what the nets give to everything that they find


class Graph:
    """Collects nodes and constants of an ONNX graph."""

    def __init__(self) -> None:
        self.onnx: Any = pytest.importorskip("onnx")
        self.nodes: list = []
        self.constants: list = []

    def __call__(self, operator: str, *inputs: str, outputs: int = 1, **options: Any) -> Any:
        """Add a node; returns the name of its output, or a list of names."""
        names = [f"{operator}_{len(self.nodes)}_{n}" for n in range(outputs)]
        self.nodes.append(self.onnx.helper.make_node(operator, list(inputs), names, **options))
        return names if outputs > 1 else names[0]

    def constant(self, values: Any, kind: Any = np.float32) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def save(
        self, path: Path, inputs: dict[str, list], outputs: dict[str, list], about: dict[str, str] | None = None
    ) -> Path:
        """Write the file; the last nodes' outputs get the given names, which map to their shapes."""
        helper, kind = self.onnx.helper, self.onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            path.stem,
            [helper.make_tensor_value_info(name, kind, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info(name, kind, shape) for name, shape in outputs.items()],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        for key, value in (about or {}).items():
            model.metadata_props.add(key=key, value=value)
        self.onnx.checker.check_model(model)
        self.onnx.save(model, path)
        return path


def save_yolo(path: Path, layout: str, size: tuple[int, int] = (640, 640), dynamic: bool = False) -> Path:
    """A YOLO that finds one square of each colour of SQUARES, by how much of a row or column is of that colour.

    Args:
        layout: "cells" ([1, 4 + 2, cells], as v8 and 11) or "end to end" ([1, 300, 6], as 26 and v10).
        size: (H, W) of the input, px.
        dynamic: leave the shapes open and write the size into the metadata, as ultralytics' exporter does.
    """
    net = Graph()
    height, width = size
    boxes = []
    for colour in SQUARES.values():
        # How much of a pixel is of the colour: what its channel has above the least of the three. So much of the pixel
        # is the square's where the picture was resized over an edge; grey has none.
        least = net("ReduceMin", "images", axes=[1], keepdims=1)
        own = net("Conv", "images", net.constant(np.array(colour).reshape(1, 3, 1, 1) / 255))
        mask = net("Sub", own, least)
        mask = net("Mul", mask, net("Cast", net("Greater", mask, net.constant(0.02)), to=1))
        ends = []
        for axis, count in ((2, width), (3, height)):
            profile = net("Reshape", net("ReduceMax", mask, axes=[axis], keepdims=0), net.constant([count], np.int64))
            length = net("ReduceSum", profile, net.constant([0], np.int64), keepdims=1)
            moment = net("Mul", profile, net.constant(np.arange(count) + 0.5))
            total = net("ReduceSum", moment, net.constant([0], np.int64), keepdims=1)
            centre = net("Div", total, net("Max", length, net.constant([1e-6])))
            ends.append((centre, length))
        (x, w), (y, h) = ends
        found = net("Clip", net("Mul", w, net.constant(1e3)), net.constant(0), net.constant(SCORE))
        boxes.append((x, y, w, h, found))
    rows = []
    for kind, (x, y, w, h, found) in enumerate(boxes):
        if layout == "cells":
            scores = [found if n == kind else net.constant([0]) for n in range(len(SQUARES))]
            rows.append(net("Concat", x, y, w, h, *scores, axis=0))
        else:
            half = net.constant([0.5])
            left, right = net("Sub", x, net("Mul", w, half)), net("Add", x, net("Mul", w, half))
            top, bottom = net("Sub", y, net("Mul", h, half)), net("Add", y, net("Mul", h, half))
            rows.append(net("Concat", left, top, right, bottom, found, net.constant([kind]), axis=0))
    count = sum((height // s) * (width // s) for s in (8, 16, 32)) if layout == "cells" else 300
    columns = [net("Reshape", row, net.constant([1, 6], np.int64)) for row in rows]
    table = net("Concat", *columns, net.constant(np.zeros((count - len(rows), 6))), axis=0)
    if layout == "cells":
        table = net("Transpose", table, perm=[1, 0])
    shape = [1, 6, count] if layout == "cells" else [1, count, 6]
    net.nodes.append(net.onnx.helper.make_node("Reshape", [table, net.constant(shape, np.int64)], ["output0"]))
    about = {"names": str(dict(enumerate(SQUARES))), "task": "detect", "imgsz": str(list(size))}
    if dynamic:
        return net.save(path, {"images": ["batch", 3, "height", "width"]}, {"output0": ["batch", "a", "b"]}, about)
    return net.save(path, {"images": [1, 3, height, width]}, {"output0": shape}, about)


def dot_colours() -> np.ndarray:
    """uint8 [133, 3] RGB: the colour of each keypoint's dot.

    Each has a channel at 255, and any two are at least 36 apart in some channel, so a dot's edge, mixed with black, is
    no other dot's colour.
    """
    steps = np.array(np.meshgrid(*[np.linspace(0, 255, 8)] * 3, indexing="ij")).reshape(3, -1).T.round()
    bright = steps[steps.max(axis=1) == 255]
    return bright[np.linspace(0, len(bright) - 1, 133).round().astype(int)].astype(np.uint8)


def save_pose(path: Path, size: tuple[int, int] = (384, 288), batch: int | str = "batch") -> Path:
    """A pose model with SimCC outputs: each of 133 keypoints is at the middle of the dot that has its colour.

    Args:
        size: (H, W) of the input, px.
        batch: the first dimension, a name where any number of pictures may come at once.

    The input is normalised as rtmlib does it, RGB. A keypoint without a dot scores nothing anywhere.
    """
    net = Graph()
    height, width = size
    mean, std = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
    colours = (dot_colours() - mean) / std
    # Squared distance to every colour, as a convolution: |c|^2 - 2 c.x + |x|^2; 17 grey levels are about .09.
    squares = net("ReduceSum", net("Mul", "input", "input"), net.constant([1], np.int64), keepdims=1)
    products = net("Conv", "input", net.constant(-2 * colours[:, :, None, None]))
    distance = net("Add", net("Add", products, squares), net.constant((colours**2).sum(1).reshape(1, -1, 1, 1)))
    near = net("Relu", net("Sub", net.constant(1), net("Mul", distance, net.constant(1 / 0.09))))
    outputs = []
    for axis, count, name in ((2, width, "simcc_x"), (3, height, "simcc_y")):
        profile = net("ReduceSum", near, net.constant([axis], np.int64), keepdims=0)  # [B, 133, count]
        total = net("ReduceSum", profile, net.constant([2], np.int64), keepdims=1)
        moment = net("ReduceSum", net("Mul", profile, net.constant(np.arange(count))), net.constant([2], np.int64))
        middle = net("Div", moment, net("Max", total, net.constant([1e-6])))
        # A peak of the score's height at twice the middle, as SimCC labels have two bins a pixel; 0 without a dot.
        away = net("Sub", net("Mul", middle, net.constant(2)), net.constant(np.arange(2 * count)))
        peak = net("Sub", net.constant(SCORE), net("Mul", net("Abs", away), net.constant(1e-3)))
        there = net("Cast", net("Greater", total, net.constant(0.5)), to=1)
        net.nodes.append(net.onnx.helper.make_node("Mul", [peak, there], [name]))
        outputs.append((name, [batch, 133, 2 * count]))
    return net.save(path, {"input": [batch, 3, height, width]}, dict(outputs))

"""ultralytics' .pt files, read without running anything that is pickled in them.

Such a file pickles the whole model object. Here every class in it is replaced by a stand-in that only keeps what it is
given, under torch's weights_only unpickler; out of that come the model's description, its class names and its weights.
The model itself is then built by ultralytics from the description, after each of its layers was found in a list.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .detection import DetectionError
from .yolo import DEFAULT_SIDE, in_order

if TYPE_CHECKING:
    import torch

MISSING = (
    "ultralytics is not installed, which .pt files need: run `pip install ultralytics` (AGPL-3.0), or use an .onnx"
)
NO_TORCH = "torch is not installed, which .pt files need: run `pip install torch ultralytics`, or use an .onnx file"

# What a file may name: ultralytics' layers, models, losses and settings, torch's layers, and numpy's numbers.
ALLOWED = re.compile(
    r"ultralytics\.nn\.(tasks|modules(\.\w+)?)\.\w+"
    r"|ultralytics\.(yolo\.)?utils\.((__init__|loss|tal|torch_utils)\.)?\w+"
    r"|torch\.nn\.modules\.\w+\.\w+"
    r"|numpy(\.\w+)*\.(scalar|dtype|_reconstruct|ndarray|Float64DType|Int64DType)"
    r"|_codecs\.encode"
)

# The layers of ultralytics' detectors and segmenters (v3 to v12 and 26) that only compute. Its list of all layers also
# has some that read files or fetch weights.
LAYERS = frozenset(
    "A2C2f ADown AConv Bottleneck BottleneckCSP C1 C2 C2f C2fAttn C2fCIB C2fPSA C2PSA C3 C3Ghost C3TR C3k2 C3x CBFuse "
    "CBLinear Concat Conv ConvTranspose Detect DWConv DWConvTranspose2d ELAN1 Focus GhostBottleneck GhostConv PSA "
    "RepC3 RepNCSPELAN4 SCDown SPP SPPELAN SPPF Segment Segment26 Silence v10Detect nn.BatchNorm2d nn.ConvTranspose2d "
    "nn.Identity nn.MaxPool2d nn.Upsample nn.ZeroPad2d".split()
)
HEADS = {"Detect": "DetectionModel", "v10Detect": "DetectionModel"}
HEADS |= {"Segment": "SegmentationModel", "Segment26": "SegmentationModel"}
# ultralytics evaluates this entry of a description as Python.
ACTIVATIONS = re.compile(r"(torch\.)?nn\.(SiLU|ReLU|ReLU6|LeakyReLU|Hardswish|GELU|Mish)\((inplace=True|0\.1)?\)")


@dataclass(frozen=True)
class Checkpoint:
    """What a .pt file says: the model's description, its classes in order, the side it was trained at, its weights."""

    description: dict[str, Any]
    names: tuple[str, ...]
    side: int
    weights: dict[str, torch.Tensor]


class _StandIn:
    """An object of a pickled class that is not that class: it keeps what it was made from and runs nothing."""

    def __new__(cls, *_: Any, **__: Any) -> _StandIn:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a YOLO .pt of ultralytics; neither ultralytics nor anything in the file is imported or called.

    Raises:
        DetectionError: torch is missing, the file is damaged, pickles something that is not on the list (it is named),
            or holds no detector.
    """
    try:
        import torch
    except ImportError as error:
        raise DetectionError(NO_TORCH) from error
    try:
        named = sorted(torch.serialization.get_unsafe_globals_in_checkpoint(str(path)))
    except Exception as error:  # zip, pickle and value errors of every kind: the file isn't what torch saves
        raise DetectionError(f"{path} is not a checkpoint of torch (damaged or another format?): {error}") from error
    refused = [name for name in named if not ALLOWED.fullmatch(name)]
    if refused:
        raise DetectionError(
            f"{path} was not loaded: it pickles {', '.join(refused)}, which a YOLO model has no need of, and "
            "loading that could run code"
        )
    try:
        with torch.serialization.safe_globals([(_StandIn, name) for name in named]):
            data = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # as above
        raise DetectionError(f"{path} can't be read: {str(error).splitlines()[0]}") from error
    held = data if isinstance(data, dict) else {}
    model = held.get("ema") or held.get("model")
    if not isinstance(model, _StandIn):
        raise DetectionError(f"{path} holds no model of ultralytics; a .pt of YOLO v8, 11 or 26 is needed")
    inside = vars(model)
    description = inside.get("yaml")
    if not isinstance(description, dict):
        raise DetectionError(f"{path} holds a model without a description of its layers; export it as .onnx")
    require_known_layers(description, path)
    try:
        names = in_order(inside.get("names"))
    except ValueError as error:
        raise DetectionError(f"{path} has no list of classes: {error}") from None
    asked = held.get("train_args")
    side = asked.get("imgsz") if isinstance(asked, dict) else None
    side = side if isinstance(side, int) and 32 <= side <= 4096 else DEFAULT_SIDE
    return Checkpoint(description, names, side, dict(_weights(model)))


def require_known_layers(description: Mapping[str, Any], path: Path) -> None:
    """Raise DetectionError unless a description names LAYERS with plain arguments and ends in a detector's head."""
    rows = [*description.get("backbone", ()), *description.get("head", ())]
    ends = rows[-1][2] if rows and isinstance(rows[-1], (list, tuple)) and len(rows[-1]) == 4 else "nothing"
    if ends not in HEADS:
        raise DetectionError(f"{path} is no detector: its model ends in {ends}, not in {' or '.join(HEADS)}")
    for row in rows:
        name = row[2] if isinstance(row, (list, tuple)) and len(row) == 4 else row
        if name not in LAYERS:
            raise DetectionError(f"{path} was not loaded: its model has the layer {name!r}, which is not on the list")
        if not _is_plain(row):
            raise DetectionError(
                f"{path} was not loaded: the layer {name} has arguments that are no numbers: {row[3]!r}"
            )
    activation = description.get("activation")
    if activation is not None and not (isinstance(activation, str) and ACTIVATIONS.fullmatch(activation)):
        raise DetectionError(f"{path} was not loaded: its activation {activation!r} is not one that is known")


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str))


def _weights(module: Any, prefix: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """The state dict of a module of stand-ins."""
    inside = vars(module)
    passing = inside.get("_non_persistent_buffers_set") or ()
    for kind in ("_parameters", "_buffers"):
        for name, tensor in (inside.get(kind) or {}).items():
            if tensor is not None and name not in passing:
                yield prefix + name, tensor
    for name, child in (inside.get("_modules") or {}).items():
        if isinstance(child, _StandIn):
            yield from _weights(child, f"{prefix}{name}.")


def build(checkpoint: Checkpoint, path: Path) -> torch.nn.Module:
    """The model, ready to infer: float32 [1, 3, h, w], RGB in 0..1 -> the output that `yolo.Yolo` reads, and more.

    Raises:
        DetectionError: ultralytics is missing, or the weights don't fit what it builds.
    """
    tasks = _ultralytics_tasks()
    head = checkpoint.description["head"][-1][2]
    try:
        model = getattr(tasks, HEADS[head])(deepcopy(checkpoint.description), nc=len(checkpoint.names), verbose=False)
        model.load_state_dict(checkpoint.weights, strict=True)
    except Exception as error:  # the description of another release can fail in any layer's constructor
        version = sys.modules["ultralytics"].__version__
        reason = " ".join(str(error).split())[:300]
        raise DetectionError(
            f"{path} does not fit the model that ultralytics {version} builds from its description; update "
            f"ultralytics, or export the file as .onnx: {reason}"
        ) from error
    model.eval().requires_grad_(False)
    model.fuse(verbose=False)
    # The head keeps its grid from one call to the next in plain attributes, which ComfyUI doesn't move with the model.
    model.model[-1].dynamic = True
    return model


def _ultralytics_tasks() -> Any:
    """The module with ultralytics' models. Its import asks the network and writes settings, unless told not to."""
    try:
        with _offline():
            import ultralytics.nn.tasks as tasks
    except ImportError as error:
        raise DetectionError(MISSING) from error
    return tasks


@contextmanager
def _offline() -> Iterator[None]:
    """For the first import of ultralytics in a process: no look at the network, settings in a folder that goes again.

    It looks these variables up at its import only, and sets some of its own. Where another pack has imported it before,
    nothing happens here.
    """
    before, muted = dict(os.environ), logging.root.manager.disable
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(YOLO_OFFLINE="true", YOLO_CONFIG_DIR=folder)
        logging.disable(logging.INFO)  # it would tell where it made settings, a folder that is gone by then
        try:
            yield
        finally:
            logging.disable(muted)
            for name in {*os.environ} - {*before}:
                del os.environ[name]
            os.environ.update(before)

"""DWPose and RTMW whole-body pose models from local .onnx files, through rtmlib's preparation and decoding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..host import check_cancelled
from ..media.pose import KEYPOINTS
from .detection import Box
from .onnx_runtime import describe_session, open_session

MISSING = (
    "rtmlib is not installed, which poses need: run `pip install --no-deps rtmlib` (with its dependencies it would "
    "bring the CPU build of onnxruntime)"
)

# ImageNet's, which the models were trained with; RGB.
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


class PoseModelError(RuntimeError):
    """rtmlib is missing, or a file is no whole-body pose model; the message is one sentence for the user."""


class PoseModel:
    """An open model; call it with crops from `prepare`, any number at once.

    Raises:
        PoseModelError: rtmlib is missing, or the file is no model of 133 points with SimCC outputs.
        OnnxRuntimeError: see open_session.
    """

    def __init__(self, path: str | Path, threads: int | None = None):
        rtmpose = _rtmpose()
        self._session = open_session(path, threads)
        self.name = Path(path).name
        self.batch, size = _check(self._session, self.name)
        self.input_size = size

        class LocalRTMPose(rtmpose):
            """rtmlib's, without its constructor, which would fetch a missing file and open a session of its own."""

            def __init__(self, session: Any):
                self.session, self.backend, self.device = session, "onnxruntime", "cpu"
                self.model_input_size, self.mean, self.std = size[::-1], MEAN, DEVIATION
                self.to_openpose = False

        self._model = LocalRTMPose(self._session)

    def describe(self) -> str:
        """The file, its input, rtmlib's version, the device in use and the runtime."""
        from importlib.metadata import version

        height, width = self.input_size
        about = f"{self.name} ({width}x{height}, {KEYPOINTS} points) by rtmlib {version('rtmlib')}"
        return f"{about}, {describe_session(self._session)}"

    def prepare(self, image: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A person cut out of uint8 [H, W, 3] RGB: rtmlib's crop, a quarter wider and higher than the box (px).

        The models were trained on RGB. rtmlib's own examples give them OpenCV's BGR; it passes through what it gets.

        Returns:
            float32 [3, h, w], the crop's centre (x, y) and its width and height, px of the image.
        """
        crop, centre, scale = self._model.preprocess(image, list(box))
        return crop.transpose(2, 0, 1).astype(np.float32), centre, scale

    def __call__(self, crops: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
        """float32 [B, 133, 3] in COCO-WholeBody order: x, y px of the image, score 0..1 (0: nowhere)."""
        found = []
        # A processor gains nothing by several at once, and would be deaf to a cancel meanwhile.
        alone = self._session.get_providers()[0] == "CPUExecutionProvider"
        step = self.batch or (1 if alone else max(len(crops), 1))
        for start in range(0, len(crops), step):
            check_cancelled()
            part = crops[start : start + step]
            stacked = np.stack([crop for crop, _, _ in part])
            if self.batch:  # a model with a fixed number of pictures gets the last one repeated
                stacked = np.concatenate([stacked, np.repeat(stacked[-1:], self.batch - len(part), axis=0)])
            outputs = self._run(stacked)
            for n, (_, centre, scale) in enumerate(part):
                points, scores = self._model.postprocess([out[n : n + 1] for out in outputs], centre, scale)
                found.append(np.concatenate([points[0], scores[0][:, None]], axis=1))
        result = np.array(found, np.float32).reshape(-1, KEYPOINTS, 3)
        # Peaks of SimCC are no probabilities; those of models trained with a soft label can be a little above 1.
        result[..., 2] = result[..., 2].clip(0, 1)
        return result

    def _run(self, stacked: np.ndarray) -> list[np.ndarray]:
        feed = self._session.get_inputs()[0]
        kind = np.float16 if feed.type == "tensor(float16)" else np.float32
        return [np.asarray(out, np.float32) for out in self._session.run(None, {feed.name: stacked.astype(kind)})]


def _rtmpose() -> Any:
    try:
        from rtmlib import RTMPose
    except ImportError as error:
        if getattr(error, "name", "") not in ("rtmlib", None):
            raise PoseModelError(f"rtmlib can't be imported: {error}") from error
        raise PoseModelError(MISSING) from error
    return RTMPose


def _check(session: Any, name: str) -> tuple[int | None, tuple[int, int]]:
    """How many pictures it takes at once (None: any number), and its input (H, W), px."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = inputs[0].shape if len(inputs) == 1 else []
    if len(shape) != 4 or shape[1] != 3 or not all(isinstance(side, int) for side in shape[2:]):
        raise PoseModelError(f"{name} is no pose model: its input is {[item.shape for item in inputs]}")
    height, width = shape[2:]
    want = [[KEYPOINTS, 2 * width], [KEYPOINTS, 2 * height]]
    if [output.shape[1:] for output in outputs] != want:
        got = ", ".join(str(output.shape) for output in outputs)
        raise PoseModelError(
            f"{name} is no whole-body model with SimCC outputs (DWPose, RTMW): it returns {got}, not "
            f"[n, {KEYPOINTS}, {2 * width}] and [n, {KEYPOINTS}, {2 * height}]"
        )
    return (shape[0] if isinstance(shape[0], int) and shape[0] > 0 else None), (height, width)

"""A detector run over the first frames of a clip, with the camera followed between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ..host import progress
from ..media.clip import Clip
from .detection import Detection, Detector
from .motion import MotionDetector
from .stabilise import CameraEstimator
from .subjects import OBSERVED_FRAMES

OBSERVED_STEP = 2


@dataclass(slots=True)
class Observations:
    """What was detected in the first frames.

    frames: clip indices; detections: one list per frame; size: (H, W) px; camera: float64 [N, 2, 3],
    background px of the observed frame before -> this one, nan when unknown.
    """

    frames: list[int]
    detections: list[list[Detection]]
    size: tuple[int, int]
    camera: np.ndarray


def observe(clip: Clip, detector: Detector, frames: int = OBSERVED_FRAMES, step: int = OBSERVED_STEP) -> Observations:
    """Run a detector over every `step`-th of the first `frames` frames, and follow the camera between them."""
    indices: list[int] = []
    camera: list[np.ndarray] = []
    estimator = CameraEstimator()

    def images() -> Iterator[np.ndarray]:
        for frame in progress(islice(clip, frames), total=frames, label="looking for person and object"):
            if frame.index % step == 0:
                indices.append(frame.index)
                yield frame.image

    def follow(image: np.ndarray, found: Sequence[Detection]) -> None:
        motion = estimator.step(image, [item.box for item in found])
        camera.append(np.full((2, 3), np.nan) if motion is None else motion)

    detections: list[list[Detection]] = []
    if isinstance(detector, MotionDetector):
        detections = detector.over(_each(images(), lambda image: follow(image, ())))
    else:
        for image in images():
            detections.append(detector(image))
            follow(image, detections[-1])
    return Observations(indices, detections, (clip.height, clip.width), np.array(camera).reshape(-1, 2, 3))


def _each(images: Iterator[np.ndarray], look: Callable[[np.ndarray], None]) -> Iterator[np.ndarray]:
    for image in images:
        look(image)
        yield image

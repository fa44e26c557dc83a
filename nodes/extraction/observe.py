"""A detector run over the first frames of a clip, with the camera followed between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np

from ..host import progress
from ..media.clip import Clip
from .detection import Detection, Detector
from .stabilise import CameraEstimator

# Observing every second of the first 48 frames covers two seconds of most clips in under a second of work.
OBSERVED_FRAMES = 48
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
    estimator = CameraEstimator()
    unknown = np.full((2, 3), np.nan)
    seen = Observations([], [], (clip.height, clip.width), np.zeros((0, 2, 3)))
    camera: list[np.ndarray] = []
    for frame in progress(islice(clip, frames), total=frames, label="looking for person and object"):
        if frame.index % step:
            continue
        found = detector(frame.image)
        motion = estimator.step(frame.image, [item.box for item in found])
        seen.frames.append(frame.index)
        seen.detections.append(found)
        camera.append(unknown if motion is None else motion)
    seen.camera = np.array(camera).reshape(-1, 2, 3)
    return seen

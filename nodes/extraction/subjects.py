"""From a clip to the person and the object that is theirs, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import host
from ..media.clip import Clip
from ..models.catalogue import find_file, missing_model_text
from .detection import Detector, to_bounding_boxes
from .observe import OBSERVED_FRAMES, observe
from .pairing import Pairing, pair


def find_subjects(clip: Clip, detector: Detector, labels: Sequence[str], frames: int = OBSERVED_FRAMES) -> Pairing:
    """Look for the person and their object (one of `labels`) in the first `frames` frames.

    Raises:
        DetectionError: nobody, and nothing that moves, was found.
    """
    wanted = [label.strip() for label in labels if label.strip()]
    seen = observe(clip, detector, frames)
    return pair(seen.detections, wanted, seen.size, seen.camera, seen.frames)


def find_detector(name: str) -> Path:
    """The file of a detector: a path, or a name in models/detection.

    Raises:
        FileNotFoundError: it is not there; the message says where it belongs and where it comes from.
    """
    return find_file("detection", name)


def missing_detector(name: str) -> str | None:
    """What to tell a user who asks for a name that is not in models/detection; None when it is there."""
    try:
        host.find_model("detection", name)
    except FileNotFoundError:
        return missing_model_text("detection", name)
    return None


def open_detector(file: Path | None) -> Detector:
    """The detector in an .onnx file, or without one the proposals from motion.

    Raises: as `load_yolox`.
    """
    if file is None:
        from .motion import MotionDetector

        return MotionDetector()
    from .yolox import load_yolox

    return load_yolox(file)


def anchor_boxes(pairing: Pairing) -> list[list[dict[str, Any]]]:
    """The pair as core's BOUNDING_BOX: a list per frame, empty ones up to the anchor frame, which is the last."""
    found = [pairing.person] if pairing.object is None else [pairing.person, pairing.object]
    return to_bounding_boxes([*([] for _ in range(pairing.anchor)), found])


def in_words(pairing: Pairing) -> str:
    """The choice, its reasons and its warnings, a line each."""
    thing = "nobody's object" if pairing.object is None else pairing.object.label
    head = f"{pairing.person.label} and {thing} on frame {pairing.anchor}, score {pairing.score:.2f}"
    return "\n".join([head, *pairing.reasons, *(f"Warning: {warning}" for warning in pairing.warnings)])

"""From a clip to the person and the object that is theirs, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import host
from ..media.clip import Clip
from ..models.catalogue import missing_model_text
from .detection import Detector, to_bounding_boxes

if TYPE_CHECKING:
    from .pairing import Pairing

# Observing every second of the first 48 frames covers two seconds of most clips in under a second of work.
OBSERVED_FRAMES = 48

# Folders below `models` in which people keep detectors, searched in this order, and the formats of their files.
# `ultralytics` has subfolders bbox and segm where the Impact Pack is installed.
DETECTOR_FOLDERS = ("detection", "ultralytics", "yolo")
DETECTOR_SUFFIXES = (".onnx", ".pt")


def detector_choices() -> list[str]:
    """Every detector file there is, named relative to its folder: the options of a node's combo."""
    found = (name for folder in DETECTOR_FOLDERS for name in host.list_models(folder, DETECTOR_SUFFIXES))
    return list(dict.fromkeys(found))


def check_detector_choice(name: str | None, *also_allowed: str) -> bool | str:
    """For a node's validate_inputs: True for a name of `detector_choices`, one of `also_allowed`, or None (a link).

    Otherwise the sentence for the user: where the file belongs and where it comes from.
    """
    if name is None or name in also_allowed or _in_folders(name) is not None:
        return True
    return _missing(name)


def find_subjects(clip: Clip, detector: Detector, labels: Sequence[str], frames: int = OBSERVED_FRAMES) -> Pairing:
    """Look for the person and their object (one of `labels`) in the first `frames` frames.

    Raises:
        DetectionError: nobody, and nothing that moves, was found.
    """
    from .observe import observe  # here, so that a node's combo can be filled without OpenCV
    from .pairing import pair

    wanted = [label.strip() for label in labels if label.strip()]
    seen = observe(clip, detector, frames)
    return pair(seen.detections, wanted, seen.size, seen.camera, seen.frames)


def find_detector(name: str) -> Path:
    """The file of a detector: a path, or a name in one of DETECTOR_FOLDERS.

    Raises:
        FileNotFoundError: it is not there; the message says where it belongs and where it comes from.
    """
    file = Path(name) if Path(name).is_file() else _in_folders(name)
    if file is None:
        raise FileNotFoundError(_missing(name))
    return file


def _in_folders(name: str) -> Path | None:
    for folder in DETECTOR_FOLDERS:
        try:
            return host.find_model(folder, name)
        except FileNotFoundError:
            continue
    return None


def _missing(name: str) -> str:
    return missing_model_text("ultralytics" if name.endswith(".pt") else "detection", name)


def open_detector(file: Path | None) -> Detector:
    """The detector in an .onnx or .pt file, or without one the proposals from motion.

    Raises: as `load_detector`.
    """
    if file is None:
        from .motion import MotionDetector

        return MotionDetector()
    from .yolo import load_detector

    return load_detector(file)


def anchor_boxes(pairing: Pairing) -> list[list[dict[str, Any]]]:
    """The pair as core's BOUNDING_BOX: a list per frame, empty ones up to the anchor frame, which is the last."""
    found = [pairing.person] if pairing.object is None else [pairing.person, pairing.object]
    return to_bounding_boxes([*([] for _ in range(pairing.anchor)), found])


def in_words(pairing: Pairing) -> str:
    """The choice, its reasons and its warnings, a line each."""
    thing = "nobody's object" if pairing.object is None else pairing.object.label
    head = f"{pairing.person.label} and {thing} on frame {pairing.anchor}, score {pairing.score:.2f}"
    return "\n".join([head, *pairing.reasons, *(f"Warning: {warning}" for warning in pairing.warnings)])

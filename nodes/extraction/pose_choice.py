"""Which pose model is meant: a mode, a file in models/dwpose, a path; needs neither OpenCV nor a model."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

from .. import host
from ..models.catalogue import missing_model_text

FOLDER = "dwpose"
SUFFIX = ".onnx"

# rtmlib's three modes of Wholebody (0.0.16), whose files keep these names, and the DWPose files of the same size and
# input that other packs use; the first name is the one that is asked for when there is none of them.
MODES: dict[str, tuple[str, ...]] = {
    "performance": (
        "rtmw-dw-x-l_simcc-cocktail14_270e-384x288_20231122.onnx",
        "dw-ll_ucoco_384.onnx",
        "rtmw-*384x288*.onnx",
    ),
    "balanced": (
        "rtmw-dw-x-l_simcc-cocktail14_270e-256x192_20231122.onnx",
        "dw-ll_ucoco.onnx",
        "rtmw-l*256x192*.onnx",
    ),
    "lightweight": (
        "rtmw-dw-l-m_simcc-cocktail14_270e-256x192_20231122.onnx",
        "dw-[mst][mst]_ucoco.onnx",
        "rtmw-m*256x192*.onnx",
    ),
}


def pose_choices() -> list[str]:
    """The options of a node's combo: the modes, then every file in models/dwpose that isn't YOLOX, kept there too."""
    files = host.list_models(FOLDER, (SUFFIX,))
    return [*MODES, *(name for name in files if not Path(name).name.startswith("yolox"))]


def check_pose_choice(name: str | None) -> bool | str:
    """For a node's validate_inputs: True for a mode or a file that is there or None (a link), else the reason."""
    if name is None:
        return True
    try:
        find_pose_model(name, paths=False)
    except FileNotFoundError as error:
        return str(error)
    return True


def find_pose_model(name: str, paths: bool = True) -> Path:
    """The file of a mode, of a name in models/dwpose, or at a path (unless `paths` is off).

    Raises:
        FileNotFoundError: it is not there; the message says where it belongs and where it comes from.
    """
    if name not in MODES:
        if paths and Path(name).is_file():
            return Path(name)
        try:
            return host.find_model(FOLDER, name)
        except FileNotFoundError:
            raise FileNotFoundError(missing_model_text(FOLDER, name)) from None
    there = host.list_models(FOLDER, (SUFFIX,))
    for pattern in MODES[name]:
        for file in there:
            if fnmatch(Path(file).name, pattern):
                return host.find_model(FOLDER, file)
    others = [file for file in there if not Path(file).name.startswith("yolox")]
    instead = f" There is {', '.join(others)}, which can be chosen by its name." if others else ""
    raise FileNotFoundError(f"Mode {name}: {missing_model_text(FOLDER, MODES[name][0])}{instead}")

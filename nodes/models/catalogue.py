"""Every model file that a stage can use: its name, where it belongs, where it comes from, size, licence, hash.

Nothing here downloads. What is not known is None and is printed as "not known"; nothing is guessed. Sources: rtmlib
0.0.16 (`rtmlib/tools/solution/wholebody.py` and its README), sam2 1.1.0 (its README), ultralytics 8.4.190
(`ultralytics/utils/downloads.py`), Megvii's YOLOX releases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from .. import host


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file that `models get` can fetch.

    name: what it is called in its folder, which is `folder` below ComfyUI's `models`. needs: the package that reads it.
    size, sha256: of the download, in bytes and hex; None where not known; size_is_exact tells a measured size from an
    approximate one. member: `url` is a zip, and the model is this file in it.
    """

    name: str
    folder: str
    stage: str
    needs: str
    url: str
    page: str
    licence: str
    size: int | None = None
    size_is_exact: bool = False
    sha256: str | None = None
    member: str | None = None
    note: str = ""

    def size_text(self) -> str:
        if self.size is None:
            return "size not known"
        return megabytes(self.size) if self.size_is_exact else f"about {self.size / 1e6:.0f} MB"


def _yolox() -> list[ModelFile]:
    release = "https://github.com/Megvii-BaseDetection/YOLOX/releases"
    # Exact size and hash are those of a copy from YOLOX that the project's tests use; 20 and 36 MB are rounded figures
    # that this pack has always given, not measured ones.
    known = {
        "nano": (3_678_356, True, "e8af074932d4ed7e232278e3055cefcdea3edf178874a3694ae292649fb464dd"),
        "tiny": (20_000_000, False, None),
        "s": (36_000_000, False, None),
    }
    notes = {"nano": "416 px, the fastest", "tiny": "416 px"}
    files = []
    for kind in ("nano", "tiny", "s", "m", "l", "x"):
        size, exact, sha256 = known.get(kind, (None, False, None))
        name = f"yolox_{kind}.onnx"
        files.append(
            ModelFile(
                name, "detection", "detection", "onnxruntime", f"{release}/download/0.1.1rc0/{name}", release,
                "Apache-2.0", size, exact, sha256, note=f"YOLOX {kind}, COCO's 80 classes, {notes.get(kind, '640 px')}",
            )
        )  # fmt: skip
    return files


def _ultralytics() -> list[ModelFile]:
    page = "https://github.com/ultralytics/assets/releases"
    return [
        ModelFile(
            f"{name}.pt", "ultralytics", "detection", "ultralytics", f"{page}/download/v8.4.0/{name}.pt", page,
            "AGPL-3.0", note="COCO's 80 classes",
        )
        for name in ("yolov8n", "yolov8s", "yolov8m", "yolo11n", "yolo11s", "yolo11m", "yolo26n", "yolo26s", "yolo26m")
    ]  # fmt: skip


# Parameters in millions, from the sam2 README: sizes are 4 bytes (fp32) or 2 (fp16) for each.
SAM2_PARAMETERS = {"tiny": 38.9, "small": 46.0, "base_plus": 80.8, "large": 224.4}


def _sam2() -> list[ModelFile]:
    meta, kijai = "https://github.com/facebookresearch/sam2", "https://huggingface.co/Kijai/sam2-safetensors"
    files = []
    for version, stem, date in (("2.1", "sam2.1", "092824"), ("2.0", "sam2", "072824")):
        for kind, millions in SAM2_PARAMETERS.items():
            name = f"{stem}_hiera_{kind}.pt"
            url = f"https://dl.fbaipublicfiles.com/segment_anything_2/{date}/{name}"
            files.append(
                ModelFile(
                    name, "sam2", "tracking", "sam2", url, meta, "Apache-2.0", round(millions * 4e6),
                    note=f"SAM {version} {kind.replace('_', ' ')}, {millions} M parameters, fp32",
                )
            )  # fmt: skip
    for kind, millions in SAM2_PARAMETERS.items():
        name = f"sam2.1_hiera_{kind}-fp16.safetensors"
        files.append(
            ModelFile(
                name, "sam2", "tracking", "sam2", f"{kijai}/resolve/main/{name}", kijai, "Apache-2.0",
                round(millions * 2e6), note=f"SAM 2.1 {kind.replace('_', ' ')}, {millions} M parameters, fp16",
            )
        )  # fmt: skip
    for kind in SAM2_PARAMETERS:
        name = f"sam2_hiera_{kind}.safetensors"
        files.append(
            ModelFile(
                name, "sam2", "tracking", "sam2", f"{kijai}/resolve/main/{name}", kijai, "Apache-2.0",
                note=f"SAM 2.0 {kind.replace('_', ' ')}",
            )
        )  # fmt: skip
    return files


def _pose() -> list[ModelFile]:
    dwpose = "https://huggingface.co/yzd-v/DWPose"
    openmmlab, mmpose = "https://download.openmmlab.com/mmpose/v1/projects", "https://github.com/open-mmlab/mmpose"
    files = [
        ModelFile(
            "dw-ll_ucoco_384.onnx", "dwpose", "pose", "rtmlib", f"{dwpose}/resolve/main/dw-ll_ucoco_384.onnx", dwpose,
            "Apache-2.0", note="DWPose l, 384x288, the file other packs use",
        )
    ]  # fmt: skip
    zips = (
        ("rtmw/onnx_sdk/rtmw-dw-l-m_simcc-cocktail14_270e-256x192_20231122", "RTMW m, 256x192: lightweight"),
        ("rtmw/onnx_sdk/rtmw-dw-x-l_simcc-cocktail14_270e-256x192_20231122", "RTMW l, 256x192: balanced"),
        ("rtmw/onnx_sdk/rtmw-dw-x-l_simcc-cocktail14_270e-384x288_20231122", "RTMW l, 384x288: performance"),
    )
    for path, note in zips:
        files.append(
            ModelFile(
                # The name under which rtmlib keeps it.
                f"{path.rpartition('/')[2]}.onnx", "dwpose", "pose", "rtmlib", f"{openmmlab}/{path}.zip", mmpose,
                "Apache-2.0", member="end2end.onnx", note=note,
            )
        )  # fmt: skip
    return files


CATALOGUE: tuple[ModelFile, ...] = (*_yolox(), *_ultralytics(), *_sam2(), *_pose())

# Every folder below ComfyUI's `models` that a stage reads, with the endings it reads there.
FOLDERS = {
    "detection": (".onnx", ".pt"),
    "ultralytics": (".pt", ".onnx"),
    "yolo": (".pt", ".onnx"),
    "sam2": (".pt", ".safetensors"),
    "dwpose": (".onnx",),
    "matting": (".pth", ".pt", ".safetensors"),
    "vitmatte": (".safetensors", ".bin", ".pth"),
}


def find_entry(name: str, catalogue: Sequence[ModelFile] = CATALOGUE) -> ModelFile:
    """The file of that name in the catalogue.

    Raises:
        ValueError: there is none; the message has the names that are most like it.
    """
    for entry in catalogue:
        if entry.name == name:
            return entry
    like = get_close_matches(name, [entry.name for entry in catalogue], n=3, cutoff=0.4)
    hint = f"; did you mean {' or '.join(like)}?" if like else ""
    raise ValueError(f"no model file is called {name!r}{hint} (`models list` has all names)")


def find_file(folder: str, name: str) -> Path:
    """The file of a model: a path, or a name in the folders of one kind.

    Raises:
        FileNotFoundError: it is not there; the message is `missing_model_text`.
    """
    if Path(name).is_file():
        return Path(name)
    try:
        return host.find_model(folder, name)
    except FileNotFoundError:
        raise FileNotFoundError(missing_model_text(folder, name)) from None


def missing_model_text(folder: str, name: str) -> str:
    """What to tell a user whose file is not there: where it belongs, where it comes from, its size and its licence."""
    folders = host.model_folders(folder)
    looked = f"{name} is not there; it was looked for in: {', '.join(str(place) for place in folders)}."
    entry = next((item for item in CATALOGUE if item.folder == folder and item.name == Path(name).name), None)
    if entry is None:
        known = ", ".join(item.name for item in CATALOGUE if item.folder == folder)
        return f"{looked} Files known for it: {known}; `{host.command_line()} models list` says where to get them."
    into = f' --into "{folders[0]}"' if host.in_comfyui() else ""
    archive = f", a zip: the file {entry.member} in it, renamed" if entry.member else ""
    return (
        f"{looked} Get it with `{host.command_line()} models get {entry.name}{into}`, or put it into {folders[0]} "
        f"yourself, from {entry.url} ({entry.size_text()}, {entry.licence}{archive})."
    )


def megabytes(size: int) -> str:
    """A number of bytes for people, in the powers of ten in which download pages and disks are given."""
    return f"{size / 1e6:.1f} MB" if size < 1e8 else f"{size / 1e6:.0f} MB"

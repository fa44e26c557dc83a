"""Where the engine runs: inside ComfyUI (its folders, progress bar, cancel) or plainly, from a shell.

The only module outside the nodes.py files that touches ComfyUI.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def in_comfyui() -> bool:
    """True when this process is a ComfyUI server (its execution modules are loaded)."""
    return "comfy.model_management" in sys.modules


def check_cancelled() -> None:
    """Raise ComfyUI's interruption when the user pressed cancel; a shell user's Ctrl-C raises by itself."""
    if in_comfyui():
        import comfy.model_management

        comfy.model_management.throw_exception_if_processing_interrupted()


def progress(items: Iterable[T], total: int | None = None, label: str = "") -> Iterator[T]:
    """Pass `items` through, reporting each one as progress and stopping when the user cancels.

    Args:
        total: how many items are expected; None leaves the bar without an end.
        label: what is being done, in two or three words.
    """
    if in_comfyui():
        yield from _comfyui_progress(items, total)
    else:
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=label, unit="frame", leave=False, disable=None)


def _comfyui_progress(items: Iterable[T], total: int | None) -> Iterator[T]:
    import comfy.utils

    bar = comfy.utils.ProgressBar(total or 1)
    for done, item in enumerate(items, start=1):
        check_cancelled()
        yield item
        bar.update_absolute(done, max(total or 0, done))


def model_folders(kind: str) -> list[Path]:
    """Folders in which weights of one kind (`detection`, `sam2`, `dwpose`...) are looked for.

    Inside ComfyUI these are its own model paths, the user's extra paths included. Outside it is
    `$COMFYUI_PATH/models/<kind>` when that is set, and the current folder's `models/<kind>`.
    """
    if in_comfyui():
        import folder_paths

        if kind not in folder_paths.folder_names_and_paths:
            folder_paths.add_model_folder_path(kind, os.path.join(folder_paths.models_dir, kind))
        return [Path(folder) for folder in folder_paths.get_folder_paths(kind)]
    roots = [Path(os.environ["COMFYUI_PATH"])] if os.environ.get("COMFYUI_PATH") else []
    return [root / "models" / kind for root in [*roots, Path()]]


def list_models(kind: str, suffixes: tuple[str, ...]) -> list[str]:
    """File names with one of `suffixes` under the folders of `kind`, relative to them, sorted."""
    found = {
        file.relative_to(folder).as_posix()
        for folder in model_folders(kind)
        if folder.is_dir()
        for file in folder.rglob("*")
        if file.suffix.lower() in suffixes and file.is_file()
    }
    return sorted(found)


def find_model(kind: str, name: str) -> Path:
    """Full path of a weights file named relative to the folders of `kind`.

    Raises:
        FileNotFoundError: it is in none of them; the message lists where it was looked for.
    """
    folders = model_folders(kind)
    for folder in folders:
        file = folder / name
        if file.is_file() and file.resolve().is_relative_to(folder.resolve()):
            return file
    looked = ", ".join(str(folder) for folder in folders)
    raise FileNotFoundError(f"{name} is not there; it was looked for in: {looked}")

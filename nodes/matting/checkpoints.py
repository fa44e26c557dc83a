"""Where matting checkpoints are, and what to tell a user who has none."""

from __future__ import annotations

from pathlib import Path

from .. import host
from ..models.catalogue import FOLDERS

# Our own folder, and the one other matting packs have.
MATTE_FOLDERS = ("matting", "vitmatte")

# What a user is told about a file that nobody has.
KNOWN = (
    "MEMatte_ViTS_DIM.pth (117 MB, MIT by its README) and MEMatte_ViTB_DIM.pth (440 MB) are linked from "
    "https://github.com/linyiheng123/MEMatte and go into models/matting; ViTMatte (Apache-2.0) is model.safetensors of "
    "https://huggingface.co/hustvl/vitmatte-small-composition-1k (103 MB) or vitmatte-base-composition-1k (387 MB), in "
    "a folder of that name in models/vitmatte"
)


def matte_files() -> list[str]:
    """Checkpoints that are there, as "folder/name", sorted."""
    return [f"{folder}/{name}" for folder in MATTE_FOLDERS for name in host.list_models(folder, FOLDERS[folder])]


def find_matte_model(name: str) -> Path:
    """The file of a checkpoint: a path, a folder with a model.safetensors, or a name in MATTE_FOLDERS.

    Raises:
        FileNotFoundError: it is not there; the message says where it belongs and where it comes from.
    """
    given = Path(name)
    if given.is_dir() and (given / "model.safetensors").is_file():
        return given / "model.safetensors"
    if given.is_file():
        return given
    first, _, rest = name.partition("/")
    for folder in [first] if first in MATTE_FOLDERS else MATTE_FOLDERS:
        try:
            return host.find_model(folder, rest if first in MATTE_FOLDERS else name)
        except FileNotFoundError:
            continue
    looked = ", ".join(str(place) for folder in MATTE_FOLDERS for place in host.model_folders(folder))
    raise FileNotFoundError(f"{name} is not there; it was looked for in: {looked}. {KNOWN}.")


def check_matte_choice(name: str | None) -> bool | str:
    """For a node's validate_inputs: True for a file that is there or None (a link), else what to tell the user."""
    try:
        return name is None or find_matte_model(name).is_file()
    except FileNotFoundError as error:
        return str(error)

"""Where the engine runs: inside ComfyUI (its folders, progress bar, cancel) or plainly, from a shell.

The only module outside the nodes.py files that touches ComfyUI.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import torch

T = TypeVar("T")

# Pictures of a run's progress are shown this often, seconds.
PICTURE_EVERY = 0.5
# The editor drops them 0.4 s after it hears that their node begins; this long leaves it time for that.
PICTURES_GO = 1.0

# Threads that answer a widget while a workflow may be running in another one.
_aside = threading.local()


def in_comfyui() -> bool:
    """True when this process is a ComfyUI server (its execution modules are loaded)."""
    return "comfy.model_management" in sys.modules


def check_cancelled() -> None:
    """Raise ComfyUI's interruption when the user pressed cancel; a shell user's Ctrl-C raises by itself."""
    if in_comfyui() and not getattr(_aside, "active", False):
        import comfy.model_management

        comfy.model_management.throw_exception_if_processing_interrupted()


@contextmanager
def beside_the_run() -> Iterator[None]:
    """In here this thread doesn't belong to a running workflow: the user's cancel is not taken from it."""
    _aside.active = True
    try:
        yield
    finally:
        _aside.active = False


def progress(
    items: Iterable[T],
    total: int | None = None,
    label: str = "",
    picture: Callable[[], np.ndarray | None] | None = None,
) -> Iterator[T]:
    """Pass `items` through, reporting each one as progress and stopping when the user cancels.

    Args:
        total: how many items are expected; None leaves the bar without an end.
        label: what is being done, in two or three words.
        picture: gives what came of the last item, small, uint8 [H, W, 3] RGB, or None. ComfyUI's node shows it, a
            few times a second at most; a shell doesn't.
    """
    if in_comfyui():
        yield from _comfyui_progress(items, total, picture)
    else:
        from tqdm import tqdm

        yield from tqdm(items, total=total, desc=label, unit="frame", leave=False, disable=None)


def _comfyui_progress(
    items: Iterable[T], total: int | None, picture: Callable[[], np.ndarray | None] | None
) -> Iterator[T]:
    import comfy.utils
    from PIL import Image

    bar, shown_at = comfy.utils.ProgressBar(total or 1), float("-inf")
    for done, item in enumerate(items, start=1):
        check_cancelled()
        yield item
        preview, now = None, time.monotonic()
        if picture is not None and now - shown_at >= PICTURE_EVERY and (image := picture()) is not None:
            preview, shown_at = ("JPEG", Image.fromarray(image), None), now
        bar.update_absolute(done, max(total or 0, done), preview)
    if shown_at > 0:
        _take_pictures_away(bar)


def _take_pictures_away(bar: Any) -> None:
    """Have the editor drop the pictures of a node that still runs: it would show the last one, as if it were a video,
    in place of what the node gives it at the end. It drops them where a node begins, so it is told that this one does.
    """
    from comfy_execution.progress import get_progress_state
    from server import PromptServer

    server, prompt = PromptServer.instance, get_progress_state().prompt_id
    server.send_sync("progress_state", {"prompt_id": prompt, "nodes": {}}, server.client_id)
    bar.update_absolute(bar.total)  # which says that it runs
    time.sleep(PICTURES_GO)


def model_folders(kind: str) -> list[Path]:
    """Folders in which weights of one kind (`detection`, `sam2`, `dwpose`...) are looked for.

    Inside ComfyUI these are its own model paths, the user's extra paths included. Outside it they are `models/<kind>`
    of `$COMFYUI_PATH`, of the ComfyUI that this pack is installed in, of the user's cache and of the current folder.
    """
    if in_comfyui():
        import folder_paths

        if kind not in folder_paths.folder_names_and_paths:
            folder_paths.add_model_folder_path(kind, os.path.join(folder_paths.models_dir, kind))
        return [Path(folder) for folder in folder_paths.get_folder_paths(kind)]
    roots = [Path(os.environ["COMFYUI_PATH"])] if os.environ.get("COMFYUI_PATH") else []
    roots += [folder for folder in Path(__file__).absolute().parents if (folder / "comfy_extras").is_dir()]
    return [root / "models" / kind for root in dict.fromkeys([*roots, user_cache(), Path.cwd()])]


def new_model_folder(kind: str) -> Path:
    """The folder into which a newly fetched file of one kind goes: the first of `model_folders`.

    Raises:
        FileNotFoundError: COMFYUI_PATH names something that has no `models` folder.
    """
    asked = os.environ.get("COMFYUI_PATH")
    if asked and not Path(asked, "models").is_dir():
        raise FileNotFoundError(f"COMFYUI_PATH is {asked}, which has no models folder: it should name ComfyUI's folder")
    return model_folders(kind)[0]


def command_line() -> str:
    """What a user types in front of a command, such as `models list`; in ComfyUI, where nothing is installed, paths."""
    if in_comfyui():
        return f'"{sys.executable}" "{Path(__file__).absolute().parents[1]}"'
    return "python -m physics_preserver"


def user_cache() -> Path:
    """Where this program may keep files of one user: the system's cache folder, and below it a folder of its own."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "physics-preserver"


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


def model_device() -> torch.device:
    """Where models compute: ComfyUI's device, else the first CUDA GPU, else the CPU."""
    import torch

    if in_comfyui():
        import comfy.model_management

        return comfy.model_management.get_torch_device()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def adopt_model(module: torch.nn.Module) -> Any:
    """Put a module into ComfyUI's care, which loads and offloads it, and return its ModelPatcher.

    Outside ComfyUI the module is moved to `model_device` for good, and None is returned.
    """
    if not in_comfyui():
        module.to(model_device())
        return None
    import comfy.model_management
    import comfy.model_patcher

    # ComfyUI swaps this name at start, so it is looked up now.
    patcher = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    offload = comfy.model_management.unet_offload_device()
    return patcher(module, load_device=model_device(), offload_device=offload)


def load_model(patcher: Any, working_bytes: int) -> None:
    """Have an adopted model on its device, with so much memory free beside it; nothing to do outside ComfyUI."""
    if patcher is not None:
        import comfy.model_management

        comfy.model_management.load_models_gpu([patcher], memory_required=working_bytes, force_full_load=True)


def make_room(needed: int) -> None:
    """Have ComfyUI free `needed` bytes on the GPU for something that it doesn't manage; nothing outside ComfyUI."""
    if in_comfyui():
        import comfy.model_management

        comfy.model_management.free_memory(needed, comfy.model_management.get_torch_device())


def require_memory(needed: int, what: str) -> None:
    """Refuse, before it is made, an array that doesn't fit into the memory that is free now.

    Args:
        needed: bytes.
        what: the thing to be made, for the message.

    Raises:
        MemoryError: it doesn't fit; the message has both sizes. Outside ComfyUI nothing is checked.
    """
    if not in_comfyui():
        return
    import comfy.model_management
    import torch

    free = comfy.model_management.get_free_memory(torch.device("cpu"))
    if needed > free:
        raise MemoryError(
            f"{what} needs {needed / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free; use fewer or smaller frames, "
            "or an output that is a VIDEO"
        )


def to_tensor(array: np.ndarray) -> torch.Tensor:
    """An IMAGE or MASK for ComfyUI from float32 values in 0..1, where and in which type it wants them."""
    import comfy.model_management
    import torch

    dtype = getattr(comfy.model_management, "intermediate_dtype", lambda: torch.float32)()
    return torch.from_numpy(array).to(comfy.model_management.intermediate_device(), dtype)


def new_output_folder(prefix: str) -> Path:
    """A folder under ComfyUI's output that isn't there yet: "physics/clip" -> output/physics/clip_00001_.

    Raises:
        ValueError: the prefix leads out of the output folder, or names none.
    """
    import folder_paths

    if not prefix.strip() or prefix.rstrip().endswith(("/", "\\")):
        raise ValueError(f"{prefix!r} names no folder; give a name such as physics/clip")
    root = folder_paths.get_output_directory()
    if not folder_paths.is_within_directory(root, os.path.join(root, prefix)):
        raise ValueError(f"{prefix!r} leads out of ComfyUI's output folder; give a name inside it")
    parent, name, counter, _, _ = folder_paths.get_save_image_path(prefix, root)
    return Path(parent, f"{name}_{counter:05}_")


def keyed_output_folder(prefix: str, key: str) -> Path:
    """A folder under ComfyUI's output that a run finds again: "physics/clip" -> output/physics/clip_<key>.

    Raises:
        ValueError: the prefix leads out of the output folder, or names none.
    """
    import folder_paths

    if not prefix.strip() or prefix.rstrip().endswith(("/", "\\")):
        raise ValueError(f"{prefix!r} names no folder; give a name such as physics/clip")
    root = folder_paths.get_output_directory()
    folder = os.path.join(root, f"{prefix.strip()}_{key}")
    if not folder_paths.is_within_directory(root, folder):
        raise ValueError(f"{prefix!r} leads out of ComfyUI's output folder; give a name inside it")
    return Path(folder)


def in_output(file: Path) -> tuple[str, str]:
    """(name, subfolder) of a file under ComfyUI's output, as its viewer wants them."""
    import folder_paths

    return file.name, file.parent.relative_to(folder_paths.get_output_directory()).as_posix()


def named_files(text: str) -> list[Path]:
    """The files that a text on a node may name: in ComfyUI's input, in any of its model folders, or by their path."""
    import folder_paths

    folders = [folder for kind in folder_paths.folder_names_and_paths for folder in folder_paths.get_folder_paths(kind)]
    places = [text, folder_paths.get_annotated_filepath(text), *(os.path.join(folder, text) for folder in folders)]
    return [Path(place) for place in dict.fromkeys(places) if os.path.isfile(place)]


def saved_folder(name: str) -> Path:
    """A folder named relative to ComfyUI's output, or with " [input]" or " [temp]" after it to those.

    Raises:
        ValueError: the name leads out of that folder.
    """
    import folder_paths

    return Path(folder_paths.get_annotated_filepath(name.strip(), folder_paths.get_output_directory()))


def saved_folders(marker: str, depth: int = 3) -> list[str]:
    """Folders up to `depth` levels below ComfyUI's output and input that hold a file `marker`, as `saved_folder` names.

    The newest come first, as the one just made is the one that is wanted.
    """
    import folder_paths

    found = []
    for kind, root in (("output", folder_paths.get_output_directory()), ("input", folder_paths.get_input_directory())):
        for level in range(1, depth + 1):
            for file in Path(root).glob("[!.]*/" * level + marker):
                found.append((file.stat().st_mtime, f"{file.parent.relative_to(root).as_posix()} [{kind}]"))
    return [name for _, name in sorted(found, reverse=True)]


def new_temporary_file(stem: str, suffix: str) -> Path:
    """A file name of its own in ComfyUI's temporary folder, which ComfyUI empties when it starts."""
    import folder_paths

    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{stem}_{uuid.uuid4().hex[:12]}{suffix}"


def listed_file(name: str) -> Path:
    """A file that ComfyUI's loaders can name: relative to its input, or with " [output]" or " [temp]" after it.

    Raises:
        ValueError: the name leads out of that folder.
        FileNotFoundError: it isn't there.
    """
    import folder_paths

    file = Path(folder_paths.get_annotated_filepath(name))
    roots = (folder_paths.get_directory_by_type(kind) for kind in ("input", "output", "temp"))
    if not any(folder_paths.is_within_directory(root, str(file)) for root in roots):
        raise ValueError(f"{name!r} leads out of ComfyUI's folders")
    if not file.is_file():
        raise FileNotFoundError(f"{name!r} is not in ComfyUI's input folder")
    return file


def serve(path: str, answer: Callable[[dict[str, str]], bytes | dict[str, Any]]) -> None:
    """Answer GET requests at `path` of ComfyUI's server, in a thread, beside whatever runs.

    Args:
        answer: gets the query; JPEG bytes and JSON-able dicts are sent. LookupError becomes 404, other errors of the
            engine and of files 400, with the message as text.
    """
    import asyncio

    from aiohttp import web
    from server import PromptServer

    from .media.clip import ClipError

    def run(query: dict[str, str]) -> bytes | dict[str, Any]:
        with beside_the_run():
            return answer(query)

    @PromptServer.instance.routes.get(path)
    async def handle(request: web.Request) -> web.Response:
        try:
            found = await asyncio.to_thread(run, dict(request.query))
        except LookupError as error:
            return web.Response(status=404, text=f"not found: {error}")
        except (ClipError, OSError, ValueError) as error:
            return web.Response(status=400, text=str(error))
        if isinstance(found, dict):
            return web.json_response(found)
        kept = {"Cache-Control": "private, max-age=86400, immutable"}
        return web.Response(body=found, content_type="image/jpeg", headers=kept)

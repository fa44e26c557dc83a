"""Learned models of every stage: weights read from a file without unpickling, and a network put where it computes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import host

if TYPE_CHECKING:
    import torch


class CheckpointError(ValueError):
    """A file that is no checkpoint of the network, or a damaged one, said in one sentence."""


def read_tensors(file: Path, kind: str, needs: str, remedy: str) -> dict[str, torch.Tensor]:
    """The state dict in a .safetensors file or one of torch's, on the CPU; {"model": weights} is unwrapped.

    Args:
        kind: what the file should be, such as "SAM 2".
        needs: for a user without torch: who needs it, and what to install.
        remedy: for a file that can't be read: the end of the sentence.

    Raises:
        CheckpointError: the file can't be read, or holds something else than named tensors.
        ModuleNotFoundError: torch or safetensors is not installed.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{file.name} can't be read: {needs}") from error
    try:
        if file.suffix.lower() == ".safetensors":
            import safetensors.torch

            found = safetensors.torch.load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{file.name} needs the package {error.name}, which is not installed: run `pip install {error.name}`"
        ) from error
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # each format has its own: a broken zip, pickle, header or tensor
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        if "weights_only" in str(error) or "Weights only" in str(error):
            reason = "it holds something else than weights, and such files are not opened"
        size = f"{file.stat().st_size / 2**20:.1f} MB"
        raise CheckpointError(f"{file.name} ({size}) can't be read as a checkpoint: {reason}{remedy}") from error
    if isinstance(found, dict) and isinstance(found.get("model"), dict):
        found = found["model"]
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise CheckpointError(f"{file.name} is not a {kind} checkpoint: it is not a table of named tensors")
    return found


def adopt(
    net: torch.nn.Module, dtype: torch.dtype, layers: tuple[type, ...], blocks: Iterable[torch.nn.Module]
) -> tuple[torch.nn.Module, Any]:
    """Give a network its precision and its place: ComfyUI's care, or a GPU, or the CPU.

    Args:
        net: in evaluation mode.
        dtype: for the weights of `layers`, which compute under autocast; the rest stays float32. The values are those
            that autocast gives with float32 weights, in half the memory.
        blocks: of the network; cancel is looked for at each, as a whole pass may take seconds on a CPU.

    Returns:
        An outer module whose `inner` is the network (ModelPatcher sets `device` on the module it is given, which some
        networks don't let it), and ComfyUI's ModelPatcher of it, None outside ComfyUI.
    """
    import torch

    if dtype != torch.float32:
        for module in net.modules():
            if isinstance(module, layers):
                module.to(dtype)
    for block in blocks:
        block.register_forward_pre_hook(_look_for_cancel)
    net.requires_grad_(False)
    outer = torch.nn.Module()
    outer.inner = net
    return outer, host.adopt_model(outer)


def _look_for_cancel(module: torch.nn.Module, args: Any) -> None:
    host.check_cancelled()

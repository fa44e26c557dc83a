"""Learned models of every stage: weights read from a file without unpickling, and a network put where it computes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import host

if TYPE_CHECKING:
    import torch


# What a network computes in: "auto" is a half type on a GPU, which one is the network's matter, and fp32 elsewhere.
PRECISIONS = ("auto", "fp32", "fp16", "bf16")


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


def load_whole(net: torch.nn.Module, weights: Mapping[str, torch.Tensor], name: str, file: str) -> None:
    """`require_whole`, then the weights into the network.

    Raises:
        CheckpointError: see `require_whole`.
    """
    require_whole(net, weights, name, file)
    net.load_state_dict(dict(weights), strict=True)


def require_whole(net: torch.nn.Module, weights: Mapping[str, torch.Tensor], name: str, file: str) -> None:
    """Weights and network must agree in every key and every shape, in both directions; only the dtype may differ.

    A key too few would leave random numbers in the network, and one too many says that it is another network.

    Args:
        name: the network's, such as "SAM 2.1 tiny".
        file: the checkpoint's, for the message.

    Raises:
        CheckpointError: with the number of keys that differ and the first of them.
    """
    wanted = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in weights.items()}
    missing = [key for key in wanted if key not in found]
    foreign = [key for key in found if key not in wanted]
    other = [key for key in wanted if key in found and wanted[key] != found[key]]
    problems = []
    if missing:
        problems.append(f"{len(missing)} of {len(wanted)} weights are missing ({missing[0]})")
    if foreign:
        problems.append(f"{len(foreign)} weights do not belong to it ({foreign[0]})")
    if other:
        key = other[0]
        problems.append(f"{len(other)} have another shape ({key}: {found[key]} instead of {wanted[key]})")
    if problems:
        raise CheckpointError(f"{file} is not a whole {name}: {', '.join(problems)}; download it again")


def compute_type(precision: str, half: str) -> torch.dtype:
    """The type that a network's convolutions, projections and attention are computed in, on the device models have.

    Args:
        precision: one of PRECISIONS.
        half: what "auto" is on a GPU: "fp16", or "bf16", in whose place fp16 is taken on a GPU that has none.

    Raises:
        ValueError: an unknown precision.
    """
    import torch

    named = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
    if precision in named:
        return named[precision]
    if precision != "auto":
        raise ValueError(f"precision {precision!r} is unknown; it is one of {', '.join(PRECISIONS)}")
    if host.model_device().type != "cuda":
        return torch.float32
    if half == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.float16
    return named[half]


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

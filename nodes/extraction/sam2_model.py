"""SAM 2 checkpoints: found in models/sam2, recognised by their weights, loaded strictly, put on a device."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import host
from ..models.catalogue import find_file, missing_model_text
from ..models.weights import CheckpointError, adopt, compute_type, load_whole, read_tensors
from .sam2_build import build, no_random_weights, recognise

if TYPE_CHECKING:
    import torch
    from sam2.modeling.sam2_base import SAM2Base

FOLDER = "sam2"
# What "auto" is on a GPU: the sam2 package's predictor keeps its memories in bfloat16, and its benchmark runs in it.
HALF = "bf16"

# Working memory at 1024 px besides the weights, an upper estimate from the shapes in float32: the trunk's widest
# activations, and for each object the keys and values of 7 memories in memory attention.
FRAME_BYTES = 3 * 2**29
OBJECT_BYTES = 2**29


@dataclass(frozen=True)
class SAM2Model:
    """A loaded SAM 2, the socket PP_SAM2_MODEL.

    Attributes:
        name: version and size, such as "SAM 2.1 tiny".
        module: an outer module whose `inner` is the SAM2Base. (ModelPatcher sets `device` on the module it is
            given, and SAM2Base's `device` can't be set.)
        dtype: what convolutions, projections and attention are computed in; the rest stays float32.
        patcher: ComfyUI's ModelPatcher of the module, None outside ComfyUI.
        file: the checkpoint's name, "" when it was not read from a file.
    """

    name: str
    module: torch.nn.Module = field(repr=False)
    dtype: torch.dtype
    patcher: Any = field(default=None, repr=False)
    file: str = ""

    def ready(self, objects: int) -> SAM2Base:
        """The network, on its device, with room for tracking so many objects at once."""
        host.load_model(self.patcher, FRAME_BYTES + objects * OBJECT_BYTES)
        return self.module.inner  # type: ignore[return-value]


def find_sam2(name: str) -> Path:
    """The file of a checkpoint: a path, or a name in models/sam2.

    Raises:
        FileNotFoundError: it is not there; the message says where it belongs and where it comes from.
    """
    return find_file(FOLDER, name)


def check_sam2_choice(name: str | None) -> bool | str:
    """For a node's validate_inputs: True for a file in models/sam2 or None (a link), else what to tell the user."""
    try:
        return name is None or host.find_model(FOLDER, name).is_file()
    except FileNotFoundError:
        return missing_model_text(FOLDER, name or "")


def load_sam2(file: Path, precision: str = "auto") -> SAM2Model:
    """Load a SAM 2.0 or 2.1 checkpoint of any of the four sizes.

    The file is Meta's .pt, read with `weights_only`, or a .safetensors with the same keys in any float type.

    Args:
        precision: "fp32", "fp16", "bf16", or "auto": bf16 on a GPU that has it, else fp16 on a GPU, else fp32.

    Raises:
        CheckpointError: the file is damaged, is something else, or lacks weights.
        ModuleNotFoundError: torch, the sam2 package or safetensors is not installed.
        ValueError: an unknown precision.
    """
    weights = read_weights(file)
    try:
        architecture = recognise(weights)
    except CheckpointError as error:
        raise CheckpointError(f"{file.name} {error}") from None
    with no_random_weights():
        net = build(architecture)
    load_whole(net, weights, architecture.name, file.name)
    return place(net, architecture.name, precision, file.name)


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """The state dict in a .safetensors or .pt file, on the CPU; Meta's {"model": weights} is unwrapped.

    Raises:
        CheckpointError: the file can't be read, or holds something else than named tensors.
    """
    needs = "SAM 2 needs torch, which is not installed: pip install torch sam2"
    remedy = ". Download it again: `python -m physics_preserver models list` says from where"
    return read_tensors(file, "SAM 2", needs, remedy)


def place(net: SAM2Base, name: str, precision: str = "auto", file: str = "") -> SAM2Model:
    """Give a network (in evaluation mode) its precision and its place: ComfyUI's care, or a GPU, or the CPU.

    fp16 and bf16 hold the weights of convolutions and linear layers in that type and compute under autocast:
    the values are those that autocast gives with float32 weights, in half the memory.

    Raises:
        ValueError: an unknown precision.
    """
    import torch

    dtype = compute_type(precision, HALF)
    layers = (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d)
    blocks = (*net.image_encoder.trunk.blocks, *net.memory_attention.layers)
    module, patcher = adopt(net, dtype, layers, blocks)
    return SAM2Model(name, module, dtype, patcher, file)

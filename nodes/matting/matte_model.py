"""Learned matting: MEMatte and ViTMatte checkpoints, told apart by their weights, loaded strictly, and run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import host
from ..models.weights import CheckpointError, adopt, compute_type, load_whole, read_tensors
from .trimap import INSIDE, OUTSIDE

if TYPE_CHECKING:
    import torch

# RGB of 0..255. MEMatte and the original ViTMatte normalise with ImageNet's numbers, in training and in their demos.
# transformers' image processor (and the preprocessor_config.json beside its ViTMatte files) says .5 and .5 instead, but
# those weights are the authors' own with other names, so what they were trained with is used here.
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
MULTIPLE = 32

# What "auto" is on a GPU: both are trained in float32 (amp is off in both repositories), and of the two half types fp16
# is the nearer one, with steps an eighth of bf16's.
HALF = "fp16"

# Working memory in bytes for a pixel of a tile in float32, an upper estimate: MEMatte's decoder holds about 240 values
# a pixel, ViTMatte's beside it 16 heads' explicit attention, which grows with the tile's area.
PIXEL_BYTES = {"mematte": 1200, "vitmatte": 1200}
ATTENTION_BYTES = {"mematte": 0, "vitmatte": 2 * 12 * 4 / 16**4}


@dataclass(frozen=True, slots=True)
class MatteModel:
    """A loaded matting network, the socket PP_MATTE_MODEL.

    Attributes:
        kind: "mematte" or "vitmatte".
        name: kind and size, such as "MEMatte ViT-S".
        module: an outer module whose `inner` is the network. (ModelPatcher sets `device` on the module it is given,
            and that of transformers' networks can't be set.)
        dtype: what convolutions, projections and attention are computed in; the rest stays float32.
        patcher: ComfyUI's ModelPatcher of the module, None outside ComfyUI.
        file: the checkpoint's name, "" when it was not read from a file.
    """

    kind: str
    name: str
    module: torch.nn.Module = field(repr=False)
    dtype: torch.dtype
    patcher: Any = field(default=None, repr=False)
    file: str = ""

    def ready(self, tile: int) -> None:
        """Have the network on its device, with room for one tile of so many px a side."""
        host.load_model(self.patcher, self.working_bytes(tile))

    def working_bytes(self, tile: int) -> int:
        """What one tile of so many px a side takes beside the weights, an upper estimate for float32."""
        area = float(tile * tile)
        return int(PIXEL_BYTES[self.kind] * area + ATTENTION_BYTES[self.kind] * area * area)

    def solve(self, image: np.ndarray, trimap: np.ndarray, prior: np.ndarray | None = None) -> np.ndarray:
        """The raw alpha of one tile, float32 [h, w] in 0..1; known regions are not forced.

        Args:
            image: uint8 [h, w, 3] RGB; trimap: uint8 [h, w] of 0, 128, 255; prior is not used.
        """
        import torch

        device = host.model_device()
        batch = torch.from_numpy(prepared(image, trimap))[None].to(device)
        half = self.dtype != torch.float32
        with torch.inference_mode(), torch.autocast(device.type, self.dtype, enabled=half):
            out = self.module.inner(batch)  # type: ignore[operator]
        alpha = out if isinstance(out, torch.Tensor) else out.alphas
        return alpha[0, 0, : image.shape[0], : image.shape[1]].float().cpu().numpy()


def prepared(image: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    """The network's input, float32 [4, h', w']: normalised RGB, and the trimap as 0, .5, 1.

    Padded with zeros on the right and below to multiples of 32 after the normalisation: mean grey, and background.
    """
    height, width = trimap.shape
    padded = np.zeros((4, -(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE), np.float32)
    normal = (image.astype(np.float32) - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    padded[:3, :height, :width] = normal.transpose(2, 0, 1)
    padded[3, :height, :width] = np.select([trimap == OUTSIDE, trimap == INSIDE], [0.0, 1.0], 0.5)
    return padded


def load_matte_model(file: Path, precision: str = "auto") -> MatteModel:
    """Load a MEMatte checkpoint (.pth as the authors' trainer writes it, or .safetensors) or a ViTMatte one
    (model.safetensors or pytorch_model.bin of the transformers library). Which and how large is read from the weights.

    Args:
        precision: "fp32", "fp16", "bf16", or "auto": fp16 on a GPU, whose steps are finer than bf16's, else fp32.

    Raises:
        CheckpointError: the file is damaged, is something else, or lacks weights or has others.
        ModuleNotFoundError: torch, safetensors or transformers is not installed.
        ValueError: an unknown precision.
    """
    weights = read_weights(file)
    kind, name, net = _build(weights, file.name)
    load_whole(net, weights, name, file.name)
    return place(net, kind, name, precision, file.name)


def _build(weights: Mapping[str, torch.Tensor], file: str) -> tuple[str, str, torch.nn.Module]:
    import torch

    from . import mematte, vitmatte

    architecture = mematte.recognise(weights)
    about = vitmatte.recognise(weights) if architecture is None else None
    with torch.random.fork_rng(devices=[]):
        if architecture is not None:
            return "mematte", architecture.name, mematte.MEMatte(architecture)
        if about is not None:
            return "vitmatte", vitmatte.name_of(about), vitmatte.build(about)
    first = next(iter(weights), "nothing")
    raise CheckpointError(f"{file} is neither a MEMatte nor a transformers ViTMatte checkpoint: it begins with {first}")


def read_weights(file: Path) -> dict[str, torch.Tensor]:
    """The state dict in a file, on the CPU: what stands under "model" unwrapped, a training teacher left out.

    Raises:
        CheckpointError: the file can't be read, or holds something else than named tensors.
    """
    needs = "learned matting needs torch, which is not installed: pip install torch"
    found = read_tensors(file, "matting", needs, "; download it again")
    return {key: value for key, value in found.items() if not key.startswith("teacher_backbone.")}


def place(net: torch.nn.Module, kind: str, name: str, precision: str = "auto", file: str = "") -> MatteModel:
    """Give a network its precision and its place: ComfyUI's care, or a GPU, or the CPU.

    fp16 and bf16 hold the weights of convolutions and linear layers in that type and compute under autocast; the last
    layer's output becomes an alpha in float32, as a half type knows only 2048 or 256 levels of it near 1.

    Raises:
        ValueError: an unknown precision.
    """
    import torch

    dtype = compute_type(precision, HALF)
    layers = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d)
    head: Any = net.decoder
    head.matting_head.matting_convs.register_forward_hook(_in_float32)
    module, patcher = adopt(net.eval(), dtype, layers, _blocks(net, kind))
    return MatteModel(kind, name, module, dtype, patcher, file)


def _blocks(net: Any, kind: str) -> list[torch.nn.Module]:
    """What takes the time, piece by piece: the transformer's blocks and the decoder's."""
    if kind == "mematte":
        return [*net.backbone.blocks, *(block["conv"] for block in net.decoder.fusion_blks)]
    return [*net.backbone.encoder.layer, *net.decoder.fusion_blocks]


def _in_float32(module: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
    return output.float()

"""Matting networks with weights drawn from their key names, as the shared data's parity case has them, or at random."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from physics_preserver.nodes.matting import mematte, vitmatte

TINY = mematte.Architecture(width=32, head=16, depth=4, routed=(1, 3), window=3, grid=4)

TINY_VITMATTE = {
    "width": 32, "heads": 2, "layers": 4, "mlp_ratio": 4, "patch": 16, "pretrained": 64, "image": 128, "window": 3,
    "windowed": [0, 2], "whole": [1, 3], "detail": [4, 8, 16], "fused": [16, 8, 8, 4],
}  # fmt: skip


def drawn(key: str, shape: Sequence[int]) -> np.ndarray:
    """The rule of the shared data's README: a tensor from its key alone."""
    g = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    if key.endswith("running_var"):
        return 1 + 0.1 * g.random(shape)
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith("running_mean"):
        return 0.1 * g.standard_normal(shape)
    if len(shape) > 1:
        return g.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    if key.endswith("weight"):
        return 1 + 0.1 * g.standard_normal(shape)
    return 0.05 * g.standard_normal(shape)


def weights_of(shapes: Mapping[str, Sequence[int]]) -> dict[str, torch.Tensor]:
    """A state dict, float32 but for counters."""
    weights = {}
    for key, shape in shapes.items():
        value = torch.from_numpy(np.asarray(drawn(key, shape)))
        weights[key] = value if value.dtype == torch.int64 else value.float()
    return weights


def tiny_mematte() -> dict[str, torch.Tensor]:
    """The state dict of a MEMatte of two routed and two windowed blocks."""
    return weights_of({key: value.shape for key, value in mematte.MEMatte(TINY).state_dict().items()})


def tiny_vitmatte() -> dict[str, torch.Tensor]:
    """The state dict of a ViTMatte of four layers."""
    net: Any = vitmatte.build(TINY_VITMATTE)
    return weights_of({key: value.shape for key, value in net.state_dict().items()})


def vit_s(kind: str) -> torch.nn.Module:
    """A MEMatte or a ViTMatte of the published small size with the weights that it is made with."""
    return published(kind, 384)


def published(kind: str, width: int) -> torch.nn.Module:
    """A MEMatte or a ViTMatte as published: of width 384 (ViT-S) or 768 (ViT-B)."""
    if kind == "mematte":
        return mematte.MEMatte(mematte.Architecture(width, 64, 12, (2, 5, 8, 11), 14, 14)).eval()
    windowed = [n for n in range(12) if n % 3 != 2]
    about = {"width": width, "heads": width // 64, "layers": 12, "mlp_ratio": 4, "patch": 16, "pretrained": 224,
             "image": 512, "window": 14, "windowed": windowed, "whole": [2, 5, 8, 11], "detail": [48, 96, 192],
             "fused": [256, 128, 64, 32]}  # fmt: skip
    return vitmatte.build(about).eval()

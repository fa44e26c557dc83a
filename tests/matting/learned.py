"""Checkpoints of every learned model in the form users have, with random weights, and what the networks alone say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mematte_nets import TINY, TINY_VITMATTE, tiny_mematte, tiny_vitmatte
from physics_preserver.nodes.extraction import sam2_build
from physics_preserver.nodes.matting import mematte, vitmatte
from safetensors.torch import save_file
from sam2_nets import liven

# SAM 2.1 tiny sees a square of this many px in tests instead of 1024: 16 times as fast, with the same weights.
SAM2_SIDE = 256


def save_matte_model(kind: str, folder: Path) -> Path:
    """A MEMatte as its trainer writes it, or a ViTMatte as transformers does."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "mematte":
        torch.save({"model": tiny_mematte()}, folder / "mematte.pth")
        return folder / "mematte.pth"
    save_file(tiny_vitmatte(), folder / "model.safetensors")
    return folder / "model.safetensors"


def save_sam2(file: Path, seed: int = 0) -> Path:
    """A SAM 2.1 tiny as Meta writes it, whose masks change from frame to frame."""
    torch.manual_seed(seed)
    net: Any = sam2_build.build(sam2_build.Architecture("2.1", "tiny"))
    liven(net, seed)
    with torch.no_grad():  # there is an object on every frame
        net.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(1000.0)
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"model": net.state_dict()}, file)
    return file


def network_alone(kind: str) -> torch.nn.Module:
    """The network of `save_matte_model` in float32 on the CPU, put together without our loader."""
    net: Any = mematte.MEMatte(TINY) if kind == "mematte" else vitmatte.build(TINY_VITMATTE)
    net.load_state_dict(tiny_mematte() if kind == "mematte" else tiny_vitmatte())
    return net.eval()


def network_says(kind: str, image: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    """float32 [H, W]: the alpha of a whole picture in one go, as the authors feed it, known pixels as they are.

    Colours over 255 with ImageNet's mean and deviation; the trimap as 0, .5 and 1 in the fourth channel; zeros beyond
    the right and the lower edge up to a multiple of 32.
    """
    height, width = trimap.shape
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    colours = (torch.from_numpy(image) / 255 - mean) / deviation
    known = torch.from_numpy(np.select([trimap == 0, trimap == 255], [0.0, 1.0], 0.5).astype(np.float32))
    x = torch.cat([colours, known[..., None]], dim=2).permute(2, 0, 1)[None]
    x = torch.nn.functional.pad(x, (0, -width % 32, 0, -height % 32))
    with torch.inference_mode():
        found: Any = network_alone(kind)(x)
    alpha = (found if kind == "mematte" else found.alphas)[0, 0, :height, :width].float().numpy()
    return np.where(trimap == 128, alpha, trimap / np.float32(255))

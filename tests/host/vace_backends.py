"""Run by ComfyUI's Python: what core's WanVaceToVideo and WanVideoWrapper's VACE Encode make of one control.

    python vace_backends.py COMFYUI IN OUT [WRAPPER]

Each .npz of the folder IN has `images` float32 [T, H, W, 3], `masks` float32 [T, H, W] and perhaps `reference` float32
[1, H, W, 3]. Its namesake in OUT gets, for `native` and, with WRAPPER (its folder), `wrapper`: `_frames` [32, L, H / 8,
W / 8], the latents as the model is given them, and `_mask` [64, L, H / 8, W / 8]. The VAE is a stub with the real one's
shapes, causal in time, whose every latent value depends on all pixels of its block: equal latents mean equal pixels.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path

import numpy as np


def main(comfyui: str, given: str, made: str, wrapper: str | None = None) -> None:
    sys.path.insert(0, comfyui)
    from comfy.cli_args import args

    args.cpu = True  # before anything asks for a GPU
    if wrapper is not None:
        load_pack(Path(wrapper))
    for file in sorted(Path(given).glob("*.npz")):
        data = dict(np.load(file))
        out = native(data)
        if wrapper is not None:
            out |= wrapped(data)
        np.savez(Path(made, file.name), **out)  # type: ignore[arg-type]


def encode(video):
    """[C, T, H, W] in -1..1 -> [16, (T - 1) / 4 + 1, H / 8, W / 8]: frame 0 alone, then 4 by 4."""
    import torch

    groups = [video[:, :1].repeat(1, 4, 1, 1), *(video[:, t : t + 4] for t in range(1, video.shape[1], 4))]
    blocks = torch.stack(groups, dim=1).unfold(3, 8, 8).unfold(4, 8, 8)  # C, L, 4, h, w, 8, 8
    blocks = blocks.permute(1, 3, 4, 0, 2, 5, 6).flatten(3)
    mix = torch.randn(blocks.shape[-1], 16, generator=torch.Generator().manual_seed(0)) / blocks.shape[-1] ** 0.5
    return (blocks @ mix).permute(3, 0, 1, 2)


def native(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import torch
    from comfy.latent_formats import Wan21
    from comfy_extras.nodes_wan import WanVaceToVideo

    class VAE:
        """comfy.sd.VAE takes [T, H, W, 3] in 0..1 and gives latents that the model has yet to normalise."""

        def encode(self, pixels):
            return encode(pixels.movedim(-1, 0) * 2 - 1)[None]

    length, height, width = data["masks"].shape
    images, masks = torch.from_numpy(data["images"]), torch.from_numpy(data["masks"])
    reference = torch.from_numpy(data["reference"]) if "reference" in data else None
    result = WanVaceToVideo.execute([[None, {}]], [], VAE(), width, height, length, 1, 1.0, images, masks, reference)
    positive, _, latent, trim = result.result
    frames = positive[0][1]["vace_frames"][0]
    # WAN21_Vace.extra_conds in comfy/model_base.py: each 16 channels are normalised when the model is given them.
    frames = torch.cat([Wan21().process_in(frames[:, n : n + 16]) for n in (0, 16)], dim=1)
    return {
        "native_frames": frames[0].numpy(),
        "native_mask": positive[0][1]["vace_mask"][0][0].numpy(),
        "native_latent": np.array(latent["samples"].shape),
        "native_trim": np.array(trim),
    }


def wrapped(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import torch
    from comfy.latent_formats import Wan21

    class VAE:
        """WanVideoWrapper's takes [C, T, H, W] in -1..1, one by one, and normalises."""

        dtype = torch.float32

        def to(self, device):
            return self

        def encode(self, videos, device, tiled):
            return torch.stack([Wan21().process_in(encode(video)[None])[0] for video in videos])

    length, height, width = data["masks"].shape
    images, masks = torch.from_numpy(data["images"]), torch.from_numpy(data["masks"])
    reference = torch.from_numpy(data["reference"]) if "reference" in data else None
    node = sys.modules["pack.nodes"].WanVideoVACEEncode()
    (embeds,) = node.process(VAE(), width, height, length, 1.0, 0.0, 1.0, images, reference, masks)
    context = embeds["vace_context"][0]
    return {
        "wrapper_frames": context[:32].numpy(),
        "wrapper_mask": context[32:].numpy(),
        "wrapper_latent": np.array(embeds["target_shape"]),
        "wrapper_has_ref": np.array(embeds["has_ref"]),
    }


def load_pack(folder: Path) -> None:
    """Import a custom node pack as ComfyUI does, by its path, under the name "pack"."""
    import server

    import nodes  # noqa: F401  core's, which packs take for granted

    server.PromptServer(asyncio.new_event_loop())  # packs add routes to it
    spec = importlib.util.spec_from_file_location(
        "pack", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["pack"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Run by ComfyUI's Python: save a tiny Wan VACE and a tiny Wan VAE with random weights, for ComfyUI's own loaders.

The classes are ComfyUI's, so its loaders find out from the state dicts alone what they are.

    python tiny_wan_weights.py COMFYUI_FOLDER DIFFUSION_MODEL.safetensors VAE.safetensors
"""

import sys
from pathlib import Path


def main(comfyui: str, model_file: str, vae_file: str) -> None:
    sys.path.insert(0, comfyui)
    sys.argv = [sys.argv[0], "--cpu"]  # ComfyUI reads them while it is imported
    import comfy.options

    comfy.options.enable_args_parsing()
    import comfy.ops
    from comfy.ldm.wan.model import VaceWanModel
    from comfy.ldm.wan.vae import WanVAE
    from safetensors.torch import save_file

    # Heads are 128 wide and text 4096 wide in every Wan; 96 channels of control are 32 of two latents, 64 of the mask.
    vace = VaceWanModel(
        **{"dim": 256, "ffn_dim": 256, "num_heads": 2, "num_layers": 2, "vace_layers": 1, "vace_in_dim": 96},
        operations=comfy.ops.disable_weight_init,
    )
    vae = WanVAE(dim=16, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, temperal_downsample=[False, True, True])
    for net, file in ((vace, model_file), (vae, vae_file)):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        save_file(random_weights(net), file)


def random_weights(net):
    """The state dict with weights that keep a signal's size, biases of 0 and scales of norms of 1; always the same."""
    import torch

    random = torch.Generator().manual_seed(0)
    weights = {}
    for name, value in net.state_dict().items():
        if "norm" in name or name.endswith("gamma"):
            weights[name] = torch.zeros_like(value) if name.endswith("bias") else torch.ones_like(value)
        elif name.endswith("bias"):
            weights[name] = torch.zeros_like(value)
        else:
            numbers = torch.randn(value.shape, generator=random)
            weights[name] = numbers / max(1, value[0].numel()) ** 0.5
    return weights


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Random Wan VACE and VAE weights of a few MB in a test server's model folders, and the graph that runs them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from comfyui import PACK, find_comfyui, python_of
from graphs import Graph, node

MODEL = "tiny_vace.safetensors"
VAE = "tiny_wan_vae.safetensors"


def save_tiny_wan(models: Path) -> None:
    """Put MODEL and VAE, always the same, into a ComfyUI's models folder; ComfyUI's own loaders read them."""
    comfyui = find_comfyui()
    if comfyui is None:
        raise FileNotFoundError("no ComfyUI here: COMFYUI_PATH can name one")
    files = (models / "diffusion_models" / MODEL, models / "vae" / VAE)
    if all(file.exists() for file in files):
        return
    script = PACK / "tests" / "host" / "tiny_wan_weights.py"
    subprocess.run([str(python_of(comfyui)), "-B", str(script), str(comfyui), *map(str, files)], check=True)


def loaders() -> Graph:
    """Nodes "model", "vae", "positive" and "negative": what comes of a Wan's loaders and text encoder."""
    return {
        "model": node("UNETLoader", unet_name=MODEL, weight_dtype="default"),
        "vae": node("VAELoader", vae_name=VAE),
        "positive": node("TEST_RandomConditioning", seed=1),
        "negative": node("TEST_RandomConditioning", seed=2),
    }


def generate(control: str, steps: int = 1, seed: int = 0, reference: bool = False, **sampling: Any) -> Graph:
    """`loaders`, and nodes "vace", "sampler", "trim" and "decoded" (IMAGE), from the VACE Control node `control`."""
    sizes = {name: [control, output] for name, output in (("width", 2), ("height", 3), ("length", 4))}
    conditions = {"positive": ["positive", 0], "negative": ["negative", 0], "vae": ["vae", 0]}
    shown = {"control_video": [control, 0], "control_masks": [control, 1]}
    if reference:
        shown["reference_image"] = [control, 7]
    choices = {"seed": seed, "steps": steps, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    return {
        **loaders(),
        "vace": node("WanVaceToVideo", **conditions, **sizes, **shown, batch_size=1, strength=1.0),
        "sampler": node(
            "KSampler",
            **{"model": ["model", 0], "positive": ["vace", 0], "negative": ["vace", 1], "latent_image": ["vace", 2]},
            **{**choices, **sampling},
        ),
        "trim": node("TrimVideoLatent", samples=["sampler", 0], trim_amount=["vace", 3]),
        "decoded": node("VAEDecode", samples=["trim", 0], vae=["vae", 0]),
    }

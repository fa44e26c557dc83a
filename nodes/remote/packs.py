"""Where nodes and model files come from that workflows use: what to tell whoever misses one."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

# Suffixes that tell a model file from other choices.
MODEL_SUFFIXES = (".safetensors", ".gguf", ".ckpt", ".pt", ".pth", ".bin", ".onnx", ".sft")


@dataclass(frozen=True)
class Pack:
    """A node pack: its name in ComfyUI-Manager, its page, patterns of its node classes."""

    name: str
    url: str
    classes: tuple[str, ...]


OURS = Pack("Physics Preserver", "https://github.com/physics-preserver/physics-preserver", ("PP_*",))

PACKS = (
    OURS,
    Pack("ComfyUI-GGUF", "https://github.com/city96/ComfyUI-GGUF", ("*GGUF", "*GGUFAdvanced")),
    Pack("ComfyUI-VideoHelperSuite", "https://github.com/Kosinkadink/ComfyUI-VideoHelperSuite", ("VHS_*",)),
    Pack(
        "ComfyUI-WanVideoWrapper",
        "https://github.com/kijai/ComfyUI-WanVideoWrapper",
        ("WanVideo*", "LoadWanVideo*"),
    ),
    Pack("ComfyUI-KJNodes", "https://github.com/kijai/ComfyUI-KJNodes", ("*KJ", "*KJv2", "GetImageSizeAndCount")),
    Pack("comfyui_controlnet_aux", "https://github.com/Fannovel16/comfyui_controlnet_aux", ("*Preprocessor",)),
)

# The folder below `models` that a loader's input lists. An input that stands for any class is under "*".
FOLDERS = {
    ("UNETLoader", "unet_name"): "diffusion_models",
    ("UnetLoaderGGUF", "unet_name"): "diffusion_models",
    ("UnetLoaderGGUFAdvanced", "unet_name"): "diffusion_models",
    ("CheckpointLoaderSimple", "ckpt_name"): "checkpoints",
    ("CLIPLoader", "clip_name"): "text_encoders",
    ("CLIPLoaderGGUF", "clip_name"): "text_encoders",
    ("CLIPVisionLoader", "clip_name"): "clip_vision",
    ("VAELoader", "vae_name"): "vae",
    ("WanVideoVAELoader", "model_name"): "vae",
    ("LoadWanVideoT5TextEncoder", "model_name"): "text_encoders",
    ("WanVideoModelLoader", "model"): "diffusion_models",
    ("WanVideoVACEModelSelect", "vace_model"): "diffusion_models",
    ("*", "lora_name"): "loras",
    ("*", "lora"): "loras",
}


def pack_of(class_type: str) -> Pack | None:
    """The pack that brings a node class, None where it isn't known here."""
    return next((pack for pack in PACKS if any(fnmatchcase(class_type, like) for like in pack.classes)), None)


def folder_of(class_type: str, input_name: str) -> str | None:
    """The folder below `models` in which a loader looks, None where it isn't known here."""
    return FOLDERS.get((class_type, input_name)) or FOLDERS.get(("*", input_name))

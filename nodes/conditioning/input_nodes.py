"""The sockets and inputs that more than one node of this stage has, each written down once."""

from __future__ import annotations

from typing import Any

import comfy.samplers
from comfy_api.latest import io

from .choices import GUIDES, REPAINT, SHAPES
from .latents import TRAINED_LENGTH
from .windows import DEFAULT_OVERLAP, LEAST_OVERLAP

ObjectTrack = io.Custom("SAM3_TRACK_DATA")
Control = io.Custom("PHYSICS_CONTROL")


def clip_inputs() -> list[Any]:
    """clip, track."""
    return [
        io.MultiType.Input("clip", [io.Video, io.Image], tooltip="The original footage that was tracked."),
        ObjectTrack.Input("track", tooltip="The original clip's track."),
    ]


def picture_inputs() -> list[Any]:
    """repaint, guide, shape: what may change, and what is shown there; with `mask_inputs` they make `Choices`."""
    return [
        io.Combo.Input(
            "repaint",
            options=list(REPAINT),
            default="both",
            tooltip="What the model generates anew. Everything else is kept.",
        ),
        io.Combo.Input(
            "guide",
            options=list(GUIDES),
            default="nothing",
            tooltip="What the model is shown where it generates: nothing (grey), the pose or depth video at "
            "guide_video, the clip's own pixels, or white edges of the clip on black.",
        ),
        io.Combo.Input(
            "shape",
            options=list(SHAPES),
            default="tight",
            tooltip="Masks along the object's outline, or a box around each object that moves steadily: boxes "
            "leave room for another shape, and hide the old one.",
        ),
    ]


def mask_inputs() -> list[Any]:
    """grow, latent_aligned."""
    return [
        io.Int.Input(
            "grow",
            default=0,
            min=0,
            max=512,
            tooltip="Widens the masks by so many px of the generated picture, for changes of shape.",
        ),
        io.Boolean.Input(
            "latent_aligned",
            default=False,
            tooltip="Widens the masks so that what VACE reads of them covers the object on every frame. "
            "Without it, fast objects leave parts of themselves behind.",
        ),
    ]


def size_inputs(width: int, height: int) -> list[Any]:
    """width, height, with these defaults."""
    return [
        io.Int.Input(
            "width",
            default=width,
            min=0,
            max=16384,
            step=16,
            tooltip="px, lowered to a multiple of 16. 0: from the height, or the clip's. Wan's: 832 or 1280.",
        ),
        io.Int.Input(
            "height",
            default=height,
            min=0,
            max=16384,
            step=16,
            tooltip="px, lowered to a multiple of 16. 0: from the width, or the clip's. Wan's: 480 or 720.",
        ),
    ]


def lead_in_input(optional: bool = False) -> Any:
    """lead_in."""
    return io.Int.Input(
        "lead_in",
        default=0,
        min=0,
        max=32,
        step=4,
        optional=optional,
        advanced=True,
        tooltip="Frames put before the clip's first, for a reference image that bleeds into the beginning. Reskin Long "
        "Clip and Composite Kept Pixels drop them. Each 4 cost as much time as 4 frames of the clip.",
    )


def guide_inputs() -> list[Any]:
    """guide_video, references: optional pictures."""
    return [
        io.MultiType.Input(
            "guide_video",
            [io.Video, io.Image],
            optional=True,
            tooltip="For guide = pose or depth: a drawn pose, depth or any other control video, frame for "
            "frame with the clip. Of the clip's or the control's proportions, in any size.",
        ),
        io.Image.Input(
            "references",
            optional=True,
            tooltip="What the new person or object looks like: one image or several, best on white. Every run of the "
            "model is shown them.",
        ),
    ]


def model_inputs() -> list[Any]:
    """model, vae, positive, negative, as every loader of Wan VACE gives them."""
    return [
        io.Model.Input("model", tooltip="Wan VACE: from Load Diffusion Model, a GGUF loader, with any LoRA and shift."),
        io.Vae.Input("vae", tooltip="Wan's VAE."),
        io.Conditioning.Input("positive", tooltip="What is to be seen; it is encoded once for all windows."),
        io.Conditioning.Input("negative", tooltip="What is not to be seen."),
    ]


def sampling_inputs() -> list[Any]:
    """seed to strength, as core's KSampler and WanVaceToVideo have them."""
    return [
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=2**64 - 1,
            control_after_generate=True,
            tooltip="Of the noise. Each run of the model gets a seed of its own from it, by a fixed rule.",
        ),
        io.Int.Input("steps", default=20, min=1, max=10000, tooltip="Steps of denoising."),
        io.Float.Input(
            "cfg", default=6.0, min=0.0, max=100.0, step=0.1, round=0.01, tooltip="How strictly the prompt is followed."
        ),
        io.Combo.Input(
            "sampler_name",
            options=comfy.samplers.KSampler.SAMPLERS,
            default="uni_pc",
            tooltip="The sampler. Wan's own examples use uni_pc.",
        ),
        io.Combo.Input(
            "scheduler",
            options=comfy.samplers.KSampler.SCHEDULERS,
            default="simple",
            tooltip="How the noise goes down over the steps. Wan's own examples use simple.",
        ),
        io.Float.Input(
            "strength",
            default=1.0,
            min=0.0,
            max=1000.0,
            step=0.01,
            tooltip="How strongly the control holds the model: WanVaceToVideo's strength.",
        ),
    ]


def window_inputs() -> list[Any]:
    """window, overlap."""
    return [
        io.Int.Input(
            "window",
            default=TRAINED_LENGTH,
            min=5,
            max=1001,
            step=4,
            advanced=True,
            tooltip="Most frames that go through the model together, 4n + 1. Wan was trained on 81; fewer need less "
            "memory.",
        ),
        io.Int.Input(
            "overlap",
            default=DEFAULT_OVERLAP,
            min=LEAST_OVERLAP,
            max=1000,
            step=4,
            advanced=True,
            tooltip="Frames next to those it makes that the model is shown as they already are, 4n + 2. More hold the "
            "motion better and take more time.",
        ),
    ]

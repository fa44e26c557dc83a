"""One run of ComfyUI's own Wan VACE inside a node: its conditioning, its sampler, its VAE; and the inputs they need."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import comfy.samplers
from comfy_api.latest import io

from .. import host
from .choices import GUIDES, REPAINT, SHAPES, Choices

if TYPE_CHECKING:
    import numpy as np

    from ..media.clip import Clip
    from ..media.track import Track
    from .plan import ControlPlan
    from .reskin import Footage, Generate

ObjectTrack = io.Custom("SAM3_TRACK_DATA")

CHOICES = ("repaint", "guide", "shape", "grow", "latent_aligned")


@dataclass(frozen=True)
class Sampling:
    """What core's nodes are given on every run; `seed` is of the first."""

    model: Any
    vae: Any
    positive: Any
    negative: Any
    seed: int
    steps: int
    cfg: float
    sampler_name: str
    scheduler: str
    strength: float

    def __post_init__(self) -> None:
        """Raises ConditioningError: the model is no VACE, which would sample all the same and see no control."""
        from .choices import ConditioningError

        network = self.model.model.diffusion_model
        if not hasattr(network, "vace_patch_embedding"):
            raise ConditioningError(
                f"the model is {type(self.model.model).__name__}, not a Wan VACE, and would ignore the control: choose "
                "a wan2.1_vace file (some GGUF files of VACE lack vace_patch_embedding.weight and load as plain Wan)"
            )

    def generate(self, reference: np.ndarray | None, strength: float | None = None) -> Generate:
        """A function that runs the model; see `reskin.Generate`.

        Args:
            reference: uint8 [h, w, 3] of the control's size, from `reference_sheet`.
            strength: of the control, in place of `self.strength`.
        """

        def run(images: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
            return _generate(self, images, masks, reference, self.strength if strength is None else strength, seed)

        return run


def model_inputs() -> list[Any]:
    """MODEL, VAE and CONDITIONING, as every loader of Wan VACE gives them."""
    return [
        io.Model.Input("model", tooltip="Wan VACE: from Load Diffusion Model, a GGUF loader, with any LoRA and shift."),
        io.Vae.Input("vae", tooltip="Wan's VAE."),
        io.Conditioning.Input("positive", tooltip="What is to be seen; it is encoded once for all windows."),
        io.Conditioning.Input("negative", tooltip="What is not to be seen."),
    ]


def choice_inputs() -> list[Any]:
    """As VACE Control has them."""
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
            tooltip="Masks along the object's outline, or a steady box around each object, which leaves more room.",
        ),
        io.Int.Input(
            "grow", default=0, min=0, max=512, tooltip="Widens the masks by so many px of the generated picture."
        ),
        io.Boolean.Input(
            "latent_aligned",
            default=False,
            tooltip="Widens the masks so that what VACE reads of them covers the object on every frame.",
        ),
    ]


def sampling_inputs() -> list[Any]:
    """As core's KSampler and WanVaceToVideo have them."""
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


def guide_inputs() -> list[Any]:
    """Optional pictures that guide the model."""
    return [
        io.MultiType.Input(
            "guide_video",
            [io.Video, io.Image],
            optional=True,
            tooltip="For guide = pose or depth: a drawn pose, depth or other control video, frame for frame with the "
            "clip.",
        ),
        io.Image.Input(
            "references",
            optional=True,
            tooltip="What the new person or object looks like: one image or several, best on white. Every window is "
            "shown them.",
        ),
    ]


def footage_of(clip: Clip, track: Track, plan: ControlPlan, choices: Choices, guide_video: Any, frames: Any) -> Footage:
    """What windows are cut out of; `clip` is listed once, so that reading from its middle is quick from then on."""
    from ..media.open import open_clip
    from .choices import ConditioningError
    from .guides import require_guide
    from .reskin import Footage

    guide = None if guide_video is None else open_clip(guide_video, rate=track.rate)
    require_guide(choices, guide)
    for name, footage in (("the clip", clip), ("the guide video", guide)):
        if footage is not None and footage.index() != len(track):
            raise ConditioningError(f"{name} has {footage.index()} frames, the track {len(track)}")
    return Footage(clip, track, plan, choices, guide, frames)


def run_key(hidden: Any, without: Collection[str] = ()) -> tuple[str, list[str]]:
    """The key of what a node stands on, see `identity.workflow_key`; and a note where it can't be known again.

    Args:
        hidden: the node's, with dynprompt and unique_id.
        without: its inputs that don't matter.
    """
    from .identity import NeverTheSame, workflow_key

    try:
        return workflow_key(hidden.dynprompt.get_node, hidden.unique_id, host.named_files, without), []
    except NeverTheSame as reason:
        return uuid.uuid4().hex[:16], [f"this run can't be continued after a crash: {reason}"]


def _generate(
    sampling: Sampling, images: np.ndarray, masks: np.ndarray, reference: np.ndarray | None, strength: float, seed: int
) -> np.ndarray:
    import numpy as np
    from comfy_extras.nodes_wan import WanVaceToVideo

    import nodes as core  # ComfyUI's nodes.py

    from ..media.stills import to_uint8

    length, height, width = masks.shape
    sheet = None if reference is None else host.to_tensor(reference[None].astype(np.float32) / 255)
    positive, negative, latent, trim = WanVaceToVideo.execute(
        sampling.positive, sampling.negative, sampling.vae, width, height, length, 1, strength,
        host.to_tensor(images), host.to_tensor(masks), sheet,
    ).result  # fmt: skip
    (made,) = core.common_ksampler(  # pyright: ignore[reportAttributeAccessIssue]
        sampling.model, seed, sampling.steps, sampling.cfg, sampling.sampler_name, sampling.scheduler,
        positive, negative, latent,
    )  # fmt: skip
    del positive, negative, latent
    samples = made["samples"][:, :, trim:]
    pixels = sampling.vae.decode(samples)
    return np.stack([to_uint8(frame) for frame in pixels.reshape(-1, *pixels.shape[-3:])])

"""One run of ComfyUI's own Wan VACE inside a node: its conditioning, its sampler, its VAE; and where a run is kept."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import host
from .choices import ConditioningError

if TYPE_CHECKING:
    import numpy as np

    from ..media.clip import Clip
    from ..media.track import Track
    from .choices import Choices
    from .plan import ControlPlan
    from .reskin import Footage, Generate


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


def footage_of(
    clip: Clip, track: Track, plan: ControlPlan, choices: Choices, guide_video: Any, frames: Sequence[int | None]
) -> Footage:
    """What windows are cut out of; `clip` is listed once, so that reading from its middle is quick from then on."""
    from ..media.open import open_clip
    from .guides import require_guide
    from .reskin import Footage

    guide = None if guide_video is None else open_clip(guide_video, rate=track.rate)
    require_guide(choices, guide)
    for name, footage in (("the clip", clip), ("the guide video", guide)):
        if footage is not None and footage.index() != len(track):
            raise ConditioningError(f"{name} has {footage.index()} frames, the track {len(track)}")
    return Footage(clip, track, plan, choices, guide, frames)


def folder_of_run(hidden: Any, prefix: str, without: Collection[str] = ()) -> tuple[Path, list[str]]:
    """The folder in ComfyUI's output in which a node's run is found again, and a note where it can't be.

    Its name has the key of everything that the node stands on, see `identity.workflow_key`.

    Args:
        hidden: the node's, with dynprompt and unique_id.
        prefix: of the folder's name.
        without: inputs of the node that don't matter.
    """
    from .identity import KEY_LENGTH, NeverTheSame, workflow_key

    notes: list[str] = []
    try:
        key = workflow_key(hidden.dynprompt.get_node, hidden.unique_id, host.named_files, without)
    except NeverTheSame as reason:
        key = uuid.uuid4().hex[:KEY_LENGTH]
        notes.append(f"this run can't be continued after a crash: {reason}")
    return host.keyed_output_folder(prefix, key), notes


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

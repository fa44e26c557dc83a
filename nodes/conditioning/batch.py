"""A whole control at once, as the graph's IMAGE and MASK sockets want it."""

from __future__ import annotations

import numpy as np

from ..host import progress, require_memory
from ..media.clip import Clip
from ..media.track import Track
from .choices import Choices
from .latents import frames_of, latent_count, left_out, read_frame
from .plan import ControlPlan
from .vace import control_frames, float_control


def control_batch(
    clip: Clip, track: Track, plan: ControlPlan, choices: Choices, guide: Clip | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[float]]:
    """`control_frames` in arrays.

    Returns:
        float32 [length, height, width, 3] in 0..1, exactly 0.5 where nothing is known; float32 [length, height,
        width], 1 = generate; the same as VACE consumes it, which `latents` explains; and what that leaves out of each
        frame, a share of its mask.

    Raises:
        MemoryError: they don't fit into the memory that is free.
        ConditioningError: as for `control_frames`.
    """
    size = f"a control of {plan.length} frames of {plan.width}x{plan.height}"
    require_memory(plan.socket_bytes(), size)
    images = np.empty((plan.length, plan.height, plan.width, 3), np.float32)
    masks = np.empty(images.shape[:3], np.float32)
    frames = control_frames(clip, track, plan, choices, guide)
    for t, (control, mask) in enumerate(progress(frames, plan.length, "conditioning")):
        images[t] = float_control(control, mask, choices)
        masks[t] = mask
    read = np.empty_like(masks)
    for latent in range(latent_count(plan.length)):
        read[frames_of(latent)] = masks[read_frame(latent, plan.length)]
    missed = [left_out(masks[t] > 0, read[t] > 0) for t in range(plan.length)]
    return images, masks, read, missed

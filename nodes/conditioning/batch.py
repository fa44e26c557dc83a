"""A whole control at once, as the graph's IMAGE and MASK sockets want it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..host import progress, require_memory
from ..media.clip import Clip
from ..media.track import Track
from .vace import ControlPlan, control_frames, float_control


def control_batch(
    clip: Clip, track: Track, plan: ControlPlan, repaint: Sequence[str], grow: int = 0, pose: Clip | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """`control_frames` in two arrays.

    Returns:
        float32 [length, height, width, 3] in 0..1, exactly 0.5 where nothing is known; float32 [length, height,
        width], 1 = generate.

    Raises:
        MemoryError: they don't fit into the memory that is free.
        ConditioningError, KeyError: as for `control_frames`.
    """
    size = f"a control of {plan.length} frames of {plan.width}x{plan.height}"
    require_memory(plan.socket_bytes(), size)
    images = np.empty((plan.length, plan.height, plan.width, 3), np.float32)
    masks = np.empty(images.shape[:3], np.float32)
    frames = control_frames(clip, track, plan, repaint, grow, pose)
    for t, (control, mask) in enumerate(progress(frames, plan.length, "conditioning")):
        images[t] = float_control(control, mask, pose is not None)
        masks[t] = mask
    return images, masks

"""Find the source's objects again in a generated clip, knowing only where they were on one frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..media.clip import Clip
from ..media.track import Track
from .align import refit

# Tracks objects through a clip, both ways: (clip, mask of every object on one frame, that frame) -> track. The masks
# are bool [H, W] at the clip's size.
TrackFunction = Callable[[Clip, Mapping[str, np.ndarray], int], Track]

# An object that is just coming into the picture is a poor prompt: wait for this share of its median size.
PROMPT_SHARE = 0.25


class NothingToFollow(ValueError):
    """An object that can't be tracked in the generated clip, because the source never shows it there."""


@dataclass
class Followed:
    """An object found again.

    Attributes:
        track: the masks that the tracker found in the generated clip.
        prompted_frame: the one frame whose source masks the tracker was shown; it can't be judged.
        prompts: those masks by label, bool [H, W] at the clip's size.
        warnings: what a reader of the verdict should know about it.
    """

    track: Track
    prompted_frame: int
    prompts: Mapping[str, np.ndarray]
    warnings: list[str] = field(default_factory=list)


def follow(clip: Clip, source: Track, labels: Sequence[str], track: TrackFunction) -> Followed:
    """Track `labels` in a generated clip from the source's masks of one frame, and of no other.

    The frame is the first on which the main object shows a quarter of its median size: frame 0, for an object that is
    there from the start. Objects are tracked together, because they compete for pixels, and given in the order in
    which the source has them, so that both clips are tracked alike.

    Args:
        clip: the generated clip.
        source: the source's track, in the clip's picture and timeline (see `place`), at any mask size.
        labels: objects to follow; the first is the main one. Others are left out when that frame doesn't show them.
        track: the tracker.

    Raises:
        NothingToFollow: the source never shows the main object, or only after the generated clip's end.
        KeyError: the source has no such object.
    """
    columns = [source.index(label) for label in labels]
    areas = source.areas()[:, columns]
    frame = prompt_frame(areas[:, 0])
    if frame is None:
        raise NothingToFollow(f"the source track shows no {labels[0]!r} on any frame")
    if frame > 0 and frame >= clip.count():
        raise NothingToFollow(f"{labels[0]!r} shows up on frame {frame}, after the end of the generated clip")
    size = (clip.height, clip.width)
    prompts = {}
    for label in sorted(labels, key=source.index):
        mask = refit(source.mask(frame, label), size)
        if mask.any():
            prompts[label] = mask
    if labels[0] not in prompts:
        raise NothingToFollow(f"{labels[0]!r} is smaller than a pixel at {clip.width}x{clip.height}")
    warnings = [f"{label!r} is not visible on frame {frame} and was not tracked" for label in labels
                if label not in prompts]  # fmt: skip
    if frame > 0:
        warnings.insert(0, f"{labels[0]!r} is not fully there on frame 0: it was tracked both ways from frame {frame}")
    return Followed(track(clip, prompts, frame), frame, prompts, warnings)


def prompt_frame(areas: np.ndarray) -> int | None:
    """First frame on which an object of these areas, [T] px, shows PROMPT_SHARE of its median; None if never."""
    visible = areas[areas > 0]
    return int(np.argmax(areas >= PROMPT_SHARE * np.median(visible))) if len(visible) else None

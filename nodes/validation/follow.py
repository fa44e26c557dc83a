"""Find the source's objects again in a generated clip, knowing only where they were on one frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..media.clip import Clip, TrimmedClip
from ..media.track import Track, TrackBuilder
from .align import refit

# Tracks objects through a clip, both ways: (clip, mask of every object on one frame, that frame) -> track. The masks
# are bool [H, W] at the clip's size.
TrackFunction = Callable[[Clip, Mapping[str, np.ndarray], int], Track]

# An object that is just coming into the picture is a poor prompt: wait for this share of its median size.
PROMPT_SHARE = 0.25


class NothingToFollow(ValueError):
    """An object that can't be tracked in the generated clip, because the source never shows it there."""


@dataclass(frozen=True)
class Shown:
    """What a tracker is shown of one shot, frames start <= t < stop (None: to the end) of a clip.

    Attributes:
        frame: the one frame whose source masks it is shown; it can't be judged.
        masks: those masks by label, bool [H, W] at the clip's size.
    """

    start: int
    stop: int | None
    frame: int
    masks: Mapping[str, np.ndarray]


@dataclass
class Followed:
    """Objects found again.

    Attributes:
        track: the masks that the tracker found in the generated clip.
        shown: what it was shown of every shot in which there was something to show.
        warnings: what a reader of the verdict should know about it.
    """

    track: Track
    shown: list[Shown]
    warnings: list[str] = field(default_factory=list)


def follow(
    clip: Clip, source: Track, labels: Sequence[str], track: TrackFunction, cuts: Sequence[int] = ()
) -> Followed:
    """Track `labels` in a generated clip from the source's masks of one frame of each shot, and of no other.

    The frame is the shot's first on which the main object shows a quarter of its median size there: its first frame,
    for an object that is there from the start. Objects are tracked together, because they compete for pixels, and given
    in the order in which the source has them, so that both clips are tracked alike.

    Args:
        clip: the generated clip.
        source: the source's track, in the clip's picture and timeline (see `place`), at any mask size.
        labels: objects to follow; the first is the main one. Others are left out where that frame doesn't show them.
        track: the tracker.
        cuts: first frames of the source's shots but the first: nothing is followed over a cut.

    Raises:
        NothingToFollow: the source never shows the main object, or only after the generated clip's end.
        KeyError: the source has no such object.
    """
    shown = shown_in_shots(clip, source, labels, cuts)
    warnings = [
        f"{labels[0]!r} is not fully there on frame {each.start}: it was tracked both ways from frame {each.frame}"
        for each in shown
        if each.frame > each.start
    ]
    warnings += [
        f"{label!r} is not visible on frame {each.frame} and was not tracked"
        + (f" in the shot from frame {each.start}" if len(shown) > 1 else "")
        for each in shown
        for label in labels
        if label not in each.masks
    ]
    return Followed(track_shots(clip, shown, track), shown, warnings)


def shown_in_shots(clip: Clip, source: Track, labels: Sequence[str], cuts: Sequence[int]) -> list[Shown]:
    """What a tracker is shown of every shot in which the main object, the first of `labels`, is; see `follow`."""
    labels_in_order = sorted(labels, key=source.index)
    areas, size = source.areas()[:, source.index(labels[0])], (clip.height, clip.width)
    inner = [cut for cut in cuts if 0 < cut < len(areas)]
    shown, too_late = [], None
    for start, stop in zip([0, *inner], [*inner, None], strict=True):
        inside = prompt_frame(areas[start:stop])
        if inside is None:
            continue
        frame = start + inside
        if frame > 0 and frame >= clip.count():
            too_late = too_late or frame
            continue
        masks = {label: refit(source.mask(frame, label), size) for label in labels_in_order}
        masks = {label: mask for label, mask in masks.items() if mask.any()}
        if labels[0] in masks:
            shown.append(Shown(start, stop, frame, masks))
    if shown:
        return shown
    if not (areas > 0).any():
        raise NothingToFollow(f"the source track shows no {labels[0]!r} on any frame")
    if too_late is not None:
        raise NothingToFollow(f"{labels[0]!r} shows up on frame {too_late}, after the end of the generated clip")
    raise NothingToFollow(f"{labels[0]!r} is smaller than a pixel at {clip.width}x{clip.height}")


def track_shots(clip: Clip, shown: Sequence[Shown], track: TrackFunction) -> Track:
    """Track every shot of a clip from what is shown of it; outside of them the masks are empty."""
    if (shown[0].start, shown[0].stop) == (0, None):
        return track(clip, shown[0].masks, shown[0].frame)
    total = clip.count()
    parts = [
        (each, track(TrimmedClip(clip, each.start, each.stop), each.masks, each.frame - each.start))
        for each in shown
        if each.frame < total
    ]
    labels = tuple(dict.fromkeys(label for each in shown for label in each.masks))
    mask_size, made_by = parts[0][1].mask_size, parts[0][1].tracker
    builder = TrackBuilder(labels, (clip.height, clip.width), clip.rate, clip.name, made_by)

    def nothing(frames: int) -> None:
        for _ in range(frames):
            builder.append(np.zeros((len(labels), *mask_size), bool), np.zeros(len(labels)))

    at = 0
    for each, part in parts:
        nothing(each.start - at)
        columns = [labels.index(label) for label in part.labels]
        for t in range(len(part)):
            found, sure = np.zeros((len(labels), *mask_size), bool), np.zeros(len(labels))
            found[columns], sure[columns] = part.masks(t), part.scores[t]
            builder.append(found, sure, part.time(t))
        at = each.start + len(part)
        builder.warnings.extend(part.warnings)
    nothing(total - at)
    return builder.finish()


def prompt_frame(areas: np.ndarray) -> int | None:
    """First frame on which an object of these areas, [T] px, shows PROMPT_SHARE of its median; None if never."""
    visible = areas[areas > 0]
    return int(np.argmax(areas >= PROMPT_SHARE * np.median(visible))) if len(visible) else None

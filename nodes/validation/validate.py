"""Source track and generated clip in, report out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ..host import progress
from ..media.clip import Clip
from ..media.track import Track
from .align import Crop, place, require_same_picture
from .boundary import packed_boundary_f, tolerance_px
from .follow import NothingToFollow, TrackFunction, follow
from .region import packed_jaccard
from .report import Measures, build, rule_for

# The label that is reported beside the object rather than judged, where a track has both.
PERSON = "person"


def validate(
    source: Track,
    generated: Clip,
    track: TrackFunction,
    label: str | None = None,
    threshold: float | None = None,
    crop: Crop | None = None,
    frames: Sequence[int | None] | None = None,
) -> dict[str, Any]:
    """Judge whether an object moves in a generated clip as it does in the source.

    All of the source's objects are tracked in the generated clip from one frame's masks (they hold each other in
    place); the verdict is about `label`, the others are reported beside it.

    Args:
        source: the source's track.
        generated: the clip to judge, in any size of the same proportions.
        track: the tracker, for example `nodes.extraction.tracking.track` with its prompts made of masks.
        label: the object to judge; None for the first that isn't a person.
        threshold: None for the standard rule (report.STANDARD); a number for the first version's: every frame's J must
            reach it.
        crop: x1, y1, x2, y2 px of the source that the generated clip shows, as vace.json has it; None for all.
        frames: for each frame of the generated clip the source frame it shows, None for padding; None for all in order.

    Returns:
        A JSON-able report, see `report.build`. Different lengths are a fault in it, not an error.

    Raises:
        AspectMismatch: the generated clip has other proportions than the source or its crop.
        KeyError: the source has no object `label`.
        ValueError: a threshold outside 0..1, a track without objects, `frames` outside the source.
    """
    rule = rule_for(threshold)
    label = main_label(source) if label is None else label
    source.index(label)
    if frames is not None and any(t is not None and not 0 <= t < len(source) for t in frames):
        raise ValueError(f"the frame mapping names frames that the source, of {len(source)}, doesn't have")
    require_same_picture(source.clip_size, (generated.height, generated.width), crop)

    expected = place(source, _comparison_size(source, crop), crop, frames)
    labels = [label, *(other for other in source.labels if other != label)]
    original = _about(source.source, len(source), source.clip_size, source.rate)
    warnings = _rate_warnings(source, generated)
    try:
        followed = follow(generated, expected, labels, track)
    except NothingToFollow as reason:
        judged = _about(generated.name, generated.count(), (generated.height, generated.width), generated.rate)
        faults = _length_faults(len(expected), generated.count())
        return build(
            label, {}, rule, original, judged, (source.tracker, ""), (), faults, warnings, undecided=str(reason)
        )
    found = place(followed.track, expected.mask_size)
    padding = [] if frames is None else [t for t, frame in enumerate(frames) if frame is None]
    skipped = {t: "padding" for t in padding}
    skipped[followed.prompted_frame] = "the tracker was shown the source's mask here"
    return build(
        label,
        {name: measure(expected, found, name, skipped) for name in labels if name in found.labels},
        rule,
        original,
        _about(generated.name, len(found), (generated.height, generated.width), generated.rate),
        trackers=(source.tracker, found.tracker),
        not_judged=[{"start": t, "stop": t + 1, "why": why} for t, why in sorted(skipped.items())],
        faults=_length_faults(len(expected), len(found)),
        warnings=[*warnings, *followed.warnings, *found.warnings],
    )


def measure(expected: Track, found: Track, label: str, skip: Collection[int] = ()) -> Measures:
    """J and F of one object over the frames that two tracks of one mask size both have; nan on frames in `skip`."""
    total = min(len(expected), len(found))
    i, j = expected.index(label), found.index(label)
    width, radius = expected.mask_size[1], tolerance_px(expected.mask_size)
    region, boundary = np.full(total, np.nan), np.full(total, np.nan)
    visible = np.zeros((2, total), bool)
    for t in progress(range(total), total, f"comparing {label}"):
        a, b = expected.packed_masks(t)[i], found.packed_masks(t)[j]
        visible[:, t] = a.any(), b.any()
        if t not in skip:
            region[t], boundary[t] = packed_jaccard(a, b), packed_boundary_f(a, b, width, radius)
    return Measures(region, boundary, visible[0], visible[1])


def main_label(track: Track) -> str:
    """The object that a verdict is about unless the user says otherwise: the first that isn't the person."""
    if not track.labels:
        raise ValueError("the source track has no objects, so there is nothing to judge")
    return next((label for label in track.labels if label != PERSON), track.labels[0])


def _comparison_size(source: Track, crop: Crop | None) -> tuple[int, int]:
    """(h, w) at which masks are compared: that of the source's masks, inside the crop."""
    if crop is None:
        return source.mask_size
    scale_y, scale_x = (mask / clip for mask, clip in zip(source.mask_size, source.clip_size, strict=True))
    return max(1, round((crop[3] - crop[1]) * scale_y)), max(1, round((crop[2] - crop[0]) * scale_x))


def _about(name: str, frames: int, size: tuple[int, int], rate: Fraction) -> dict[str, Any]:
    return {"name": name, "frames": frames, "width": size[1], "height": size[0], "rate": str(rate)}


def _rate_warnings(source: Track, generated: Clip) -> list[str]:
    if generated.rate == source.rate:
        return []
    rates = [f"{float(rate):.6g}" for rate in (source.rate, generated.rate)]
    return [f"the source runs at {rates[0]} frames per second, the generated clip at {rates[1]}: compared one to one"]


def _length_faults(expected: int, found: int) -> list[dict[str, str]]:
    if expected == found:
        return []
    compared = f"only the first {min(expected, found)} were compared"
    return [{"name": "length", "text": f"the generated clip has {found} frames, not {expected}: {compared}"}]

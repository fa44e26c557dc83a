"""VACE control: what Wan VACE is shown of a clip, and which of its pixels it may repaint.

The native WanVaceToVideo and WanVideoWrapper both take this as it is: sizes in multiples of 16, 4 n + 1 frames, mask 1
where the model generates, mid grey in the control video where nothing is known (VACE, Jiang et al. 2025).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import repeat, tee
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..host import progress
from ..media.clip import Clip
from ..media.folder import new_folder, write_json
from ..media.stills import write_image
from ..media.track import Track
from ..media.writer import VideoWriter
from .choices import GUIDES_FROM_VIDEO, NOTHING, Choices, ConditioningError
from .guides import guide_frames, guide_notes, require_guide, shown
from .latents import aligned, consumed, left_out, what_is_missed
from .masks import MaskOf, drawn_masks
from .plan import ControlPlan

SCHEMA = "physics-preserver/vace"
SCHEMA_VERSION = 2
METADATA, REFERENCE = "vace.json", "reference.png"

# The model reads this file, so it is written closer to the frames than one for people to watch.
CONTROL_CRF = 8
# 8 bits have no 0.5: files hold 128 (.502), `float_control` has exactly 0.5.
GREY = 128


def control_frames(
    clip: Clip, track: Track, plan: ControlPlan, choices: Choices, guide: Clip | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield every frame of the control video and its mask; a few frames are held at a time.

    Args:
        clip: the source.
        track: its objects.
        plan: from `plan_control` for this clip.
        choices: what is repainted, what guides it and how masks are made.
        guide: the clip that guide = "pose" or "depth" shows; other guides don't read it.

    Yields:
        (control, mask): uint8 [height, width, 3] RGB, the original outside the mask, the guide (or GREY) inside;
        bool [height, width], True where the model generates.

    Raises:
        ConditioningError: clip, track, guide and plan don't belong together, or there is nothing to repaint.
    """
    _require_match(clip, track, plan)
    require_guide(choices, guide)
    guides = guide_frames(guide, plan) if guide is not None and choices.guide in GUIDES_FROM_VIDEO else None
    told = _pictures(clip, plan, drawn_masks(track, plan, choices), guides)
    pictures, ahead = tee(told)  # holds what alignment has read ahead
    masks = (picture.mask for picture in ahead)
    if choices.latent_aligned:
        masks = aligned(masks, plan.length)
    for mask in masks:
        picture = next(pictures)
        control = picture.image.copy()
        inside = shown(choices, picture.image, picture.guide)
        control[mask] = GREY if inside is None else inside[mask]
        yield control, mask


class _Picture(NamedTuple):
    image: np.ndarray
    guide: np.ndarray | None
    mask: np.ndarray


def _pictures(
    clip: Clip, plan: ControlPlan, mask_of: MaskOf, guides: Iterator[np.ndarray] | None
) -> Iterator[_Picture]:
    """What each control frame is made from; lead-in repeats the first, padding the last."""
    images = iter(clip)
    inside: Iterator[np.ndarray | None] = repeat(None) if guides is None else guides

    def read(t: int) -> _Picture:
        frame = next(images, None)
        if frame is None:
            raise ConditioningError(f"{clip.name} ends after {t} frames, the control shows {_last(plan) + 1} of them")
        guide = next(inside, None)
        if guide is None and guides is not None:
            raise ConditioningError(f"the guide video ends after {t} frames, the control needs {_last(plan) + 1}")
        return _Picture(plan.image(frame.image), guide, mask_of(t))

    picture = read(0)
    yield from repeat(picture, plan.lead_in + 1)
    for t in plan.frames[plan.lead_in + 1 :]:
        picture = picture if t is None else read(t)
        yield picture


def float_control(control: np.ndarray, mask: np.ndarray, choices: Choices) -> np.ndarray:
    """float32 [height, width, 3] in 0..1 for the IMAGE socket, exactly 0.5 where nothing is known.

    Args:
        control, mask: as `control_frames` yields them.
        choices: those they were made with.
    """
    values = control.astype(np.float32) / 255
    if choices.guide == NOTHING:
        values[mask] = 0.5
    return values


def write_control(
    folder: str | Path,
    clip: Clip,
    track: Track,
    plan: ControlPlan,
    choices: Choices,
    guide: Clip | None = None,
    sheet: np.ndarray | None = None,
) -> dict[str, Any]:
    """Write `control.mp4`, `mask.mp4`, `masks/%05d.png` (lossless, 255 = generate) and `vace.json`.

    Args:
        folder: new or empty; it appears when everything is in it.
        clip, track, plan, choices, guide: as for `control_frames`.
        sheet: from `reference_sheet`; it becomes `reference.png`.

    Returns:
        What vace.json holds.

    Raises:
        FileExistsError: the folder has something in it.
        ConditioningError: as for `control_frames`.
    """
    missed = []
    size = (plan.width, plan.height, clip.rate)
    with new_folder(folder) as partial:
        (partial / "masks").mkdir()
        with (
            VideoWriter(partial / "control.mp4", *size, crf=CONTROL_CRF) as video,
            VideoWriter(partial / "mask.mp4", *size, crf=CONTROL_CRF) as matte,
        ):
            frames, ahead = tee(
                progress(control_frames(clip, track, plan, choices, guide), plan.length, "conditioning")
            )
            reads = consumed((mask for _, mask in ahead), plan.length)
            for index, ((control, mask), read) in enumerate(zip(frames, reads, strict=True)):
                missed.append(left_out(mask, read))
                white = mask.view(np.uint8) * 255
                video.write(control)
                matte.write(np.repeat(white[..., None], 3, axis=2))
                write_image(partial / "masks" / f"{index:05d}.png", white)
        metadata = describe(clip, track, plan, choices, guide, missed)
        if sheet is not None:
            metadata["files"]["reference"] = REFERENCE
            write_image(partial / REFERENCE, sheet)
        write_json(partial / METADATA, metadata)
    return metadata


def read_control(folder: str | Path) -> dict[str, Any]:
    """vace.json of a folder that `write_control` wrote. Version 1 lacks what has been added since.

    Raises:
        ConditioningError: there is none, or a newer one.
    """
    file = Path(folder) / METADATA
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConditioningError(f"{folder} is no control folder: {error}") from error
    schema, version = (data.get("schema"), data.get("schema_version")) if isinstance(data, dict) else (None, None)
    if schema != SCHEMA:
        raise ConditioningError(f"{file} is {schema}, not {SCHEMA}: give a folder that `condition` wrote")
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise ConditioningError(f"{file} is version {version}, this program reads up to {SCHEMA_VERSION}: update it")
    return data


def describe(
    clip: Clip,
    track: Track,
    plan: ControlPlan,
    choices: Choices,
    guide: Clip | None = None,
    missed: Sequence[float] = (),
) -> dict[str, Any]:
    """What vace.json holds, JSON-able; validation takes `crop`, `frames` and `warnings` from it.

    Args:
        clip, track, plan, choices, guide: as for `control_frames`.
        missed: for every frame what `latents.left_out` says of it; nothing says nothing.
    """
    # Aligned masks are wider than what was meant, and are consumed over all of that.
    warnings = [] if choices.latent_aligned else what_is_missed(missed)
    grey = f"grey {GREY} of 255 in the file, 0.5 in the graph"
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "width": plan.width,
        "height": plan.height,
        "length": plan.length,
        "rate": str(clip.rate),
        "source": {"name": clip.name, "width": clip.width, "height": clip.height},
        "crop": list(plan.crop),
        "scale": list(plan.scale),
        "frames": list(plan.frames),
        "lead_in": plan.lead_in,
        "repaint": choices.repaint,
        "labels": list(choices.labels(track.labels)),
        "guide": choices.guide,
        "shape": choices.shape,
        "grow": choices.grow,
        "latent_aligned": choices.latent_aligned,
        "mask": "white (1) = generate, black (0) = keep",
        "unknown": grey if choices.guide == NOTHING else f"nowhere: {choices.guide} stands in the mask",
        "files": {"control": "control.mp4", "mask": "mask.mp4", "masks": "masks"},
        "warnings": warnings,
        "notes": [*plan.notes, *guide_notes(choices, guide), *warnings],
    }


def _require_match(clip: Clip, track: Track, plan: ControlPlan) -> None:
    size = (clip.height, clip.width)
    for name, other in (("the track", track.clip_size), ("the plan", plan.source_size)):
        if other != size:
            raise ConditioningError(f"{name} is for {other[1]}x{other[0]} px, {clip.name} is {size[1]}x{size[0]}")
    if _last(plan) >= len(track):
        raise ConditioningError(f"the plan shows frame {_last(plan)}, the track has {len(track)} frames")


def _last(plan: ControlPlan) -> int:
    """The last source frame that a control shows."""
    return max(t for t in plan.frames if t is not None)

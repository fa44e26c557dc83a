"""VACE control: what Wan VACE is shown of a clip, and which of its pixels it may repaint.

The native WanVaceToVideo and WanVideoWrapper both take this as it is: sizes in multiples of 16, 4 n + 1 frames, mask 1
where the model generates, mid grey in the control video where nothing is known (VACE, Jiang et al. 2025).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..host import progress
from ..media.clip import Clip
from ..media.folder import new_folder, write_json
from ..media.stills import write_image
from ..media.track import Track
from ..media.writer import VideoWriter

SCHEMA = "physics-preserver/vace"
SCHEMA_VERSION = 1
METADATA = "vace.json"

# The model's patches span 16 px and its VAE packs 4 frames after the first into one.
SIZE_STEP, LENGTH_STEP = 16, 4
# What Wan was trained on; longer clips degrade (ali-vilab/VACE issue 99).
TRAINED_LENGTH = 81
# The model reads this file, so it is written closer to the frames than one for people to watch.
CONTROL_CRF = 8
# 8 bits have no 0.5: files hold 128 (.502), `float_control` has exactly 0.5.
GREY = 128

FITS = ("trim", "pad")


class ConditioningError(ValueError):
    """Footage, track or choices that no control can be made from, said in one sentence."""


@dataclass(frozen=True)
class ControlPlan:
    """How a clip becomes a control video: scaled evenly until it covers the target, then cropped to its centre.

    Attributes:
        width, height: px of the control video, multiples of 16.
        source_size: (H, W) px of the clip.
        scaled_size: (H, W) px of the clip after scaling; the two axes differ by rounding to whole px alone.
        offset: (x, y) px at which the control video begins in the scaled clip.
        frames: for each control frame the source frame it shows; None for padding, which repeats the last one.
        notes: what a user should know about it.
    """

    width: int
    height: int
    source_size: tuple[int, int]
    scaled_size: tuple[int, int]
    offset: tuple[int, int]
    frames: tuple[int | None, ...]
    notes: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """Number of control frames, 4 n + 1."""
        return len(self.frames)

    @property
    def scale(self) -> tuple[float, float]:
        """Control px per source px, (x, y)."""
        return self.scaled_size[1] / self.source_size[1], self.scaled_size[0] / self.source_size[0]

    @property
    def crop(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2 px of the source that the control video shows."""
        (scale_x, scale_y), (x, y) = self.scale, self.offset
        return x / scale_x, y / scale_y, (x + self.width) / scale_x, (y + self.height) / scale_y

    def socket_bytes(self) -> int:
        """Bytes of the IMAGE and MASK of the whole control, float32."""
        return self.length * self.height * self.width * (3 + 1) * 4

    def image(self, image: np.ndarray) -> np.ndarray:
        """uint8 [height, width, 3] from a source frame, uint8 [H, W, 3]."""
        shrinks = self.scaled_size[0] < self.source_size[0]
        return self._fit(image, cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        """bool [height, width] from a source mask, bool [H, W]: pixels of which at least half is inside."""
        shrinks = self.scaled_size[0] < self.source_size[0]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST_EXACT
        return self._fit(mask.astype(np.uint8) * 255, method) > 127

    def _fit(self, image: np.ndarray, method: int) -> np.ndarray:
        x, y = self.offset
        if self.scaled_size != self.source_size:
            image = cv2.resize(image, self.scaled_size[::-1], interpolation=method)
        return image[y : y + self.height, x : x + self.width]


def plan_control(
    source_size: tuple[int, int],
    frames: int,
    width: int | None = None,
    height: int | None = None,
    fit: str = "trim",
) -> ControlPlan:
    """Decide size, crop and length.

    Args:
        source_size: (H, W) px of the clip.
        frames: its number of frames.
        width, height: px of the control video. With one of them the other follows the clip's proportions; with none
            the clip keeps its size, less what is over a multiple of 16. Other values are lowered to one, with a note.
        fit: "trim" leaves out up to 3 frames at the end, "pad" repeats the last one (its mask too: frames of pure
            "generate" would spill over real frames in the last latent, of which VACE reads one mask frame).

    Raises:
        ConditioningError: no frames, a size below 16 px, an unknown `fit`.
    """
    if fit not in FITS:
        raise ConditioningError(f"length can be fitted by {' or '.join(FITS)}, not {fit!r}")
    if frames < 1:
        raise ConditioningError("there are no frames to make a control from")
    notes: list[str] = []
    size = _target_size(source_size, width, height, notes)
    scale = max(target / source for target, source in zip(size, source_size, strict=True))
    scaled = tuple(max(target, round(source * scale)) for target, source in zip(size, source_size, strict=True))
    kept = (frames - 1) // LENGTH_STEP * LENGTH_STEP + 1
    shown: list[int | None] = list(range(frames if fit == "pad" else kept))
    if kept != frames and fit == "trim":
        notes.append(f"the last {frames - kept} of {frames} frames are left out: VACE takes 4 n + 1")
    if kept != frames and fit == "pad":
        extra = kept + LENGTH_STEP - frames
        shown.extend([None] * extra)
        notes.append(f"{frames} frames became {len(shown)} with copies of the last one: VACE takes 4 n + 1")
    if len(shown) > TRAINED_LENGTH:
        notes.append(f"{len(shown)} frames: Wan was trained on {TRAINED_LENGTH}, longer clips degrade")
    return ControlPlan(
        width=size[1],
        height=size[0],
        source_size=source_size,
        scaled_size=(scaled[0], scaled[1]),
        offset=((scaled[1] - size[1]) // 2, (scaled[0] - size[0]) // 2),
        frames=tuple(shown),
        notes=tuple(notes),
    )


def control_frames(
    clip: Clip, track: Track, plan: ControlPlan, repaint: Sequence[str], grow: int = 0, pose: Clip | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield every frame of the control video and its mask, one at a time.

    Args:
        clip: the source.
        track: its objects.
        plan: from `plan_control` for this clip.
        repaint: labels of the objects that the model generates anew.
        grow: px of the control video by which the mask is widened, all around.
        pose: drawn poses, at the clip's size; they are shown where the model generates. None shows grey there.

    Yields:
        (control, mask): uint8 [height, width, 3] RGB, the original outside the mask and GREY (or the pose) inside;
        bool [height, width], True where the model generates.

    Raises:
        ConditioningError: clip, track, pose and plan don't belong together, or there is nothing to repaint.
        KeyError: the track has no such object.
    """
    _require_match(clip, track, plan, pose)
    if not repaint:
        raise ConditioningError(f"nothing to repaint: name one of {', '.join(track.labels)}")
    if grow < 0:
        raise ConditioningError(f"a mask grows by 0 px or more, not {grow}")
    columns = [track.index(label) for label in repaint]
    images = iter(clip)
    poses = iter(pose) if pose is not None else repeat(None)
    control = mask = None
    for t in plan.frames:
        if t is not None:
            frame, guide = next(images, None), next(poses, None)
            if frame is None or (pose is not None and guide is None):
                short = clip.name if frame is None else "the pose clip"
                raise ConditioningError(f"{short} ends after {t} frames, the track has {len(track)}")
            mask = _grown(plan.mask(np.logical_or.reduce(track.masks(t)[columns])), grow)
            control = plan.image(frame.image).copy()
            control[mask] = GREY if guide is None else plan.image(guide.image)[mask]
        assert control is not None and mask is not None  # a plan starts with frame 0
        yield control, mask


def float_control(control: np.ndarray, mask: np.ndarray, guided: bool = False) -> np.ndarray:
    """float32 [height, width, 3] in 0..1 for the IMAGE socket, exactly 0.5 where nothing is known.

    Args:
        control, mask: as `control_frames` yields them.
        guided: poses were drawn inside the mask, so that something is known there.
    """
    values = control.astype(np.float32) / 255
    if not guided:
        values[mask] = 0.5
    return values


def write_control(
    folder: str | Path,
    clip: Clip,
    track: Track,
    plan: ControlPlan,
    repaint: Sequence[str],
    grow: int = 0,
    pose: Clip | None = None,
) -> dict[str, Any]:
    """Write `control.mp4`, `mask.mp4`, `masks/%05d.png` (lossless, 255 = generate) and `vace.json`.

    Args:
        folder: new or empty; it appears when everything is in it.
        clip, track, plan, repaint, grow, pose: as for `control_frames`.

    Returns:
        What vace.json holds.

    Raises:
        FileExistsError: the folder has something in it.
        ConditioningError, KeyError: as for `control_frames`.
    """
    metadata = describe(clip, plan, repaint, grow, guided=pose is not None)
    size = (plan.width, plan.height, clip.rate)
    with new_folder(folder) as partial:
        (partial / "masks").mkdir()
        with (
            VideoWriter(partial / "control.mp4", *size, crf=CONTROL_CRF) as video,
            VideoWriter(partial / "mask.mp4", *size, crf=CONTROL_CRF) as matte,
        ):
            frames = control_frames(clip, track, plan, repaint, grow, pose)
            for index, (control, mask) in enumerate(progress(frames, plan.length, "conditioning")):
                white = mask.view(np.uint8) * 255
                video.write(control)
                matte.write(np.repeat(white[..., None], 3, axis=2))
                write_image(partial / "masks" / f"{index:05d}.png", white)
        write_json(partial / METADATA, metadata)
    return metadata


def read_control(folder: str | Path) -> dict[str, Any]:
    """vace.json of a folder that `write_control` wrote. Raises ConditioningError: there is none, or a newer one."""
    file = Path(folder) / METADATA
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConditioningError(f"{folder} is no control folder: {error}") from error
    if data.get("schema") != SCHEMA or data.get("schema_version", 0) > SCHEMA_VERSION:
        raise ConditioningError(f"{file} is {data.get('schema')} version {data.get('schema_version')}, not {SCHEMA}")
    return data


def describe(clip: Clip, plan: ControlPlan, repaint: Sequence[str], grow: int, guided: bool) -> dict[str, Any]:
    """What vace.json holds, JSON-able; validation takes `crop` and `frames` from it."""
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
        "repaint": list(repaint),
        "grow": grow,
        "mask": "white (1) = generate, black (0) = keep",
        "unknown": "the pose, on its own background" if guided else f"grey {GREY} of 255 in the file, 0.5 in the graph",
        "files": {"control": "control.mp4", "mask": "mask.mp4", "masks": "masks"},
        "notes": list(plan.notes),
    }


def _target_size(
    source_size: tuple[int, int], width: int | None, height: int | None, notes: list[str]
) -> tuple[int, int]:
    """(H, W), multiples of 16; says in `notes` what it changed."""
    own_height, own_width = source_size
    if width is None and height is None:
        wanted = source_size
    elif height is None:
        assert width is not None
        wanted = (round(own_height * width / own_width / SIZE_STEP) * SIZE_STEP, width)
    elif width is None:
        wanted = (height, round(own_width * height / own_height / SIZE_STEP) * SIZE_STEP)
    else:
        wanted = (height, width)
    size = (wanted[0] // SIZE_STEP * SIZE_STEP, wanted[1] // SIZE_STEP * SIZE_STEP)
    if min(size) < SIZE_STEP:
        raise ConditioningError(f"a control of {wanted[1]}x{wanted[0]} px is too small: VACE needs 16x16 or more")
    if size != wanted:
        notes.append(f"{wanted[1]}x{wanted[0]} became {size[1]}x{size[0]}: VACE takes multiples of {SIZE_STEP}")
    return size


def _require_match(clip: Clip, track: Track, plan: ControlPlan, pose: Clip | None) -> None:
    size = (clip.height, clip.width)
    for name, other in (
        ("the track", track.clip_size),
        ("the plan", plan.source_size),
        ("the pose clip", size if pose is None else (pose.height, pose.width)),
    ):
        if other != size:
            raise ConditioningError(f"{name} is for {other[1]}x{other[0]} px, {clip.name} is {size[1]}x{size[0]}")
    last = max(t for t in plan.frames if t is not None)
    if last >= len(track):
        raise ConditioningError(f"the plan shows frame {last}, the track has {len(track)} frames")


def _grown(mask: np.ndarray, grow: int) -> np.ndarray:
    """bool [H, W]: every pixel within `grow` px (Euclidean) of the mask."""
    if grow == 0 or not mask.any():
        return mask
    outside = (~mask).view(np.uint8)
    return cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= grow + 1e-3

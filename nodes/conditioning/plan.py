"""How a clip becomes a control video: its size, which part of the picture it shows, and which frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from .choices import FITS, PAD, TRIM, ConditioningError
from .latents import GROUP, TRAINED_LENGTH
from .windows import whole_groups, whole_length

# The model's patches span 16 px.
SIZE_STEP = 16


@dataclass(frozen=True)
class ControlPlan:
    """How a clip becomes a control video: scaled evenly until it covers the target, then cropped to its centre.

    Attributes:
        width, height: px of the control video, multiples of 16.
        source_size: (H, W) px of the clip.
        scaled_size: (H, W) px of the clip after scaling; the two axes differ by rounding to whole px alone.
        offset: (x, y) px at which the control video begins in the scaled clip.
        frames: for each control frame the source frame it shows. None is a frame to be dropped after generating: at the
            end padding, which repeats the last one; at the start lead-in, which shows the first one.
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
    def lead_in(self) -> int:
        """Number of frames at the start that show the first one and are dropped after generating."""
        return next(index for index, frame in enumerate(self.frames) if frame is not None)

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
        """Bytes of the IMAGE and the two MASKs of the whole control, float32."""
        return self.length * self.height * self.width * (3 + 1 + 1) * 4

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
    fit: str = TRIM,
    lead_in: int = 0,
) -> ControlPlan:
    """Decide size, crop and length.

    Args:
        source_size: (H, W) px of the clip.
        frames: its number of frames.
        width, height: px of the control video. With one of them the other follows the clip's proportions; with none
            the clip keeps its size, less what is over a multiple of 16. Other values are lowered to one, with a note.
        fit: "trim" leaves out up to 3 frames at the end, "pad" repeats the last one (its mask too: frames of pure
            "generate" would spill over real frames in the last latent, of which VACE reads one mask frame).
        lead_in: frames put before the first, raised to a multiple of 4: whole latents, into which a reference image
            may bleed, and which are dropped after generating.

    Raises:
        ConditioningError: no frames, a size below 16 px, an unknown `fit`, a negative `lead_in`.
    """
    if fit not in FITS:
        raise ConditioningError(f"length can be fitted by {' or '.join(FITS)}, not {fit!r}")
    if frames < 1:
        raise ConditioningError("there are no frames to make a control from")
    before = whole_groups(lead_in)
    notes: list[str] = []
    size = _target_size(source_size, width, height, notes)
    scale = max(target / source for target, source in zip(size, source_size, strict=True))
    scaled = tuple(max(target, round(source * scale)) for target, source in zip(size, source_size, strict=True))
    kept = whole_length(frames)
    shown: list[int | None] = list(range(frames if fit == PAD else kept))
    if kept != frames and fit == TRIM:
        notes.append(f"the last {frames - kept} of {frames} frames are left out: VACE takes 4 n + 1")
    if kept != frames and fit == PAD:
        extra = kept + GROUP - frames
        shown.extend([None] * extra)
        notes.append(f"{frames} frames became {len(shown)} with copies of the last one: VACE takes 4 n + 1")
    if before:
        shown[:0] = [None] * before
        notes.append(
            f"the first {before} generated frames are lead-in, shown the first frame of the clip: drop them, as "
            "Composite Kept Pixels does"
        )
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


def plan_of(control: Mapping[str, Any]) -> ControlPlan:
    """The plan of a control, from what vace.json or PHYSICS_CONTROL says of it."""
    source = (control["source"]["height"], control["source"]["width"])
    scale_x, scale_y = control["scale"]
    return ControlPlan(
        width=control["width"],
        height=control["height"],
        source_size=source,
        scaled_size=(round(source[0] * scale_y), round(source[1] * scale_x)),
        offset=(round(control["crop"][0] * scale_x), round(control["crop"][1] * scale_y)),
        frames=tuple(control["frames"]),
    )


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

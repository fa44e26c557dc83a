"""Stereo footage for the matting stage: both eyes of every frame, and the pictures that are written of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..matting.footage import Sheet
from ..matting.settings import Settings
from ..media.clip import Clip, Frame
from .finding import eye_projection
from .layouts import SEPARATE, SIDE_BY_SIDE, StereoClip
from .names import fisheye_tag, player_tag
from .packed_alpha import AlphaPacker
from .spatial import describe_vr


class StereoFootage:
    """A stereo clip as matting's Footage.

    With `separate_eyes` each eye is written by itself; footage in two files is always written so.
    """

    def __init__(self, stereo: StereoClip, settings: Settings):
        self.stereo = stereo
        self.clip: Clip = stereo.clip
        self.eyes: Sequence[Clip] = (stereo.left, stereo.right)
        self._settings = settings
        self._size = stereo.clip.height, stereo.clip.width
        self._separate = settings.separate_eyes or stereo.layout.arrangement == SEPARATE
        tag = player_tag(settings)
        if self._separate:
            self.sheets: Sequence[Sheet] = tuple(
                Sheet(name, stereo.eye_size, eye, tag) for name, eye in zip(("_left", "_right"), self.eyes, strict=True)
            )
        else:
            self.sheets = (Sheet("", self._size, stereo.clip, tag),)
        self.extra: Sheet | None = None
        self._packer: AlphaPacker | None = None
        if settings.packed_alpha:
            degrees = settings.field_of_view if settings.projection == "fisheye" else 180.0
            self._packer = AlphaPacker(eye_projection(stereo, settings), stereo.eye_size, degrees)
            self.extra = Sheet("", self._packer.size, stereo.clip, f"_LR{fisheye_tag(degrees)}_alpha")

    def read(self, start: int) -> Iterator[tuple[Frame, list[np.ndarray]]]:
        for left, right in self.stereo.pairs(start):
            yield left, [left.image, right.image]

    def compose(self, eyes: Sequence[np.ndarray]) -> list[np.ndarray]:
        if self._separate:
            return list(eyes)
        return [self.stereo.layout.join(eyes[0], eyes[1], self._size)]

    def pack(self, colours: Sequence[np.ndarray], alphas: Sequence[np.ndarray]) -> np.ndarray:
        assert self._packer is not None
        return self._packer.pack(colours, alphas)

    def describe(self, file: Path, sheet: Sheet) -> str | None:
        """Say in the file how the eyes lie, and that it is VR180; the name says it to players that don't look."""
        layout = self.stereo.layout
        if sheet is self.extra:
            arrangement, vr180 = SIDE_BY_SIDE, False
        else:
            arrangement, vr180 = (
                None if self._separate else layout.arrangement,
                self._settings.projection == "hequirect",
            )
            if layout.right_first and not self._separate:
                return "there is no mark for the right eye first; only the name says how the eyes lie"
        if (arrangement or vr180) and not describe_vr(file, arrangement, vr180):
            return f"{file.suffix} has no place for marks of VR180 (st3d, sv3d); only the name says how the eyes lie"
        return None

"""What a run reads and in what pictures its results lie: one eye here, two in the stereo stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..media.clip import Clip, Frame, TrimmedClip
from ..media.video import VideoClip


@dataclass(frozen=True)
class Sheet:
    """One picture that is written for every frame: the whole frame, or one eye of it.

    Attributes:
        name: what is added to the names of its files, "" for a clip's only one.
        tag: what the names of its videos end with, for players.
        size: (H, W) px.
        clip: whose times, rate and sound it has.
    """

    name: str
    size: tuple[int, int]
    clip: Clip
    tag: str = ""

    @property
    def audio_from(self) -> str | None:
        """The file whose sound belongs to it; None where there is none."""
        path = self.clip.path
        return path if path is not None and not Path(path).is_dir() else None


class Footage(Protocol):
    """A clip as its eyes.

    Attributes:
        clip: the footage, or the first file of it.
        eyes: a clip of each eye.
        sheets: what is written.
    """

    @property
    def clip(self) -> Clip: ...
    @property
    def eyes(self) -> Sequence[Clip]: ...
    @property
    def sheets(self) -> Sequence[Sheet]: ...

    def read(self, start: int) -> Iterator[tuple[Frame, list[np.ndarray]]]:
        """Every frame from `start` on, and its picture in each eye, uint8 [H, W, 3] RGB; decoded once."""
        ...

    def compose(self, eyes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One array [H, W, ...] for each sheet of one [h, w, ...] for each eye."""
        ...

    @property
    def extra(self) -> Sheet | None:
        """A picture of colours and alpha of all eyes that is written as PACKED; None where there is none."""
        ...

    def pack(self, colours: Sequence[np.ndarray], alphas: Sequence[np.ndarray]) -> np.ndarray:
        """uint8 [H, W, 3] of `extra`."""
        ...

    def describe(self, file: Path, sheet: Sheet) -> str | None:
        """Write into a finished video what its picture is; a sentence where it can't be said in it."""
        ...


class FlatFootage:
    """A clip that is its own only eye."""

    def __init__(self, clip: Clip):
        self.clip = clip
        self.eyes: Sequence[Clip] = (clip,)
        self.sheets: Sequence[Sheet] = (Sheet("", (clip.height, clip.width), clip),)

    def read(self, start: int) -> Iterator[tuple[Frame, list[np.ndarray]]]:
        for frame in self.clip.read(start):
            yield frame, [frame.image]

    def compose(self, eyes: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [eyes[0]]

    @property
    def extra(self) -> Sheet | None:
        return None

    def pack(self, colours: Sequence[np.ndarray], alphas: Sequence[np.ndarray]) -> np.ndarray:
        raise NotImplementedError("a flat clip has nothing to pack")

    def describe(self, file: Path, sheet: Sheet) -> str | None:
        return None


def learn_jumps(clip: Clip) -> None:
    """Make reading from the middle quick, where that is cheap: a part of a clip would have to be decoded for it."""
    if isinstance(clip, VideoClip) and not isinstance(clip, TrimmedClip):
        clip.index()

"""Where a long run keeps what it has finished, so that it goes on from there after a crash or a cancel."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..media.clip import ClipError
from ..media.folder import write_json
from ..media.video import VideoClip
from ..media.writer import LosslessWriter
from .windows import Window

SCHEMA = "physics-preserver/reskin"
SCHEMA_VERSION = 1
ABOUT, RESULT = "run.json", "reskin"


@dataclass(frozen=True)
class RunFolder:
    """Finished windows of one run, each a lossless video that appears when it is whole.

    Attributes:
        folder: of this run alone; its name has the key of everything that the run stands on.
        windows: the run's plan.
        size: (H, W) px.
        rate: frames per second.
        suffix: of the finished video, see `writer.container_for`.
    """

    folder: Path
    windows: Sequence[Window]
    size: tuple[int, int]
    rate: Fraction
    suffix: str = ".mp4"

    @property
    def result(self) -> Path:
        """The finished video; it stays, the windows don't."""
        return self.folder / (RESULT + self.suffix)

    def begin(self) -> int:
        """Make the folder, or find it again. Returns how many windows are finished, counted from the first.

        Raises:
            FileExistsError: there is something else in that place.
        """
        about, file = self._about(), self.folder / ABOUT
        if file.is_file():
            if json.loads(file.read_text(encoding="utf-8")) != about:  # an earlier release planned it otherwise
                self._remove_windows()
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise FileExistsError(f"{self.folder} is there and no run of Reskin Long Clip; choose another prefix")
        write_json(file, about)
        finished = 0
        for number, window in enumerate(self.windows):
            if not is_whole(self._file(number), window.stop - window.start):
                break
            finished += 1
        return finished

    def write(self, number: int, frames: Iterable[np.ndarray]) -> None:
        """Keep a window's frames, uint8 [H, W, 3] each; the file appears when all of them are in it."""
        with LosslessWriter(self._file(number), self.size[1], self.size[0], self.rate, overwrite=True) as video:
            for frame in frames:
                video.write(frame)

    def read(self, start: int, stop: int, number: int) -> Iterator[np.ndarray]:
        """Frames start <= t < stop of the clip from the file of one window that has them."""
        window = self.windows[number]
        clip = VideoClip(self._file(number))
        for frame in islice(clip.read(start - window.start), stop - start):
            yield frame.image

    def frames(self) -> Iterator[np.ndarray]:
        """All frames of the clip in order: each from the last window that has it."""
        for number, window in enumerate(self.windows):
            after = self.windows[number + 1].start if number + 1 < len(self.windows) else window.stop
            yield from self.read(window.start, after, number)

    def clean(self) -> None:
        """Remove the windows, when the result is there."""
        if not self.result.is_file():
            raise FileNotFoundError(f"{self.result} is not there: the windows are still needed")
        self._remove_windows()

    def _file(self, number: int) -> Path:
        return self.folder / f"window_{number:05d}.mp4"

    def _remove_windows(self) -> None:
        for pattern in ("window_*.mp4", ".window_*.partial.mp4"):
            for file in self.folder.glob(pattern):
                file.unlink()

    def _about(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "windows": [asdict(window) for window in self.windows],
            "width": self.size[1],
            "height": self.size[0],
            "rate": str(self.rate),
        }


@dataclass(frozen=True)
class RepairFolder:
    """Where a repair keeps the ranges that it has made, until it is finished; `folder` is of this run alone."""

    folder: Path

    def place(self, past: str, start: int, stop: int) -> Path:
        """The file of a range; see `repair.Place`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"{past}_frames_{start:05d}_{stop - 1:05d}.mp4"

    def clean(self) -> None:
        """Remove the ranges, and the folder if nothing else is in it."""
        if not self.folder.is_dir():
            return
        for pattern in ("attempt_*.mp4", ".attempt_*.partial.mp4"):
            for file in self.folder.glob(pattern):
                file.unlink()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def is_whole(file: Path, frames: int) -> bool:
    """Whether a file is there and has so many frames; one that was damaged is made again."""
    try:
        return file.is_file() and VideoClip(file).index() == frames
    except ClipError:
        return False

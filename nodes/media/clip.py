"""The one shape in which every stage reads footage: frames, one at a time, with exact times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

# Frames that `backwards` may hold at once; a 4K frame is 25 MB, so this is ten of them.
BACKWARDS_BYTES = 256 * 2**20


class ClipError(Exception):
    """Footage that can't be read, said in one sentence with how far reading got."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame.

    Attributes:
        index: 0-based position in the clip.
        time: presentation time in seconds, as the container states it.
        image: uint8 [H, W, 3], RGB, upright (rotation applied).
    """

    index: int
    time: Fraction
    image: np.ndarray


@dataclass(frozen=True, slots=True)
class Look:
    """How pixels are meant to be shown, for files that are written of them.

    Attributes:
        pixel_aspect: width of a pixel in heights of it, upright.
        primaries, transfer, matrix: of the colours, numbers of ITU-T H.273: 1 BT.709, 2 that the source doesn't say.
    """

    pixel_aspect: Fraction = Fraction(1)
    primaries: int = 1
    transfer: int = 1
    matrix: int = 1


class Clip:
    """Footage as a restartable stream of frames; a subclass provides `read`.

    Attributes:
        name: what to call it in messages and metadata (a file name, not a path).
        path: the file or folder it came from, None for frames in memory.
        width, height: px, upright.
        rate: nominal frames per second. Times are exact; the rate is only their average.
        time_base: seconds; every frame time is a whole multiple of it.
        warnings: what the reader had to tell about the footage so far.
        look: how its pixels are meant to be shown.
        sound_in_memory: it has sound that is no file's, so that `audio_file` can't name it.
    """

    name: str
    path: str | None = None
    width: int
    height: int
    rate: Fraction
    time_base: Fraction
    warnings: list[str]
    look: Look = Look()
    sound_in_memory: bool = False

    def read(self, start: int = 0) -> Iterator[Frame]:
        """Frames from `start` to the end, in presentation order.

        Raises:
            ClipError: the footage breaks off or is damaged.
        """
        raise NotImplementedError

    def count(self) -> int:
        """Number of frames that really decode. The first call may read the whole clip."""
        raise NotImplementedError

    def expected_count(self) -> int | None:
        """Number of frames as far as it is known without decoding: for progress bars only."""
        return self.count()

    def index(self) -> int:
        """Number of frames the cheap way, for looking at single ones: `frame` is quick from then on.

        A video's packets are listed and not decoded, so damage inside it isn't found, as `count` would.
        """
        return self.count()

    def span(self) -> tuple[Fraction, Fraction | None]:
        """(start, end) in seconds of the source file's clock that the clip covers; end None = to the file's end.

        A file written of the clip begins at `start`. That is 0 for a whole file, also for one whose first frame is
        later; only a transport stream's clock begins anywhere, so that it is when its first packet is shown.
        """
        return Fraction(0), None

    def audio_file(self) -> str | None:
        """The file whose sound is the clip's, None for folders and frames in memory."""
        return self.path if self.path is not None and Path(self.path).is_file() else None

    def __iter__(self) -> Iterator[Frame]:
        return self.read()

    def frame(self, index: int) -> Frame:
        """The frame at `index`. Raises IndexError outside 0 <= index < count()."""
        if index >= 0:
            for frame in self.read(index):
                return frame
        raise IndexError(f"{self.name} has {self.count()} frames; frame {index} was asked for")

    def backwards(self, index: int) -> Iterator[Frame]:
        """Frames index, index - 1, ... 0, holding at most BACKWARDS_BYTES of them at once."""
        chunk = max(1, BACKWARDS_BYTES // (self.width * self.height * 3))
        while index >= 0:
            start = max(0, index - chunk + 1)
            yield from reversed(list(islice(self.read(start), index - start + 1)))
            index = start - 1


class TrimmedClip(Clip):
    """Frames start <= i < stop of another clip, renumbered from 0; times stay those of the source."""

    def __init__(self, clip: Clip, start: int, stop: int | None):
        if start < 0 or (stop is not None and stop <= start):
            raise ClipError(f"frames {start}:{'' if stop is None else stop} of {clip.name} is not a range")
        self._clip, self._start, self._stop = clip, start, stop
        self.name, self.path = clip.name, clip.path
        self.width, self.height = clip.width, clip.height
        self.rate, self.time_base = clip.rate, clip.time_base
        self.warnings, self.look = clip.warnings, clip.look
        self.sound_in_memory = clip.sound_in_memory
        self._count: int | None = None

    @property
    def frames(self) -> tuple[int, int | None]:
        """(start, stop) in the source clip; stop None means to the end."""
        return self._start, self._stop

    def span(self) -> tuple[Fraction, Fraction | None]:
        start = self._clip.frame(self._start).time if self._start else self._clip.span()[0]
        if self._stop is None or self._stop >= self._clip.count():
            return start, self._clip.span()[1]
        return start, self._clip.frame(self._stop).time

    def read(self, start: int = 0) -> Iterator[Frame]:
        stop = None if self._stop is None else max(0, self._stop - self._start - start)
        for frame in islice(self._clip.read(self._start + start), stop):
            yield Frame(frame.index - self._start, frame.time, frame.image)

    def count(self) -> int:
        if self._count is None:
            self._count = sum(1 for _ in self.read())
            if self._count == 0:
                raise ClipError(f"{self.name} has {self._clip.count()} frames: none from {self._start} on")
        return self._count

    def expected_count(self) -> int | None:
        total = self._clip.expected_count()
        if total is None:
            return None if self._stop is None else self._stop - self._start
        return max(0, (total if self._stop is None else min(total, self._stop)) - self._start)

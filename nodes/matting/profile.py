"""How long each stage of a run takes, and how much memory the process took at most."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..extraction.detection import Detection, Detector, describe_detector
from ..media.clip import Clip, Frame

DECODE, DETECT, TRACK, DISPARITY = "decode", "detect", "track", "disparity"
REFINE, UPSAMPLE, COLOURS, ENCODE = "refine", "upsample", "colours", "encode"
STAGES = (DECODE, DETECT, TRACK, DISPARITY, REFINE, UPSAMPLE, COLOURS, ENCODE)


class OutOfMemory(MemoryError, OSError):
    """The run needs more than it may have, or than there is; what it has finished stays."""


@dataclass
class Profile:
    """What each stage takes. A stage inside another is not counted for the outer one.

    Attributes:
        max_ram: bytes; a stage that begins when the process has more raises OutOfMemory. 0: no limit. It can only be
            kept where the system tells what a process has (`ram_now`).
        seconds: by stage.
        ram: bytes that the process had at most when the stage began or ended; empty where the system doesn't tell.
        vram: bytes of GPU memory that torch had at most meanwhile; empty where it uses none.
    """

    max_ram: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    ram: dict[str, int] = field(default_factory=dict)
    vram: dict[str, int] = field(default_factory=dict)
    _running: list[str] = field(default_factory=list)
    _since: float = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self._turn()
        self._require_ram()
        self._running.append(name)
        try:
            yield
        finally:
            self._turn()
            self._running.pop()

    def taken(self) -> dict[str, dict[str, Any]]:
        """All of it so far, JSON-able; it then begins again from nothing."""
        taken = {"seconds": self.seconds, "ram": self.ram, "vram": self.vram}
        self.seconds, self.ram, self.vram = {}, {}, {}
        return taken

    def _require_ram(self) -> None:
        used = ram_now() if self.max_ram else None
        if used is not None and used > self.max_ram:
            raise OutOfMemory(
                f"the process has {used / 2**30:.1f} GiB and may have {self.max_ram / 2**30:g}: raise max_memory_gb, "
                "and the same command goes on from what is finished; or begin anew with a smaller scale or tile"
            )

    def _turn(self) -> None:
        now, vram = time.perf_counter(), _vram_since_last()
        if self._running:
            name = self._running[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
            for most, used in ((self.ram, ram_now()), (self.vram, vram)):
                if used is not None:
                    most[name] = max(most.get(name, 0), used)
        self._since = now


class TimedDetector:
    """A detector whose work counts as detecting, also where a tracker asks it."""

    def __init__(self, detector: Detector, profile: Profile):
        self._detector, self._profile = detector, profile

    def __call__(self, image: np.ndarray) -> list[Detection]:
        with self._profile.stage(DETECT):
            return self._detector(image)

    def describe(self) -> str:
        return describe_detector(self._detector)


class TimedClip(Clip):
    """A clip whose reading counts as decoding, wherever it happens."""

    def __init__(self, clip: Clip, profile: Profile):
        self._clip, self._profile = clip, profile
        self.name, self.path = clip.name, clip.path
        self.width, self.height = clip.width, clip.height
        self.rate, self.time_base = clip.rate, clip.time_base
        self.warnings = clip.warnings

    def read(self, start: int = 0) -> Iterator[Frame]:
        frames = self._clip.read(start)
        while True:
            with self._profile.stage(DECODE):
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def count(self) -> int:
        with self._profile.stage(DECODE):
            return self._clip.count()

    def expected_count(self) -> int | None:
        return self._clip.expected_count()

    def index(self) -> int:
        return self._clip.index()

    def span(self) -> Any:
        return self._clip.span()


def peak_ram() -> int | None:
    """Bytes of memory that this process had at most; None where the system doesn't tell (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def ram_now() -> int | None:
    """Bytes of memory that this process has now; None where the system doesn't tell (other than Linux)."""
    try:
        with open("/proc/self/statm", encoding="ascii") as status:
            return int(status.read().split()[1]) * 4096
    except OSError:
        return None


def _vram_since_last() -> int | None:
    """Bytes of GPU memory that torch had at most since this was asked before; None where torch uses no GPU."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    most = int(torch.cuda.max_memory_allocated())
    torch.cuda.reset_peak_memory_stats()
    return most

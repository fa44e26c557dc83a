"""Where a clip is cut from one shot to another, found while its frames are read for something else."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from ..media.clip import Clip, Frame

# Frames are compared at about this many px: a cut changes the whole picture.
SIZE = 256 * 144
# How many times a frame must differ from the one before it more than its neighbours do, and by how much at least (mean
# difference of hue, saturation and value, in 0..255). tests/benchmarks/cuts.py has what other values would do.
RATIO = 2.25
LEAST = 20.0
# Frames on either side of a change that it is compared with, and that must have been read before it is known.
AROUND = 2
# A flash is over after so many frames: the picture after it is like the one before.
FLASH = 3


class Shots:
    """A clip's frames, shot by shot. Cuts are looked for in frames as they pass: no second reading is needed for them.

    PySceneDetect's AdaptiveDetector finds frames that differ from the one before much more than their neighbours do,
    which fast motion and a shaking camera don't. Such a frame is a cut unless the picture was like one of the next
    three within the three frames before it, as with a flash. Not found: dissolves and fades, and a cut within the
    first three or last three frames.

    Measured (tests/benchmarks/cuts.py, 8 clips, 800 frames without a cut): no false cut in them as they are, six times
    as fast, shaken, in a whip pan, with flashes of one frame, or with something dark passing by; 1 with flashes of two
    frames. 55 of 56 joins of two of them found, and 5 of 8 jumps within one; 0.4 ms a frame.
    """

    def __init__(self, clip: Clip, look: bool = True):
        """look: False takes the whole clip for one shot."""
        self.clip = clip
        self._finder = _Finder() if look else None
        # Frames from here on have not been looked at.
        self._next = 0
        self._at_end = False
        self.cuts: list[int] = []

    @property
    def missing(self) -> bool:
        """Whether cuts were to be looked for and PySceneDetect isn't installed."""
        return self._finder is not None and self._finder.detector is None

    def look_until(self, index: int) -> None:
        """Make sure that every cut up to and with frame `index` is known; reads what has not been read yet."""
        if self._finder is not None and not self._known(index):
            for frame in self.clip.read(self._next):
                self._note(frame)
                if self._known(index):
                    return
            self._at_end = True

    def read(self, start: int) -> Iterator[Frame]:
        """Frames from `start` to the end of its shot."""
        self.look_until(start)
        waiting: deque[Frame] = deque()
        for frame in self.clip.read(start):
            self._note(frame)
            waiting.append(frame)
            while waiting and self._known(waiting[0].index):
                if waiting[0].index > start and waiting[0].index in self.cuts:
                    return
                yield waiting.popleft()
        self._at_end = True
        for frame in waiting:
            if frame.index > start and frame.index in self.cuts:
                return
            yield frame

    def back(self, index: int, start: int) -> Iterator[Frame]:
        """Frames index, index - 1, ... start."""
        for frame in self.clip.backwards(index):
            if frame.index < start:
                return
            yield frame

    def next_cut(self, start: int) -> int | None:
        """The first known cut after frame `start`."""
        return next((cut for cut in self.cuts if cut > start), None)

    def _known(self, index: int) -> bool:
        return self._finder is None or self._at_end or index < self._next - FLASH

    def _note(self, frame: Frame) -> None:
        if self._finder is not None and frame.index == self._next:
            self._next += 1
            self.cuts += self._finder.look(frame)


def cuts_of(clip: Clip) -> list[int]:
    """First frames of a clip's shots but the first; none where PySceneDetect isn't installed. Reads the whole clip."""
    shots = Shots(clip)
    if not shots.missing:
        shots.look_until(clip.count())
    return shots.cuts


class _Finder:
    """AdaptiveDetector, fed frame by frame, and the check for flashes."""

    def __init__(self) -> None:
        self.detector: Any = None
        self._seen: deque[tuple[int, np.ndarray]] = deque(maxlen=2 * FLASH + 1)
        self._candidates: list[int] = []
        try:
            from scenedetect.detectors import AdaptiveDetector
        except ModuleNotFoundError:
            return
        self.detector = AdaptiveDetector(
            adaptive_threshold=RATIO, min_scene_len=0, window_width=AROUND, min_content_val=LEAST
        )

    def look(self, frame: Frame) -> list[int]:
        """The cut that this frame makes certain, if it does."""
        if self.detector is None:
            return []
        from scenedetect import FrameTimecode

        scale = min(1.0, (SIZE / frame.image[..., 0].size) ** 0.5)
        height, width = (max(round(side * scale), 8) for side in frame.image.shape[:2])
        small = cv2.resize(frame.image, (width, height), interpolation=cv2.INTER_AREA)
        self._seen.append((frame.index, cv2.cvtColor(small, cv2.COLOR_RGB2HSV)))
        bgr = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
        # The rate means nothing here: every length is given in frames.
        found = self.detector.process_frame(FrameTimecode(frame.index, 25.0), bgr)
        self._candidates += [code.frame_num for code in found]
        ripe = [cut for cut in self._candidates if cut <= frame.index - FLASH + 1]
        self._candidates = [cut for cut in self._candidates if cut > frame.index - FLASH + 1]
        return [cut for cut in ripe if self._stays(cut)]

    def _stays(self, cut: int) -> bool:
        """Whether no picture after the change is like one before it."""
        before = [image for index, image in self._seen if cut - FLASH <= index < cut]
        after = [image for index, image in self._seen if cut <= index < cut + FLASH]
        return all(float(cv2.absdiff(a, b).mean()) >= LEAST for a in before for b in after)

"""Single frames of a clip as a person scrubs through it: in any order, quickly, small enough to send."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import cv2
import numpy as np

from .clip import Clip, Frame

# Steps ahead that are walked by decoding on; a longer one jumps. Most files have 10 to 250 frames between two jumps.
WALK = 16
QUALITY = 88


class Scrubber:
    """Frames of one clip for viewing; threads may share it.

    The reader stays open where the last frame was, so that stepping forward decodes one frame.
    """

    def __init__(self, clip: Clip):
        self.clip = clip
        self._lock = threading.Lock()
        self._reader: Iterator[Frame] | None = None
        self._next = 0

    def count(self) -> int:
        """Number of frames, see Clip.index."""
        with self._lock:
            return self.clip.index()

    def image(self, index: int) -> np.ndarray:
        """Frame `index`, uint8 [H, W, 3] RGB. Raises IndexError outside the clip, ClipError where it is damaged."""
        with self._lock:
            count = self.clip.index()
            if not 0 <= index < count:
                raise IndexError(f"{self.clip.name} has {count} frames; frame {index} was asked for")
            if self._reader is None or not self._next <= index < self._next + WALK:
                self._close()
                self._reader, self._next = self.clip.read(index), index
            try:
                for frame in self._reader:
                    self._next = frame.index + 1
                    if frame.index == index:
                        return frame.image
            except BaseException:
                self._close()
                raise
            self._close()
            raise IndexError(f"{self.clip.name} ends before frame {index}")

    def jpeg(self, index: int, side: int = 0) -> bytes:
        """Frame `index` as JPEG, its longer side at most `side` px (0 = as it is). Raises as `image`."""
        return encode_jpeg(self.image(index), side)

    def close(self) -> None:
        """Let go of the file; the next frame opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._reader is not None:
            self._reader.close()  # type: ignore[attr-defined]
        self._reader = None


def encode_jpeg(image: np.ndarray, side: int = 0) -> bytes:
    """JPEG of uint8 [H, W, 3] RGB, made smaller so that its longer side is at most `side` px (0 = as it is)."""
    height, width = image.shape[:2]
    if 0 < side < max(width, height):
        scale = side / max(width, height)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise OSError(f"a picture of {width}x{height} can't be encoded as JPEG")
    return data.tobytes()

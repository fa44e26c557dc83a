"""Soft logits of a track: how sure SAM 2.1 is of every pixel, small and in a file, for whoever makes an alpha of it."""

from __future__ import annotations

import tempfile
from collections.abc import Collection

import cv2
import numpy as np

from ..media.track import Track

# What stands for "surely not" and, in what was only kept as a mask, for "surely".
SURE = 32.0


class SoftLogits:
    """Logits float16 [T, N, h, w], written frame by frame in any order into a temporary file, 128 KiB an object.

    What nothing is written for has an earlier track's logits, or its masks as +-SURE, or else -SURE.
    """

    def __init__(self, objects: int, previous: Track | None = None):
        self._file = tempfile.TemporaryFile()  # the map outlives this object
        self._objects, self._previous = objects, previous
        self._size: tuple[int, ...] = ()
        self._written: set[int] = set()

    def write(self, t: int, logits: np.ndarray, objects: Collection[int]) -> None:
        """Keep frame t of some objects; logits float [N, h, w] of all."""
        self._size = logits.shape[1:]
        whole = self._read(t) if t in self._written else self._before(t)
        for n in objects:
            whole[n] = np.clip(logits[n], -SURE, SURE)
        self._put(t, whole)

    def finish(self, frames: int) -> np.ndarray | None:
        """The logits as a memory map of the file. None where none were written."""
        if not self._written:
            self._file.close()
            return None
        for t in range(frames):
            if t not in self._written:
                self._put(t, self._before(t))
        self._file.flush()
        shape = (frames, self._objects, *self._size)
        kept = np.memmap(self._file, np.float16, "r+", shape=shape)  # type: ignore[call-overload]
        self._file.close()
        return kept

    def _before(self, t: int) -> np.ndarray:
        whole = np.full((self._objects, *self._size), -SURE, np.float16)
        earlier = self._previous
        if earlier is None:
            return whole
        if earlier.soft is not None and earlier.soft.shape[2:] == self._size:
            whole[: len(earlier.labels)] = earlier.soft[t]
            return whole
        for n, mask in enumerate(earlier.masks(t)):
            share = cv2.resize(mask.astype(np.float32), self._size[::-1], interpolation=cv2.INTER_AREA)
            whole[n] = SURE * (2 * share - 1)
        return whole

    def _put(self, t: int, whole: np.ndarray) -> None:
        self._file.seek(t * whole.nbytes)
        self._file.write(whole.tobytes())
        self._written.add(t)

    def _read(self, t: int) -> np.ndarray:
        size = 2 * self._objects * int(np.prod(self._size))
        self._file.seek(t * size)
        return np.frombuffer(self._file.read(size), np.float16).reshape(self._objects, *self._size).copy()

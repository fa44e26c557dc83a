"""Tracks: the masks of every object in every frame of a clip, one bit a pixel."""

from __future__ import annotations

import mmap
import tempfile
from dataclasses import dataclass, field
from fractions import Fraction

import cv2
import numpy as np

from ..host import check_cancelled

# Packed masks above this many bytes live in a temporary file that is mapped, not in memory.
SPILL_BYTES = 64 * 2**20
# Mapped pages count as this process's memory until they are given back, so that is done this often.
RELEASE_EVERY = 64


@dataclass
class Track:
    """Masks, scores and times of N objects over T frames.

    Attributes:
        packed: uint8 [T, N, h, ceil(w / 8)]; bit b of byte c in a row is column 8 c + b; unused bits are 0. May be a
            read-only memory map.
        labels: N different names.
        scores: float32 [T, N], 0..1: how sure the tracker is, 0 where the object is lost.
        clip_size: (H, W) of the frames, px.
        mask_size: (h, w) of the masks, px; other trackers work below the clip's size.
        rate: nominal frames per second.
        times: presentation time of every frame in seconds, or None for index / rate.
        source: what was tracked.
        tracker: what tracked it.
        warnings: what the tracker had to tell.
        soft: float16 [T, N, h', w'], logits of every pixel before they were made masks (inside > 0), of any size, as a
            memory map; None where the tracker has none or they weren't wanted.
    """

    packed: np.ndarray
    labels: tuple[str, ...]
    scores: np.ndarray
    clip_size: tuple[int, int]
    mask_size: tuple[int, int]
    rate: Fraction
    times: list[Fraction] | None = None
    source: str = ""
    tracker: str = ""
    warnings: list[str] = field(default_factory=list)
    soft: np.ndarray | None = None

    def __post_init__(self) -> None:
        frames, objects = len(self.packed), len(self.labels)
        expected = (frames, objects, self.mask_size[0], -(-self.mask_size[1] // 8))
        if self.packed.shape != expected or self.packed.dtype != np.uint8:
            raise ValueError(f"packed masks are uint8 {expected}, not {self.packed.dtype} {self.packed.shape}")
        if self.scores.shape != (frames, objects):
            raise ValueError(f"scores are [{frames}, {objects}], not {list(self.scores.shape)}")
        if len(set(self.labels)) != objects:
            raise ValueError(f"two objects have the same label: {', '.join(self.labels)}")
        self._measures: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.packed)

    def index(self, label: str) -> int:
        """Position of an object. Raises KeyError naming the objects there are."""
        if label not in self.labels:
            raise KeyError(f"no object {label!r} in this track; it has: {', '.join(self.labels) or 'none'}")
        return self.labels.index(label)

    def time(self, t: int) -> Fraction:
        """Presentation time of frame t, seconds."""
        return self.times[t] if self.times else t / self.rate

    def packed_masks(self, t: int) -> np.ndarray:
        """uint8 [N, h, ceil(w / 8)] of frame t; walking a long mapped track this way keeps memory flat."""
        masks = self.packed[t]
        if isinstance(self.packed, np.memmap):
            masks = np.array(masks)
            if t % RELEASE_EVERY == 0:
                release(self.packed)
        return masks

    def logits(self, t: int) -> np.ndarray:
        """float32 [N, h', w'] of frame t, as `soft` has them; walking a long track this way keeps memory flat.

        Raises:
            ValueError: this track has none.
        """
        if self.soft is None:
            raise ValueError("this track has no soft logits")
        logits = np.array(self.soft[t], np.float32)
        if isinstance(self.soft, np.memmap) and t % RELEASE_EVERY == 0:
            release(self.soft)
        return logits

    def masks(self, t: int) -> np.ndarray:
        """bool [N, H, W] of frame t, at the clip's size."""
        masks = unpack(self.packed_masks(t), self.mask_size[1])
        if self.mask_size == self.clip_size:
            return masks
        height, width = self.clip_size
        return (
            np.stack([_resize(mask, width, height) for mask in masks])
            if len(masks)
            else np.zeros((0, height, width), bool)
        )

    def mask(self, t: int, label: str) -> np.ndarray:
        """bool [H, W] of one object in frame t, at the clip's size."""
        mask = unpack(self.packed[t, self.index(label)], self.mask_size[1])
        return mask if self.mask_size == self.clip_size else _resize(mask, *self.clip_size[::-1])

    def areas(self) -> np.ndarray:
        """float64 [T, N]: px of the clip that each mask covers."""
        return self._measured()[0]

    def boxes(self) -> np.ndarray:
        """float64 [T, N, 4]: x1, y1, x2, y2 in px of the clip, ends exclusive; nan where a mask is empty."""
        return self._measured()[1]

    def centroids(self) -> np.ndarray:
        """float64 [T, N, 2]: x, y of the centre of area in px of the clip (pixel 0 spans 0..1); nan where empty."""
        return self._measured()[2]

    def _measured(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if self._measures is None:
            shape = self.scores.shape
            areas, boxes, centroids = (
                np.zeros(shape),
                np.full((*shape, 4), np.nan),
                np.full((*shape, 2), np.nan),
            )
            for t in range(shape[0]):
                check_cancelled()
                for n, packed in enumerate(self.packed_masks(t)):
                    areas[t, n], boxes[t, n], centroids[t, n] = measure(packed)
            sx, sy = self.clip_size[1] / self.mask_size[1], self.clip_size[0] / self.mask_size[0]
            self._measures = areas * sx * sy, boxes * (sx, sy, sx, sy), centroids * (sx, sy)
        return self._measures


class TrackBuilder:
    """Collects a track frame by frame, in memory as long as it is small and in a temporary file from then on.

    Args: as the attributes of Track. The size of the masks is that of the first ones appended.
    """

    def __init__(
        self,
        labels: tuple[str, ...],
        clip_size: tuple[int, int],
        rate: Fraction,
        source: str = "",
        tracker: str = "",
    ):
        self._labels, self._clip_size, self._rate = tuple(labels), clip_size, rate
        self._source, self._tracker = source, tracker
        self._mask_size = clip_size
        self._file = tempfile.SpooledTemporaryFile(max_size=SPILL_BYTES)  # the map outlives this object
        self._scores: list[np.ndarray] = []
        self._times: list[Fraction] = []
        self.warnings: list[str] = []

    def append(self, masks: np.ndarray, scores: np.ndarray, time: Fraction | None = None) -> None:
        """Add one frame: masks bool [N, h, w], scores [N] in 0..1, presentation time in seconds.

        Raises:
            ValueError: another number of objects or another size than before.
        """
        if not self._scores:
            self._mask_size = masks.shape[1:]
        if masks.shape != (len(self._labels), *self._mask_size):
            raise ValueError(f"masks are {[len(self._labels), *self._mask_size]}, not {list(masks.shape)}")
        self._file.write(pack(masks).tobytes())
        self._scores.append(np.asarray(scores, np.float32))
        if time is not None:
            self._times.append(time)

    def finish(self) -> Track:
        """The track. The builder is spent."""
        height, width = self._mask_size
        shape = (len(self._scores), len(self._labels), height, -(-width // 8))
        if np.prod(shape) > SPILL_BYTES:
            packed: np.ndarray = np.memmap(self._file, np.uint8, "r+", shape=shape)  # type: ignore[call-overload]
        else:
            self._file.seek(0)
            packed = np.frombuffer(bytearray(self._file.read()), np.uint8).reshape(shape)
        self._file.close()
        scores = np.array(self._scores, np.float32).reshape(shape[:2])
        times = self._times if len(self._times) == len(scores) else None
        return Track(
            packed, self._labels, scores, self._clip_size, self._mask_size, self._rate, times,
            self._source, self._tracker, self.warnings,
        )  # fmt: skip


def pack(masks: np.ndarray) -> np.ndarray:
    """uint8 [..., ceil(w / 8)] from bool [..., w], little-endian bits."""
    return np.packbits(masks, axis=-1, bitorder="little")


def unpack(packed: np.ndarray, width: int) -> np.ndarray:
    """bool [..., width] from uint8 [..., ceil(width / 8)], little-endian bits."""
    return np.unpackbits(packed, axis=-1, count=width, bitorder="little").view(bool)


def occupied(packed: np.ndarray) -> tuple[int, int, int, int] | None:
    """Rows top..bottom and bytes first..last (ends exclusive) that hold all of a packed mask, uint8 [h, ceil(w / 8)].

    None where the mask is empty.
    """
    flat = np.ascontiguousarray(packed).reshape(-1)
    size = 8 if len(flat) % 8 == 0 else 1  # by words where the mask is made of whole ones: most of it is empty
    used = np.flatnonzero((flat.view(np.uint64) if size == 8 else flat) != 0)
    if len(used) == 0:
        return None
    row = packed.shape[1]
    top, bottom = int(used[0]) * size // row, -(-(int(used[-1]) + 1) * size // row)
    while not packed[top].any():  # a word can begin in the row before
        top += 1
    while not packed[bottom - 1].any():
        bottom -= 1
    columns = np.flatnonzero(np.bitwise_or.reduce(packed[top:bottom], axis=0))
    return top, bottom, int(columns[0]), int(columns[-1]) + 1


def measure(packed: np.ndarray) -> tuple[float, tuple[float, ...], tuple[float, float]]:
    """Area, box (x1, y1, x2, y2) and centroid (x, y) of one packed mask, uint8 [h, ceil(w / 8)], in its own px."""
    box = occupied(packed)
    if box is None:
        return 0.0, (np.nan,) * 4, (np.nan, np.nan)
    top, bottom, left, right = box
    bits = np.unpackbits(packed[top:bottom, left:right], axis=1, bitorder="little")
    per_row, per_column = bits.sum(axis=1, dtype=np.int64), bits.sum(axis=0, dtype=np.int64)
    columns = np.flatnonzero(per_column)
    area = int(per_row.sum())
    x = 8 * left + (per_column @ np.arange(len(per_column))) / area + 0.5
    y = top + (per_row @ np.arange(len(per_row))) / area + 0.5
    return float(area), (8.0 * left + columns[0], top, 8.0 * left + columns[-1] + 1, bottom), (x, y)


def _resize(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    return cv2.resize(mask.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT).view(bool)


def release(packed: np.memmap) -> None:
    """Give the mapped pages back to the system; they are read again from the file when they are needed."""
    mapped = packed._mmap  # type: ignore[attr-defined]
    if hasattr(mapped, "madvise") and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        mapped.madvise(mmap.MADV_DONTNEED)

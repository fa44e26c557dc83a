"""Two eyes in one clip: taken apart so that nothing ever reaches over the line between them, and put together again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..media.clip import Clip, ClipError, Frame
from .choices import ARRANGEMENTS, SEPARATE, SIDE_BY_SIDE, TOP_BOTTOM


@dataclass(frozen=True)
class Layout:
    """How the two eyes lie in the footage.

    A frame of odd width (side by side) or height (top-bottom) has one column or row in the middle that belongs to
    neither eye.

    Attributes:
        arrangement: one of ARRANGEMENTS.
        squeezed: each eye is stored at half its width (side by side) or height (top-bottom).
        right_first: the right eye is the left or upper half, or the first file.
    """

    arrangement: str = SIDE_BY_SIDE
    squeezed: bool = False
    right_first: bool = False

    def __post_init__(self) -> None:
        if self.arrangement not in ARRANGEMENTS:
            raise ValueError(f"there is no stereo layout {self.arrangement!r}; there are: {', '.join(ARRANGEMENTS)}")
        if self.squeezed and self.arrangement == SEPARATE:
            raise ValueError("eyes in separate files are not squeezed: choose full-frame")

    @property
    def pixel_aspect(self) -> Fraction:
        """Width of a stored pixel in heights of it: 2 where the width is squeezed, 1/2 where the height is."""
        if not self.squeezed:
            return Fraction(1)
        return Fraction(2) if self.arrangement == SIDE_BY_SIDE else Fraction(1, 2)

    def eye_size(self, height: int, width: int) -> tuple[int, int]:
        """(H, W) px of one eye in a frame of this size.

        Raises:
            ValueError: there is no room for two eyes.
        """
        size = {
            SIDE_BY_SIDE: (height, width // 2), TOP_BOTTOM: (height // 2, width), SEPARATE: (height, width),
        }[self.arrangement]  # fmt: skip
        if 0 in size:
            raise ValueError(f"a frame of {width}x{height} px has no room for two eyes {self.arrangement}")
        return size

    def places(self, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Rows and columns of the left and of the right eye in a frame of this size.

        Raises:
            ValueError: the eyes are in separate files.
        """
        if self.arrangement == SEPARATE:
            raise ValueError("eyes in separate files have no place in one frame")
        h, w = self.eye_size(height, width)
        first = slice(0, h), slice(0, w)
        second = slice(height - h, height), slice(width - w, width)
        return (second, first) if self.right_first else (first, second)

    def split(self, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Left and right eye of a frame [H, W, ...]; views, not copies."""
        left, right = self.places(*frame.shape[:2])
        return frame[left], frame[right]

    def join(self, left: np.ndarray, right: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """The frame of size (H, W) in which two eyes [h, w, ...] lie as they lay before; 0 in an odd middle line.

        Raises:
            ValueError: the eyes don't fill a frame of that size.
        """
        wanted = self.eye_size(*size)
        if left.shape != right.shape or left.shape[:2] != wanted:
            raise ValueError(
                f"eyes of {_px(left.shape)} and {_px(right.shape)} don't make a frame of {_px(size)} "
                f"{self.arrangement}: each should be {_px(wanted)}"
            )
        frame = np.zeros((*size, *left.shape[2:]), left.dtype)
        for place, eye in zip(self.places(*size), (left, right), strict=True):
            frame[place] = eye
        return frame


class EyeClip(Clip):
    """One eye of a clip that holds both, with the clip's frame numbers, times and warnings.

    Args:
        clip: the footage with both eyes.
        layout: side by side or top-bottom.
        right: which eye.
    """

    def __init__(self, clip: Clip, layout: Layout, right: bool):
        self._clip = clip
        self._place = layout.places(clip.height, clip.width)[int(right)]
        self.height, self.width = layout.eye_size(clip.height, clip.width)
        self.name, self.path = f"{clip.name}, {'right' if right else 'left'} eye", clip.path
        self.rate, self.time_base = clip.rate, clip.time_base
        self.warnings, self.look = clip.warnings, clip.look
        self.sound_in_memory = clip.sound_in_memory

    def read(self, start: int = 0) -> Iterator[Frame]:
        for frame in self._clip.read(start):
            yield self.of(frame)

    def of(self, frame: Frame) -> Frame:
        """This eye's part of one of the clip's frames: a copy, so that the whole frame can be dropped."""
        return Frame(frame.index, frame.time, np.ascontiguousarray(frame.image[self._place]))

    def count(self) -> int:
        return self._clip.count()

    def expected_count(self) -> int | None:
        return self._clip.expected_count()

    def index(self) -> int:
        return self._clip.index()

    def span(self) -> tuple[Fraction, Fraction | None]:
        return self._clip.span()


class StereoClip:
    """A clip as two eyes.

    Attributes:
        left, right: a Clip of each eye. Reading both apart decodes the footage twice: `pairs` decodes it once.
        layout: how they lie in the footage.
        clip: the footage as it is, or the first file.

    Args:
        clip: the footage; with separate files the first of them.
        second: the second file, with separate files only.

    Raises:
        ClipError: a second file is missing or one too many, or has another size or rate than the first.
    """

    def __init__(self, clip: Clip, layout: Layout, second: Clip | None = None):
        self.clip, self.layout = clip, layout
        separate = layout.arrangement == SEPARATE
        if separate != (second is not None):
            needed = "two clips, one for each eye" if separate else "one clip with both eyes"
            raise ClipError(f"{layout.arrangement}: this layout takes {needed}")
        if second is None:
            self.left: Clip = EyeClip(clip, layout, right=False)
            self.right: Clip = EyeClip(clip, layout, right=True)
            return
        if (clip.width, clip.height, clip.rate) != (second.width, second.height, second.rate):
            raise ClipError(
                f"the eyes differ: {clip.name} is {clip.width}x{clip.height} at {clip.rate} fps, "
                f"{second.name} is {second.width}x{second.height} at {second.rate} fps"
            )
        self.left, self.right = (second, clip) if layout.right_first else (clip, second)

    @property
    def eye_size(self) -> tuple[int, int]:
        """(H, W) px of each eye."""
        return self.left.height, self.left.width

    def require_equal_length(self) -> None:
        """Refuse two files of different length before any work is done on them; their packets are counted.

        Raises:
            ClipError: both numbers.
        """
        if self.layout.arrangement == SEPARATE:
            left, right = self.left.index(), self.right.index()
            if left != right:
                raise ClipError(f"{self.left.name} has {left} frames, {self.right.name} {right}: {_SAME}")

    def pairs(self, start: int = 0) -> Iterator[tuple[Frame, Frame]]:
        """Left and right frame of every moment from `start` on; each file is decoded once.

        Raises:
            ClipError: damaged footage, or one file ends before the other.
        """
        if isinstance(self.left, EyeClip) and isinstance(self.right, EyeClip):
            for frame in self.clip.read(start):
                yield self.left.of(frame), self.right.of(frame)
            return
        left, right = self.left.read(start), self.right.read(start)
        for t, one in enumerate(left, start):
            other = next(right, None)
            if other is None:
                raise ClipError(f"{self.right.name} ends after {t} frames, {self.left.name} goes on: {_SAME}")
            yield one, other
        if next(right, None) is not None:
            raise ClipError(f"{self.left.name} ends before {self.right.name}: {_SAME}")

    def expected_count(self) -> int | None:
        """Number of frames as far as it is known without decoding."""
        return self.left.expected_count()


_SAME = "both eyes need the same number of frames"


def _px(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"

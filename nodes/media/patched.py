"""A clip of which some ranges are shown from other files, without a copy of the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .clip import Clip, ClipError, Frame
from .video import VideoClip


@dataclass(frozen=True)
class Patch:
    """Frames start <= t < stop of a clip, as a file has them."""

    start: int
    stop: int
    file: Path


class PatchedClip(Clip):
    """Another clip's frames and times, with `patches` over them; a later patch lies over the earlier ones.

    Raises:
        ClipError: a patch of another size than the clip, or that ends before its range does.
    """

    def __init__(self, clip: Clip, patches: Sequence[Patch] = ()):
        self.base, self.patches = clip, tuple(patches)
        self.name, self.path = clip.name, clip.path
        self.width, self.height = clip.width, clip.height
        self.rate, self.time_base, self.warnings = clip.rate, clip.time_base, clip.warnings

    def read(self, start: int = 0) -> Iterator[Frame]:
        shown: Patch | None = None
        images: Iterator[Frame] = iter(())
        for frame in self.base.read(start):
            patch = self.patch_at(frame.index)
            if patch is None:
                yield frame
            else:
                if patch is not shown:
                    images = self._open(patch).read(frame.index - patch.start)
                image = next(images, None)
                if image is None:
                    raise ClipError(f"{patch.file.name} ends before frame {frame.index} of {self.name}")
                yield Frame(frame.index, frame.time, image.image)
            shown = patch

    def patch_at(self, index: int) -> Patch | None:
        """The patch that is seen at a frame, None where it is the clip's own."""
        return next((patch for patch in reversed(self.patches) if patch.start <= index < patch.stop), None)

    def count(self) -> int:
        return self.base.count()

    def expected_count(self) -> int | None:
        return self.base.expected_count()

    def index(self) -> int:
        return self.base.index()

    def span(self) -> tuple[Fraction, Fraction | None]:
        return self.base.span()

    def _open(self, patch: Patch) -> VideoClip:
        clip = VideoClip(patch.file)
        if (clip.width, clip.height) != (self.width, self.height):
            raise ClipError(f"{patch.file.name} is {clip.width}x{clip.height}, {self.name} {self.width}x{self.height}")
        return clip

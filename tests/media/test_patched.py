"""Ranges of a clip shown from other files: the right frames in the right places, the clip's own times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import number_of, shades
from physics_preserver.nodes.media.clip import ClipError
from physics_preserver.nodes.media.patched import Patch, PatchedClip
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.writer import LosslessWriter

CLIP = ArrayClip(np.stack(shades(20)), Fraction(24))


def file_of(path: Path, numbers: range) -> Path:
    """A lossless clip of the shades with these numbers."""
    images = shades(numbers.stop)
    with LosslessWriter(path, 64, 48, Fraction(24)) as video:
        for number in numbers:
            video.write(images[number])
    return path


def test_later_patches_lie_over_earlier_ones_from_every_start(tmp_path: Path) -> None:
    low, high = file_of(tmp_path / "a.mp4", range(30, 38)), file_of(tmp_path / "b.mp4", range(40, 43))
    clip = PatchedClip(CLIP, [Patch(5, 13, low), Patch(8, 11, high)])
    expected = [*range(5), 30, 31, 32, 40, 41, 42, 36, 37, *range(13, 20)]
    assert [number_of(frame.image) for frame in clip] == expected
    for start in (0, 6, 9, 12, 19):
        frames = list(clip.read(start))
        assert [number_of(frame.image) for frame in frames] == expected[start:]
        assert [(frame.index, frame.time) for frame in frames] == [(t, Fraction(t, 24)) for t in range(start, 20)]
    assert clip.count() == 20


def test_a_patch_that_ends_early_or_has_another_size_is_an_error(tmp_path: Path) -> None:
    short = PatchedClip(CLIP, [Patch(5, 9, file_of(tmp_path / "a.mp4", range(3)))])
    with pytest.raises(ClipError, match="a.mp4 ends before frame 8"):
        list(short)
    with LosslessWriter(tmp_path / "b.mp4", 32, 48, Fraction(24)) as video:
        video.write(np.zeros((48, 32, 3), np.uint8))
    with pytest.raises(ClipError, match="b.mp4 is 32x48, images 64x48"):
        list(PatchedClip(CLIP, [Patch(0, 1, tmp_path / "b.mp4")]))

"""Frames as a person scrubs: the right one in any order, small on request, and one reader for many threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import number_of, shades, write_gop
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scrub import WALK, Scrubber, encode_jpeg
from physics_preserver.nodes.media.stills import ArrayClip


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory) -> Path:
    return write_gop(tmp_path_factory.mktemp("scrub") / "clip.mp4", shades(40), gop=20)


def test_any_order_gives_the_frame_of_that_number(clip_file):
    scrubber = Scrubber(open_clip(clip_file))
    for index in (0, 1, 2, 5, 39, 38, 19, 20, 20, WALK + 20, 0):
        assert number_of(scrubber.image(index)) == index


@pytest.mark.parametrize("index", [-1, 40, 10**9])
def test_a_frame_outside_the_clip_names_the_number_there_are(clip_file, index):
    with pytest.raises(IndexError, match=f"clip.mp4 has 40 frames; frame {index}"):
        Scrubber(open_clip(clip_file)).image(index)


def test_threads_share_it_and_a_closed_one_opens_again(clip_file):
    scrubber = Scrubber(open_clip(clip_file))
    wanted = [7, 31, 0, 22, 39, 8] * 4
    with ThreadPoolExecutor(6) as pool:
        assert [number_of(image) for image in pool.map(scrubber.image, wanted)] == wanted
    scrubber.close()
    assert number_of(scrubber.image(8)) == 8


def test_stepping_forward_opens_the_file_once(clip_file, monkeypatch):
    clip = open_clip(clip_file)
    clip.index()
    opened = []
    whole = clip._open  # type: ignore[attr-defined]
    monkeypatch.setattr(clip, "_open", lambda: opened.append(1) or whole())
    scrubber = Scrubber(clip)
    for index in range(12):
        scrubber.image(index)
    assert len(opened) == 1


@pytest.mark.parametrize(("side", "size"), [(0, (90, 160)), (1000, (90, 160)), (80, (45, 80)), (1, (1, 1))])
def test_jpeg_is_never_larger_than_asked_and_never_enlarged(side, size):
    image = np.zeros((1, 90, 160, 3), np.uint8)
    image[..., 0] = 200
    data = Scrubber(ArrayClip(image, Fraction(24))).jpeg(0, side)
    seen = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None and seen.shape[:2] == size
    assert seen[..., 2].mean() > 190 and seen[..., 0].mean() < 10  # red stays red
    assert encode_jpeg(image[0], side) == data

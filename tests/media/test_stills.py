"""Footage that is no video file: folders of images and ComfyUI's IMAGE batches."""

from fractions import Fraction

import numpy as np
import pytest
from clips import number_of, shades
from physics_preserver.nodes.media.clip import ClipError
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.stills import write_image


def test_a_folder_plays_in_the_order_of_its_numbers(tmp_path):
    for n, image in enumerate(shades(12)):
        write_image(tmp_path / f"frame{n}.png", image)  # frame10 sorts before frame2 as text
    clip = open_clip(tmp_path, rate=Fraction(25))
    assert [number_of(frame.image) for frame in clip] == list(range(12))
    assert clip.frame(5).time == Fraction(1, 5)


def test_an_image_of_another_size_is_named(tmp_path):
    write_image(tmp_path / "0.png", np.zeros((48, 64, 3), np.uint8))
    write_image(tmp_path / "1.png", np.zeros((48, 66, 3), np.uint8))
    with pytest.raises(ClipError, match=r"1\.png is 66x48, the frames before it 64x48"):
        list(open_clip(tmp_path))


@pytest.mark.parametrize("damage", [b"", b"no image"])
def test_an_image_that_cannot_be_read_is_named(tmp_path, damage):
    write_image(tmp_path / "0.png", np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "1.png").write_bytes(damage)
    with pytest.raises(ClipError, match=r"1\.png: not an image"):
        list(open_clip(tmp_path))


def test_an_image_batch_becomes_bytes_without_a_shift():
    levels = np.arange(256, dtype=np.float32).reshape(1, 16, 16, 1).repeat(3, axis=3) / 255
    frame = open_clip(levels).frame(0)
    assert np.array_equal(frame.image[..., 0].ravel(), np.arange(256))
    beyond = np.array([-0.5, 1.5, 0.5, 0.25], np.float32).reshape(1, 2, 2, 1).repeat(4, axis=3)
    assert open_clip(beyond).frame(0).image[..., 0].ravel().tolist() == [0, 255, 128, 64]


@pytest.mark.parametrize("shape", [(0, 4, 4, 3), (4, 4, 3), (2, 4, 4, 2)])
def test_a_batch_of_another_shape_is_refused(shape):
    with pytest.raises(ClipError, match="batch"):
        open_clip(np.zeros(shape, np.float32))

"""The same frames make the same matte, wherever their arrays lie in memory and however many threads there are."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from mattes import disc_alpha, disc_image
from physics_preserver.nodes.matting.colours import foreground_colours
from physics_preserver.nodes.matting.guided import guided_alpha
from physics_preserver.nodes.matting.scaled import enlarge, shrink
from physics_preserver.nodes.matting.trimap import FAR, distance, from_mask


@pytest.fixture
def threads():
    """OpenCV's number of threads may be changed in the test."""
    before = cv2.getNumThreads()
    yield cv2.setNumThreads
    cv2.setNumThreads(before)


def test_distances_are_roots_of_whole_numbers():
    """Of rows of 118 px, whose beginnings lie at other places of 16 bytes each."""
    y, x = np.mgrid[:121, :118]
    mask = np.hypot(x - 40, y - 70) > 11
    rows, columns = np.nonzero(~mask)
    true = np.min((y[..., None] - rows) ** 2 + (x[..., None] - columns) ** 2, axis=2)
    assert np.array_equal(distance(mask), np.sqrt(true.astype(np.float32)))
    assert (distance(np.ones((9, 9), bool)) == FAR).all()


def test_the_same_frame_makes_the_same_matte(threads):
    image, alpha = disc_image(3, (240, 322)), disc_alpha(3, (240, 322))
    small = (120, 161)
    found, noise = set(), np.random.default_rng(0)
    for n in range(40):
        threads(1 + n % 4)
        left = [noise.integers(0, 255, noise.integers(1000, 300_000), np.uint8) for _ in range(12)]
        left = left[::2]
        little = shrink(image, small)
        mask = cv2.resize(alpha, small[::-1], interpolation=cv2.INTER_AREA) > 0.5
        trimap = from_mask(mask, 5, 5)
        matte = enlarge(guided_alpha(little, trimap, mask), trimap, image)
        found.add((trimap.tobytes(), matte.tobytes(), foreground_colours(image, matte).tobytes()))
    assert len(found) == 1

"""Which mask frames VACE reads, and masks that survive it; tests/host/test_vace_backends.py asks core itself."""

from __future__ import annotations

import numpy as np
import pytest
from physics_preserver.nodes.conditioning.latents import (
    aligned,
    consumed,
    frames_of,
    latent_count,
    latent_of,
    read_frame,
)


def flags(frames: set[int], length: int) -> list[np.ndarray]:
    """Masks of one pixel, set on some frames."""
    return [np.array([[t in frames]]) for t in range(length)]


def set_on(masks) -> set[int]:
    return {t for t, mask in enumerate(masks) if mask.any()}


@pytest.mark.parametrize("length", [1, 5, 17, 81])
def test_every_frame_lies_in_one_latent(length):
    frames = [t for latent in range(latent_count(length)) for t in frames_of(latent)]
    assert frames == list(range(length))
    assert all(t in frames_of(latent_of(t)) for t in range(length))


def test_frames_read_are_those_of_nearest_exact():
    assert [read_frame(k, 17) for k in range(5)] == [1, 5, 8, 11, 15]
    assert [read_frame(k, 81) for k in range(9)] == [1, 5, 9, 13, 17, 21, 25, 28, 32]
    assert read_frame(20, 81) == 79 and read_frame(0, 1) == 0


@pytest.mark.parametrize("length", [*range(1, 60, 4), 81, 201])
def test_torch_reads_the_same_frames(length):
    torch = pytest.importorskip("torch")
    clip = torch.arange(length, dtype=torch.float32)[None, None, :, None, None]
    read = torch.nn.functional.interpolate(clip, size=(latent_count(length), 1, 1), mode="nearest-exact").ravel()
    assert read.tolist() == [read_frame(k, length) for k in range(latent_count(length))]


def test_a_mask_on_one_frame_alone_is_lost_and_alignment_saves_it():
    for frame in (0, 2, 3, 7, 16):
        assert frame not in set_on(consumed(flags({frame}, 17), 17))
        assert frame in set_on(consumed(aligned(flags({frame}, 17), 17), 17))
    # "Keep frame 0, generate the rest" generates frame 0 too: its latent is given frame 1's mask.
    assert 0 in set_on(consumed(flags(set(range(1, 17)), 17), 17))


@pytest.mark.parametrize("length", [1, 5, 17, 49, 81, 161])
def test_aligned_masks_reach_as_far_as_the_latents_beside(length):
    for frame in range(length):
        given = set_on(aligned(flags({frame}, length), length))
        read = set_on(consumed(aligned(flags({frame}, length), length), length))
        own = set(frames_of(latent_of(frame)))
        beside = own | set(frames_of(latent_of(frame) + 1)) | set(frames_of(max(0, latent_of(frame) - 1)))
        assert own <= read <= beside and frame in given and given <= beside


def test_alignment_looks_a_few_frames_ahead():
    seen = []

    def drawn():
        for t in range(81):
            seen.append(t)
            yield np.array([[t % 3 == 0]])

    for t, _ in enumerate(aligned(drawn(), 81)):
        assert len(seen) <= t + 9

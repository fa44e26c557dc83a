"""A small clip whose every pixel tells where it is, and its track: a person and a board."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import Track, TrackBuilder

RATE = Fraction(16)


def scene(size=(64, 96), frames=5) -> tuple[ArrayClip, Track]:
    """A gradient that tells every pixel's column (red) and row (green), with a person and a board in it."""
    height, width = size
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[..., 1] = np.arange(width) * 255 // width, (np.arange(height) * 255 // height)[:, None]
    images = np.stack([image] * frames)
    images[..., 2] = (np.arange(frames)[:, None, None] * 10) % 256
    person, board = np.zeros((2, frames, height, width), bool)
    for t in range(frames):
        person[t, height // 4 : height // 2, width // 3 + t : width // 2 + t] = True
        board[t, height // 2 : height // 2 + 6, width // 4 + t : width * 2 // 3 + t] = True
    return ArrayClip(images, RATE), track_of(person, board)


def track_of(person: np.ndarray, board: np.ndarray) -> Track:
    """A track from masks, bool [T, H, W]."""
    builder = TrackBuilder(("person", "board"), person.shape[1:], RATE, "gradient")
    for masks in zip(person, board, strict=True):
        builder.append(np.stack(masks), np.ones(2))
    return builder.finish()

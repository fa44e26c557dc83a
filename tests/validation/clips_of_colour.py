"""Clips whose objects can be read off their colours, so that validation is tested and not a tracker."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import Track, TrackBuilder

COLOURS = {"person": (255, 0, 0), "board": (0, 255, 0)}
SIZE = (96, 160)
FRAMES = 41


def box(x: float, y: float, width: float, height: float, size=SIZE) -> np.ndarray:
    """bool `size`: a rectangle given in px of a 160x96 picture."""
    scale_y, scale_x = size[0] / SIZE[0], size[1] / SIZE[1]
    mask = np.zeros(size, bool)
    mask[
        max(0, round(y * scale_y)) : max(0, round((y + height) * scale_y)),
        max(0, round(x * scale_x)) : max(0, round((x + width) * scale_x)),
    ] = True
    return mask


def ride(t: int, board_shift: float = 0, size=SIZE, lift: float = 0) -> np.ndarray:
    """bool [2, H, W]: a person on a board that rolls to the right, 2 px a frame; `lift` takes the person off it."""
    return np.stack([box(20 + 2 * t, 20 - lift, 14, 40, size), box(12 + 2 * t + board_shift, 60, 30, 8, size)])


def track_of(masks, rate=Fraction(24)) -> Track:
    builder = TrackBuilder(tuple(COLOURS), masks[0].shape[1:], rate, "source", "truth")
    for frame in masks:
        builder.append(frame, np.asarray(frame.any(axis=(1, 2)), np.float32))
    return builder.finish()


def clip_of(masks, rate=Fraction(24)) -> ArrayClip:
    images = np.zeros((len(masks), *masks[0].shape[1:], 3), np.uint8)
    for image, frame in zip(images, masks, strict=True):
        for mask, colour in zip(frame, COLOURS.values(), strict=True):
            image[mask] = colour
    return ArrayClip(images, rate)


class ColourTracker:
    """Finds every prompted object by the colour under its mask, whatever it is, and remembers what it was shown."""

    def __init__(self):
        self.shown = []

    def __call__(self, clip, masks, frame):
        self.shown.append((frame, dict(masks)))
        image = clip.frame(frame).image
        bright = image.max(axis=2) > 128
        colours = [np.median(image[mask & bright], axis=0) for mask in masks.values()]
        builder = TrackBuilder(tuple(masks), (clip.height, clip.width), clip.rate, clip.name, "colour")
        for picture in clip:
            found = np.stack([(np.abs(picture.image - colour) < 60).all(axis=2) for colour in colours])
            builder.append(found, np.asarray(found.any(axis=(1, 2)), np.float32), picture.time)
        return builder.finish()


SOURCE = [ride(t) for t in range(FRAMES)]

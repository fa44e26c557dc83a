"""Synthetic motions with exact masks: a person with a board, a ball, a stick, in any size, rate and pace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from physics_preserver.nodes.media.clip import Clip, Frame
from physics_preserver.nodes.media.track import Track, TrackBuilder

SHIFT = 5  # fractional bits of corners
KINDS = ("roll", "ollie", "throw", "swing")
THINGS = {"roll": "skateboard", "ollie": "skateboard", "throw": "sports ball", "swing": "stick"}


@dataclass(frozen=True)
class Motion:
    """A person of `person` px height with something of `thing` px length.

    Attributes:
        kind: "roll": both roll on; "ollie": the board goes up, the feet leave it and land on it again; "throw": a ball
            is thrown up and caught; "swing": a stick is swung in the hand.
        size: (H, W) px. rate: frames per second. seconds: length. seed: of pace and phase.
    """

    kind: str = "roll"
    size: tuple[int, int] = (360, 640)
    rate: int = 24
    seconds: float = 3.0
    person: float = 150.0
    thing: float = 70.0
    seed: int = 0

    @property
    def labels(self) -> tuple[str, str]:
        return "person", THINGS[self.kind]

    @property
    def flight(self) -> tuple[int, int] | None:
        """Frames [first off, first back on] in which the thing has left the person or the ground."""
        if self.kind not in ("ollie", "throw"):
            return None
        return round(0.35 * self._frames), round((0.35 + self._air / self.seconds) * self._frames)

    def track(self) -> Track:
        builder = TrackBuilder(self.labels, self.size, Fraction(self.rate), f"{self.kind}", "truth")
        for t in range(self._frames):
            person, thing = self._outlines(t)
            masks = np.stack([_filled(person, self.size), _filled(thing, self.size)])
            masks[0] &= ~masks[1]
            builder.append(masks, np.asarray(masks.any(axis=(1, 2)), np.float32), Fraction(t, self.rate))
        return builder.finish()

    @property
    def _frames(self) -> int:
        return round(self.seconds * self.rate)

    @property
    def _air(self) -> float:
        return min(0.3 * self.seconds, 0.6)

    def _outlines(self, t: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Polygons [n, 2] px of person and thing."""
        rng = np.random.default_rng(self.seed)
        pace, phase = rng.uniform(0.25, 0.6), rng.uniform(0, 2 * np.pi)
        h, (height, width) = self.person, self.size
        seconds = t / self.rate
        x = width * (0.5 + pace * (seconds / self.seconds - 0.5)) + 0.01 * h * np.sin(5 * seconds + phase)
        ground, bob = 0.92 * height, 0.02 * h * np.sin(7 * seconds + phase)
        start = 0.35 * self.seconds
        air = (seconds - start) / self._air
        arch = 4 * air * (1 - air) if 0 < air < 1 else 0.0
        thick = 0.14 * self.thing
        lift = feet = angle = 0.0
        if self.kind == "ollie":
            lift, feet = (
                0.35 * h * arch,
                0.35 * h * arch + 0.1 * h * max(0.0, 1 - (2.5 * (air - 0.5)) ** 2) * (arch > 0),
            )
            angle = -25 * np.sin(2 * np.pi * min(max(air, 0), 1))
        foot = ground - thick - feet
        shoulder = np.array([x, foot - 0.72 * h + bob])
        hand = shoulder + 0.36 * h * _unit(40 + 25 * np.sin(4 * seconds + phase))
        person = [
            _capsule(shoulder, [x, foot - 0.45 * h], 0.1 * h),
            _disk([x + 0.01 * h, foot - 0.9 * h + bob], 0.085 * h),
            _capsule([x, foot - 0.45 * h], [x - 0.09 * h, foot - 0.05 * h], 0.055 * h),
            _capsule([x, foot - 0.45 * h], [x + 0.09 * h, foot - 0.05 * h], 0.055 * h),
            _capsule(shoulder, hand, 0.04 * h),
            _capsule(shoulder, shoulder + 0.36 * h * _unit(140 - 25 * np.sin(4 * seconds)), 0.04 * h),
        ]
        if self.kind in ("roll", "ollie"):
            along = self.thing / 2 * _unit(angle)
            middle = np.array([x, ground - thick / 2 - lift])
            return person, [_capsule(middle - along, middle + along, thick / 2)]
        if self.kind == "throw":
            radius = self.thing / 2
            return person, [_disk(hand + [radius, 0] + np.array([0.0, -0.9 * h]) * arch, radius)]
        turn = _unit(-60 + 70 * np.sin(3 * seconds + phase))
        return person, [_capsule(hand, hand + turn * self.thing, max(1.5, 0.06 * self.thing) / 2)]


class DrawnClip(Clip):
    """A track's masks as flat textured things before a street of blobs, uint8 pictures drawn as they are read."""

    def __init__(self, track: Track, name: str):
        self.name, self.path = name, None
        self.height, self.width = track.clip_size
        self.rate, self.time_base, self.warnings = track.rate, 1 / track.rate, []
        self._track = track
        rng = np.random.default_rng(1)
        noise = rng.normal(0, 1, (self.height, self.width, 3)).astype(np.float32)
        coarse = cv2.GaussianBlur(noise, (0, 0), 4)
        self._backdrop = np.clip(110 + 220 * coarse, 0, 255).astype(np.uint8)

    def read(self, start: int = 0) -> Iterator[Frame]:
        colours = ((230, 180, 60), (60, 120, 230), (90, 220, 110))
        for t in range(start, len(self._track)):
            image = self._backdrop.copy()
            for mask, colour in zip(self._track.masks(t), colours, strict=False):
                image[mask] = colour
            yield Frame(t, t / self.rate, image)

    def count(self) -> int:
        return len(self._track)


def _unit(degrees: float) -> np.ndarray:
    """0 right, 90 down."""
    return np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])


def _disk(centre, radius: float) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)[:, None]
    return np.asarray(centre) + radius * np.hstack([np.cos(turn), np.sin(turn)])


def _capsule(a, b, radius: float) -> np.ndarray:
    a, b = np.asarray(a, float), np.asarray(b, float)
    along = np.arctan2(b[1] - a[1], b[0] - a[0])
    turn = np.linspace(-np.pi / 2, np.pi / 2, 12)[:, None] + along
    tip, root = np.hstack([np.cos(turn), np.sin(turn)]), np.hstack([np.cos(turn + np.pi), np.sin(turn + np.pi)])
    return np.concatenate([b + radius * tip, a + radius * root])


def _filled(outlines: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    cover = np.zeros(size, np.uint8)
    for outline in outlines:
        corners = np.round((outline - 0.5) * (1 << SHIFT)).astype(np.int32)
        cv2.fillPoly(cover, [corners], 255, cv2.LINE_AA, SHIFT)
    return cover > 127

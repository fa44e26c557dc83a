"""What moves against the background: boxes proposed from motion alone, when no detector knows better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import cv2
import numpy as np

from .detection import Box, Detection
from .stabilise import follow_background
from .tracklets import Tracklet, link

SOURCE = "motion"
LABEL = "moving"

# Longer side, px, at which motion is looked for: dense flow at this size finds a limb, at 40 ms a frame in all.
WORKING_SIDE = 400
# What moves differs from the background's motion by at least this many px of the working size between two frames, and
# by this many times the background's own scatter.
LEAST_PX, SCATTER = 1.0, 4.0
# Pieces closer than this share of the longer side are one thing: a skater's leg and arm move, the trunk less so.
JOIN = 0.012
SMALLEST, LARGEST = 0.0008, 0.5  # area of a proposal, share of the frame
LEAST_CHANGE = 8.0  # grey levels; flow where nothing changed is invented by the smoothness term
PERSISTENT = 0.4  # a proposal is seen in at least this share of the observed frames
MOST = 4


class MotionDetector:
    """What moves against the background, in a detector's place: proposals, not recognised, only seen to move.

    Dense flow (DIS) less the camera's motion (a similarity that RANSAC fits to followed corners), so the background of
    a panning camera falls still. What moves against it is closed and split into connected parts. It can't tell a
    person from a dog, nor a board from the feet on it: whatever moves and touches is one proposal, its cast shadow
    included. Deterministic; keeps three small grey frames at most.
    """

    def __init__(self) -> None:
        self._before: np.ndarray | None = None

    def __call__(self, image: np.ndarray) -> list[Detection]:
        """image uint8 [H, W, 3] RGB -> what moved since the image given before: label "moving", strongest first."""
        here, before = _small_grey(image), self._before
        self._before = here
        return _detections(_both_sides(before, here, None), (image.shape[0], image.shape[1]))

    def describe(self) -> str:
        """One sentence for a report."""
        return "Motion against the background: proposals, nothing is recognised."

    def over(self, images: Iterable[np.ndarray]) -> list[list[Detection]]:
        """The persistent moving things of a run of frames; every frame is compared with both its neighbours.

        Args:
            images: uint8 [H, W, 3] RGB, in order; every second of the first 48 frames is plenty.

        Returns:
            One list per image. Labels are "moving 1", "moving 2"…, one thing under one label in every frame, the most
            persistent and largest first; scores 0..1; source "motion". Empty lists where nothing persists.
        """
        frames = [_detections(residual, size) for residual, size in _residuals(images)]
        things = link(frames, lambda item: True)
        kept = [thing for thing in things if len(thing.found) >= max(PERSISTENT * len(frames), 2)]
        kept.sort(key=lambda thing: -_weight(thing, len(frames)))
        named: list[list[Detection]] = [[] for _ in frames]
        for rank, thing in enumerate(kept[:MOST], start=1):
            share = len(thing.found) / len(frames)
            for position, item in thing.found.items():
                named[position].append(replace(item, label=f"{LABEL} {rank}", score=round(item.score * share, 4)))
        return named


def residual_motion(here: np.ndarray, other: np.ndarray) -> np.ndarray | None:
    """How far each px of one grey frame moved against the background to reach another.

    Args:
        here, other: uint8 [h, w].

    Returns:
        float32 [h, w] at `here`: 1 = the least that counts; 0 where nothing changed, or outside the overlap of both.
        None when the background can't be followed.
    """
    camera = follow_background(other, here, np.full(other.shape, 255, np.uint8))
    if camera is None:
        return None
    size = other.shape[::-1]
    inside = cv2.warpAffine(np.full_like(other, 255), camera, size, flags=cv2.INTER_NEAREST)
    inside = cv2.erode(inside, np.ones((9, 9), np.uint8)) > 0
    if not inside.any():
        return None
    still = np.where(inside, cv2.warpAffine(other, camera, size, flags=cv2.INTER_LINEAR), here)
    dense = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    moved = np.linalg.norm(dense.calc(here, still, np.zeros((*here.shape, 2), np.float32)), axis=2)
    change = cv2.absdiff(cv2.GaussianBlur(here, (5, 5), 0), cv2.GaussianBlur(still, (5, 5), 0))
    least = max(LEAST_PX, SCATTER * float(np.median(moved[inside])))
    noise = max(LEAST_CHANGE, SCATTER * float(np.median(change[inside])))
    changed = cv2.dilate((change > noise).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return np.where(inside & changed, moved / least, 0.0).astype(np.float32)


def _small_grey(image: np.ndarray) -> np.ndarray:
    scale = min(WORKING_SIDE / max(image.shape[:2]), 1.0)
    size = max(round(image.shape[1] * scale), 8), max(round(image.shape[0] * scale), 8)
    return cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


def _residuals(images: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray | None, tuple[int, int]]]:
    """Per image: the smaller of its motion from the image before and to the next one, and the image's (H, W).

    Background that a moving thing has just uncovered, or will cover next, moves on one side only.
    """
    before: np.ndarray | None = None
    middle: np.ndarray | None = None
    size = (0, 0)
    for image in images:
        after = _small_grey(image)
        if middle is not None:
            yield _both_sides(before, middle, after), size
        before, middle, size = middle, after, (image.shape[0], image.shape[1])
    if middle is not None:
        yield _both_sides(before, middle, None), size


def _both_sides(before: np.ndarray | None, here: np.ndarray, after: np.ndarray | None) -> np.ndarray | None:
    known = [
        residual
        for other in (before, after)
        if other is not None and other.shape == here.shape
        if (residual := residual_motion(here, other)) is not None
    ]
    return np.minimum.reduce(known) if known else None


def _detections(residual: np.ndarray | None, size: tuple[int, int]) -> list[Detection]:
    height, width = size
    return [
        Detection(LABEL, strength, (x1 * width, y1 * height, x2 * width, y2 * height), SOURCE)
        for strength, (x1, y1, x2, y2) in ([] if residual is None else _parts(residual))
    ]


def _parts(residual: np.ndarray) -> list[tuple[float, Box]]:
    """Connected moving parts: strength 0..1, and the box as shares of the frame, strongest first."""
    height, width = residual.shape
    radius = max(round(JOIN * max(height, width)), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    moving = cv2.morphologyEx((residual > 1).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    joined = cv2.morphologyEx(moving, cv2.MORPH_CLOSE, disc)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    parts = []
    for number in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[number])
        if not SMALLEST <= area / residual.size <= LARGEST:
            continue
        here = labels[y : y + h, x : x + w] == number
        strength = 1.0 - float(np.exp(-np.median(residual[y : y + h, x : x + w][here]) / 3))
        parts.append((strength, (x / width, y / height, (x + w) / width, (y + h) / height)))
    return sorted(parts, key=lambda part: (-part[0], part[1]))


def _weight(thing: Tracklet, frames: int) -> float:
    width, height = thing.median_size()
    return len(thing.found) / frames * thing.score * float(np.sqrt(width * height))

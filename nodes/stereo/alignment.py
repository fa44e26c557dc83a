"""How the right lens stands askew to the left one, from what both show: parallel eyes have all in the same rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import cv2
import numpy as np

from ..extraction.flow import grid, round_trip_error, sample
from ..host import progress
from .disparity import alike, dense_flow
from .layouts import StereoClip
from .projections import pixel_directions
from .rig import Rig

# Frames that are looked at, so far apart, and how many may be passed over because they show too little.
FRAMES, EVERY, LOOK = 3, 12, 10
# Of every so many rows and columns one pixel is used; a frame of which a smaller share is sure shows too little, or
# other things in each eye.
STEP, LEAST = 4, 0.1
# There and back a pixel must come home to this, px of the picture worked in.
ROUND_TRIP = 0.5
# Grey levels by which a pixel's surroundings must differ: flow is a guess where there is nothing to see.
TEXTURE = 2.0
# Lenses whose rows are off by less, px of the picture worked in, are taken for level: flow itself is off by so much.
LEVEL = 0.12
# A turn must bring the rows so many times nearer to each other: eyes that show different things are not turned lenses.
BETTER = 2.0
ROUNDS, ITERATIONS = 3, 8


@dataclass(frozen=True)
class Alignment:
    """How the right lens stands.

    Attributes:
        turned: (yaw, pitch, roll) degrees as `Rig` has them; 0 for lenses that are level, or that showed too little or
            nothing that a turn explains.
        rows_off: median px of the picture worked in by which rows of the two eyes differed.
        rows_left: the same with the right lens taken as it stands.
        frames: how many were looked at; 0: none showed enough.
    """

    turned: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rows_off: float = 0.0
    rows_left: float = 0.0
    frames: int = 0

    def data(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "right_lens_turned": dict(zip(("yaw", "pitch", "roll"), self.turned, strict=True)),
            "rows_off_px": self.rows_off,
            "rows_left_px": self.rows_left,
            "frames": self.frames,
        }


def align(rig: Rig, stereo: StereoClip, start: int = 0) -> tuple[Rig, Alignment]:
    """The rig with its right lens as it stands, from a few frames of a clip from `start` on."""
    passing = progress(stereo.pairs(start), EVERY * (FRAMES - 1) + 1, "looking how the lenses stand")
    found = measure_alignment(
        rig, ((left.image, right.image) for left, right in islice(passing, 0, EVERY * (LOOK - 1) + 1, EVERY))
    )
    return replace(rig, turned=found.turned), found


def measure_alignment(rig: Rig, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Alignment:
    """How the right lens stands, from pictures of both eyes.

    In Cassini a point has the same row in both eyes wherever it is, if the lenses are parallel. A lens that is turned
    by a small vector w (rad) moves what lies in direction d by w x d, and its row angle atan2(y, z) by
    -w_x + (w_y x y + w_z x z) / (y² + z²): three numbers, fitted to the rows' differences over the whole picture by
    least absolute deviations, in a few rounds. Points near the ends of the baseline, whose row angle means little,
    count less.

    Args:
        rig: the lenses; what it says of `turned` is where the search begins.
        pairs: uint8 [H, W, 3], RGB, left and right eye.
    """
    seen = list(islice(_matched(rig, pairs), FRAMES))
    if not seen:
        return Alignment()
    turn, off = np.eye(3), []
    for n in range(ROUNDS + 1):
        rays, rows, weights = (np.concatenate(parts) for parts in zip(*(_rows(one, turn) for one in seen), strict=True))
        off.append(float(np.median(np.abs(rows)) * rig.px_per_rad))
        if n < ROUNDS:
            turn = cv2.Rodrigues(_fitted(rays, rows, weights))[0] @ turn
    if off[0] < LEVEL or off[-1] > off[0] / BETTER:
        return Alignment(rows_off=off[0], rows_left=off[0], frames=len(seen))
    return Alignment(_angles(turn), off[0], off[-1], len(seen))


def _matched(rig: Rig, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Directions float32 [n, 3] of the same points in the left and in the right lens, of frames that show enough."""
    size = rig.working_size
    directions = pixel_directions(rig.cassini, size)
    for pair in pairs:
        ours, theirs = (
            rig.to_working((image.shape[0], image.shape[1]), bool(eye)).image(image) for eye, image in enumerate(pair)
        )
        theirs = alike(ours, theirs)
        there, back = dense_flow(ours, theirs), dense_flow(theirs, ours)
        at = grid(*size) + there
        inside = (at >= 0).all(axis=-1) & (at[..., 0] <= size[1] - 1) & (at[..., 1] <= size[0] - 1)
        detailed = (_detail(ours) > TEXTURE) & (sample(_detail(theirs), at) > TEXTURE)
        sure = (inside & detailed & (round_trip_error(there, back) < ROUND_TRIP))[::STEP, ::STEP]
        if sure.mean() >= LEAST:
            yield directions[::STEP, ::STEP][sure], sample(directions, at)[::STEP, ::STEP][sure]


def _detail(image: np.ndarray) -> np.ndarray:
    """float32 [h, w]: how much a picture changes around each pixel, grey levels."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return cv2.blur(cv2.absdiff(grey, cv2.blur(grey, (9, 9))), (9, 9))


def _rows(matched: tuple[np.ndarray, np.ndarray], turn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the right lens's directions once turned: themselves, how much their row angle lacks, rad, and their weight."""
    ours, theirs = matched[0], matched[1] @ turn.T.astype(np.float32)
    lacks = np.arctan2(ours[:, 1], ours[:, 2]) - np.arctan2(theirs[:, 1], theirs[:, 2])
    off = theirs[:, 1] ** 2 + theirs[:, 2] ** 2
    return theirs, (lacks + np.pi) % (2 * np.pi) - np.pi, off


def _fitted(rays: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 [3]: the turn, rad, that explains the rows' differences best."""
    x, y, z = rays.T.astype(np.float64)
    effect = np.stack([-np.ones_like(x), x * y / (y**2 + z**2), x * z / (y**2 + z**2)], axis=1)
    turn, least = np.zeros(3), 1e-5
    for _ in range(ITERATIONS):  # least absolute deviations by reweighted squares
        share = weights / np.maximum(np.abs(rows - effect @ turn), least)
        turn = np.linalg.solve(effect.T @ (share[:, None] * effect), effect.T @ (share * rows))
    return turn


def _angles(turn: np.ndarray) -> tuple[float, float, float]:
    """(yaw, pitch, roll) degrees of a rotation, as `Turned` has them."""
    yaw = np.arctan2(turn[0, 2], turn[2, 2])
    pitch = -np.arcsin(np.clip(turn[1, 2], -1, 1))
    roll = np.arctan2(turn[1, 0], turn[1, 1])
    angles = np.rad2deg([yaw, pitch, roll]).tolist()
    return angles[0], angles[1], angles[2]

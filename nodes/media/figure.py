"""A skater in metres: the motion of one ollie, and the textured outlines that it puts before the camera.

World axes: x right along the ground, y up, ground at y = 0, in metres; the camera looks at the rider's chest from
slightly above. The rider stands regular and rolls to the right, so the rider's left is the viewer's right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

GRAVITY = 9.81
ELEVATION = np.deg2rad(16.0)  # of the camera: what shows the deck's top while it rolls
SPEED = 2.2  # m/s
APEX_HEIGHT = 0.55  # m, of the board's centre
APEX_TIME = 0.305  # s after the pop
AIRTIME = APEX_TIME + float(np.sqrt(2 * APEX_HEIGHT / GRAVITY))  # pop to landing, s

HALF_LENGTH, HALF_WIDTH, DECK_Z, THICKNESS = 0.41, 0.115, 0.078, 0.02
WHEEL_RADIUS, AXLE_U, AXLE_V = 0.033, 0.23, 0.085
THIGH, SHIN, UPPER_ARM, FOREARM = 0.44, 0.43, 0.29, 0.26
ANKLE = 0.095

# Clock in seconds: 0 is the pop, AIRTIME the landing. Angles in degrees, lengths in metres.
# Arms are measured from straight down, outward. "hip" is above the ground and ballistic in the air, see `_hip`.
KEYS: dict[str, list[tuple[float, float]]] = {
    "hip": [(-1.2, 0.93), (-0.7, 0.90), (-0.2, 0.62), (-0.13, 0.61), (0.0, 0.92)],
    "landed_hip": [(0.0, 0.74), (0.13, 0.55), (0.25, 0.58), (0.6, 0.88), (0.9, 0.92)],
    "shift": [(-0.8, 0.0), (-0.2, 0.05), (0.0, -0.02), (0.3, 0.03), (0.7, -0.03), (1.2, 0.0)],
    "lean": [(-0.9, 3), (-0.25, 13), (0.0, 0), (0.3, 9), (0.66, -3), (0.85, 12), (1.3, 3)],
    "torso": [(-0.9, 0.52), (-0.25, 0.43), (0.0, 0.53), (0.3, 0.46), (0.66, 0.5), (0.8, 0.42), (1.3, 0.52)],
    "left_upper": [(-1.0, 28), (-0.2, 42), (0.05, 78), (0.3, 92), (0.66, 70), (0.82, 52), (1.3, 28)],
    "left_fore": [(-1.0, 46), (-0.2, 30), (0.05, 100), (0.3, 122), (0.66, 84), (0.82, 78), (1.3, 46)],
    "right_upper": [(-1.0, 30), (-0.2, 62), (0.05, 58), (0.3, 84), (0.66, 80), (0.82, 60), (1.3, 30)],
    "right_fore": [(-1.0, 52), (-0.2, 70), (0.05, 84), (0.3, 70), (0.66, 108), (0.82, 96), (1.3, 52)],
    "front_foot": [(-0.6, 0.20), (-0.2, 0.07), (0.03, 0.08), (0.2, 0.25), (0.7, 0.23), (1.3, 0.20)],
    "back_foot": [(-0.6, -0.22), (-0.2, -0.34), (0.08, -0.34), (0.3, -0.24), (0.7, -0.23), (1.3, -0.22)],
    "pitch": [(-0.1, 0), (0.0, 26), (0.08, 37), (0.24, 3), (0.34, -5), (0.5, -4), (AIRTIME, 0)],
    "tilt": [(0.0, 0), (0.045, 32), (0.2, 48), (0.51, 44), (0.545, 0)],
    "gap": [(0.31, 0.0), (0.4, 0.17), (0.5, 0.17), (0.59, 0.0)],
    "look": [(-0.9, 0), (-0.2, 9), (0.1, -3), (0.45, 12), (0.8, 10), (1.3, 0)],
}

COCO_17 = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()


@dataclass(frozen=True, slots=True)
class Part:
    """One textured outline.

    Attributes:
        label: "person" or "skateboard".
        texture: name of the texture that fills it.
        outline: float64 [n, 2], m.
        frame: float64 [2, 3], maps (u, v, 1) of the texture's unit square to m; u runs along its rows.
    """

    label: str
    texture: str
    outline: np.ndarray
    frame: np.ndarray


@dataclass(frozen=True, slots=True)
class Figure:
    """Rider and board at one instant.

    Attributes:
        board: its parts from back to front.
        person: the same for the rider.
        front: which of the two is drawn over the other.
        clearance: m between the lowest point of wheels, nose and tail and the ground.
        keypoints: float64 [17, 2], m, in the order of COCO_17.
    """

    board: list[Part]
    person: list[Part]
    front: str
    clearance: float
    keypoints: np.ndarray


def figure_at(clock: float, x: float, board_shift: float = 0.0) -> Figure:
    """The figure at `clock` s after the pop, the rider's place at `x` m, the board `board_shift` m ahead of it."""
    board = _Board(clock, x)
    joints, feet = _joints(clock, x, board)
    shown = _Board(clock, x + board_shift)
    # The tilted board turns its underside to the camera: then its near edge hides the soles.
    front = "person" if _key("tilt", clock) < np.rad2deg(ELEVATION) else "skateboard"
    keypoints = np.array([joints[name] for name in COCO_17])
    return Figure(shown.parts(), _person_parts(joints, feet), front, shown.clearance(), keypoints)


def _key(name: str, clock: float) -> float:
    """Monotone cubic through the keys, constant outside (Fritsch & Butland 1984)."""
    t, y = np.array(KEYS[name]).T
    secants = np.diff(y) / np.diff(t)
    slopes = np.zeros(len(t))
    a, b = secants[:-1], secants[1:]
    same = a * b > 0
    slopes[1:-1][same] = (2 * a * b)[same] / (a + b)[same]
    i = int(np.clip(np.searchsorted(t, clock) - 1, 0, len(t) - 2))
    h = t[i + 1] - t[i]
    s = float(np.clip((clock - t[i]) / h, 0, 1))
    start, end = (1 + 2 * s) * (1 - s) ** 2 * y[i], s * s * (3 - 2 * s) * y[i + 1]
    return float(start + end + h * s * (1 - s) * ((1 - s) * slopes[i] - s * slopes[i + 1]))


def _angle(name: str, clock: float) -> float:
    return float(np.deg2rad(_key(name, clock)))


def _hip(clock: float) -> float:
    """Height of the hips over the ground: a free fall between the pop and the landing."""
    if clock <= 0:
        return _key("hip", clock)
    if clock >= AIRTIME:
        return _key("landed_hip", clock - AIRTIME)
    start, end = KEYS["hip"][-1][1], KEYS["landed_hip"][0][1]
    speed = (end - start) / AIRTIME + GRAVITY * AIRTIME / 2
    return start + speed * clock - GRAVITY * clock**2 / 2


class _Board:
    """The skateboard: a deck with kicked ends, seen by an orthographic camera."""

    def __init__(self, clock: float, x: float):
        self.pitch, self.tilt = _angle("pitch", clock), _angle("tilt", clock)
        self.x = x
        self.spin = x / WHEEL_RADIUS
        if 0 < clock < AIRTIME:
            self.height = APEX_HEIGHT - GRAVITY * (clock - APEX_TIME) ** 2 / 2
        else:
            self.height = AXLE_U * abs(np.sin(self.pitch))  # the rear wheels stay on the ground

    def solid(self, u: ArrayLike, v: ArrayLike, z: ArrayLike) -> np.ndarray:
        """Board coordinates (along, towards the viewer, up) to world (x, y, towards the viewer), float64 [n, 3]."""
        u, v, z = np.broadcast_arrays(*(np.atleast_1d(np.asarray(value, float)) for value in (u, v, z)))
        towards = v * np.cos(self.tilt) - z * np.sin(self.tilt)
        up = v * np.sin(self.tilt) + z * np.cos(self.tilt)
        x = self.x + u * np.cos(self.pitch) - up * np.sin(self.pitch)
        y = self.height + u * np.sin(self.pitch) + up * np.cos(self.pitch)
        return np.stack([x, y, towards], axis=1)

    def project(self, u: ArrayLike, v: ArrayLike, z: ArrayLike) -> np.ndarray:
        """Board coordinates to the picture plane, float64 [n, 2] in m."""
        x, y, towards = self.solid(u, v, z).T
        return np.stack([x, y * np.cos(ELEVATION) - towards * np.sin(ELEVATION)], axis=1)

    @staticmethod
    def profile(u: float | np.ndarray) -> Any:
        """Height of the deck's top over the wheels' lowest point."""
        return DECK_Z + THICKNESS + 0.055 * (np.maximum(np.abs(u) - 0.27, 0) / 0.14) ** 1.4

    def clearance(self) -> float:
        ends = np.array([-HALF_LENGTH, HALF_LENGTH])
        tips = self.solid(ends, np.zeros(2), self.profile(ends) - THICKNESS)[:, 1]
        axles = [self.solid(u, v, WHEEL_RADIUS)[0, 1] for u in (-AXLE_U, AXLE_U) for v in (-AXLE_V, AXLE_V)]
        return float(min(*tips, *(axle - WHEEL_RADIUS for axle in axles)))

    def parts(self) -> list[Part]:
        top_shows = self.tilt < ELEVATION
        undercarriage = self._trucks(-AXLE_V) + self._trucks(AXLE_V)
        deck = [self._face("wood", THICKNESS), self._face("wood", 0.0)]
        deck.append(self._face("grip", 0.0) if top_shows else self._face("graphic", THICKNESS))
        return undercarriage + deck if top_shows else deck + undercarriage

    def _face(self, texture: str, below: float) -> Part:
        turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        u = HALF_LENGTH * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.7
        v = HALF_WIDTH * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.45
        corners = self.project(
            [-HALF_LENGTH, HALF_LENGTH, -HALF_LENGTH], [-HALF_WIDTH, -HALF_WIDTH, HALF_WIDTH], DECK_Z
        )
        outline = self.project(u, v, self.profile(u) - below)
        return Part("skateboard", texture, outline, _spanned(*corners))

    def _trucks(self, v: float) -> list[Part]:
        parts = []
        for u in (-AXLE_U, AXLE_U):
            hub = self.project(u, v, WHEEL_RADIUS)[0]
            base = self.project(u, v * 0.3, DECK_Z)[0]
            parts.append(_capsule("skateboard", "metal", base, hub, 0.022, 0.014))
            across = np.array([np.cos(self.spin), np.sin(self.spin)]) * WHEEL_RADIUS
            down = np.array([across[1], -across[0]])
            outline = _ellipse(hub, WHEEL_RADIUS, WHEEL_RADIUS)
            corner = hub - across - down
            parts.append(Part("skateboard", "wheel", outline, _spanned(corner, corner + 2 * across, corner + 2 * down)))
        return parts


def _joints(clock: float, x: float, board: _Board) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """Joints by name, and for the left and the right foot [3, 2]: the sole's middle, its direction, its normal."""
    joints: dict[str, np.ndarray] = {}
    feet = []
    rolling = min(clock, 0.0) + max(clock - AIRTIME, 0.0)
    sway = 0.01 * np.sin(2 * np.pi * 1.1 * rolling)
    hip = np.array([x + _key("shift", clock), _hip(clock) + DECK_Z + THICKNESS + sway])
    for side, name in (("left", "front_foot"), ("right", "back_foot")):
        u = _key(name, clock)
        around = np.array([u - 0.05, u, u + 0.05])
        behind, sole, ahead = board.project(around, 0.0, board.profile(around))
        along = (ahead - behind) / np.linalg.norm(ahead - behind)
        normal = np.array([-along[1], along[0]])
        sole = sole + normal * _key("gap", clock)
        feet.append(np.stack([sole, along, normal]))
        outward = 1.0 if side == "left" else -1.0
        joints[f"{side}_ankle"] = sole + normal * ANKLE
        joints[f"{side}_hip"] = hip + [outward * 0.095, 0.0]
        joints[f"{side}_knee"] = _knee(joints[f"{side}_hip"], joints[f"{side}_ankle"], outward)

    lean = _angle("lean", clock)
    up, right = np.array([np.sin(lean), np.cos(lean)]), np.array([np.cos(lean), -np.sin(lean)])
    neck = hip + up * _key("torso", clock)
    joints["hips"], joints["neck"] = hip, neck
    for side, outward in (("left", 1.0), ("right", -1.0)):
        joint = neck + right * outward * 0.185 - up * 0.055
        joints[f"{side}_shoulder"] = joint
        for bone, end, length in (("upper", "elbow", UPPER_ARM), ("fore", "wrist", FOREARM)):
            angle = _angle(f"{side}_{bone}", clock)
            joint = joint + length * (right * outward * np.sin(angle) - up * np.cos(angle))
            joints[f"{side}_{end}"] = joint

    nod = lean * 0.4 + _angle("look", clock)
    head_up, head_right = np.array([np.sin(nod), np.cos(nod)]), np.array([np.cos(nod), -np.sin(nod)])
    head = neck + up * 0.07 + head_up * 0.12
    joints["head"], joints["head_up"], joints["head_right"] = head, head_up, head_right
    face = {"nose": (0.035, -0.025), "left_eye": (0.058, 0.012), "right_eye": (0.0, 0.012)}
    face |= {"left_ear": (0.09, -0.01), "right_ear": (-0.085, -0.01)}
    for name, (across, above) in face.items():
        joints[name] = head + head_right * across + head_up * above
    return joints, feet


def _knee(hip: np.ndarray, ankle: np.ndarray, outward: float) -> np.ndarray:
    """Two-bone chain that bends outward; part of the bend points at the camera and is not seen."""
    leg = ankle - hip
    reach = float(np.linalg.norm(leg))
    bend = np.sqrt(max(THIGH**2 - (reach * THIGH / (THIGH + SHIN)) ** 2, 0.0))
    sideways = np.array([-leg[1], leg[0]]) / reach * outward
    return hip + leg * THIGH / (THIGH + SHIN) + sideways * bend * 0.62


def _person_parts(joints: dict[str, np.ndarray], feet: list[np.ndarray]) -> list[Part]:
    def limb(texture: str, start: str, end: str, r0: float, r1: float) -> Part:
        return _capsule("person", texture, joints[start], joints[end], r0, r1)

    parts = []
    for side, foot in (("right", feet[1]), ("left", feet[0])):
        parts += _shoe(foot, 1.0 if side == "left" else -1.0)
        parts.append(limb("trouser_shin", f"{side}_knee", f"{side}_ankle", 0.082, 0.072))
        parts.append(limb("trouser", f"{side}_hip", f"{side}_knee", 0.1, 0.084))
    parts.append(_capsule("person", "trouser", joints["right_hip"], joints["left_hip"], 0.1, 0.1))
    parts.append(_capsule("person", "neck", joints["neck"] - joints["head_up"] * 0.02, joints["head"], 0.052, 0.05))
    parts.append(_torso(joints))
    for side in ("right", "left"):
        parts.append(limb("skin", f"{side}_elbow", f"{side}_wrist", 0.045, 0.034))
        hand = joints[f"{side}_wrist"] - joints[f"{side}_elbow"]
        tip = joints[f"{side}_wrist"] + hand / np.linalg.norm(hand) * 0.075
        parts.append(_capsule("person", "skin", joints[f"{side}_wrist"], tip, 0.038, 0.03))
        parts.append(limb("sleeve", f"{side}_shoulder", f"{side}_elbow", 0.07, 0.056))
    parts.append(_head(joints))
    return parts


def _torso(joints: dict[str, np.ndarray]) -> Part:
    hips, neck = joints["hips"], joints["neck"]
    down = hips - neck
    right = joints["left_shoulder"] - joints["right_shoulder"]
    right = right / np.linalg.norm(right)
    half = [(0.055, -0.06), (0.13, -0.02), (0.215, 0.07), (0.232, 0.2), (0.19, 0.45), (0.18, 0.8), (0.2, 1.16)]
    corners = np.array([(a, b) for a, b in half] + [(-a, b) for a, b in reversed(half)])
    outline = _rounded(neck + corners[:, :1] * right + corners[:, 1:] * down)
    corner = neck - right * 0.24 - down * 0.08
    return Part("person", "shirt", outline, _spanned(corner, corner + right * 0.48, corner + down * 1.26))


def _head(joints: dict[str, np.ndarray]) -> Part:
    head, up, right = joints["head"], joints["head_up"], joints["head_right"]
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    above = np.sin(turn) > 0.12
    rx, ry = np.where(above, 0.112, 0.093), np.where(above, 0.142, 0.135)
    outline = head + (rx * np.cos(turn))[:, None] * right + (ry * np.sin(turn))[:, None] * up
    corner = head - right * 0.12 + up * 0.15
    return Part("person", "head", outline, _spanned(corner, corner + right * 0.24, corner - up * 0.3))


def _shoe(foot: np.ndarray, outward: float) -> list[Part]:
    sole, along, normal = foot
    along = along * outward

    def shape(texture: str, points: list[tuple[float, float]]) -> Part:
        corners = np.array(points)
        corner = sole - along * 0.13 + normal * 0.14
        frame = _spanned(corner, corner + along * 0.31, corner - normal * 0.14)
        outline = _rounded(sole + corners[:, :1] * along + corners[:, 1:] * normal)
        return Part("person", texture, outline, frame)

    upper = [(-0.115, 0.0), (0.165, 0.0), (0.17, 0.045), (0.1, 0.075), (0.05, 0.13), (-0.09, 0.14), (-0.12, 0.06)]
    rubber = [(-0.122, 0.0), (0.172, 0.0), (0.178, 0.03), (-0.122, 0.03)]
    return [shape("shoe", upper), shape("sole", rubber)]


def _spanned(origin: np.ndarray, u_end: np.ndarray, v_end: np.ndarray) -> np.ndarray:
    """Frame of a texture whose unit square has these three corners."""
    return np.stack([u_end - origin, v_end - origin, origin], axis=1)


def _capsule(label: str, texture: str, a: np.ndarray, b: np.ndarray, ra: float, rb: float) -> Part:
    axis = b - a
    length = float(np.linalg.norm(axis))
    axis = axis / length if length > 1e-9 else np.array([1.0, 0.0])
    side = np.array([-axis[1], axis[0]])
    turn = np.linspace(-np.pi / 2, np.pi / 2, 12)[:, None]
    tip = b + rb * (np.cos(turn) * axis + np.sin(turn) * side)
    root = a - ra * (np.cos(turn) * axis + np.sin(turn) * side)
    wide = max(ra, rb)
    corner = a - axis * ra - side * wide
    frame = _spanned(corner, corner + axis * (length + ra + rb), corner + side * 2 * wide)
    return Part(label, texture, np.concatenate([tip, root]), frame)


def _ellipse(centre: np.ndarray, rx: float, ry: float) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    return centre + np.stack([rx * np.cos(turn), ry * np.sin(turn)], axis=1)


def _rounded(corners: np.ndarray) -> np.ndarray:
    """Closed polygon with its corners cut twice (Chaikin 1974)."""
    for _ in range(2):
        following = np.roll(corners, -1, axis=0)
        corners = np.stack([0.8 * corners + 0.2 * following, 0.2 * corners + 0.8 * following], axis=1).reshape(-1, 2)
    return corners

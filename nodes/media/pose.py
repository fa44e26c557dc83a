"""Poses: the keypoints of one person in every frame of a clip, and the way to and from core ComfyUI's POSE_KEYPOINT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from .track import Track

# COCO-WholeBody (Jin et al., "Whole-Body Human Pose Estimation in the Wild", ECCV 2020): where each part lies.
KEYPOINTS = 133
BODY, FEET, FACE, LEFT_HAND, RIGHT_HAND = slice(0, 17), slice(17, 23), slice(23, 91), slice(91, 112), slice(112, 133)
LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_WRIST, RIGHT_WRIST = 5, 6, 9, 10

# OpenPose's 18 body points as indices of COCO-WholeBody; its second point, the neck, is the middle of the shoulders.
NECK = -1
OPENPOSE_BODY = (0, NECK, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
# Of OpenPose's 25 (BODY_25), the 19th and later are the feet; a point in the middle of the hips lies between.
BODY_25 = (*OPENPOSE_BODY[:8], NECK, *OPENPOSE_BODY[8:], *range(17, 23))
# OpenPose's face has 70 points: the 68 and both pupils, for which the body's eyes stand in.
EYES = (2, 1)

# Where core's own drawing node starts to show a point; models seldom place what they score lower.
THRESHOLD = 0.3

# All coordinates of a clip within this are taken for shares of the picture: in pixels it would be a person of 2 px.
MOST_NORMALISED = 2.0


# Whose pose it is where nobody was named.
PERSON = "person"


class PoseError(ValueError):
    """Poses that can't be used; the message is one sentence for the user."""


@dataclass
class Poses:
    """One person's keypoints over T frames.

    Attributes:
        keypoints: float32 [T, 133, 3] in COCO-WholeBody order (left is the person's own left): x right, y down in px
            of the clip, the first pixel's centre at 0, 0 as pose models count; nan where a point is absent. Then the
            score, 0..1, which is the estimator's own also where the point is absent.
        size: (H, W) of the frames, px.
        rate: nominal frames per second.
        times: presentation time of every frame in seconds, or None for index / rate.
        label: the person's name in the track.
        source: what was looked at.
        estimator: what found the points.
        warnings: what there is to tell about them.
    """

    keypoints: np.ndarray
    size: tuple[int, int]
    rate: Fraction
    times: list[Fraction] | None = None
    label: str = PERSON
    source: str = ""
    estimator: str = ""
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.keypoints.ndim != 3 or self.keypoints.shape[1:] != (KEYPOINTS, 3):
            raise ValueError(f"keypoints are [T, {KEYPOINTS}, 3], not {list(self.keypoints.shape)}")

    def __len__(self) -> int:
        return len(self.keypoints)

    def time(self, t: int) -> Fraction:
        """Presentation time of frame t, seconds."""
        return self.times[t] if self.times else t / self.rate

    def present(self) -> np.ndarray:
        """bool [T, 133]: the points that have a place."""
        return np.asarray(np.isfinite(self.keypoints[..., :2]).all(axis=2))

    def in_words(self) -> str:
        """What found the points, on how many frames, and what there is to tell; a line each."""
        found = int(self.present().any(axis=1).sum())
        lines = [self.estimator, f"a pose of {self.label} on {found} of {len(self)} frames"]
        return "\n".join([*lines, *(f"Warning: {warning}" for warning in self.warnings)])

    def boxes(self) -> np.ndarray:
        """float64 [T, 4]: x1, y1, x2, y2 around the points that are there, px; nan where there are none."""
        return np.array([_box(frame) for frame in self.keypoints]).reshape(-1, 4)


def person_of(track: Track, label: str = "") -> str:
    """Whose pose is meant: `label`, or where it is empty "person", or else the track's first object.

    Raises:
        KeyError: the track has no such object, or none at all.
    """
    if not label.strip():
        label = PERSON if PERSON in track.labels else next(iter(track.labels), PERSON)
    track.index(label.strip())
    return label.strip()


def to_pose_keypoints(poses: Poses) -> list[dict[str, Any]]:
    """Poses as core's POSE_KEYPOINT: JSON-able, absolute px, the model's own scores.

    Per frame {canvas_width, canvas_height, people}, with nobody or one person: pose_keypoints_2d (18 points in
    OpenPose's order, the neck made from the shoulders), foot_keypoints_2d (6), face_keypoints_2d (70, the last two the
    eyes of the body), hand_left_keypoints_2d and hand_right_keypoints_2d (21 each), flat lists x, y, score. An absent
    point is 0, 0, 0, as OpenPose writes it. Left is the person's own left in every part; core's SDPose node writes
    each hand under the other one's name (ComfyUI 0.33), this does not.
    """
    height, width = poses.size
    return [
        {"canvas_width": width, "canvas_height": height, "people": [_to_person(frame)] if here else []}
        for frame, here in zip(poses.keypoints, np.asarray(poses.present().any(axis=1)), strict=True)
    ]


def from_pose_keypoints(
    value: Any,
    track: Track | None = None,
    label: str = PERSON,
    size: tuple[int, int] | None = None,
    rate: Fraction = Fraction(24),
    threshold: float = THRESHOLD,
) -> Poses:
    """Poses from POSE_KEYPOINT: core's, this pack's, and those that other packs make.

    Coordinates may be px of a canvas of any size or shares of it (0..1). Scores may be real, 1 and 0, or missing; a
    part may be None, missing or empty; the body may have 18 or 25 points, the face 68 or 70. Points that score under
    `threshold` are absent. Hands that were written under each other's names, as core's SDPose does, are told by the
    wrists they lie on; then they are exchanged, and a warning says so.

    Args:
        value: a list of frames, or one frame.
        track: what the clip's objects do. Of several people the one nearest to the box of object `label` is taken,
            nobody where that object is lost or everybody is farther from it than its own diagonal. Without it the
            largest person is taken, and a warning says so where there was a choice.
        label: the person's name in the track.
        size: (H, W) of the clip, px; by default the track's, else that of the first frame's canvas.
        rate: frames per second where there is no track.
        threshold: 0..1.

    Raises:
        PoseError: not such a structure, or another number of frames than the track.
        KeyError: the track has no object `label`.
    """
    frames, size = read_people(value, size or (track.clip_size if track is not None else None), threshold)
    if track is not None and len(frames) != len(track):
        raise PoseError(f"there are poses of {len(frames)} frames, the track has {len(track)}")
    boxes = None if track is None else track.boxes()[:, track.index(label)]
    poses = Poses(
        np.full((len(frames), KEYPOINTS, 3), (np.nan, np.nan, 0), np.float32), size, track.rate if track else rate,
        track.times if track else None, label, track.source if track else "", "POSE_KEYPOINT",
    )  # fmt: skip
    crowded = []
    for t, people in enumerate(frames):
        chosen = _largest(people) if boxes is None else _nearest(people, boxes[t])
        if chosen is not None:
            poses.keypoints[t] = chosen
        if len(people) > 1 and boxes is None:
            crowded.append(t)
    if crowded:
        poses.warnings.append(
            f"{len(crowded)} frames show several people, the first is frame {crowded[0]}; without a track the largest "
            "one was taken on each"
        )
    if _hands_are_exchanged(poses.keypoints):
        hands = poses.keypoints[:, LEFT_HAND].copy()
        poses.keypoints[:, LEFT_HAND] = poses.keypoints[:, RIGHT_HAND]
        poses.keypoints[:, RIGHT_HAND] = hands
        poses.warnings.append(
            "the left hand's points lay on the right wrist and the right hand's on the left: exchanged"
        )
    return poses


def read_people(
    value: Any, size: tuple[int, int] | None = None, threshold: float = THRESHOLD
) -> tuple[list[list[np.ndarray]], tuple[int, int]]:
    """Everybody in POSE_KEYPOINT in any of the forms that `from_pose_keypoints` reads, hands as they are named there.

    Args:
        size: (H, W) px of the picture to place them in; by default that of the first frame's canvas.

    Returns:
        Per frame a list of people who have a point above `threshold`, float64 [133, 3] as in Poses; and that size.

    Raises:
        PoseError: not such a structure.
    """
    frames = [value] if isinstance(value, Mapping) else value
    if not isinstance(frames, Sequence) or isinstance(frames, (str, bytes)) or not frames:
        raise PoseError(f"pose keypoints are a list with a dict for every frame, not {_short(value)}")
    read = [_read_frame(frame, t) for t, frame in enumerate(frames)]
    size = size or read[0][0]
    everybody = [person for _, people in read for person in people if np.isfinite(_box(person)).all()]
    normalised = bool(everybody) and all(np.nanmax(np.abs(person[:, :2])) <= MOST_NORMALISED for person in everybody)
    placed = []
    for canvas, people in read:
        per_unit = (size[1], size[0]) if normalised else (size[1] / canvas[1], size[0] / canvas[0])
        here = [_placed(person, per_unit, threshold) for person in people]
        placed.append([person for person in here if np.isfinite(_box(person)).all()])
    return placed, size


def _to_person(points: np.ndarray) -> dict[str, list[float]]:
    shoulders = points[[LEFT_SHOULDER, RIGHT_SHOULDER]]
    neck = np.append(shoulders[:, :2].mean(axis=0), shoulders[:, 2].min())
    body = [neck if index == NECK else points[index] for index in OPENPOSE_BODY]
    return {
        "pose_keypoints_2d": _flat(body),
        "foot_keypoints_2d": _flat(points[FEET]),
        "face_keypoints_2d": _flat([*points[FACE], *points[list(EYES)]]),
        "hand_left_keypoints_2d": _flat(points[LEFT_HAND]),
        "hand_right_keypoints_2d": _flat(points[RIGHT_HAND]),
    }


def _flat(points: Sequence[np.ndarray] | np.ndarray) -> list[float]:
    values = np.asarray(points, np.float32)
    here = np.isfinite(values[:, :2]).all(axis=1, keepdims=True)
    return [float(value) for value in np.where(here, values, 0).ravel()]


def _read_frame(frame: Any, t: int) -> tuple[tuple[int, int], list[np.ndarray]]:
    """The canvas (H, W) and the people of one frame, float64 [133, 3] in the frame's own coordinates."""
    if not isinstance(frame, Mapping) or not isinstance(frame.get("people", []), Sequence):
        raise PoseError(f"frame {t} of the pose keypoints has no list of people: {_short(frame)}")
    try:
        canvas = int(frame["canvas_height"]), int(frame["canvas_width"])
    except (KeyError, TypeError, ValueError):
        canvas = (0, 0)
    if min(canvas) <= 0:
        raise PoseError(
            f"frame {t} of the pose keypoints needs canvas_width and canvas_height above 0: {_short(frame)}"
        )
    return canvas, [_read_person(person, t) for person in frame.get("people", [])]


def _read_person(person: Any, t: int) -> np.ndarray:
    if not isinstance(person, Mapping):
        raise PoseError(f"a person of frame {t} of the pose keypoints is {_short(person)}, not a dict")
    points = np.full((KEYPOINTS, 3), (np.nan, np.nan, 0))
    body = _read_part(person, "pose_keypoints_2d", (18, 25), t)
    order = OPENPOSE_BODY if len(body) <= 18 else BODY_25
    for index, point in zip(order, body, strict=False):
        if index != NECK:
            points[index] = point
    for part, key, counts in (
        (FEET, "foot_keypoints_2d", (6,)),
        (FACE, "face_keypoints_2d", (68, 70)),
        (LEFT_HAND, "hand_left_keypoints_2d", (21,)),
        (RIGHT_HAND, "hand_right_keypoints_2d", (21,)),
    ):
        found = _read_part(person, key, counts, t)
        if len(found):
            points[part] = found[: part.stop - part.start]
    return points


def _read_part(person: Mapping, key: str, counts: Sequence[int], t: int) -> np.ndarray:
    """float64 [n, 3], nan where absent, or [0, 3] for a part that isn't there."""
    flat = person.get(key)
    if flat is None or len(flat) == 0:
        return np.zeros((0, 3))
    try:
        values = np.asarray(flat, float).ravel()
    except (TypeError, ValueError) as error:
        raise PoseError(f"{key} of frame {t} isn't a list of numbers: {_short(flat)}") from error
    for count in counts:
        if values.size in (2 * count, 3 * count):
            points = values.reshape(count, -1)
            break
    else:
        wanted = " or ".join(f"{count} points" for count in counts)
        raise PoseError(f"{key} of frame {t} has {values.size} numbers, not x, y (and score) of {wanted}")
    nowhere = (points[:, :2] == 0).all(axis=1) | (points[:, :2] == -1).all(axis=1) | ~np.isfinite(points).all(axis=1)
    scores = points[:, 2] if points.shape[1] == 3 else np.where(nowhere, 0.0, 1.0)
    places = np.where((nowhere | (scores <= 0))[:, None], np.nan, points[:, :2])
    return np.column_stack([places, np.nan_to_num(scores).clip(0, 1)])


def _placed(person: np.ndarray, per_unit: tuple[float, float], threshold: float) -> np.ndarray:
    placed = person * (*per_unit, 1)
    placed[placed[:, 2] < threshold, :2] = np.nan
    return placed


def _box(points: np.ndarray) -> tuple[float, float, float, float]:
    here = points[np.isfinite(points[:, :2]).all(axis=1), :2]
    if len(here) == 0:
        return np.nan, np.nan, np.nan, np.nan
    (x1, y1), (x2, y2) = here.min(axis=0), here.max(axis=0)
    return float(x1), float(y1), float(x2), float(y2)


def _largest(people: Sequence[np.ndarray]) -> np.ndarray | None:
    def area(person: np.ndarray) -> float:
        x1, y1, x2, y2 = _box(person)
        return (x2 - x1) * (y2 - y1)

    return max(people, key=area, default=None)


def _nearest(people: Sequence[np.ndarray], box: np.ndarray) -> np.ndarray | None:
    if not np.isfinite(box).all():
        return None
    centre, reach = (box[:2] + box[2:]) / 2, float(np.hypot(*(box[2:] - box[:2])))

    def distance(person: np.ndarray) -> float:
        around = np.array(_box(person))
        return float(np.hypot(*((around[:2] + around[2:]) / 2 - centre)))

    near = min(people, key=distance, default=None)
    return near if near is not None and distance(near) <= reach else None


def _hands_are_exchanged(keypoints: np.ndarray) -> bool:
    """The roots of the hands are nearer to the other arm's wrist, over the whole clip."""
    left, right = keypoints[:, LEFT_HAND.start, :2], keypoints[:, RIGHT_HAND.start, :2]
    wrists = keypoints[:, [LEFT_WRIST, RIGHT_WRIST], :2]

    def apart(hand: np.ndarray, wrist: int) -> np.ndarray:
        return np.linalg.norm(hand - wrists[:, wrist], axis=1)

    nearer_own = np.nansum(apart(left, 1) - apart(left, 0)) + np.nansum(apart(right, 0) - apart(right, 1))
    return bool(nearer_own < 0)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

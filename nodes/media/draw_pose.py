"""A pose drawn as OpenPose draws it: the coloured skeleton that pose-conditioned models were trained on."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ..host import progress
from .clip import Clip, ClipError, Frame
from .pose import FACE, LEFT_HAND, NECK, OPENPOSE_BODY, RIGHT_HAND
from .writer import VideoWriter

# OpenPose's limbs between its 18 body points, in its order, and its colours (RGB): limb n and point n both have colour
# n; limbs are darkened. Cao et al., "OpenPose", TPAMI 2019; the tables are those of pytorch-openpose and of the
# preprocessors that ControlNet and VACE were trained with.
LIMBS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10)),
    *((1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)
COLOURS = (
    *((255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85)),
    *((0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255)),
    *((255, 0, 255), (255, 0, 170), (255, 0, 85)),
)
LIMB_BRIGHTNESS = 0.6

# A hand's 20 bones, five fingers from the root outwards; they run through the rainbow.
FINGERS = tuple(
    (0 if joint == 0 else 4 * finger + joint, 4 * finger + joint + 1) for finger in range(5) for joint in range(4)
)
HAND_COLOURS = tuple(tuple(round(255 * v) for v in colorsys.hsv_to_rgb(n / 20, 1.0, 1.0)) for n in range(20))
HAND_POINT, FACE_POINT = (0, 0, 255), (255, 255, 255)

# Those preprocessors draw at 512 px, with limbs 8 px wide, points of radius 4, bones 2 and face points of radius 3.
DRAWN_AT = 512
# Sub-pixel places: cv2 takes coordinates with so many binary digits after the point.
SHIFT = 4


@dataclass(frozen=True)
class Style:
    """What is drawn, and how thick: 1 as OpenPose does for a picture whose shorter side is 512 px, scaled with it."""

    body: bool = True
    hands: bool = True
    face: bool = True
    thickness: float = 1.0


WHOLE = Style()


def fitting_size(size: tuple[int, int], width: int = 0, height: int = 0) -> tuple[int, int]:
    """(h, w) px of a picture that is asked for: 0 keeps the proportions of `size` (H, W), twice 0 keeps `size`."""
    if width and height:
        return height, width
    if width:
        return max(round(size[0] * width / size[1]), 1), width
    if height:
        return height, max(round(size[1] * height / size[0]), 1)
    return size


def draw_pose(image: np.ndarray, points: np.ndarray, style: Style = WHOLE) -> None:
    """Draw one person into an image, uint8 [H, W, 3] RGB.

    Args:
        points: [133, 3] in COCO-WholeBody order, x and y in px of this image, nan where absent; what is absent, and
            every limb that ends there, is left out.
    """
    unit = style.thickness * min(image.shape[:2]) / DRAWN_AT
    if style.body:
        _draw_body(image, points, unit)
    if style.hands:
        for part in (LEFT_HAND, RIGHT_HAND):
            _draw_hand(image, points[part, :2], unit)
    if style.face:
        for point in points[FACE, :2]:
            _dot(image, point, 3 * unit, FACE_POINT)


def _draw_body(image: np.ndarray, points: np.ndarray, unit: float) -> None:
    neck = points[[5, 6], :2].mean(axis=0)
    body = np.array([neck if index == NECK else points[index, :2] for index in OPENPOSE_BODY])
    for (start, end), colour in zip(LIMBS, COLOURS, strict=False):
        a, b = body[start], body[end]
        if np.isfinite([a, b]).all():
            dark = tuple(round(LIMB_BRIGHTNESS * value) for value in colour)
            cv2.fillConvexPoly(image, _fixed(_spindle(a, b, 4 * unit)), dark, cv2.LINE_AA, SHIFT)
    for point, colour in zip(body, COLOURS, strict=True):
        _dot(image, point, 4 * unit, colour)


def _draw_hand(image: np.ndarray, hand: np.ndarray, unit: float) -> None:
    for (start, end), colour in zip(FINGERS, HAND_COLOURS, strict=True):
        if np.isfinite(hand[[start, end]]).all():
            a, b = _fixed(hand[[start, end]])
            cv2.line(image, a.tolist(), b.tolist(), colour, max(1, round(2 * unit)), cv2.LINE_AA, SHIFT)
    for point in hand:
        _dot(image, point, 4 * unit, HAND_POINT)


def _spindle(a: np.ndarray, b: np.ndarray, half_width: float) -> np.ndarray:
    """The ellipse from a to b, [36, 2] px, that OpenPose draws a limb as."""
    along = (b - a) / 2
    length = np.hypot(*along)
    across = np.array([-along[1], along[0]]) / max(length, 1e-6) * half_width
    turn = np.deg2rad(np.arange(0, 360, 10))[:, None]
    return (a + b) / 2 + np.cos(turn) * along + np.sin(turn) * across


def _dot(image: np.ndarray, point: np.ndarray, radius: float, colour: tuple[int, ...]) -> None:
    if np.isfinite(point).all():
        centre = _fixed(point[None])[0].tolist()
        cv2.circle(image, centre, max(round(radius * (1 << SHIFT)), 1 << SHIFT), colour, -1, cv2.LINE_AA, SHIFT)


def _fixed(points: np.ndarray) -> np.ndarray:
    """Coordinates as cv2 wants them, cut to a range that it can draw in."""
    return np.round(np.clip(points, -8000, 8000) * (1 << SHIFT)).astype(np.int32)


def drawn_frames(
    people: Sequence[Sequence[np.ndarray]],
    placed_in: tuple[int, int],
    size: tuple[int, int],
    style: Style = WHOLE,
    clip: Clip | None = None,
    over: bool = False,
    rate: Fraction = Fraction(24),
) -> Iterator[tuple[np.ndarray, Fraction]]:
    """Every frame's poses, uint8 [h, w, 3] RGB of `size` (h, w), with its time in seconds.

    Args:
        people: per frame the people in it, [133, 3] as for draw_pose, in px of a picture of the size `placed_in`
            (H, W); see `pose.read_people`. Poses of one person are `[[points] for points in poses.keypoints]`.
        size: px; poses and clip are stretched to it.
        clip: the footage, whose times are taken; without it frames are 1 / rate apart.
        over: draw over the clip instead of on black.

    Raises:
        ClipError: the clip has another number of frames than the poses.
    """
    height, width = size
    scale = np.array([width / placed_in[1], height / placed_in[0], 1.0])
    # The middle of the first pixel is at 0, 0 in either size.
    shift = np.array([scale[0] / 2 - 0.5, scale[1] / 2 - 0.5, 0.0])
    shown = 0
    for frame in _blank(len(people), rate) if clip is None else clip:
        if shown < len(people):
            if over:
                how = cv2.INTER_AREA if width < frame.image.shape[1] else cv2.INTER_LINEAR
                image = cv2.resize(frame.image, (width, height), interpolation=how)
            else:
                image = np.zeros((height, width, 3), np.uint8)
            for points in people[shown]:
                draw_pose(image, points * scale + shift, style)
            yield image, frame.time
        shown += 1
    if shown != len(people):
        raise ClipError(f"{clip.name if clip else 'the clip'} has {shown} frames, its poses {len(people)}")


def _blank(frames: int, rate: Fraction) -> Iterator[Frame]:
    black = np.zeros((1, 1, 3), np.uint8)
    return (Frame(t, t / rate, black) for t in range(frames))


def write_pose_video(
    path: Path,
    people: Sequence[Sequence[np.ndarray]],
    placed_in: tuple[int, int],
    size: tuple[int, int],
    style: Style = WHOLE,
    clip: Clip | None = None,
    over: bool = False,
    rate: Fraction = Fraction(24),
) -> None:
    """Write drawn poses as a video; with `clip` at its times and with its file's audio.

    Args: as drawn_frames, and
        path: a new file; see VideoWriter for the formats.

    Raises:
        ClipError, OSError: see drawn_frames and VideoWriter.
    """
    height, width = size
    audio = None if clip is None else clip.audio_file()
    base, span = (None, (Fraction(0), None)) if clip is None else (clip.time_base, clip.span())
    frames = drawn_frames(people, placed_in, size, style, clip, over, rate)
    with VideoWriter(path, width, height, rate if clip is None else clip.rate, base, audio, span) as video:
        for image, time in progress(frames, len(people), "drawing poses"):
            video.write(image, time)

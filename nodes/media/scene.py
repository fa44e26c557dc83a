"""A clip whose physics is known exactly: a skater's ollie before a panning street, drawn from a seed.

Everything is a vector shape, so the scene exists at any size. Truth belongs to the middle of each exposure, the
frame's time; the rendered colours are averaged over the exposure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import cv2
import numpy as np

from . import figure, scenery
from .clip import Clip, Frame
from .figure import AIRTIME, Figure, Part
from .track import Track, TrackBuilder

LABELS = ("person", "skateboard")
STYLES = tuple(scenery.LOOKS)
FAULTS = ("drift", "late_landing")

PICTURE_M = 2.8  # height of the picture
BELOW_M = 0.32  # of it under the ground line
POP, POLE = 0.4, 0.79  # share of the clip before the pop, and before the rider is behind the pole
START, END = 0.28, 0.64  # where in the picture's width the rider rolls, first and last frame
POLE_WIDTH_M = 0.1
DECOY_AHEAD_M, DECOY_LEAN = 1.75, np.deg2rad(72)
SHUTTER = 0.5  # share of the frame interval, a film camera's 180 degrees
CONTACT = 0.01  # person heights, as CHOIS (Li et al. 2024) has 2 cm for a person
AIRBORNE_M = 0.005
SHIFT = 5  # fractional bits of polygon corners


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true in the middle of one exposure.

    Attributes:
        masks: bool [2, H, W] in the order of LABELS: the visible parts, each pixel to whatever covers most of it.
        whole: bool [2, H, W], the same silhouettes as if nothing hid them, inside the picture.
        distance: px between the two whole silhouettes (0 where they overlap, 1 where they touch); nan if one is out.
        contact: distance <= max(1 px, CONTACT * height of the person's whole silhouette).
        airborne: wheels, nose and tail are all more than AIRBORNE_M above the ground.
        front: "person" or "skateboard": which one is drawn over the other.
        camera: float64 [2, 3], maps (x, y, 1) px of the first frame's background to px of this frame.
        keypoints: float64 [17, 3], COCO-17 order: x, y px, and 1 where it is in the picture, not behind the pole
            and not on the far side of the head, else 0.
        decoy: box (x1, y1, x2, y2) px of the other board that leans on the wall, clipped; None outside the picture.
    """

    masks: np.ndarray
    whole: np.ndarray
    distance: float
    contact: bool
    airborne: bool
    front: str
    camera: np.ndarray
    keypoints: np.ndarray
    decoy: tuple[float, float, float, float] | None


class Scene(Clip):
    """The skater's clip, rendered frame by frame.

    Args:
        width, height: px. The skater's size follows the height; the picture shows more street when it is wider.
        frames, rate: length and frames per second. The ollie itself takes the time gravity gives it.
        seed: of textures and street; the motion does not depend on it.
        style: one of STYLES. Styles share every mask, they differ in colour, texture and film grain.
        fault: None, "drift": the board leaves its place from `fault_start` on, steadily, up to `drift` of the
            width at the last frame; or "late_landing": airborne `late_frames` longer, all after it that much later.
        fault_start: frame at which the drift begins; a third of the clip by default. A late landing begins at the
            pop.
        exposures: instants averaged over the open shutter; 1 renders without motion blur.

    Raises:
        ValueError: unknown style or fault, or a size or length that can't be rendered.
    """

    def __init__(
        self,
        width: int = 640,
        height: int = 360,
        frames: int = 72,
        rate: Fraction | int = 24,
        seed: int = 0,
        style: str = "original",
        fault: str | None = None,
        fault_start: int | None = None,
        drift: float = 0.10,
        late_frames: int = 6,
        exposures: int = 6,
    ):
        if style not in STYLES or (fault is not None and fault not in FAULTS):
            raise ValueError(f"style {style!r} and fault {fault!r}: styles are {STYLES}, faults {FAULTS} or None")
        if min(width, height) < 16 or frames < 1 or exposures < 1:
            raise ValueError(f"a scene of {width}x{height}, {frames} frames, {exposures} exposures can't be rendered")
        self.width, self.height, self.rate = width, height, Fraction(rate)
        self.time_base, self.warnings = 1 / self.rate, []
        self.name = "-".join(["ollie", style] + ([fault] if fault else []))
        self.style, self.fault, self._frames, self._seed = style, fault, frames, seed
        self._drift, self._late_s = drift, float(late_frames / self.rate)
        self._fault_start = frames // 3 if fault_start is None else fault_start
        self._exposures = exposures
        self._density = height / PICTURE_M
        self._view_m = width / self._density
        self._duration = float(frames / self.rate)
        self._pole_x = figure.SPEED * POLE * self._duration
        self._look = scenery.LOOKS[style]

    def read(self, start: int = 0) -> Iterator[Frame]:
        for index in range(start, self._frames):
            yield Frame(index, index / self.rate, self.render(index))

    def count(self) -> int:
        return self._frames

    def render(self, index: int) -> np.ndarray:
        """Frame `index` as the camera sees it, uint8 [H, W, 3] RGB."""
        total = np.zeros((self.height, self.width, 3), np.float32)
        for k in range(self._exposures):
            offset = ((k + 0.5) / self._exposures - 0.5) * SHUTTER
            total += self._instant(index + offset)
        total /= self._exposures
        if self._look.grain:
            rng = np.random.default_rng((self._seed, index))
            size = (self.height * 2 // 3 + 1, self.width * 2 // 3 + 1)
            grain = rng.normal(0, self._look.grain * 1.6, size).astype(np.float32)
            total += cv2.resize(grain, (self.width, self.height))[..., None]
        return np.clip(total + 0.5, 0, 255).astype(np.uint8)

    def truth(self, index: int) -> Truth:
        """What is true of frame `index`."""
        camera, now = self._camera(index), self._figure(index)
        person = self._cover(now.person, self._view("person", index))
        board = self._cover(now.board, self._view("skateboard", index))
        pole = self._cover([self._pole], camera)
        first, second = (person, board) if now.front == "person" else (board, person)
        seen_first, seen_second = first * (1 - pole), second * (1 - first) * (1 - pole)
        seen = [seen_first, seen_second] if now.front == "person" else [seen_second, seen_first]
        rest = 1 - seen[0] - seen[1] - pole
        masks = np.argmax(np.stack([rest, pole, *seen]), axis=0)
        whole = np.stack([person, board]) > 0.5
        distance, person_height = _separation(whole[0], whole[1])
        keypoints = self._keypoints(now, self._view("person", index), pole)
        return Truth(
            masks=np.stack([masks == 2, masks == 3]),
            whole=whole,
            distance=distance,
            contact=bool(distance <= max(1.0, CONTACT * person_height)),
            airborne=now.clearance > AIRBORNE_M,
            front=now.front,
            camera=_compose(camera, _inverse(self._camera(0))),
            keypoints=keypoints,
            decoy=self._box(_through(self._decoy.outline, camera)),
        )

    def track(self) -> Track:
        """The visible masks of all frames, with score 1 where an object is seen."""
        builder = TrackBuilder(LABELS, (self.height, self.width), self.rate, "truth")
        for index in range(self._frames):
            masks = self.truth(index).masks
            builder.append(masks, np.asarray(masks.any(axis=(1, 2)), np.float32), index / self.rate)
        return builder.finish()

    def _clock(self, index: float) -> float:
        """The skater's own time in s after the pop; a late landing stretches it while in the air."""
        clock = index / float(self.rate) - POP * self._duration
        if self.fault != "late_landing" or clock <= 0:
            return clock
        return min(clock * AIRTIME / (AIRTIME + self._late_s), AIRTIME) + max(clock - AIRTIME - self._late_s, 0.0)

    def _x(self, index: float) -> float:
        return figure.SPEED * index / float(self.rate)

    def _figure(self, index: float) -> Figure:
        shift = 0.0
        if self.fault == "drift":
            part = (index - self._fault_start) / max(self._frames - 1 - self._fault_start, 1)
            shift = self._drift * self._view_m * max(part, 0.0)
        return figure.figure_at(self._clock(index), self._x(index), shift)

    def _camera(self, index: float) -> np.ndarray:
        """World m to px, float64 [2, 3]: a pan after the rider, hand-held, slowly closer."""
        seconds = index / float(self.rate)
        part = index / max(self._frames - 1, 1)
        eased = part * part * (3 - 2 * part)
        place = START + (END - START) * eased
        focus_x = self._x(index) - (place - 0.5) * self._view_m + 0.006 * np.sin(2 * np.pi * 1.7 * seconds)
        focus_y = PICTURE_M / 2 - BELOW_M + 0.007 * np.sin(2 * np.pi * 1.3 * seconds + 1)
        roll = np.deg2rad(0.25) * np.sin(2 * np.pi * 0.6 * seconds)
        zoom = self._density * (1.0 + 0.03 * eased)
        turn = zoom * np.array([[np.cos(roll), np.sin(roll)], [np.sin(roll), -np.cos(roll)]])
        middle = np.array([(self.width - 1) / 2, (self.height - 1) / 2])
        return np.column_stack([turn, middle - turn @ [focus_x, focus_y]])

    def _view(self, label: str, index: float) -> np.ndarray:
        """World m to px for the parts of one label: the camera's, unless a planted fault moves one of the two."""
        return self._camera(index)

    @cached_property
    def _street(self) -> tuple[np.ndarray, np.ndarray]:
        """The painted street, which repeats after 32767 px, and the map from its pixels to world m."""
        margin = 0.3
        left = -START * self._view_m - margin
        metres = self._x(self._frames) + (1 - END) * self._view_m + margin - left
        metres, height, top = min(metres, 32767 / self._density), PICTURE_M + 0.3, PICTURE_M - BELOW_M + 0.15
        rng = np.random.default_rng(self._seed)
        image = scenery.backdrop(self._look, metres, height, top, self._density, rng)
        step = 1 / self._density
        place = np.array([[step, 0, left], [0, -step, top]])
        to_street = _inverse(place)
        leaning = Part("", "decoy", _through(self._decoy.outline, to_street), to_street)
        shade = _fill([leaning.outline + [0.03 * self._density, 0.02 * self._density]], image.shape[:2])
        image = (image * (1 - 0.45 * cv2.GaussianBlur(shade, (0, 0), 1.5)[..., None])).astype(np.float32)
        frame = _compose(to_street, self._decoy.frame)
        _paint(image, scenery.leaning_board(self._look, rng), leaning.outline, frame)
        return np.round(image).astype(np.uint8), place

    @cached_property
    def _paints(self) -> dict[str, np.ndarray]:
        return scenery.textures(self._look, np.random.default_rng((self._seed, 1)))

    @cached_property
    def _pole(self) -> Part:
        half, bottom, top = POLE_WIDTH_M / 2, -0.22, PICTURE_M + 0.2
        x = self._pole_x
        shaft = [(x - half, top), (x + half, top), (x + half, -0.11), (x + 1.7 * half, -0.14)]
        outline = np.array(
            [*shaft, (x + 1.7 * half, bottom), (x - 1.7 * half, bottom), (x - 1.7 * half, -0.14), (x - half, -0.11)]
        )
        frame = np.array([[0, 3.4 * half, x - 1.7 * half], [bottom - top, 0, top]])
        return Part("pole", "pole", outline, frame)

    @cached_property
    def _decoy(self) -> Part:
        along = np.array([np.cos(DECOY_LEAN), np.sin(DECOY_LEAN)])
        side = np.array([-along[1], along[0]])
        turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        u = 0.4 * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.6
        v = 0.1 * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.5
        middle = np.array([DECOY_AHEAD_M, 0.67])
        frame = np.column_stack([along * 0.8, side * 0.2, middle - along * 0.4 - side * 0.1])
        return Part("decoy", "decoy", middle + u[:, None] * along + v[:, None] * side, frame)

    def _instant(self, index: float) -> np.ndarray:
        camera, now = self._camera(index), self._figure(index)
        street, place = self._street
        size = (self.width, self.height)
        canvas = cv2.warpAffine(
            street, _compose(camera, place), size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        ).astype(np.float32)
        parts = now.board + now.person if now.front == "person" else now.person + now.board
        self._shade(canvas, parts, index)
        for part in [*parts, self._pole]:
            view = self._view(part.label, index)
            _paint(canvas, self._paints[part.texture], _through(part.outline, view), _compose(view, part.frame))
        return canvas

    def _shade(self, canvas: np.ndarray, parts: list[Part], index: float) -> None:
        """The cast shadow: the outlines laid on the ground by a low sun behind the scene."""
        sun = np.array([[1, -0.5, 0.0], [0, -0.15, -0.02]])
        shadows = [_through(part.outline, _compose(self._view(part.label, index), sun)) for part in parts]
        cover = _fill(shadows, canvas.shape[:2])
        cover = cv2.GaussianBlur(cover, (0, 0), 0.012 * self._density)
        canvas *= (1 - self._look.shadow * cover)[..., None]

    def _cover(self, parts: list[Part], camera: np.ndarray) -> np.ndarray:
        return _fill([_through(part.outline, camera) for part in parts], (self.height, self.width))

    def _keypoints(self, now: Figure, camera: np.ndarray, pole: np.ndarray) -> np.ndarray:
        points = _through(now.keypoints, camera)
        x, y = np.round(points).astype(int).T
        inside = (x >= 0) & (x < self.width) & (y >= 0) & (y < self.height)
        hidden = pole[np.clip(y, 0, self.height - 1), np.clip(x, 0, self.width - 1)] > 0.5
        turned = np.array([name == "left_ear" for name in figure.COCO_17])
        return np.column_stack([points, inside & ~hidden & ~turned])

    def _box(self, points: np.ndarray) -> tuple[float, float, float, float] | None:
        x1, y1 = np.clip(points.min(axis=0), 0, [self.width, self.height])
        x2, y2 = np.clip(points.max(axis=0), 0, [self.width, self.height])
        return (float(x1), float(y1), float(x2), float(y2)) if x2 > x1 and y2 > y1 else None


def _separation(person: np.ndarray, board: np.ndarray) -> tuple[float, float]:
    """Smallest distance of the two in px (nan if one is empty), and the person's height in px."""
    rows = np.flatnonzero(person.any(axis=1))
    if not rows.size or not board.any():
        return float("nan"), float(rows.size)
    away = cv2.distanceTransform((~person).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(away[board].min()), float(rows[-1] - rows[0] + 1)


def _through(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return points @ affine[:, :2].T + affine[:, 2]


def _compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def _inverse(affine: np.ndarray) -> np.ndarray:
    back = np.linalg.inv(affine[:, :2])
    return np.column_stack([back, -back @ affine[:, 2]])


def _fill(outlines: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Coverage of the union of outlines, float32 [H, W], 0..1, anti-aliased."""
    cover = np.zeros(size, np.uint8)
    for outline in outlines:
        corners = np.round(outline * (1 << SHIFT)).astype(np.int32)
        cv2.fillPoly(cover, [corners], 255, cv2.LINE_AA, SHIFT)
    return cover.astype(np.float32) / 255


def _paint(canvas: np.ndarray, texture: np.ndarray, outline: np.ndarray, frame: np.ndarray) -> None:
    """Lays a texture, whose unit square is mapped to px by `frame`, over float32 `canvas` inside `outline`."""
    low = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 2, 0)
    high = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 3, [canvas.shape[1], canvas.shape[0]])
    if (high <= low).any():
        return
    (x0, y0), (w, h) = low, high - low
    rows, columns = texture.shape[:2]
    unit = np.array([[1 / max(columns - 1, 1), 0, 0], [0, 1 / max(rows - 1, 1), 0]])
    placed = _compose(frame, unit) - np.array([[0, 0, x0], [0, 0, y0]])
    cover = _fill([outline - low], (h, w))[..., None]
    colour = cv2.warpAffine(texture, placed, (int(w), int(h)), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    area = canvas[y0 : y0 + h, x0 : x0 + w]
    area += cover * (colour - area)

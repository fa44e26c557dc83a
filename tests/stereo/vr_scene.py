"""People of capsules in a textured room, ray by ray for both eyes: pictures, masks and distances that are exact.

Metres; x right, y down, z forward, the origin midway between the eyes, which stand EYE_LEVEL above the floor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache

import cv2
import numpy as np
from physics_preserver.nodes.media.clip import Clip, Frame
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.stereo.layouts import Layout
from physics_preserver.nodes.stereo.projections import (
    HalfEquirectangular,
    Projection,
    Turned,
    pixel_directions,
    to_pixels,
)
from physics_preserver.nodes.stereo.rig import Rig

EYE_LEVEL = 1.5
# The room: left and right, ceiling and floor, end wall.
ROOM = ((-4.0, 4.0), (-1.6, EYE_LEVEL), 5.0)
# Texture: px a side, and metres that it covers before it repeats.
TEXTURE, TEXTURE_M = 512, 4.0
LIGHT = np.array([-0.4, -0.7, -0.6], np.float32) / np.float32(1.005)
# A place of a joint goes this far when a person waves, sways or walks, m.
SWING = 0.12
# Directions tried to find the box of a part, a side.
COARSE = 48


@dataclass(frozen=True)
class Person:
    """Someone who stands, sways and waves.

    Attributes:
        distance: m from the eyes to the body's axis, along the floor.
        degrees: how far off the axis, to the right.
        walks: m/s to the right.
        arms: an arm less is a person who lost it.
    """

    distance: float
    degrees: float = 0.0
    walks: float = 0.0
    arms: int = 2


@dataclass(frozen=True)
class Pole:
    """An upright pole that nobody tracks."""

    distance: float
    degrees: float
    radius: float = 0.03


@dataclass(frozen=True)
class Part:
    """A capsule from a to b, and its colour."""

    a: np.ndarray
    b: np.ndarray
    radius: float
    colour: tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class View:
    """What one eye sees.

    Attributes:
        image: uint8 [H, W, 3], RGB.
        owner: int16 [H, W]: the person's number, -1 for everything else.
        distance: float32 [H, W], m along the ray.
    """

    image: np.ndarray
    owner: np.ndarray
    distance: np.ndarray


class RowsRig(Rig):
    """What is wrong with matching rows of the footage as it is: the picture worked in is the footage's own."""

    @cached_property
    def cassini(self) -> Projection:
        return self.projection


class StereoScene(Clip):
    """A clip of both eyes with everything known.

    Args:
        people: who is tracked, in this order.
        poles: what else stands in the way.
        size: (H, W) px of an eye as stored.
        projection, layout: of the footage.
        frames, rate: length; frames per second.
        baseline: m between the eyes.
        shift_rows: px by which the right eye is planted lower, a fault.
        turned: (yaw, pitch, roll) degrees by which the right lens stands askew, see Turned.
        gains: by which the right eye's red, green and blue are multiplied.
        noise: standard deviation of both eyes' noise, grey levels.
        fine: render at twice the size and average: smooth edges. Masks are then half or more of a pixel.
    """

    def __init__(
        self,
        people: Sequence[Person] = (Person(2.0),),
        poles: Sequence[Pole] = (),
        size: tuple[int, int] = (256, 256),
        projection: Projection | None = None,
        layout: Layout | None = None,
        frames: int = 8,
        rate: Fraction | int = 24,
        baseline: float = 0.064,
        shift_rows: int = 0,
        turned: tuple[float, float, float] = (0, 0, 0),
        gains: tuple[float, float, float] = (1, 1, 1),
        noise: float = 0,
        fine: bool = True,
        seed: int = 0,
    ):
        self.people, self.poles, self.size = tuple(people), tuple(poles), size
        self.projection, self.layout = projection or HalfEquirectangular(), layout or Layout()
        self.rate, self._frames, self.baseline = Fraction(rate), frames, baseline
        self._shift, self._fine, self._seed = shift_rows, fine, seed
        self.lenses = self.projection, Turned(self.projection, *turned) if any(turned) else self.projection
        self._gains, self._noise = np.array(gains, np.float32), noise
        self.name, self.time_base, self.warnings = "people in a room", 1 / self.rate, []
        down, across = {"side by side": (1, 2), "top-bottom": (2, 1)}[self.layout.arrangement]
        self.height, self.width = down * size[0], across * size[1]
        self.labels = tuple(f"person {n + 1}" for n in range(len(people)))
        self._rooms: dict[tuple, View] = {}

    def read(self, start: int = 0) -> Iterator[Frame]:
        for index in range(start, self._frames):
            left, right = (self.view(index, eye).image for eye in (False, True))
            yield Frame(index, index / self.rate, self.layout.join(left, right, (self.height, self.width)))

    def count(self) -> int:
        return self._frames

    def view(self, index: int, right: bool) -> View:
        """What an eye of the footage shows on frame `index`."""
        seen = self.look(index, right, self.lenses[right], self.size)
        image, owner, distance = seen.image, seen.owner, seen.distance
        if right and self._shift:
            image, owner, distance = (np.roll(part, self._shift, 0) for part in (image, owner, distance))
        if self._noise or right and (self._gains != 1).any():
            rng = np.random.default_rng((self._seed, index, right))
            levels = image * (self._gains if right else 1) + rng.normal(0, self._noise, image.shape)
            image = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        return View(image, owner, distance)

    def masks(self, index: int, right: bool) -> np.ndarray:
        """bool [N, H, W]: what is seen of every person."""
        owner = self.view(index, right).owner
        return np.stack([owner == n for n in range(len(self.people))])

    def track(self, right: bool) -> Track:
        """The true masks of one eye."""
        builder = TrackBuilder(self.labels, self.size, self.rate, f"{self.name}, {'right' if right else 'left'} eye")
        for index in range(self._frames):
            masks = self.masks(index, right)
            builder.append(masks, np.asarray(masks.any(axis=(1, 2)), np.float32), index / self.rate)
        return builder.finish()

    def look(self, index: int, right: bool, projection: Projection, size: tuple[int, int]) -> View:
        """Frame `index` as an eye would see it in any projection and size."""
        finer = 2 if self._fine else 1
        large = size[0] * finer, size[1] * finer
        eye = self.eye(right)
        key = right, projection, large
        if key not in self._rooms:
            self._rooms[key] = _room(eye, pixel_directions(projection, large), self._seed)
        room = self._rooms[key]
        view = View(room.image.copy(), room.owner.copy(), room.distance.copy())
        for n, person in enumerate(self.people):
            for part in self._parts(person, index):
                _draw(view, part, n, eye, projection, self._seed)
        for pole in self.poles:
            _draw(view, _pole(pole), -1, eye, projection, self._seed)
        return view if finer == 1 else _halved(view, size)

    def eye(self, right: bool) -> np.ndarray:
        """Where an eye stands, float32 [3]."""
        return np.array([self.baseline / (2 if right else -2), 0, 0], np.float32)

    def partners(
        self, index: int, right: bool, lenses: tuple[Projection, Projection], size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where the other eye sees what one eye's pixels show, exactly, for any lenses (left, right) and size.

        Returns:
            float32 [H, W, 2], x, y px in the other eye; and bool [H, W]: whether it sees it, too.
        """
        view, other = (self.look(index, eye, lenses[eye], size) for eye in (right, not right))
        at = self.eye(right) + view.distance[..., None] * pixel_directions(lenses[right], size) - self.eye(not right)
        there, seen = to_pixels(lenses[not right], at, size)
        far = np.linalg.norm(at, axis=-1)
        nearest = cv2.remap(other.distance, there, None, cv2.INTER_NEAREST)  # pyright: ignore
        return there, seen & (np.abs(nearest - far) < 0.03 * far)

    def disparity(self, index: int, projection: Projection, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Exact disparity of the left eye in any projection, the eyes standing level.

        Returns:
            float32 [H, W, 2], px: where a left pixel lies, less where the same point lies in the right eye; and bool
            [H, W]: whether the right eye sees it.
        """
        there, seen = self.partners(index, False, (projection, projection), size)
        return np.dstack(np.meshgrid(np.arange(size[1]), np.arange(size[0]))) - there, seen

    def s_iou(self, index: int, left: np.ndarray, right: np.ndarray) -> float:
        """S-IoU of two masks, bool [H, W], of the eyes as stored, by the exact disparity: the reference's definition
        with nothing estimated. The left mask is moved to the right eye pixel by pixel and compared with the right one
        over what both eyes see, by shares of the sphere; for half-equirectangular eyes."""
        there, seen = self.partners(index, True, self.lenses, self.size)
        moved = cv2.remap(left.astype(np.float32), there, None, cv2.INTER_LINEAR) > 0.5  # pyright: ignore
        rays = pixel_directions(self.projection, self.size)
        weight = np.hypot(rays[..., 0], rays[..., 2]) * seen
        return float(weight[moved & right].sum() / weight[moved | right].sum())

    def _parts(self, person: Person, index: int) -> list[Part]:
        angle, seconds = np.deg2rad(person.degrees), index / float(self.rate)
        foot = np.array([person.distance * np.sin(angle) + person.walks * seconds, 0, person.distance * np.cos(angle)])
        side = np.array([np.cos(angle), 0, -np.sin(angle)])
        rng = np.random.default_rng((self._seed, self.people.index(person)))
        skin = (205, 160, 130)
        shirt, trousers, shoe = (tuple(rng.integers(40, 220, 3).tolist()) for _ in range(3))
        sway = SWING * np.sin(2 * np.pi * (0.7 * seconds + rng.uniform()))
        wave = SWING * np.sin(2 * np.pi * (1.1 * seconds + rng.uniform()))

        def at(across: float, above: float) -> np.ndarray:
            """A place so far to the person's side and above the floor; the upper body sways."""
            lean = 0.5 * sway * above / 1.6
            return foot + (across + lean) * side + np.array([0, EYE_LEVEL - above, 0])

        parts = [
            Part(at(0, 1.54), at(0, 1.60), 0.1, skin), Part(at(0, 1.36), at(0, 1.46), 0.055, skin),
            Part(at(-0.09, 1.28), at(-0.07, 0.98), 0.12, shirt), Part(at(0.09, 1.28), at(0.07, 0.98), 0.12, shirt),
            Part(at(-0.07, 0.96), at(0.07, 0.96), 0.13, trousers),
        ]  # fmt: skip
        for k, way in enumerate((-1, 1)):
            if k < person.arms:
                elbow, hand = at(way * 0.42, 1.18 + wave * way), at(way * (0.5 + wave), 1.42 + 2 * wave)
                parts += [Part(at(way * 0.2, 1.36), elbow, 0.052, shirt), Part(elbow, hand, 0.042, skin)]
            knee, ankle = at(way * 0.12, 0.5), at(way * 0.16, 0.1)
            parts += [Part(at(way * 0.09, 0.92), knee, 0.085, trousers), Part(knee, ankle, 0.06, trousers)]
            parts.append(Part(ankle, ankle + 0.1 * side * way + [0, 0.04, 0], 0.055, shoe))
        return parts


def _pole(pole: Pole) -> Part:
    angle = np.deg2rad(pole.degrees)
    foot = pole.distance * np.array([np.sin(angle), 0, np.cos(angle)])
    return Part(foot + [0, EYE_LEVEL, 0], foot + [0, ROOM[1][0], 0], pole.radius, (70, 90, 60))


@lru_cache(maxsize=8)
def _texture(seed: int) -> np.ndarray:
    """float32 [TEXTURE, TEXTURE] about 1, in several sizes of grain, without a seam."""
    rng, total = np.random.default_rng(seed), np.zeros((TEXTURE, TEXTURE), np.float32)
    for grain in (1.2, 2.5, 6, 16):
        noise = rng.normal(size=(TEXTURE, TEXTURE)).astype(np.float32)
        wrapped = cv2.GaussianBlur(np.tile(noise, (2, 2)), (0, 0), grain)[TEXTURE // 2 :, TEXTURE // 2 :]
        total += np.roll(wrapped[:TEXTURE, :TEXTURE] / wrapped.std(), TEXTURE // 2, (0, 1))
    return 1 + 0.13 * total


def _grain(texture: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The texture at (a, b) m, float32 [H, W]."""
    scale = np.float32(TEXTURE / TEXTURE_M)
    at = np.mod(np.dstack([a, b]) * scale, TEXTURE).astype(np.float32)
    return cv2.remap(texture, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)  # pyright: ignore


def _room(eye: np.ndarray, rays: np.ndarray, seed: int) -> View:
    distance = np.full(rays.shape[:2], np.inf, np.float32)
    wall = np.zeros(rays.shape[:2], np.int8)
    planes = [(0, ROOM[0][0]), (0, ROOM[0][1]), (1, ROOM[1][0]), (1, ROOM[1][1]), (2, ROOM[2]), (2, -ROOM[2])]
    for n, (axis, place) in enumerate(planes):
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (np.float32(place) - eye[axis]) / rays[..., axis]
        nearer = (t > 0) & (t < distance)
        distance[nearer], wall[nearer] = t[nearer], n
    at = eye + distance[..., None] * rays
    image = np.zeros((*wall.shape, 3), np.float32)
    colours = [(150, 120, 110), (110, 130, 150), (190, 190, 180), (120, 100, 80), (140, 140, 115), (128, 128, 128)]
    for n, ((axis, _), colour) in enumerate(zip(planes, colours, strict=True)):
        a, b = (at[..., other] for other in range(3) if other != axis)
        here = wall == n
        image[here] = (_grain(_texture(seed * 10 + n), a, b)[..., None] * np.array(colour, np.float32))[here]
    return View(np.clip(image, 0, 255).astype(np.uint8), np.full(wall.shape, -1, np.int16), distance)


@lru_cache(maxsize=32)
def _coarse(projection: Projection) -> tuple[np.ndarray, float]:
    """Directions of a coarse grid, and an angle that no pixel is farther than from one of its cells, rad."""
    rays = pixel_directions(projection, (COARSE, COARSE))
    steps = [np.arccos(np.clip((rays[1:] * rays[:-1]).sum(-1), -1, 1)).max(),
             np.arccos(np.clip((rays[:, 1:] * rays[:, :-1]).sum(-1), -1, 1)).max()]  # fmt: skip
    return rays, float(np.hypot(*steps))


def _box(part: Part, eye: np.ndarray, projection: Projection, size: tuple[int, int]) -> tuple[slice, slice] | None:
    middle = (part.a + part.b) / 2 - eye
    far = float(np.linalg.norm(middle))
    reach = float(np.linalg.norm(part.b - part.a)) / 2 + part.radius
    rays, cell = _coarse(projection)
    angle = min(np.arcsin(min(reach / far, 1)) + cell, np.pi)
    rows, columns = np.nonzero(rays @ (middle / far).astype(np.float32) >= np.cos(angle))
    if not len(rows):
        return None
    (top, bottom), (left, right) = (
        (int(found.min() * n / COARSE), int(np.ceil((found.max() + 1) * n / COARSE)))
        for found, n in zip((rows, columns), size, strict=True)
    )
    return slice(top, bottom), slice(left, right)


def _draw(view: View, part: Part, owner: int, eye: np.ndarray, projection: Projection, seed: int) -> None:
    """Draws a capsule where it is nearer than what is there; the intersection is Inigo Quilez' capIntersect."""
    size = view.owner.shape
    box = _box(part, eye, projection, size)
    if box is None:
        return
    u, v = (
        (2 * np.arange(n, dtype=np.float32)[place] + 1) / n - 1 for place, n in zip(box[::-1], size[::-1], strict=True)
    )
    rays = projection.directions(*np.meshgrid(u, v)).astype(np.float64)
    axis, start = part.b - part.a, eye.astype(float) - part.a
    length2 = float(axis @ axis)
    along, back = rays @ axis, float(axis @ start)
    qa = length2 - along**2
    qb = length2 * (rays @ start) - back * along
    qc = length2 * float(start @ start) - back**2 - part.radius**2 * length2
    h = qb**2 - qa * qc
    with np.errstate(invalid="ignore", divide="ignore"):
        t = (-qb - np.sqrt(h)) / qa
        y = back + t * along
        side = (h >= 0) & (y > 0) & (y < length2)
        end = np.where((y <= 0)[..., None], start, start - axis)
        eb, ec = (rays * end).sum(-1), (end * end).sum(-1) - part.radius**2
        eh = eb**2 - ec
        t = np.where(side, t, np.where(eh > 0, -eb - np.sqrt(eh), np.inf))
    hit = np.isfinite(t) & (t > 0) & (t < view.distance[box])
    if not hit.any():
        return
    t = np.where(hit, t, 0)
    place = start + t[..., None] * rays
    share = np.clip(place @ axis / length2, 0, 1)
    normal = (place - share[..., None] * axis) / part.radius
    first = np.cross(axis, [0.3, 0.2, 1.0])
    first /= np.linalg.norm(first)
    second = np.cross(axis, first) / np.sqrt(length2)
    turn = np.arctan2(normal @ second, normal @ first)
    grain = _grain(_texture(seed + 777), 3 * turn * 0.15, 3 * share * np.sqrt(length2) + part.radius * 40)
    light = 0.75 + 0.3 * (normal @ LIGHT)
    colour = np.clip((grain * light)[..., None] * np.array(part.colour), 0, 255).astype(np.uint8)
    view.image[box][hit], view.owner[box][hit], view.distance[box][hit] = colour[hit], owner, t[hit]


def _halved(view: View, size: tuple[int, int]) -> View:
    """A view at half the size: colours averaged, the owner of most of the four, the distance of one that is his."""
    image = cv2.resize(view.image, size[::-1], interpolation=cv2.INTER_AREA)
    owners = np.stack([view.owner[a::2, b::2] for a in (0, 1) for b in (0, 1)])
    distances = np.stack([view.distance[a::2, b::2] for a in (0, 1) for b in (0, 1)])
    votes = (owners[:, None] == owners[None]).sum(1) - 1e-3 * np.minimum(distances, 99)
    best = votes.argmax(0)[None]
    owner, distance = (np.take_along_axis(part, best, 0)[0] for part in (owners, distances))
    return View(image, owner, distance)

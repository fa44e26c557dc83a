"""How a picture's pixels and the directions a lens sees belong together, and resampling one projection to another.

Directions are vectors float32 [..., 3] with x to the right, y down and z forward, of any length. Inside a picture a
place is (u, v), -1..1 from the left to the right edge and from the top to the bottom edge, so that a projection knows
nothing of sizes; pixel i of n has its centre at (2 i + 1) / n - 1. The right eye stands at +x from the left one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .choices import FISHEYE, FLAT, HALF_EQUIRECTANGULAR, PROJECTIONS

# A direction this far beyond the edge, in u or v, still belongs to the picture: float32 rounding.
EDGE = 1e-5
# Where a map points when a direction is not in the picture: cv2.remap repeats the edge there.
NOWHERE = 1e6
# A picture that is this many times finer than what is made of it is averaged first; else single pixels are picked.
SHRINK_FROM = 1.5


@dataclass(frozen=True)
class Projection:
    """A projection; a subclass provides both directions of it. Hashable, so that maps can be kept."""

    def directions(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Unit vectors float32 [..., 3] of the places (u, v), float [...]."""
        raise NotImplementedError

    def places(self, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(u, v) float32 [...] of directions, of any length; beyond -1..1, or nan, where the picture doesn't reach."""
        raise NotImplementedError

    def sees(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        """bool [...]: places that show something. A fisheye's corners don't."""
        return (np.abs(u) <= 1 + EDGE) & (np.abs(v) <= 1 + EDGE)

    @property
    def field(self) -> tuple[float, float]:
        """Field of view in rad, as seen from the baseline: across (angle off the y-z plane) and around the x axis."""
        return math.pi, math.pi


@dataclass(frozen=True)
class HalfEquirectangular(Projection):
    """VR180's usual form: u is the longitude over ±90 degrees, v the latitude over ±90 degrees."""

    def directions(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        lon, lat = _float(u) * (np.pi / 2), _float(v) * (np.pi / 2)
        flat = np.cos(lat)
        return np.stack([flat * np.sin(lon), np.sin(lat), flat * np.cos(lon)], axis=-1)

    def places(self, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y, z = np.moveaxis(_float(directions), -1, 0)
        return np.arctan2(x, z) * (2 / np.pi), np.arctan2(y, np.hypot(x, z)) * (2 / np.pi)


@dataclass(frozen=True)
class Fisheye(Projection):
    """Equidistant fisheye: the angle off the axis grows evenly with the distance from the middle.

    The image circle touches the picture's edges; squeezed pictures have an ellipse.

    Attributes:
        degrees: the whole field of view, from edge to edge of the circle.
    """

    degrees: float = 180.0

    def __post_init__(self) -> None:
        if not 0 < self.degrees < 360:
            raise ValueError(f"a fisheye sees more than 0 and less than 360 degrees, not {self.degrees:g}")

    def directions(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        u, v = _float(u), _float(v)
        radius = np.hypot(u, v)
        angle = radius * np.float32(math.radians(self.degrees) / 2)
        across = np.sin(angle) / np.maximum(radius, 1e-12)
        return np.stack([across * u, across * v, np.cos(angle)], axis=-1)

    def places(self, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y, z = np.moveaxis(_float(directions), -1, 0)
        across = np.hypot(x, y)
        radius = np.arctan2(across, z) / np.float32(math.radians(self.degrees) / 2)
        scale = radius / np.maximum(across, 1e-12)
        return scale * x, scale * y

    def sees(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.hypot(u, v) <= 1 + EDGE

    @property
    def field(self) -> tuple[float, float]:
        angle = math.radians(self.degrees)
        return min(angle, math.pi), angle


@dataclass(frozen=True)
class Flat(Projection):
    """A pinhole picture.

    Attributes:
        across, down: field of view in degrees, horizontally and vertically.
    """

    across: float
    down: float

    def __post_init__(self) -> None:
        for angle in (self.across, self.down):
            if not 0 < angle < 180:
                raise ValueError(f"a flat picture sees more than 0 and less than 180 degrees, not {angle:g}")

    @property
    def _slopes(self) -> tuple[float, float]:
        return math.tan(math.radians(self.across) / 2), math.tan(math.radians(self.down) / 2)

    def directions(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        sx, sy = self._slopes
        x, y = _float(u) * np.float32(sx), _float(v) * np.float32(sy)
        length = 1 / np.sqrt(x * x + y * y + 1)
        return np.stack([x * length, y * length, length], axis=-1)

    def places(self, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y, z = np.moveaxis(_float(directions), -1, 0)
        ahead = np.where(z > 0, z, np.float32(np.nan))
        sx, sy = self._slopes
        return x / (ahead * np.float32(sx)), y / (ahead * np.float32(sy))

    @property
    def field(self) -> tuple[float, float]:
        return math.radians(self.across), math.radians(self.down)


@dataclass(frozen=True)
class Cassini(Projection):
    """Equirectangular with its poles left and right: u is asin(x), v the angle atan2(y, z) around the x axis.

    The baseline between two parallel eyes lies along x, so every half-plane through both eyes is one row: what is in a
    row of one eye is in the same row of the other, exactly and everywhere, and only u differs.

    Attributes:
        across, around: what the picture covers of the two angles, rad, centred on straight ahead.
    """

    across: float = math.pi
    around: float = math.pi

    def directions(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        lon, lat = _float(v) * np.float32(self.around / 2), _float(u) * np.float32(self.across / 2)
        off = np.cos(lat)
        return np.stack([np.sin(lat), off * np.sin(lon), off * np.cos(lon)], axis=-1)

    def places(self, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y, z = np.moveaxis(_float(directions), -1, 0)
        u = np.arctan2(x, np.hypot(y, z)) * np.float32(2 / self.across)
        return u, np.arctan2(y, z) * np.float32(2 / self.around)

    @property
    def field(self) -> tuple[float, float]:
        return self.across, self.around


@dataclass(frozen=True)
class Turned(Projection):
    """Another projection whose axis points elsewhere: turned to the right by `yaw` degrees, then up by `pitch`, and
    clockwise about its own axis by `roll`."""

    projection: Projection
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    @property
    def _rotation(self) -> np.ndarray:
        yaw, pitch, roll = math.radians(self.yaw), math.radians(self.pitch), math.radians(self.roll)
        right = [[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]]
        up = [[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]]
        clockwise = [[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]]
        return (np.array(right) @ np.array(up) @ np.array(clockwise)).astype(np.float32)

    def directions(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return self.projection.directions(u, v) @ self._rotation.T

    def places(self, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.projection.places(_float(directions) @ self._rotation)

    def sees(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return self.projection.sees(u, v)


def open_projection(name: str, size: tuple[int, int], degrees: float = 180.0, pixel_aspect: float = 1.0) -> Projection:
    """The projection of an eye by its name.

    Args:
        name: one of PROJECTIONS.
        size: (H, W) px of the eye as it is stored.
        degrees: a fisheye's whole field of view, or a flat picture's horizontal one; without meaning for the third.
        pixel_aspect: width of a stored pixel in heights of it, see Layout; flat pictures need it.

    Raises:
        ValueError: another name, or an angle that the projection can't have.
    """
    if name == HALF_EQUIRECTANGULAR:
        return HalfEquirectangular()
    if name == FISHEYE:
        return Fisheye(degrees)
    if name != FLAT:
        raise ValueError(f"there is no projection {name!r}; there are: {', '.join(PROJECTIONS)}")
    if not 0 < degrees < 180:
        raise ValueError(f"a flat picture sees more than 0 and less than 180 degrees, not {degrees:g}")
    slope = math.tan(math.radians(degrees) / 2) * size[0] / (size[1] * pixel_aspect)
    return Flat(degrees, math.degrees(2 * math.atan(slope)))


def to_pixels(projection: Projection, directions: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where directions [..., 3] lie in a picture of size (H, W): float32 [..., 2] x, y px (0 is a pixel's centre),
    and bool [...]: whether the picture shows them. Those that it can't have at all are far outside."""
    u, v = projection.places(directions)
    seen = projection.sees(u, v)
    at = np.stack([(u + 1) * (size[1] / 2) - 0.5, (v + 1) * (size[0] / 2) - 0.5], axis=-1)
    return np.nan_to_num(at, nan=NOWHERE).astype(np.float32), seen


def from_pixels(projection: Projection, at: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Directions float32 [..., 3] of x, y px [..., 2] (0 is a pixel's centre) in a picture of size (H, W)."""
    at = _float(at)
    return projection.directions((2 * at[..., 0] + 1) / size[1] - 1, (2 * at[..., 1] + 1) / size[0] - 1)


@dataclass(frozen=True, eq=False)
class Resampling:
    """The way from one picture to another, made once for two projections and sizes (see `resampling`).

    Attributes:
        at: float32 [h, w, 2], x, y px in the source of every target pixel.
        seen: bool [h, w]: target pixels that the source shows; the others repeat the source's edge.
        source: (H, W) of pictures that `at` counts in.
    """

    at: np.ndarray
    seen: np.ndarray
    source: tuple[int, int]

    def image(self, image: np.ndarray) -> np.ndarray:
        """A picture [H, W, ...], of any size, in the target projection; finer ones are averaged, not picked from."""
        if image.shape[:2] != self.source:
            shrinks = image.shape[0] >= self.source[0]
            image = cv2.resize(image, self.source[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        return cv2.remap(image, self.at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # pyright: ignore

    def cover(self, mask: np.ndarray) -> np.ndarray:
        """float32 [h, w] 0..1: how far a mask, bool [H, W], or an alpha, float 0..1, covers each target pixel.

        0 where the source shows nothing.
        """
        image = mask.astype(np.uint8) * 255 if mask.dtype == bool else np.asarray(mask, np.float32) * 255
        return self.image(image).astype(np.float32) / 255 * self.seen


@lru_cache(maxsize=16)
def resampling(
    source: Projection, source_size: tuple[int, int], target: Projection, target_size: tuple[int, int]
) -> Resampling:
    """The way from a picture of `source`, (H, W) px, to one of `target`, (h, w) px. Kept per pair, 9 bytes a pixel.

    Where the source is much finer than the target, maps point into a smaller copy of it, which `image` makes.
    """
    directions = pixel_directions(target, target_size)
    finer = min(_density(source, source_size) / _density(target, target_size))
    if finer >= SHRINK_FROM:
        source_size = round(source_size[0] / finer), round(source_size[1] / finer)
    at, seen = to_pixels(source, directions, source_size)
    u = (2 * np.arange(target_size[1], dtype=np.float32) + 1) / target_size[1] - 1
    v = (2 * np.arange(target_size[0], dtype=np.float32) + 1) / target_size[0] - 1
    return Resampling(at, seen & target.sees(*np.meshgrid(u, v)), source_size)


def pixel_directions(projection: Projection, size: tuple[int, int]) -> np.ndarray:
    """Unit vectors float32 [H, W, 3] of every pixel's centre."""
    height, width = size
    u = (2 * np.arange(width, dtype=np.float32) + 1) / width - 1
    v = (2 * np.arange(height, dtype=np.float32) + 1) / height - 1
    return projection.directions(*np.meshgrid(u, v))


def _density(projection: Projection, size: tuple[int, int]) -> np.ndarray:
    """float32 [2]: px per rad down and across, in the middle of a picture."""
    step = 1e-3
    ends = projection.directions(np.array([[0, 0], [-step, step]]), np.array([[-step, step], [0, 0]]))
    return np.array(size) * step / np.linalg.norm(ends[:, 1] - ends[:, 0], axis=-1)


def _float(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float32)

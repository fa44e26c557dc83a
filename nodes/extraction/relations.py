"""How a person and an object touch in every frame: contact, place, angle, which is in front, airborne or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from ..host import progress
from ..media.track import Track
from .airtime import airborne
from .front import front_evidence
from .stabilise import accumulate

SCHEMA = 1
PERSON, OBJECT, UNCLEAR = "person", "object", "unclear"

# In person heights: 2 cm for a person, as CHOIS (Li et al. 2024); contact ends a little further off than it
# begins, so that a mask's edge that flickers by a pixel doesn't end it.
CONTACT_BEGINS, CONTACT_ENDS = 0.010, 0.025
CONTACT_BEGINS_PX, CONTACT_ENDS_PX = 1.5, 3.0
LET_GO = 0.5  # an object in the air near its rider; one further off is ridden by nobody, or tracked wrongly
ELONGATED = 1.5  # ratio of the axes from which an angle means anything
FRONT = 0.12  # evidence from which one of the two is said to be in front
STEADY_S = 0.5  # half-width of the window in which the person's height is steadied, s
PARTLY_HIDDEN = 0.5  # share of its usual area below which an object's lowest point isn't trusted


@dataclass(slots=True)
class Relations:
    """Person and object over T frames; every list has T entries, None where it can't be told.

    Attributes:
        person, object: labels in the track.
        contact: they touch, with hysteresis.
        distance_px: smallest distance of the two masks, px; 1 = neighbouring pixels.
        distance: the same in person heights.
        height_px: the person's height (box of the mask, median over a second), px: the unit of the others.
        offset: (x right, y down) from the person's centroid to the object's, in person heights.
        angle: of the object's long axis in degrees, -90..90, from x towards y (clockwise on the screen); None
        unless
            the object is at least 1.5 times as long as wide.
        front: "person", "object" or "unclear" where they meet, None where they don't.
        airborne: the object is off the ground; a diagnostic, see airtime.airborne for what it can't know.
        rise: the object's height above its assumed ground, in person heights.
        camera_removed: the camera's motion was known and removed (airborne, rise).
    """

    person: str
    object: str
    contact: list[bool | None]
    distance_px: list[float | None]
    distance: list[float | None]
    height_px: list[float | None]
    offset: list[tuple[float, float] | None]
    angle: list[float | None]
    front: list[str | None]
    airborne: list[bool | None]
    rise: list[float | None]
    camera_removed: bool = False
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.contact)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers, strings and None for JSON; `from_dict` reads it back."""
        data: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        data["offset"] = [None if place is None else list(place) for place in self.offset]
        return {"schema": SCHEMA, **data}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Relations:
        """Raises ValueError for another schema or a missing entry."""
        if data.get("schema") != SCHEMA:
            raise ValueError(f"relations have schema {data.get('schema')!r}; this version reads {SCHEMA}")
        missing = [name for name in cls.__slots__ if name not in data]
        if missing:
            raise ValueError(f"relations lack {', '.join(missing)}")
        values = {name: data[name] for name in cls.__slots__}
        values["offset"] = [None if place is None else (place[0], place[1]) for place in data["offset"]]
        return cls(**values)


@dataclass(slots=True)
class _Sight:
    """What one frame's masks say; nan and None where something isn't there."""

    height: float = np.nan
    distance: float = np.nan
    person: tuple[float, float] = (np.nan, np.nan)
    thing: tuple[float, float] = (np.nan, np.nan)
    bottom: tuple[float, float] = (np.nan, np.nan)
    area: float = 0.0
    angle: float = np.nan
    front: float | None = None


def relate(track: Track, person: str, object: str, camera: np.ndarray | None = None) -> Relations:
    """Per-frame relations of two objects of a track, from their masks alone.

    Reads one frame's masks at a time and keeps a few numbers of each, so memory doesn't grow with the masks.

    Args:
        track: holds both labels.
        camera: float64 [T, 2, 3] from `stabilise.camera_motion`; None: the camera stands still.

    Raises:
        KeyError: no such label. ValueError: the camera has another number of frames than the track.
    """
    if camera is not None and len(camera) != len(track):
        raise ValueError(f"the camera motion has {len(camera)} frames, the track {len(track)}")
    which = [track.index(person), track.index(object)]
    frames = progress(range(len(track)), total=len(track), label="relations")
    sights = [_look(*track.masks(t)[which]) for t in frames]
    times = np.array([float(track.time(t)) for t in range(len(track))])
    heights = _steadied(np.array([sight.height for sight in sights]), times)
    distances = np.array([sight.distance for sight in sights])
    offsets = np.array([np.subtract(sight.thing, sight.person) for sight in sights]).reshape(-1, 2)
    offsets = offsets / heights[:, None]
    moves = np.broadcast_to(np.eye(2, 3), (len(track), 2, 3)) if camera is None else camera
    contact = contacts(distances, heights)
    apart = np.array([touching is False for touching in contact], bool) & (distances < LET_GO * heights)
    in_air, rise = _airborne(sights, apart, heights, moves, times, track.clip_size)
    return Relations(
        person,
        object,
        contact,
        _listed(distances, 2),
        _listed(distances / heights, 4),
        _listed(heights, 2),
        [(round(float(x), 4), round(float(y), 4)) if np.isfinite(x + y) else None for x, y in offsets],
        _listed(np.array([sight.angle for sight in sights]), 2),
        _fronts([sight.front for sight in sights]),
        in_air,
        _listed(rise, 4),
        camera is not None,
    )


def _listed(values: np.ndarray, digits: int) -> list[float | None]:
    return [round(float(value), digits) if np.isfinite(value) else None for value in values]


def _look(person: np.ndarray, thing: np.ndarray) -> _Sight:
    sight = _Sight()
    boxes = [cv2.boundingRect(mask.view(np.uint8)) for mask in (person, thing)]
    (px, py, pw, ph), (tx, ty, tw, th) = boxes
    if pw:
        sight.height = float(ph)
        sight.person, _ = _moments(person[py : py + ph, px : px + pw], (px, py))
    if tw:
        crop = thing[ty : ty + th, tx : tx + tw]
        sight.thing, sight.angle = _moments(crop, (tx, ty))
        sight.bottom, sight.area = _lowest(crop, (tx, ty))
    if pw and tw:
        x1, y1 = min(px, tx), min(py, ty)
        x2, y2 = max(px + pw, tx + tw), max(py + ph, ty + th)
        both = person[y1:y2, x1:x2], thing[y1:y2, x1:x2]
        sight.distance = _distance(both[0], boxes[1], (x1, y1), both[1])
        if sight.distance < 2:
            sight.front = front_evidence(both[0], both[1], float(ph))
    return sight


def _distance(person: np.ndarray, box: Sequence[int], corner: tuple[int, int], thing: np.ndarray) -> float:
    """Smallest distance in px between two masks of one crop, 0 when they overlap, 1 for neighbouring pixels.

    box: x, y, width, height of the thing in the frame; corner: x, y of the crop there.
    """
    x, y, width, height = box[0] - corner[0], box[1] - corner[1], box[2], box[3]
    near = slice(max(y - 1, 0), y + height + 1), slice(max(x - 1, 0), x + width + 1)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    around = cv2.dilate(np.ascontiguousarray(thing[near]).view(np.uint8), cross).view(bool)
    if (around & person[near]).any():
        return 0.0 if (thing[near] & person[near]).any() else 1.0
    away = cv2.distanceTransform((~person).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    part = slice(y, y + height), slice(x, x + width)
    return float(away[part][thing[part]].min())


def _moments(mask: np.ndarray, corner: tuple[int, int]) -> tuple[tuple[float, float], float]:
    """Centroid x, y in px (pixel 0 spans 0..1), and the long axis's angle in degrees, nan unless elongated."""
    m = cv2.moments(mask.view(np.uint8), binaryImage=True)
    area = m["m00"]
    centre = corner[0] + m["m10"] / area + 0.5, corner[1] + m["m01"] / area + 0.5
    xx, yy, xy = m["mu20"] / area + 1 / 12, m["mu02"] / area + 1 / 12, m["mu11"] / area
    spread = float(np.hypot(xx - yy, 2 * xy))
    long, short = (xx + yy + spread) / 2, (xx + yy - spread) / 2
    if long < ELONGATED**2 * short:
        return centre, float("nan")
    return centre, float(np.degrees(0.5 * np.arctan2(2 * xy, xx - yy)))


def _lowest(mask: np.ndarray, corner: tuple[int, int]) -> tuple[tuple[float, float], float]:
    """x, y in px of the lowest 3 % of a mask (their mean), which a stray pixel doesn't move; and the area, px."""
    rows = mask.sum(axis=1)
    area = int(rows.sum())
    from_below = np.cumsum(rows[::-1])
    top = len(rows) - 1 - int(np.searchsorted(from_below, max(0.03 * area, 1)))
    ys, xs = np.nonzero(mask[top:])
    return (corner[0] + float(xs.mean()) + 0.5, corner[1] + top + float(ys.mean()) + 0.5), float(area)


def _steadied(heights: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Running median over 2 * STEADY_S, without the frames in which the person isn't seen."""
    steady = np.full(len(heights), np.nan)
    first = np.searchsorted(times, times - STEADY_S)
    last = np.searchsorted(times, times + STEADY_S, side="right")
    for t, (a, b) in enumerate(zip(first, last, strict=True)):
        near = heights[a:b][np.isfinite(heights[a:b])]
        if near.size:
            steady[t] = np.median(near)
    return steady


def contacts(distances: np.ndarray, heights: np.ndarray) -> list[bool | None]:
    """Contact with hysteresis from distances and person heights, float64 [T] px; None where a distance is nan."""
    states: list[bool | None] = []
    touching = False
    for t, (distance, height) in enumerate(zip(_median3(distances), heights, strict=True)):
        if not np.isfinite(distances[t]):
            states.append(None)
            continue
        limit = (
            max(CONTACT_ENDS * height, CONTACT_ENDS_PX) if touching else max(CONTACT_BEGINS * height, CONTACT_BEGINS_PX)
        )
        touching = bool(distance <= limit)
        states.append(touching)
    return states


def _median3(values: np.ndarray) -> np.ndarray:
    """Median of each value and its neighbours, leaving out what isn't finite."""
    out = values.copy()
    for t in range(len(values)):
        near = values[max(t - 1, 0) : t + 2]
        near = near[np.isfinite(near)]
        if near.size == 3:
            out[t] = np.median(near)
    return out


def _fronts(evidence: Sequence[float | None]) -> list[str | None]:
    """The evidence averaged over 5 frames that have some, then three states."""
    fronts: list[str | None] = []
    for t, value in enumerate(evidence):
        if value is None:
            fronts.append(None)
            continue
        near = [other for other in evidence[max(t - 2, 0) : t + 3] if other is not None]
        mean = float(np.mean(near))
        fronts.append(PERSON if mean > FRONT else OBJECT if mean < -FRONT else UNCLEAR)
    return fronts


def _airborne(
    sights: Sequence[_Sight],
    apart: np.ndarray,
    heights: np.ndarray,
    camera: np.ndarray,
    times: np.ndarray,
    size: tuple[int, int],
) -> tuple[list[bool | None], np.ndarray]:
    to_first, stretch = accumulate(np.asarray(camera, np.float64))
    areas = np.array([sight.area for sight in sights])
    usual = _steadied(np.where(areas > 0, areas, np.nan), times)
    bottom, centre = np.full(len(sights), np.nan), np.full(len(sights), np.nan)
    for t, sight in enumerate(sights):
        cut = sight.bottom[1] >= size[0] - 1
        if sight.area > 0 and sight.area >= PARTLY_HIDDEN * usual[t] and not cut:
            bottom[t] = (to_first[t] @ [*sight.bottom, 1.0])[1]
            centre[t] = (to_first[t] @ [*sight.thing, 1.0])[1]
    zoom = np.sqrt(np.abs(np.linalg.det(to_first[:, :, :2]))) if len(sights) else np.zeros(0)
    return airborne(bottom, centre, apart, heights * zoom, stretch, times)

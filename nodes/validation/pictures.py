"""What the pictures themselves say, beside the tracks: is the source's object there, moved, turned, or late.

A restyle changes colours and textures and keeps edges. So where the source's object is known (by its own mask), its
edges can be looked for in the generated frame, to a fraction of a pixel and without a tracker; and in which source
frame's shape it is there tells the time. Where edges weren't kept this finds nothing, and the tracks decide alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..host import progress
from ..media.clip import Clip, Frame
from ..media.track import Track
from .flicker import Flicker
from .motion import MOST_LAG
from .structure import Fit, edge_field, likeness, locate
from .traces import Travel, Traveller, spilled
from .variants import recoloured, softened

# Longer side of an object's window, px; how far it is looked for on every side of its place, px of that window.
SIDE, REACH = 192, 16
# The outline itself is part of what is looked for, px.
RIM = 2
# Width of the picture in which times are compared, px.
TIME_WIDTH = 320
# A harmless copy, whose answer is known, is asked on every so manyth frame.
CONTROL_EVERY = 4
# An object with fewer px than this in its window is not looked for.
SMALLEST = 60
# Edges that agree by less are looked for turned as well, by these degrees; and from these on a fit is made twice.
UNLIKE, TURNS, ONCE_MORE = 0.45, (-20.0, 20.0, -11.0, 11.0), 2.0
# Edges that agree so much are the object's, and it need not be sought elsewhere.
CERTAIN = 0.8
# An object that the tracker has further off than this is looked for there too, px.
FAR = 6.0
# The name under which the background's times are kept.
BACKGROUND = ""

_FIELDS = ("like", "near", "second", "x", "y", "scale", "angle")


@dataclass(frozen=True)
class Sight:
    """One object over T frames as the pictures show it; float64 [T] each, nan where it can't be told.

    Attributes:
        like: how much its edges are those of the source where they fit best, -1..1; near: at the source's place.
        second: where they fit next best.
        x, y: displacement of its centre, px of the picture; scale: percent; angle: degrees clockwise.
    """

    like: np.ndarray
    near: np.ndarray
    second: np.ndarray
    x: np.ndarray
    y: np.ndarray
    scale: np.ndarray
    angle: np.ndarray


@dataclass(frozen=True)
class Pictures:
    """Two clips compared by their edges.

    Attributes:
        sights, controls: by label, of the generated clip and of a harmless copy of the source (whose truth is 0;
            measured on every CONTROL_EVERYth frame).
        times, control_times: by label and BACKGROUND, float64 [2 * MOST_LAG + 1, T]: likeness of generated frame t to
            source frame t - lag inside the object there, lag -MOST_LAG ... MOST_LAG; nan outside the clip.
        displaced: by label, float64 [T]: the same at lag 0 and the best displacement.
        flicker: by label, of the source's mask and of the generated clip's, float64 [T] each; see flicker.py.
        spilled: by label, float64 [T], how alike the pictures are where the found mask lies beyond all of the source's.
        travel: by label, what goes the object's way; see traces.py for both.
    """

    sights: dict[str, Sight]
    controls: dict[str, Sight]
    times: dict[str, np.ndarray]
    control_times: dict[str, np.ndarray]
    displaced: dict[str, np.ndarray]
    flicker: dict[str, tuple[np.ndarray, np.ndarray]]
    spilled: dict[str, np.ndarray]
    travel: dict[str, Travel]


def compare_pictures(source: Clip, generated: Clip, track: Track, found: Track, labels: Sequence[str]) -> Pictures:
    """Look for the source's objects in every frame of a generated clip. Holds 2 * MOST_LAG + 1 frames at a time.

    Args:
        source: the source's footage in the generated clip's picture and timeline (PlacedClip).
        track: the source's track there.
        found: the generated clip's: where an object isn't at its place, it is looked for where this one has it.
        labels: objects of both tracks.
    """
    strays = _displacements(track, found, labels)
    total = min(len(track), generated.count(), source.count())
    rows = 2 * MOST_LAG + 1
    times, control_times = ({name: np.full((rows, total), np.nan) for name in (*labels, BACKGROUND)} for _ in range(2))
    displaced = {name: np.full(total, np.nan) for name in labels}
    fits, controls = ({name: np.full((total, 7), np.nan) for name in labels} for _ in range(2))
    columns = [track.index(label) for label in labels]
    flickers, flickering = (Flicker(), Flicker()), np.full((2, len(labels), total), np.nan)
    spills, travellers = {name: np.full(total, np.nan) for name in labels}, [Traveller(total) for _ in labels]
    ahead = _Ahead(iter(source), track, columns, labels, total)
    for frame in progress(_first(generated, total), total, "comparing pictures"):
        t = frame.index
        own = ahead.image(t)
        asked = {"generated": (frame.image, fits, times)}
        if t % CONTROL_EVERY == 0:
            asked["control"] = (recoloured(softened(own, t)), controls, control_times)
        masks = ahead.masks(t)
        others = [np.asarray(np.delete(masks, n, axis=0).any(axis=0)) for n in range(len(labels))]
        theirs = None
        if t < len(found):
            theirs = found.masks(t)[[found.index(label) for label in labels]]
            for n, (image, shown) in enumerate(((own, masks), (frame.image, theirs))):
                small = _small(image)
                flickering[n, :, t] = flickers[n].step(small, _small_masks(shown, small.shape[:2]))
        for which, (image, into, likes) in asked.items():
            for n, label in enumerate(labels):
                stray = strays[label][t] if which == "generated" and t < len(strays[label]) else (0.0, 0.0)
                fit = _find_either(own, image, masks[n], others[n], stray)
                if fit is not None:
                    into[label][t] = [getattr(fit, name) for name in _FIELDS]
            small = edge_field(_small(image))
            field = small.reshape(-1, 2)
            for row, lag in enumerate(range(-MOST_LAG, MOST_LAG + 1)):
                for name, (inside, values) in ahead.edges(t - lag).items():
                    likes[name][row, t] = likeness(field[inside], values)
            if which == "generated":
                size = small.shape[:2]
                objects = np.asarray(_small_masks(track.masks(t), size).any(axis=0))
                for n, label in enumerate(labels):
                    displaced[label][t] = ahead.best_displaced(t, label, small)
                    inside = _small_masks(masks[n : n + 1], size)[0]
                    travellers[n].step(t, [flicker.back for flicker in flickers], inside, objects)
                    if theirs is not None:
                        shown = _small_masks(theirs[n : n + 1], size)[0]
                        spills[label][t] = spilled(ahead.field(t), small, objects, shown)
    return Pictures(
        {label: Sight(*values.T) for label, values in fits.items()},
        {label: Sight(*values.T) for label, values in controls.items()},
        times,
        control_times,
        displaced,
        {label: (flickering[0, n], flickering[1, n]) for n, label in enumerate(labels)},
        spills,
        {label: of.travel for label, of in zip(labels, travellers, strict=True)},
    )


def _displacements(track: Track, found: Track, labels: Sequence[str]) -> dict[str, np.ndarray]:
    """float64 [T, 2] px by label: how far the found object's centre is from the source's; 0 where one is missing."""
    total = min(len(track), len(found))
    moves = {}
    for label in labels:
        own, other = (of.centroids()[:total, of.index(label)] for of in (track, found))
        moves[label] = np.nan_to_num(other - own)
    return moves


def _find_either(
    source: np.ndarray, generated: np.ndarray, mask: np.ndarray, others: np.ndarray, stray: Sequence[float]
) -> Fit | None:
    """The object at its place, or, where it isn't there, at the place that the tracker found."""
    fit = find_object(source, generated, mask, others)
    if fit is None or (fit.like >= CERTAIN and np.isfinite(fit.x)) or max(abs(stray[0]), abs(stray[1])) < FAR:
        return fit
    there = find_object(source, generated, mask, others, (round(stray[0]), round(stray[1])))
    better = there is not None and np.isfinite(there.x) and (there.like > fit.like or not np.isfinite(fit.x))
    return there if better else fit


def find_object(
    source: np.ndarray,
    generated: np.ndarray,
    mask: np.ndarray,
    others: np.ndarray | None = None,
    at: tuple[int, int] = (0, 0),
) -> Fit | None:
    """Where the source's object lies in the generated frame, px of the frames; None: too small, or without edges.

    Args:
        source, generated: uint8 [H, W, 3].
        mask: bool [H, W], the object; others: where it meets one of these, the edge isn't its own and isn't looked for.
        at: (x, y) px, the displacement around which it is sought.
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    if not width:
        return None
    scale = min(1.0, SIDE / max(width, height))
    margin = int(np.ceil((REACH + RIM) / scale)) + 1
    window = (left - margin, top - margin, left + width + margin, top + height + margin)
    moved = (window[0] + at[0], window[1] + at[1], window[2] + at[0], window[3] + at[1])
    if moved[2] <= 0 or moved[3] <= 0 or moved[0] >= source.shape[1] or moved[1] >= source.shape[0]:
        return None
    pictures = [_window(image, part, scale) for image, part in ((source, window), (generated, moved))]
    inside = _window(mask.view(np.uint8) * 255, window, scale) > 127
    inside = cv2.dilate(inside.view(np.uint8), np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8)).view(bool)
    if others is not None and others.any():
        near = _window(others.view(np.uint8) * 255, window, scale) > 127
        inside &= ~cv2.dilate(near.view(np.uint8), np.ones((2 * RIM + 3, 2 * RIM + 3), np.uint8)).view(bool)
    core = (slice(REACH, inside.shape[0] - REACH), slice(REACH, inside.shape[1] - REACH))
    inside = inside[core]
    if np.count_nonzero(inside) < SMALLEST:
        return None
    own = edge_field(pictures[0])[core]
    fit = locate(own, edge_field(pictures[1]), inside, REACH)
    if fit is None:
        return None
    rows, columns = np.nonzero(inside)
    centre = columns.mean() + REACH, rows.mean() + REACH
    near = fit.near  # as things lie, before anything is turned
    if fit.like < UNLIKE:
        turned = [_again(own, pictures[1], inside, centre, (0, 0, 0, turn)) for turn in TURNS]
        best = max(turned, key=lambda other: other.like)
        fit = best if best.like > fit.like + 0.05 else fit
    guess = (fit.x, fit.y, fit.scale, fit.angle)
    if np.isfinite(guess).all() and max(abs(fit.scale), abs(fit.angle)) > ONCE_MORE and fit.like < 0.9:
        better = _again(own, pictures[1], inside, centre, guess)
        if better.like > fit.like:
            fit = better
    x, y = fit.x / scale + at[0], fit.y / scale + at[1]
    return Fit(fit.like, near, fit.second, x, y, fit.scale, fit.angle)


def _again(
    own: np.ndarray,
    picture: np.ndarray,
    inside: np.ndarray,
    centre: tuple[float, float],
    guess: tuple[float, float, float, float],
) -> Fit:
    """Fit once more to the generated window with a guessed similarity (x, y, percent, degrees) taken out."""
    x, y, percent, degrees = guess
    turn = cv2.getRotationMatrix2D(centre, -degrees, 1 + percent / 100)
    turn[:, 2] += (x, y)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    straight = cv2.warpAffine(picture, turn, picture.shape[1::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    fit = locate(own, edge_field(straight), inside, REACH)
    if fit is None:
        return Fit(-1, -1, -1, x, y, percent, degrees)
    rest = turn[:, :2] @ (fit.x, fit.y)
    return Fit(
        fit.like,
        fit.near,
        fit.second,
        x + float(rest[0]),
        y + float(rest[1]),
        100 * ((1 + percent / 100) * (1 + fit.scale / 100) - 1),
        degrees + fit.angle,
    )


def _window(image: np.ndarray, window: tuple[int, int, int, int], scale: float) -> np.ndarray:
    """The part x1, y1, x2, y2 of a picture, its edge repeated outside, and scaled."""
    x1, y1, x2, y2 = window
    height, width = image.shape[:2]
    part = image[max(0, y1) : min(height, y2), max(0, x1) : min(width, x2)]
    beyond = max(0, -y1), max(0, y2 - height), max(0, -x1), max(0, x2 - width)
    if any(beyond):
        border = cv2.BORDER_REPLICATE if image.ndim == 3 else cv2.BORDER_CONSTANT
        part = cv2.copyMakeBorder(part, *beyond, border)
    if scale < 1:
        part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return part


def _small(image: np.ndarray) -> np.ndarray:
    width = min(TIME_WIDTH, image.shape[1])
    height = max(2, round(image.shape[0] * width / image.shape[1]))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _small_masks(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """bool [N, h, w] from bool [N, H, W]; thin parts stay."""
    shrunk = [cv2.resize(mask.view(np.uint8) * 255, size[::-1], interpolation=cv2.INTER_AREA) > 90 for mask in masks]
    return np.stack(shrunk) if shrunk else np.zeros((0, *size), bool)


def _first(clip: Clip, total: int) -> Iterator[Frame]:
    for frame in clip:
        if frame.index >= total:
            return
        yield frame


class _Ahead:
    """The source's frames around the one that is looked at: MOST_LAG before it and after it."""

    def __init__(
        self, frames: Iterator[Frame], track: Track, columns: Sequence[int], labels: Sequence[str], total: int
    ):
        self._frames, self._track, self._columns, self._labels = frames, track, columns, labels
        self._total, self._next = total, 0
        self._images: dict[int, np.ndarray] = {}
        self._edges: dict[int, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
        self._small: dict[int, tuple[np.ndarray, list[np.ndarray]]] = {}

    def _until(self, t: int) -> None:
        while self._next <= min(t, self._total - 1):
            frame = next(self._frames)
            number = self._next
            small = edge_field(_small(frame.image))
            masks = _small_masks(self.masks(number), small.shape[:2])
            grown = [cv2.dilate(mask.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool) for mask in masks]
            self._images[number], self._small[number] = frame.image, (small, grown)
            self._edges[number] = self._flat(small, grown)
            self._next += 1
            for kept in (self._edges, self._images, self._small):
                kept.pop(number - 2 * MOST_LAG - 1, None)

    def _flat(self, field: np.ndarray, masks: Sequence[np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        flat = field.reshape(-1, 2)
        found = {}
        for label, mask in zip(self._labels, masks, strict=True):
            inside = np.flatnonzero(mask)
            if len(inside) >= SMALLEST // 2:
                found[label] = (inside, flat[inside])
        free = ~np.any(masks, axis=0)
        free[1::2] = False  # half of the background says the same
        inside = np.flatnonzero(free)
        if len(inside) >= SMALLEST:
            found[BACKGROUND] = (inside, flat[inside])
        return found

    def image(self, t: int) -> np.ndarray:
        self._until(t + MOST_LAG)
        return self._images[t]

    def field(self, t: int) -> np.ndarray:
        """float32 [h, w, 2]: the edges of the small picture."""
        return self._small[t][0]

    def masks(self, t: int) -> np.ndarray:
        """bool [labels, H, W] of the source's frame t."""
        return self._track.masks(t)[list(self._columns)]

    def edges(self, t: int) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        """By label, which px of the small picture lie in the object and their vectors; empty outside the clip."""
        return self._edges.get(t, {})

    def best_displaced(self, t: int, label: str, field: np.ndarray) -> float:
        """Likeness to the source's object of frame t at its best displacement, in the small picture."""
        small, masks = self._small[t]
        mask = masks[list(self._labels).index(label)]
        left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
        if np.count_nonzero(mask) < SMALLEST // 2:
            return float("nan")
        reach = REACH // 2
        padded = cv2.copyMakeBorder(field, reach, reach, reach, reach, cv2.BORDER_CONSTANT)
        part = slice(top, top + height), slice(left, left + width)
        around = padded[top : top + height + 2 * reach, left : left + width + 2 * reach]
        power = np.einsum("ijk,ijk->ij", around, around)
        weight = mask[part].astype(np.float32)
        template = small[part] * weight[..., None]
        own = float(np.vdot(template, template))
        if own < 1e-3:
            return float("nan")
        scores = cv2.matchTemplate(around, template, cv2.TM_CCORR)
        there = cv2.matchTemplate(power, weight, cv2.TM_CCORR)
        return float((scores / np.sqrt(np.maximum(there, 0.2 * own) * own)).max())

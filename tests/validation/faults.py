"""Known faults and harmless changes, planted in a track whose truth is known: what a validator must and must not find.

A change is a list of steps, one for each generated frame: which source frame the picture shows, and for the objects
that were touched, which source frame each is cut from and how it is moved. The same steps make the masks that a
perfect tracker would find (`planted_track`) and the pictures (planting.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from physics_preserver.nodes.media.track import Track, TrackBuilder

PERSON = "person"


@dataclass(frozen=True)
class Put:
    """One object of one generated frame.

    Attributes:
        frame: the source frame it is cut from; not whole where time is stretched.
        matrix: float64 [2, 3], px of that frame to px of the generated one.
        swapped: another thing of the same area is there instead, see `other_shape`.
    """

    frame: float
    matrix: np.ndarray
    swapped: bool = False


@dataclass(frozen=True)
class Step:
    """One generated frame: the source frame that it shows, but for the objects in `puts` (None: it is not there)."""

    frame: float
    puts: dict[str, Put | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """A planted change and its truth.

    Attributes:
        kind, size: for people, "shifted", "4 px".
        names: causes (of the report's) that call it by its name; none for a harmless change.
        label: the object that it befalls; None for the clip as a whole.
        start, stop: generated frames [start, stop) that are wrong.
        steps: one for each generated frame.
        gross: so large that missing it would be a scandal.
    """

    kind: str
    size: str
    names: tuple[str, ...]
    label: str | None
    start: int
    stop: int
    steps: tuple[Step, ...]
    gross: bool = False

    @property
    def name(self) -> str:
        return f"{self.kind} {self.size}".strip()


def faithful(source: Track) -> Fault:
    """Nothing is wrong."""
    return Fault("faithful", "", (), None, 0, 0, tuple(Step(t) for t in range(len(source))))


def moved(source: Track, label: str, px: float, degrees: float, span: tuple[int, int] | None = None) -> Fault:
    """An object `px` off its place, in direction `degrees` (0 right, 90 down), over a span or from the start on."""
    by = px * np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])
    matrix = np.column_stack([np.eye(2), by])
    where = "" if span else " throughout"
    start, stop = span or (0, len(source))
    return _with_object(source, "shifted", f"{px:g} px{where}", ("shifted",), label, start, stop, lambda t: matrix)


def late(source: Track, frames: int) -> Fault:
    """Everything `frames` late (early where negative); the first (last) frame stands still meanwhile."""
    total = len(source)
    steps = tuple(Step(int(np.clip(t - frames, 0, total - 1))) for t in range(total))
    kind = "late" if frames > 0 else "early"
    return Fault(kind, f"{abs(frames)} frames", (kind,), None, 0, total, steps, gross=abs(frames) >= 4)


def object_late(source: Track, label: str, frames: int) -> Fault:
    """One object `frames` late, at the place in the picture where it was then."""
    total, still = len(source), np.eye(2, 3)
    steps = tuple(Step(t, {label: Put(max(t - frames, 0), still)}) for t in range(total))
    return Fault("object late", f"{frames} frames", ("late",), label, 0, total, steps, gross=frames >= 4)


def parted(source: Track, label: str, px: float, degrees: float, span: tuple[int, int]) -> Fault:
    """Contact removed: the object leaves the person by `px`, in two frames out and back."""
    way = np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])
    start, stop = span

    def matrix(t: int) -> np.ndarray:
        part = min(t - start + 1, stop - t, 2) / 2
        return np.column_stack([np.eye(2), way * px * part])

    return _with_object(source, "contact removed", "", ("contact lost",), label, start, stop, matrix, gross=True)


def longer_flight(source: Track, flight: tuple[int, int], share: float = 0.2) -> Fault:
    """Airtime longer by `share`: the flight [take-off, landing) is slowed, all after it comes that much later."""
    start, stop = flight
    extra, total = (stop - start) * share, len(source)
    steps = tuple(
        Step(t if t < start else min(start + (t - start) / (1 + share), stop) if t < stop + extra else t - extra)
        for t in range(total)
    )
    end = min(total, round(stop + extra))
    return Fault("airtime", f"+{share:.0%}", ("airtime",), None, start, end, steps, gross=extra >= 3)


def turned(source: Track, label: str, degrees: float, span: tuple[int, int]) -> Fault:
    """An object turned clockwise about its centroid."""
    centroids = source.centroids()[:, source.index(label)]

    def matrix(t: int) -> np.ndarray:
        return _about(centroids[t], np.deg2rad(degrees), 1.0)

    size = f"{degrees:g} degrees"
    return _with_object(source, "rotated", size, ("rotated",), label, *span, matrix, gross=degrees >= 20)


def scaled(source: Track, label: str, percent: float, foot: bool = True) -> Fault:
    """An object larger by `percent` from the start on, about the middle of its lower edge or its centroid."""
    boxes, centroids = (of[:, source.index(label)] for of in (source.boxes(), source.centroids()))

    def matrix(t: int) -> np.ndarray:
        x1, _, x2, y2 = boxes[t]
        return _about(np.array([(x1 + x2) / 2, y2]) if foot else centroids[t], 0.0, 1 + percent / 100)

    return _with_object(source, "scaled", f"{percent:g} %", ("scaled",), label, 0, len(source), matrix)


def swapped(source: Track, label: str, span: tuple[int, int]) -> Fault:
    """Another thing of the same area at the same place."""
    still = np.eye(2, 3)
    fault = _with_object(source, "swapped", "", ("swapped",), label, *span, lambda t: still, gross=True)
    puts = [{name: put and replace(put, swapped=True) for name, put in step.puts.items()} for step in fault.steps]
    return replace(fault, steps=tuple(replace(step, puts=each) for step, each in zip(fault.steps, puts, strict=True)))


def missing(source: Track, label: str, start: int, frames: int) -> Fault:
    """An object that isn't there for `frames` frames."""
    size = f"{frames} frames"
    stop = start + frames
    return _with_object(source, "missing", size, ("lost",), label, start, stop, lambda t: None, gross=frames >= 10)


def resized(source: Track, frames: int) -> Fault:
    """The clip longer by `frames` (its last frame again) or shorter."""
    last = len(source) - 1
    steps = tuple(Step(min(t, last)) for t in range(last + 1 + frames))
    start, stop = min(len(source), len(steps)), max(len(source), len(steps))
    return Fault("length", f"{frames:+d}", ("length",), None, start, stop, steps, gross=True)


def all_faults(source: Track, label: str, seed: int = 0, flight: tuple[int, int] | None = None) -> list[Fault]:
    """The faults that people asked for, each at the size in which a validator's answer is wanted.

    Args:
        source: true masks. Spans lie where they show the object, away from the frame that a tracker is shown.
        seed: of the direction in which things are moved.
        flight: frames [take-off, landing) of the longest flight, where there is one.
    """
    total = len(source)
    span = seen_span(source, label, total // 4, 3 * total // 4)
    middle = sum(span) // 2
    angle = 90.0 * (seed % 4)
    found = [moved(source, label, px, angle, span) for px in (2, 4, 8)]
    found += [replace(moved(source, label, 8, angle), gross=True)]
    found[2] = replace(found[2], gross=True)
    found += [late(source, frames) for frames in (1, 2, 4)]
    found += [object_late(source, label, frames) for frames in (1, 2, 4)]
    if PERSON in source.labels and label != PERSON:
        away = touching_span(source, label, *span)
        if away:
            found.append(parted(source, label, *way_out(source, label, away), away))
        found.append(scaled(source, PERSON, 5))
    if flight:
        found.append(longer_flight(source, flight))
    if is_long(source, label):
        found += [turned(source, label, degrees, span) for degrees in (5, 10, 20)]
    found.append(swapped(source, label, span))
    found += [missing(source, label, max(span[0], middle - frames // 2), frames) for frames in (3, 10)]
    return [*found, resized(source, 1), resized(source, -1)]


def is_long(source: Track, label: str) -> bool:
    """At least twice as long as wide on most frames, so that turning it can be seen."""
    ratios = []
    for t in range(0, len(source), 5):
        mask = source.mask(t, label)
        if mask.any():
            sides = np.linalg.eigvalsh(np.cov(np.argwhere(mask).T) + np.eye(2) / 12)
            ratios.append(np.sqrt(sides[1] / sides[0]))
    return bool(ratios) and float(np.median(ratios)) >= 2


def seen_span(source: Track, label: str, start: int, stop: int) -> tuple[int, int]:
    """The longest run inside [start, stop) with the object wholly in view: at least .6 of its median area."""
    areas = source.areas()[:, source.index(label)]
    seen = areas >= 0.6 * np.median(areas[areas > 0])
    return _longest(seen[start:stop], start)


def touching_span(source: Track, label: str, start: int, stop: int) -> tuple[int, int] | None:
    """The middle of the longest run inside [start, stop) in which object and person touch; None below 6 frames."""
    touching = [_touch(source.mask(t, PERSON), source.mask(t, label)) for t in range(start, stop)]
    a, b = _longest(np.array(touching), start)
    if b - a < 6:
        return None
    margin = (b - a) // 6
    return a + margin, b - margin


def way_out(source: Track, label: str, span: tuple[int, int]) -> tuple[float, float]:
    """How far (px) and in which direction (degrees) an object must go to leave the person clear over a span.

    The shortest of four ways that parts the boxes' masks by a tenth of the person's height on every frame of the span.
    """
    heights = np.diff(source.boxes()[span[0] : span[1], source.index(PERSON)][:, [1, 3]])
    gap = max(6.0, 0.1 * float(np.nanmedian(heights)))
    frames = np.unique(np.linspace(span[0], span[1] - 1, 5).astype(int))
    ways = []
    for degrees in (90.0, 0.0, 180.0, 270.0):
        way = np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])
        ways.append((max(_clearing(source.mask(t, PERSON), source.mask(t, label), way, gap) for t in frames), degrees))
    return min(ways)


def planted_track(source: Track, fault: Fault, name: str = "planted") -> Track:
    """The masks of the generated clip: exact, with every pixel to the object that is pasted last."""
    builder = TrackBuilder(source.labels, source.clip_size, source.rate, name, "truth")
    for t, step in enumerate(fault.steps):
        masks = planted_masks(source, step)
        builder.append(masks, np.asarray(masks.any(axis=(1, 2)), np.float32), t / source.rate)
    return builder.finish()


def planted_masks(source: Track, step: Step) -> np.ndarray:
    """bool [N, H, W] of one generated frame, in the track's order."""
    masks = source.masks(round(step.frame)).copy()
    changed = {}
    for label, put in step.puts.items():
        n = source.index(label)
        changed[n] = np.zeros(masks.shape[1:], bool)
        if put is not None:
            mask = source.mask(round(put.frame), label)
            mask = other_shape(mask) if put.swapped else mask
            changed[n] = warped_mask(mask, put.matrix)
    for n in paste_order(source, step):
        own = changed[n] if n in changed else masks[n].copy()
        masks[:, own] = False
        masks[n] = own
    return masks


def paste_order(source: Track, step: Step) -> list[int]:
    """Indices from back to front: the person, other untouched objects, what was touched. Ties as in the track."""
    return sorted(range(len(source.labels)), key=lambda n: _depth(source.labels[n], step))


def other_shape(mask: np.ndarray) -> np.ndarray:
    """bool [H, W]: a disk of the mask's area for a long object, else an upright bar of it, at its centroid."""
    m = cv2.moments(mask.view(np.uint8), binaryImage=True)
    out = np.zeros(mask.shape, np.uint8)
    if m["m00"] < 1:
        return out.view(bool)
    area = m["m00"]
    x, y = m["m10"] / area, m["m01"] / area
    xx, yy, xy = m["mu20"] / area, m["mu02"] / area, m["mu11"] / area
    spread = np.hypot(xx - yy, 2 * xy)
    long, short = (xx + yy + spread) / 2, max((xx + yy - spread) / 2, 1e-6)
    if long > 2 * short:
        cv2.circle(out, (round(x), round(y)), max(1, round(np.sqrt(area / np.pi))), 1, -1)
        return out.view(bool)
    half = np.sqrt(area / 5) / 2
    cv2.rectangle(out, (round(x - half), round(y - 5 * half)), (round(x + half), round(y + 5 * half)), 1, -1)
    return out.view(bool)


def warped_mask(mask: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    if np.array_equal(matrix, np.eye(2, 3)):
        return mask
    return cv2.warpAffine(mask.astype(np.uint8) * 255, matrix, mask.shape[::-1], flags=cv2.INTER_LINEAR) > 127


def grown(source: Track, px: int) -> Track:
    """Every mask's edge moved outward (inward where negative) by `px`: a harmless change."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    change = cv2.dilate if px > 0 else cv2.erode

    def one(mask: np.ndarray) -> np.ndarray:
        return change(mask.view(np.uint8), cross, iterations=abs(px)).view(bool)

    return redrawn(source, lambda t, mask: one(mask))


def jittered(source: Track, seed: int = 0) -> Track:
    """Every mask's edge wobbles by up to 1 px, differently on each frame: a harmless change."""

    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))

    def one(t: int, mask: np.ndarray) -> np.ndarray:
        x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
        near = slice(max(0, y - 1), y + height + 1), slice(max(0, x - 1), x + width + 1)
        part = np.ascontiguousarray(mask[near]).view(np.uint8)
        noise = np.random.default_rng((seed, t)).normal(0, 1, part.shape).astype(np.float32)
        noise = cv2.GaussianBlur(noise, (0, 0), 3)
        outer, inner = cv2.dilate(part, cross), cv2.erode(part, cross)
        out = np.zeros(mask.shape, bool)
        out[near] = np.where(noise > 0.05, outer, np.where(noise < -0.05, inner, part))
        return out

    return redrawn(source, one)


def redrawn(source: Track, change: Callable[[int, np.ndarray], np.ndarray]) -> Track:
    """A track with every mask, bool [H, W], replaced by change(t, mask); later objects keep their pixels."""
    builder = TrackBuilder(source.labels, source.clip_size, source.rate, source.source, source.tracker)
    for t in range(len(source)):
        masks = np.stack([change(t, mask) for mask in source.masks(t)])
        taken = np.zeros(masks.shape[1:], bool)
        for mask in masks[::-1]:
            mask &= ~taken
            taken |= mask
        builder.append(masks, source.scores[t], source.time(t))
    return builder.finish()


def _with_object(
    source: Track,
    kind: str,
    size: str,
    names: tuple[str, ...],
    label: str,
    start: int,
    stop: int,
    matrix: Callable[[int], np.ndarray | None],
    gross: bool = False,
) -> Fault:
    """A fault of one object on [start, stop): matrix(t) moves it, None removes it."""
    visible = source.areas()[:, source.index(label)] > 0
    steps: list[Step] = []
    for t in range(len(source)):
        place = matrix(t) if start <= t < stop and visible[t] else None
        untouched = not (start <= t < stop and visible[t])
        steps.append(Step(t) if untouched else Step(t, {label: None if place is None else Put(t, place)}))
    return Fault(kind, size, names, label, start, stop, tuple(steps), gross)


def _about(centre: np.ndarray, radians: float, scale: float) -> np.ndarray:
    """Turn clockwise on the screen and scale about a point given with pixel 0 spanning 0..1."""
    c, s = scale * np.cos(radians), scale * np.sin(radians)
    turn, middle = np.array([[c, -s], [s, c]]), centre - 0.5
    return np.column_stack([turn, middle - turn @ middle])


def _depth(label: str, step: Step) -> int:
    return 2 if label in step.puts and label != PERSON else 0 if label == PERSON else 1


def _longest(flags: np.ndarray, offset: int) -> tuple[int, int]:
    start, stop = max(spans(flags), key=lambda span: span[1] - span[0], default=(0, 0))
    return offset + start, offset + stop


def _touch(person: np.ndarray, thing: np.ndarray) -> bool:
    return bool((cv2.dilate(thing.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool) & person).any())


def _clearing(person: np.ndarray, thing: np.ndarray, way: np.ndarray, gap: float) -> float:
    """px that `thing` must go along `way` until it is `gap` px from the person; the picture's size where it can't."""
    if not person.any() or not thing.any():
        return 0.0
    away = cv2.distanceTransform((~person).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    rows, columns = np.nonzero(thing)
    height, width = person.shape
    for px in range(0, max(height, width), 2):
        x, y = columns + round(way[0] * px), rows + round(way[1] * px)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        if inside.mean() < 0.9:
            break
        if away[y[inside], x[inside]].min() >= gap:
            return float(px)
    return float(max(height, width))


def spans(flags: Sequence[bool | None] | np.ndarray) -> list[tuple[int, int]]:
    """Half-open ranges of the frames that are True."""
    edges = np.flatnonzero(
        np.diff(np.concatenate([[False], [f is not None and bool(f) for f in flags], [False]]).astype(np.int8))
    )
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]

"""Does the object touch the person, when do the two part and meet, and for how long is the object in the air."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from ..extraction.relations import contacts
from ..media.track import Track, occupied, unpack

TAKE_OFF, LANDING = "take-off", "landing"
# A contact or a gap that is shorter than this many frames is the tracker's, not the skater's.
SHORTEST = 3
# How far around the object the person is looked for, in person heights: beyond it there is no contact.
REACH = 0.2
# An outline that lies so many px further out or in is the same outline.
EDGE_PX = 1.25
# Two events of two clips are the same one when they lie this close together, s.
SAME_EVENT_S = 0.6


@dataclass(frozen=True)
class Event:
    """Take-off: the object leaves the person; landing: they meet again. `frame` is the first of the new state."""

    kind: str
    frame: int
    time_s: float

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "frame": self.frame, "time_s": round(self.time_s, 4)}


def distances(track: Track, person: str, object: str) -> np.ndarray:
    """float64 [T]: smallest distance of two masks in px of the track's clip; nan where one is empty.

    0 where they overlap, 1 for neighbouring pixels, inf beyond REACH. Reads one frame's masks at a time.

    Raises:
        KeyError: no such object.
    """
    i, j = track.index(person), track.index(object)
    scale = track.clip_size[0] / track.mask_size[0]
    packed = (track.packed_masks(t) for t in range(len(track)))
    return np.array([distance(masks[i], masks[j], track.mask_size[1]) * scale for masks in packed]).reshape(-1)


def distance(person: np.ndarray, thing: np.ndarray, width: int) -> float:
    """Smallest distance of two packed masks, uint8 [h, ceil(width / 8)], in their px; see `distances`."""
    own_box, box = occupied(person), occupied(thing)
    if own_box is None or box is None:
        return float("nan")
    reach = max(8, round(REACH * (own_box[1] - own_box[0])))
    window = _around(box, reach)
    person, thing, width = person[window], thing[window], width - 8 * window[1].start
    own_box, box = occupied(person), occupied(thing)
    if own_box is None or box is None:  # the thing lies inside its window
        return float("inf")
    if (person & thing).any():
        return 0.0
    # Both ends of the shortest way, and all between, lie no further than its length from either box.
    near = _shared(*(_around(part, _at_most(person, thing)) for part in (own_box, box)))
    own, other = (
        unpack(mask[near], min(8 * mask[near].shape[1], width - 8 * near[1].start)) for mask in (person, thing)
    )
    away = cv2.distanceTransform((~own).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return float(away[other].min())


def _at_most(a: np.ndarray, b: np.ndarray) -> int:
    """A bound of the distance of two packed masks in px: by what parts them in one byte's columns, or in one row."""
    bound = max(a.shape[0], 8 * a.shape[1])
    for one, other, unit in ((a != 0, b != 0, 1), ((a != 0).T, (b != 0).T, 8)):
        both = one.any(axis=0) & other.any(axis=0)
        if both.any():
            one, other = one[:, both], other[:, both]
            ends = [(part.argmax(axis=0), len(part) - 1 - part[::-1].argmax(axis=0)) for part in (one, other)]
            gap = min(int(np.abs(i - j).min()) for i in ends[0] for j in ends[1])
            bound = min(bound, unit * gap + 7)  # pixels of one byte lie up to 7 px apart
    return bound


def _around(box: tuple[int, int, int, int], px: int) -> tuple[slice, slice]:
    """Rows and bytes of a packed mask that hold a box of `occupied` and `px` around it."""
    top, bottom, first, last = box
    margin = -(-px // 8)
    return slice(max(0, top - px), bottom + px), slice(max(0, first - margin), last + margin)


def _shared(a: tuple[slice, slice], b: tuple[slice, slice]) -> tuple[slice, slice]:
    rows, columns = (slice(max(i.start, j.start), min(i.stop, j.stop)) for i, j in zip(a, b, strict=True))
    return rows, columns


def contact_states(distance_px: np.ndarray, height_px: np.ndarray) -> np.ndarray:
    """float64 [T]: 1 in contact, 0 not, nan where it can't be told; with the hysteresis of `relations`."""
    near = np.where(np.isinf(distance_px), 1e9, distance_px)
    found = contacts(near, height_px)
    return without_blips(np.array([np.nan if touching is None else float(touching) for touching in found]))


def contact_beside(source_px: np.ndarray, other_px: np.ndarray, height_px: np.ndarray) -> np.ndarray:
    """float64 [T]: the contact states of another clip as far as they can differ from the source's.

    Two outlines that each lie EDGE_PX further in have a gap of twice that between them and still touch: contact is
    lost only where the gap is wider, and added only where the source's gap is. In between the state can't be told.
    """
    own, other = contact_states(source_px, height_px), contact_states(other_px, height_px)
    surely_lost = contact_states(np.maximum(other_px - 2 * EDGE_PX, 0), height_px) == 0
    surely_apart = contact_states(np.maximum(source_px - 2 * EDGE_PX, 0), height_px) == 0
    other = np.where((own == 1) & (other == 0) & ~surely_lost, 1.0, other)
    return np.where((own == 0) & (other == 1) & ~surely_apart, 0.0, other)


def without_blips(states: np.ndarray, shortest: int = SHORTEST) -> np.ndarray:
    """States without changes that last less than `shortest` frames between two equal longer ones."""
    states = states.copy()
    known = np.flatnonzero(np.isfinite(states))
    values = states[known]
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    for a, b in zip(edges[1:-2], edges[2:-1], strict=True):
        if b - a < shortest:
            values[a:b] = values[a - 1]
    states[known] = values
    return states


def events(states: np.ndarray, times: Sequence[float]) -> list[Event]:
    """Take-offs and landings where the contact changes between frames on which it is known."""
    known = np.flatnonzero(np.isfinite(states))
    changes = np.flatnonzero(np.diff(states[known])) + 1
    return [
        Event(LANDING if states[t] > 0 else TAKE_OFF, int(t), float(times[t]))
        for t in (known[change] for change in changes)
    ]


def pair_events(source: Sequence[Event], generated: Sequence[Event]) -> list[dict[str, Any]]:
    """Every event of one clip with the nearest of its kind in the other, each used once: the report's `pairs`.

    error_ms is positive where the generated clip is late, None for an event that the other clip doesn't have.
    """
    candidates = sorted(
        (abs(b.time_s - a.time_s), i, j)
        for i, a in enumerate(source)
        for j, b in enumerate(generated)
        if a.kind == b.kind and abs(b.time_s - a.time_s) <= SAME_EVENT_S
    )
    partner: dict[int, int] = {}
    for _, i, j in candidates:
        if i not in partner and j not in partner.values():
            partner[i] = j
    pairs = [_pair(a, generated[partner[i]] if i in partner else None) for i, a in enumerate(source)]
    pairs += [_pair(None, b) for j, b in enumerate(generated) if j not in partner.values()]
    return sorted(
        pairs, key=lambda pair: min(f for f in (pair["source_frame"], pair["generated_frame"]) if f is not None)
    )


def _pair(a: Event | None, b: Event | None) -> dict[str, Any]:
    one = a or b
    assert one is not None
    return {
        "kind": one.kind,
        "source_frame": a.frame if a else None,
        "generated_frame": b.frame if b else None,
        "error_ms": round(1000 * (b.time_s - a.time_s), 1) if a and b else None,
    }


def airtimes(found: Sequence[Event]) -> list[tuple[Event, Event]]:
    """Every take-off with the landing that follows it."""
    return [(a, b) for a, b in zip(found, found[1:], strict=False) if (a.kind, b.kind) == (TAKE_OFF, LANDING)]


def airtime_errors(source: Sequence[Event], generated: Sequence[Event]) -> list[dict[str, Any]]:
    """For every flight that both clips have: {start, stop (source frames), source_s, generated_s, percent}."""
    pairs = {
        (pair["kind"], pair["source_frame"]): pair["generated_frame"]
        for pair in pair_events(source, generated)
        if pair["source_frame"] is not None and pair["generated_frame"] is not None
    }
    when = {event.frame: event.time_s for event in generated}
    errors = []
    for start, stop in airtimes(source):
        ends = pairs.get((TAKE_OFF, start.frame)), pairs.get((LANDING, stop.frame))
        if ends[0] is None or ends[1] is None:
            continue
        own, other = stop.time_s - start.time_s, when[ends[1]] - when[ends[0]]
        errors.append(
            {
                "start": start.frame,
                "stop": stop.frame,
                "generated_start": ends[0],
                "generated_stop": ends[1],
                "source_s": round(own, 4),
                "generated_s": round(other, 4),
                "percent": round(100 * (other / own - 1), 2) if own > 0 else None,
            }
        )
    return errors

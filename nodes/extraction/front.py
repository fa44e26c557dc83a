"""Which of two touching masks is in front, read from their outlines where they meet the background."""

from __future__ import annotations

import cv2
import numpy as np

# Radius of the neighbourhood that is looked at, in person heights: a shoe's size. Smaller and pixel steps
# decide, larger and the other leg does.
RADIUS = 0.03
FEWEST_PX, MOST_PX = 3, 10  # above the latter, the masks are looked at smaller


def front_evidence(person: np.ndarray, thing: np.ndarray, height: float) -> float | None:
    """Which one covers the other where they meet.

    The outline of the one in front runs on past the places where both meet the background (T-junctions),
    while the other's outline ends there. So around such a place the front one fills half of a small disc, and
    the other one shares the rest with the background. A part of one that is enclosed by the other lies in
    front of it: closing the other with that disc fills it.

    Args:
        person, thing: bool [h, w], never overlapping; a crop that holds both.
        height: the person's height, px.

    Returns:
        > 0 for the person in front, < 0 for the thing, about -1..1; None where they don't meet.
    """
    wanted = max(RADIUS * height, FEWEST_PX)
    radius = round(min(wanted, MOST_PX))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    zone = _meeting_zone(person, thing, round(wanted))
    if zone is None:
        return None
    person8, thing8 = (_shrunk(np.ascontiguousarray(mask[zone]), radius / wanted) for mask in (person, thing))
    kernel = disc.astype(np.float32) / float(disc.sum())
    share_p, share_t = (
        cv2.filter2D(mask.astype(np.float32), cv2.CV_32F, kernel, borderType=cv2.BORDER_REPLICATE)
        for mask in (person8, thing8)
    )
    return _junctions(person8, thing8, share_p, share_t) + _enclosed(person8, thing8, disc)


def _shrunk(mask: np.ndarray, scale: float) -> np.ndarray:
    """uint8 of a bool mask, scaled down where scale < 1; two masks that don't overlap stay so."""
    if scale > 0.95:
        return mask.view(np.uint8)
    size = max(round(mask.shape[1] * scale), 1), max(round(mask.shape[0] * scale), 1)
    share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return (share > 0.5).astype(np.uint8)


def _meeting_zone(person: np.ndarray, thing: np.ndarray, radius: int) -> tuple[slice, slice] | None:
    near = np.minimum(cv2.dilate(person.view(np.uint8), np.ones((3, 3), np.uint8)), thing.view(np.uint8))
    x, y, width, height = cv2.boundingRect(near)
    if width == 0:
        return None
    margin = 2 * radius + 2
    return (
        slice(max(y - margin, 0), min(y + height + margin, near.shape[0])),
        slice(max(x - margin, 0), min(x + width + margin, near.shape[1])),
    )


def _junctions(person: np.ndarray, thing: np.ndarray, share_p: np.ndarray, share_t: np.ndarray) -> float:
    """Mean over the T-junctions: how much nearer to one half the person's share of the disc is than the thing's."""
    cross = np.ones((3, 3), np.uint8)
    background = 1 - (person | thing)
    meet = np.minimum.reduce([cv2.dilate(mask, cross) for mask in (person, thing, background)])
    count, labels, _, centres = cv2.connectedComponentsWithStats(cv2.dilate(meet, cross), connectivity=8)
    votes = []
    for number in range(1, count):
        x, y = np.round(centres[number]).astype(int)
        if labels[y, x] != number:
            continue
        p, t = float(share_p[y, x]), float(share_t[y, x])
        if p + t > 0.5:
            votes.append(4 * (abs(t - 0.5) - abs(p - 0.5)))
    return float(np.mean(votes)) if votes else 0.0


def _enclosed(person: np.ndarray, thing: np.ndarray, disc: np.ndarray) -> float:
    """Part of the closed thing that is person, less part of the closed person that is thing, -1..1."""
    p_in_t = int(np.count_nonzero(_close(thing, disc) & person))
    t_in_p = int(np.count_nonzero(_close(person, disc) & thing))
    return (p_in_t - t_in_p) / (p_in_t + t_in_p + int(disc.sum()))


def _close(mask: np.ndarray, disc: np.ndarray) -> np.ndarray:
    pad = disc.shape[0]
    wide = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    return cv2.morphologyEx(wide, cv2.MORPH_CLOSE, disc)[pad:-pad, pad:-pad]

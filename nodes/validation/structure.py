"""What a restyle keeps of a picture: the direction of its edges; and where one such field lies in another."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# An edge counts by half when it is so many times as strong as the median of the picture, plus the least, levels per px.
SOFT, LEAST = 1.5, 1.0
# A part of an object with fewer pixels than this says nothing about its own displacement.
FEWEST = 40
# Likeness below which a part doesn't count, and the most that parts may disagree for size and angle to be told, px.
LIKE, AGREE = 0.2, 2.0


@dataclass(frozen=True)
class Fit:
    """Where an object of one picture lies in another, in px of those pictures.

    Attributes:
        like: correlation of its edges there, -1..1; near: the same at no displacement.
        second: the best correlation elsewhere in the window.
        x, y: displacement of its centre, px, right and down; nan when it may lie beyond the window.
        scale: percent larger; angle: degrees clockwise; nan where its parts don't agree.
    """

    like: float
    near: float
    second: float
    x: float
    y: float
    scale: float
    angle: float


def edge_field(image: np.ndarray) -> np.ndarray:
    """float32 [H, W, 2]: direction of the edges as a unit vector of twice their angle, shorter where they are weak.

    From the structure tensor of all three colours, so that neither a change of hue nor one that turns light to dark
    (both keep an edge where it is) changes it. image: uint8 [H, W, 3].

    Di Zenzo, "A note on the gradient of a multi-image", CVGIP 1986.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0).astype(np.float32)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3, scale=1 / 8) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (np.einsum("ijk,ijk->ij", a, b) for a, b in ((across, across), (down, down), (across, down)))
    field = np.stack([xx - yy, 2 * xy], axis=-1)
    energy = np.sqrt(np.einsum("ijk,ijk->ij", field, field))
    strength = np.sqrt(energy)
    half = SOFT * float(np.median(strength)) + LEAST
    field *= (strength / (strength + half) / np.maximum(energy, 1e-6))[..., None]
    return cv2.GaussianBlur(field, (0, 0), 0.7)


def likeness(field: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two fields' vectors, float32 [n, 2] of the same pixels, -1..1."""
    norm = float(np.sqrt(np.vdot(field, field) * np.vdot(other, other)))
    return float(np.vdot(field, other)) / norm if norm > 1e-6 else 0.0


def locate(source: np.ndarray, generated: np.ndarray, mask: np.ndarray, reach: int) -> Fit | None:
    """Find an object of one field in another that shows `reach` px more on every side.

    Args:
        source: float32 [h, w, 2]; mask: bool [h, w], the object in it.
        generated: float32 [h + 2 * reach, w + 2 * reach, 2].

    Returns:
        None where the object has no edges.
    """
    weight = mask.astype(np.float32)
    power = np.einsum("ijk,ijk->ij", generated, generated)
    scores = correlation(source, generated, power, weight)
    if scores is None:
        return None
    peak = np.unravel_index(int(np.argmax(scores)), scores.shape)
    like = float(scores[peak])
    away = scores.copy()
    rim = max(3, reach // 3)
    away[max(0, peak[0] - rim) : peak[0] + rim + 1, max(0, peak[1] - rim) : peak[1] + rim + 1] = -1
    x, y = (at - reach for at in subpixel(scores, (int(peak[0]), int(peak[1]))))
    scale = angle = np.nan
    fitted = _fit_parts(source, generated, power, mask, reach, (x, y))
    if {0, 2 * reach} & {int(peak[0]), int(peak[1])}:
        x = y = np.nan  # the best place may lie beyond the window
    elif fitted is not None:
        x, y, scale, angle = fitted
    return Fit(like, float(scores[reach, reach]), float(away.max()), x, y, scale, angle)


def correlation(source: np.ndarray, generated: np.ndarray, power: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
    """float32 [2 reach + 1, 2 reach + 1]: correlation of the weighted source at every displacement; None: no edges."""
    template = source * weight[..., None]
    own = float(np.vdot(template, template))
    if own < 1.0:
        return None
    scores = cv2.matchTemplate(generated, template, cv2.TM_CCORR)
    there = cv2.matchTemplate(power, weight, cv2.TM_CCORR)
    return scores / np.sqrt(np.maximum(there, 0.2 * own) * own)


def subpixel(scores: np.ndarray, peak: tuple[int, int]) -> tuple[float, float]:
    """(x, y) of the peak of the parabolas through a maximum and its neighbours."""
    y, x = peak
    at = [float(x), float(y)]
    for axis, (a, b, c) in enumerate(
        (
            (scores[y, x - 1], scores[y, x], scores[y, x + 1]) if 0 < x < scores.shape[1] - 1 else (0, 0, 0),
            (scores[y - 1, x], scores[y, x], scores[y + 1, x]) if 0 < y < scores.shape[0] - 1 else (0, 0, 0),
        )
    ):
        bend = a - 2 * b + c
        if bend < 0:
            at[axis] += float(np.clip(0.5 * (a - c) / bend, -0.5, 0.5))
    return at[0], at[1]


def parts_of(mask: np.ndarray) -> list[np.ndarray]:
    """Row and column arrays [2, n] of the parts of a mask: four along a long one, else a grid of two by three."""
    points = np.array(np.nonzero(mask))
    if points.shape[1] < 2 * FEWEST:
        return []
    centred = points - points.mean(axis=1, keepdims=True)
    values, axes = np.linalg.eigh(centred @ centred.T / points.shape[1] + np.eye(2) / 12)
    along, across = axes[:, 1] @ centred, axes[:, 0] @ centred
    if values[1] > 4 * values[0]:
        number = np.searchsorted(np.quantile(along, [0.25, 0.5, 0.75]), along)
    else:
        number = 2 * np.searchsorted(np.quantile(along, [1 / 3, 2 / 3]), along) + (across > np.median(across))
    found = [points[:, number == n] for n in range(int(number.max()) + 1)]
    return [part for part in found if part.shape[1] >= FEWEST]


def _fit_parts(
    source: np.ndarray,
    generated: np.ndarray,
    power: np.ndarray,
    mask: np.ndarray,
    reach: int,
    start: tuple[float, float],
) -> tuple[float, float, float, float] | None:
    """(x, y, percent, degrees) of the similarity that the displacements of the mask's parts fit; None: they don't."""
    places, moves, weights = [], [], []
    for rows, columns in parts_of(mask):
        top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
        weight = np.zeros((bottom - top, right - left), np.float32)
        weight[rows - top, columns - left] = 1
        window = slice(top, bottom + 2 * reach), slice(left, right + 2 * reach)
        scores = correlation(source[top:bottom, left:right], generated[window], power[window], weight)
        if scores is None:
            continue
        peak = np.unravel_index(int(np.argmax(scores)), scores.shape)
        if scores[peak] > LIKE:
            x, y = subpixel(scores, (int(peak[0]), int(peak[1])))
            places.append((columns.mean(), rows.mean()))
            moves.append((x - reach, y - reach))
            weights.append((scores[peak] - LIKE) * np.sqrt(len(rows)))
    if len(places) < 3:
        return None
    columns, rows = np.array(np.nonzero(mask))[::-1]
    place = np.array(places) - (columns.mean(), rows.mean())
    move, weight = np.array(moves), np.array(weights)
    # x' - x = tx + s x - r y and y' - y = ty + s y + r x, by least squares with less weight on what disagrees.
    ones, none = np.ones(len(place)), np.zeros(len(place))
    system = np.concatenate(
        [np.stack([ones, none, place[:, 0], -place[:, 1]], 1), np.stack([none, ones, place[:, 1], place[:, 0]], 1)]
    )
    wanted, robust = move.T.ravel(), np.ones(len(place))
    solution, rest = np.array([*start, 0, 0]), np.zeros(len(place))
    for _ in range(4):
        both = np.tile(np.sqrt(weight * robust), 2)
        solution = np.linalg.lstsq(system * both[:, None], wanted * both, rcond=None)[0]
        rest = np.hypot(*np.split(wanted - system @ solution, 2))
        robust = 1 / np.maximum(1, rest)
    if float(np.sqrt(np.average(rest**2, weights=weight * robust))) > AGREE:
        return None
    tx, ty, s, r = solution
    return float(tx), float(ty), 100 * float(np.hypot(1 + s, r) - 1), float(np.degrees(np.arctan2(r, 1 + s)))

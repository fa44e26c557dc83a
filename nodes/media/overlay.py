"""What was found, drawn over the picture: tinted masks with a crisp outline, labels, and how the two relate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

Colour = tuple[int, int, int]
# Left, top, right and low end of a tag, px.
Plate = tuple[float, float, float, float]

# RGB, chosen to stay apart for colour-blind eyes (Okabe & Ito 2008), the first two for rider and board.
COLOURS: tuple[Colour, ...] = ((86, 200, 250), (255, 159, 28), (60, 214, 140), (240, 100, 170), (240, 228, 66))
FILL, RIM = 0.38, 0.5
FONT = cv2.FONT_HERSHEY_DUPLEX
# Between a tag's letters and its edge, as a share of their height.
PAD = 0.45
INK, PAPER = (16, 20, 26), (245, 246, 248)
BOTH, MISSING, EXTRA = (46, 190, 90), (40, 110, 255), (236, 50, 40)
YES, NO = (72, 199, 116), (142, 148, 158)


class Relation(Protocol):
    """How rider and object relate in one frame; None where it can't be told."""

    @property
    def contact(self) -> bool | None: ...
    @property
    def airborne(self) -> bool | None: ...


def draw_overlay(
    image: np.ndarray, masks: np.ndarray, labels: Sequence[str], relation: Relation | None = None
) -> np.ndarray:
    """A copy of the image with the objects drawn in.

    Args:
        image: uint8 [H, W, 3], RGB.
        masks: bool [N, H, W].
        labels: N names; the colour follows the position.
        relation: adds badges in the upper left corner, for contact and for airborne.

    Returns:
        uint8 [H, W, 3], RGB. Line width and letters follow the picture's height.
    """
    drawn = image.copy()
    stroke = max(1, round(image.shape[0] / 300))
    for n, mask in enumerate(masks):
        colour = COLOURS[n % len(COLOURS)]
        drawn[mask] = np.round((1 - FILL) * drawn[mask] + FILL * np.array(colour)).astype(np.uint8)
        edges, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        rim = cv2.drawContours(drawn.copy(), edges, -1, INK, stroke + 2, cv2.LINE_AA)
        drawn = cv2.addWeighted(drawn, 1 - RIM, rim, RIM, 0)
        cv2.drawContours(drawn, edges, -1, colour, stroke, cv2.LINE_AA)
    size = text_size(image.shape[0])
    taken: list[Plate] = []
    for n, (mask, label) in enumerate(zip(masks, labels, strict=True)):
        rows = np.flatnonzero(mask.any(axis=1))
        if rows.size:
            columns = np.flatnonzero(mask.any(axis=0))
            # Tags stand apart where the objects touch: the first above its object, the others below theirs.
            y = rows[0] - 2.4 * size if n == 0 else rows[-1] + 0.8 * size
            x, y = _free_place(_plate(image, label, (columns[0] + columns[-1]) / 2, y, size, True), taken, image)
            taken.append(_plate(image, label, x, y, size))
            tag(drawn, label, x, y, size, COLOURS[n % len(COLOURS)])
    if relation is not None:
        x = size
        for told, words, colour in (
            (relation.contact, ("contact", "no contact"), YES),
            (relation.airborne, ("airborne", "on the ground"), COLOURS[4]),
        ):
            if told is not None:
                x = tag(drawn, words[0] if told else words[1], x, size, size, colour if told else NO) + 0.6 * size
    return drawn


def draw_difference(image: np.ndarray, expected: np.ndarray, found: np.ndarray) -> np.ndarray:
    """A copy of the image with one object where it should be and where it is.

    Args:
        image: uint8 [H, W, 3], RGB.
        expected, found: bool [H, W].

    Returns:
        uint8 [H, W, 3], RGB: tinted green where both agree, blue where only `expected` is, red where only `found` is,
        with a white outline around `expected`.
    """
    drawn = image.copy()
    for area, colour in ((expected & found, BOTH), (expected & ~found, MISSING), (found & ~expected, EXTRA)):
        drawn[area] = np.round(0.3 * drawn[area] + 0.7 * np.array(colour)).astype(np.uint8)
    edges, _ = cv2.findContours(expected.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(drawn, edges, -1, PAPER, max(1, round(image.shape[0] / 400)), cv2.LINE_AA)


def text_size(height: int) -> float:
    """Height of capital letters, px, that reads well on a picture of this height."""
    return max(7.0, height / 38)


def tag(image: np.ndarray, text: str, x: float, y: float, size: float, colour: Colour, centred: bool = False) -> float:
    """Write dark text on a rounded plate of `colour`, its upper left corner (or upper middle) at x, y px, kept inside.

    Returns:
        The plate's right end, px.
    """
    scale, stroke = _letters(size)
    x, y, right_end, low_end = _plate(image, text, x, y, size, centred)
    width, height, pad = right_end - x, low_end - y, PAD * size
    radius = height / 2.6
    ends = ((x + radius, y + radius), (x + width - radius, y + height - radius))
    turn = np.deg2rad(np.arange(5, 365, 10))
    plate = radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    right, low = plate[:, :1] > 0, plate[:, 1:] > 0
    corners = np.concatenate([np.where(right, ends[1][0], ends[0][0]), np.where(low, ends[1][1], ends[0][1])], axis=1)
    outline = cv2.convexHull((corners + plate).astype(np.float32))
    cv2.fillPoly(image, [np.round(outline * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)
    cv2.putText(image, text, (round(x + pad), round(y + pad + size)), FONT, scale, INK, stroke, cv2.LINE_AA)
    return right_end


def _plate(image: np.ndarray, text: str, x: float, y: float, size: float, centred: bool = False) -> Plate:
    """Where `tag` puts its plate: left, top, right and low end, px."""
    (text_width, _), _ = cv2.getTextSize(text, FONT, *_letters(size))
    width, height = text_width + 2 * PAD * size, (1 + 2 * PAD) * size
    x = float(np.clip(x - width / 2 if centred else x, 0, max(image.shape[1] - width, 0)))
    y = float(np.clip(y, 0, max(image.shape[0] - height, 0)))
    return x, y, x + width, y + height


def _letters(size: float) -> tuple[float, int]:
    """OpenCV's scale and stroke of letters so high, px."""
    return size / 21.0, max(1, round(size / 11))


def _free_place(wanted: Plate, taken: Sequence[Plate], image: np.ndarray) -> tuple[float, float]:
    """The upper left corner, px, nearest to a plate's where it covers no other one; the same where there is no room."""
    left, top, right, low = wanted
    width, height = right - left, low - top
    beside = [left, *(x for one in taken for x in (one[0] - width - 1, one[2] + 1))]
    above = [top, *(y for one in taken for y in (one[1] - height - 1, one[3] + 1))]
    free = [
        (x, y) for x in beside for y in above
        if 0 <= x <= image.shape[1] - width and 0 <= y <= image.shape[0] - height
        and all(x >= one[2] or x + width <= one[0] or y >= one[3] or y + height <= one[1] for one in taken)
    ]  # fmt: skip
    return min(free, key=lambda at: abs(at[0] - left) + abs(at[1] - top), default=(left, top))

"""Pictures to look at while a matte is made and afterwards: what was found, what was refined, how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..extraction.detection import Detection
from ..media.overlay import COLOURS, draw_overlay
from ..media.stills import write_image
from .trimap import UNKNOWN

# Longer side of these pictures, px.
SIDE = 1536


def confidence(alpha: np.ndarray, trimap: np.ndarray, score: float) -> np.ndarray:
    """How sure the matte is of every pixel, float32 [H, W] in 0..1.

    The tracker's score of the frame, and in the band that times 1 - 4 alpha (1 - alpha): the variance of a pixel that
    is in front with probability alpha, 1 where that is even.
    """
    doubt = np.where(trimap == UNKNOWN, 4 * alpha * (1 - alpha), 0)
    return (score * (1 - doubt)).astype(np.float32)


def write_checks(
    folder: Path,
    t: int,
    images: Sequence[np.ndarray],
    trimaps: Sequence[np.ndarray],
    alphas: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    labels: Sequence[Sequence[str]],
    scores: Sequence[float],
    boxes: Sequence[Detection],
) -> None:
    """Write trimap, alpha, confidence and overlay of frame t, the eyes beside each other.

    Args: one of each for every eye, at the size worked at; masks bool [N, h, w]; boxes are drawn over the first eye.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sure = [confidence(*item) for item in zip(alphas, trimaps, scores, strict=True)]
    drawn = [draw_overlay(*eye) for eye in zip(images, masks, labels, strict=True)]
    _draw_boxes(drawn[0], boxes)
    write_image(folder / f"trimap.{t:06d}.png", _beside(trimaps, cv2.INTER_NEAREST))
    write_image(folder / f"alpha.{t:06d}.png", _beside([_levels(alpha) for alpha in alphas]))
    write_image(folder / f"confidence.{t:06d}.png", _beside([_levels(one) for one in sure]))
    write_image(folder / f"overlay.{t:06d}.jpg", _beside(drawn))


def _levels(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _beside(pictures: Sequence[np.ndarray], way: int = cv2.INTER_AREA) -> np.ndarray:
    whole = np.hstack(list(pictures))
    factor = SIDE / max(whole.shape[:2])
    return whole if factor >= 1 else cv2.resize(whole, None, fx=factor, fy=factor, interpolation=way)


def _draw_boxes(image: np.ndarray, boxes: Sequence[Detection]) -> None:
    thick = max(1, round(image.shape[0] / 240))
    for n, item in enumerate(boxes):
        x1, y1, x2, y2 = (round(side) for side in item.box)
        colour = COLOURS[n % len(COLOURS)]
        cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), colour, thick)
        text, place = f"{item.label} {item.score:.2f}", (x1 + 2 * thick, max(y1 - 3 * thick, 8 * thick))
        cv2.putText(image, text, place, cv2.FONT_HERSHEY_DUPLEX, thick * 0.4, colour, max(1, thick // 2), cv2.LINE_AA)

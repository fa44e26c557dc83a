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
    detected: Sequence[Sequence[Detection]],
) -> None:
    """Write trimap, alpha, confidence and overlay of frame t, the eyes beside each other.

    Args: one of each for every eye, at the size worked at; masks bool [N, h, w]; `detected` is what a detector found
        on this very frame, by the objects' labels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sure = [confidence(*item) for item in zip(alphas, trimaps, scores, strict=True)]
    drawn = [_overlay(*eye) for eye in zip(images, masks, labels, detected, strict=True)]
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


def _overlay(image: np.ndarray, masks: np.ndarray, labels: Sequence[str], detected: Sequence[Detection]) -> np.ndarray:
    """Masks with their labels, and where a detector saw them its boxes and scores."""
    drawn, scores = image.copy(), {item.label: item.score for item in detected}
    for item in detected:
        x1, y1, x2, y2 = (round(side) for side in item.box)
        colour = COLOURS[labels.index(item.label) % len(COLOURS)]
        cv2.rectangle(drawn, (x1, y1), (x2 - 1, y2 - 1), colour, max(1, round(image.shape[0] / 240)))
    said = [f"{label} {scores[label]:.2f}" if label in scores else label for label in labels]
    return draw_overlay(drawn, masks, said)

"""From boxes drawn around objects on one frame to their masks, with no learned weights."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .colour_model import CELL_BINS, Palette, blur_colour, llr
from .detection import Box
from .flow import window_around

# Px at which a box is segmented: GrabCut needs 30 ms for so many, and an outline is no sharper with more.
BUDGET = 300 * 300
CONTEXT = 0.35  # of the longer side: the surroundings that teach what the object is not
LEAST_SHARE = 0.05  # of its box: a smaller result is a failure of the segmentation, not a small object
ITERATIONS = 3
# A colour speaks for the object when it is this much more frequent in the box than around it.
TELLING = float(np.log(1.5))
FOREIGN = 1.5


def masks_from_boxes(image: np.ndarray, boxes: Sequence[Box], taken: np.ndarray | None = None) -> np.ndarray:
    """What the boxes mean, segmented together so that a board doesn't take its rider's legs.

    GrabCut (Rother et al., SIGGRAPH 2004), from the smallest box to the largest. Where a larger box overlaps, colours
    that belong rather to it, seen in its part outside, are left to it; pixels of smaller objects are gone already.

    Args:
        image: uint8 [H, W, 3], RGB.
        boxes: px, ends exclusive; parts outside the picture are ignored.
        taken: bool [H, W], pixels that belong to something else.

    Returns:
        bool [N, H, W], each inside its box, without overlap. Where nothing can be segmented the free part of the box.
    """
    size = image.shape[:2]
    masks = np.zeros((len(boxes), *size), bool)
    used = np.zeros(size, bool) if taken is None else taken.copy()
    waiting = sorted(range(len(boxes)), key=lambda n: (boxes[n][2] - boxes[n][0]) * (boxes[n][3] - boxes[n][1]))
    while waiting:
        n = waiting.pop(0)
        rivals = np.zeros(size, bool)
        for other in waiting:
            rivals |= _rectangle(boxes[other], size)
        masks[n] = _segment(image, boxes[n], rivals, used) & ~used
        used |= masks[n]
    return masks


def _rectangle(box: Box, size: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(size, bool)
    x1, y1, x2, y2 = (max(0, round(side)) for side in box)
    mask[y1:y2, x1:x2] = True
    return mask


def _segment(image: np.ndarray, box: Box, rivals: np.ndarray, used: np.ndarray) -> np.ndarray:
    size = image.shape[:2]
    rectangle = _rectangle(box, size)
    margin = CONTEXT * max(box[2] - box[0], box[3] - box[1]) + 8
    window = window_around((box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin), size, BUDGET)
    inside, others, gone = (window.crop(m.astype(np.uint8) * 255) > 127 for m in (rectangle, rivals, used))
    inside &= ~gone
    around = ~inside & ~others
    if inside.sum() < 40 or around.sum() < 40:
        return rectangle
    crop = window.crop(image)
    likely = _likely(crop, inside, others, around) if others.any() else inside
    if likely.sum() < LEAST_SHARE * inside.sum():
        likely = inside
    labels = np.where(inside, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    labels[likely] = cv2.GC_PR_FGD
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(crop, labels, (0, 0, 0, 0), *models, ITERATIONS, cv2.GC_INIT_WITH_MASK)
    found = (labels == cv2.GC_PR_FGD) & inside
    found &= ~_common(crop, found, around)
    if found.sum() < LEAST_SHARE * inside.sum():
        found = likely
    full = cv2.resize(found.astype(np.float32), (window.x1 - window.x0, window.y1 - window.y0)) > 0.5
    mask = np.zeros(size, bool)
    mask[window.y0 : window.y1, window.x0 : window.x1] = full
    mask &= rectangle
    return mask if mask.any() else rectangle


def _likely(crop: np.ndarray, inside: np.ndarray, others: np.ndarray, around: np.ndarray) -> np.ndarray:
    """bool [h, w]: pixels of a box whose colour is rare around it, less those that look like the larger rival."""
    lab = cv2.cvtColor(crop, cv2.COLOR_RGB2LAB)
    colours = Palette(lab).index(lab)

    def speaks_for(mask: np.ndarray, against: np.ndarray) -> np.ndarray:
        ratio = llr(_histogram(colours, mask), _histogram(colours, against), 1e-4)[colours]
        return cv2.blur(ratio, (3, 3))

    likely = inside & (speaks_for(inside, around) > TELLING)
    rival = others & ~inside
    rival &= speaks_for(rival, around) > TELLING
    own = likely & ~others
    if rival.sum() > 60:
        contested = likely & others
        likely &= ~(contested & (speaks_for(own if own.sum() > 30 else inside, rival) < 0))
    return likely


def _common(crop: np.ndarray, found: np.ndarray, around: np.ndarray) -> np.ndarray:
    """bool [h, w]: colours that are FOREIGN times more frequent around an object than on it: gaps, not the object."""
    lab = cv2.cvtColor(crop, cv2.COLOR_RGB2LAB)
    colours = Palette(lab).index(lab)
    ratio = llr(_histogram(colours, found), _histogram(colours, around), 1e-4)[colours]
    return cv2.blur(ratio, (3, 3)) < -float(np.log(FOREIGN))


def _histogram(colours: np.ndarray, mask: np.ndarray) -> np.ndarray:
    counts = np.bincount(colours[mask], minlength=CELL_BINS).astype(np.float32)
    blurred = blur_colour(counts[None])[0]
    return blurred / (blurred.sum() + 1e-6)

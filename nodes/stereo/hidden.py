"""What one eye sees of an object and the other doesn't: decided by that eye's own pixels."""

from __future__ import annotations

import cv2
import numpy as np

# Pixels farther from the object than this are not of it, px of the picture worked in.
REACH = 24
# Less than this is not worth a decision, px.
LEAST = 12
# Pixels around the unknown ones that teach what is object and what is not, px.
CONTEXT = 20
ITERATIONS = 2


def fill_hidden(image: np.ndarray, known: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Which unknown pixels belong to an object, by the colours of what is known around them.

    GrabCut (Rother et al., SIGGRAPH 2004) with everything but the unknown pixels held: colours of the object against
    those of all else, and an outline where the picture has one. What it gives must touch the object.

    Args:
        image: uint8 [h, w, 3], RGB.
        known: bool [h, w], the object as far as it is known.
        unknown: bool [h, w], pixels that may be of it.

    Returns:
        bool [h, w], a part of `unknown`.
    """
    found = np.zeros(known.shape, bool)
    reach = cv2.dilate(known.astype(np.uint8), np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)) > 0
    unknown = unknown & reach
    if np.count_nonzero(unknown) < LEAST:
        return found
    x, y, w, h = cv2.boundingRect(unknown.astype(np.uint8))
    part = np.s_[max(0, y - CONTEXT) : y + h + CONTEXT, max(0, x - CONTEXT) : x + w + CONTEXT]
    inside, open_ = known[part], unknown[part]
    if not inside.any() or not (~inside & ~open_).any():
        return found
    nearer = _distance(inside) <= _distance(~inside & ~open_)
    labels = np.where(inside, cv2.GC_FGD, cv2.GC_BGD).astype(np.uint8)
    labels[open_] = np.where(nearer, cv2.GC_PR_FGD, cv2.GC_PR_BGD)[open_]
    cv2.setRNGSeed(0)
    cv2.grabCut(
        np.ascontiguousarray(image[part]), labels, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)),
        ITERATIONS, cv2.GC_INIT_WITH_MASK,
    )  # fmt: skip
    taken = open_ & (labels == cv2.GC_PR_FGD)
    _, pieces = cv2.connectedComponents((taken | inside).astype(np.uint8), connectivity=8)
    touching = np.unique(pieces[inside])
    found[part] = taken & np.isin(pieces, touching)
    return found


def _distance(mask: np.ndarray) -> np.ndarray:
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)

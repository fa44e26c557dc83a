"""Reference images for VACE: one sheet that every back end takes the same way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from ..media.stills import to_uint8
from .choices import ConditioningError

WHITE = 255


def reference_sheet(references: Iterable[Any], width: int, height: int) -> np.ndarray:
    """Lay reference images side by side on white, as large as the control's picture allows, centred.

    VACE was trained with references on a white canvas of the clip's proportions. Core's node takes the first image of a
    batch and crops it; WanVideoWrapper lays a batch side by side and pads it with white: one sheet of the control's
    size passes through both as it is.

    Args:
        references: images [h, w, 3 or 4], float in 0..1 or uint8, arrays or tensors, of any sizes; an IMAGE batch is
            such a sequence.
        width, height: px of the control.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ConditioningError: no images.
    """
    images = [to_uint8(image) for image in references]
    if not images or any(0 in image.shape for image in images):
        raise ConditioningError("the references are empty: give one image or more, or none at all")
    proportions = [image.shape[1] / image.shape[0] for image in images]
    row = min(float(height), width / sum(proportions))
    sheet = np.full((height, width, 3), WHITE, np.uint8)
    top, left = (height - round(row)) // 2, (width - row * sum(proportions)) / 2
    for image, proportion in zip(images, proportions, strict=True):
        # Edges are rounded and not widths, so that the last image ends where the row does.
        right = left + row * proportion
        x1, x2 = round(left), max(round(left) + 1, round(right))
        size = (x2 - x1, max(1, round(row)))
        if size != image.shape[1::-1]:
            shrinks = size[1] < image.shape[0]
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        sheet[top : top + size[1], x1:x2] = image
        left = right
    return sheet

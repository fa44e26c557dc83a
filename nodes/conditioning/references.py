"""Reference images for VACE: one sheet that every back end takes the same way."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ..media.stills import to_uint8
from .choices import ConditioningError

WHITE = 255


def reference_sheet(references: Any, width: int, height: int) -> np.ndarray:
    """Lay reference images side by side on white, as large as the control's picture allows, centred.

    VACE was trained with references on a white canvas of the clip's proportions. Core's node takes the first image of a
    batch and crops it; WanVideoWrapper lays a batch side by side and pads it with white: one sheet of the control's
    size passes through both as it is.

    Args:
        references: IMAGE batch [N, h, w, 3 or 4], float in 0..1 or uint8, array or tensor.
        width, height: px of the control.

    Returns:
        uint8 [height, width, 3].

    Raises:
        ConditioningError: no images in the batch.
    """
    if references.ndim != 4 or 0 in references.shape:
        raise ConditioningError(f"references are images [count, height, width, 3], not {list(references.shape)}")
    row = np.concatenate([to_uint8(image) for image in references], axis=1)
    scale = min(width / row.shape[1], height / row.shape[0])
    size = (min(width, max(1, round(row.shape[1] * scale))), min(height, max(1, round(row.shape[0] * scale))))
    if size != row.shape[1::-1]:
        row = cv2.resize(row, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    sheet = np.full((height, width, 3), WHITE, np.uint8)
    x, y = (width - size[0]) // 2, (height - size[1]) // 2
    sheet[y : y + size[1], x : x + size[0]] = row
    return sheet

"""Contact sheets: rows of frames with captions, one picture to judge a whole run by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .overlay import FONT

PAGE, TITLE, CAPTION = (18, 21, 27), (236, 239, 244), (150, 158, 170)


@dataclass(frozen=True)
class Row:
    """One row of a sheet: a title and its images, uint8 [H, W, 3] RGB of any size; None leaves a cell empty."""

    title: str
    images: Sequence[np.ndarray | None]


def contact_sheet(rows: Sequence[Row], captions: Sequence[str], cell_width: int = 320, gap: int = 6) -> np.ndarray:
    """Frames in a grid.

    Args:
        rows: from top to bottom, each with its title above it.
        captions: one per column, above the first row.
        cell_width: px; the height follows the first image.

    Returns:
        uint8 [H, W, 3], RGB.

    Raises:
        ValueError: no image at all, or a row of another length than `captions`.
    """
    shown = [image for row in rows for image in row.images if image is not None]
    if not shown or any(len(row.images) != len(captions) for row in rows):
        raise ValueError(f"a sheet needs images and {len(captions)} of them (one per caption) in every row")
    cell_height = round(cell_width * shown[0].shape[0] / shown[0].shape[1])
    line = int(np.clip(cell_width // 13, 18, 28))
    width = gap + len(captions) * (cell_width + gap)
    page = np.full((line + gap + len(rows) * (line + cell_height + gap), width, 3), PAGE, np.uint8)
    for column, caption in enumerate(captions):
        _write(page, caption, gap + column * (cell_width + gap), line, line, CAPTION)
    for r, row in enumerate(rows):
        top = line + gap // 2 + r * (line + cell_height + gap)
        _write(page, row.title, gap, top + line, line, TITLE)
        for column, image in enumerate(row.images):
            if image is not None:
                left = gap + column * (cell_width + gap)
                shrinks = image.shape[1] > cell_width
                how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
                cell = cv2.resize(image, (cell_width, cell_height), interpolation=how)
                page[top + line : top + line + cell_height, left : left + cell_width] = cell
    return page


def _write(page: np.ndarray, text: str, x: int, bottom: int, line: int, colour: tuple[int, int, int]) -> None:
    size = 0.5 * line
    cv2.putText(
        page, text, (x, round(bottom - 0.28 * line)), FONT, size / 21, colour, max(1, round(size / 14)), cv2.LINE_AA
    )

"""Alpha as a numbered picture, whole or not there."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..media.clip import ClipError
from ..media.stills import write_image
from ..media.writer import replacing


def write_alpha(file: Path, levels: np.ndarray) -> None:
    """Write uint8 or uint16 grey [H, W] as PNG; the folder is made when it isn't there, an older file replaced."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file, overwrite=True) as partial:
        write_image(partial, levels)


def read_alpha(file: Path) -> np.ndarray:
    """float32 [H, W] in 0..1 from grey PNG of 8 or 16 bits. Raises ClipError for anything else."""
    levels = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_UNCHANGED) if file.stat().st_size else None
    if levels is None or levels.ndim != 2:
        raise ClipError(f"{file}: not a grey picture that can be read")
    return levels.astype(np.float32) / (65535 if levels.dtype == np.uint16 else 255)

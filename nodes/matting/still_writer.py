"""Alpha as a numbered picture, whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..media.stills import write_image
from ..media.writer import replacing


def write_alpha(file: Path, levels: np.ndarray) -> None:
    """Write uint8 or uint16 grey [H, W] as PNG; the folder is made when it isn't there, an older file replaced."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file, overwrite=True) as partial:
        write_image(partial, levels)

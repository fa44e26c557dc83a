"""Footage that is not a video file: a folder of numbered images, or frames already in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .clip import Clip, ClipError, Frame

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")


class FolderClip(Clip):
    """The images of a folder, in natural order of their names (2 before 10), at a constant rate or at given times.

    Raises:
        ClipError: no images, an image that can't be read, or one of another size (it is named).
    """

    def __init__(self, folder: str | Path, rate: Fraction, times: list[Fraction] | None = None):
        self.files = natural_order(Path(folder))
        if not self.files:
            raise ClipError(f"{folder}: the folder has no images ({' '.join(IMAGE_SUFFIXES)})")
        self.name, self.path = Path(folder).name, str(folder)
        self.rate, self._times = rate, times
        self.time_base = common_time_base(rate, times)
        self.warnings = []
        self.height, self.width = read_image(self.files[0]).shape[:2]

    def read(self, start: int = 0) -> Iterator[Frame]:
        for index in range(start, len(self.files)):
            image = read_image(self.files[index])
            if image.shape[:2] != (self.height, self.width):
                size = f"{image.shape[1]}x{image.shape[0]}"
                raise ClipError(f"{self.files[index].name} is {size}, the frames before it {self.width}x{self.height}")
            yield Frame(index, self._times[index] if self._times else index / self.rate, image)

    def count(self) -> int:
        return len(self.files)


class ArrayClip(Clip):
    """Frames in memory: uint8 [T, H, W, 3], or ComfyUI's IMAGE, float [T, H, W, 3 or 4] in 0..1 (array or tensor)."""

    def __init__(self, images: Any, rate: Fraction):
        if images.ndim != 4 or images.shape[-1] not in (3, 4):
            raise ClipError(f"an image batch has shape [frames, height, width, 3], not {list(images.shape)}")
        if 0 in images.shape:
            raise ClipError(f"the image batch is empty: its shape is {list(images.shape)}")
        self.name = "images"
        self.images = images
        self.rate, self.time_base = rate, 1 / rate
        self.height, self.width = int(images.shape[1]), int(images.shape[2])
        self.warnings = []

    def read(self, start: int = 0) -> Iterator[Frame]:
        for index in range(start, len(self.images)):
            yield Frame(index, index / self.rate, to_uint8(self.images[index]))

    def count(self) -> int:
        return len(self.images)


def to_uint8(image: Any) -> np.ndarray:
    """uint8 [H, W, 3] from one frame of uint8, or of float in 0..1 (alpha dropped, out of range clipped)."""
    array = np.asarray(image.detach().cpu().float() if hasattr(image, "detach") else image)[..., :3]
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    return np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)


def natural_order(folder: Path) -> list[Path]:
    """The images in a folder, numbers in their names compared as numbers."""
    files = [file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES]
    return sorted(files, key=lambda file: [(len(n), n, w) for n, w in re.findall(r"0*(\d*)(\D*)", file.name)])


def read_image(file: Path) -> np.ndarray:
    """uint8 [H, W, 3] RGB. Raises ClipError for a file that is not an image or only half of one."""
    image = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR) if file.stat().st_size else None
    if image is None:
        raise ClipError(f"{file}: not an image that can be read")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def write_image(file: Path, image: np.ndarray, quality: int = 95) -> None:
    """Write uint8 RGB [H, W, 3] or grey [H, W]; the suffix names the format, `quality` is that of JPEG (0..100)."""
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    fast = [cv2.IMWRITE_PNG_COMPRESSION, 1] if file.suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, quality]
    done, data = cv2.imencode(file.suffix, image, fast)
    if not done:
        raise OSError(f"{file}: can't be encoded as {file.suffix}")
    file.write_bytes(data.tobytes())


def common_time_base(rate: Fraction, times: list[Fraction] | None) -> Fraction:
    """The largest time of which every frame time is a whole multiple."""
    base = 1 / rate
    for time in times or []:
        base = Fraction(
            np.gcd(base.numerator * time.denominator, time.numerator * base.denominator).item(),
            base.denominator * time.denominator,
        )
    return base

"""Bring the source's masks and frames into a generated clip's picture and timeline, and its tracker's masks back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from ..media.clip import Clip, Frame
from ..media.track import Track, TrackBuilder

# Pictures whose width / height differ by less than this are the same picture in another size: a mask is then at most
# half a percent of the width from its place, inside the tolerance of boundary F.
ASPECT_TOLERANCE = 0.01

Crop = tuple[float, float, float, float]


class AspectMismatch(ValueError):
    """A generated clip that shows the source stretched, or another part of it than was said."""


def require_same_picture(source_size: tuple[int, int], clip_size: tuple[int, int], crop: Crop | None) -> None:
    """Raise AspectMismatch, naming both, unless the source (or its crop) has the generated clip's proportions.

    Args:
        source_size, clip_size: (H, W) px.
        crop: x1, y1, x2, y2 px of the source that the generated clip shows; None for all of it.
    """
    x1, y1, x2, y2 = crop or (0, 0, source_size[1], source_size[0])
    shown, found = (x2 - x1) / (y2 - y1), clip_size[1] / clip_size[0]
    if abs(found / shown - 1) > ASPECT_TOLERANCE:
        part = "" if crop is None else f" of the source's {source_size[1]}x{source_size[0]}"
        raise AspectMismatch(
            f"the generated clip is {clip_size[1]}x{clip_size[0]} (aspect {found:.3f}), what it should show is "
            f"{x2 - x1:g}x{y2 - y1:g}{part} (aspect {shown:.3f}): it was cropped or stretched; give the crop that the "
            "conditioning wrote to vace.json"
        )


def place(
    track: Track,
    size: tuple[int, int],
    crop: Crop | None = None,
    frames: Sequence[int | None] | None = None,
    clip_size: tuple[int, int] | None = None,
) -> Track:
    """A track as it appears in another picture and timeline.

    Args:
        size: (h, w) px of the masks in the result.
        crop: x1, y1, x2, y2 px of the track's clip that fill the new picture; None for all of it.
        frames: for every frame of the result the frame of `track` that it shows; None shows nothing. None for all
            frames in order.
        clip_size: (H, W) px of the picture that the masks lie in; None for `size`.

    Returns:
        The same track when nothing changes, else a new one.
    """
    in_order = frames is None or list(frames) == list(range(len(track)))
    clip_size = clip_size or size
    if track.mask_size == size and track.clip_size == clip_size and crop is None and in_order:
        return track
    builder = TrackBuilder(track.labels, clip_size, track.rate, track.source, track.tracker)
    nothing = np.zeros((len(track.labels), *size), bool)
    for t in range(len(track)) if frames is None else frames:
        if t is None:
            builder.append(nothing, np.zeros(len(track.labels)))
        else:
            masks = [refit(mask, size, crop) for mask in track.masks(t)]
            builder.append(np.stack(masks), track.scores[t], track.time(t))
    builder.warnings.extend(track.warnings)
    return builder.finish()


def refit(mask: np.ndarray, size: tuple[int, int], crop: Crop | None = None) -> np.ndarray:
    """bool (H, W) = `size` from a bool mask: the crop of it, scaled; a pixel is inside when more than half of it is.

    `crop` is x1, y1, x2, y2 px of the mask, whole or not; outside the mask there is nothing.
    """
    if _is_whole(mask, size, crop):
        return mask
    return _resampled(mask.astype(np.uint8) * 255, size, crop, cv2.BORDER_CONSTANT) > 128


def refit_image(image: np.ndarray, size: tuple[int, int], crop: Crop | None = None) -> np.ndarray:
    """uint8 [H, W, 3] with (H, W) = `size` from an image: the crop of it, scaled, its edge repeated outside."""
    return image if _is_whole(image, size, crop) else _resampled(image, size, crop, cv2.BORDER_REPLICATE)


class PlacedClip(Clip):
    """A clip's frames in another picture and timeline, as `place` brings its masks there.

    Args:
        clip: the source's footage.
        size: (H, W) px of the frames in the result.
        crop: x1, y1, x2, y2 px of the clip that fill the new picture; None for all of it.
        frames: for every frame of the result the frame of `clip` that it shows; None repeats the frame before it.
            None for all frames in order.
    """

    def __init__(
        self, clip: Clip, size: tuple[int, int], crop: Crop | None = None, frames: Sequence[int | None] | None = None
    ):
        self._clip, self._size, self._crop = clip, size, crop
        self._frames = None if frames is None else _without_gaps(frames)
        self.name, self.path = clip.name, clip.path
        self.height, self.width = size
        self.rate, self.time_base = clip.rate, clip.time_base
        self.warnings = clip.warnings

    def read(self, start: int = 0) -> Iterator[Frame]:
        if self._frames is None:
            for frame in self._clip.read(start):
                yield Frame(frame.index, frame.time, refit_image(frame.image, self._size, self._crop))
            return
        reading: Iterator[Frame] | None = None
        current: Frame | None = None
        image = np.zeros((*self._size, 3), np.uint8)
        for index in range(start, len(self._frames)):
            wanted = self._frames[index]
            if current is None or reading is None or not current.index <= wanted:
                reading, current = self._clip.read(wanted), None
            if current is None or current.index != wanted:
                current = next((frame for frame in reading if frame.index == wanted), None)
                if current is None:
                    return
                image = refit_image(current.image, self._size, self._crop)
            yield Frame(index, index / self.rate, image)

    def count(self) -> int:
        return self._clip.count() if self._frames is None else len(self._frames)

    def expected_count(self) -> int | None:
        return self._clip.expected_count() if self._frames is None else len(self._frames)


def _without_gaps(frames: Sequence[int | None]) -> list[int]:
    shown = next((t for t in frames if t is not None), 0)
    filled = []
    for t in frames:
        shown = shown if t is None else t
        filled.append(shown)
    return filled


def _is_whole(image: np.ndarray, size: tuple[int, int], crop: Crop | None) -> bool:
    whole = (0, 0, image.shape[1], image.shape[0])
    return image.shape[:2] == size and tuple(crop or whole) == whole


def _resampled(image: np.ndarray, size: tuple[int, int], crop: Crop | None, border: int) -> np.ndarray:
    """uint8 [H, W] or [H, W, 3], the crop of an image at another size."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = crop or (0, 0, width, height)
    scale_x, scale_y = size[1] / (x2 - x1), size[0] / (y2 - y1)
    shrunk = (1.0, 1.0)
    if min(scale_x, scale_y) < 1:  # average what falls into one pixel first, so that thin parts don't alias
        smaller = (max(1, round(width * min(scale_x, 1))), max(1, round(height * min(scale_y, 1))))
        image = cv2.resize(image, smaller, interpolation=cv2.INTER_AREA)
        shrunk = (smaller[0] / width, smaller[1] / height)
    # Pixel centres are at half numbers: x' + .5 = (x + .5) / shrunk * scale - x1 * scale.
    a, d = scale_x / shrunk[0], scale_y / shrunk[1]
    matrix = np.array([[a, 0, a / 2 - x1 * scale_x - 0.5], [0, d, d / 2 - y1 * scale_y - 0.5]])
    return cv2.warpAffine(image, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderMode=border)


def comparison_size(source: Track, crop: Crop | None) -> tuple[int, int]:
    """(h, w) at which masks are compared: that of the source's masks, inside the crop."""
    if crop is None:
        return source.mask_size
    scale_y, scale_x = (mask / clip for mask, clip in zip(source.mask_size, source.clip_size, strict=True))
    return max(1, round((crop[3] - crop[1]) * scale_y)), max(1, round((crop[2] - crop[0]) * scale_x))

"""Bring the source's masks into a generated clip's picture and timeline, and its tracker's masks back."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

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
    track: Track, size: tuple[int, int], crop: Crop | None = None, frames: Sequence[int | None] | None = None
) -> Track:
    """A track as it appears in another picture and timeline.

    Args:
        size: (H, W) px of the masks in the result.
        crop: x1, y1, x2, y2 px of the track's clip that fill the new picture; None for all of it.
        frames: for every frame of the result the frame of `track` that it shows; None shows nothing. None for all
            frames in order.

    Returns:
        The same track when nothing changes, else one whose clip and mask size are `size`.
    """
    in_order = frames is None or list(frames) == list(range(len(track)))
    if track.mask_size == size and crop is None and in_order:
        return track
    builder = TrackBuilder(track.labels, size, track.rate, track.source, track.tracker)
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
    x1, y1, x2, y2 = crop or (0, 0, mask.shape[1], mask.shape[0])
    if (x1, y1, x2, y2) == (0, 0, mask.shape[1], mask.shape[0]) and mask.shape == size:
        return mask
    scale_x, scale_y = size[1] / (x2 - x1), size[0] / (y2 - y1)
    grey = mask.astype(np.uint8) * 255
    if min(scale_x, scale_y) < 1:  # average what falls into one pixel first, so that thin parts don't alias
        smaller = (max(1, round(mask.shape[1] * min(scale_x, 1))), max(1, round(mask.shape[0] * min(scale_y, 1))))
        grey = cv2.resize(grey, smaller, interpolation=cv2.INTER_AREA)
        shrunk = (smaller[0] / mask.shape[1], smaller[1] / mask.shape[0])
    else:
        shrunk = (1.0, 1.0)
    # Pixel centres are at half numbers: x' + .5 = (x + .5) / shrunk * scale - x1 * scale.
    a, d = scale_x / shrunk[0], scale_y / shrunk[1]
    matrix = np.array([[a, 0, a / 2 - x1 * scale_x - 0.5], [0, d, d / 2 - y1 * scale_y - 0.5]])
    return cv2.warpAffine(grey, matrix, size[::-1], flags=cv2.INTER_LINEAR) > 128

"""What the control video shows where the model generates: a guide clip in its picture, or edges of the clip."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from ..media.clip import Clip
from .choices import EDGES, EVERYTHING, GUIDES_FROM_VIDEO, NOTHING, Choices, ConditioningError
from .plan import ControlPlan

# Canny's two limits as ControlNet's own annotator has them, on 8-bit grey; they are the same on every frame, so that a
# line does not come and go with the brightness of the picture.
CANNY_LIMITS = (100, 200)
# Sensor noise and compression make lines that dance: px of Gaussian blur on a picture of 480 rows, more on larger ones.
EDGE_BLUR, EDGE_BLUR_ROWS = 1.0, 480
# Pose and depth nodes round their pictures to multiples of 8 or 64 px, which changes the proportions by so much.
ASPECT_TOLERANCE = 0.03


def require_guide(choices: Choices, guide: Clip | None) -> None:
    """Raise ConditioningError where a guide needs a clip and there is none."""
    if choices.guide in GUIDES_FROM_VIDEO and guide is None:
        raise ConditioningError(
            f"guide = {choices.guide} needs a guide video: connect a drawn {choices.guide} video, or choose nothing, "
            "original or edges"
        )


def guide_notes(choices: Choices, guide: Clip | None) -> list[str]:
    """What a user should know about a guide that was chosen and a guide clip that was given."""
    notes = []
    if guide is not None and choices.guide not in GUIDES_FROM_VIDEO:
        notes.append(f"the guide video is not used: guide = {choices.guide}")
    if choices.repaint == EVERYTHING and choices.guide == NOTHING:
        notes.append("everything is generated and nothing guides it: the clip is not used at all")
    return notes


def guide_frames(guide: Clip, plan: ControlPlan) -> Iterator[np.ndarray]:
    """The guide's frames in the control's picture, uint8 [height, width, 3].

    A guide may have any size, as long as it shows the whole clip or exactly the control's part of it.

    Raises:
        ConditioningError: its proportions are neither the clip's nor the control's.
    """
    size = (guide.height, guide.width)
    if _same_shape(size, plan.source_size):
        target, (x, y) = plan.scaled_size, plan.offset
    elif _same_shape(size, (plan.height, plan.width)):
        target, (x, y) = (plan.height, plan.width), (0, 0)
    else:
        whole, part = (f"{width}x{height}" for height, width in (plan.source_size, (plan.height, plan.width)))
        raise ConditioningError(
            f"the guide video is {size[1]}x{size[0]} px: it must show the whole clip ({whole}) or what the control "
            f"shows of it ({part}), in any size of those proportions"
        )
    method = cv2.INTER_AREA if target[0] < size[0] else cv2.INTER_LINEAR
    for frame in guide:
        image = frame.image if size == target else cv2.resize(frame.image, target[::-1], interpolation=method)
        yield image[y : y + plan.height, x : x + plan.width]


def edge_lines(image: np.ndarray) -> np.ndarray:
    """White lines on black, uint8 [H, W, 3], where a picture's brightness has an edge (Canny 1986)."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    sigma = EDGE_BLUR * max(1.0, grey.shape[0] / EDGE_BLUR_ROWS)
    lines = cv2.Canny(cv2.GaussianBlur(grey, (0, 0), sigma), *CANNY_LIMITS)
    return np.repeat(lines[..., None], 3, axis=2)


def shown(choices: Choices, picture: np.ndarray, guide: np.ndarray | None) -> np.ndarray | None:
    """What stands inside the mask, uint8 [height, width, 3]; None where nothing is known (grey).

    Args:
        picture: the clip's frame in the control's picture.
        guide: the guide clip's frame there, None without one.
    """
    if choices.guide == NOTHING:
        return None
    if choices.guide in GUIDES_FROM_VIDEO:
        return guide
    return edge_lines(picture) if choices.guide == EDGES else picture


def _same_shape(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return abs((a[1] / a[0]) / (b[1] / b[0]) - 1) <= ASPECT_TOLERANCE

"""Put the original back wherever the model was not to change it: to the bit, with a soft seam on the inside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..host import progress
from ..media.clip import Clip, Frame
from ..media.writer import LosslessWriter
from .choices import CONTROL, SIZES, SOURCE, ConditioningError
from .colour_match import ColourMatch
from .plan import ControlPlan, plan_of


@dataclass(frozen=True)
class Pasting:
    """How the generated region is put into the original.

    Attributes:
        size: "control" gives frames of the control's size, whose kept pixels are those of the control video; "source"
            pastes the generated region back into the clip's own frames, at their size.
        feather: px of the result, inside the mask, over which the original fades into the generated picture.
        match_colours: take off the colour shift that the generated clip has where it should show the original.

    Raises:
        ConditioningError: a size that is no choice, a negative feather.
    """

    size: str = CONTROL
    feather: int = 6
    match_colours: bool = True

    def __post_init__(self) -> None:
        if self.size not in SIZES:
            raise ConditioningError(f"size is {' or '.join(SIZES)}, not {self.size!r}")
        if self.feather < 0:
            raise ConditioningError(f"a seam is feathered by 0 px or more, not {self.feather}")


def composite_frames(
    clip: Clip, generated: Clip, masks: Iterable[np.ndarray], control: Mapping[str, Any], pasting: Pasting
) -> Iterator[Frame]:
    """Yield the composited frames; one of each clip is in memory at a time.

    Lead-in and padding of the control are dropped, so that every frame stands for one of the source and has its time.

    Args:
        clip: the source.
        generated: what the model made of the control: as many frames, in any size of its proportions.
        masks: bool [h, w] for each frame of the control, True = generated; the masks as consumed (`latents.consumed`)
            are those that the model really filled.
        control: what `describe` says of the control.
        pasting: how it is done.

    Yields:
        Frame: its `image` is, outside the mask, that of the source (at size "source") or of the control video's own
            scaled source (at size "control"), to the bit.

    Raises:
        ConditioningError: clip, generated clip, masks and control don't belong together.
    """
    plan = plan_of(control)
    _require_match(clip, generated, plan)
    sources, made, drawn = iter(clip), iter(generated), iter(masks)
    place = _Placement(plan, pasting.size)
    match = ColourMatch() if pasting.match_colours else None
    at = -1
    for index, t in enumerate(plan.frames):
        picture, mask = next(made, None), next(drawn, None)
        if picture is None or mask is None:
            short = "the generated clip ends" if picture is None else "the masks end"
            raise ConditioningError(f"{short} after {index} frames, the control has {plan.length}")
        if t is None:
            continue
        frame = None
        while at < t:
            frame = next(sources, None)
            at += 1
        if frame is None:
            raise ConditioningError(f"{clip.name} has no frame {t}, which the control shows")
        original = place.source(frame.image)
        region, inside = place.generated(picture.image), place.mask(mask)
        if match is not None:
            region = match.corrected(original, region, inside)
        yield Frame(t, frame.time, blend(original, region, inside, pasting.feather))


def blend(original: np.ndarray, region: np.ndarray, mask: np.ndarray, feather: int) -> np.ndarray:
    """The region inside the mask, the original outside, and a fade of `feather` px on the inside.

    Args:
        original, region: uint8 [H, W, 3].
        mask: bool [H, W].

    Returns:
        uint8 [H, W, 3], equal to `original` wherever the mask is False.
    """
    result = original.copy()
    if feather == 0:
        result[mask] = region[mask]
        return result
    depth = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)[mask]
    share = np.clip(depth / (feather + 1), 0, 1)[:, None]
    share = share * share * (3 - 2 * share)  # no crease at either end
    result[mask] = np.rint(original[mask] + share * (region[mask].astype(np.float32) - original[mask]))
    return result


def write_composite(
    path: str | Path,
    clip: Clip,
    generated: Clip,
    masks: Iterable[np.ndarray],
    control: Mapping[str, Any],
    pasting: Pasting,
    overwrite: bool = False,
) -> tuple[dict[str, Any], list[str]]:
    """Write the composite without loss, so that its kept pixels stay what they are; streamed.

    It has the source's times, and a copy of its file's sound where its frames are a run of the source's.

    Args:
        path: a new .mp4, .mov or .mkv; `writer.container_for` says which one can hold the sound.
        clip, generated, masks, control, pasting: as for `composite_frames`.
        overwrite: replace a file that is there.

    Returns:
        (control, notes): the control as this clip has it (its size, part of the picture and frames), for validation;
        and what a user should know.

    Raises:
        ConditioningError: as for `composite_frames`.
        OSError: see VideoWriter.
    """
    after = composited(control, pasting.size)
    shown, notes = after["frames"], []
    run = shown == list(range(shown[0], shown[-1] + 1))
    sound = sound_of(clip) if run else None
    if not run:
        notes.append("the sound is left out: the frames are no unbroken run of the source's")
    start, end = clip.span()
    if run and (shown[0] or clip.index() > shown[-1] + 1):
        start, end = _span(clip, shown[0], shown[-1] + 1)
    dropped = len(control["frames"]) - len(shown)
    if dropped:
        notes.append(f"{dropped} of {len(control['frames'])} generated frames were lead-in or padding, and are dropped")
    frames = composite_frames(clip, generated, masks, control, pasting)
    with LosslessWriter(
        path, after["width"], after["height"], clip.rate, clip.time_base if run else None, sound, (start, end),
        overwrite=overwrite,
    ) as video:  # fmt: skip
        for frame in progress(frames, len(shown), "compositing"):
            video.write(frame.image, frame.time if run else None)
    return after, notes


def sound_of(clip: Clip) -> str | None:
    """The file that a clip's sound can be copied from; None for images and frames in memory."""
    return clip.path if clip.path is not None and Path(clip.path).is_file() else None


def composited(control: Mapping[str, Any], size: str) -> dict[str, Any]:
    """What `describe` says of a control, as it holds for the composite: no lead-in or padding, its own size."""
    shown = [t for t in control["frames"] if t is not None]
    after = {**control, "frames": shown, "length": len(shown), "lead_in": 0}
    if size == SOURCE:
        width, height = control["source"]["width"], control["source"]["height"]
        after |= {"width": width, "height": height, "crop": [0, 0, width, height], "scale": [1, 1]}
    return after


class _Placement:
    """Brings source, generated picture and mask into the result's picture."""

    def __init__(self, plan: ControlPlan, size: str):
        self._plan, self._at_source = plan, size == SOURCE

    def source(self, image: np.ndarray) -> np.ndarray:
        return image if self._at_source else self._plan.image(image)

    def generated(self, image: np.ndarray) -> np.ndarray:
        size = (self._plan.width, self._plan.height)
        if not self._at_source:
            return image if image.shape[1::-1] == size else _resized(image, size)
        x1, y1, x2, y2 = self._plan.crop
        size = (min(image.shape[1], max(1, round(x2 - x1))), min(image.shape[0], max(1, round(y2 - y1))))
        if size != image.shape[1::-1]:
            image = _resized(image, size)  # what has to shrink, shrinks without aliasing
        return self._warped(image, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)

    def mask(self, mask: np.ndarray) -> np.ndarray:
        if mask.shape != (self._plan.height, self._plan.width):
            raise ConditioningError(
                f"the masks are {mask.shape[1]}x{mask.shape[0]} px, the control {self._plan.width}x"
                f"{self._plan.height}: connect the masks that VACE Control made"
            )
        if not self._at_source:
            return mask
        return self._warped(mask.astype(np.uint8) * 255, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT) > 127

    def _warped(self, image: np.ndarray, method: int, border: int) -> np.ndarray:
        """The control's picture, in any size, put where it is in the source's."""
        x1, y1, x2, y2 = self._plan.crop
        scale_x, scale_y = (x2 - x1) / image.shape[1], (y2 - y1) / image.shape[0]
        # OpenCV's pixel 0 is centred on 0, ours spans 0..1.
        matrix = np.array([[scale_x, 0, x1 + scale_x / 2 - 0.5], [0, scale_y, y1 + scale_y / 2 - 0.5]])
        size = self._plan.source_size[::-1]
        return cv2.warpAffine(image, matrix, size, flags=method, borderMode=border)


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_CUBIC)


def _span(clip: Clip, start: int, stop: int) -> tuple[Fraction, Fraction | None]:
    """Seconds of the source's clock that frames start .. stop - 1 cover."""
    begin = clip.frame(start).time if start else clip.span()[0]
    return begin, clip.frame(stop).time if stop < clip.index() else clip.span()[1]


def _require_match(clip: Clip, generated: Clip, plan: ControlPlan) -> None:
    size = (clip.height, clip.width)
    if size != plan.source_size:
        height, width = plan.source_size
        raise ConditioningError(f"the control was made for {width}x{height} px, {clip.name} is {size[1]}x{size[0]}")
    if abs(generated.width / generated.height / (plan.width / plan.height) - 1) > 0.01:
        raise ConditioningError(
            f"the generated clip is {generated.width}x{generated.height} px, the control {plan.width}x{plan.height}: "
            "it shows something else, or was cropped or stretched"
        )
    made = generated.index()
    if made != plan.length:
        hint = ": was the reference's latent left in? (Trim Video Latent)" if made > plan.length else ""
        raise ConditioningError(f"the generated clip has {made} frames, the control {plan.length}{hint}")

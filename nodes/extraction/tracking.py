"""Follow prompted objects through a whole clip, both ways from the frame they were shown on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np

from ..host import progress
from ..media.clip import Clip, Frame
from ..media.track import Track, TrackBuilder
from .box_masks import masks_from_boxes
from .detection import COCO_CLASSES, Box, Detection, Detector, describe_detector, same_class
from .embedded import EmbeddedTracker
from .gate import DetectionGate


class Tracker(Protocol):
    """Masks from one frame to the next; see EmbeddedTracker.step for the shapes."""

    def step(self, image: np.ndarray, boxes: Sequence[Box | None] | None = None) -> tuple[np.ndarray, np.ndarray]: ...


TrackerFactory = Callable[[np.ndarray, np.ndarray], Tracker]

TRACKERS: dict[str, TrackerFactory] = {"embedded": EmbeddedTracker}


@dataclass(frozen=True)
class Prompt:
    """An object shown to the tracker on one frame, by a mask (bool [H, W]) or else by a box."""

    label: str
    box: Box | None = None
    mask: np.ndarray | None = None


class PromptError(ValueError):
    """Prompts that nothing can be tracked from; the message is one sentence for the user."""


def track(
    clip: Clip,
    prompts: Sequence[Prompt],
    anchor: int = 0,
    detector: Detector | None = None,
    tracker: str = "embedded",
) -> Track:
    """Track every prompted object through the whole clip, forward and backward from frame `anchor`.

    Args:
        prompts: one or more objects with different labels. Where they overlap, a mask keeps its pixels against a box,
            and a small box (a board) against a large one (its rider).
        anchor: the frame that the prompts were made on.
        detector: run on every frame to keep masks from leaking and to find lost objects; it helps objects whose label
            is a class that it names.
        tracker: a key of TRACKERS.

    Returns:
        A track with one mask per object and frame, empty (with its low score) where the object is not seen. Masks of
        different objects never overlap.

    Raises:
        PromptError: nothing to track, a label given twice, a mask of another size, a prompt outside the frame.
        IndexError: the clip has no frame `anchor`.
    """
    if anchor > 0:
        clip.count()  # which learns the timestamps, so that reading backwards can jump
    first = clip.frame(anchor)
    masks = prompt_masks(first.image, prompts)
    labels = tuple(prompt.label for prompt in prompts)
    seen = np.ones(len(labels), np.float32)
    named = any(same_class(label) in COCO_CLASSES for label in labels)
    guide = detector if named else None
    follow = _Follower(TRACKERS[tracker], first, labels, masks, guide)
    total = clip.expected_count()
    made_by = tracker if guide is None else f"{tracker}, guided by {describe_detector(guide)}"

    def builder() -> TrackBuilder:
        return TrackBuilder(labels, (clip.height, clip.width), clip.rate, clip.name, made_by)

    before = builder()
    for frame in progress(follow(clip.backwards(anchor - 1)), anchor, "tracking back"):
        before.append(*frame)
    backward = before.finish()
    whole = builder()
    for t in reversed(range(anchor)):
        whole.append(backward.masks(t), backward.scores[t], backward.time(t))
    whole.append(masks, seen, first.time)
    rest = None if total is None else max(0, total - anchor - 1)
    for frame in progress(follow(clip.read(anchor + 1)), rest, "tracking"):
        whole.append(*frame)
    if detector is not None and guide is None:
        whole.warnings.append(f"the detector was not used: it names none of {', '.join(labels)}")
    return whole.finish()


def track_masks(clip: Clip, masks: Mapping[str, np.ndarray], anchor: int, detector: Detector | None = None) -> Track:
    """Track objects by exact masks, bool [H, W] by label, shown on frame `anchor`; as `track` in all else."""
    return track(clip, [Prompt(label, mask=mask) for label, mask in masks.items()], anchor, detector)


def prompt_masks(image: np.ndarray, prompts: Sequence[Prompt]) -> np.ndarray:
    """bool [N, H, W] of what the prompts show on `image`, uint8 [H, W, 3], without overlap. Raises PromptError."""
    if not prompts:
        raise PromptError("there is nothing to track: give a box, a mask or a detector")
    labels = [prompt.label for prompt in prompts]
    if len(set(labels)) != len(labels):
        raise PromptError(f"every object needs a label of its own: {', '.join(labels)}")
    for prompt in prompts:
        _require_inside(prompt, image.shape[0], image.shape[1])
    masks = np.zeros((len(prompts), *image.shape[:2]), bool)
    taken = np.zeros(image.shape[:2], bool)
    for n, prompt in enumerate(prompts):
        if prompt.mask is not None:
            masks[n] = prompt.mask & ~taken
            taken |= masks[n]
    boxed = [(n, prompt.box) for n, prompt in enumerate(prompts) if prompt.mask is None and prompt.box is not None]
    if boxed:
        masks[[n for n, _ in boxed]] = masks_from_boxes(image, [box for _, box in boxed], taken)
    for prompt, mask in zip(prompts, masks, strict=True):
        if not mask.any():
            raise PromptError(f"the prompt for {prompt.label!r} covers nothing on this frame")
    return masks


def _require_inside(prompt: Prompt, height: int, width: int) -> None:
    if prompt.mask is not None:
        if prompt.mask.shape != (height, width):
            size = f"{prompt.mask.shape[1]}x{prompt.mask.shape[0]}"
            raise PromptError(f"the mask for {prompt.label!r} is {size}, the clip {width}x{height}")
    elif prompt.box is None:
        raise PromptError(f"{prompt.label!r} has neither a box nor a mask")
    else:
        x1, y1, x2, y2 = prompt.box
        if not (x1 < x2 and y1 < y2 and x1 < width and y1 < height and x2 > 0 and y2 > 0):
            raise PromptError(f"the box {prompt.box} for {prompt.label!r} is not inside {width}x{height}")


class _Follower:
    """Runs a fresh tracker over frames that go on from the prompted one, in either direction."""

    def __init__(
        self,
        start: TrackerFactory,
        first: Frame,
        labels: tuple[str, ...],
        masks: np.ndarray,
        detector: Detector | None,
    ):
        self._start, self._first, self._labels, self._masks = start, first, labels, masks
        self._detector = detector

    def __call__(self, frames: Iterable[Frame]) -> Iterator[tuple[np.ndarray, np.ndarray, Fraction]]:
        tracker = self._start(self._first.image, self._masks)
        gate = DetectionGate(self._labels, self._masks)
        for frame in frames:
            found: list[Detection] = self._detector(frame.image) if self._detector else []
            boxes = gate.boxes(found) if self._detector else None
            masks, scores = tracker.step(frame.image, boxes)
            gate.update(masks)
            yield masks, scores, frame.time

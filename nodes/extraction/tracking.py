"""Follow prompted objects through a whole clip, both ways from the frame they were shown on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np

from ..host import progress
from ..media.clip import Clip, Frame
from ..media.track import Track, TrackBuilder
from .detection import COCO_CLASSES, Detection, Detector, describe_detector, same_class
from .embedded import EmbeddedTracker
from .gate import DetectionGate
from .prompts import Point, Prompt, PromptError
from .shown import prompt_masks

__all__ = ["Point", "Prompt", "PromptError", "prompt_masks", "track", "track_masks"]

EMBEDDED = "embedded"


def track(clip: Clip, prompts: Sequence[Prompt], detector: Detector | None = None) -> Track:
    """Track every prompted object through the whole clip, forward and backward from the frame it was shown on.

    Args:
        prompts: one or more objects with different labels, all on one frame.
        detector: run on every frame to keep masks from leaking and to find lost objects; it helps objects whose label
            is a class that it names.

    Returns:
        A track with one mask per object and frame, empty (with its low score) where the object is not seen. Masks of
        different objects never overlap.

    Raises:
        PromptError: see `prompt_masks`; also a frame that the clip doesn't have, or prompts on several frames.
    """
    anchor = max((prompt.frame for prompt in prompts), default=0)
    if any(prompt.frame != anchor for prompt in prompts):
        raise PromptError("prompts on several frames can't be tracked yet: show every object on one frame")
    if anchor > 0 and anchor >= clip.count():  # which learns the timestamps, so that reading backwards can jump
        raise PromptError(f"{clip.name} has {clip.count()} frames, counted from 0; a prompt is on frame {anchor}")
    first = clip.frame(anchor)
    masks = prompt_masks(first.image, prompts)
    labels = tuple(prompt.label for prompt in prompts)
    seen = np.ones(len(labels), np.float32)
    named = any(same_class(label) in COCO_CLASSES for label in labels)
    guide = detector if named else None
    follow = _Follower(first, labels, masks, guide)
    total = clip.expected_count()
    made_by = EMBEDDED if guide is None else f"{EMBEDDED}, guided by {describe_detector(guide)}"

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


def track_masks(clip: Clip, masks: Mapping[str, np.ndarray], frame: int, detector: Detector | None = None) -> Track:
    """Track objects by exact masks, bool [H, W] by label, shown on `frame`; as `track` in all else."""
    return track(clip, [Prompt(label, frame, mask=mask) for label, mask in masks.items()], detector)


class _Follower:
    """Runs a fresh tracker over frames that go on from the prompted one, in either direction."""

    def __init__(
        self,
        first: Frame,
        labels: tuple[str, ...],
        masks: np.ndarray,
        detector: Detector | None,
    ):
        self._first, self._labels, self._masks = first, labels, masks
        self._detector = detector

    def __call__(self, frames: Iterable[Frame]) -> Iterator[tuple[np.ndarray, np.ndarray, Fraction]]:
        tracker = EmbeddedTracker(self._first.image, self._masks)
        gate = DetectionGate(self._labels, self._masks)
        for frame in frames:
            found: list[Detection] = self._detector(frame.image) if self._detector else []
            boxes = gate.boxes(found) if self._detector else None
            masks, scores = tracker.step(frame.image, boxes)
            gate.update(masks)
            yield masks, scores, frame.time

"""On which frame a matte begins, and who is in it there: shown by hand, found by a detector, or by what moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..extraction.detection import PERSON, Box, Detection, DetectionError, Detector, box_iou, box_overlap, same_class
from ..extraction.motion import LABEL, MotionDetector
from ..extraction.prompts import Prompt, PromptError
from ..host import progress
from ..media.clip import Clip, Frame
from ..media.exchange import read_mask
from ..media.track import Track

# A picture shows something when its 95th percentile is at least so bright, grey levels of 0..255, and so far above its
# 5th: black, and fades from and to black or white, do not.
BRIGHT, CONTRAST = 24, 12
# Side, px, at which that is looked at.
SMALL = 128
# A mask is scaled to the frame when its width to height is the frame's but for this.
SHAPE = 0.97, 1.03
# Frames looked at to find what moves, from the first usable one on.
OBSERVED = 24
# A detection that lies in known masks to this share is nobody new.
KNOWN = 0.3
# Nor is the one that fits an object's box best, if so much of one lies in the other: boxes may have much around people.
SAME = 0.5
# A newcomer's detection must be at least so sure: a false one would cost a pass over the clip.
SURE = 0.6


@dataclass
class Anchor:
    """Where tracking starts.

    Attributes:
        frame: index of the clip's frame.
        prompts: what is shown there, in px of the clip that was searched.
        method: "by hand", "detector", "motion" or "track".
        boxes: what was detected on the frame, by the prompts' labels.
    """

    frame: int
    prompts: list[Prompt]
    method: str
    boxes: list[Detection] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "frame": self.frame,
            "method": self.method,
            "labels": [prompt.label for prompt in self.prompts],
            "boxes": detections_data(self.boxes),
        }


def detections_data(found: Sequence[Detection]) -> list[dict[str, Any]]:
    """JSON-able."""
    return [
        {"label": item.label, "score": round(item.score, 3), "box": [float(side) for side in item.box]}
        for item in found
    ]


def detections_from(data: Sequence[Mapping[str, Any]]) -> list[Detection]:
    """What `detections_data` made JSON of."""
    return [Detection(item["label"], item["score"], tuple(item["box"]), "") for item in data]


def is_empty(image: np.ndarray) -> bool:
    """Whether a frame is dark, or of one colour, so that nobody could be found in it. uint8 [H, W, 3] RGB."""
    grey = cv2.cvtColor(cv2.resize(image, (SMALL, SMALL), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    low, high = np.percentile(grey, (5, 95))
    return bool(high < BRIGHT or high - low < CONTRAST)


def shown_by_hand(
    frame: int,
    boxes: Sequence[tuple[str, Box]],
    masks: Sequence[tuple[str, str]],
    clip_size: tuple[int, int],
    size: tuple[int, int],
) -> Anchor:
    """Boxes, px of a clip of (H, W), and files of masks of its shape and any size, as prompts for frames of (h, w) px.

    Raises:
        PromptError: a label twice, or a mask that covers nothing or is of another shape.
        ClipError: a file that is no picture.
    """
    down, across = size[0] / clip_size[0], size[1] / clip_size[1]
    prompts = [Prompt(label, frame, (b[0] * across, b[1] * down, b[2] * across, b[3] * down)) for label, b in boxes]
    for label, file in masks:
        mask = read_mask(Path(file))
        if not SHAPE[0] < mask.shape[1] / mask.shape[0] / (clip_size[1] / clip_size[0]) < SHAPE[1]:
            raise PromptError(
                f"{file}: the anchor mask is {mask.shape[1]}x{mask.shape[0]} and the frame that it is for "
                f"{clip_size[1]}x{clip_size[0]}: another shape (in stereo it is for the left eye alone)"
            )
        if mask.shape != size:
            scaled = cv2.resize(mask.astype(np.uint8) * 255, size[::-1], interpolation=cv2.INTER_AREA)
            mask = scaled > 127
        if not mask.any():
            raise PromptError(f"{file}: the anchor mask is black all over; white is the subject")
        prompts.append(Prompt(label, frame, mask=mask))
    names = [prompt.label for prompt in prompts]
    if len(set(names)) < len(names):
        raise PromptError(f"every object needs a label of its own: {', '.join(names)}")
    return Anchor(frame, prompts, "by hand")


def find_anchor(clip: Clip, subject: str, detector: Detector, confidence: float, start: int = 0) -> Anchor:
    """The first frame on which the subject is seen, and everyone of it there.

    Args:
        subject: a class of the detector's. Without a detector that names any (MotionDetector) what moves most is it.
        confidence: detections that score less don't count.
        start: the first frame to look at.

    Raises:
        DetectionError: the clip has no frame with the subject; the message says what was seen instead.
    """
    if isinstance(detector, MotionDetector):
        return _moving(clip, subject, detector, start)
    wanted, others, dark, seen = same_class(subject), set[str](), 0, 0
    for frame in progress(clip.read(start), clip.expected_count(), "looking for the subject"):
        if is_empty(frame.image):
            dark += 1
            continue
        seen += 1
        found = [item for item in detector(frame.image) if item.score >= confidence]
        people = distinct([item for item in found if same_class(item.label) == wanted])
        if people:
            named = numbered(people, subject)
            prompts = [Prompt(item.label, frame.index, item.box) for item in named]
            return Anchor(frame.index, prompts, "detector", named)
        others |= {item.label for item in found}
    raise DetectionError(
        f"no {subject} was found in {seen} frames of {clip.name} ({dark} more are dark or empty); found: "
        f"{', '.join(sorted(others)) or 'nothing'}: lower the confidence ({confidence:g}), or show a box or a mask"
    )


def find_newcomer(
    clip: Clip, track: Track, subject: str, detector: Detector, confidence: float, every: int, start: int = 0
) -> tuple[int, Detection] | None:
    """The first of every `every`-th frame, from `start` on, that shows someone of the subject in none of the masks.

    The surest of them there, with a label of its own; call it again from that frame on with the track that has them.
    None: nobody is new.
    """
    wanted = same_class(subject)
    for frame in progress(clip.read(start), len(track) - start, "looking for more"):
        if frame.index % every or is_empty(frame.image):
            continue
        found = [item for item in detector(frame.image)
                 if same_class(item.label) == wanted and item.score >= max(confidence, SURE)]  # fmt: skip
        new = _strangers(distinct(found), track.masks(frame.index))
        if new:
            surest = max(new, key=lambda one: one.score)
            return frame.index, replace(surest, label=free_label(subject, track.labels))
    return None


def _strangers(found: Sequence[Detection], masks: np.ndarray) -> list[Detection]:
    """Detections that are in none of the masks, bool [N, H, W], less the one of each that fits its box best."""
    taken = np.asarray(masks.any(axis=0))
    pairs = [
        (box_iou(item.box, box), n, owner)
        for owner, box in enumerate(mask_box(mask) for mask in masks if mask.any())
        for n, item in enumerate(found)
        if box_overlap(item.box, box) >= SAME * min(item.area, (box[2] - box[0]) * (box[3] - box[1]))
    ]
    explained: dict[int, int] = {}
    for _, n, owner in sorted(pairs, reverse=True):
        if n not in explained and owner not in explained.values():
            explained[n] = owner
    return [item for n, item in enumerate(found) if n not in explained and _covered(taken, item.box) < KNOWN]


def mask_box(mask: np.ndarray) -> Box:
    """The box around a mask, bool [H, W], that isn't empty; px, ends exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def distinct(found: Sequence[Detection]) -> list[Detection]:
    """Detections, the surest first, without those that are the same thing seen again (overlap above half)."""
    kept: list[Detection] = []
    for item in sorted(found, key=lambda item: -item.score):
        if all(box_iou(item.box, other.box) < 0.5 for other in kept):
            kept.append(item)
    return kept


def numbered(found: Sequence[Detection], subject: str) -> list[Detection]:
    """With names of their own from left to right: "person", "person 2", ..."""
    in_order = sorted(found, key=lambda item: item.centre[0])
    return [replace(item, label=subject if n == 0 else f"{subject} {n + 1}") for n, item in enumerate(in_order)]


def free_label(subject: str, taken: Sequence[str]) -> str:
    """The next of "person", "person 2", ... that is not taken."""
    names = [subject, *(f"{subject} {n}" for n in range(2, len(taken) + 2))]
    return next(name for name in names if name not in taken)


def _moving(clip: Clip, subject: str, detector: MotionDetector, start: int) -> Anchor:
    frames: list[int] = []

    def images() -> Iterator[np.ndarray]:
        for frame in islice(_from_first_usable(clip, start), OBSERVED):
            frames.append(frame.index)
            yield frame.image

    found = detector.over(progress(images(), OBSERVED, "looking for what moves"))
    strongest = f"{LABEL} 1"
    seen = [(t, item) for t, items in zip(frames, found, strict=True) for item in items if item.label == strongest]
    if not seen:
        what = f"nothing moves in its frames {frames[0]} to {frames[-1]}" if frames else "its frames are dark or empty"
        raise DetectionError(
            f"{clip.name}: {what}; show the subject by a box or a mask, or choose a detector that knows a {PERSON}"
        )
    frame, item = max(seen, key=lambda pair: pair[1].score * np.sqrt(pair[1].area))
    item = replace(item, label=subject)
    return Anchor(frame, [Prompt(subject, frame, item.box)], "motion", [item])


def _from_first_usable(clip: Clip, start: int) -> Iterator[Frame]:
    usable = False
    for frame in clip.read(start):
        usable = usable or not is_empty(frame.image)
        if usable:
            yield frame


def _covered(mask: np.ndarray, box: Box) -> float:
    x1, y1, x2, y2 = (max(0, round(side)) for side in box)
    part = mask[y1:y2, x1:x2]
    return float(part.mean()) if part.size else 1.0

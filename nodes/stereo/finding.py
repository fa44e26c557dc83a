"""The subject's tracks in both eyes, in one of three ways: each eye by itself, the right one from the left one, or both
from detections that were brought together first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..extraction.detection import Detection, DetectionError, Detector, describe_detector, same_class
from ..extraction.motion import MotionDetector
from ..extraction.prompts import Prompt, PromptError
from ..extraction.shown import prompt_masks
from ..host import progress
from ..matting.anchor import Anchor, distinct, mask_box, numbered
from ..matting.finding import Finder, Found
from ..matting.methods import INDEPENDENT, JOINT, MASTER_SLAVE, REPROCESS
from ..matting.passes import Passes
from ..matting.profile import DETECT, DISPARITY, Profile
from ..matting.scaled import ScaledClip, shrink, working_size
from ..matting.settings import Settings
from ..media.clip import Clip
from ..media.track import Track, TrackBuilder
from .alignment import align
from .associate import associate
from .consistency import measure_agreement
from .eyes import LEAST_COVERAGE, MasterSlave, Own, RightEye
from .layouts import StereoClip
from .projections import FISHEYE, FLAT, HALF_EQUIRECTANGULAR, Projection, open_projection
from .rig import WORKING, Rig
from .transfer import transfer
from .views import detect_in_views

if TYPE_CHECKING:
    from ..extraction.sam2_model import SAM2Model

# The names of the command line, as the stereo stage has them.
PROJECTION = {"hequirect": HALF_EQUIRECTANGULAR, "fisheye": FISHEYE, "flat": FLAT}


class ViewsDetector:
    """A detector that looks at an eye through flat views."""

    def __init__(self, detector: Detector, projection: Projection):
        self._detector, self._projection = detector, projection

    def __call__(self, image: np.ndarray) -> list[Detection]:
        return detect_in_views(self._detector, image, self._projection)

    def describe(self) -> str:
        return f"{describe_detector(self._detector)} Through flat views into each eye."


@dataclass
class _Agreement:
    """What is told of both eyes' likeness, frame by frame."""

    flagged: list[int]
    again: list[int]
    likeness: list[float]
    coverage: list[float]
    unequal: list[int]

    def add(self, t: int, left: np.ndarray, done: RightEye) -> None:
        """Take in a frame: the left eye's masks, bool [N, H, W], and what became of the right one's."""
        if len({sum(bool(mask.any()) for mask in masks) for masks in (left, done.masks)}) > 1:
            self.unequal.append(t)
        seen = np.isfinite(done.s_iou)
        if seen.any():
            self.likeness.append(float(done.s_iou[seen].min()))
            self.coverage.append(float(done.coverage[seen].min()))
        if done.again.any():
            self.again.append(t)
        if done.failed.any():
            self.flagged.append(t)

    def data(self, settings: Settings) -> dict[str, Any]:
        """JSON-able; of every frame its least alike object counts."""
        return {
            "mode": settings.mode,
            "threshold": settings.threshold,
            "on_mismatch": settings.on_mismatch,
            "s_iou": {"mean": float(np.mean(self.likeness)), "least": min(self.likeness)} if self.likeness else None,
            "coverage": float(np.mean(self.coverage)) if self.coverage else None,
            "frames_done_again": self.again,
            "frames_flagged": self.flagged,
            "frames_with_unequal_counts": self.unequal,
        }


def eye_projection(stereo: StereoClip, settings: Settings) -> Projection:
    """The projection of each eye."""
    aspect = float(stereo.layout.pixel_aspect)
    return open_projection(PROJECTION[settings.projection], stereo.eye_size, settings.field_of_view, aspect)


def find_stereo(
    stereo: StereoClip,
    settings: Settings,
    profile: Profile,
    model: SAM2Model | None = None,
    passes: Passes | None = None,
) -> Found:
    """Tracks of both eyes, at the size worked at; `model` and `passes` as `find_flat` has them.

    Raises:
        DetectionError, PromptError: nobody was found, or what was shown can't be used.
    """
    stereo.require_equal_length()
    size = working_size(stereo.eye_size, settings.scale)
    projection = eye_projection(stereo, settings)
    rig = Rig(projection, size, min(WORKING, max(size)))
    left, right = ScaledClip(stereo.left, size), ScaledClip(stereo.right, size)
    finder = Finder(settings, profile, model, passes)
    if finder.detector is not None and not isinstance(finder.detector, MotionDetector):
        finder.detector = ViewsDetector(finder.detector, projection)
    anchor = finder.anchor(left, stereo.eye_size)
    rig, lenses = align(rig, stereo, anchor.frame)
    agreement = _Agreement([], [], [], [], [])
    in_right: list[Detection] = []
    if settings.mode == MASTER_SLAVE:
        master = finder.track(left, anchor.prompts)
        slave = _follow(stereo, rig, finder, master, agreement)
    else:
        *prompts, in_right = _prompts(left, right, rig, finder, anchor)
        master, slave = (finder.track(eye, shown) for eye, shown in zip((left, right), prompts, strict=True))
        slave = _checked(stereo, rig, finder, master, slave, agreement)
    master.warnings.extend(finder.warnings)
    about = finder.about() | {"stereo": agreement.data(settings) | {"lenses": lenses.data()}}
    detected = [finder.detected, {anchor.frame: in_right}]
    return Found([master, slave], anchor, about, agreement.flagged, detected)


def _follow(stereo: StereoClip, rig: Rig, finder: Finder, master: Track, agreement: _Agreement) -> Track:
    """The right eye's track from the left one's."""
    settings = finder.settings
    own = _own(finder, master.labels) if settings.track_every else None
    eyes = MasterSlave(rig, settings.threshold, settings.on_mismatch, own, max(1, settings.track_every))
    builder = TrackBuilder(
        master.labels, master.clip_size, master.rate, stereo.right.name, f"{master.tracker}, carried over by disparity"
    )
    for left, right in progress(stereo.pairs(), len(master), "carrying over"):
        t = left.index
        with finder.profile.stage(DISPARITY):
            ours = master.masks(t)
            done = eyes.frame(t, shrink(left.image, rig.size), shrink(right.image, rig.size), ours)
        agreement.add(t, ours, done)
        scores = np.minimum(master.scores[t], np.nan_to_num(done.s_iou, nan=0.0)).astype(np.float32)
        builder.append(done.masks, np.where(done.masks.any(axis=(1, 2)), scores, 0), right.time)
    return builder.finish()


def _own(finder: Finder, labels: Sequence[str]) -> Own:
    """What the right eye's own pixels say of the same objects: each shown by the box of what was carried over."""

    def look(t: int, image: np.ndarray, masks: np.ndarray) -> np.ndarray:
        found = np.zeros_like(masks)
        shown = [(n, Prompt(labels[n], t, mask_box(mask))) for n, mask in enumerate(masks) if mask.any()]
        if shown:
            found[[n for n, _ in shown]] = prompt_masks(image, [prompt for _, prompt in shown], finder.model)
        return found

    return look


def _prompts(
    left: Clip, right: Clip, rig: Rig, finder: Finder, anchor: Anchor
) -> tuple[list[Prompt], list[Prompt], list[Detection]]:
    """What is shown to the tracker in each eye, and what was detected in the right one."""
    settings, at = finder.settings, anchor.frame
    images = left.frame(at).image, right.frame(at).image
    if settings.mode == INDEPENDENT and anchor.method == "detector":
        assert finder.detector is not None
        with finder.profile.stage(DETECT):
            found = _people(finder, images[1])
        if not found:
            raise DetectionError(
                f"no {settings.subject} was found in the right eye on frame {at}: choose the mode {MASTER_SLAVE} or "
                f"{JOINT}, another anchor frame, or a lower confidence ({settings.confidence:g})"
            )
        named = numbered(found, settings.subject)
        return anchor.prompts, [Prompt(item.label, at, item.box) for item in named], named
    if anchor.method == "detector":
        with finder.profile.stage(DETECT):
            seen = [_people(finder, image) for image in images]
            pairs, alone = associate(rig, *images, *seen)
        if alone:
            finder.warnings.append(
                f"frame {at}: {len(alone)} of {settings.subject} left out, as where they are in the other eye can't be "
                "told"
            )
        if pairs:
            pairs = sorted(pairs, key=lambda pair: pair.left.centre[0])
            in_left = numbered([pair.left for pair in pairs], settings.subject)
            in_right = [replace(pair.right, label=item.label) for pair, item in zip(pairs, in_left, strict=True)]
            anchor.boxes = finder.detected[at] = in_left
            anchor.prompts = [Prompt(item.label, at, item.box) for item in in_left]
            return anchor.prompts, [Prompt(item.label, at, item.box) for item in in_right], in_right
    masks = prompt_masks(images[0], anchor.prompts, finder.model)
    with finder.profile.stage(DISPARITY):
        carried = transfer(rig, *images, masks).masks
    lost = [prompt.label for prompt, mask in zip(anchor.prompts, carried, strict=True) if not mask.any()]
    if lost:
        raise PromptError(
            f"{', '.join(lost)} could not be carried to the right eye on frame {at}: choose another anchor frame, or "
            f"the mode {MASTER_SLAVE}"
        )
    shown = [Prompt(prompt.label, at, mask=mask) for prompt, mask in zip(anchor.prompts, carried, strict=True)]
    return anchor.prompts, shown, []


def _people(finder: Finder, image: np.ndarray) -> list[Detection]:
    assert finder.detector is not None
    settings = finder.settings
    return distinct([
        item for item in finder.detector(image)
        if same_class(item.label) == same_class(settings.subject) and item.score >= settings.confidence
    ])  # fmt: skip


def _checked(stereo: StereoClip, rig: Rig, finder: Finder, master: Track, slave: Track, agreement: _Agreement) -> Track:
    """The right eye's own track, held against the left one's; done again from it where that is wanted and better."""
    settings = finder.settings
    same = master.labels == slave.labels
    eyes = MasterSlave(rig, settings.threshold)
    builder = TrackBuilder(slave.labels, slave.clip_size, slave.rate, slave.source, slave.tracker)
    for left, right in progress(stereo.pairs(), len(master), "comparing the eyes"):
        t = left.index
        ours, theirs = master.masks(t), slave.masks(t)
        # Eyes by themselves may see different people: all of them are then held against all.
        compared = (ours, theirs) if same else tuple(np.any(masks, axis=0, keepdims=True) for masks in (ours, theirs))
        with finder.profile.stage(DISPARITY):
            one, other = shrink(left.image, rig.size), shrink(right.image, rig.size)
            found = measure_agreement(rig, one, other, compared[0], compared[1])
            bad = _fails(compared[0], compared[1], found.s_iou, found.coverage, settings.threshold)
            done = RightEye(theirs, found.s_iou, found.coverage, bad, np.zeros(len(bad), bool), np.zeros(len(bad)))
            if bad.any() and settings.on_mismatch == REPROCESS and same:
                done = _again(eyes.frame(t, one, other, ours), done, ours)
        agreement.add(t, ours, done)
        carried = np.minimum(master.scores[t], np.nan_to_num(done.s_iou)) if done.again.any() else 0
        builder.append(done.masks, np.where(done.again, carried, slave.scores[t]).astype(np.float32), right.time)
    builder.warnings.extend(slave.warnings)
    return builder.finish()


def _fails(
    left: np.ndarray, right: np.ndarray, scores: np.ndarray, coverage: np.ndarray, threshold: float
) -> np.ndarray:
    """bool [N]: objects that one of the eyes shows and that don't agree, or can't be compared."""
    seen = np.array([bool(a.any() or b.any()) for a, b in zip(left, right, strict=True)], bool)
    return seen & ~((scores >= threshold) & (coverage >= LEAST_COVERAGE))


def _again(carried: RightEye, own: RightEye, left: np.ndarray) -> RightEye:
    """The right eye's own masks, with those that fail taken from the left eye where that agrees better.

    Whom the left eye doesn't show, bool [N, H, W], it may have lost: he stays in the right one, and is flagged.
    """
    take = own.failed & left.any(axis=(1, 2)) & (np.nan_to_num(carried.s_iou) > np.nan_to_num(own.s_iou))
    masks = own.masks.copy()
    masks[take] = carried.masks[take]
    if take.any():
        masks[~take] &= ~carried.masks[take].any(axis=0)
    return RightEye(
        masks,
        np.where(take, carried.s_iou, own.s_iou),
        np.where(take, carried.coverage, own.coverage),
        np.where(take, carried.failed, own.failed),
        take,
        own.hidden,
    )

"""The first stage of a matte: the subject's track through a clip, at the size worked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..extraction.detection import Detection, Detector, describe_detector
from ..extraction.motion import MotionDetector
from ..extraction.prompts import Prompt
from ..extraction.sam2_model import find_sam2, load_sam2
from ..extraction.subjects import find_detector, open_detector
from ..extraction.tracking import track
from ..media.clip import Clip
from ..media.track import Track
from .anchor import Anchor, find_anchor, find_newcomer, shown_by_hand
from .passes import Passes
from .profile import DETECT, TRACK, Profile, TimedDetector
from .scaled import ScaledClip, working_size
from .settings import Settings

if TYPE_CHECKING:
    from ..extraction.sam2_model import SAM2Model

# How many people who come later are looked for; each that is found costs two passes over the clip.
MOST_NEWCOMERS = 8


@dataclass
class Found:
    """A track for each eye, and how it came about.

    Attributes:
        tracks: at the size worked at, with the same labels in every eye.
        anchor: where tracking started.
        about: JSON-able, for the summary.
        flagged: frames on which the eyes don't agree.
        detected: for each eye, by frame: the detections that the track was made from, by the objects' labels, px of
            the size worked at.
    """

    tracks: list[Track]
    anchor: Anchor
    about: dict[str, Any] = field(default_factory=dict)
    flagged: list[int] = field(default_factory=list)
    detected: list[dict[int, list[Detection]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.detected = self.detected or [{} for _ in self.tracks]


class Finder:
    """Detector and tracker of one run, opened once, for any number of eyes; `passes` keeps what it tracks.

    Attributes:
        detected: by frame, what was detected in the eye in which the anchor was looked for, for `Found`.
        warnings: sentences for the summary.
    """

    def __init__(
        self, settings: Settings, profile: Profile, model: SAM2Model | None = None, passes: Passes | None = None
    ):
        self.settings, self.profile, self._passes = settings, profile, passes
        by_hand = bool(settings.boxes or settings.masks)
        self.detector: Detector | None = None
        if settings.detector or not by_hand:
            self.detector = open_detector(find_detector(settings.detector) if settings.detector else None)
        self.detected: dict[int, list[Detection]] = {}
        self.warnings: list[str] = []
        self.model = model
        if model is None and settings.sam2:
            self.model = load_sam2(find_sam2(settings.sam2), settings.precision)

    @property
    def guide(self) -> Detector | None:
        """The detector for the tracker: one that names classes. Proposals from motion can't tell objects apart."""
        if self.detector is None or isinstance(self.detector, MotionDetector):
            return None
        return TimedDetector(self.detector, self.profile)

    def anchor(self, clip: Clip, clip_size: tuple[int, int]) -> Anchor:
        """Where to start in a clip that was scaled from (H, W) px."""
        chosen = self.settings
        if chosen.boxes or chosen.masks:
            size = clip.height, clip.width
            return shown_by_hand(max(chosen.anchor, 0), chosen.boxes, chosen.masks, clip_size, size)
        assert self.detector is not None
        with self.profile.stage(DETECT):
            start = max(chosen.anchor, 0)
            found = find_anchor(clip, chosen.subject, self.detector, chosen.confidence, start)
        self.detected[found.frame] = list(found.boxes)
        return found

    def track(self, clip: Clip, prompts: Sequence[Prompt]) -> Track:
        """Follow what is shown, and with `newcomers` also who comes later."""
        with self.profile.stage(TRACK):
            found = self._follow(clip, prompts, None)
        if self.settings.newcomers and self.guide is not None:
            found = self._with_newcomers(clip, found, self.guide)
        return found

    def _with_newcomers(self, clip: Clip, found: Track, detector: Detector) -> Track:
        chosen, start = self.settings, 0
        every = max(1, round(chosen.newcomers * clip.rate))
        for _ in range(MOST_NEWCOMERS):
            with self.profile.stage(DETECT):
                new = find_newcomer(clip, found, chosen.subject, detector, chosen.confidence, every, start)
            if new is None:
                return found
            start, seen = new
            self.detected.setdefault(start, []).append(seen)
            with self.profile.stage(TRACK):
                found = self._follow(clip, [Prompt(seen.label, start, seen.box)], found)
        self.warnings.append(f"{MOST_NEWCOMERS} people who came later were taken in; for more nobody looked")
        return found

    def _follow(self, clip: Clip, prompts: Sequence[Prompt], previous: Track | None) -> Track:
        # In stereo both eyes' bands come from masks: what is carried from one to the other has no logits.
        flat = self.settings.stereo == "none"
        soft = self.model is not None and flat and self.settings.trimap_source != "masks"

        def follow() -> Track:
            return track(clip, prompts, self.guide, self.model, previous, soft=soft)

        return follow() if self._passes is None else self._passes.track(clip.name, prompts, follow)

    def about(self) -> dict[str, Any]:
        """JSON-able: what finds and what follows."""
        model = self.model
        return {
            "detector": None if self.detector is None else describe_detector(self.detector),
            "sam2": model and {"name": model.name, "file": model.file, "precision": str(model.dtype)},
        }


def find_flat(
    clip: Clip, settings: Settings, profile: Profile, model: SAM2Model | None = None, passes: Passes | None = None
) -> Found:
    """The track of a flat clip's subject; `model` in place of the settings' file, `passes` see Finder.

    Raises:
        DetectionError, PromptError: nobody was found, or what was shown can't be used.
    """
    size = clip.height, clip.width
    small = ScaledClip(clip, working_size(size, settings.scale))
    finder = Finder(settings, profile, model, passes)
    anchor = finder.anchor(small, size)
    track = finder.track(small, anchor.prompts)
    track.warnings.extend(finder.warnings)
    return Found([track], anchor, finder.about(), detected=[finder.detected])

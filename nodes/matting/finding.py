"""The first stage of a matte: the subject's track through a clip, at the size worked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..extraction.detection import Detector, describe_detector
from ..extraction.motion import MotionDetector
from ..extraction.prompts import Prompt
from ..extraction.sam2_model import find_sam2, load_sam2
from ..extraction.subjects import find_detector, open_detector
from ..extraction.tracking import track
from ..media.clip import Clip
from ..media.track import Track
from .anchor import Anchor, find_anchor, newcomers, shown_by_hand
from .profile import DETECT, TRACK, Profile
from .scaled import ScaledClip, working_size
from .settings import Settings

if TYPE_CHECKING:
    from ..extraction.sam2_model import SAM2Model

# Rounds of looking for people who come later; each that finds somebody costs a pass over the clip.
ROUNDS = 8


@dataclass
class Found:
    """A track for each eye, and how it came about.

    Attributes:
        tracks: at the size worked at, with the same labels in every eye.
        anchor: where tracking started.
        about: JSON-able, for the summary.
        flagged: frames on which the eyes don't agree.
    """

    tracks: list[Track]
    anchor: Anchor
    about: dict[str, Any] = field(default_factory=dict)
    flagged: list[int] = field(default_factory=list)


class Finder:
    """Detector and tracker of one run, opened once, for any number of eyes."""

    def __init__(self, settings: Settings, profile: Profile, model: SAM2Model | None = None):
        self.settings, self.profile = settings, profile
        by_hand = bool(settings.boxes or settings.masks)
        self.detector: Detector | None = None
        if settings.detector or not by_hand:
            self.detector = open_detector(find_detector(settings.detector) if settings.detector else None)
        self.model = model
        if model is None and settings.sam2:
            self.model = load_sam2(find_sam2(settings.sam2), settings.precision)

    @property
    def guide(self) -> Detector | None:
        """The detector for the tracker: one that names classes. Proposals from motion can't tell objects apart."""
        return None if isinstance(self.detector, MotionDetector) else self.detector

    def anchor(self, clip: Clip, clip_size: tuple[int, int]) -> Anchor:
        """Where to start in a clip that was scaled from (H, W) px."""
        chosen = self.settings
        if chosen.boxes or chosen.masks:
            size = clip.height, clip.width
            return shown_by_hand(max(chosen.anchor, 0), chosen.boxes, chosen.masks, clip_size, size)
        assert self.detector is not None
        with self.profile.stage(DETECT):
            if chosen.anchor >= 0:
                found = find_anchor(_From(clip, chosen.anchor), chosen.subject, self.detector, chosen.confidence)
            else:
                found = find_anchor(clip, chosen.subject, self.detector, chosen.confidence)
        return found

    def track(self, clip: Clip, prompts: Sequence[Prompt]) -> Track:
        """Follow what is shown, and with `newcomers` also who comes later."""
        with self.profile.stage(TRACK):
            found = self._follow(clip, prompts, None)
        if self.settings.newcomers and self.guide is not None:
            every = max(1, round(self.settings.newcomers * clip.rate))
            for _ in range(ROUNDS):
                with self.profile.stage(DETECT):
                    new = newcomers(clip, found, self.settings.subject, self.guide, self.settings.confidence, every)
                if not new:
                    break
                with self.profile.stage(TRACK):
                    found = self._follow(clip, new, found)
        return found

    def _follow(self, clip: Clip, prompts: Sequence[Prompt], previous: Track | None) -> Track:
        soft = self.model is not None and self.settings.trimap_source != "masks"
        return track(clip, prompts, self.guide, self.model, previous, soft=soft)

    def about(self) -> dict[str, Any]:
        return {"detector": None if self.detector is None else describe_detector(self.detector)}


def find_flat(clip: Clip, settings: Settings, profile: Profile, model: SAM2Model | None = None) -> Found:
    """The track of a flat clip's subject; `model` in place of the settings' file.

    Raises:
        DetectionError, PromptError: nobody was found, or what was shown can't be used.
    """
    size = clip.height, clip.width
    small = ScaledClip(clip, working_size(size, settings.scale))
    finder = Finder(settings, profile, model)
    anchor = finder.anchor(small, size)
    return Found([finder.track(small, anchor.prompts)], anchor, finder.about())


class _From(ScaledClip):
    """A clip from one of its frames on, with its own numbers."""

    def __init__(self, clip: Clip, first: int):
        super().__init__(clip, (clip.height, clip.width))
        self._first = first

    def read(self, start: int = 0) -> Any:
        return self._clip.read(max(start, self._first))

"""Follow prompted objects through a whole clip: shot by shot, both ways from the frames they were shown on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from ..host import progress
from ..media.clip import Clip
from ..media.track import Track, TrackBuilder
from .detection import COCO_CLASSES, PERSON, Detector, describe_detector, same_class
from .find_again import SEARCHED, find_again
from .followers import EmbeddedFollower, Follower, SAM2Follower
from .prompts import Point, Prompt, PromptError
from .shot_tracker import Result, ShotTracker, earlier
from .shots import Shots
from .shown import prompt_masks
from .soft_logits import SoftLogits

if TYPE_CHECKING:
    from .sam2_model import SAM2Model

__all__ = ["Point", "Prompt", "PromptError", "prompt_masks", "track", "track_masks"]

EMBEDDED = "embedded"


def track(
    clip: Clip,
    prompts: Sequence[Prompt],
    detector: Detector | None = None,
    model: SAM2Model | None = None,
    previous: Track | None = None,
    cuts: bool = True,
    soft: bool = False,
) -> Track:
    """Track every prompted object through the whole clip, forward and backward from the frames it was shown on.

    Before an object's first prompt its masks come from going back from there. Between two frames on which it is shown,
    SAM 2.1 remembers both (they are conditioning frames); the embedded tracker takes each frame from the nearer one.

    Nothing is carried over a cut. In a shot without a prompt for it an object is looked for by the detector in the
    first second (see `find_again`), and else it is lost there: empty masks, score 0, and a warning.

    A correction of `previous`: frames before the first new prompt stay bit for bit. From there on an object goes on
    from its own first new prompt to the end of the shot, by SAM 2.1 with what was approved before in its memory. Until
    then, in other shots, and if it has no new prompt, it stays as it was, less the pixels that a corrected object
    takes. A prompt of clicks corrects the mask that `previous` has on its frame; a box or a mask replaces it. A name
    that `previous` doesn't have is a new object, which is tracked back as well.

    Args:
        prompts: what to track. One object may be shown on several frames, and objects on different ones.
        detector: helps objects whose label is a class that it names. The embedded tracker asks it on every frame, to
            keep masks from leaking and to find lost objects; SAM 2.1 when an object was not seen for 12 frames.
        model: SAM 2.1; None: the embedded tracker, which needs no weights.
        previous: an earlier track of this clip, to be corrected.
        cuts: look for cuts; False takes the clip for one shot.
        soft: keep SAM 2.1's logits in `Track.soft`.

    Returns:
        A track with one mask per object and frame, at the clip's size, empty (with its low score) where the object is
        not seen. Masks of different objects never overlap.

    Raises:
        PromptError: see `prompt_masks`; also a frame that the clip doesn't have, an object shown twice on one frame, or
            a `previous` of another clip.
    """
    run = _Run(clip, prompts, detector, model, previous, cuts, soft)
    for masks, scores, time in progress(run.results(), clip.expected_count(), "tracking"):
        run.builder.append(masks, scores, time)
    return run.finish()


def track_masks(
    clip: Clip,
    masks: Mapping[str, np.ndarray],
    frame: int,
    detector: Detector | None = None,
    model: SAM2Model | None = None,
) -> Track:
    """Track objects by exact masks, bool [H, W] by label, shown on `frame`; as `track` in all else."""
    return track(clip, [Prompt(label, frame, mask=mask) for label, mask in masks.items()], detector, model)


class _Run:
    """One call of `track`: its prompts in order, and the frames as they are done."""

    def __init__(
        self,
        clip: Clip,
        prompts: Sequence[Prompt],
        detector: Detector | None,
        model: SAM2Model | None,
        previous: Track | None,
        cuts: bool,
        soft: bool,
    ):
        if not prompts:
            raise PromptError("there is nothing to track: give a box, points, a mask or a detector")
        self._clip, self._model, self._previous = clip, model, previous
        self._size = (clip.height, clip.width)
        known = previous.labels if previous else ()
        self._labels = (*known, *(label for label in dict.fromkeys(p.label for p in prompts) if label not in known))
        self._shown = self._by_frame(prompts)
        named = any(same_class(label) in COCO_CLASSES for label in self._labels)
        self._detector = detector if named else None
        self._shots = Shots(clip, cuts)
        made_by = EMBEDDED if model is None else model.name
        if self._detector is not None:
            made_by += f", guided by {describe_detector(self._detector)}"
        self.builder = TrackBuilder(self._labels, self._size, clip.rate, clip.name, made_by)
        self._soft = SoftLogits(len(self._labels), previous) if soft and model is not None else None
        self._warnings: list[str] = list(previous.warnings) if previous else []
        if detector is not None and self._detector is None:
            self._warn(f"the detector was not used: it names none of {', '.join(self._labels)}")
        if soft and model is None:
            self._warn("there are no soft logits: only SAM 2.1 makes them")
        if self._shots.missing:
            self._warn("cuts were not looked for: the package scenedetect is not installed (pip install scenedetect)")
        self._last = self._check_frames()

    def _by_frame(self, prompts: Sequence[Prompt]) -> dict[int, dict[int, Prompt]]:
        shown: dict[int, dict[int, Prompt]] = {}
        for prompt in prompts:
            there = shown.setdefault(prompt.frame, {})
            n = self._labels.index(prompt.label)
            if n in there:
                raise PromptError(
                    f"{prompt.label!r} is shown twice on frame {prompt.frame}: every object needs a label of its own"
                )
            there[n] = prompt
        return dict(sorted(shown.items()))

    def _check_frames(self) -> int:
        """The last prompted frame. `count` also learns the timestamps, so that reading backwards can jump."""
        last = max(self._shown)
        if (last > 0 or self._previous) and last >= self._clip.count():
            raise PromptError(
                f"{self._clip.name} has {self._clip.count()} frames, counted from 0; a prompt is on frame {last}"
            )
        earlier = self._previous
        if earlier and (len(earlier) != self._clip.count() or earlier.clip_size != self._size):
            raise PromptError(
                f"the track to correct has {len(earlier)} frames of {earlier.clip_size[1]}x{earlier.clip_size[0]}, "
                f"{self._clip.name} has {self._clip.count()} of {self._clip.width}x{self._clip.height}"
            )
        if min(self._shown) < 0:
            raise PromptError(f"a prompt is on frame {min(self._shown)}; frames are counted from 0")
        return last

    def finish(self) -> Track:
        self.builder.warnings.extend(self._warnings)
        done = self.builder.finish()
        if self._soft is not None:
            done.soft = self._soft.finish(len(done))
        return done

    def results(self) -> Iterator[Result]:
        """Every frame's result, in order."""
        self._shots.look_until(self._last)
        start: int | None = 0
        while start is not None:
            end = self._shots.next_cut(start)
            shown = {t: on for t, on in self._shown.items() if start <= t and (end is None or t < end)}
            if self._previous and not shown:
                stop = len(self._previous) if end is None or start > self._last else end
                for t in range(start, stop):
                    yield (*earlier(self._previous, t, len(self._labels)), self._previous.time(t))
                start = stop if stop < len(self._previous) else None
                continue
            missing = [n for n in range(len(self._labels)) if all(n not in on for on in shown.values())]
            if missing and not self._previous:
                self._look_again(start, end, missing, shown)
            if shown:
                yield from self._track(start, dict(sorted(shown.items())))
            else:
                nothing = np.zeros((len(self._labels), *self._size), bool)
                for frame in self._shots.read(start):
                    yield nothing, np.zeros(len(self._labels), np.float32), frame.time
            start = self._shots.next_cut(start)

    def _track(self, start: int, shown: dict[int, dict[int, Prompt]]) -> Iterator[Result]:
        with closing(self._follower()) as follower:
            yield from ShotTracker(
                self._shots, start, shown, follower, self._previous, self._soft, self._warn
            ).results()

    def _follower(self) -> Follower:
        if self._model is None:
            return EmbeddedFollower(self._size, self._labels, self._detector)
        return SAM2Follower(self._model, self._size, self._labels, self._detector, self._clip.expected_count())

    def _look_again(
        self, start: int, end: int | None, missing: Sequence[int], shown: dict[int, dict[int, Prompt]]
    ) -> None:
        """Add what the detector finds in a shot without prompts to `shown`, and say what became of each object."""
        names = [self._labels[n] for n in missing]
        where = f"cut at frame {start}" if start else f"before the cut at frame {end}"
        found = []
        if self._detector is not None:
            found = find_again(self._shots.read(start), names, self._detector, PERSON in self._labels)
        for item in found:
            n = self._labels.index(item.label)
            shown.setdefault(item.frame, {})[n] = Prompt(item.label, item.frame, item.box)
            self._warn(f"{where}: {item.label} taken up again on frame {item.frame} by the detector ({item.reason})")
        lost = [name for name in names if name not in {item.label for item in found}]
        if lost:
            why = (
                "choose a detector, or"
                if self._detector is None
                else f"the detector is sure of none in {SEARCHED} frames:"
            )
            self._warn(f"{where}: {', '.join(lost)} lost; {why} show them again with a prompt in this shot")

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)

"""One shot, tracked: which frame's masks come from going forward, from going back, or from an earlier track."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

import numpy as np

from ..host import progress
from ..media.track import Track, TrackBuilder
from .embedded import exclusive
from .followers import Follower
from .prompts import Prompt
from .shots import Shots
from .soft_logits import SoftLogits

# Masks bool [N, H, W], scores float32 [N], presentation time in seconds.
Result = tuple[np.ndarray, np.ndarray, Fraction]


class ShotTracker:
    """Tracks the objects that are shown in one shot, from its first frame to its last.

    Args:
        start: the shot's first frame.
        shown: prompts by frame, in order, and by number of the object.
        follower: fresh, for this shot.
        previous: an earlier track to be corrected. Its objects have the first numbers.
        soft: where logits go.
        warn: takes a sentence for the user.
    """

    def __init__(
        self,
        shots: Shots,
        start: int,
        shown: Mapping[int, Mapping[int, Prompt]],
        follower: Follower,
        previous: Track | None,
        soft: SoftLogits | None,
        warn: Callable[[str], None],
    ):
        self._shots, self._start, self._shown, self._follower = shots, start, shown, follower
        self._previous, self._soft, self._warn = previous, soft, warn
        self._labels = follower.labels
        self._prompted = {n: [t for t in shown if n in shown[t]] for t in shown for n in shown[t]}
        known = len(previous.labels) if previous else 0
        self._new = [n for n in self._prompted if n >= known]
        self._back_from = self._first_of_backward_pass()
        self._back: Track | None = None

    def results(self) -> Iterator[Result]:
        """Every frame of the shot, in order."""
        self._show()
        first = min(self._shown)
        self._back = self._go_back()
        if self._back is not None and self._follower.begin_again(max(map(len, self._prompted.values()))):
            self._show()
        for t in range(self._start, first):
            known = self._back if self._back is not None else self._previous
            assert known is not None
            yield (*self._merge(t, None), known.time(self._back_index(t) if known is self._back else t))
        for frame in self._shots.read(first):
            wanted = [n for n in self._prompted if self._goes_forth(n, frame.index)]
            masks, scores, logits = self._follower.step(frame, False, wanted)
            if self._soft is not None and logits is not None:
                self._soft.write(frame.index, logits, wanted)
            yield (*self._merge(frame.index, (masks, scores)), frame.time)

    def _goes_back(self, n: int, t: int) -> bool:
        """Whether object n's mask on frame t comes from the backward pass."""
        frames = self._prompted[n]
        if t < frames[0]:
            return n in self._new
        if not self._follower.halves:
            return False
        before = max(frame for frame in frames if frame <= t)
        after = min((frame for frame in frames if frame > t), default=None)
        return after is not None and after - t < t - before

    def _goes_forth(self, n: int, t: int) -> bool:
        return t >= self._prompted[n][0] and not self._goes_back(n, t)

    def _first_of_backward_pass(self) -> int:
        """Where it begins, which is a prompted frame; the shot's start where there is none."""
        needed = [t for n, frames in self._prompted.items() for t in frames if t > 0 and self._goes_back(n, t - 1)]
        return max((t for t in needed if t > self._start), default=self._start)

    def _show(self) -> None:
        shown: dict[int, dict[int, Prompt]] = {t: dict(on) for t, on in self._shown.items()}
        bases: dict[tuple[int, int], np.ndarray] = {}
        if self._previous:
            for t, on in self._shown.items():
                for n, prompt in on.items():
                    if n not in self._new and prompt.mask is None and prompt.box is None:
                        bases[t, n] = self._previous.mask(t, self._labels[n])
            for t, n, mask in self._approved(self._previous):
                shown.setdefault(t, {}).setdefault(n, Prompt(self._labels[n], t, mask=mask))
        rivals = self._rivals()
        for t in sorted(shown):
            frame = self._shots.clip.frame(t)
            at_t = {n: base for (on, n), base in bases.items() if on == t}
            for n in self._follower.show(frame, shown[t], at_t, rivals if t == min(self._shown) else {}):
                self._warn(f"nothing was made out at the prompt for {self._labels[n]} on frame {t}")

    def _approved(self, previous: Track) -> Iterator[tuple[int, int, np.ndarray]]:
        """Frames, objects, masks: the first and the last approved one of each corrected object, to remember it by."""
        if self._follower.halves:
            return  # the embedded tracker learns from where it starts
        areas = previous.areas()
        for n, frames in self._prompted.items():
            if n not in self._new:
                seen = self._start + np.flatnonzero(areas[self._start : frames[0], n])
                for t in sorted({int(seen[0]), int(seen[-1])}) if len(seen) else []:
                    yield t, n, previous.mask(t, self._labels[n])

    def _rivals(self) -> dict[int, np.ndarray]:
        """Where the objects that aren't shown are on the first prompted frame: they compete for pixels."""
        if self._previous is None:
            return {}
        first = min(self._shown)
        old = enumerate(self._previous.masks(first))
        return {n: mask for n, mask in old if n not in self._shown[first] and mask.any()}

    def _go_back(self) -> Track | None:
        """The masks before frame `_back_from`, the last one first."""
        if self._back_from == self._start:
            return None
        clip = self._shots.clip
        builder = TrackBuilder(self._labels, (clip.height, clip.width), clip.rate)
        frames = progress(
            self._shots.back(self._back_from, self._start), self._back_from - self._start + 1, "tracking back"
        )
        for frame in frames:
            wanted = [n for n in self._prompted if self._goes_back(n, frame.index)]
            masks, scores, logits = self._follower.step(frame, True, wanted)
            if frame.index < self._back_from:
                builder.append(masks, scores, frame.time)
                if self._soft is not None and logits is not None:
                    self._soft.write(frame.index, logits, wanted)
        return builder.finish()

    def _back_index(self, t: int) -> int:
        return self._back_from - 1 - t

    def _merge(self, t: int, forward: tuple[np.ndarray, np.ndarray] | None) -> tuple[np.ndarray, np.ndarray]:
        """Each object's mask and score on frame t from where they belong, without overlap.

        Of masks from both directions the smaller one keeps the pixel, as a board drawn over its rider should.
        """
        clip = self._shots.clip
        masks = np.zeros((len(self._labels), clip.height, clip.width), bool)
        scores = np.zeros(len(self._labels), np.float32)
        backward = [n for n in self._prompted if self._goes_back(n, t)]
        if backward:
            assert self._back is not None
            found = self._back.masks(self._back_index(t))
            masks[backward], scores[backward] = found[backward], self._back.scores[self._back_index(t), backward]
        if forward is not None:
            forth = [n for n in self._prompted if self._goes_forth(n, t)]
            masks[forth], scores[forth] = forward[0][forth], forward[1][forth]
            if backward and forth:
                masks = exclusive(masks)
        if self._previous is None:
            return masks, scores
        old, old_scores = earlier(self._previous, t, len(self._labels))
        kept = [n for n in range(len(self._previous.labels)) if n not in self._prompted or t < self._prompted[n][0]]
        if t < min(self._shown):
            masks &= ~old.any(axis=0)
        else:
            old &= ~masks.any(axis=0)
        masks[kept], scores[kept] = old[kept], old_scores[kept]
        return masks, scores


def earlier(track: Track, t: int, objects: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks bool [N, H, W] and scores float32 [N] of an earlier track with fewer objects; the new ones have nothing."""
    masks, scores = track.masks(t), track.scores[t]
    more = objects - len(track.labels)
    nothing = np.zeros((more, *track.clip_size), bool)
    return np.concatenate([masks, nothing]), np.concatenate([scores, np.zeros(more, np.float32)])

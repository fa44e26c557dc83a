"""A tracker that makes no error: it is told what the generated clips show, and finds it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from faults import Fault, jittered, planted_track
from motions import DrawnClip
from physics_preserver.nodes.media.clip import Clip
from physics_preserver.nodes.media.track import Track, TrackBuilder


class PerfectTracker:
    """Follows the prompted objects through any clip of one source by name; what it doesn't know shows the source.

    Args:
        truth: the source's track.
        rough: also without a fault, the edges that it finds wobble by 1 px, as a good tracker's do.
        seed: of the wobble.
    """

    def __init__(self, truth: Track, rough: bool = False, seed: int = 0):
        self._truth, self._rough, self._seed = truth, rough, seed
        self._shown: dict[str, Track] = {}
        self._found = 0

    def plant(self, fault: Fault) -> Clip:
        """The clip that shows a fault, which this tracker knows from now on."""
        return self.show(planted_track(self._truth, fault), fault.name)

    def show(self, track: Track, name: str) -> Clip:
        """The clip that shows the masks of `track`."""
        self._shown = {name: track}
        return DrawnClip(track, name)

    def __call__(self, clip: Clip, masks: Mapping[str, np.ndarray], frame: int) -> Track:
        whole = self._shown.get(clip.name, self._truth)
        self._found += 1
        if self._rough:
            whole = jittered(whole, 10 * self._seed + self._found)
        builder = TrackBuilder(tuple(masks), whole.clip_size, whole.rate, clip.name, "perfect")
        columns = [whole.index(label) for label in masks]
        for t in range(clip.count()):
            builder.append(whole.masks(t)[columns], whole.scores[t, columns])
        return builder.finish()

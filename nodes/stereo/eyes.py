"""The right eye's masks from the left eye's, frame by frame, checked and, where the check fails, done again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .choices import BLOCKS, FLAG, FLOW, ON_FAILURE, REPROCESS, THRESHOLD
from .consistency import s_iou
from .rig import Rig
from .transfer import Transfer, transfer

# The least share of an object that must have been compared.
LEAST_COVERAGE = 0.4

Own = Callable[[int, np.ndarray, np.ndarray], np.ndarray]
"""(frame, right eye uint8 [H, W, 3], masks carried over bool [N, h, w]) -> the right eye's own bool [N, h, w]."""


@dataclass(frozen=True, eq=False)
class RightEye:
    """One frame of the right eye.

    Attributes:
        masks: bool [N, h, w], without overlap, of the left masks' size; the same objects in the same order.
        s_iou, coverage: float64 [N], see `consistency`; nan where nothing could be compared.
        failed: bool [N]: objects that are below the threshold, or could not be compared, whatever was tried.
        again: bool [N]: objects that were done again and came out better.
        hidden: float32 [N]: share of each mask that was filled from the right eye.
    """

    masks: np.ndarray
    s_iou: np.ndarray
    coverage: np.ndarray
    failed: np.ndarray
    again: np.ndarray
    hidden: np.ndarray


class MasterSlave:
    """Left masks in, right masks out; what it keeps does not grow with the clip.

    Args:
        rig: the lenses.
        threshold: S-IoU an object must reach.
        on_failure: FLAG: say so. REPROCESS: match the frame once more in another way (in two dimensions, or the other
            way round) and take whichever masks agree better, object by object; what still fails is flagged.
        own: the right eye's own tracker, asked on every `every`-th frame what of an object is hidden from the left eye.
            None: the right eye's pixels decide on every frame.
        every: frames from one question to the next.
        method: how to match, see `find_disparity`.

    Raises:
        ValueError: a threshold outside 0..1, or another word.
    """

    def __init__(
        self,
        rig: Rig,
        threshold: float = THRESHOLD,
        on_failure: str = FLAG,
        own: Own | None = None,
        every: int = 12,
        method: str = BLOCKS,
    ):
        if not 0 <= threshold <= 1:
            raise ValueError(f"the threshold is a share from 0 to 1, not {threshold:g}")
        if on_failure not in ON_FAILURE or every < 1:
            raise ValueError(f"on failure {on_failure!r} every {every}: choose one of {ON_FAILURE}, and 1 or more")
        self._rig, self._threshold, self._on_failure = rig, threshold, on_failure
        self._own, self._every, self._method = own, every, method

    def frame(self, t: int, left: np.ndarray, right: np.ndarray, masks: np.ndarray) -> RightEye:
        """Masks of the right eye on frame t.

        Args:
            left, right: uint8 [H, W, 3], RGB.
            masks: bool [N, h, w], the left eye's, without overlap.
        """
        done = self._carried(t, left, right, masks, self._method)
        scores, coverage = self._check(masks, done)
        failed = self._fails(masks, scores, coverage)
        again, result, hidden = np.zeros(len(masks), bool), done.masks, done.hidden
        if failed.any() and self._on_failure == REPROCESS:
            other = self._carried(t, left, right, masks, FLOW if self._method == BLOCKS else BLOCKS)
            other_scores, other_coverage = self._check(masks, other)
            again = failed & (_rank(other_scores, other_coverage) > _rank(scores, coverage))
            if again.any():
                result = _combined(done.masks, other.masks, again)
                scores = np.where(again, other_scores, scores)
                coverage = np.where(again, other_coverage, coverage)
                hidden = np.where(again, other.hidden, hidden)
                failed = self._fails(masks, scores, coverage)
        return RightEye(result, scores, coverage, failed, again, hidden)

    def _carried(self, t: int, left: np.ndarray, right: np.ndarray, masks: np.ndarray, method: str) -> Transfer:
        done = transfer(self._rig, left, right, masks, method=method)
        if self._own is None or t % self._every:
            return done
        return transfer(self._rig, left, right, masks, self._own(t, right, done.masks), disparity=done.disparity)

    def _check(self, masks: np.ndarray, done: Transfer) -> tuple[np.ndarray, np.ndarray]:
        of_left, of_right = (self._rig.to_working((masks.shape[1], masks.shape[2]), right) for right in (False, True))
        pairs = [
            s_iou(self._rig, done.disparity, of_left.cover(a), of_right.cover(b))
            for a, b in zip(masks, done.masks, strict=True)
        ]
        return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])

    def _fails(self, masks: np.ndarray, scores: np.ndarray, coverage: np.ndarray) -> np.ndarray:
        seen = masks.any(axis=(1, 2)) if len(masks) else np.zeros(0, bool)
        return seen & ~((scores >= self._threshold) & (coverage >= LEAST_COVERAGE))


def _rank(scores: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    """What is compared over little is worth little."""
    return np.nan_to_num(scores) * np.minimum(coverage / LEAST_COVERAGE, 1)


def _combined(first: np.ndarray, second: np.ndarray, take: np.ndarray) -> np.ndarray:
    """bool [N, h, w]: masks of the second where `take`, of the first elsewhere, without overlap: taken ones win."""
    masks = first.copy()
    masks[take] = second[take]
    masks[~take] &= ~second[take].any(axis=0)
    return masks

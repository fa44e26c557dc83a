"""Which frames of a long clip go through the model together, and which of them it is shown as they already are.

VACE takes 4 n + 1 frames and was trained on 81. A longer clip goes through it in windows that share frames: a window
is shown the last frames that the window before has made, with mask 0, and continues from there.

VACE reads the mask of the first latents one group of four frames late (see `latents.py`): after 4 k + 1 kept frames it
would read "generate" for the last of them. With 4 k + 2 kept frames it reads "keep" for exactly the first 4 k + 1, and
the one more is shown in the first group that it generates. So that is how many frames are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .choices import ConditioningError
from .latents import GROUP, TRAINED_LENGTH, latent_of, read_frame

# 10 frames are three latents that are read as kept: .6 s at Wan's 16 frames per second.
DEFAULT_OVERLAP = 10
LEAST_OVERLAP = 2


@dataclass(frozen=True)
class Window:
    """One run of the model.

    Attributes:
        start, stop: frames of the clip that it is shown, half-open.
        kept: so many of the first of them are shown as they already are, with mask 0.
        kept_after: so many of the last ones likewise.
        padding: copies of the last frame after them, which are dropped again.
        lead_in: copies of the first frame before them, likewise: whole latents, into which a reference may bleed.
    """

    start: int
    stop: int
    kept: int = 0
    kept_after: int = 0
    padding: int = 0
    lead_in: int = 0

    @property
    def length(self) -> int:
        """Frames that the model is given, 4 n + 1."""
        return self.lead_in + self.stop - self.start + self.padding

    @property
    def new(self) -> tuple[int, int]:
        """Frames of the clip that this window makes, half-open."""
        return self.start + self.kept, self.stop - self.kept_after


def plan_windows(
    frames: int, window: int = TRAINED_LENGTH, overlap: int = DEFAULT_OVERLAP, lead_in: int = 0
) -> tuple[Window, ...]:
    """Windows over a whole clip, in order.

    All have the same length, the first one's lead-in included. The last one is moved back to end with the clip, and
    keeps as many of the frames that it shares with the one before as can be kept; up to three shared ones it makes
    again, and its own are the ones to take. A clip that is shorter than a window is padded to 4 n + 1.

    Args:
        frames: of the clip.
        window: frames in a window, lowered to 4 n + 1.
        overlap: frames that a window is shown of the one before, lowered to 4 k + 2.
        lead_in: frames before the first window's, raised to a multiple of 4. Later ones have the kept frames there.

    Raises:
        ConditioningError: no frames, an overlap below 2, a negative lead-in, or ones that leave a window less than one
            group to make.
    """
    if frames < 1:
        raise ConditioningError("there are no frames to plan windows for")
    length, kept = whole_length(window), keepable(overlap)
    if overlap < LEAST_OVERLAP:
        raise ConditioningError(f"windows overlap by {LEAST_OVERLAP} frames or more, not {overlap}")
    if length - kept < GROUP:
        most = keepable(length - GROUP)
        remedy = f"an overlap of {most} or less, or longer windows" if most >= LEAST_OVERLAP else "longer windows"
        raise ConditioningError(
            f"an overlap of {overlap} leaves a window of {window} frames nothing to make: choose {remedy}"
        )
    before = whole_groups(lead_in)
    if length - before < max(GROUP, kept):
        raise ConditioningError(f"a lead-in of {lead_in} leaves a window of {window} frames too little: choose less")
    if frames <= length - before:
        return (Window(0, frames, padding=-(frames - 1) % GROUP, lead_in=before),)
    windows = [Window(0, length - before, lead_in=before)]
    while windows[-1].stop < frames:
        stop = min(windows[-1].stop - kept + length, frames)
        windows.append(Window(stop - length, stop, keepable(windows[-1].stop - (stop - length))))
    return tuple(windows)


def plan_range(
    frames: int,
    start: int,
    stop: int,
    window: int = TRAINED_LENGTH,
    overlap: int = DEFAULT_OVERLAP,
    lead_in: int = 0,
) -> tuple[Window, ...]:
    """Windows that make frames start <= t < stop of a clip anew and are shown what is on both sides of them.

    Before the range `overlap` frames are kept, where the clip has them, and after it at least as many, until the length
    is 4 n + 1. VACE reads the mask of the range's last latent from one of its last frames or from the one after: up to
    4 frames after the range are generated with it, which are not to be used. A range that is longer than a window takes
    several, which overlap. One with nothing kept before it, at the clip's start, gets the lead-in.

    Args: as `plan_windows`.

    Raises:
        ConditioningError: as `plan_windows`, or the range is not in the clip.
    """
    if not 0 <= start < stop <= frames:
        raise ConditioningError(f"frames {start} to {stop - 1} are no part of a clip of {frames} frames")
    length, wanted = whole_length(window), keepable(overlap)
    head = keepable(min(wanted, start)) or start
    first = start - head
    before = 0 if head else whole_groups(lead_in)
    needed = -(-(before + head + stop - start + wanted - 1) // GROUP) * GROUP + 1
    end = min(first - before + needed, frames)
    if before + end - first <= length:
        one = Window(first, end, head, padding=-(before + end - first - 1) % GROUP, lead_in=before)
        return (replace(one, kept_after=_kept_after(one, stop)),)
    windows = [
        replace(one, start=one.start + first, stop=one.stop + first)
        for one in plan_windows(end - first, length, overlap, before)
    ]
    while len(windows) > 1 and windows[-2].stop >= stop:
        windows.pop()
    windows[0] = replace(windows[0], kept=head)
    windows[-1] = replace(windows[-1], kept_after=_kept_after(windows[-1], stop))
    return tuple(windows)


def _kept_after(window: Window, stop: int) -> int:
    """How many of a window's last frames can be kept, when frames up to `stop` are to be made."""
    first = window.start - window.lead_in
    read = first + read_frame(latent_of(stop - 1 - first), window.length)
    return max(0, window.stop - max(stop, read + 1))


def whole_groups(frames: int) -> int:
    """A lead-in raised to a multiple of 4, whole latents. Raises ConditioningError below 0."""
    if frames < 0:
        raise ConditioningError(f"a lead-in has 0 frames or more, not {frames}")
    return -(-frames // GROUP) * GROUP


def whole_length(frames: int) -> int:
    """`frames` lowered to 4 n + 1. Raises ConditioningError below 1."""
    if frames < 1:
        raise ConditioningError(f"a window has 1 frame or more, not {frames}")
    return (frames - 1) // GROUP * GROUP + 1


def keepable(frames: int) -> int:
    """`frames` lowered to 4 k + 2, the numbers of first frames that VACE reads as kept; 0 below 2."""
    return max(0, (frames - 2) // GROUP * GROUP + 2)

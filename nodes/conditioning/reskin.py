"""A long clip through Wan VACE, window by window: each is shown the last frames that the one before has made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..host import progress, require_memory
from ..media.clip import Clip, TrimmedClip
from ..media.track import Track
from ..media.writer import VideoWriter
from .choices import BACKGROUND, EVERYTHING, Choices, ConditioningError
from .plan import ControlPlan
from .run_folder import RunFolder
from .seams import Seam, join
from .vace import control_frames, float_control
from .windows import Window

# Runs the model: (control float32 [L, h, w, 3] in 0..1, masks float32 [L, h, w], seed) -> uint8 [L, h, w, 3].
Generate = Callable[[np.ndarray, np.ndarray, int], np.ndarray]

SEEDS = 2**64


@dataclass(frozen=True)
class Footage:
    """What windows are cut out of, frame for frame with the clip that is made.

    Attributes:
        clip, track: the source.
        plan: size and crop; which frames it shows is said here.
        choices: what is repainted and how.
        guide: the clip that guide = "pose" or "depth" shows.
        frames: for each frame of the clip that is made the source frame it shows, rising by 1; None for copies of the
            first one at the start and of the last one at the end.
    """

    clip: Clip
    track: Track
    plan: ControlPlan
    choices: Choices
    guide: Clip | None
    frames: Sequence[int | None]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) px of the clip that is made."""
        return self.plan.height, self.plan.width

    def __len__(self) -> int:
        return len(self.frames)


def window_seed(seed: int, number: int) -> int:
    """The seed of a window: the run's, plus the window's number from 0."""
    return (seed + number) % SEEDS


def make_window(
    footage: Footage,
    window: Window,
    before: Sequence[np.ndarray],
    after: Sequence[np.ndarray],
    generate: Generate,
    seed: int,
) -> tuple[list[np.ndarray], Seam | None]:
    """Run the model once.

    Args:
        before, after: the `kept` and `kept_after` frames of the window as they are, uint8 [h, w, 3] each.

    Returns:
        The window's frames start..stop, uint8 [h, w, 3] each, joined to `before`; and how. `after` comes back as it is.

    Raises:
        ConditioningError: the frames don't belong to the window, or what the model gave back doesn't.
    """
    if (len(before), len(after)) != (window.kept, window.kept_after):
        raise ConditioningError(
            f"the window keeps {window.kept} and {window.kept_after} frames, {len(before)} and {len(after)} were given"
        )
    shown = window_control(footage, window, before, after)
    if shown is None:  # nothing to repaint in here
        made = _source_frames(footage, window)
    else:
        made = generate(*shown, seed)
        if made.shape != shown[0].shape or made.dtype != np.uint8:
            raise ConditioningError(f"the model gave back {list(made.shape)} for {list(shown[0].shape)}")
        made = made[window.lead_in :]
    joined, seam = join(before, list(made[: window.kept])) if window.kept else ([], None)
    own = made[window.kept : window.stop - window.start - window.kept_after]
    return [*joined, *own, *after], seam


def window_control(
    footage: Footage, window: Window, before: Sequence[np.ndarray], after: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Control video, float32 [L, h, w, 3] in 0..1, and masks, float32 [L, h, w], of one window.

    None where the window shows nothing that is to be repainted.
    """
    sources = [footage.frames[t] for t in range(window.start, window.stop)]
    real = [t for t in sources if t is not None] or [_last(footage)]
    first, stop = real[0], real[-1] + 1
    track = part_of(footage.track, first, stop)
    choices = _choices_for(track, footage.choices)
    if choices is None:
        return None
    places = [None if t is None else t - first for t in sources]
    if not any(t is not None for t in places):
        places[0] = 0
    plan = replace(footage.plan, frames=(*[None] * window.lead_in, *places, *[None] * window.padding))
    shape = (plan.length, plan.height, plan.width)
    # Control and masks, and four more of the control's size in WanVaceToVideo while it encodes.
    needed = int(np.prod(shape)) * 4 * (3 + 1 + 4 * 3)
    require_memory(needed, f"a window of {plan.length} frames of {plan.width}x{plan.height}")
    images, masks = np.empty((*shape, 3), np.float32), np.empty(shape, np.float32)
    guide = None if footage.guide is None else TrimmedClip(footage.guide, first, stop)
    frames = control_frames(TrimmedClip(footage.clip, first, stop), track, plan, choices, guide)
    for t, (control, mask) in enumerate(progress(frames, plan.length, "conditioning")):
        images[t] = float_control(control, mask, choices)
        masks[t] = mask
    for t, frame in enumerate(before, start=window.lead_in):
        images[t] = frame.astype(np.float32) / 255
        masks[t] = 0
    end = window.lead_in + window.stop - window.start
    for t, frame in enumerate(after, start=end - len(after)):
        images[t] = frame.astype(np.float32) / 255
        masks[t] = 0
    if after:
        images[end:], masks[end:] = images[end - 1], 0
    return images, masks


def run_window(run: RunFolder, footage: Footage, number: int, generate: Generate, seed: int) -> Seam | None:
    """Make one window of a run, when those before it are finished, and keep it."""
    window = run.windows[number]
    before = list(run.read(window.start, window.start + window.kept, number - 1)) if window.kept else []
    frames, seam = make_window(footage, window, before, [], generate, window_seed(seed, number))
    run.write(number, frames)
    return seam


def write_result(run: RunFolder, clip: Clip) -> None:
    """Join all windows to one video at the source's times and with its sound; then remove them."""
    height, width = run.size
    span = clip.span()
    with VideoWriter(run.result, width, height, clip.rate, clip.time_base, clip.audio_file(), span) as video:
        total = run.windows[-1].stop
        for source, image in zip(progress(clip, total, "joining"), run.frames(), strict=True):
            video.write(image, source.time)
    run.clean()


def part_of(track: Track, start: int, stop: int) -> Track:
    """Frames start <= t < stop of a track."""
    return replace(
        track,
        packed=track.packed[start:stop],
        scores=track.scores[start:stop],
        times=None if track.times is None else track.times[start:stop],
        soft=None,
    )


def _choices_for(track: Track, choices: Choices) -> Choices | None:
    """The choices for one window: objects may be out of the picture in all of it. None: nothing to repaint."""
    if choices.repaint == EVERYTHING:
        return choices
    columns = [track.index(label) for label in choices.labels(track.labels)]
    if track.areas()[:, columns].any():
        return choices
    return replace(choices, repaint=EVERYTHING) if choices.repaint == BACKGROUND else None


def _source_frames(footage: Footage, window: Window) -> np.ndarray:
    """The source's own frames in the control's picture, uint8 [L, h, w, 3]."""
    sources = [footage.frames[t] for t in range(window.start, window.stop)]
    first = next((t for t in sources if t is not None), _last(footage))
    images = footage.clip.read(first)
    image = footage.plan.image(next(images).image)
    frames = []
    for t in sources:
        image = image if t in (None, first) else footage.plan.image(next(images).image)
        frames.append(image)
    return np.stack(frames)


def _last(footage: Footage) -> int:
    return max(t for t in footage.frames if t is not None)

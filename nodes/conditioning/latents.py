"""Which mask frames VACE really reads, and masks made so that these cover what was meant.

The VAE packs pixel frame 0 into latent 0 and frames 4 k - 3 .. 4 k into latent k. The mask, however, is brought to the
number of latents with torch's "nearest-exact" (core's WanVaceToVideo, WanVideoWrapper and the reference code alike),
which reads frame 1 for latent 0, 5 for latent 1 and so on: through the first third of a clip each latent is given the
mask of the next group of frames. A mask drawn frame by frame is therefore consumed early, and what an object covers on
one frame of four can be missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from .choices import ConditioningError

# Pixel frames in a latent after the first.
GROUP = 4
# Pixel frames of the clips that Wan was trained on; longer ones degrade (ali-vilab/VACE issue 99).
TRAINED_LENGTH = 81
# A frame of which VACE misses a smaller share of the mask isn't worth a word: outlines are no surer than that.
MISSED = 0.05


def latent_count(length: int) -> int:
    """Latents of a clip of `length` = 4 n + 1 pixel frames."""
    return (length - 1) // GROUP + 1


def latent_of(frame: int) -> int:
    """The latent that pixel frame `frame` is packed into."""
    return -(-frame // GROUP)


def frames_of(latent: int) -> range:
    """The pixel frames that are packed into a latent."""
    return range(max(0, GROUP * (latent - 1) + 1), GROUP * latent + 1)


def read_frame(latent: int, length: int) -> int:
    """The pixel frame whose mask VACE reads for a latent: nearest-exact, floor((latent + 1/2) length / latents)."""
    return (2 * latent + 1) * length // (2 * latent_count(length))


def consumed(masks: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """The masks as VACE consumes them, spread back over the pixel frames; one mask is held at a time.

    Args:
        masks: one [h, w] for each of `length` pixel frames, in order.

    Yields:
        For every pixel frame the mask read for its latent.

    Raises:
        ConditioningError: too few masks.
    """
    source, at = iter(masks), -1
    for latent in range(latent_count(length)):
        wanted = read_frame(latent, length)
        mask = next(islice(source, wanted - at - 1, None), None)
        if mask is None:
            raise ConditioningError(f"the masks end before frame {wanted}, the control has {length}")
        at = wanted
        for _ in frames_of(latent):
            yield mask


def left_out(mask: np.ndarray, read: np.ndarray) -> float:
    """The share of a mask, bool [h, w], that the one which VACE reads for its frame leaves out; 0 where it is empty."""
    drawn = np.count_nonzero(mask)
    return np.count_nonzero(mask & ~read) / drawn if drawn else 0.0


def what_is_missed(shares: Sequence[float]) -> list[str]:
    """A warning about frames of which VACE reads too small a mask, from `left_out` of every frame; or none."""
    missed = [t for t, share in enumerate(shares) if share > MISSED]
    if not missed:
        return []
    worst = max(missed, key=lambda t: shares[t])
    return [
        f"on {len(missed)} of {len(shares)} frames VACE reads a mask that leaves out part of what was drawn, up to "
        f"{shares[worst]:.0%} on frame {worst}, and keeps the original there: latent_aligned covers it"
    ]


def aligned(masks: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """Widen masks so that, as consumed, they cover on every pixel frame what was drawn there.

    What a latent reads becomes the union over the latent's frames, and over the frames of the latent that the read
    frame itself lies in; the other frames of a latent get the same mask. Reads at most 2 x GROUP masks ahead.

    Args:
        masks: bool [h, w] for each of `length` pixel frames, in order.

    Yields:
        bool [h, w] for every pixel frame.
    """
    latents = latent_count(length)
    source = iter(masks)
    unions = (np.logical_or.reduce(list(islice(source, len(frames_of(k))))) for k in range(latents))
    readers = {read_frame(latent, length): latent for latent in range(latents)}
    before, now = None, next(unions)
    for latent in range(latents):
        after = next(unions, None)
        read_later = latent_of(read_frame(latent, length)) > latent
        whole = now | after if read_later and after is not None else now
        for frame in frames_of(latent):
            # The read frame of the latent before may lie here: it must hold what that latent needs, and no more.
            yield before | now if readers.get(frame) == latent - 1 and before is not None else whole
        before, now = now, after if after is not None else now

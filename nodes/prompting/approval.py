"""What a person needs to see to approve a track, and how an approved one is recognised."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from ..host import check_cancelled
from ..media.clip import ClipError
from ..media.overlay import PAPER, draw_overlay, tag, text_size
from ..media.scrub import Scrubber, encode_jpeg
from ..media.track import Track

# Approves whatever comes, for runs without a person.
ALWAYS = "always"


def fingerprint(track: Track) -> str:
    """16 hexadecimal digits that change when the objects' names, the sizes or any pixel of any mask change.

    SHA-256 over the packed masks; scores and times don't count, as nobody sees them on the picture.
    """
    digest = hashlib.sha256(repr((track.labels, track.clip_size, track.mask_size, len(track))).encode())
    for t in range(len(track)):
        if t % 64 == 0:
            check_cancelled()
        digest.update(track.packed_masks(t).tobytes())
    return digest.hexdigest()[:16]


def is_approved(answer: str, mark: str) -> bool:
    """Whether the answer of a person or a script lets the track with this fingerprint through."""
    return answer.strip().lower() in (ALWAYS, mark)


@dataclass(frozen=True)
class Sample:
    """One frame to judge by: its number, and the picture with the masks drawn in as JPEG."""

    frame: int
    jpeg: bytes


def sample_frames(count: int, wanted: int) -> list[int]:
    """Up to `wanted` frame numbers from the first to the last of `count`, evenly spread."""
    spread = np.linspace(0, count - 1, max(1, min(wanted, count)))
    return sorted({round(float(t)) for t in spread})


def samples(scrubber: Scrubber, track: Track, wanted: int, side: int = 1280) -> list[Sample]:
    """Frames of the clip with every object drawn in, the first one first.

    Args:
        wanted: how many frames; the first, the last and others between them.
        side: px, the longer side of the pictures at most.

    Raises:
        ClipError: the clip and the track have different sizes.
        IndexError: the clip is shorter than its track.
    """
    clip = scrubber.clip
    if (clip.height, clip.width) != track.clip_size:
        raise ClipError(
            f"{clip.name} is {clip.width}x{clip.height}, its track {track.clip_size[1]}x{track.clip_size[0]}: "
            "connect the clip that was tracked"
        )
    found = []
    for t in sample_frames(len(track), wanted):
        image = draw_overlay(scrubber.image(t), track.masks(t), track.labels)
        size = 1.2 * text_size(clip.height)
        tag(image, f"frame {t}", size / 2, clip.height - 2.4 * size, size, PAPER)
        found.append(Sample(t, encode_jpeg(image, side)))
    scrubber.close()
    return found


def in_words(track: Track, approved: bool) -> str:
    """What is held or let through: how many objects and frames, and where one is missing from the start."""
    areas = track.areas()
    parts = []
    for n, label in enumerate(track.labels):
        seen = int((areas[:, n] > 0).sum())
        parts.append(f"{label} on {seen} of {len(track)} frames")
    objects = "; ".join(parts) or "no objects"
    return f"{'Approved' if approved else 'Waiting for approval'}: {objects}"

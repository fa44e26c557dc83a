"""What tracks and relations say, in words for people."""

from __future__ import annotations

from collections.abc import Sequence

from ..media.track import Track
from .relations import Relations


def track_in_words(track: Track) -> str:
    """Where each object was seen, the tracker and its warnings, a line each; ranges name first and last frame."""
    seen = track.areas() > 0
    lines = [f"{label}: seen on {_frames(seen[:, n].tolist(), True)} of {len(track)} frames"
             for n, label in enumerate(track.labels)]  # fmt: skip
    return "\n".join([*lines, f"Tracker: {track.tracker}", *(f"Warning: {warning}" for warning in track.warnings)])


def relations_in_words(relations: Relations) -> str:
    """Contact, gaps, airtime and warnings, a line each; frame ranges name their first and last frame."""
    pair = f"{relations.person} and {relations.object}"
    total = len(relations)
    lines = [f"{pair} touch on {_frames(relations.contact, True)} of {total} frames"]
    apart = [gap for gap, touch in zip(relations.distance, relations.contact, strict=True) if gap and touch is False]
    if apart:
        lines.append(
            f"apart on {_frames(relations.contact, False)}: by at most {max(apart):.2f} of the person's height"
        )
    lines.append(f"{relations.object} in the air on {_frames(relations.airborne, True)}")
    unseen = sum(touch is None for touch in relations.contact)
    if unseen:
        lines.append(f"one of the two is not visible on {_frames(relations.contact, None)}")
    if not relations.camera_removed:
        lines.append("the camera was taken to stand still")
    return "\n".join([*lines, *(f"Warning: {warning}" for warning in relations.warnings)])


def _frames(values: Sequence[bool | None], wanted: bool | None) -> str:
    """ "12 (3-9, 20-24)": how many frames have the wanted value, and where."""
    ranges: list[list[int]] = []
    for t, value in enumerate(values):
        if value is wanted:
            if ranges and ranges[-1][1] == t - 1:
                ranges[-1][1] = t
            else:
                ranges.append([t, t])
    listed = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges[:8]) + (", ..." if len(ranges) > 8 else "")
    return f"{sum(value is wanted for value in values)}" + (f" ({listed})" if ranges else "")

"""What trimaps and refining came to, for people."""

from __future__ import annotations

from collections.abc import Sequence

from .refine import RefineReport
from .trimap import TrimapReport


def trimap_in_words(report: TrimapReport) -> str:
    """How much is unknown, and which frames have no object or no band."""
    about = report.data()
    share = about["unknown_share"]
    lines = [
        f"{about['frames']} trimaps from {about['source']}: {share['mean']:.1%} of the pixels are unknown on average, "
        f"{share['max']:.1%} at most",
    ]
    if report.without_subject:
        lines.append(f"nothing to matte on {listed(report.without_subject)}")
    if report.without_band:
        lines.append(f"an object without an unknown pixel on {listed(report.without_band)}: its edge stays hard")
    return "\n".join(lines)


def refined_in_words(report: RefineReport) -> str:
    """Method, tiles, frames reused, and frames where there was nothing to refine."""
    lines = [
        f"{report.frames} frames by {report.method}: {report.tiles.run} tiles refined, {report.tiles.skipped} without "
        "an edge skipped",
    ]
    if report.reused:
        lines.append(f"{report.reused} frames took the alpha of one that was the same")
    if report.without_subject:
        lines.append(f"{report.without_subject} frames had nothing to matte")
    if report.without_band:
        lines.append(f"an object without an unknown pixel on {listed(report.without_band)}: its edge stays hard")
    return "\n".join(lines)


def listed(frames: Sequence[int], most: int = 8) -> str:
    """Frame numbers in words; only the first ones of many."""
    shown = ", ".join(str(t) for t in frames[:most])
    more = f" and {len(frames) - most} more" if len(frames) > most else ""
    return f"frame{'s' if len(frames) > 1 else ''} {shown}{more}"

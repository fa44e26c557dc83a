"""What a finished run tells: frames, files, times of each stage, memory, cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from ..media.writer import audio_codecs
from .finding import Found
from .footage import Footage
from .profile import STAGES, peak_ram
from .settings import Limits, Settings
from .work_folder import ANCHOR_MASK, WorkFolder


def summarise(
    folder: WorkFolder,
    plan: Sequence[tuple[int, int]],
    footage: Footage,
    found: Found,
    settings: Settings,
    limits: Limits,
    times: Sequence[Fraction],
    files: dict[str, list[str]],
    joining: float,
) -> dict[str, Any]:
    """JSON-able; seconds are summed over every run that had a part in it."""
    first = json.loads((folder.work / "found.json").read_text(encoding="utf-8"))
    parts = [folder.finished(n) or {} for n in range(len(plan))]
    frames, clip = len(times), footage.clip
    seconds: dict[str, float] = {
        stage: sum(part["seconds"].get(stage, 0.0) for part in (first, *parts)) for stage in STAGES
    }
    seconds["join"] = joining
    wall = first["wall"] + sum(part["wall"] for part in parts) + joining
    seconds["other"] = max(0.0, wall - sum(seconds.values()))
    ram_mb, vram_mb = (_most_mb([part[kind] for part in (first, *parts)]) for kind in ("ram", "vram"))
    minutes = float(times[-1] - times[0] + 1 / clip.rate) / 60
    ram = [most for most in (first["peak_ram"], *(part["peak_ram"] for part in parts), peak_ram()) if most]
    effective, sound = _first_seen(found), footage.sheets[0].audio_from
    warnings = [*dict.fromkeys(warning for track in found.tracks for warning in track.warnings), *clip.warnings]
    if effective is None:
        warnings.append("the tracks are empty on every frame: there is nothing in this matte")
    elif len(found.flagged) == frames:
        warnings.append(
            "the eyes differ on every frame: look whether this is stereo footage, and whether it has this layout and "
            "projection"
        )
    if effective:
        warnings.append(
            f"nobody is in the first {effective} frames: the matte effectively starts at frame "
            f"{settings.start + effective} ({float(times[effective]):.3f} s)"
        )
    return {
        "source": {"name": clip.name, "width": clip.width, "height": clip.height, "fps": str(clip.rate),
                   "frames": frames, "audio": bool(settings.audio and sound and audio_codecs(sound))},
        "requested_frame_start": settings.start,
        "effective_frame_start": None if effective is None else settings.start + effective,
        "anchor": first["anchor"] | {"mask": ANCHOR_MASK if (folder.folder / ANCHOR_MASK).is_file() else None},
        "labels": list(found.tracks[0].labels),
        "tracker": found.tracks[0].tracker,
        **found.about,
        "flagged_frames": found.flagged,
        "segments": {"count": len(plan), "frames": plan[0][1] - plan[0][0] if plan else 0,
                     "wall_seconds": [round(part["wall"], 3) for part in parts]},
        "eyes": [_eye(n, parts) for n in range(len(found.tracks))],
        "files": files,
        "profile": {
            "seconds": {stage: round(spent, 3) for stage, spent in seconds.items()},
            "fps": {stage: round(frames / spent, 2) for stage, spent in seconds.items()
                    if stage in STAGES and spent >= 0.001},
            "ram_mb": ram_mb,
            "vram_mb": vram_mb,
            "wall_seconds": round(wall, 3),
            "frames_per_second": round(frames / wall, 3),
            "peak_ram_mb": round(max(ram) / 2**20) if ram else None,
            "peak_vram_mb": max(vram_mb.values(), default=None),
        },
        "cost": _cost(wall, minutes, limits.price_per_hour),
        "warnings": warnings,
    }  # fmt: skip


def _most_mb(parts: Sequence[dict[str, int]]) -> dict[str, int]:
    """MiB that each stage had at most in any part."""
    return {stage: round(max(part.get(stage, 0) for part in parts) / 2**20)
            for stage in STAGES if any(stage in part for part in parts)}  # fmt: skip


def _first_seen(found: Found) -> int | None:
    """The first frame of the range on which anybody is in a track; None where nobody ever is."""
    frames = range(len(found.tracks[0]))
    return next((t for t in frames if any(track.packed_masks(t).any() for track in found.tracks)), None)


def _eye(n: int, parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Reports of all segments as one; frames of refiners are counted from their segment's start."""
    trimaps, refined = [part["trimap"][n] for part in parts], [part["refine"][n] for part in parts]
    frames = sum(one["frames"] for one in trimaps)
    share = sum(one["unknown_share"]["mean"] * one["frames"] for one in trimaps) / max(1, frames)
    counts = {key: sum(one[key] for one in refined)
              for key in ("tiles_run", "tiles_skipped", "frames_reused", "frames_without_subject")}  # fmt: skip
    return {
        "trimap": {"source": trimaps[0]["source"] if trimaps else None, "unknown_share": share,
                   "frames_without_subject": [t for one in trimaps for t in one["frames_without_subject"]]},
        "refine": {"method": refined[0]["method"] if refined else None, **counts},
    }  # fmt: skip


def _cost(wall: float, minutes: float, price: float) -> dict[str, Any] | None:
    if not price:
        return None
    hours = wall / minutes / 3600
    return {"price_per_hour": price, "machine_hours_per_minute": round(hours, 4), "per_minute": round(hours * price, 4)}


def in_words(summary: dict[str, Any]) -> list[str]:
    """A few lines for the terminal and the node."""
    source, profile = summary["source"], summary["profile"]
    lines = [
        f"{source['frames']} frames of {source['width']}x{source['height']}, {', '.join(summary['labels'])}; "
        f"tracker: {summary['tracker'].split('. ')[0]}",
        f"{profile['frames_per_second']:.2f} frames a second; " + ", ".join(
            f"{stage} {spent:.1f} s" for stage, spent in profile["seconds"].items() if spent >= 0.05),
    ]  # fmt: skip
    if profile["peak_ram_mb"]:
        vram = f", of the GPU {profile['peak_vram_mb']} MB" if profile["peak_vram_mb"] else ""
        lines.append(f"peak memory {profile['peak_ram_mb']} MB{vram}")
    if summary["cost"]:
        cost = summary["cost"]
        lines.append(f"{cost['per_minute']:.2f} for a minute of footage at {cost['price_per_hour']:g} an hour")
    if summary["flagged_frames"]:
        lines.append(f"{len(summary['flagged_frames'])} frames on which the eyes differ, from frame "
                     f"{summary['flagged_frames'][0]} on")  # fmt: skip
    return lines + [f"warning: {warning}" for warning in summary["warnings"]]

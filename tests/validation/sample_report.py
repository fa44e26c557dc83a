"""A report of the fixed schema, made by hand around two rendered clips: for tests of what shows it."""

from __future__ import annotations

from typing import Any

import numpy as np
from physics_preserver.nodes.media.scene import LABELS, Scene
from physics_preserver.nodes.validation.region import jaccard
from physics_preserver.nodes.validation.validate import Judgement

PERSON, BOARD = LABELS


def sample(label: str = BOARD, frames: int = 72, size: tuple[int, int] = (320, 180)) -> tuple[Judgement, Scene, Scene]:
    """(judgement, source, generated): a late landing, with every kind of entry that a report may have."""
    source = Scene(*size, frames, exposures=1)
    generated = Scene(*size, frames, style="reskin", fault="late_landing", exposures=1)
    expected, found = source.track(), generated.track()
    region = np.asarray(jaccard(expected, found, BOARD), float)
    offset = np.hypot(*(expected.centroids()[:, 1] - found.centroids()[:, 1]).T)
    region[0] = offset[0] = np.nan
    expected.labels = found.labels = (PERSON, label)
    return (
        Judgement(report(label, region, offset, size), expected, found),
        source,
        generated,
    )


def report(label: str, region: np.ndarray, offset: np.ndarray, size: tuple[int, int] = (320, 180)) -> dict[str, Any]:
    """A report of schema version 2 with these per-frame values, nan where a frame isn't judged."""
    total = len(region)
    failed = [int(t) for t in np.flatnonzero(region < 0.6)] or [0]
    start, stop, worst = failed[0], failed[-1] + 1, int(np.nanargmin(region))
    scores = [None if np.isnan(value) else float(value) for value in region]
    pixels = [None if np.isnan(value) else float(value) for value in offset]
    about = {"frames": total, "width": size[0], "height": size[1], "rate": "24"}

    def measure(
        values: list, unit: str = "", limit: float | None = None, floor: list | None = None, **more: Any
    ) -> dict:
        return {
            "unit": unit,
            "better": "lower" if unit else "higher",
            "limit": limit,
            "values": values,
            "floor": floor,
            **more,
        }

    def rule(name: str, text: str, value: float | None, limit: float, unit: str, verdict: str, **more: Any) -> dict:
        ranges = [[start, stop]] if verdict == "failed" else []
        about = {"name": name, "of": label, "text": text, "value": value, "limit": limit, "unit": unit, "floor": None}
        worst_frames = [worst, stop - 1] if verdict == "failed" else []
        return {**about, "verdict": verdict, "ranges": ranges, "worst_frames": worst_frames, **more}

    def cause(name: str, start: int, stop: int, text: str) -> dict:
        return {
            "name": name,
            "of": label,
            "start": start,
            "stop": stop,
            "worst_frame": (start + stop) // 2,
            "text": text,
        }

    def event(kind: str, frame: int) -> dict:
        return {"kind": kind, "frame": frame, "time_s": frame / 24}

    seen = [value for value in scores if value is not None]
    return {
        "schema": "physics-preserver/report",
        "schema_version": 2,
        "label": label,
        "person": PERSON,
        "verdict": "failed",
        "passed": False,
        "undecided": None,
        "summary": f"{label}: failed: lands 6 frames (250 ms) late; in the air 24 % longer than in the source",
        "score": 0.81,
        "profile": {"name": "standard", "limits": {"region": 0.6, "offset_px": 4.0}},
        "rules": [
            rule("region", "masks overlap (J)", min(seen), 0.6, "", "failed", floor=0.88, margin=3.4),
            rule("offset_px", "the centre is where the source has it", float(np.nanmax(offset)), 4.0, "px", "failed"),
            rule("landing", "the landing comes on time", 250.0, 80.0, "ms", "failed"),
            rule("airtime", "the time in the air", 24.0, 10.0, "%", "failed"),
            rule("boundary", "outlines agree (F)", 0.93, 0.75, "", "passed", floor=0.95),
            rule("pose_oks", "the person's pose", None, 0.7, "", "not judged"),
        ],
        "causes": [
            cause("late", start, stop, "everything after the pop is 6 frames (250 ms) late"),
            cause("airtime", start, stop - 3, "in the air 0.62 s instead of 0.50 s"),
            cause("other limb", 12, 14, "the left hand touches where the source's right foot does on frames 12-13"),
            cause("shifted", start + 2, start + 5, "3.1 px too high"),
            cause("flicker", 20, 22, "the outline jumps between frames"),
            cause("lost", total - 4, total - 1, "not found any more"),
        ],
        "failing_ranges": [
            {"start": start, "stop": stop, "worst_frame": worst, "worst_iou": min(seen), "cause": "late"},
            {"start": total - 4, "stop": total - 1, "worst_frame": total - 2, "worst_iou": 0.0, "cause": "lost"},
        ],
        "not_judged": [
            {"start": 0, "stop": 1, "why": "the tracker was shown the source's mask here"},
            {"start": 54, "stop": 59, "why": "the object is hidden by more than half"},
        ],
        "coverage": 0.92,
        "measures": {
            label: {
                "region": measure(scores, limit=0.6, floor=[0.9] * total),
                "boundary": measure([value and min(1.0, value + 0.15) for value in scores], limit=0.75),
                "offset_px": measure(pixels, "px", 4.0, [0.6] * total),
                "scale_percent": measure([None if t % 9 == 0 else t / 40 for t in range(total)], "%", 10.0),
                "orientation_deg": measure([(t % 7) / 2 for t in range(total)], "deg", 15.0),
                "contact": measure([1.0] * total),
            },
            PERSON: {
                "region": measure([0.93] * total, floor=[0.94] * total),
                "pose_oks": measure([None] * total, limit=0.7),
            },
        },
        "events": {
            "source": [event("take-off", 33), event("landing", 45)],
            "generated": [event("take-off", 33), event("landing", 51)],
            "pairs": [
                {"kind": "take-off", "source_frame": 33, "generated_frame": 33, "error_ms": 0.0},
                {"kind": "landing", "source_frame": 45, "generated_frame": 51, "error_ms": 250.0},
            ],
        },
        "relations": {
            "offset": None,
            "limb": None,
            "rotation": {"source_deg": 362.5, "generated_deg": 1.5, "difference_deg": -361.0, "floor_deg": 2.0},
        },
        "source": {"name": "ollie.mp4", **about},
        "generated": {"name": "restyled.mp4", **about},
        "source_tracker": "truth",
        "tracker": "truth",
        "warnings": ["the source runs at 24 frames per second, the generated clip at 23.976: compared one to one"],
        "total_frames": total,
        "failed_count": len(failed),
        "failed_frames": [[t, scores[t]] for t in failed[:10]],
        "min_iou": min(seen),
        "max_iou": max(seen),
        "avg_iou": float(np.mean(seen)),
        "median_iou": float(np.median(seen)),
        "all_scores": scores,
        "threshold": 0.6,
    }  # fmt: skip

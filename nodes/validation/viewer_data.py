"""What the report viewer shows: a bounded copy of the report, and small pictures with outlines of chosen frames."""

from __future__ import annotations

import base64
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import zip_longest
from typing import Any

import cv2
import numpy as np

from ..host import progress
from ..media.clip import Clip, Frame
from ..media.track import Track

SCHEMA, SCHEMA_VERSION = "physics-preserver/viewer", 1

# px: the longer side of a picture. Wide enough to see a board's edge, 30 kB as JPEG.
PICTURE_SIDE = 480
# Frames that get pictures, and bytes (of base64 and JSON) that all of them may take: a page stays below 25 MB.
MAX_PICTURES, PICTURE_BYTES = 240, 20_000_000
# JPEG qualities that are tried until a picture fits into its share; the last one is of a picture half as wide.
QUALITIES = (82, 70, 55, 40, 25)
# Outlines: coordinates are whole multiples of this many px of the picture; points of all outlines of one frame; lines
# of one outline, the longest ones.
OUTLINE_UNIT, MAX_POINTS, MAX_LINES = 0.25, 3000, 100
# Neighbours of a failing frame that are shown before others are.
NEIGHBOURS = 2
# Numbers in all series together (6 bytes each), entries in each list, letters in each text.
MAX_NUMBERS, MAX_ENTRIES, MAX_LETTERS = 400_000, 400, 1000

# What the viewer reads of a report, beside its measures.
PLAIN = (
    *("label", "person", "verdict", "passed", "undecided", "summary", "score", "coverage", "source_tracker", "tracker"),
    *("profile", "source", "generated"),
)
LISTS = ("rules", "causes", "failing_ranges", "not_judged", "warnings")


def document(
    report: Mapping[str, Any], pictures: Sequence[int], size: tuple[int, int], labels: Sequence[str]
) -> dict[str, Any]:
    """The viewer's document: JSON-able, without nan, and of bounded size however long the clip and its report are.

    Args:
        report: of `validate`, schema version 2.
        pictures: frames that have a record (see `records`).
        size: (H, W) px of the pictures.
        labels: objects that have outlines.

    Returns:
        report (a copy with long lists and texts cut off, what was cut said in "left_out"), frames, rate (per second),
        stride (each number of a series is the worst of so many frames), pictures, width, height, outline_unit (px),
        labels.
    """
    left_out: list[str] = []
    total = frame_count(report)
    series = sum(1 + (one["floor"] is not None) for of in report["measures"].values() for one in of.values())
    stride = max(1, math.ceil(series * total / MAX_NUMBERS))
    if stride > 1:
        left_out.append(f"each point of the chart is the worst of {stride} frames")
    shown: dict[str, Any] = {key: _cut(report.get(key), left_out, key) for key in (*PLAIN, *LISTS, "events")}
    shown["measures"] = {
        _text(label): {_text(name): _series(measure, stride) for name, measure in of.items()}
        for label, of in report["measures"].items()
    }
    shown["rotation"] = _cut((report.get("relations") or {}).get("rotation"), left_out, "rotation")
    if len(pictures) < total:
        left_out.append(f"pictures of {total - len(pictures)} of {total} frames, to keep this small")
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "report": shown,
        "frames": total,
        "rate": float(Fraction(report["generated"]["rate"])),
        "stride": stride,
        "pictures": list(pictures),
        "width": size[1],
        "height": size[0],
        "outline_unit": OUTLINE_UNIT,
        "labels": [_text(label) for label in labels],
        "left_out": left_out,
    }


def frame_count(report: Mapping[str, Any]) -> int:
    """Frames that a report is about: as many as the longer of the clips in one timeline has."""
    lengths = [len(one["values"]) for of in report["measures"].values() for one in of.values()]
    return max([report["total_frames"], report["generated"]["frames"] or 0, *lengths])


def choose_frames(report: Mapping[str, Any], limit: int = MAX_PICTURES) -> list[int]:
    """The frames to show when not all can be: worst and failing ones, then their neighbours, then evenly the others."""
    total = frame_count(report)
    if total <= limit:
        return list(range(total))
    failing = {t for found in report["failing_ranges"] for t in range(found["start"], found["stop"])}
    failing |= {t for cause in report["causes"] for t in range(cause["start"], cause["stop"])}
    worst = {found["worst_frame"] for found in (*report["failing_ranges"], *report["causes"])}
    worst |= {t for rule in report["rules"] for t in rule["worst_frames"]}
    beside = {t + by for t in failing for by in range(-NEIGHBOURS, NEIGHBOURS + 1)}
    chosen: set[int] = set()
    for group in ({0, total - 1} | worst, failing, beside, range(total)):
        wanted = sorted(t for t in group if 0 <= t < total and t not in chosen)
        chosen.update(_evenly(wanted, limit - len(chosen)))
    return sorted(chosen)


def picture_size(clip: Clip) -> tuple[int, int]:
    """(H, W) px of a clip's pictures: the longer side PICTURE_SIDE, never larger than the clip."""
    scale = min(1.0, PICTURE_SIDE / max(clip.width, clip.height))
    return max(1, round(clip.height * scale)), max(1, round(clip.width * scale))


def records(
    expected: Track, found: Track, source: Clip, generated: Clip, frames: Collection[int], size: tuple[int, int]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """One record for each of `frames`, streamed: two frames are in memory at a time.

    Args:
        expected, found: tracks in one timeline and picture, as a Judgement has them.
        source, generated: clips of the same timeline; either may end before the other.
        size: (H, W) px of the pictures.

    Yields:
        (frame, {"source", "generated": a JPEG as a data URL, or None where that clip has no such frame,
        "outlines": {label: {"expected", "found": closed lines, each [x0, y0, dx, dy, ...] in OUTLINE_UNIT px}}}).
    """
    if not frames:
        return
    wanted, last = set(frames), max(frames)
    share = PICTURE_BYTES // len(wanted) - 200
    pairs: Iterator[tuple[Frame | None, Frame | None]] = zip_longest(source, generated)
    for t, pair in enumerate(progress(pairs, last + 1, "drawing the report")):
        if t in wanted:
            outlines = _outlines(expected, found, t, size)
            spent = 8 * sum(len(line) for of in outlines.values() for lines in of.values() for line in lines)
            room = max(share - spent, share // 4) // 2
            urls = [None if frame is None else data_url(frame.image, size, room) for frame in pair]
            yield t, {"source": urls[0], "generated": urls[1], "outlines": outlines}
        if t == last:
            return


def data_url(image: np.ndarray, size: tuple[int, int], limit: int) -> str:
    """An image, uint8 [H, W, 3] RGB, as a JPEG of (H, W) = `size` in a data URL of at most `limit` letters.

    The quality is lowered until it fits; at the lowest the picture is half as wide, and then it may be longer.
    """
    url = ""
    for quality in QUALITIES:
        height, width = size if quality != QUALITIES[-1] else (max(1, size[0] // 2), max(1, size[1] // 2))
        small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        made, data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert made
        url = "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")
        if len(url) <= limit:
            break
    return url


def outline(mask: np.ndarray, size: tuple[int, int], room: int = MAX_POINTS) -> list[list[int]]:
    """The outline of bool [h, w] in a picture of (H, W) = `size`: lines as in `records`, of at most `room` points.

    It is off by a third of a px; where that takes too many points by 2 px, and then without the shortest lines.
    """
    scale = np.array([size[1] / mask.shape[1], size[0] / mask.shape[0]])
    loops, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    loops = sorted(loops, key=len, reverse=True)[:MAX_LINES]
    exact = [((loop[:, 0] + 0.5) * scale).astype(np.float32) for loop in loops]
    simple = [cv2.approxPolyDP(points, 0.35, True)[:, 0] for points in exact]
    if sum(len(points) for points in simple) > room:
        simple = [cv2.approxPolyDP(points, 2.0, True)[:, 0] for points in exact]
    lines, used = [], 0
    for points in simple:
        used += len(points)
        if used > room:
            break
        whole = np.round(points / OUTLINE_UNIT).astype(int)
        lines.append([*whole[0].tolist(), *np.diff(whole, axis=0).ravel().tolist()])
    return lines


def _outlines(expected: Track, found: Track, t: int, size: tuple[int, int]) -> dict[str, dict[str, list[list[int]]]]:
    """Every object's outlines, which share MAX_POINTS."""
    outlines: dict[str, dict[str, list[list[int]]]] = {}
    labels = dict.fromkeys((*expected.labels, *found.labels))
    room = MAX_POINTS // max(1, 2 * len(labels))
    for label in labels:
        lines = {}
        for kind, track in (("expected", expected), ("found", found)):
            known = label in track.labels and t < len(track)
            lines[kind] = outline(track.mask(t, label), size, room) if known else []
        outlines[_text(label)] = lines
    return outlines


def _evenly(values: Sequence[int], count: int) -> list[int]:
    if len(values) <= count:
        return list(values)
    return [values[int(n)] for n in np.linspace(0, len(values) - 1, count).round()] if count > 0 else []


def _series(measure: Mapping[str, Any], stride: int) -> dict[str, Any]:
    worst = min if measure["better"] == "higher" else max
    return {
        "unit": _text(measure["unit"] or ""),
        "better": measure["better"],
        "limit": _number(measure["limit"]),
        "values": _thinned(measure["values"], stride, worst),
        "floor": None if measure["floor"] is None else _thinned(measure["floor"], stride, worst),
    }


def _thinned(values: Sequence[float | None], stride: int, worst: Any) -> list[float | None]:
    numbers = [_number(value) for value in values]
    if stride == 1:
        return numbers
    groups = (numbers[n : n + stride] for n in range(0, len(numbers), stride))
    return [worst((value for value in group if value is not None), default=None) for group in groups]


def _number(value: Any) -> float | None:
    """Four digits of it; None for nan and infinity, which JSON doesn't have."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")


def _cut(value: Any, left_out: list[str], what: str) -> Any:
    """A copy with texts and lists cut to their bounds, and no nan in it."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return {_text(str(key)): _cut(inner, left_out, f"{what}: {key}") for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        if len(value) > MAX_ENTRIES:
            left_out.append(f"{len(value) - MAX_ENTRIES} of {len(value)} entries of {what}")
        return [_cut(inner, left_out, what) for inner in value[:MAX_ENTRIES]]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _text(text: str) -> str:
    return text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1] + "…"

"""Matte quality of a clip: every measure per frame and as a mean, with its name, unit and direction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..host import progress
from ..media.clip import Clip, ClipError
from ..validation.boundary import mask_boundary_f
from . import blind, truth
from .alphas import Alphas
from .trimap import UNKNOWN, classify

SCHEMA, VERSION = "physics-preserver/matte-quality", 1

# Measure -> (unit and scale, whether more is better; None where neither is).
MEASURES: dict[str, tuple[str, bool | None]] = {
    "sad": ("sum / 1000", False),
    "mad": ("mean x 1000", False),
    "mse": ("mean x 1000", False),
    "grad": ("sum / 1000", False),
    "conn": ("sum / 1000", False),
    "dtssd": ("x 100, whole frame", False),
    "boundary_f_2px": ("0..1, of alpha >= .5", True),
    "edge_softness": ("share of the band with .05 < alpha < .95", None),
    "edge_sharpness": ("alpha per px", None),
    "stair_stepping": ("share of the outline", False),
    "stair_height": ("px, mean over the outline", False),
    "instability": ("mean x 1000, where the motion is known", False),
    "flow_coverage": ("share of the band", None),
}


def matte_quality(
    matte: Alphas, true: Alphas | None = None, clip: Clip | None = None, trimap: Clip | None = None
) -> dict[str, Any]:
    """Measure a matte, holding two frames at a time.

    Args:
        matte: the alpha to judge.
        true: the true alpha, for sad, mad, mse, grad, conn, dtssd and boundary F at 2 px (see `truth`).
        clip: the picture, for instability (see `blind.Instability`).
        trimap: restricts sad, mad, mse, grad and conn to its unknown pixels; without it they are of whole frames.

    Returns:
        JSON-able: "mean" and "per_frame" by measure (None where a frame has none), "dropouts" as [first, after] with
        "dropped_frames" their number, "area_variation" (deviation / mean of the areas), "fragments" (mean number of
        parts), "over", "read_from" (what alpha was read from, and its bits), "notes" and "measures".

    Raises:
        ClipError: other sizes or numbers of frames than the matte's; without a truth, no outline on any frame, so that
            there is nothing to judge.
    """
    values: dict[str, list[float]] = {}
    areas: list[float] = []
    parts: list[int] = []
    true_frames = 0
    motion = blind.Instability()
    before: tuple[np.ndarray, np.ndarray] | None = None
    for a, g, images in progress(_together(matte, true, clip, trimap), matte.expected_count(), "measuring"):
        found = _without_truth(a)
        if images["clip"] is not None:
            found["instability"], found["flow_coverage"] = motion.step(images["clip"], a)
        if g is not None:
            where = None if images["trimap"] is None else classify(images["trimap"]) == UNKNOWN
            found |= _with_truth(a, g, where)
            found["dtssd"] = 0.0 if before is None else truth.dtssd(a, g, *before)
            before = (a, g)
            true_frames += bool((g >= 0.5).any())
        for name, value in found.items():
            values.setdefault(name, []).append(value)
        areas.append(float(a.sum(dtype=np.float64)))
        parts.append(blind.fragments(a))
    if true is None and np.isnan(values["edge_softness"]).all():
        raise ClipError(_nothing_to_judge(matte, areas))
    if len(areas) == 1:
        values.pop("dtssd", None)
    measured = np.array(areas)
    drops = blind.dropouts(measured)
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "matte": matte.name,
        "frames": len(areas),
        "read_from": {"matte": matte.read_from} | ({} if true is None else {"truth": true.read_from}),
        "over": "whole frames" if trimap is None else "the trimap's unknown pixels",
        "mean": {name: _mean(values[name]) for name in MEASURES if name in values},
        "per_frame": {name: [_number(value) for value in values[name]] for name in MEASURES if name in values},
        "dropouts": [list(pair) for pair in drops],
        "dropped_frames": sum(after - first for first, after in drops),
        "area_variation": _number(float(measured.std() / measured.mean())) if measured.any() else None,
        "fragments": float(np.mean(parts)),
        "notes": _notes(parts, None if true is None else true_frames),
        "measures": {name: {"unit": MEASURES[name][0], "more_is_better": MEASURES[name][1]} for name in values},
    }


def quality_in_words(found: dict[str, Any]) -> str:
    """The report for people: what was read, and a table with a line a measure: its mean, its worst frame, its unit."""
    read = "; ".join(f"{name} from {what}" for name, what in found["read_from"].items())
    lines = [f"{found['matte']}: {found['frames']} frames, compared over {found['over']} ({read})"]
    lines.append(f"{'measure':16} {'mean':>9} {'worst':>9} {'frame':>6}  unit")
    for name, value in found["mean"].items():
        unit, more = MEASURES[name]
        better = {True: ", more is better", False: ", less is better", None: ""}[more]
        shown = "unknown" if value is None else f"{value:.4g}"
        worst, frame = _worst(found["per_frame"][name], more)
        lines.append(f"{name.replace('_', ' '):16} {shown:>9} {worst:>9} {frame:>6}  {unit}{better}")
    drops = ", ".join(f"{first} to {after - 1}" for first, after in found["dropouts"])
    lines.append(f"drop-outs: {drops or 'none'}")
    lines.append(f"parts: {found['fragments']:.1f} on average")
    return "\n".join(lines + [f"note: {note}" for note in found["notes"]])


def _worst(values: list[float | None], more: bool | None) -> tuple[str, str]:
    known = [(value, frame) for frame, value in enumerate(values) if value is not None]
    if more is None or not known:
        return "", ""
    value, frame = (min if more else max)(known, key=lambda pair: pair[0])
    return f"{value:.4g}", str(frame)


def _nothing_to_judge(matte: Alphas, areas: list[float]) -> str:
    if sum(areas) < 0.5 * len(areas) * matte.width * matte.height:
        return (
            f"{matte.name} has no subject: alpha is below .5 all over its {len(areas)} frames (read from "
            f"{matte.read_from}), so that there is no edge to judge; with a truth it can be compared"
        )
    return (
        f"{matte.name} has no edge to judge: alpha is .5 and more all over its {len(areas)} frames (read from "
        f"{matte.read_from}); give a matte, not a picture whose alpha channel is opaque"
    )


def _notes(parts: list[int], true_frames: int | None) -> list[str]:
    frames, empty = len(parts), parts.count(0)
    notes = ["one frame: dtSSD, instability and drop-outs need two and more"] if frames == 1 else []
    if empty:
        notes.append(f"{empty} of {frames} frames have no subject: alpha is below .5 all over")
    if true_frames == 0:
        notes.append("the truth has no subject on any frame: all that is measured is what should not be there")
    return notes


def _without_truth(a: np.ndarray) -> dict[str, float]:
    band = blind.outline_band(a)
    share, height = blind.stairs(a)
    return {
        "edge_softness": blind.softness(a, band),
        "edge_sharpness": blind.sharpness(a, band),
        "stair_stepping": share,
        "stair_height": height,
    }


def _with_truth(a: np.ndarray, g: np.ndarray, where: np.ndarray | None) -> dict[str, float]:
    found = {name: getattr(truth, name)(a, g, where) for name in ("sad", "mad", "mse", "grad", "conn")}
    return found | {"boundary_f_2px": mask_boundary_f(a >= 0.5, g >= 0.5, 2.0)}


def _together(
    matte: Alphas, true: Alphas | None, clip: Clip | None, trimap: Clip | None
) -> Iterator[tuple[np.ndarray, np.ndarray | None, dict[str, Any]]]:
    """Frame by frame: alpha, true alpha or None, and the pictures of clip and trimap, None for what is not there."""
    others = {name: other for name, other in (("truth", true), ("clip", clip), ("trimap", trimap)) if other is not None}
    for name, other in others.items():
        if (other.width, other.height) != (matte.width, matte.height):
            raise ClipError(
                f"the matte is {matte.width}x{matte.height}, the {name} {other.width}x{other.height}; they have to be "
                "of one size"
            )
    reading: dict[str, Iterator[Any]] = {name: iter(other) for name, other in others.items()}
    count = 0
    for alpha in matte:
        found: dict[str, Any] = dict.fromkeys(("truth", "clip", "trimap"))
        for name, frames in reading.items():
            found[name] = next(frames, None)
            if found[name] is None:
                raise ClipError(f"the {name} ends after {count} frames, and the matte goes on")
        count += 1
        images = {name: None if found[name] is None else found[name].image for name in ("clip", "trimap")}
        yield alpha, found["truth"], images
    for name, frames in reading.items():
        if next(frames, None) is not None:
            raise ClipError(f"the matte has {count} frames, the {name} more")


def _mean(values: list[float]) -> float | None:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value

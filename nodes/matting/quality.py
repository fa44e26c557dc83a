"""Matte quality of a clip: every measure per frame and as a mean, with its name, unit and direction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..host import progress
from ..media.clip import Clip, ClipError
from ..validation.boundary import mask_boundary_f
from . import blind, truth
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
    "instability": ("mean x 1000, where the motion is known", False),
    "flow_coverage": ("share of the band", None),
}


def matte_quality(
    matte: Clip, true: Clip | None = None, clip: Clip | None = None, trimap: Clip | None = None
) -> dict[str, Any]:
    """Measure a matte, holding two frames at a time.

    Args:
        matte: alpha as grey footage, read at 8 bits.
        true: the true alpha, for sad, mad, mse, grad, conn, dtssd and boundary F at 2 px (see `truth`).
        clip: the picture, for instability (see `blind.Instability`).
        trimap: restricts sad, mad, mse, grad and conn to its unknown pixels; without it they are of whole frames.

    Returns:
        JSON-able: "mean" and "per_frame" by measure (None where a frame has none), "dropouts" as [first, after],
        "area_variation" (deviation / mean of the areas), "fragments" (mean number of parts), "over" and "measures".

    Raises:
        ClipError: other sizes or numbers of frames than the matte's.
    """
    values: dict[str, list[float]] = {}
    areas: list[float] = []
    parts: list[int] = []
    motion = blind.Instability()
    before: tuple[np.ndarray, np.ndarray] | None = None
    others = {"truth": true, "clip": clip, "trimap": trimap}
    for a, images in progress(_together(matte, others), matte.expected_count(), "measuring"):
        found = _without_truth(a)
        if images["clip"] is not None:
            found["instability"], found["flow_coverage"] = motion.step(images["clip"], a)
        if images["truth"] is not None:
            g = _alpha(images["truth"])
            where = None if images["trimap"] is None else classify(images["trimap"]) == UNKNOWN
            found |= _with_truth(a, g, where)
            found["dtssd"] = 0.0 if before is None else truth.dtssd(a, g, *before)
            before = (a, g)
        for name, value in found.items():
            values.setdefault(name, []).append(value)
        areas.append(float(a.sum(dtype=np.float64)))
        parts.append(blind.fragments(a))
    measured = np.array(areas)
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "matte": matte.name,
        "frames": len(areas),
        "over": "whole frames" if trimap is None else "the trimap's unknown pixels",
        "mean": {name: _mean(values[name]) for name in MEASURES if name in values},
        "per_frame": {name: [_number(value) for value in values[name]] for name in MEASURES if name in values},
        "dropouts": [list(pair) for pair in blind.dropouts(measured)],
        "area_variation": _number(float(measured.std() / measured.mean())) if measured.any() else None,
        "fragments": float(np.mean(parts)) if parts else None,
        "measures": {name: {"unit": MEASURES[name][0], "more_is_better": MEASURES[name][1]} for name in values},
    }


def quality_in_words(found: dict[str, Any]) -> str:
    """The report for people: one line a measure, with its unit."""
    lines = [f"{found['matte']}: {found['frames']} frames, compared over {found['over']}"]
    for name, value in found["mean"].items():
        unit, more = MEASURES[name]
        better = {True: ", more is better", False: ", less is better", None: ""}[more]
        shown = "not measurable" if value is None else f"{value:.4g}"
        lines.append(f"{name.replace('_', ' ')}: {shown} ({unit}{better})")
    drops = ", ".join(f"{first} to {after - 1}" for first, after in found["dropouts"])
    lines.append(f"drop-outs: {drops or 'none'}")
    lines.append(f"parts: {found['fragments'] or 0:.1f} on average")
    return "\n".join(lines)


def _without_truth(a: np.ndarray) -> dict[str, float]:
    band = blind.outline_band(a)
    return {
        "edge_softness": blind.softness(a, band),
        "edge_sharpness": blind.sharpness(a, band),
        "stair_stepping": blind.stairs(a),
    }


def _with_truth(a: np.ndarray, g: np.ndarray, where: np.ndarray | None) -> dict[str, float]:
    found = {name: getattr(truth, name)(a, g, where) for name in ("sad", "mad", "mse", "grad", "conn")}
    return found | {"boundary_f_2px": mask_boundary_f(a >= 0.5, g >= 0.5, 2.0)}


def _together(matte: Clip, others: dict[str, Clip | None]) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Frame by frame: alpha, and the pictures of the other clips, None for those that are not there."""
    for name, clip in others.items():
        if clip is not None and (clip.width, clip.height) != (matte.width, matte.height):
            raise ClipError(
                f"the matte is {matte.width}x{matte.height}, the {name} {clip.width}x{clip.height}; they have to be of "
                "one size"
            )
    reading = {name: iter(clip) for name, clip in others.items() if clip is not None}
    count = 0
    for frame in matte:
        images: dict[str, Any] = dict.fromkeys(others)
        for name, frames in reading.items():
            other = next(frames, None)
            if other is None:
                raise ClipError(f"the {name} ends after {count} frames, and the matte goes on")
            images[name] = other.image
        count += 1
        yield _alpha(frame.image), images
    for name, frames in reading.items():
        if next(frames, None) is not None:
            raise ClipError(f"the matte has {count} frames, the {name} more")


def _alpha(image: np.ndarray) -> np.ndarray:
    """float32 [H, W] in 0..1 from grey footage, uint8 [H, W, 3]."""
    return image[..., 0].astype(np.float32) / 255


def _mean(values: list[float]) -> float | None:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else None


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value

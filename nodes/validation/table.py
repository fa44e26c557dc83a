"""A report as a table: one row per frame, for spreadsheets and scripts."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..media.writer import replacing
from .viewer_data import frame_count


def write_csv(report: Mapping[str, Any], file: str | Path, overwrite: bool = False) -> None:
    """Write a report as CSV (UTF-8, comma, one header line), whole or not at all.

    Columns: frame (from 0), time_s (by the generated clip's rate), judged (1 or 0), why_not, failing (1 or 0), cause
    (names with "; " between them), then "<measure> of <object>" for every measure and "floor of <measure> of <object>"
    where it has one, and "offset x", "offset y" (person heights) and "limb" of the object "in source" and "in
    generated", where they are known. A value that wasn't measured is empty.

    Args:
        report: of `validate`, schema version 2.
        overwrite: replace a file that is there.

    Raises:
        FileExistsError: the file is there and `overwrite` is not set.
    """
    columns: dict[str, Sequence[Any]] = {}
    for label, measures in report["measures"].items():
        for name, measure in measures.items():
            columns[f"{name} of {label}"] = measure["values"]
            if measure["floor"] is not None:
                columns[f"floor of {name} of {label}"] = measure["floor"]
    columns |= _relations(report)
    rate = Fraction(report["generated"]["rate"])
    total = frame_count(report)
    why, causes, failing = (_by_frame(report[name], total) for name in ("not_judged", "causes", "failing_ranges"))
    with replacing(file, overwrite) as partial, partial.open("w", encoding="utf-8", newline="") as out:
        table = csv.writer(out)
        table.writerow(["frame", "time_s", "judged", "why_not", "failing", "cause", *columns])
        for t in range(total):
            words = "; ".join(part["why"] for part in why[t])
            names = "; ".join(dict.fromkeys(part["name"] for part in causes[t]))
            values = (of[t] if t < len(of) else None for of in columns.values())
            about = [t, f"{float(t / rate):.6f}", int(not why[t]), words, int(bool(failing[t])), names]
            table.writerow([*about, *values])


def _relations(report: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """Columns of `between.relations`."""
    known = report.get("relations") or {}
    columns: dict[str, Sequence[Any]] = {}
    for clip, places in (known.get("offset") or {}).items():
        for n, axis in enumerate("xy"):
            columns[f"offset {axis} in {clip}"] = [place and place[n] for place in places]
    return columns | {f"limb in {clip}": names for clip, names in (known.get("limb") or {}).items()}


def _by_frame(parts: Sequence[Mapping[str, Any]], total: int) -> list[list[Mapping[str, Any]]]:
    found: list[list[Mapping[str, Any]]] = [[] for _ in range(total)]
    for part in parts:
        for t in range(part["start"], min(part["stop"], total)):
            found[t].append(part)
    return found

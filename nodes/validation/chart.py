"""The report as a picture: J and F over the frames with limits and floor, the causes, the events, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten, wrap
from typing import Any

import cv2
import numpy as np

from ..media.stills import write_image
from ..media.writer import replacing
from .report import FAILED, PASSED, summary

# px; a README column is about 900 wide, so type stays readable there without scaling.
WIDTH, HEIGHT, DPI = 1000, 420, 100

# Okabe and Ito's palette, told apart with any colour vision; within one colour by hatching, as in the report viewer.
BLUE, SKY, ORANGE, VERMILION, GREEN, PURPLE, GREY = (
    *("#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#009E73", "#CC79A7", "#666666"),
)
CAUSES = {
    "late": (ORANGE, "////"),
    "early": (ORANGE, "\\\\\\\\"),
    "airtime": (ORANGE, "||||"),
    "moved": (VERMILION, ""),
    "shifted": (VERMILION, "////"),
    "scaled": (PURPLE, "...."),
    "rotated": (PURPLE, "\\\\\\\\"),
    "flicker": (PURPLE, "||||"),
    "lost": (BLUE, ""),
    "appeared": (BLUE, "...."),
    "swapped": (BLUE, "xxxx"),
    "length": (BLUE, "||||"),
    "contact lost": (GREEN, ""),
    "contact added": (GREEN, "...."),
    "pose": (SKY, ""),
    "other limb": (SKY, "////"),
}
OTHER_CAUSE = (GREY, "xxxx")
# Rows of causes: so many fit into the usual height, each one more makes the picture higher by so many px, and causes
# beyond the most are left to the report. A letter of a name takes this share of the width.
USUAL_ROWS, ROW_PX, MOST_ROWS, LETTER = 4, 18, 10, 0.0105
# The two measures that every report has, and how they are drawn.
CURVES = (("boundary", "F, outline", ORANGE, 1.4, "--"), ("region", "J, region", BLUE, 2.0, "-"))


def render_chart(report: Mapping[str, Any], width: int = WIDTH, height: int | None = None) -> np.ndarray:
    """Draw a report.

    Args:
        report: of `validate`, or as `report.read` gives it.
        width, height: px; the height is HEIGHT by default, and more where many causes overlap.

    Returns:
        uint8 [height, width, 3], RGB. Without matplotlib it has the verdict and says how to get the curves.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return _without_curves(report, width, height or HEIGHT)

    total = max(_frames(report), 2)
    rows = _rows(report["causes"], total)
    height = height or HEIGHT + ROW_PX * max(0, len(rows) - USUAL_ROWS)
    events = report["events"]
    ratios = [5.0, *([0.42 * len(rows)] if rows else []), *([0.62] if events["source"] or events["generated"] else [])]
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout="constrained")
    figure.get_layout_engine().set(h_pad=0.05, hspace=0.0)  # type: ignore[union-attr]
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(len(ratios), 1, sharex=True, squeeze=False, height_ratios=ratios)[:, 0].tolist()
    curves = axes.pop(0)
    _draw_curves(curves, report, total)
    if rows:
        _draw_causes(axes.pop(0), rows)
    if axes:
        _draw_events(axes.pop(0), events)
    figure.axes[-1].set_xlabel("frame")
    colour = {PASSED: GREEN, FAILED: VERMILION}.get(report["verdict"], GREY)
    title = "\n".join(wrap(_plain(shorten(summary(report), 220, placeholder=" …")), width // 10))
    curves.set_title(title, loc="left", color=colour, fontsize=11, fontweight="bold")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save_chart(report: Mapping[str, Any], file: str | Path, overwrite: bool = False) -> None:
    """Write the chart as PNG, whole or not at all. Raises FileExistsError unless `overwrite`."""
    with replacing(file, overwrite) as partial:
        write_image(partial, render_chart(report))


def failing_parts(report: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The failing frames as half-open ranges that don't overlap."""
    parts: list[tuple[int, int]] = []
    for start, stop in sorted((part["start"], part["stop"]) for part in report["failing_ranges"]):
        if parts and start <= parts[-1][1]:
            parts[-1] = (parts[-1][0], max(stop, parts[-1][1]))
        else:
            parts.append((start, stop))
    return parts


def _draw_curves(axes: Any, report: Mapping[str, Any], total: int) -> None:
    for part in report["not_judged"]:
        axes.axvspan(
            part["start"] - 0.5, part["stop"] - 0.5, facecolor="none", edgecolor=GREY, alpha=0.5, lw=0, hatch="//"
        )
    for start, stop in failing_parts(report):
        axes.axvspan(start - 0.5, stop - 0.5, color=VERMILION, alpha=0.16, lw=0)
    label = report["label"]
    for of, measures in report["measures"].items():
        if of != label and "region" in measures:
            axes.plot(_floats(measures["region"]["values"]), color=GREY, lw=1, ls=":", label=f"J, {_plain(of)}")
    for name, words, colour, lw, ls in CURVES:
        measure = report["measures"].get(label, {}).get(name)
        if measure is None:
            continue
        if measure["floor"] is not None:
            axes.plot(_floats(measure["floor"]), color=colour, lw=1, ls=(0, (1, 2)), label=f"floor of {words[0]}")
        if measure["limit"] is not None:
            axes.axhline(measure["limit"], color=colour, lw=1, ls=(0, (6, 3)), alpha=0.9)
            axes.text(1.005, measure["limit"], f"{measure['limit']:.2f}", color=colour, fontsize=8.5, va="center",
                      transform=axes.get_yaxis_transform())  # fmt: skip
        axes.plot(_floats(measure["values"]), color=colour, lw=lw, ls=ls, label=words)
    axes.set(xlim=(-0.5, total - 0.5), ylim=(0, 1.05), ylabel="agreement")
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.grid(axis="y", color="#dddddd", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    handles, names = axes.get_legend_handles_labels()
    if report["not_judged"]:
        from matplotlib.patches import Patch

        handles.append(Patch(facecolor="none", edgecolor=GREY, hatch="////", lw=0))
        names.append("not judged")
    axes.legend(handles[::-1], names[::-1], loc="upper left", bbox_to_anchor=(1.035, 1.02), frameon=False, fontsize=9)


def _draw_causes(axes: Any, rows: Sequence[Sequence[tuple[Mapping[str, Any], float, str]]]) -> None:
    for n, row in enumerate(rows):
        for cause, at, side in row:
            colour, hatch = CAUSES.get(cause["name"], OTHER_CAUSE)
            span = (cause["start"] - 0.5, cause["stop"] - cause["start"])
            axes.broken_barh(
                [span], (n + 0.12, 0.76), facecolor=(*_rgb(colour), 0.4), edgecolor=colour, hatch=hatch, lw=0.8
            )
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.8}
            axes.text(
                at, n + 0.5, _plain(cause["name"]), ha=side, va="center_baseline", fontsize=8.5, bbox=box, clip_on=True
            )
    _bare(axes, len(rows), [(len(rows) / 2, "causes")])


def _draw_events(axes: Any, events: Mapping[str, Any]) -> None:
    for n, (clip, fill) in enumerate((("source", "black"), ("generated", "white"))):
        for event in events[clip]:
            marker = "^" if event["kind"] == "take-off" else "v"
            axes.plot(event["frame"], n + 0.5, marker, ms=6, mfc=fill, mec="black", mew=1)
    for pair in events["pairs"]:
        frames = pair["source_frame"], pair["generated_frame"]
        if None not in frames and frames[0] != frames[1]:
            axes.plot(frames, (0.7, 1.3), color="black", lw=0.8, ls=":")
    _bare(axes, 2, [(0.5, "source"), (1.5, "generated")])
    axes.text(1.04, 0.5, "▲ take-off   ▼ landing", fontsize=8.5, color=GREY, va="center", transform=axes.transAxes)


def _bare(axes: Any, rows: int, names: Sequence[tuple[float, str]]) -> None:
    axes.set_ylim(rows, 0)
    axes.set_yticks([at for at, _ in names], [name for _, name in names], fontsize=9)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _rows(causes: Sequence[Mapping[str, Any]], total: int) -> list[list[tuple[Mapping[str, Any], float, str]]]:
    """Rows of (cause, where its name stands, on which side of that), so that bands and names don't overlap."""
    rows: list[list[tuple[Mapping[str, Any], float, str]]] = []
    ends: list[float] = []
    for cause in sorted(causes, key=lambda cause: cause["start"]):
        start, stop = cause["start"] - 0.5, cause["stop"] - 0.5
        needed = LETTER * total * (len(cause["name"]) + 1)
        at, side, left, right = (start + stop) / 2, "center", start, stop
        if stop - start < needed and stop + needed < total:
            at, side, right = stop + 0.003 * total, "left", stop + needed
        elif stop - start < needed:
            at, side, left = start - 0.003 * total, "right", start - needed
        row = next((n for n, end in enumerate(ends) if end <= left), len(rows))
        if row == MOST_ROWS:
            continue
        if row == len(rows):
            rows.append([])
            ends.append(0.0)
        rows[row].append((cause, at, side))
        ends[row] = right
    return rows


def _without_curves(report: Mapping[str, Any], width: int, height: int) -> np.ndarray:
    page = np.full((height, width, 3), 255, np.uint8)
    said = [summary(report), "", "The curves need matplotlib, which is not installed: pip install matplotlib"]
    lines = [line for text in said for line in wrap(text, max(20, width // 18)) or [""]]
    for n, line in enumerate(lines):
        at = (width // 40, height // 10 + n * 40)
        cv2.putText(page, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.85, (40, 40, 40), 2, cv2.LINE_AA)
    return page


def _frames(report: Mapping[str, Any]) -> int:
    return max(report["source"]["frames"] or 0, report["generated"]["frames"] or 0, report["total_frames"])


def _plain(text: str) -> str:
    """Text that matplotlib draws as it is: "$" would start a formula."""
    return text.replace("$", r"\$")


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))


def _floats(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], float)

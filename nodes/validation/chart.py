"""The report as a picture: J and F over the frames, where they fail, and the verdict."""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap
from typing import Any

import cv2
import numpy as np

from ..media.stills import write_image
from ..media.writer import replacing
from .report import FAILED, PASSED, summary

# px; a README column is about 900 wide, so type stays readable there without scaling.
WIDTH, HEIGHT, DPI = 1000, 420, 100

# Okabe and Ito's palette, told apart with any colour vision.
BLUE, ORANGE, VERMILION, GREEN, GREY = "#0072B2", "#E69F00", "#D55E00", "#009E73", "#666666"


def render_chart(report: dict[str, Any], width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Draw a report.

    Args:
        report: as `report.build` or `report.read` gives it.
        width, height: px.

    Returns:
        uint8 [height, width, 3], RGB. Without matplotlib it has the verdict and says how to get the curves.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return _without_curves(report, width, height)

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    measures = report["measures"].get(report["label"], {})
    region = _floats(report["all_scores"])
    boundary = _floats(measures.get("boundary", {}).get("values", []))
    total = max(report["source"]["frames"] or 0, len(region), 2)

    for found in report["failing_ranges"]:
        axes.axvspan(found["start"] - 0.5, found["stop"] - 0.5, color=VERMILION, alpha=0.18, lw=0)
        middle = (found["start"] + found["stop"] - 1) / 2
        axes.text(middle, 1.03, found["cause"], color=VERMILION, ha="center", va="bottom", fontsize=9, clip_on=True)
    if len(region) < total:
        axes.axvspan(len(region) - 0.5, total - 0.5, color=GREY, alpha=0.25, lw=0, hatch="//", label="no frames")
    axes.plot(boundary, color=ORANGE, lw=1.4, label="F, outline", zorder=2)
    axes.plot(region, color=BLUE, lw=2, label="J, region", zorder=3)
    for other, values in report["measures"].items():
        if other != report["label"]:
            axes.plot(_floats(values["region"]["values"]), color=GREY, lw=1, ls=":", label=f"J, {other}")
    for name, colour, letter in (("region", BLUE, "J"), ("boundary", ORANGE, "F")):
        limit = measures.get(name, {}).get("limit")
        if limit is not None:
            axes.axhline(limit, color=colour, lw=1.2, ls="--", label=f"{letter} {limit:.2f}")

    axes.set(xlim=(-0.5, total - 0.5), ylim=(0, 1.12), xlabel="frame", ylabel="agreement with the source")
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.grid(axis="y", color="#dddddd", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    colour = {PASSED: GREEN, FAILED: VERMILION}.get(report["verdict"], GREY)
    axes.set_title(_title(report), loc="left", color=colour, fontsize=12, fontweight="bold")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def save_chart(report: dict[str, Any], file: str | Path, overwrite: bool = False) -> None:
    """Write the chart as PNG, whole or not at all. Raises FileExistsError unless `overwrite`."""
    with replacing(file, overwrite) as partial:
        write_image(partial, render_chart(report))


def _without_curves(report: dict[str, Any], width: int, height: int) -> np.ndarray:
    page = np.full((height, width, 3), 255, np.uint8)
    said = [summary(report), "", "The curves need matplotlib, which is not installed: pip install matplotlib"]
    lines = [line for text in said for line in wrap(text, max(20, width // 18)) or [""]]
    for n, line in enumerate(lines):
        at = (width // 40, height // 10 + n * 40)
        cv2.putText(page, line, at, cv2.FONT_HERSHEY_SIMPLEX, 0.85, (40, 40, 40), 2, cv2.LINE_AA)
    return page


def _title(report: dict[str, Any]) -> str:
    verdict = f"{report['label']}: {report['verdict']}"
    if report["undecided"]:
        return f"{verdict}: {report['undecided']}"
    causes = [f"\n{cause['text']}" for cause in report["causes"][:2]]
    return f"{verdict}{''.join(causes)}"


def _floats(values: list[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], float)

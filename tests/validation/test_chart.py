"""The chart shows what the report says, read back from its pixels."""

import numpy as np
import pytest
from physics_preserver.nodes.validation.report import Measures, build, rule_for

pytest.importorskip("matplotlib")
from physics_preserver.nodes.validation.chart import render_chart, save_chart

BLUE, PINK = (0x00, 0x72, 0xB2), (247, 226, 209)


def report_of(scores: np.ndarray, frames: int | None = None):
    seen = np.ones(len(scores), bool)
    about = {"name": "clip", "frames": frames or len(scores), "width": 64, "height": 48, "rate": "24"}
    return build("board", {"board": Measures(scores, scores, seen, seen)}, rule_for(), about, about)


def pixels(image: np.ndarray, colour, tolerance=12) -> tuple[np.ndarray, ...]:
    return np.nonzero((np.abs(image.astype(int) - colour) <= tolerance).all(axis=2))


def test_failing_ranges_are_shaded_where_the_curve_is_low():
    scores = np.full(100, 0.9)
    scores[40:60] = 0.2
    scores[0] = np.nan
    image = render_chart(report_of(scores))
    assert image.shape == (420, 1000, 3) and image.dtype == np.uint8
    shaded = pixels(image, PINK)[1]
    rows, columns = pixels(image, BLUE)
    low = columns[(rows > 250) & (columns < 700)]  # the legend is further right
    assert len(shaded) > 10_000
    assert shaded.min() - 8 <= low.min() and low.max() <= shaded.max() + 8
    assert len(pixels(render_chart(report_of(np.full(100, 0.9))), PINK)[0]) < 100


def test_reports_with_nothing_judged_can_be_drawn(tmp_path):
    save_chart(report_of(np.full(5, np.nan)), tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 1000
    with pytest.raises(FileExistsError):
        save_chart(report_of(np.full(5, np.nan)), tmp_path / "chart.png")

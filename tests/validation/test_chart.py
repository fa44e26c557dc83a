"""The chart shows what the report says, read back from its pixels."""

import numpy as np
import pytest
from clips_of_colour import track_of
from physics_preserver.nodes.validation.validate import judge_tracks

pytest.importorskip("matplotlib")
from physics_preserver.nodes.validation.chart import render_chart, save_chart

BLUE, PINK = (0x00, 0x72, 0xB2), (247, 226, 209)


def report_of(bad: slice, frames: int = 100):
    """A report on a square that is 6 px to the side on the frames `bad`."""

    def at(x):
        mask = np.zeros((2, 48, 96), bool)
        mask[1, 20:30, x : x + 10] = True
        return mask

    source, generated = ([at(30)] * frames for _ in range(2))
    generated[bad] = [at(36)] * len(generated[bad])
    return judge_tracks(track_of(source), track_of(generated), (), "board", prompted=0)


def pixels(image: np.ndarray, colour, tolerance=12) -> tuple[np.ndarray, ...]:
    return np.nonzero((np.abs(image.astype(int) - colour) <= tolerance).all(axis=2))


def test_failing_ranges_are_shaded_where_the_curve_is_low():
    image = render_chart(report_of(slice(40, 60)))
    assert image.shape == (420, 1000, 3) and image.dtype == np.uint8
    shaded = pixels(image, PINK)[1]
    rows, columns = pixels(image, BLUE)
    low = columns[(rows > 250) & (columns < 700)]  # the legend is further right
    assert len(shaded) > 10_000
    assert shaded.min() - 8 <= low.min() and low.max() <= shaded.max() + 8
    assert len(pixels(render_chart(report_of(slice(0, 0))), PINK)[0]) < 100


def test_reports_with_nothing_judged_can_be_drawn(tmp_path):
    save_chart(report_of(slice(0, 0), 1), tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 1000
    with pytest.raises(FileExistsError):
        save_chart(report_of(slice(0, 0), 1), tmp_path / "chart.png")

"""The CSV says per frame what the report says in lists."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from physics_preserver.nodes.validation.table import write_csv
from sample_report import report


def test_rows_are_the_frames_of_the_report(tmp_path: Path) -> None:
    scores = np.full(72, 0.9)
    scores[0], scores[30:40] = np.nan, 0.25
    made = report('bo,ard "x"', scores, np.arange(72.0))
    write_csv(made, tmp_path / "frames.csv")
    with (tmp_path / "frames.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["frame"]) for row in rows] == list(range(72))
    assert float(rows[36]["time_s"]) == pytest.approx(1.5)
    first, bad, hidden = rows[0], rows[33], rows[55]
    assert (first["judged"], first["why_not"]) == ("0", "the tracker was shown the source's mask here")
    assert first['region of bo,ard "x"'] == ""
    assert (bad["judged"], bad["failing"], bad["cause"]) == ("1", "1", "late; airtime; shifted")
    assert float(bad['region of bo,ard "x"']) == 0.25 and float(bad['floor of region of bo,ard "x"']) == 0.9
    assert float(bad['offset_px of bo,ard "x"']) == 33
    assert (hidden["judged"], hidden["failing"]) == ("0", "0")


def test_a_longer_clip_has_rows_without_values(tmp_path: Path) -> None:
    made = report("board", np.full(10, 0.9), np.ones(10))
    made["generated"]["frames"] = 12
    write_csv(made, tmp_path / "frames.csv")
    with (tmp_path / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 and rows[11]["region of board"] == ""
    with pytest.raises(FileExistsError):
        write_csv(made, tmp_path / "frames.csv")

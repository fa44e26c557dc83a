"""A matte as VP9 in Chromium: its colours are straight, and the page shows through where alpha says so."""

from __future__ import annotations

import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from physics_preserver.nodes.matting.encodings import ENCODINGS
from physics_preserver.nodes.matting.joining import SegmentWriter, join
from physics_preserver.nodes.media.stills import read_image

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PAGE = (32, 96, 255)


def test_a_matte_lies_over_the_page_without_a_halo(tmp_path):
    binary = shutil.which("node")
    if binary is None or not Path(CHROMIUM).is_file() or not (HERE / "node_modules" / "playwright-core").is_dir():
        pytest.skip(f"needs node, Chromium at {CHROMIUM} (CHROMIUM names another) and `npm install` in tests/browser")
    y, x = np.mgrid[:240, :320].astype(np.float32)
    alpha = np.clip((80 - np.hypot(x - 180, y - 120)) / 40 + 0.5, 0, 1)
    alpha[:, :40] = y[:, :40] / 239  # white at every alpha there is
    colours = np.full((240, 320, 3), (200, 60, 30), np.uint8)
    colours[:, :40] = 255
    with SegmentWriter(tmp_path / "segment.webm", ENCODINGS["vp9"], (240, 320), Fraction(24)) as segment:
        for _ in range(4):
            segment.write(colours, alpha, (0, 255, 0))
    video, times = tmp_path / "matte.webm", [Fraction(n, 24) for n in range(4)]
    join(video, [tmp_path / "segment.webm"], times, (240, 320), Fraction(24), Fraction(1, 24))
    (tmp_path / "page.html").write_text("<!doctype html><title>matte</title>")
    script = [binary, str(HERE / "vp9_alpha.mjs"), str(video), f"rgb{PAGE}", str(tmp_path / "shot.png")]
    done = subprocess.run(script, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    shown = read_image(tmp_path / "shot.png").astype(float)
    wanted = colours * alpha[..., None] + np.array(PAGE) * (1 - alpha[..., None])
    smooth = np.abs(x - 40) > 4  # colours are halved across the line between both parts
    assert np.abs(shown - wanted)[smooth].mean() < 2 and np.abs(shown - wanted)[smooth].max() < 12

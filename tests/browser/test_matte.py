"""Both matte workflows in Chromium, run with the Run button: pictures while they run, and the result on the node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import pytest
from checks import overlap, within
from comfyui import PACK, Server
from graphs import write_clip
from mattes import disc_image
from physics_preserver.nodes.matting.preview import preview_size
from physics_preserver.nodes.media.writer import VideoWriter
from vr_scene import Person, StereoScene

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
RUN_LIMIT_S = 600
# Where the screenshots stay after the run, for a person to look at.
SHOTS = PACK / "build" / "browser"
SIZE, FRAMES = (288, 480), 24
SIDE, VR_FRAMES = 384, 10


def flat(file: Path) -> None:
    with VideoWriter(file, SIZE[1], SIZE[0], Fraction(24), crf=8) as video:
        for t in range(FRAMES):
            video.write(cv2.resize(disc_image(t), SIZE[::-1]))


def vr180(file: Path) -> None:
    write_clip(file, StereoScene([Person(1.0, -5, walks=1.5)], size=(SIDE, SIDE), frames=VR_FRAMES))


CASES = {
    "matte_video": (flat, preview_size(SIZE, 1), FRAMES, "classic"),
    "matte_vr180": (vr180, preview_size((SIDE, SIDE), 2), VR_FRAMES, "vue"),
}


@pytest.fixture(scope="module", params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest, name: str) -> dict[str, Any]:
    """What matte_workflow.mjs saw."""
    node = shutil.which("node")
    if node is None or not Path(CHROMIUM).is_file() or not (HERE / "node_modules" / "playwright-core").is_dir():
        pytest.skip(f"needs node, Chromium at {CHROMIUM} (CHROMIUM names another) and `npm install` in tests/browser")
    comfyui: Server = request.getfixturevalue("comfyui")
    write, _, _, mode = CASES[name]
    write(comfyui.input / f"browser_{name}.mp4")
    SHOTS.mkdir(parents=True, exist_ok=True)
    graph, shots = PACK / "workflows" / f"{name}.json", SHOTS / f"{name}_run"
    command = [node, str(HERE / "matte_workflow.mjs"), comfyui.url, mode, str(graph), f"browser_{name}.mp4", str(shots)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_LIMIT_S)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_it_runs_to_its_end_with_nothing_red(seen: dict[str, Any]) -> None:
    assert (seen["errors"], seen["red"], seen["dialogs"], seen["pageErrors"]) == ([], [], [], [])
    assert all(seen["texts"]) and len(seen["texts"]) == 2


def test_pictures_come_while_it_runs(seen: dict[str, Any], name: str) -> None:
    height, width = CASES[name][1]
    assert seen["pictures"]
    assert {tuple(one.values()) for one in seen["pictures"]} == {("3", width, height, "image/jpeg")}


def test_the_node_plays_the_result(seen: dict[str, Any], name: str) -> None:
    (height, width), frames = CASES[name][1:3]
    (video,) = (one for one in seen["videos"] if "_preview.mp4" in one["src"])
    assert (video["width"], video["height"], video["error"]) == (width, height, None)
    assert seen["left"] == 0  # of the pictures that came while it ran
    assert video["seconds"] == pytest.approx(frames / 24, abs=0.05)


def test_nothing_lies_over_another_when_it_is_done(seen: dict[str, Any]) -> None:
    for n, node in enumerate(seen["nodes"]):
        others = seen["nodes"][n + 1 :]
        assert [other["title"] for other in others if overlap(node["box"], other["box"])] == [], node["title"]
        assert any(within(node["box"], group["box"]) for group in seen["groups"]), node["title"]

"""The shipped workflow in the graph editor: opened as a template in Chromium, run with the Run button."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from comfyui import PACK, PACK_NAME, Server
from graphs import write_clip
from physics_preserver.nodes.media.scene import Scene

HERE = Path(__file__).parent
TEMPLATE = "extract_and_validate"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
RUN_LIMIT_S = 600
# Where the screenshot stays after the run, for a person to look at.
SHOTS = PACK / "build" / "browser"


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What run_workflow.mjs saw."""
    node = shutil.which("node")
    if node is None or not Path(CHROMIUM).is_file() or not (HERE / "node_modules" / "playwright-core").is_dir():
        pytest.skip(f"needs node, Chromium at {CHROMIUM} (CHROMIUM names another) and `npm install` in tests/browser")
    comfyui: Server = request.getfixturevalue("comfyui")
    (comfyui.input / "clip.mp4").unlink(missing_ok=True)  # another module's, for the same server
    write_clip(comfyui.input / "clip.mp4", Scene(480, 270, 24, exposures=2))
    shutil.copy(comfyui.input / "clip.mp4", comfyui.input / "generated.mp4")
    SHOTS.mkdir(parents=True, exist_ok=True)
    command = [node, str(HERE / "run_workflow.mjs"), comfyui.url, PACK_NAME, TEMPLATE, str(SHOTS / f"{TEMPLATE}.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_LIMIT_S)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_node_is_known_and_none_is_red(run: dict[str, Any]) -> None:
    shipped = json.loads((PACK / "workflows" / f"{TEMPLATE}.json").read_text("utf-8"))
    assert sorted(run["nodes"]) == sorted(node["type"] for node in shipped["nodes"])
    assert (run["red"], run["redAfter"], run["dialogs"], run["pageErrors"]) == ([], [], [], [])


def test_run_button_runs_it_to_the_end(run: dict[str, Any]) -> None:
    assert run["errors"] == []
    assert run["shown"]["Verdict"].split(": ")[1] in ("passed", "failed")  # which of them is the tracker's matter
    assert all(run["shown"].values())
    assert (SHOTS / f"{TEMPLATE}.png").stat().st_size > 0


def test_progress_moves_while_it_runs(run: dict[str, Any]) -> None:
    walked = ("PP_DetectSubjects", "PP_TrackObjects", "PP_PreviewTrack", "PP_SavePhysics", "PP_ValidatePhysics")
    assert all(run["progress"].get(name, 0) >= 3 for name in walked), run["progress"]


def test_api_workflow_is_the_same_graph(run: dict[str, Any]) -> None:
    api = json.loads((PACK / "workflows" / "api" / f"{TEMPLATE}.json").read_text("utf-8"))
    edited = run["prompt"]
    assert edited.keys() == api.keys()
    for name, node in api.items():
        assert edited[name]["class_type"] == node["class_type"]
        assert edited[name]["_meta"] == node["_meta"]
        assert node["inputs"].items() <= edited[name]["inputs"].items()

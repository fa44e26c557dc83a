"""The report viewer in Chromium: on the node after a run, in both editors, and as a page opened from disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from comfyui import PACK, Server
from graphs import write_clip
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.validation.page import write_page

sys.path.append(str(PACK / "tests" / "validation"))
from sample_report import sample

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
LIMIT_S = 600
SHOTS = PACK / "build" / "browser"
# Of the shipped workflow: both clips, subjects, track and verdict.
KEPT = ("LoadVideo", "PP_DetectSubjects", "PP_TrackObjects", "PP_ValidatePhysics")
NASTY = "</script><img src=x onerror=alert(1)>"


def node(*arguments: str) -> dict[str, Any]:
    """What report_viewer.mjs saw."""
    binary = shutil.which("node")
    if binary is None or not Path(CHROMIUM).is_file() or not (HERE / "node_modules" / "playwright-core").is_dir():
        pytest.skip(f"needs node, Chromium at {CHROMIUM} (CHROMIUM names another) and `npm install` in tests/browser")
    SHOTS.mkdir(parents=True, exist_ok=True)
    command = [binary, str(HERE / "report_viewer.mjs"), *arguments, str(SHOTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def workflow(*files: str) -> dict[str, Any]:
    """The shipped workflow without the nodes that the viewer doesn't need, reading these files."""
    graph = json.loads((PACK / "workflows" / "extract_and_validate.json").read_text("utf-8"))
    graph["nodes"] = [one for one in graph["nodes"] if one["type"] in KEPT]
    kept = {one["id"] for one in graph["nodes"]}
    graph["links"] = [link for link in graph["links"] if {link[1], link[3]} <= kept]
    links = {link[0] for link in graph["links"]}
    names = iter(files)
    for one in graph["nodes"]:
        for output in one["outputs"]:
            output["links"] = [link for link in output["links"] or [] if link in links] or None
        if one["type"] == "LoadVideo":
            one["widgets_values"][0] = next(names)
    return graph


@pytest.fixture(scope="module")
def editors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if shutil.which("node") is None:
        pytest.skip("needs node")
    comfyui: Server = request.getfixturevalue("comfyui")
    write_clip(comfyui.input / "viewer.mp4", Scene(320, 180, 20, exposures=1))
    drifting = Scene(320, 180, 20, exposures=1, fault="drift", fault_start=4, drift=0.3)
    write_clip(comfyui.input / "viewer_generated.mp4", drifting)
    file = tmp_path_factory.mktemp("viewer") / "workflow.json"
    file.write_text(json.dumps(workflow("viewer.mp4", "viewer_generated.mp4")), "utf-8")
    return node("editor", comfyui.url, str(file))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    judgement, source, generated = sample(NASTY)
    file = tmp_path_factory.mktemp("page") / "report & more.html"
    write_page(file, judgement, source, generated)
    return node("page", str(file))


@pytest.mark.parametrize("editor", ["classic", "vue"])
def test_viewer_appears_after_the_run(editors: dict[str, Any], editor: str) -> None:
    seen = editors[editor]
    assert (seen["errors"], seen["pageErrors"]) == ([], [])
    assert seen["verdict"].split(maxsplit=1)[1] in ("passed", "failed", "could not judge")
    assert seen["total"] == 20 and seen["rules"] > 3
    assert seen["drawn"] == [True, True, True]
    assert not seen["clipped"]


@pytest.mark.parametrize("editor", ["classic", "vue"])
def test_mouse_and_keys_choose_a_frame_and_nothing_else(editors: dict[str, Any], editor: str) -> None:
    steps = editors[editor]["steps"]
    assert (steps["click"], steps["drag"]) == (5, 9)
    assert (steps["ArrowRight"], steps["ArrowLeft"]) == ([6], [5])
    assert (steps["Shift+ArrowRight"], steps["Shift+ArrowLeft"]) == ([15], [5])
    assert (steps["End"], steps["Home"]) == ([19], [0])
    assert editors[editor]["readout"].startswith("Frame 9 of 20")
    assert editors[editor]["stayed"], "the node moved, or a key reached the editor"


@pytest.mark.parametrize("editor", ["classic", "vue"])
def test_report_is_back_after_another_workflow_was_in_front(editors: dict[str, Any], editor: str) -> None:
    assert editors[editor]["again"] == editors[editor]["verdict"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_opens_from_disk_and_asks_for_nothing(pages: dict[str, Any], scheme: str) -> None:
    seen = pages[scheme]
    assert seen["said"] == [] and set(seen["asked"]) <= {"file", "data"}
    assert seen["images"] == 0 and seen["title"] == f"{NASTY}: failed"
    assert seen["verdict"] == "✗ failed" and seen["total"] == 72 and seen["rules"] == 6
    assert sorted(seen["bands"]) == ["airtime", "flicker", "late", "lost", "other limb", "shifted"]
    assert seen["drawn"] == [True, True, True] and not seen["clipped"]


def test_failing_frames_are_stepped_through(pages: dict[str, Any]) -> None:
    steps = pages["light"]["steps"]
    first, second = steps["n"]
    assert first > 0 and second == first + 1 and steps["p"] == [first]
    assert steps["first"] == 42  # the worst frame of the first failed rule

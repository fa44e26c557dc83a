"""Prompts drawn in Chromium, in both editors: points, boxes, frames, masks before the run, approval, what is kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfyui import PACK, PACK_NAME, Server
from graphs import write_clip
from physics_preserver.nodes.media.scene import Scene

HERE = Path(__file__).parent
TEMPLATE = "prompt_and_track"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
RUN_LIMIT_S = 300
# Where the screenshots stay after the run, for a person to look at.
SHOTS = PACK / "build" / "browser"
# px of the clip: the picture is shown smaller than it is, so a click can't be placed better.
CLICK = 2.0


def box_around(mask: np.ndarray) -> list[int]:
    rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(480, 270, 24, exposures=2)


@pytest.fixture(scope="module", params=["classic", "vue"])
def seen(request: pytest.FixtureRequest, scene: Scene) -> dict[str, Any]:
    """What prompt_objects.mjs saw in one of the two editors."""
    node = shutil.which("node")
    if node is None or not Path(CHROMIUM).is_file() or not (HERE / "node_modules" / "playwright-core").is_dir():
        pytest.skip(f"needs node, Chromium at {CHROMIUM} (CHROMIUM names another) and `npm install` in tests/browser")
    comfyui: Server = request.getfixturevalue("comfyui")
    if not (comfyui.input / "clip.mp4").exists():
        write_clip(comfyui.input / "clip.mp4", scene)
    (comfyui.input / "clip.mp4").touch()  # a new clip for Load Video: nothing is left over from the other editor
    SHOTS.mkdir(parents=True, exist_ok=True)
    rider, board = (box_around(mask) for mask in scene.truth(0).masks)
    truth = json.dumps({"width": scene.width, "height": scene.height, "rider": rider, "board": board})
    shots = str(SHOTS / f"{TEMPLATE}_{request.param}")
    command = [node, str(HERE / "prompt_objects.mjs"), comfyui.url, PACK_NAME, TEMPLATE, request.param, shots, truth]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_LIMIT_S)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout.splitlines()[-1]), "rider": rider, "board": board}


def prompt(objects: list[dict[str, Any]], label: str, frame: int = 0) -> dict[str, Any]:
    shown = next(item for item in objects if item["label"] == label)["prompts"]
    return next((item for item in shown if item["frame"] == frame), {"box": None, "points": []})


def places(points: list[dict[str, Any]]) -> list[tuple[float, float, bool]]:
    return [(point["x"], point["y"], point["positive"]) for point in points]


def test_clicks_are_points_where_they_were_made(seen: dict[str, Any], scene: Scene) -> None:
    x1, y1, x2, y2 = seen["rider"]
    expected = [((x1 + x2) / 2, (y1 + y2) / 2, True), (scene.width - 20, 20, False), (20, 25, False)]
    for found, wanted in zip(places(prompt(seen["points"], "rider")["points"]), expected, strict=True):
        assert found == pytest.approx(wanted, abs=CLICK) and found[2] is wanted[2]


def test_a_drag_is_a_box_that_can_be_undone(seen: dict[str, Any]) -> None:
    assert prompt(seen["box"], "board")["box"] == pytest.approx(seen["board"], abs=CLICK)
    assert prompt(seen["undone"], "board")["box"] is None
    assert seen["redone"] == seen["box"]


def test_objects_have_names_of_their_own(seen: dict[str, Any]) -> None:
    assert seen["names"] == ["rider", "boar", "rider 2"]
    assert [item["label"] for item in seen["box"]] == ["rider", "board"]


def test_keys_do_not_reach_the_graph(seen: dict[str, Any]) -> None:
    assert seen["sameNode"], "the editor's own undo ran as well"
    assert seen["keysLeaked"] == 0


def test_points_are_moved_chosen_and_deleted(seen: dict[str, Any]) -> None:
    assert places(prompt(seen["moved"], "rider")["points"])[2] == pytest.approx((40, 60, False), abs=CLICK)
    assert len(prompt(seen["deleted"], "rider")["points"]) == 2


def test_frames_are_shown_by_keys_and_slider(seen: dict[str, Any]) -> None:
    assert seen["otherPicture"] and seen["afterSlider"] == "12"


def test_kjs_points_come_in_and_go_out(seen: dict[str, Any]) -> None:
    assert places(prompt(seen["pasted"], "rider", 12)["points"]) == [(11, 22, False), (33.5, 44, False)]
    assert json.loads(seen["kj"]) == [{"x": 11, "y": 22}, {"x": 33.5, "y": 44}]
    assert seen["badPaste"].startswith("that is not JSON")


def test_the_mask_is_there_before_the_run(seen: dict[str, Any]) -> None:
    assert seen["preview"] == "Masks of frame 0, by embedded." and seen["maskShown"] and seen["zoomed"]


def test_a_saved_workflow_keeps_everything(seen: dict[str, Any]) -> None:
    assert seen["keptBySaving"] and seen["namesAfterLoading"] == ["rider", "board"]


def test_the_graph_is_held_and_goes_on_from_there(seen: dict[str, Any]) -> None:
    held, went, again, changed = (seen[key] for key in ("held", "wentOn", "again", "changed"))
    assert [part["errors"] for part in (held, went, again, changed)] == [[], [], [], []]
    assert "PP_TrackObjects" in held["types"] and (held["mark"], held["pictures"]) == ("Waiting for you", 3)
    assert went["types"] == ["PP_ApproveTracks", "PP_PreviewTrack"] and went["mark"] == "Approved"
    # The editor itself puts its new video player into Preview Track's inputs, so that runs once more.
    assert set(again["types"]) <= {"PP_PreviewTrack"} and again["mark"] == "Approved"
    assert "PP_TrackObjects" in changed["types"] and changed["mark"] == "Waiting for you"


def test_a_script_is_told_that_it_is_held(seen: dict[str, Any]) -> None:
    assert (
        "Waiting for approval: rider on " in seen["toldScript"]
        and "Submit again with approved = '" in seen["toldScript"]
    )


def test_frames_of_a_batch_come_by_the_button(seen: dict[str, Any], scene: Scene) -> None:
    assert seen["batchFrames"] == f"/ {scene.count() - 1}"


def test_nothing_is_red_and_no_dialog_opens(seen: dict[str, Any]) -> None:
    assert (seen["red"], seen["redAfter"], seen["dialogs"], seen["pageErrors"]) == ([], [], [], [])


def test_api_workflow_is_the_same_graph(seen: dict[str, Any]) -> None:
    api = json.loads((PACK / "workflows" / "api" / f"{TEMPLATE}.json").read_text("utf-8"))
    edited = seen["prompt"]
    assert edited.keys() == api.keys()
    for name, node in api.items():
        drawn = node["inputs"].pop("objects", None)  # an example there, for a person to draw here
        assert drawn is None or json.loads(drawn)["objects"]
        assert edited[name]["class_type"] == node["class_type"] and edited[name]["_meta"] == node["_meta"]
        assert node["inputs"].items() <= edited[name]["inputs"].items()

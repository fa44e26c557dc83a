"""Every shipped graph opened in Chromium, in both editors: known nodes, no red, nothing overlaps, the API's graph."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from build_workflows import FOLDER, PACKS
from checks import overlap, within
from comfyui import PACK, Server, find_pack, start_comfyui
from graphs import write_clip
from physics_preserver.nodes.media.scene import Scene
from shipped import SHIPPED

HERE = Path(__file__).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
LIMIT_S = 600
# Where the screenshots stay after the run, for a person to look at.
SHOTS = PACK / "build" / "browser"
NEEDS = {
    "reskin_gguf": "ComfyUI-GGUF",
    "reskin_vhs": "ComfyUI-VideoHelperSuite",
    "reskin_wanvideowrapper": "ComfyUI-WanVideoWrapper",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With the packs that are here, and empty files in place of the models that the graphs name."""
    packs = [pack for pack in map(find_pack, PACKS) if pack is not None]
    for comfyui in start_comfyui(tmp_path_factory.mktemp("packs"), packs):
        write_clip(comfyui.input / "clip.mp4", Scene(320, 180, 12, exposures=1))
        shutil.copy(comfyui.input / "clip.mp4", comfyui.input / "generated.mp4")
        for name in SHIPPED:
            for node in json.loads((FOLDER / f"{name}.json").read_text("utf-8"))["nodes"]:
                for model in node["properties"].get("models", []):
                    file = comfyui.base / "models" / model["directory"] / model["name"]
                    file.parent.mkdir(exist_ok=True)
                    file.touch()
        yield comfyui


@pytest.fixture(scope="module", params=["classic", "vue"])
def seen(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What shipped_workflows.mjs saw in one of the two editors, by the graph's name."""
    node = shutil.which("node")
    if node is None or not Path(CHROMIUM).is_file() or not (HERE / "node_modules" / "playwright-core").is_dir():
        pytest.skip(f"needs node, Chromium at {CHROMIUM} (CHROMIUM names another) and `npm install` in tests/browser")
    comfyui: Server = request.getfixturevalue("server")
    SHOTS.mkdir(parents=True, exist_ok=True)
    graphs = [str(FOLDER / f"{name}.json") for name in SHIPPED if name not in NEEDS or find_pack(NEEDS[name])]
    command = [node, str(HERE / "shipped_workflows.mjs"), comfyui.url, request.param, str(SHOTS), *graphs]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["pageErrors"] == []
    return answer["seen"]


@pytest.fixture(params=SHIPPED)
def name(request: pytest.FixtureRequest) -> str:
    if request.param in NEEDS and find_pack(NEEDS[request.param]) is None:
        pytest.skip(f"{NEEDS[request.param]} is not installed (COMFYUI_PACKS names a folder with it)")
    return request.param


def test_it_opens_without_a_red_node_or_a_dialog(seen: dict[str, Any], name: str) -> None:
    shipped = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    assert sorted(seen[name]["types"]) == sorted(node["type"] for node in shipped["nodes"])
    assert (seen[name]["red"], seen[name]["dialogs"]) == ([], [])


def test_nothing_lies_over_another_or_out_of_its_group(seen: dict[str, Any], name: str) -> None:
    nodes, groups = seen[name]["nodes"], seen[name]["groups"]
    for n, node in enumerate(nodes):
        assert [other["title"] for other in nodes[n + 1 :] if overlap(node["box"], other["box"])] == [], node["title"]
        assert any(within(node["box"], group["box"]) for group in groups), node["title"]


def test_it_submits_the_graph_of_the_api(seen: dict[str, Any], name: str) -> None:
    api = json.loads((FOLDER / "api" / f"{name}.json").read_text("utf-8"))
    edited = seen[name]["prompt"]
    assert edited.keys() == api.keys()
    for id, node in api.items():
        drawn = node["inputs"].pop("objects", None)  # an example there, for a person to draw here
        assert drawn is None or json.loads(drawn)["objects"]
        assert (edited[id]["class_type"], edited[id]["_meta"]) == (node["class_type"], node["_meta"])
        assert node["inputs"].items() <= edited[id]["inputs"].items()

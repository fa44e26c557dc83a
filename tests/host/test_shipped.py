"""The shipped graphs held against a running ComfyUI: its own nodes and ours live, those of other packs as recorded."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from build_workflows import FOLDER, RECORD, by_line, sheets, text_of
from checks import api_problems, editor_problems
from comfyui import Server
from graphs import node, write_clip
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import Scene
from sheet import Sheet
from shipped import SHIPPED
from tiny_wan import MODEL, VAE

CLIPS = ["clip.mp4", "generated.mp4"]


@pytest.fixture(scope="module")
def info(comfyui: Server) -> dict[str, Any]:
    return {**json.loads(RECORD.read_text("utf-8")), **comfyui.get("/object_info")}


@pytest.fixture(scope="module")
def drawn(info: dict[str, Any]) -> dict[str, Sheet]:
    return sheets(info)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_node_input_and_choice_is_there(info: dict[str, Any], name: str) -> None:
    graph = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    models = [model["name"] for node in graph["nodes"] for model in node["properties"].get("models", [])]
    assert api_problems(json.loads((FOLDER / "api" / f"{name}.json").read_text("utf-8")), info, CLIPS + models) == []
    assert editor_problems(graph) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_the_files_are_what_is_described(drawn: dict[str, Sheet], name: str) -> None:
    """build_workflows.py is how they are changed: run it after a change of a node, or of tests/workflows/."""
    assert (FOLDER / f"{name}.json").read_text("utf-8") == by_line(drawn[name].editor_form())
    assert (FOLDER / "api" / f"{name}.json").read_text("utf-8") == text_of(drawn[name].api_form())


FRAMES = 13
TINY = {
    "UNETLoader": {"unet_name": MODEL},
    "VAELoader": {"vae_name": VAE},
    "KSampler": {"steps": 1},
    "PP_VACEControl": {"width": 96},
    "PP_ReskinLongClip": {"width": 96, "steps": 1, "window": 9, "overlap": 2},
    "PP_RepairPhysics": {"steps": 1, "max_attempts": 1, "window": 9, "overlap": 2},
}


@pytest.mark.parametrize("name", ["extract", "validate", "reskin_native", "reskin_long_clip", "repair_loop"])
def test_it_runs_with_a_tiny_model(tiny_wan: Server, name: str) -> None:
    """All that is changed: which weights are loaded, how large and how long; and random conditioning for the words."""
    if not (tiny_wan.input / "shipped.mp4").exists():
        write_clip(tiny_wan.input / "shipped.mp4", Scene(160, 96, FRAMES, exposures=1))
        shutil.copy(tiny_wan.input / "shipped.mp4", tiny_wan.input / "shipped_too.mp4")
    graph = json.loads((FOLDER / "api" / f"{name}.json").read_text("utf-8"))
    clips = iter(("shipped.mp4", "shipped_too.mp4"))
    for id, one in list(graph.items()):
        one["inputs"] |= TINY.get(one["class_type"], {})
        if one["class_type"] == "LoadVideo":
            one["inputs"]["file"] = next(clips)
        elif one["class_type"] == "CLIPLoader":
            del graph[id]
        elif one["class_type"] == "CLIPTextEncode":
            graph[id] = node("TEST_RandomConditioning", seed=int(id))
    outputs = tiny_wan.run(graph)
    savers = [id for id, one in graph.items() if one["class_type"] == "SaveVideo"]
    saved = [outputs[id]["images"][0] for id in savers]
    for file in saved:
        made = open_clip(tiny_wan.output / file["subfolder"] / file["filename"])
        assert len(list(made)) == FRAMES
    assert name not in ("reskin_native", "repair_loop") or saved

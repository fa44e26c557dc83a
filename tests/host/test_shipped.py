"""The shipped graphs held against a running ComfyUI: its own nodes and ours live, those of other packs as recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from build_workflows import FOLDER, RECORD, by_line, sheets, text_of
from checks import api_problems, editor_problems
from comfyui import Server
from sheet import Sheet
from shipped import SHIPPED

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

"""The shipped graphs as files, held against what a ComfyUI with the packs once said of its nodes: object_info.json."""

from __future__ import annotations

import json
from typing import Any

import pytest
from build_workflows import FOLDER, PACKS, RECORD
from checks import api_problems, editor_problems
from shipped import SHIPPED

INFO = json.loads(RECORD.read_text("utf-8"))
CLIPS = ["clip.mp4", "generated.mp4"]


def read(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both forms of a graph."""
    file = f"{name}.json"
    return json.loads((FOLDER / file).read_text("utf-8")), json.loads((FOLDER / "api" / file).read_text("utf-8"))


def files(graph: dict[str, Any]) -> list[str]:
    """What the graph names and a machine may not have."""
    return CLIPS + [model["name"] for node in graph["nodes"] for model in node["properties"].get("models", [])]


def test_every_graph_has_both_forms_and_a_picture() -> None:
    assert sorted(file.stem for file in FOLDER.glob("*.json")) == sorted(SHIPPED)
    assert sorted(file.stem for file in (FOLDER / "api").glob("*.json")) == sorted(SHIPPED)
    assert sorted(file.stem for file in FOLDER.glob("*.jpg")) == sorted(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_nodes_of_core_and_other_packs_are_asked_for_what_they_have(name: str) -> None:
    drawn, graph = read(name)
    ours = {id: node["class_type"] for id, node in graph.items() if node["class_type"].startswith("PP_")}
    assert api_problems(graph, INFO, files(drawn)) == [f"{id}: no node {kind}" for id, kind in ours.items()]


@pytest.mark.parametrize("name", SHIPPED)
def test_it_is_laid_out_and_says_where_its_models_are(name: str) -> None:
    drawn, _ = read(name)
    assert editor_problems(drawn) == []
    assert len(drawn["groups"]) >= 2 and all(group["title"][0] == str(n) for n, group in enumerate(drawn["groups"], 1))
    notes = [node for node in drawn["nodes"] if node["type"] == "MarkdownNote"]
    assert notes and not any("`" in note["widgets_values"][0] or "|" in note["widgets_values"][0] for note in notes)


@pytest.mark.parametrize("name", SHIPPED)
def test_both_forms_are_the_same_graph(name: str) -> None:
    drawn, graph = read(name)
    nodes = {str(node["id"]): node for node in drawn["nodes"] if node["type"] != "MarkdownNote" and node["mode"] == 0}
    assert {id: (node["type"], node["title"]) for id, node in nodes.items()} == {
        id: (node["class_type"], node["_meta"]["title"]) for id, node in graph.items()
    }
    slots = {node["id"]: [one["name"] for one in node["inputs"]] for node in drawn["nodes"]}
    drawn_links = {
        (str(target), slots[target][slot], str(origin), output)
        for _, origin, output, target, slot, _ in drawn["links"]
        if str(origin) in nodes and str(target) in nodes
    }
    links = {
        (id, name, *value)
        for id, node in graph.items()
        for name, value in node["inputs"].items()
        if isinstance(value, list)
    }
    assert drawn_links == links


def test_the_checks_find_what_is_wrong() -> None:
    drawn, graph = read("reskin_native")
    id, sampler = next((id, node) for id, node in graph.items() if node["class_type"] == "KSampler")
    sampler["inputs"] |= {
        "steps": 0,
        "scheduler": "none",
        "model": ["999", 0],
        "positive": sampler["inputs"]["model"],
        "x": 1,
    }
    del sampler["inputs"]["cfg"]
    saver = next(node for node in graph.values() if node["class_type"] == "SaveVideo")
    del saver["inputs"]["format.codec.encoding.crf"]
    everything = api_problems(graph, INFO, files(drawn))
    assert any("SaveVideo: format.codec.encoding.crf is missing" in what for what in everything)
    told = "\n".join(what for what in everything if what.startswith(f"{id} "))
    for part in (
        "cfg is missing",
        "no input x",
        "steps is 0, out of 1",
        "'none', which is none of",
        "node 999",
        "linked with MODEL",
    ):
        assert part in told
    drawn["nodes"][0]["pos"] = drawn["nodes"][1]["pos"]
    drawn["nodes"][0]["outputs"][0]["links"] = None
    loader = next(node for node in drawn["nodes"] if node["type"] == "UNETLoader")
    loader["properties"]["models"] = []
    told = "\n".join(editor_problems(drawn))
    assert "lies over" in told and "unknown to node" in told and "UNETLoader loads" in told


def test_the_record_is_of_the_packs_that_are_named() -> None:
    packs = {
        about["python_module"].partition(".")[2]
        for about in INFO.values()
        if about["python_module"].startswith("custom_nodes.")
    }
    assert packs == set(PACKS)

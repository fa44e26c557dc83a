"""The key of a run: the same for the same work, another one for anything that could change a frame."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
from physics_preserver.nodes.conditioning import identity
from physics_preserver.nodes.conditioning.identity import NeverTheSame, workflow_key

GRAPH: dict[str, dict[str, Any]] = {
    "1": {"class_type": "UNETLoader", "inputs": {"unet_name": "vace.safetensors"}},
    "2": {"class_type": "ModelSamplingSD3", "inputs": {"model": ["1", 0], "shift": 8.0}},
    "3": {"class_type": "LoadVideo", "inputs": {"file": "clip.mp4"}, "is_changed": [12.5]},
    "4": {"class_type": "PP_ReskinLongClip",
          "inputs": {"model": ["2", 0], "clip": ["3", 0], "seed": 7, "filename_prefix": "a"}},
    "5": {"class_type": "SaveVideo", "inputs": {"video": ["4", 0]}},
}  # fmt: skip


def key(graph: dict[str, dict[str, Any]], files: Path | None = None, node: str = "4") -> str:
    def find(text: str) -> list[Path]:
        return [] if files is None or not (files / text).is_file() else [files / text]

    return workflow_key(graph.__getitem__, node, find, without=("filename_prefix",))


def changed(**by_node: Any) -> dict[str, dict[str, Any]]:
    graph = copy.deepcopy(GRAPH)
    for name, inputs in by_node.items():
        graph[name.removeprefix("n")]["inputs"].update(inputs)
    return graph


def test_what_does_not_matter_changes_nothing() -> None:
    other = changed(n5={"video": ["3", 0]}, n4={"filename_prefix": "b"})
    other["1"]["_meta"] = {"title": "my model"}
    assert key(other) == key(GRAPH)
    renamed = {"x" + name: copy.deepcopy(node) for name, node in GRAPH.items()}
    for node in renamed.values():
        node["inputs"] = {k: ["x" + v[0], v[1]] if isinstance(v, list) else v for k, v in node["inputs"].items()}
    assert key(renamed, node="x4") == key(GRAPH)


def test_another_version_of_the_pack_makes_everything_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(GRAPH)
    monkeypatch.setattr(identity, "version", lambda: "another")
    assert key(GRAPH) != before


@pytest.mark.parametrize(
    "graph",
    [
        changed(n4={"seed": 8}),
        changed(n2={"shift": 5.0}),
        changed(n1={"unet_name": "other.safetensors"}),
        changed(n4={"model": ["1", 0]}),
        changed(n4={"model": ["2", 1]}),
        {**GRAPH, "3": {**GRAPH["3"], "is_changed": [13.0]}},
    ],
    ids=["seed", "shift above", "model file", "link past a node", "another output", "another clip of that name"],
)
def test_what_matters_changes_the_key(graph: dict[str, dict[str, Any]]) -> None:
    assert key(graph) != key(GRAPH)


def test_a_file_of_the_same_name_but_other_content_changes_the_key(tmp_path: Path) -> None:
    file = tmp_path / "vace.safetensors"
    file.write_bytes(b"one")
    os.utime(file, ns=(1, 1))
    before = key(GRAPH, tmp_path)
    os.utime(file, ns=(2, 2))
    assert key(GRAPH, tmp_path) != before
    os.utime(file, ns=(1, 1))
    assert key(GRAPH, tmp_path) == before
    file.write_bytes(b"longer")
    os.utime(file, ns=(1, 1))
    assert key(GRAPH, tmp_path) != before


def test_a_node_that_is_never_the_same_is_named() -> None:
    graph = copy.deepcopy(GRAPH)
    graph["2"]["is_changed"] = [float("nan")]
    with pytest.raises(NeverTheSame, match="ModelSamplingSD3"):
        key(graph)

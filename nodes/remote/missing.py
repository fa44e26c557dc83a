"""What a server lacks to run a workflow: nodes, model files, choices, inputs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..models.catalogue import CATALOGUE
from .packs import MODEL_SUFFIXES, OURS, folder_of, pack_of
from .specs import InputSpec, choices_in_words, find_spec, specs_of
from .workflow import Workflow

NODE, MODEL, CHOICE, INPUT = "node", "model", "choice", "input"

UNSEEN = "whether it is there can't be seen without the node"

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"


@dataclass(frozen=True)
class Missing:
    """One thing that a server lacks.

    kind: "node" (a class), "model" (a file), "choice" or "input" (of another version of the node). name: the class,
    file, choice or input. where: the pack or the folder below `models`; url: where it comes from; both "" if not known.
    used: who wants it, such as "Load the VAE (VAELoader, #3)"; hint: what else to know.
    """

    kind: str
    name: str
    used: str
    where: str = ""
    url: str = ""
    hint: str = ""

    def in_words(self) -> str:
        source = f", from {self.url}" if self.url else ""
        if self.kind == NODE:
            unknown = 'brought by a pack that ComfyUI-Manager\'s "Install Missing Custom Nodes" may know'
            place = f"of {self.where}{source}" if self.where else unknown
            text = f"node {self.name}, {place} (wanted by {self.used})"
        elif self.kind == MODEL:
            place = f"in models/{self.where}" if self.where else "in the folder that its loader lists"
            text = f"model {self.name} {place}{source} (wanted by {self.used})"
        else:
            text = f"{self.kind} {self.name!r} of {self.used}"
        return f"{text}; {self.hint}" if self.hint else text


@dataclass(frozen=True)
class Source:
    """Where a model file belongs and comes from."""

    folder: str
    url: str


def shipped() -> list[Path]:
    """The API-format workflows that come with the pack."""
    return sorted((WORKFLOWS / "api").glob("*.json"))


def model_sources(workflow: Workflow) -> dict[str, Source]:
    """What the editor's twin of a workflow in a folder "api" says of its model files: name -> folder and URL."""
    if workflow.file is None or workflow.file.absolute().parent.name != "api":
        return {}
    twin = workflow.file.absolute().parents[1] / workflow.file.name
    if not twin.is_file():
        return {}
    found = {}
    for node in _nodes(json.loads(twin.read_text("utf-8"))):
        for model in (node.get("properties") or {}).get("models", []):
            found[model["name"]] = Source(model.get("directory", ""), model.get("url", ""))
    return found


def _nodes(graph: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from graph.get("nodes", [])
    for subgraph in graph.get("definitions", {}).get("subgraphs", []):
        yield from subgraph.get("nodes", [])


def missing_nodes(workflow: Workflow, object_info: Mapping[str, Any]) -> list[Missing]:
    """The classes of a workflow that the server doesn't have, each once."""
    ours_is_there = any(name.startswith("PP_") for name in object_info)
    found: dict[str, Missing] = {}
    for node_id, node in workflow.graph.items():
        kind = node["class_type"]
        if kind in object_info or kind in found:
            continue
        pack = pack_of(kind)
        old = pack is OURS and ours_is_there
        hint = "the server's version of it is older than this workflow" if old else ""
        used = workflow.describe(node_id)
        found[kind] = Missing(NODE, kind, used, pack.name if pack else "", pack.url if pack else "", hint)
    return list(found.values())


def missing_values(workflow: Workflow, object_info: Mapping[str, Any]) -> list[Missing]:
    """The model files, choices and inputs of a workflow that the server doesn't have.

    Whatever looks like a model file is in it where the node is missing too: without that nobody can see what is there.
    """
    sources = model_sources(workflow)
    found: dict[tuple[str, str, str], Missing] = {}
    for node_id, node in workflow.graph.items():
        kind, inputs = node["class_type"], node["inputs"]
        if kind not in object_info:
            for name, value in inputs.items():
                if isinstance(value, str) and value.lower().endswith(MODEL_SUFFIXES):
                    used = f"{workflow.describe(node_id)}.{name}"
                    item = _model(kind, name, value, used, sources, UNSEEN)
                    found.setdefault((item.kind, item.name, item.where), item)
            continue
        for name, value in inputs.items():
            spec = find_spec(kind, object_info[kind], name, inputs)
            if spec and spec.kind == "COMBO" and not spec.accepts and not isinstance(value, list | dict):
                if value not in spec.options:
                    used = f"{workflow.describe(node_id)}.{name}"
                    item = _absent(kind, spec, value, used, sources)
                    found.setdefault((item.kind, item.name, item.where or used), item)
        for name, spec in specs_of(kind, object_info[kind]).items():
            if spec.required and not any(key == name or key.startswith(f"{name}.") for key in inputs):
                used = workflow.describe(node_id)
                hint = "the server's version of the node wants it"
                found[INPUT, name, used] = Missing(INPUT, name, used, hint=hint)
    return list(found.values())


def file_inputs(workflow: Workflow, object_info: Mapping[str, Any]) -> Iterator[tuple[str, InputSpec]]:
    """The inputs that name a file of the user's, each with its node's id."""
    for node_id, node in workflow.graph.items():
        for name, spec in specs_of(node["class_type"], object_info.get(node["class_type"], {})).items():
            if spec.accepts and not isinstance(node["inputs"].get(name), list):
                yield node_id, spec


def _absent(kind: str, spec: InputSpec, value: Any, used: str, sources: Mapping[str, Source]) -> Missing:
    if not str(value).lower().endswith(MODEL_SUFFIXES):
        return Missing(CHOICE, str(value), used, hint=choices_in_words(value, spec.options))
    same = [str(option) for option in spec.options if _base(option) == _base(value)]
    return _model(kind, spec.name, value, used, sources, f"it is there as {same[0]!r}: choose that" if same else "")


def _model(kind: str, name: str, value: Any, used: str, sources: Mapping[str, Source], hint: str) -> Missing:
    source = sources.get(str(value)) or sources.get(_base(value)) or _catalogued(_base(value))
    if source is None:
        return Missing(MODEL, str(value), used, folder_of(kind, name) or "", hint=hint)
    return Missing(MODEL, str(value), used, source.folder, source.url, hint)


def _base(name: Any) -> str:
    """The file's own name, of a choice that may have folders of either kind before it."""
    return PurePosixPath(str(name).replace("\\", "/")).name


def _catalogued(name: str) -> Source | None:
    return next((Source(entry.folder, entry.url) for entry in CATALOGUE if entry.name == name), None)

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


def model_sources(workflow: Path) -> dict[str, Source]:
    """What the editor's twin of a shipped workflow says of its model files: name -> folder and URL."""
    twin = workflow.parents[1] / workflow.name
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


def missing_values(
    workflow: Workflow, object_info: Mapping[str, Any], sources: Mapping[str, Source] | None = None
) -> list[Missing]:
    """The model files, choices and inputs of a workflow that the server doesn't have; nodes that it lacks are left out.

    Args:
        sources: where model files come from, as `model_sources` knows it.
    """
    found: dict[tuple[str, str, str], Missing] = {}
    for node_id, node in workflow.graph.items():
        kind, inputs = node["class_type"], node["inputs"]
        if kind not in object_info:
            continue
        for name, value in inputs.items():
            spec = find_spec(kind, object_info[kind], name, inputs)
            if spec and spec.kind == "COMBO" and not spec.accepts and not isinstance(value, list | dict):
                if value not in spec.options:
                    used = f"{workflow.describe(node_id)}.{name}"
                    item = _absent(kind, spec, value, used, sources or {})
                    found.setdefault((item.kind, item.name, item.where or used), item)
        for name, spec in specs_of(kind, object_info[kind]).items():
            if spec.required and not any(key == name or key.startswith(f"{name}.") for key in inputs):
                used = workflow.describe(node_id)
                hint = "the server's version of the node wants it"
                found[INPUT, name, used] = Missing(INPUT, name, used, hint=hint)
    return list(found.values())


def files_wanted(workflow: Workflow, object_info: Mapping[str, Any]) -> list[str]:
    """The inputs that name a file of the user's, as "Title.input (video)"."""
    return [
        f"{workflow.title(node_id)}.{name} ({spec.accepts})"
        for node_id, node in workflow.graph.items()
        for name, spec in specs_of(node["class_type"], object_info.get(node["class_type"], {})).items()
        if spec.accepts and not isinstance(node["inputs"].get(name), list)
    ]


def _absent(kind: str, spec: InputSpec, value: Any, used: str, sources: Mapping[str, Source]) -> Missing:
    if not str(value).lower().endswith(MODEL_SUFFIXES):
        return Missing(CHOICE, str(value), used, hint=choices_in_words(value, spec.options))
    base = PurePosixPath(str(value).replace("\\", "/")).name
    source = sources.get(base) or sources.get(str(value)) or _catalogued(base)
    folder = folder_of(kind, spec.name) or (source.folder if source else "")
    same = [str(option) for option in spec.options if PurePosixPath(str(option).replace("\\", "/")).name == base]
    hint = f"it is there as {same[0]!r}: choose that" if same else ""
    return Missing(MODEL, str(value), used, source.folder if source else folder, source.url if source else "", hint)


def _catalogued(name: str) -> Source | None:
    return next((Source(entry.folder, entry.url) for entry in CATALOGUE if entry.name == name), None)

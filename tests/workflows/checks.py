"""What is wrong with a graph, held against what a server says of its nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sheet import WIDGETS, Info, fields

Graph = Mapping[str, Any]


def api_problems(graph: Graph, info: Info, files: Sequence[str]) -> list[str]:
    """Unknown nodes, missing and unknown inputs, values out of range or no choice, links to nowhere or of another type.

    Args:
        graph: in API form.
        files: names of models and clips, which are choices only on a machine that has them.
    """
    return list(_api_problems(graph, info, files))


def _api_problems(graph: Graph, info: Info, files: Sequence[str]) -> Iterator[str]:
    for id, node in graph.items():
        kind = node["class_type"]
        if kind not in info:
            yield f"{id}: no node {kind}"
            continue
        taken = [one for one in fields(info[kind], node["inputs"]) if not one.extra]
        inputs = {one.name: one.spec for one in taken}
        dotted = {name for name in node["inputs"] if any(other.startswith(f"{name}.") for other in node["inputs"])}
        for one in taken:
            if one.needed(dotted) and one.name not in node["inputs"]:
                yield f"{id} {kind}: {one.name} is missing"
        for name, value in node["inputs"].items():
            if name not in inputs:
                yield f"{id} {kind}: no input {name}"
            elif isinstance(value, list):
                yield from (f"{id} {kind}: {name} {what}" for what in _link_problems(value, inputs[name], graph, info))
            else:
                yield from (f"{id} {kind}: {name} {what}" for what in _value_problems(value, inputs[name], files))


def _link_problems(link: Sequence[Any], wanted: Sequence[Any], graph: Graph, info: Info) -> Iterator[str]:
    origin, output = link
    if origin not in graph:
        yield f"is linked with node {origin}, which isn't there"
        return
    if graph[origin]["class_type"] not in info:
        return  # as is said of that node
    outputs = info[graph[origin]["class_type"]]["output"]
    if output >= len(outputs):
        yield f"is linked with output {output} of node {origin}, which has {len(outputs)}"
        return
    taken = set("COMBO" if isinstance(wanted[0], list) else part for part in str(wanted[0]).split(","))
    if "*" not in taken and not taken & set(str(outputs[output]).split(",")):
        yield f"takes {wanted[0]} and is linked with {outputs[output]}"


def _value_problems(value: Any, wanted: Sequence[Any], files: Sequence[str]) -> Iterator[str]:
    kind, options = wanted[0], (wanted[1] if len(wanted) > 1 else {})
    choices = kind if isinstance(kind, list) else options.get("options")
    if choices is not None:
        named = [choice["key"] if isinstance(choice, dict) else choice for choice in choices]
        if value not in named and value not in files:
            yield f"is {value!r}, which is none of {', '.join(map(str, named))}"
    elif kind not in WIDGETS:
        yield f"is {value!r} and takes a link with {kind}"
    elif kind in ("INT", "FLOAT") and not options.get("min", value) <= value <= options.get("max", value):
        yield f"is {value}, out of {options.get('min')} to {options.get('max')}"


def editor_problems(graph: Graph) -> list[str]:
    """Links that the two ends tell differently, nodes in no group or over each other, files without a source."""
    return [*_links_told_twice(graph), *_places(graph), *_loaders(graph)]


def _links_told_twice(graph: Graph) -> Iterator[str]:
    nodes = {node["id"]: node for node in graph["nodes"]}
    rows = {row[0]: row for row in graph["links"]}
    for id, origin, output, target, slot, kind in graph["links"]:
        if id not in (nodes[origin]["outputs"][output]["links"] or []) or nodes[target]["inputs"][slot]["link"] != id:
            yield f"link {id} is unknown to node {origin} or {target}"
        if nodes[origin]["outputs"][output]["type"] != kind:
            yield f"link {id} is of another type than its output"
    for node in graph["nodes"]:
        told = [link for output in node["outputs"] for link in output["links"] or []]
        told += [one["link"] for one in node["inputs"] if one["link"] is not None]
        if not rows.keys() >= set(told):
            yield f"node {node['id']} knows links that aren't there"


def _places(graph: Graph) -> Iterator[str]:
    boxes = {node["id"]: _box(node["pos"], node["size"], title=30) for node in graph["nodes"]}
    groups = [_box(group["bounding"][:2], group["bounding"][2:]) for group in graph["groups"]]
    for id, box in boxes.items():
        if not any(_within(box, group) for group in groups):
            yield f"node {id} is in no group"
        if over := [other for other, its in boxes.items() if other > id and _overlap(box, its)]:
            yield f"node {id} lies over {over}"
    if groups != sorted(groups) or any(_overlap(a, b) for a, b in zip(groups, groups[1:], strict=False)):
        yield "groups don't go from left to right"


def _loaders(graph: Graph) -> Iterator[str]:
    for node in graph["nodes"]:
        listed = {model["name"]: model for model in node["properties"].get("models", [])}
        values = node.get("widgets_values", [])
        values = values.values() if isinstance(values, dict) else values
        named = [value for value in values if str(value).endswith((".safetensors", ".gguf", ".pt", ".onnx"))]
        if sorted(named) != sorted(listed):
            yield f"{node['type']} loads {named} and lists {sorted(listed)}"
        for name, model in listed.items():
            if not (model["url"].startswith("https://") and model["url"].endswith(f"/{name}") and model["directory"]):
                yield f"{node['type']}: {model} says not where {name} is"


def _box(pos: Sequence[float], size: Sequence[float], title: float = 0) -> tuple[float, float, float, float]:
    return pos[0], pos[1] - title, pos[0] + size[0], pos[1] + size[1]


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _within(a: Sequence[float], b: Sequence[float]) -> bool:
    return b[0] <= a[0] and b[1] <= a[1] and a[2] <= b[2] and a[3] <= b[3]


def overlap(a: list[float], b: list[float]) -> bool:
    """Boxes [left, top, right, bottom]: whether they share something, by more than a px."""
    return a[0] < b[2] - 1 and b[0] < a[2] - 1 and a[1] < b[3] - 1 and b[1] < a[3] - 1


def within(a: list[float], b: list[float]) -> bool:
    """Whether a lies in b, to a px."""
    return b[0] <= a[0] + 1 and b[1] <= a[1] + 1 and a[2] <= b[2] + 1 and a[3] <= b[3] + 1

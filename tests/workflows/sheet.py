"""One description of a graph, written out in both of ComfyUI's forms: for the graph editor, and for its API.

A sheet is filled from left to right: a group, in it columns, in each nodes from top to bottom. Inputs and outputs are
named; what a node really has comes from a server's /object_info, and a name that isn't there is an error.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

Info = Mapping[str, Any]  # /object_info: by node id

# px of the editor's canvas.
GROUP_GAP, GROUP_PAD, GROUP_TOP = 40, 20, 60
COLUMN_GAP, NODE_TOP, NODE_GAP = 40, 130, 60
WIDTH = 340
LETTER_WIDTH, LINE_HEIGHT, PARAGRAPH_GAP = 6.5, 19, 14
SLOT_HEIGHT, WIDGET_HEIGHT, TEXT_HEIGHT, MARGIN = 24, 32, 120, 20

GROUP_COLOUR = "#3f789e"
NOTE_COLOURS = {"color": "#432", "bgcolor": "#653"}
CORE = ("comfy-core", "0.33.0")  # the ComfyUI that the graphs were drawn for

WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3"}
UPLOADS = ("image_upload", "video_upload")


@dataclass(frozen=True)
class Model:
    """A file that a loader needs, as the editor's dialog of missing models reads it."""

    name: str
    url: str
    directory: str
    gigabytes: float

    def listed(self) -> dict[str, str]:
        return {"name": self.name, "url": self.url, "directory": self.directory}


@dataclass(frozen=True)
class Link:
    node: Node
    output: int


@dataclass(frozen=True)
class Field:
    """One input of a node as the editor has it. `value` is None for a socket without a widget."""

    name: str
    type: str
    value: Any = None
    socket: bool = False
    optional: bool = False
    extra: bool = False  # a widget of the editor alone, which the server doesn't know
    spec: Sequence[Any] = ()  # as /object_info has it

    def needed(self, values: Container[str]) -> bool:
        """Whether the server insists on it: what a choice brings, only where that choice was made."""
        choice = self.name.rpartition(".")[0]
        return not self.optional and not self.extra and (not choice or choice in values)


@dataclass
class Node:
    id: int
    kind: str
    title: str
    info: Info
    values: dict[str, Any]
    links: dict[str, Link]
    models: Sequence[Model] = ()
    pos: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)
    bypassed: bool = False
    in_api: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, output: str) -> Link:
        """An output by its name."""
        names = list(self.info["output_name"])
        if output not in names:
            raise KeyError(f"{self.kind} has no output {output}; it has {', '.join(names)}")
        return Link(self, names.index(output))

    def outputs(self, *names: str) -> dict[str, Any]:
        """Outputs by name, for inputs of the same names."""
        return {name: self[name] for name in names}

    def fields(self) -> list[Field]:
        """The inputs, sockets first, then those with a widget, as the editor keeps them."""
        found = list(fields(self.info, self.values))
        return [one for one in found if one.socket] + [one for one in found if not one.socket]


@dataclass
class Note:
    id: int
    title: str
    text: str
    pos: tuple[int, int]
    size: tuple[int, int]


@dataclass
class Group:
    title: str
    left: int
    width: int = 0
    bottom: int = 0


@dataclass
class Sheet:
    """Nodes, notes and groups of one graph.

    Args:
        info: what /object_info says of every node that is used.
        packs: by the name of a custom node's folder, its registry id and version, which the editor's manager reads.
    """

    info: Info
    packs: Mapping[str, tuple[str, str]]
    nodes: list[Node] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    _x: int = 0
    _y: int = NODE_TOP
    _width: int = WIDTH

    def group(self, title: str, width: int = WIDTH) -> None:
        """Begin a group right of the last one, with its first column."""
        left = GROUP_PAD if not self.groups else self.groups[-1].left + self.groups[-1].width + GROUP_GAP
        self.groups.append(Group(title, left))
        self._x = left + GROUP_PAD - COLUMN_GAP
        self._width = 0
        self.column(width)

    def column(self, width: int = WIDTH) -> None:
        """Begin a column in the group."""
        self._x += self._width + COLUMN_GAP
        self._y, self._width = NODE_TOP, width
        self.groups[-1].width = self._x + width + GROUP_PAD - self.groups[-1].left

    def node(
        self,
        kind: str,
        title: str = "",
        *,
        tall: int | None = None,
        models: Sequence[Model] = (),
        bypassed: bool = False,
        in_api: Mapping[str, Any] | None = None,
        **inputs: Any,
    ) -> Node:
        """Put a node under the last one. An input is a value, or another node's output to link it with.

        `in_api` has values for the API's form alone: examples of what a person draws in the editor.
        """
        if kind not in self.info:
            raise KeyError(f"this server has no node {kind}")
        links = {name: value for name, value in inputs.items() if isinstance(value, Link)}
        values = {name: value for name, value in inputs.items() if name not in links}
        info = self.info[kind]
        node = Node(self._next_id(), kind, title or info["display_name"] or kind, info, values, links, models)
        node.bypassed, node.in_api = bypassed, in_api or {}
        known = {one.name for one in node.fields() if not one.extra}
        if unknown := sorted(inputs.keys() - known):
            raise KeyError(f"{kind} has no input {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        node.pos, node.size = self._place(tall or _tall(node))
        self.nodes.append(node)
        return node

    def note(self, title: str, text: str) -> None:
        """Put a note in Markdown under the last node. No `code` and no tables: the editor draws neither legibly."""
        id, (pos, size) = self._next_id(), self._place(_note_tall(text, self._width))
        self.notes.append(Note(id, title, text, pos, size))

    def editor_form(self) -> dict[str, Any]:
        """The graph as the editor saves it."""
        links = [(target, name, link) for target in self.nodes for name, link in target.links.items()]
        ids = {(target.id, name): number for number, (target, name, _) in enumerate(links, 1)}
        rows = [
            [
                *(number, link.node.id, link.output, target.id),
                *([one.name for one in target.fields()].index(name), link.node.info["output"][link.output]),
            ]
            for number, (target, name, link) in enumerate(links, 1)
        ]
        bottom = max(group.bottom for group in self.groups)
        groups = [
            {
                **{"id": number, "title": group.title, "color": GROUP_COLOUR, "flags": {}},
                "bounding": [group.left, GROUP_TOP, group.width, bottom + GROUP_PAD - GROUP_TOP],
            }
            for number, group in enumerate(self.groups, 1)
        ]
        nodes = [self._drawn(node, ids, rows) for node in self.nodes]
        everything = sorted([*nodes, *map(_drawn_note, self.notes)], key=lambda one: one["id"])
        for order, one in enumerate(everything):
            one["order"] = order
        return {
            "id": "00000000-0000-0000-0000-000000000000",
            "revision": 0,
            "last_node_id": max(one["id"] for one in everything),
            "last_link_id": len(rows),
            "nodes": everything,
            "links": rows,
            "groups": groups,
            "config": {},
            "extra": {"ds": {"scale": 0.6, "offset": [40, 40]}},
            "version": 0.4,
        }

    def api_form(self) -> dict[str, Any]:
        """The graph as POST /prompt takes it: required inputs, and optional ones that are linked or were given."""
        return {
            str(node.id): {"class_type": node.kind, "inputs": _inputs(node), "_meta": {"title": node.title}}
            for node in self.nodes
            if not node.bypassed
        }

    def _next_id(self) -> int:
        return len(self.nodes) + len(self.notes) + 1

    def _place(self, tall: int) -> tuple[tuple[int, int], tuple[int, int]]:
        pos, size = (self._x, self._y), (self._width, tall)
        self.groups[-1].bottom = max(self.groups[-1].bottom, self._y + tall)
        self._y += tall + NODE_GAP
        return pos, size

    def _drawn(self, node: Node, ids: Mapping[tuple[int, str], int], rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
        module = node.info["python_module"]
        pack, version = self.packs[module.partition(".")[2]] if module.startswith("custom_nodes.") else CORE
        properties: dict[str, Any] = {"Node name for S&R": node.kind, "cnr_id": pack, "ver": version}
        if node.models:
            properties["models"] = [model.listed() for model in node.models]
        widgets = [one for one in node.fields() if not one.socket]
        values: Any = [one.value for one in widgets]
        if pack == "comfyui-videohelpersuite":  # which reads and saves them by name
            values = {one.name: one.value for one in widgets}
        outgoing = [
            [number for number, origin, output, *_ in rows if (origin, output) == (node.id, position)]
            for position in range(len(node.info["output"]))
        ]
        return {
            **{"id": node.id, "type": node.kind, "pos": list(node.pos), "size": list(node.size)},
            **{"flags": {}, "order": 0, "mode": 4 if node.bypassed else 0},
            "inputs": [_drawn_input(one, ids.get((node.id, one.name))) for one in node.fields() if not one.extra],
            "outputs": [
                {"localized_name": name, "name": name, "type": kind, "links": links or None}
                for name, kind, links in zip(node.info["output_name"], node.info["output"], outgoing, strict=True)
            ],
            "title": node.title,
            "properties": properties,
            "widgets_values": values,
        }


def fields(info: Info, values: Mapping[str, Any], prefix: str = "") -> Iterator[Field]:
    """All inputs of a node, also those that its choices bring: "format.codec"."""
    for need in ("required", "optional"):
        inputs = info["input"].get(need, {})
        for name in info.get("input_order", {}).get(need, inputs):
            kind, options = inputs[name][0], (inputs[name][1] if len(inputs[name]) > 1 else {})
            choices = kind if isinstance(kind, list) else options.get("options", [])
            kind = "COMBO" if isinstance(kind, list) else kind
            full = prefix + name
            if kind not in WIDGETS or options.get("forceInput"):
                yield Field(full, kind, socket=True, optional=need == "optional", spec=inputs[name])
                continue
            value = values.get(full, _default(kind, options, choices))
            yield Field(full, kind, value, optional=need == "optional", spec=inputs[name])
            if kind == "COMFY_DYNAMICCOMBO_V3":  # its choice brings inputs of its own
                chosen = [option["inputs"] for option in choices if option["key"] == value]
                for brought in chosen:
                    yield from fields({"input": brought}, values, f"{full}.")
            if options.get("control_after_generate", kind == "INT" and name in ("seed", "noise_seed")):
                yield Field("control_after_generate", "COMBO", "fixed", extra=True)
            if any(options.get(upload) for upload in UPLOADS):
                yield Field("upload", "IMAGEUPLOAD", "image", extra=True)


def _default(kind: str, options: Mapping[str, Any], choices: Sequence[Any]) -> Any:
    if "default" in options:
        return options["default"]
    if kind == "COMFY_DYNAMICCOMBO_V3":
        return choices[0]["key"]
    if kind == "COMBO":
        return choices[0] if choices else ""
    return {"INT": 0, "FLOAT": 0.0, "STRING": "", "BOOLEAN": False}[kind]


def _inputs(node: Node) -> dict[str, Any]:
    taken = {}
    for one in node.fields():
        if one.name in node.links:
            link = node.links[one.name]
            if not link.node.bypassed:
                taken[one.name] = [str(link.node.id), link.output]
        elif one.name in node.values or (one.needed(node.values) and not one.socket):
            taken[one.name] = one.value
    return {**taken, **node.in_api}


def _drawn_input(one: Field, link: int | None) -> dict[str, Any]:
    about: dict[str, Any] = {"localized_name": one.name, "name": one.name, "type": one.type}
    if one.optional:
        about["shape"] = 7
    if not one.socket:
        about["widget"] = {"name": one.name}
    return {**about, "link": link}


def _drawn_note(note: Note) -> dict[str, Any]:
    return {
        **{"id": note.id, "type": "MarkdownNote", "pos": list(note.pos), "size": list(note.size)},
        **{"flags": {}, "order": 0, "mode": 0, "inputs": [], "outputs": [], "title": note.title},
        "properties": {"Node name for S&R": "MarkdownNote"},
        "widgets_values": [note.text],
        **NOTE_COLOURS,
    }


def _note_tall(text: str, width: int) -> int:
    lines = [re.sub(r"\(http\S+\)", "", line) for line in text.split("\n") if line]
    rows = sum(ceil(len(line) * LETTER_WIDTH / (width - 2 * GROUP_PAD)) for line in lines)
    return rows * LINE_HEIGHT + len(lines) * PARAGRAPH_GAP + MARGIN


def _tall(node: Node) -> int:
    inputs = node.fields()
    sockets = sum(one.socket for one in inputs)
    rows = max(sockets, len(node.info["output"])) * SLOT_HEIGHT
    lines = [one for one in inputs if not one.socket]
    texts = sum(len(one.spec) > 1 and bool(one.spec[1].get("multiline")) for one in lines)
    return rows + (len(lines) - texts) * WIDGET_HEIGHT + texts * TEXT_HEIGHT + MARGIN

"""An API-format workflow, and what a user wants changed in it: values and files, by the titles of its nodes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from .specs import find_spec, fit, specs_of

Graph = dict[str, dict[str, Any]]

# Inputs of these types have a widget; a link to one of them may be replaced by a value.
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}

EXPORT_HINT = "open it in ComfyUI and choose File > Export (API)"


@dataclass(frozen=True)
class Upload:
    """A file of this machine that an input shall name. `input` is empty where only the node and what it loads is known;
    `accepts` is then "video", "image" or "audio", and an empty `node` means the only node that loads such."""

    node: str
    input: str
    file: Path
    accepts: str = ""


@dataclass(frozen=True)
class Workflow:
    """An API-format workflow; every change gives a new one, so that one workflow serves a whole batch.

    graph: node id -> {"class_type", "inputs", "_meta": {"title"}}. values: (node id, input, value).
    uploads: files of this machine. file: where it was read from.
    """

    graph: Graph
    values: tuple[tuple[str, str, Any], ...] = ()
    uploads: tuple[Upload, ...] = ()
    file: Path | None = None

    @classmethod
    def load(cls, file: str | Path) -> Workflow:
        """Read a JSON file.

        Raises:
            OSError: it can't be read.
            ValueError: it isn't an API-format workflow; what it is instead is said, and how to export one.
        """
        file = Path(file)
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{file} is not JSON ({error}); to get a workflow for scripts, {EXPORT_HINT}") from None
        return replace(cls.of(data, str(file)), file=file)

    @classmethod
    def of(cls, data: Any, named: str = "the workflow") -> Workflow:
        """A workflow from parsed JSON. Raises ValueError as `load` does."""
        if isinstance(data, dict) and isinstance(data.get("nodes"), list):
            raise ValueError(f"{named} is in the graph editor's format; to get it for scripts, {EXPORT_HINT}")
        if not isinstance(data, dict) or not data:
            raise ValueError(f"{named} is not a workflow in API format; to get one, {EXPORT_HINT}")
        for node_id, node in data.items():
            if not isinstance(node, dict) or "class_type" not in node or not isinstance(node.get("inputs"), dict):
                raise ValueError(
                    f"{named} is not a workflow in API format: its entry {node_id!r} has no class_type and inputs; "
                    f"to get one, {EXPORT_HINT}"
                )
        return cls(data)

    def with_value(self, address: str, value: Any) -> Workflow:
        """A workflow with one input set.

        Args:
            address: "Title.input"; the node's title, else its class, else "#id". Titles and inputs may have dots.
            value: checked against the server's /object_info when the workflow is submitted; text is read as the type
                that the input has, so "5" is as good as 5.

        Raises:
            ValueError: no node or several fit; the candidates are named with their ids.
        """
        node_id, name = self._split(address)
        return replace(self, values=(*self.values, (node_id, name, value)))

    def with_file(self, address: str, file: str | Path, accepts: str = "") -> Workflow:
        """A workflow in which one input names a file of this machine, which is uploaded when it is submitted.

        Args:
            address: "Title.input", or a node alone if it loads only one file.
            accepts: "video", "image" or "audio": what the node loads; with an empty address the only such node.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: no node or several fit.
        """
        file = Path(file)
        if not file.is_file():
            raise FileNotFoundError(f"{file} is not a file of this machine")
        node_id, name = "", ""
        if address:
            try:
                node_id = self.find(address)
            except LookupError:
                node_id, name = self._split(address)
        return replace(self, uploads=(*self.uploads, Upload(node_id, name, file, accepts)))

    @property
    def name(self) -> str:
        """What to call it: its file's name without .json."""
        return self.file.stem if self.file else "the workflow"

    def title(self, node_id: str) -> str:
        """What a user calls a node: its title, else its class; of a node that another expanded to, that other's."""
        node = self.graph.get(node_id) or self.graph.get(node_id.partition(".")[0])
        if node is None:
            return f"node {node_id}"
        return node.get("_meta", {}).get("title") or node["class_type"]

    def describe(self, node_id: str) -> str:
        """'Load the clip (LoadVideo, #1)'."""
        return f"{self.title(node_id)} ({self.graph[node_id]['class_type']}, #{node_id})"

    def find(self, name: str) -> str:
        """The id of the node with this title, else of this class, else with this "#id".

        Raises:
            LookupError: there is none.
            ValueError: there are several.
        """
        if name.startswith("#") and name[1:] in self.graph:
            return name[1:]
        by_title = [n for n in self.graph if self.graph[n].get("_meta", {}).get("title") == name]
        found = by_title or [n for n in self.graph if self.graph[n]["class_type"] == name]
        if len(found) > 1:
            raise ValueError(
                f"{name!r} is {len(found)} nodes: {'; '.join(map(self.describe, found))}. "
                f"Name one by its id, such as #{found[0]}"
            )
        if not found:
            raise LookupError(self._unknown(name))
        return found[0]

    def fitted(self, object_info: Mapping[str, Any]) -> tuple[Graph, list[Upload]]:
        """The graph with all values set, and the uploads with their inputs found.

        Args:
            object_info: the server's, with all classes of the workflow.

        Raises:
            ValueError: a value doesn't fit its input, or it is not clear which node shall load a file.
        """
        graph = copy.deepcopy(self.graph)
        for node_id, name, value in self.values:
            self._set(graph, object_info, node_id, name, value)
        uploads = [self._placed(upload, object_info) for upload in self.uploads]
        taken: dict[tuple[str, str], Path] = {}
        for upload in uploads:
            other = taken.setdefault((upload.node, upload.input), upload.file)
            if other != upload.file:
                where = f"{self.describe(upload.node)}.{upload.input}"
                raise ValueError(f"{where} can't be both {other} and {upload.file}")
        return graph, uploads

    def _set(self, graph: Graph, object_info: Mapping[str, Any], node_id: str, name: str, value: Any) -> None:
        node = graph[node_id]
        kind, inputs = node["class_type"], node["inputs"]
        label = f"{self.title(node_id)}.{name}"
        spec = find_spec(kind, object_info[kind], name, inputs)
        if spec is None:
            known = [*specs_of(kind, object_info[kind]), *(key for key in inputs if "." in key)]
            raise ValueError(f"{self.describe(node_id)} has no input {name!r}; it has {', '.join(known) or 'none'}")
        if isinstance(inputs.get(name), list) and not WIDGETS & set(spec.kind.split(",")):
            raise ValueError(f"{label} takes a link of type {spec.kind}, not a value")
        inputs[name] = fit(value, spec, label)

    def _placed(self, upload: Upload, object_info: Mapping[str, Any]) -> Upload:
        if upload.input:
            kind = self.graph[upload.node]["class_type"]
            if find_spec(kind, object_info[kind], upload.input, self.graph[upload.node]["inputs"]) is None:
                known = ", ".join(specs_of(kind, object_info[kind])) or "none"
                raise ValueError(f"{self.describe(upload.node)} has no input {upload.input!r}; it has {known}")
            return upload
        what = upload.accepts or "file"
        asked = [upload.node] if upload.node else list(self.graph)
        places = [(n, name) for n in asked for name in self._loads(n, what, object_info)]
        if not places and upload.node:
            raise ValueError(f"{self.describe(upload.node)} loads no {what}: name the input as Title.input")
        if not places:
            raise ValueError(f"no node of the workflow loads a {what} file, so {upload.file} has no place")
        if len(places) > 1:
            listed = "; ".join(f"{self.describe(n)}.{name}" for n, name in places)
            raise ValueError(
                f"{len(places)} places take a {what}: {listed}. "
                f"Say which {upload.file.name} is for, as in {self.title(places[0][0]) + '=' + upload.file.name!r}"
            )
        return replace(upload, node=places[0][0], input=places[0][1])

    def _loads(self, node_id: str, what: str, object_info: Mapping[str, Any]) -> Iterator[str]:
        kind = self.graph[node_id]["class_type"]
        for name, spec in specs_of(kind, object_info[kind]).items():
            linked = isinstance(self.graph[node_id]["inputs"].get(name), list)
            if spec.accepts and what in ("file", spec.accepts) and not linked:
                yield name

    def _split(self, address: str) -> tuple[str, str]:
        """Node id and input of "Title.input", where both may have dots."""
        cuts = [at for at, letter in enumerate(address) if letter == "."]
        if not cuts:
            raise ValueError(f"{address!r} names no input: Title.input is needed. {self._unknown(address)}")
        for cut in reversed(cuts):
            if address[cut + 1 :]:
                try:
                    return self.find(address[:cut]), address[cut + 1 :]
                except LookupError:
                    continue
        raise ValueError(self._unknown(address[: cuts[0]]))

    def _unknown(self, name: str) -> str:
        titles = list(dict.fromkeys(map(self.title, self.graph)))
        near = get_close_matches(name, titles, 3)
        listed = near or titles
        return f"no node is called {name!r}; {'did you mean' if near else 'there are'} {', '.join(map(repr, listed))}"

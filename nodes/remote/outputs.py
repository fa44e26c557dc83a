"""What a job left behind: the files and words of its nodes, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..validation.findings import FAILED, PASSED
from ..validation.report import VERDICT, VIEWER
from .errors import JobStopped, NodeFailed
from .workflow import Graph, Workflow

# Under this name Save Physics lists the metadata of its folder; the other files lie beside it.
FOLDER = "physics_folder"

TRACEBACK_LINES = 12


@dataclass(frozen=True)
class RemoteFile:
    """A file on the server that a node showed or saved. kind: what the node lists it as, such as "images"; place:
    "output", "temp" or "input"."""

    node_id: str
    title: str
    kind: str
    filename: str
    subfolder: str
    place: str

    @property
    def query(self) -> dict[str, str]:
        """What /view needs."""
        return {"filename": self.filename, "subfolder": self.subfolder, "type": self.place}


@dataclass(frozen=True)
class Said:
    """What else a node showed: text, numbers, dicts; kind as in RemoteFile."""

    node_id: str
    title: str
    kind: str
    values: list[Any]


def read_outputs(entry: Mapping[str, Any], workflow: Workflow) -> tuple[list[RemoteFile], list[Said]]:
    """The files and the words of a history entry; what has a filename is a file, whatever the node calls it."""
    files: dict[tuple[str, str, str], RemoteFile] = {}
    said = []
    for node_id, shown in entry.get("outputs", {}).items():
        node = str(entry.get("meta", {}).get(node_id, {}).get("display_node") or node_id)
        title = workflow.title(node)
        for kind, items in shown.items():
            if kind == VIEWER:  # of no use without the files that it names; the page beside it has them all
                continue
            others = []
            for item in items if isinstance(items, list | tuple) else [items]:
                if isinstance(item, dict) and isinstance(item.get("filename"), str) and item["filename"]:
                    place = (item["filename"], item.get("subfolder") or "", item.get("type") or "output")
                    files.setdefault(place, RemoteFile(node, title, kind, *place))
                else:
                    others.append(item)
            if others:
                said.append(Said(node, title, kind, others))
    return list(files.values()), said


def raise_failure(entry: Mapping[str, Any], workflow: Workflow, held: list[tuple[str, str]]) -> None:
    """Raise NodeFailed or JobStopped if a job did not end as it should; the node is named by its title."""
    for kind, data in (entry.get("status") or {}).get("messages", []):
        if kind == "execution_error":
            node_id = str(data["node_id"])
            title, error = workflow.title(node_id), str(data["exception_message"]).strip()
            name = str(data["exception_type"]).rpartition(".")[2]
            raise NodeFailed(
                f"{title} ({data['node_type']}, #{node_id}) failed on the server: {error} [{name}]",
                node=node_id,
                title=title,
                class_type=data["node_type"],
                exception=data["exception_type"],
                message=error,
                traceback="".join(data.get("traceback", [])[-TRACEBACK_LINES:]),
            )
        if kind == "execution_interrupted":
            title = workflow.title(str(data["node_id"]))
            raise JobStopped(f"the job was cancelled on the server while it ran {title}", title=title)
    if held:
        words = "; ".join(f"{title}: {message}" for title, message in held)
        raise JobStopped(f"stopped before {words}", held=[{"title": title, "message": text} for title, text in held])


def final_verdict(said: Sequence[Said], graph: Graph) -> dict[str, Any] | None:
    """The verdict of the node that judged last, with its title; the worst where several did, None where none did.

    A node that is judged again by one that it leads to, as Repair Physics does with its input, doesn't count.
    """
    judged = {one.node_id: one for one in said if one.kind == VERDICT}
    earlier = {node_id for last in judged for node_id in _before(last, graph)}
    found = [{"title": one.title, **one.values[0]} for node_id, one in judged.items() if node_id not in earlier]
    order = {FAILED: 0, PASSED: 2}
    return min(found, key=lambda one: order.get(one["verdict"], 1), default=None)


def _before(node_id: str, graph: Graph) -> set[str]:
    """The nodes that lead to one."""
    found: set[str] = set()
    left = [node_id]
    while left:
        inputs = graph[left.pop()]["inputs"].values()
        new = {str(value[0]) for value in inputs if isinstance(value, list)} - found
        found |= new
        left += new
    return found


def refusal(answer: Mapping[str, Any], workflow: Workflow, advice: Mapping[str, str]) -> list[str]:
    """The errors of an answer to POST /prompt, one line each, by title; empty when it was taken whole.

    Args:
        advice: what to say instead for an input, "Title (Class, #id).input".
    """
    lines = []
    for node_id, node in (answer.get("node_errors") or {}).items():
        for error in node["errors"]:
            details = str(error.get("details") or "")
            place = f"{workflow.describe(node_id)}.{(error.get('extra_info') or {}).get('input_name')}"
            said = f"{workflow.describe(node_id)}: {error['message']}{f': {details}' if details else ''}"
            lines.append(advice.get(place, said))
    if not lines and answer.get("error"):
        error = answer["error"]
        if isinstance(error, str):
            return [error]
        details = str(error.get("details") or "")
        lines.append(f"{error.get('message')}{f' ({details})' if details else ''}")
    return lines


def free_name(folder: Path, filename: str) -> Path:
    """A name in `folder` that nothing has: the server's, else with -2, -3... No folders of the server's are taken over.

    Raises:
        ValueError: it is no name of a file.
    """
    name = filename.replace("\\", "/").rpartition("/")[2].replace("\0", "")
    if name in ("", ".", ".."):
        raise ValueError(f"the server names a file {filename!r}, which no file can be called here")
    path, n = folder / name, 2
    while path.exists():
        path = folder / f"{Path(name).stem}-{n}{Path(name).suffix}"
        n += 1
    return path

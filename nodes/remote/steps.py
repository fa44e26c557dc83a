"""What a server tells while it works, as steps with the titles of the nodes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .workflow import Workflow

WAITING, RUNNING, DONE, NOTE = "waiting", "running", "done", "note"


@dataclass(frozen=True)
class Step:
    """One thing that happened.

    state: "running" (step `value` of `maximum` of the node `title`), "done" (that node has ended), "waiting" (`value`
    jobs are before this one), "note" (`text` says it). finished, nodes: how many nodes of the workflow are ready.
    """

    state: str
    title: str = ""
    node_id: str = ""
    value: float = 0
    maximum: float = 0
    finished: int = 0
    nodes: int = 0
    text: str = ""


class Watch:
    """Follows one run by its messages. `running`: the title of the node that was last seen at work, "" before any;
    `held`: (title, message) of nodes that were not run, as one before them held the run back; `ended`: the server said
    that the run is over."""

    def __init__(self, workflow: Workflow, prompt_id: str):
        self._workflow = workflow
        self.begin(prompt_id)

    def begin(self, prompt_id: str) -> None:
        """Forget all, and follow this run."""
        self._prompt_id = prompt_id
        self.running, self.ended = "", False
        self.held: list[tuple[str, str]] = []
        self._finished: set[str] = set()
        self._shown: dict[str, tuple[float, float]] = {}

    def take(self, message: Mapping[str, Any]) -> Iterator[Step]:
        """What a message of the WebSocket means; those of other jobs mean nothing."""
        kind, data = message.get("type"), message.get("data") or {}
        if data.get("prompt_id") != self._prompt_id:
            return
        if kind == "execution_cached":
            self._finished |= self._own(data["nodes"])
        elif kind == "progress_state":
            yield from self._progress(data["nodes"])
        elif kind == "execution_error" and data.get("exception_type") == "ExecutionBlocked":
            text = str(data["exception_message"]).removeprefix("Execution Blocked: ")
            self.held.append((self._workflow.title(str(data["node_id"])), text))
        elif kind in ("execution_success", "execution_error", "execution_interrupted"):
            self.ended = True
        elif kind == "executing" and data.get("node") is None:
            self.ended = True

    def _progress(self, nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[Step]:
        for node_id, state in nodes.items():
            shown = str(state.get("display_node_id") or node_id)
            title, at = self._workflow.title(shown), (state["value"], state["max"])
            if state["state"] == "running" and self._shown.get(node_id) != at:
                self.running = title
                self._shown[node_id] = at
                yield self._step(RUNNING, title, node_id, *at)
            elif state["state"] == "finished" and node_id not in self._finished:
                self._finished.add(node_id)
                if node_id in self._shown:
                    yield self._step(DONE, title, node_id, *at)

    def _step(self, state: str, title: str, node_id: str, value: float, maximum: float) -> Step:
        finished = len(self._own(self._finished))
        return Step(state, title, node_id, value, maximum, finished, len(self._workflow.graph))

    def _own(self, nodes: Any) -> set[str]:
        return {str(node) for node in nodes} & set(self._workflow.graph)

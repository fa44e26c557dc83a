"""Messages of a server become steps with titles; steps become lines."""

from __future__ import annotations

import io
from typing import Any

import pytest
from fake_comfyui import WORKFLOW
from physics_preserver.nodes.remote import Step, Workflow
from physics_preserver.nodes.remote.outputs import Said, final_verdict, read_outputs
from physics_preserver.nodes.remote.steps import DONE, NOTE, RUNNING, WAITING, Watch
from physics_preserver.nodes.remote.terminal import Terminal
from physics_preserver.nodes.remote.transport import base_url


def progress(job: str = "mine", **nodes: tuple[str, float, float]) -> dict[str, Any]:
    """A progress_state; node ids have _ for the dots of an expanded node's parts."""
    states = {
        name.lstrip("n").replace("_", "."): {"state": state, "value": value, "max": end,
                                             "display_node_id": name.lstrip("n").split("_")[0]}
        for name, (state, value, end) in nodes.items()
    }  # fmt: skip
    return {"type": "progress_state", "data": {"prompt_id": job, "nodes": states}}


def test_steps_have_the_titles_of_the_nodes_also_of_what_a_node_expanded_to():
    watch = Watch(Workflow.of(WORKFLOW), "mine")
    assert not list(watch.take(progress("another", n1=("running", 0, 1))))
    (begun,) = watch.take(progress(n1=("running", 0, 1)))
    assert begun == Step(RUNNING, "Load the clip", "1", 0, 1, 0, 2)
    ended, inner = watch.take(progress(n1=("finished", 1, 1), n2_0_3=("running", 2, 20)))
    assert ended == Step(DONE, "Load the clip", "1", 1, 1, 1, 2)
    assert (inner.title, inner.node_id, inner.value, inner.maximum) == ("Paint it", "2.0.3", 2, 20)
    assert not list(watch.take(progress(n1=("finished", 1, 1), n2_0_3=("running", 2, 20)))), "nothing new"
    assert watch.running == "Paint it" and not watch.ended
    list(watch.take({"type": "executing", "data": {"prompt_id": "another", "node": None}}))
    assert not watch.ended
    list(watch.take({"type": "executing", "data": {"prompt_id": "mine", "node": None}}))
    assert watch.ended


def test_cached_nodes_count_as_ready():
    watch = Watch(Workflow.of(WORKFLOW), "mine")
    list(watch.take({"type": "execution_cached", "data": {"prompt_id": "mine", "nodes": ["1"]}}))
    (step,) = watch.take(progress(n2=("running", 0, 1)))
    assert (step.finished, step.nodes) == (1, 2)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_has_no_line_that_is_written_over():
    out = io.StringIO()
    show = Terminal(out)
    show(Step(WAITING, value=2))
    for t in range(100):
        show(Step(RUNNING, "Sample", "3", t, 100, 4, 9))
    show(Step(DONE, "Sample", "3", 100, 100, 5, 9))
    show(Step(NOTE, text="the server is back"))
    lines = out.getvalue().splitlines()
    assert lines == ["waiting: 2 jobs before this one", "[5/9] Sample: done in 0.0 s", "the server is back"]


def test_a_terminal_has_one_line_for_the_node_that_runs():
    out = Screen()
    show = Terminal(out)
    show(Step(RUNNING, "Sample", "3", 4, 20, 4, 9))
    assert out.getvalue() == "\r\x1b[K[5/9] Sample: step 4 of 20"
    show.close()
    assert out.getvalue().endswith("\r\x1b[K")


def test_whatever_has_a_filename_is_a_file_and_the_rest_is_said():
    outputs = {
        "2.0.5": {"gifs": [{"filename": "a.mp4", "subfolder": "s", "type": "temp", "fullpath": "/x/s/a.mp4"}]},
        "1": {
            "text": ("seen", 3),
            "images": [{"filename": "a.mp4", "subfolder": "s", "type": "temp"}],
            "animated": [True],
        },
    }
    entry = {"outputs": outputs, "meta": {"2.0.5": {"display_node": "2"}}}
    files, said = read_outputs(entry, Workflow.of(WORKFLOW))
    assert [(file.title, file.kind, file.query) for file in files] == [
        ("Paint it", "gifs", {"filename": "a.mp4", "subfolder": "s", "type": "temp"})
    ], "the same file is fetched once"
    assert [(one.title, one.kind, one.values) for one in said] == [
        ("Load the clip", "text", ["seen", 3]), ("Load the clip", "animated", [True])
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("gpu", "http://gpu:8188"),
        ("http://gpu", "http://gpu"),
        ("https://host.example/comfy/", "https://host.example/comfy"),
        ("[::1]:81", "http://[::1]:81"),
    ],
)
def test_an_address_is_host_and_port_or_a_url(address, url):
    assert base_url(address) == url


@pytest.mark.parametrize("address", ["", "ftp://host", "host:port", "http://", "http://host?x=1"])
def test_what_is_no_address_is_an_error(address):
    with pytest.raises(ValueError, match="HOST:PORT"):
        base_url(address)


def judged(node_id: str, verdict: str) -> Said:
    return Said(node_id, f"Judge {node_id}", "physics_verdict", [{"verdict": verdict, "summary": "", "score": 0.5}])


def test_the_last_judge_has_the_verdict_and_of_several_the_worst_counts():
    def node(**inputs: Any) -> dict[str, Any]:
        return {"class_type": "X", "inputs": inputs}

    graph = {"1": node(), "2": node(report=["1", 0]), "3": node(report=["2", 1], seed=5), "4": node()}
    assert final_verdict([], graph) is None
    repaired = final_verdict([judged("1", "failed"), judged("3", "passed")], graph)
    assert repaired and (repaired["title"], repaired["verdict"]) == ("Judge 3", "passed")
    for other, worst in (("failed", "failed"), ("could not judge", "could not judge"), ("passed", "passed")):
        both = final_verdict([judged("1", "failed"), judged("3", "passed"), judged("4", other)], graph)
        assert both and both["verdict"] == worst

"""`submit` and `check --server` as a script runs them, against a real ComfyUI that is also killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfyui import PACK, Server, find_comfyui
from graphs import Graph, drawn_boxes, load, node, text, track, validate, write_clip
from physics_preserver.nodes.media.folder import read_physics
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.writer import VideoWriter

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a signal, which Windows doesn't have")

SIZE, FRAMES = (340, 194), 12
LIMIT_S = 300.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this module's own, as it is killed."""
    comfyui = find_comfyui()
    if comfyui is None:
        pytest.skip("no ComfyUI here: COMFYUI_PATH can name one")
    started = Server(comfyui, tmp_path_factory.mktemp("submit"), [PACK / "tests" / "host" / "waiting"])
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(*SIZE, FRAMES, exposures=1)


@pytest.fixture(scope="module")
def clips(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """source.mp4, and wrong.mp4, in which everything goes backwards."""
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "source.mp4", scene)
    with VideoWriter(folder / "wrong.mp4", *SIZE, scene.rate) as video:
        for frame in scene.backwards(FRAMES - 1):
            video.write(frame.image)
    return folder


class Run:
    """One process of the command line; `stop` with SIGINT is Ctrl-C."""

    def __init__(self, *arguments: object):
        command = [sys.executable, "-m", "physics_preserver", *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
        )

    def end(self) -> tuple[int, str, str]:
        out, said = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, out, said

    def stop(self, how: signal.Signals) -> tuple[int, str, str]:
        os.kill(self.process.pid, how)
        return self.end()


def submit(server: Server, graph: Graph, folder: Path, *more: object) -> Run:
    """`submit` this graph; what comes goes to folder / "out"."""
    folder.mkdir(exist_ok=True)
    (folder / "flow.json").write_text(json.dumps(graph))
    return Run("submit", folder / "flow.json", "--server", server.url, "--out", folder / "out", "--json", *more)


def until(true: Callable[[], Any]) -> Any:
    """What `true` gives, once it gives something."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError("it did not come to that")


def ids(server: Server, state: str) -> list[str]:
    return [item[1] for item in server.get("/queue")[f"queue_{state}"]]


def waiting(name: str) -> Graph:
    """A workflow that runs until a file of this name lies in the server's input folder."""
    return {"1": {"class_type": "TEST_Wait", "inputs": {"until": name, "steps": 5000}, "_meta": {"title": "The wait"}}}


def titled(node: dict[str, Any], title: str) -> dict[str, Any]:
    return {**node, "_meta": {"title": title}}


def judging(scene: Scene) -> Graph:
    save = node("SaveVideo", video=["1", 0], filename_prefix="video/kept", format="auto", codec="auto")
    return {
        "1": titled(load("none.mp4"), "Load the clip"),
        "2": drawn_boxes(scene),
        "3": track("1", "2"),
        "4": titled(load("none.mp4"), "Load the generated clip"),
        "5": validate("3", "4"),
        "6": text("5", 5),
        "7": titled(save, "Keep it"),
        "8": node("PP_SavePhysics", clip=["1", 0], track=["3", 0], filename_prefix="physics/sub/clip"),
    }


@pytest.mark.parametrize(("generated", "code", "verdict"), [("source.mp4", 0, "passed"), ("wrong.mp4", 1, "failed")])
def test_a_run_gives_its_files_and_the_verdict(
    server: Server, scene: Scene, clips: Path, tmp_path: Path, generated: str, code: int, verdict: str
) -> None:
    given = [f"Load the clip={clips / 'source.mp4'}", f"Load the generated clip={clips / generated}"]
    videos = [word for place in given for word in ("--video", place)]
    ended, out, said = submit(server, judging(scene), tmp_path, *videos, "--set", "Keep it.codec=auto").end()
    assert ended == code, said
    data = json.loads(out)
    assert data["verdict"]["verdict"] == verdict
    kept = next(file for file in data["files"] if file["title"] == "Keep it")
    made = list((server.output / "video").glob(Path(kept["path"]).name))
    assert len(made) == 1 and made[0].read_bytes() == Path(kept["path"]).read_bytes()
    on_server = server.input / data["uploaded"][str(clips / "source.mp4")]
    assert on_server.read_bytes() == (clips / "source.mp4").read_bytes()
    reports = {Path(file["path"]) for file in data["files"] if file["kind"] == "physics_files"}
    assert reports == {tmp_path / "out" / name for name in ("report.html", "iou_report.json")}
    report = json.loads((tmp_path / "out" / "iou_report.json").read_text("utf-8"))
    assert report["verdict"] == verdict and verdict in (tmp_path / "out" / "report.html").read_text("utf-8")
    folder = next(Path(file["path"]) for file in data["files"] if file["title"] == "PP_SavePhysics")
    there, here = (read_physics(place) for place in (server.output / "physics" / "sub" / folder.name, folder))
    assert here.metadata == there.metadata and np.array_equal(here.track.packed, there.track.packed)
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        *(Path(file["path"]).name for file in data["files"]), "submission.json",
    }  # fmt: skip
    assert "PP_ValidatePhysics: done in" in said


def test_a_node_that_fails_is_named_by_its_title(server: Server, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("no video")
    graph = {"1": load("x.mp4"), "2": node("PP_DetectSubjects", clip=["1", 0], detector="motion (no model)",
             object="skateboard", frames=5), "3": titled(text("2", 3), "Why")}  # fmt: skip
    graph["2"] = titled(graph["2"], "Who is it")
    code, out, said = submit(server, graph, tmp_path, "--video", broken).end()
    assert code == 4 and "Who is it (PP_DetectSubjects, #2) failed on the server: " in said, said
    assert json.loads(out)["title"] == "Who is it" and not (tmp_path / "out").exists()


def test_a_missing_model_is_named_with_its_folder_and_nothing_runs(server: Server, tmp_path: Path) -> None:
    graph = {"1": titled(node("VAELoader", vae_name="wan_2.1_vae.safetensors"), "Load the VAE"), "2": text("1", 0)}
    code, out, said = submit(server, graph, tmp_path).end()
    assert code == 3, said
    assert "model wan_2.1_vae.safetensors in models/vae" in said and "Load the VAE (VAELoader, #1)" in said
    assert len(json.loads(out)["errors"]) == 1
    assert not ids(server, "running") and not ids(server, "pending")
    checked, out, _ = Run("check", "--server", server.url, "--json", tmp_path / "flow.json").end()
    (flow,) = json.loads(out)["workflows"]
    assert checked == 1 and [item["name"] for item in flow["missing"]] == ["wan_2.1_vae.safetensors"]


def test_check_says_what_the_server_is_and_where_to_get_what_it_lacks(server: Server) -> None:
    code, out, said = Run("check", "--server", server.url, "--json").end()
    data = json.loads(out)
    flows = {flow["name"]: flow for flow in data["workflows"]}
    assert set(flows) == {file.stem for file in (PACK / "workflows" / "api").glob("*.json")}
    assert flows["extract_and_validate"]["can_run"], said
    assert code == (0 if all(flow["can_run"] for flow in flows.values()) else 1)
    for item in (item for flow in flows.values() for item in flow["missing"]):
        assert item["kind"] in ("node", "model") and item["where"] and item["url"], item
    assert data["pack"]["installed"] and data["pack"]["version"] == data["pack"]["here"]
    assert data["comfyui"] and data["devices"]


def test_a_dead_server_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "flow.json").write_text(json.dumps(waiting("never")))
    code, out, said = Run("submit", tmp_path / "flow.json", "--server", "127.0.0.1:1", "--out", tmp_path / "out").end()
    assert (code, out) == (5, "")
    assert said == "physics-preserver submit: no ComfyUI answers at http://127.0.0.1:1: Connection refused\n"


def test_a_server_that_is_killed_and_comes_back_gets_the_job_again(server: Server, tmp_path: Path) -> None:
    run = submit(server, waiting("killed.txt"), tmp_path)
    (first,) = until(lambda: ids(server, "running"))
    server.kill()
    (server.input / "killed.txt").touch()
    server.start()
    code, out, said = run.end()
    assert code == 0, said
    data = json.loads(out)
    assert data["submissions"] == 2 and data["job"] != first
    assert data["said"] == [{"node_id": "1", "title": "The wait", "kind": "text", "values": ["done"]}]
    assert "restarted while it ran The wait" in said and "is back" in said


def test_a_server_that_stays_away_is_not_waited_for_for_ever(server: Server, tmp_path: Path) -> None:
    run = submit(server, waiting("never.txt"), tmp_path, "--patience", 1)
    until(lambda: ids(server, "running"))
    server.kill()
    try:
        code, _, said = run.end()
        assert code == 5 and "has been away for 1 s" in said
    finally:
        server.start()


@pytest.mark.parametrize(
    ("state", "how"), [("running", signal.SIGINT), ("pending", signal.SIGINT), ("running", signal.SIGTERM)]
)
def test_ctrl_c_stops_this_job_and_no_other(server: Server, tmp_path: Path, state: str, how: signal.Signals) -> None:
    name = f"{state}_{how.name}.txt"
    other = waiting(name)
    first = server.submit(other) if state == "pending" else None
    run = submit(server, waiting("never.txt"), tmp_path)
    until(lambda: [name for name in ids(server, state) if name != first])
    second = first or server.submit(other)
    code, out, said = run.stop(how)
    assert (code, out) == (130, "") and said.endswith("interrupted\n")
    assert ("the server has stopped the job" if state == "running" else "out of the server's queue") in said
    assert until(lambda: ids(server, "running") == [second]) and not ids(server, "pending")
    (server.input / name).touch()
    assert list(server.wait(second)["1"]["text"]) == ["done"]
    assert not (tmp_path / "out").exists()

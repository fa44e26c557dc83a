"""Long clips in a real ComfyUI, through a tiny random Wan VACE: windows, a kill in the middle, a cancel."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from comfyui import TEST_PACKS, Interrupted, PromptError, Server, find_comfyui
from graphs import Graph, load, node, text, write_clip
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.video import VideoClip
from tiny_wan import MODEL, loaders, save_tiny_wan

SIZE = (48, 32)
FRAMES = 200


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of this module's own, as it is killed in between."""
    comfyui = find_comfyui()
    if comfyui is None:
        pytest.skip("no ComfyUI here: COMFYUI_PATH can name one")
    server = Server(comfyui, tmp_path_factory.mktemp("reskin"), TEST_PACKS)
    try:
        save_tiny_wan(server.base / "models")
        write_clip(server.input / "long.mp4", Scene(*SIZE, FRAMES, exposures=1))
        yield server
    finally:
        server.stop()


def reskin(prefix: str, **inputs: object) -> Graph:
    links = {name: [name, 0] for name in ("clip", "track", "model", "vae", "positive", "negative")}
    choices = {"repaint": "object", "guide": "nothing", "shape": "tight", "grow": 0, "latent_aligned": False}
    sampling = {"seed": 5, "steps": 1, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "strength": 1.0}
    sizes = {"width": 0, "height": 0, "window": 81, "overlap": 10, "filename_prefix": prefix}
    return {
        **loaders(),
        "clip": load("long.mp4"),
        "track": node("TEST_CoreTrack", frames=FRAMES, width=SIZE[0], height=SIZE[1]),
        "reskin": node("PP_ReskinLongClip", **links, **{**choices, **sampling, **sizes, **inputs}),
        "notes": text("reskin", 1),
    }


def windows_made(log: str) -> list[int]:
    return [int(number) for number in re.findall(r"Reskin Long Clip: window (\d+) of", log)]


def result(server: Server, prefix: str) -> Path:
    (file,) = server.output.glob(f"{prefix}_*/reskin.mp4")
    return file


def images(file: Path) -> np.ndarray:
    return np.stack([frame.image for frame in VideoClip(file)])


def leftovers(server: Server, prefix: str) -> list[str]:
    return sorted(file.name for folder in server.output.glob(f"{prefix}_*") for file in folder.iterdir())


@pytest.fixture(scope="module")
def unbroken(server: Server) -> np.ndarray:
    """The frames of an unbroken run, and its checks."""
    outputs = server.run(reskin("whole"))
    notes = outputs["notes"]["text"][0]
    assert "200 frames of 48x32 in 3 windows of 81 frames, seeds 5 and on" in notes
    for said in ("frames 0 to 80", "frames 71 to 151; the 10 frames", "frames 119 to 199; the 30 frames"):
        assert said in notes, notes
    assert windows_made(server.log) == [1, 2, 3]
    assert leftovers(server, "whole") == ["reskin.mp4", "run.json"]
    made, source = VideoClip(result(server, "whole")), VideoClip(server.input / "long.mp4")
    assert (made.width, made.height, made.count()) == (*SIZE, FRAMES)
    assert [frame.time for frame in made] == [frame.time for frame in source]
    return images(result(server, "whole"))


def test_the_same_workflow_finds_its_result(server: Server, unbroken: np.ndarray) -> None:
    before = windows_made(server.log)
    server.post("/free", {"free_memory": True, "unload_models": True})
    server.run({"other": node("PreviewAny", source="after this run the server has certainly freed its memory")})
    outputs = server.run(reskin("whole"))
    assert "finished before" in outputs["notes"]["text"][0]
    assert windows_made(server.log) == before


def test_a_killed_server_goes_on_with_the_window_it_was_in(server: Server, unbroken: np.ndarray) -> None:
    graph, start = reskin("killed"), len(server.log)
    server.submit(graph)
    wait_for(lambda: windows_made(server.log[start:]) == [1], server)
    time.sleep(0.3)  # into the second window
    server.kill()
    assert "window_00000.mp4" in leftovers(server, "killed")
    server.start()
    again = len(server.log)
    outputs = server.run(graph)
    assert windows_made(server.log[again:]) == [2, 3]
    assert "the first 1 of 3 windows were finished before" in outputs["notes"]["text"][0]
    assert np.array_equal(images(result(server, "killed")), unbroken)
    assert leftovers(server, "killed") == ["reskin.mp4", "run.json"]


def test_a_cancelled_run_goes_on_and_another_seed_starts_anew(server: Server, unbroken: np.ndarray) -> None:
    graph, start = reskin("cancelled"), len(server.log)
    prompt = server.submit(graph)
    wait_for(lambda: windows_made(server.log[start:]) == [1, 2], server)
    server.post("/interrupt", {})
    with pytest.raises(Interrupted):
        server.wait(prompt)
    assert leftovers(server, "cancelled") == ["run.json", "window_00000.mp4", "window_00001.mp4"]
    start = len(server.log)
    outputs = server.run(graph)
    assert windows_made(server.log[start:]) == [3]
    assert "the first 2 of 3 windows" in outputs["notes"]["text"][0]
    assert np.array_equal(images(result(server, "cancelled")), unbroken)


def test_anything_changed_is_another_run(server: Server, unbroken: np.ndarray) -> None:
    start = len(server.log)
    prompt = server.submit(reskin("other", seed=6))
    wait_for(lambda: windows_made(server.log[start:]) == [1], server)
    server.post("/interrupt", {})
    with pytest.raises(Interrupted):
        server.wait(prompt)
    start = len(server.log)
    prompt = server.submit(reskin("other", strength=0.5, seed=6))
    wait_for(lambda: windows_made(server.log[start:]) == [1], server)
    server.post("/interrupt", {})
    with pytest.raises(Interrupted):
        server.wait(prompt)
    assert len(list(server.output.glob("other_*"))) == 2


def wait_for(happened, server: Server, limit_s: float = 300) -> None:
    end = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < end, server.log[-3000:]
        time.sleep(0.02)


def test_a_lead_in_is_made_and_dropped(server: Server) -> None:
    outputs = server.run({**reskin("led", lead_in=4, window=41, references=["white", 0]),
                          "white": node("EmptyImage", width=32, height=32, batch_size=1, color=0xFFFFFF)})  # fmt: skip
    notes = outputs["notes"]["text"][0]
    assert "of 41 frames, the first 4 of them lead-in, which is dropped" in notes
    assert "window 1 of 7: frames 0 to 36" in notes and "frames 27 to 67; the 10 frames" in notes, notes
    assert VideoClip(result(server, "led")).count() == FRAMES


def test_a_model_that_is_no_vace_is_refused(server: Server) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    folder = server.base / "models" / "diffusion_models"
    weights = safetensors.load_file(folder / MODEL)
    plain = {name: value for name, value in weights.items() if not name.startswith("vace_")}
    safetensors.save_file(plain, folder / "plain.safetensors")
    graph = reskin("plain")
    graph["model"]["inputs"]["unet_name"] = "plain.safetensors"
    with pytest.raises(PromptError, match="the model is WAN21, not a Wan VACE, and would ignore the control"):
        server.run(graph)
    assert not list(server.output.glob("plain_*"))

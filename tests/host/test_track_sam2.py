"""Track Objects with SAM 2.1 (random weights) in a real ComfyUI: what it finds, what it leaves in memory, cancel."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfyui import Interrupted, Server, find_comfyui, python_of
from graphs import Graph, load, node, text, track
from physics_preserver.nodes.media.folder import Physics, read_physics
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.writer import VideoWriter

torch = pytest.importorskip("torch")
pytest.importorskip("sam2", reason="the sam2 package is not installed")

FRAMES = 2  # a frame takes seconds on a processor
SLACK_MB = 50
OBJECTS = [
    {"label": "rider", "prompts": [{"frame": 1, "box": [60, 40, 160, 170], "points": []}]},
    {"label": "board", "prompts": [{"frame": 1, "box": None, "points": [{"x": 95, "y": 166, "positive": True}]}]},
]
PROMPTS = {"schema": "physics-preserver/prompts", "schema_version": 1, "objects": OBJECTS}


@pytest.fixture(scope="module")
def checkpoint(comfyui: Server) -> Path:
    """models/sam2/random.pt and the clip short.mp4, in the server's folders."""
    from physics_preserver.nodes.extraction.sam2_build import Architecture, build

    found = find_comfyui()
    assert found is not None
    if subprocess.run([str(python_of(found)), "-c", "import sam2"], capture_output=True, check=False).returncode:
        pytest.skip("ComfyUI's Python has no sam2 package")
    scene = Scene(340, 194, 25, exposures=1)
    with VideoWriter(comfyui.input / "short.mp4", scene.width, scene.height, scene.rate) as video:
        for t in range(FRAMES):
            video.write(scene.frame(t).image)
    folder = comfyui.base / "models" / "sam2"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(2)
    torch.save({"model": build(Architecture("2.1", "tiny")).state_dict()}, folder / "random.pt")
    return folder / "random.pt"


def graph(**choices: Any) -> Graph:
    """Load, prompt, track with SAM 2.1, save: the folder's name is shown by node 6, the summary by node 7."""
    about = {"points_label": "object", "points_frame": 0, "points_of": ""}
    return {
        "1": load("short.mp4"),
        "2": node("PP_LoadSAM2", checkpoint="random.pt", precision="fp32"),
        "3": node("PP_PromptObjects", clip=["1", 0], objects=json.dumps(PROMPTS), **about),
        "4": track("1", prompts=["3", 0], sam2=["2", 0], **choices),
        "5": node("PP_SavePhysics", clip=["1", 0], track=["4", 0], filename_prefix="physics/sam2"),
        "6": text("5", 0),
        "7": text("4", 1),
    }


def run(comfyui: Server, **choices: Any) -> tuple[Physics, str]:
    outputs = comfyui.run(graph(**choices))
    return read_physics(Path(outputs["6"]["text"][0])), outputs["7"]["text"][0]


def test_two_runs_leave_equal_memory_with_a_cancelled_one_between(comfyui: Server, checkpoint: Path) -> None:
    first, summary = run(comfyui)
    after_first = comfyui.memory_mb()
    # Other names, that aren't used: the same work again, not taken from the cache.
    job = comfyui.submit(graph(labels="a"))
    time.sleep(4)
    start = time.monotonic()
    comfyui.post("/interrupt", {})
    with pytest.raises(Interrupted):
        comfyui.wait(job, 60)
    took, after_cancel = time.monotonic() - start, comfyui.settled_mb(after_first + SLACK_MB)
    second, _ = run(comfyui, labels="b")
    after_second = comfyui.memory_mb()
    print(f"MB: {after_first:.0f}, cancelled after {took:.1f} s {after_cancel:.0f}, again {after_second:.0f}")
    assert "Tracker: SAM 2.1 tiny" in summary and first.track.labels == ("rider", "board")
    assert len(first.track) == FRAMES and np.array_equal(first.track.packed, second.track.packed)
    assert max(after_cancel, after_second) - after_first < SLACK_MB

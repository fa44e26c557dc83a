"""Long clip and repair on servers that keep no results, or forget them at once: windows are not made twice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from comfyui import TEST_PACKS, Server, find_comfyui
from graphs import Graph, drawn_boxes, load, node, text, track, validate, write_clip
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.video import VideoClip
from tiny_wan import loaders, save_tiny_wan

SIZE, FRAMES, BROKEN = (320, 192), 33, (12, 21)
LINKS = {name: [name, 0] for name in ("clip", "track", "positive", "negative")}
CHOICES = {"repaint": "everything", "guide": "original", "shape": "tight", "grow": 0, "latent_aligned": False}
SAMPLING = {"seed": 3, "steps": 1, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "strength": 1.0}


# A headroom of a million GB is never there, so this cache is under pressure all the time.
@pytest.fixture(params=[("--cache-none",), ("--cache-ram", "1000000")], ids=["none", "under pressure"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    comfyui = find_comfyui()
    if comfyui is None:
        pytest.skip("no ComfyUI here: COMFYUI_PATH can name one")
    server = Server(comfyui, tmp_path_factory.mktemp("caches"), TEST_PACKS, request.param)
    try:
        save_tiny_wan(server.base / "models")
        yield server
    finally:
        server.stop()


def loop(scene: Scene) -> Graph:
    model = {"model": ["stub", 0], "vae": ["stub", 1]}
    sizes = {"width": 0, "height": 0, "window": 21, "overlap": 6, "filename_prefix": "physics/loop"}
    sources = {"report": ["validate", 0], "generated": ["generated", 0], "control": ["generated", 2]}
    attempts = {"max_attempts": 2, "window": 21, "overlap": 6, "detector": "none"}
    stub = {"seed": SAMPLING["seed"], "start": BROKEN[0], "stop": BROKEN[1], "px": 24}
    return {
        **loaders(),
        "clip": load("loop.mp4"),
        "boxes": drawn_boxes(scene),
        "track": track("clip", "boxes"),
        "stub": node("TEST_StubGenerator", model=["model", 0], **stub),
        "generated": node("PP_ReskinLongClip", **LINKS, **model, **CHOICES, **SAMPLING, **sizes),
        "validate": validate("track", "generated", "clip", control=["generated", 2]),
        "repair": node("PP_RepairPhysics", **sources, **LINKS, **model, **CHOICES, **SAMPLING, **attempts),
        "report": text("repair", 1),
        "notes": text("generated", 1),
    }


def test_the_loop_runs_to_its_end_and_no_window_twice(server: Server) -> None:
    scene = Scene(*SIZE, FRAMES, exposures=1)
    write_clip(server.input / "loop.mp4", scene)
    outputs = server.run(loop(scene))
    made = re.findall(r"Reskin Long Clip: window (\d+) of 2", server.log)
    assert made == ["1", "2"], server.log[-3000:]
    assert outputs["notes"]["text"][0].startswith(f"{FRAMES} frames of {SIZE[0]}x{SIZE[1]} in 2 windows")
    (result,) = server.output.glob("physics/loop_*/reskin.mp4")
    assert VideoClip(result).count() == FRAMES
    report = json.loads(outputs["report"]["text"][0])
    assert report["repair"]["attempts"] and report["total_frames"] == FRAMES
    server.run(loop(scene))
    assert re.findall(r"Reskin Long Clip: window (\d+) of 2", server.log) == made, "the result is found in its folder"

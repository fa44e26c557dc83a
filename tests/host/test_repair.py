"""Generate, validate, repair in a real ComfyUI: a generator that is wrong on frames 40 to 60 with its first seed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfyui import PromptError, Server, has
from graphs import Graph, drawn_boxes, load, node, text, track, validate, write_clip
from onnx_nets import save_pose
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.video import VideoClip
from tiny_wan import loaders

SIZE, FRAMES = (320, 192), 73
SEED, BROKEN, PX = 11, (40, 61), 24
SAMPLING = {"seed": SEED, "steps": 1, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "strength": 1.0}
CHOICES = {"repaint": "everything", "guide": "original", "shape": "tight", "grow": 0, "latent_aligned": False}
LINKS = {"clip": ["clip", 0], "track": ["track", 0], "model": ["stub", 0], "vae": ["stub", 1]}
PROMPT = {"positive": ["positive", 0], "negative": ["negative", 0]}


def closed_loop(scene: Scene, px: int = PX) -> Graph:
    sizes = {"width": 0, "height": 0, "window": 81, "overlap": 10, "filename_prefix": "physics/loop"}
    loop = {"max_attempts": 3, "window": 81, "overlap": 10, "detector": "none"}
    sources = {"report": ["validate", 0], "generated": ["generated", 0], "control": ["generated", 2]}
    return {
        **loaders(),
        "clip": load("loop.mp4"),
        "boxes": drawn_boxes(scene),
        "track": track("clip", "boxes"),
        "stub": node("TEST_StubGenerator", model=["model", 0], seed=SEED, start=BROKEN[0], stop=BROKEN[1], px=px),
        "generated": node("PP_ReskinLongClip", **LINKS, **PROMPT, **CHOICES, **SAMPLING, **sizes),
        "validate": validate("track", "generated", "clip", control=["generated", 2]),
        "repair": node("PP_RepairPhysics", **sources, **LINKS, **PROMPT, **CHOICES, **SAMPLING, **loop),
        "saved": node("SaveVideo", video=["repair", 0], filename_prefix="repaired", format="auto", codec="auto"),
        "report": text("repair", 1),
        "before": text("validate", 5),
        "summary": text("repair", 3),
    }


@pytest.fixture(scope="module")
def scene(tiny_wan: Server) -> Scene:
    scene = Scene(*SIZE, FRAMES, exposures=1)
    write_clip(tiny_wan.input / "loop.mp4", scene)
    return scene


def images(file: Path) -> np.ndarray:
    return np.stack([frame.image for frame in VideoClip(file)])


def report_of(outputs: dict[str, Any]) -> dict[str, Any]:
    return json.loads(outputs["report"]["text"][0])


def saved(server: Server, outputs: dict[str, Any]) -> Path:
    shown = outputs["saved"]["images"][0]
    return server.output / shown["subfolder"] / shown["filename"]


def test_the_planted_range_is_made_anew_and_everything_else_is_the_same_to_the_bit(
    tiny_wan: Server, scene: Scene
) -> None:
    outputs = tiny_wan.run(closed_loop(scene))
    assert "failed" in outputs["before"]["text"][0] and "frames 40-60" in outputs["before"]["text"][0]
    report = report_of(outputs)
    about = report["repair"]
    assert report["passed"] and about["stopped"] == "passed"
    assert about["replaced"] == [list(BROKEN)] and about["untouched_frames"] == FRAMES - 21
    [attempt] = about["attempts"]
    [part] = attempt["ranges"]
    assert (part["start"], part["stop"], part["taken"]) == (*BROKEN, True)
    assert (part["before"]["failing"], part["after"]["failing"]) == (21, 0)
    assert attempt["seed"] != SEED
    page, kept = (tiny_wan.temp / file["subfolder"] / file["filename"] for file in outputs["repair"]["physics_files"])
    assert page.name == "repaired_report.html" and "</html>" in page.read_text("utf-8")
    assert json.loads(kept.read_text("utf-8")) == report
    said = outputs["summary"]["text"][0]
    assert "frames made anew: 40 to 60; 52 of 73 are as they came" in said
    assert not list(tiny_wan.output.glob("physics/repair_*")), "what a broken run would need is gone"

    (generated,) = tiny_wan.output.glob("physics/loop_*/reskin.mp4")
    before, after = images(generated), images(saved(tiny_wan, outputs))
    assert before.shape == after.shape == (FRAMES, SIZE[1], SIZE[0], 3)
    same = [np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert [t for t in range(FRAMES) if not same[t]] == list(range(*BROKEN))
    tinted = images(tiny_wan.input / "loop.mp4") * np.array([0.9, 1.0, 0.8])
    assert np.abs(after - tinted).mean() < 3 < np.abs(before[slice(*BROKEN)] - tinted[slice(*BROKEN)]).mean()
    assert [frame.time for frame in VideoClip(saved(tiny_wan, outputs))] == [t / scene.rate for t in range(FRAMES)]


def test_a_clip_that_passes_is_left_as_it_is(tiny_wan: Server, scene: Scene) -> None:
    outputs = tiny_wan.run(closed_loop(scene, px=0))
    report = report_of(outputs)
    assert report["passed"] and "repair" not in report
    assert outputs["summary"]["text"][0].startswith("left as it is, it passes")
    newest = max(tiny_wan.output.glob("physics/loop_*/reskin.mp4"), key=lambda file: file.stat().st_mtime)
    assert np.array_equal(images(saved(tiny_wan, outputs)), images(newest))


def test_poses_are_judged_again_with_the_model_that_is_chosen(tiny_wan: Server, scene: Scene) -> None:
    if not has("rtmlib") or not has("onnxruntime"):
        pytest.skip("ComfyUI's Python has no rtmlib or no onnxruntime")
    folder = tiny_wan.base / "models" / "dwpose"
    folder.mkdir(exist_ok=True)
    save_pose(folder / "repair.onnx")
    choices = {"model": "repair.onnx", "label": "", "threshold": 0.3, "smoothing": 0.0, "batch": 8}
    graph = closed_loop(scene)
    graph["pose"] = node("PP_EstimatePose", clip=["clip", 0], track=["track", 0], **choices)
    graph["repair"]["inputs"] |= {"source_pose": ["pose", 0], "pose_model": "repair.onnx"}
    rules = [rule["name"] for rule in report_of(tiny_wan.run(graph))["rules"]]
    assert "pose" in rules, "the report of Validate Physics, which was given no poses, has no such rule"
    graph["repair"]["inputs"].pop("source_pose")
    with pytest.raises(PromptError, match="source_pose and pose_model together"):
        tiny_wan.run(graph)

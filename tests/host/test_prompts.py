"""Prompt Objects and Preview Prompts in a real ComfyUI: prompts in and out, masks of one frame, frames to draw on."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
from typing import Any

import cv2
import numpy as np
import pytest
from clips import number_of, shades, write_gop
from comfyui import PromptError, Server
from graphs import Graph, load, node, text
from physics_preserver.nodes.extraction.prompts import parse_prompts
from physics_preserver.nodes.extraction.tracking import prompt_masks
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import Scene

EXTRA = "physics-preview"


def box_around(mask: np.ndarray) -> list[int]:
    rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def drawing(scene: Scene, frame: int = 0) -> str:
    """Rider and board as a person would draw them: a box each, on one frame."""
    masks = scene.truth(frame).masks
    objects = [
        {"label": label, "prompts": [{"frame": frame, "box": box_around(mask), "points": []}]}
        for label, mask in zip(("rider", "board"), masks, strict=True)
    ]
    about = {"schema": "physics-preserver/prompts", "schema_version": 1, "size": [scene.width, scene.height]}
    return json.dumps({**about, "objects": objects})


def prompt_objects(clip: str, objects: str, **inputs: Any) -> dict[str, Any]:
    about = {"points_label": "object", "points_frame": 0, "points_of": "", **inputs}
    return node("PP_PromptObjects", clip=[clip, 0], objects=objects, **about)


def frame(comfyui: Server, **query: Any) -> np.ndarray:
    """uint8 [H, W, 3] from the route that the widget asks."""
    data = comfyui.read(f"/physics_preserver/frame?{urllib.parse.urlencode(query)}")
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image


def preview(comfyui: Server, graph: Graph, **inputs: Any) -> dict[str, Any]:
    """What the widget does: one node more, which alone is run."""
    job = comfyui.submit({**graph, EXTRA: node("PP_PreviewPrompts", **inputs)}, partial_execution_targets=[EXTRA])
    return comfyui.wait(job)[EXTRA]


def test_a_drawing_goes_out_in_every_form(comfyui: Server, scene: Scene) -> None:
    points = {
        "frame": 3,
        "box": None,
        "points": [{"x": 20.5, "y": 30, "positive": True}, {"x": 2, "y": 3, "positive": False}],
    }
    drawn = json.loads(drawing(scene))
    drawn["objects"][1]["prompts"].append(points)
    graph = {"1": load("scene.mp4"), "2": prompt_objects("1", json.dumps(drawn))}
    graph |= {str(3 + n): text("2", n) for n in range(5)}
    outputs = comfyui.run(graph)
    said = [outputs[str(3 + n)]["text"][0] for n in range(5)]
    prompts = json.loads(said[0])
    assert [shown["label"] for shown in prompts["objects"]] == ["rider", "board"]
    assert prompts["objects"][1]["prompts"][1] == points
    assert said[1:4] == ['[{"x": 20.5, "y": 30.0}]', '[{"x": 2.0, "y": 3.0}]', "3"]
    boxes = json.loads(said[4])
    x1, y1, x2, y2 = box_around(scene.truth(0).masks[1])
    expected = {"x": x1, "y": y1, "width": x2 - x1, "height": y2 - y1, "label": "board", "score": 1.0}
    assert boxes[0][1] == expected


def test_kjs_points_come_in_as_an_object(comfyui: Server, scene: Scene) -> None:
    kj = node("PrimitiveStringMultiline", value='[{"x": 20, "y": 30}]')
    linked = prompt_objects("1", "", points_positive=["9", 0], points_label="board", points_frame=4)
    outputs = comfyui.run({"1": load("scene.mp4"), "9": kj, "2": linked, "3": text("2", 0)})
    (shown,) = json.loads(outputs["3"]["text"][0])["objects"]
    assert (shown["label"], shown["prompts"][0]["frame"]) == ("board", 4)
    assert shown["prompts"][0]["points"] == [{"x": 20, "y": 30, "positive": True}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda shown: shown.update(frame=25), "on frame 25 and the clip ends with frame 24"),
        (lambda shown: shown.update(box=[0, 0, 341, 10]), "is at 341, 10 and the clip is 340x194"),
        (lambda shown: shown.update(box=None), "neither a box nor points"),
        (lambda shown: shown.update(box=[1, 2]), "four numbers"),
    ],
)
def test_wrong_prompts_are_refused(comfyui: Server, scene: Scene, change: Any, message: str) -> None:
    drawn = json.loads(drawing(scene))
    change(drawn["objects"][0]["prompts"][0])
    graph = {"1": load("scene.mp4"), "2": prompt_objects("1", json.dumps(drawn)), "3": text("2", 0)}
    with pytest.raises(PromptError, match=message):
        comfyui.run(graph)


def test_masks_of_one_frame_before_the_clip_is_run(comfyui: Server, scene: Scene) -> None:
    graph = {"1": load("scene.mp4"), "2": prompt_objects("1", drawing(scene, 6)), "3": text("2", 0)}
    shown = preview(comfyui, graph, clip=["1", 0], prompts=["2", 0], frame=6)
    about = shown["physics_masks"][0]
    assert (about["frame"], about["labels"], about["by"]) == (6, ["rider", "board"], "embedded")
    numbers = cv2.imread(str(comfyui.temp / about["filename"]), cv2.IMREAD_GRAYSCALE)
    assert numbers is not None and numbers.shape == (194, 340)
    image = open_clip(comfyui.input / "scene.mp4").frame(6).image
    for n, mask in enumerate(prompt_masks(image, parse_prompts(drawing(scene, 6)))):
        assert np.array_equal(numbers == n + 1, mask) and mask.any()
    picture = cv2.imread(str(comfyui.temp / shown["images"][0]["filename"]))
    assert picture is not None and picture.shape == (194, 340, 3)


def test_a_frame_without_prompts_says_which_have_some(comfyui: Server, scene: Scene) -> None:
    graph = {"1": load("scene.mp4"), "2": prompt_objects("1", drawing(scene, 6))}
    with pytest.raises(PromptError, match="no object has a prompt on frame 7; there are prompts on: 6"):
        preview(comfyui, graph, clip=["1", 0], prompts=["2", 0], frame=7)
    with pytest.raises(PromptError, match="has 25 frames; frame 25 was asked for"):
        preview(comfyui, graph, clip=["1", 0], frame=25)


def test_a_preview_costs_no_cached_result(comfyui: Server, scene: Scene) -> None:
    graph = {"1": load("scene.mp4"), "2": prompt_objects("1", drawing(scene)), "3": text("2", 0)}
    comfyui.run(graph)
    preview(comfyui, graph, clip=["1", 0], prompts=["2", 0], frame=0)
    job = comfyui.submit(graph)
    comfyui.wait(job)
    messages = dict(comfyui.get(f"/history/{job}")[job]["status"]["messages"])
    assert set(messages["execution_cached"]["nodes"]) == set(graph)


@pytest.fixture(scope="module")
def grey(comfyui: Server) -> str:
    """A clip of 30 frames whose numbers can be read off, with two frames that a jump can reach."""
    write_gop(comfyui.input / "grey.mp4", shades(30), gop=15)
    return "grey.mp4"


def test_frames_of_a_loaded_file_need_no_run(comfyui: Server, grey: str) -> None:
    facts = comfyui.get(f"/physics_preserver/clip?file={grey}")
    assert [facts[key] for key in ("width", "height", "frames", "rate")] == [64, 48, 30, 24.0]
    assert [number_of(frame(comfyui, clip=facts["token"], index=t)) for t in (0, 29, 16, 17)] == [0, 29, 16, 17]
    assert frame(comfyui, clip=facts["token"], index=3, side=32).shape == (24, 32, 3)


@pytest.mark.parametrize("kind", ["part of a file", "made in the graph", "image batch"])
def test_frames_of_any_other_clip_come_after_a_run(comfyui: Server, grey: str, kind: str) -> None:
    graph = {
        "1": load(grey),
        "2": node("Video Slice", video=["1", 0], start_time=0.5, duration=0.5, strict_duration=False),
        "3": node("GetVideoComponents", video=["2", 0]),
        "4": node("CreateVideo", images=["3", 0], fps=12.0),
    }
    clip = {"part of a file": "2", "made in the graph": "4", "image batch": "3"}[kind]
    facts = preview(comfyui, graph, clip=[clip, 0], frame=0)["physics_clip"][0]
    assert (facts["frames"], facts["width"], facts["height"]) == (12, 64, 48)
    assert [number_of(frame(comfyui, clip=facts["token"], index=t)) for t in (0, 11, 5)] == [12, 23, 17]
    again = preview(comfyui, graph, clip=[clip, 0], frame=5)["physics_clip"][0]
    assert again["token"] == facts["token"], "the frames were written a second time"


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("clip?file=../../etc/passwd", 400, "Invalid file path"),
        ("clip?file=none.mp4", 400, "'none.mp4' is not in ComfyUI's"),
        ("clip?file=scene.txt", 400, "can't be opened as a video"),
        ("clip", 404, "file"),
        ("frame?clip=guessed&index=0", 404, "guessed"),
        ("frame?clip=TOKEN&index=30", 404, "has 30 frames; frame 30"),
        ("frame?clip=TOKEN&index=-1", 404, "frame -1"),
        ("frame?clip=TOKEN&index=one", 400, "one"),
    ],
)
def test_nothing_else_can_be_read(comfyui: Server, grey: str, query: str, status: int, message: str) -> None:
    (comfyui.input / "scene.txt").write_text("no video")
    token = comfyui.get(f"/physics_preserver/clip?file={grey}")["token"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        comfyui.read(f"/physics_preserver/{query.replace('TOKEN', token)}")
    assert refused.value.code == status and message in refused.value.read().decode()

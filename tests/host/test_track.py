"""Track Objects in a real ComfyUI: prompts of every kind, corrections, cuts, and core's tracks in every track input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfyui import PromptError, Server
from graphs import Graph, load, node, text, track
from onnx_nets import save_pose
from physics_preserver.nodes.media.folder import Physics, read_physics
from physics_preserver.nodes.media.scene import LABELS, Scene
from physics_preserver.nodes.media.writer import VideoWriter
from physics_preserver.nodes.validation.region import mask_jaccard

# Where the board of the scene's first frame is, and the rider's trousers, as shares of the picture.
BOARD, LEGS = (180 / 640, 309 / 360), ((152 / 640, 240 / 360), (205 / 640, 240 / 360))


def at(scene: Scene, *places: tuple[float, float]) -> list[dict[str, float]]:
    return [{"x": x * scene.width, "y": y * scene.height} for x, y in places]


def prompts(*objects: tuple[str, int, list[dict[str, Any]]]) -> str:
    shown = [
        {"label": label, "prompts": [{"frame": frame, "box": None, "points": points}]}
        for label, frame, points in objects
    ]
    return json.dumps({"schema": "physics-preserver/prompts", "schema_version": 1, "objects": shown})


def drawn(clip: str, objects: str) -> dict[str, Any]:
    about = {"points_label": "object", "points_frame": 0, "points_of": ""}
    return node("PP_PromptObjects", clip=[clip, 0], objects=objects, **about)


def saved(comfyui: Server, graph: Graph, of: str = "3") -> tuple[Physics, str]:
    """What a track holds, and its summary."""
    graph = {
        **graph,
        "90": node("PP_SavePhysics", clip=["1", 0], track=[of, 0], filename_prefix="physics/tracked"),
        "91": text("90", 0),
        "92": text(of, 1),
    }
    outputs = comfyui.run(graph)
    return read_physics(Path(outputs["91"]["text"][0])), outputs["92"]["text"][0]


def test_drawn_prompts_on_different_frames(comfyui: Server, scene: Scene) -> None:
    objects = prompts(("skateboard", 0, at(scene, BOARD)), ("legs", 0, at(scene, *LEGS)))
    graph = {"1": load("scene.mp4"), "2": drawn("1", objects), "3": track("1", prompts=["2", 0])}
    physics, summary = saved(comfyui, graph)
    assert physics.track.labels == ("skateboard", "legs") and len(physics.track) == scene.count()
    assert mask_jaccard(physics.track.mask(0, "skateboard"), scene.truth(0).masks[1]) > 0.25  # 60 px long
    seen = int((physics.track.areas()[:, 0] > 0).sum())
    assert seen > scene.count() / 2  # a board of 60 px, without a detector
    assert summary.startswith(f"skateboard: seen on {seen} ") and "Tracker: embedded" in summary


def test_point_strings_of_kjnodes(comfyui: Server, scene: Scene) -> None:
    strings = {"2": node("PrimitiveString", value=json.dumps(at(scene, BOARD)))}
    strings["4"] = node("PrimitiveString", value=json.dumps(at(scene, LEGS[0])))
    clicked = track("1", points_positive=["2", 0], points_negative=["4", 0], labels="skateboard")
    physics, _ = saved(comfyui, {"1": load("scene.mp4"), **strings, "3": clicked})
    (x, y), (u, v) = ((int(x * scene.width), int(y * scene.height)) for x, y in (BOARD, LEGS[0]))
    board = physics.track.mask(0, "skateboard")
    assert physics.track.labels == ("skateboard",) and board[y, x] and not board[v, u]


def test_a_correction_keeps_what_was_before(comfyui: Server, scene: Scene) -> None:
    first = {
        "1": load("scene.mp4"),
        "2": drawn("1", prompts(("skateboard", 0, at(scene, BOARD)))),
        "3": track("1", prompts=["2", 0]),
    }
    then = drawn("1", prompts(("sign", 12, at(scene, (0.63, 0.5)))))
    graph = {**first, "4": then, "5": track("1", prompts=["4", 0], previous=["3", 0])}
    before, _ = saved(comfyui, first)
    after, _ = saved(comfyui, graph, "5")
    assert after.track.labels == ("skateboard", "sign")
    assert np.array_equal(before.track.packed[:12, 0], after.track.packed[:12, 0]) and after.track.areas()[12, 1] > 0


def test_a_cut_is_told(comfyui: Server, scene: Scene) -> None:
    with VideoWriter(comfyui.input / "cut.mp4", scene.width, scene.height, scene.rate) as video:
        for frame in scene.read():
            if frame.index < 12:
                video.write(frame.image)
        for t in range(12):
            stripes = (np.add.outer(np.arange(scene.height), 3 * np.arange(scene.width)) + 9 * t) % 64 * 3
            video.write(np.stack([stripes, stripes[::-1], 255 - stripes], 2).astype(np.uint8))
    objects = prompts(("skateboard", 0, at(scene, BOARD)))
    for cuts, told in ((True, True), (False, False)):
        clicked = track("1", prompts=["2", 0], cuts=cuts)
        physics, summary = saved(comfyui, {"1": load("cut.mp4"), "2": drawn("1", objects), "3": clicked})
        assert ("Warning: cut at frame 12: skateboard lost" in summary) == told, summary
        if told:
            assert physics.track.areas()[12:].sum() == 0


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        (prompts(("a", 25, [{"x": 5, "y": 5}])), "on frame 25 and the clip ends with frame 24"),
        (prompts(("a", 0, [{"x": 5, "y": 5, "positive": False}])), "only negative points"),
    ],
)
def test_prompts_that_make_no_sense_say_so(comfyui: Server, scene: Scene, objects: str, message: str) -> None:
    graph = {"1": load("scene.mp4"), "2": drawn("1", objects), "3": track("1", prompts=["2", 0]), "4": text("3", 1)}
    with pytest.raises(PromptError, match=message):
        comfyui.run(graph)


def track_inputs(comfyui: Server) -> list[tuple[str, str]]:
    """Every input of the pack that takes a track, but of nodes that generate: they need a model, see test_reskin."""
    found = []
    for name, about in comfyui.get("/object_info").items():
        if name.startswith("PP_"):
            inputs = {**about["input"]["required"], **about["input"].get("optional", {})}
            if any(kind == "MODEL" for kind, *_ in inputs.values()):
                continue
            found += [(name, key) for key, (kind, *_) in inputs.items() if kind == "SAM3_TRACK_DATA"]
    return found


def filled(comfyui: Server, name: str, track_input: str, source: list) -> dict[str, Any]:
    """A node with its required inputs: clips from node 1, tracks from `source`, widgets at their defaults."""
    about = comfyui.get(f"/object_info/{name}")[name]["input"]
    inputs: dict[str, Any] = {track_input: source}
    for key, (kind, *options) in about["required"].items():
        if kind == "VIDEO,IMAGE":
            inputs[key] = ["1", 0]
        elif kind == "SAM3_TRACK_DATA":
            inputs[key] = source
        else:
            values = options[0].get("options") if options else None
            inputs[key] = options[0].get("default", values[0] if values else "")
    return node(name, **inputs)


@pytest.mark.parametrize("objects", [2, 1])
def test_every_track_input_takes_cores_tracks(comfyui: Server, scene: Scene, objects: int) -> None:
    """Core's have no labels, another mask size than the clip, and one score for each object."""
    (comfyui.base / "models" / "dwpose").mkdir(parents=True, exist_ok=True)
    save_pose(comfyui.base / "models" / "dwpose" / "tiny.onnx", (256, 192))
    about = {"frames": scene.count(), "width": scene.width, "height": scene.height, "objects": objects}
    base = {"1": load("scene.mp4"), "2": node("TEST_CoreTrack", **about)}
    inputs = track_inputs(comfyui)
    assert {name for name, _ in inputs} >= {
        *("PP_PreviewTrack", "PP_SavePhysics", "PP_ObjectRelations", "PP_VACEControl", "PP_ValidatePhysics"),
        *("PP_TrackObjects", "PP_ApproveTracks", "PP_EstimatePose"),
    }
    for name, key in inputs:
        made = filled(comfyui, name, key, ["2", 0])
        graph = {**base, "3": made, "4": text("3", 0)}
        if name == "PP_TrackObjects":
            graph["5"] = drawn("1", prompts(("skateboard", 4, at(scene, BOARD))))
            made["inputs"]["prompts"] = ["5", 0]
        if name == "PP_EstimatePose":
            made["inputs"]["model"] = "tiny.onnx"
        if name == "PP_StereoConsistency":
            made["inputs"] |= {"layout": "separate files", "second": ["1", 0]}
        outputs = comfyui.run(graph)
        assert "3" in outputs or "4" in outputs, (name, key)


def test_core_finding_nothing_is_a_track_without_objects(comfyui: Server, scene: Scene) -> None:
    about = {"frames": scene.count(), "width": scene.width, "height": scene.height, "objects": 0}
    graph = {"1": load("scene.mp4"), "2": node("TEST_CoreTrack", **about)}
    shown = {**graph, "3": node("PP_PreviewTrack", clip=["1", 0], track=["2", 0])}
    assert comfyui.run(shown)["3"]["images"]
    added = {**graph, "5": drawn("1", prompts(("skateboard", 0, at(scene, BOARD))))}
    added["3"] = track("1", prompts=["5", 0], previous=["2", 0])
    assert saved(comfyui, added)[0].track.labels == ("skateboard",)


def test_cores_nodes_read_a_corrected_track_of_cores(comfyui: Server, scene: Scene) -> None:
    """Core's track, corrected by ours, and back into core's preview and mask nodes."""
    about = {"frames": scene.count(), "width": scene.width, "height": scene.height}
    graph = {
        "1": load("scene.mp4"),
        "2": node("TEST_CoreTrack", **about),
        "5": drawn("1", prompts(("skateboard", 4, at(scene, BOARD)))),
        "3": track("1", prompts=["5", 0], previous=["2", 0]),
        "6": node("SAM3_TrackPreview", track_data=["3", 0], opacity=0.5, fps=24.0),
        "7": node("SAM3_TrackToMask", track_data=["3", 0], object_indices="0"),
        "8": node("MaskToImage", mask=["7", 0]),
        "9": node("PreviewImage", images=["8", 0]),
    }
    outputs = comfyui.run(graph)
    assert outputs["6"]["images"] and len(outputs["9"]["images"]) == scene.count()
    corrected, _ = saved(comfyui, graph)
    assert corrected.track.labels == ("object 1", "object 2", "skateboard")
    speed = np.diff(corrected.track.centroids()[:4, 0, 0]).mean()
    assert speed == pytest.approx(scene.width / 100, rel=0.1)
    assert not np.isnan(corrected.track.scores).any() and set(LABELS) & set(corrected.track.labels)

"""Stereo Consistency in a real ComfyUI: a rendered VR180 clip and the true tracks of its eyes."""

from __future__ import annotations

import json

import pytest
from comfyui import PromptError, Server
from graphs import Graph, load, node, text, write_clip
from physics_preserver.nodes.media.folder import write_physics
from physics_preserver.nodes.stereo.layouts import Layout, StereoClip
from vr_scene import Person, StereoScene

CHOICES = {
    **{"layout": "side by side", "squeezed": False, "right_first": False, "projection": "half-equirectangular"},
    **{"degrees": 180.0, "threshold": 0.8, "working": 256, "baseline": 0.064, "nearest": 0.4, "infinity": 0.0},
}


@pytest.fixture(scope="module")
def eyes(comfyui: Server) -> StereoScene:
    """ "eyes.mp4" in the server's input; "eyes_left" and "eyes_right", saved folders in its output."""
    scene = StereoScene([Person(0.8, -30)], size=(256, 256), frames=3)
    write_clip(comfyui.input / "eyes.mp4", scene)
    both = StereoClip(scene, Layout())
    write_physics(comfyui.output / "eyes_left", both.left, scene.track(False))
    write_physics(comfyui.output / "eyes_right", both.right, scene.track(True))
    return scene


def graph(right: str = "eyes_right", **choices) -> Graph:
    return {
        "1": load("eyes.mp4"),
        "2": node("PP_LoadPhysics", folder="eyes_left [output]"),
        "3": node("PP_LoadPhysics", folder=f"{right} [output]"),
        "4": node("PP_StereoConsistency", clip=["1", 0], left=["2", 0], right=["3", 0], **{**CHOICES, **choices}),
        **{str(5 + n): text("4", n) for n in range(4)},
    }


def test_true_tracks_pass(comfyui: Server, eyes: StereoScene) -> None:
    outputs = comfyui.run(graph())
    report = json.loads(outputs["5"]["text"][0])
    assert report["frames"] == 3
    assert report["s_iou"] > 0.85
    assert outputs["6"]["text"][0] == "True"
    assert float(outputs["7"]["text"][0]) == pytest.approx(report["s_iou"], abs=1e-3)
    assert "no frame below" in outputs["8"]["text"][0]


def test_the_left_eyes_track_in_both_eyes_fails(comfyui: Server, eyes: StereoScene) -> None:
    outputs = comfyui.run(graph("eyes_left", threshold=0.9))
    assert outputs["6"]["text"][0] == "False"
    assert json.loads(outputs["5"]["text"][0])["frames_below"] == [0, 1, 2]


def test_another_layout_than_the_clips_is_one_sentence(comfyui: Server, eyes: StereoScene) -> None:
    with pytest.raises(PromptError, match="256x256.*512x128: choose the layout"):
        comfyui.run(graph(layout="top-bottom"))

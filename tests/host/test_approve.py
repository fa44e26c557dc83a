"""Approve Tracks in a real ComfyUI: it holds the graph, an approval runs only what comes after, a new track asks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from comfyui import PromptError, Server
from graphs import Graph, drawn_boxes, load, node, text, track
from physics_preserver.nodes.media.scene import Scene


def gated(scene: Scene, approved: str = "", frames: int = 3, **choices: Any) -> Graph:
    """Load, boxes, track, approve, and two outputs behind the gate."""
    return {
        "1": load("scene.mp4"),
        "2": drawn_boxes(scene),
        "3": track("1", "2", **choices),
        "4": node("PP_ApproveTracks", track=["3", 0], clip=["1", 0], frames=frames, approved=approved),
        "5": node("PP_SavePhysics", clip=["1", 0], track=["4", 0], filename_prefix="physics/gated"),
        "6": text("5", 0),
    }


def run(comfyui: Server, graph: Graph, editor: bool = False) -> tuple[dict[str, Any], set[str]]:
    """The outputs, and which nodes were not taken from the cache; `editor` submits as the graph editor does."""
    extra = {"extra_data": {"extra_pnginfo": {"workflow": {"nodes": []}}}} if editor else {}
    job = comfyui.submit(graph, **extra)
    outputs = comfyui.wait(job)
    messages = dict(comfyui.get(f"/history/{job}")[job]["status"]["messages"])
    return outputs, set(graph) - set(messages["execution_cached"]["nodes"])


def state(outputs: dict[str, Any]) -> dict[str, Any]:
    return outputs["4"]["physics_approval"][0]


@pytest.fixture(scope="module")
def held(comfyui: Server, scene: Scene) -> dict[str, Any]:
    """The outputs of the first run, in which nobody has approved anything."""
    return run(comfyui, gated(scene))[0]


def test_nothing_behind_the_gate_runs_before_the_approval(comfyui: Server, held: dict[str, Any]) -> None:
    assert not {"5", "6"} & set(held)
    assert not list(comfyui.output.glob("physics/gated*"))
    assert state(held)["approved"] is False and len(state(held)["fingerprint"]) == 16
    assert held["4"]["text"][0].startswith("Waiting for approval: person on 25 of 25 frames; skateboard on ")


def test_the_first_frame_and_others_are_shown_with_their_masks(
    comfyui: Server, scene: Scene, held: dict[str, Any]
) -> None:
    assert state(held)["frames"] == [0, 12, 24]
    for t, image in zip((0, 12, 24), held["4"]["images"], strict=True):
        shown = cv2.imread(str(comfyui.temp / image["filename"]))
        truth = scene.truth(t)
        assert shown is not None and shown.shape == (194, 340, 3)
        changed = np.abs(shown[..., ::-1].astype(int) - scene.frame(t).image).max(axis=2) > 40
        assert changed[truth.masks[0]].mean() > 0.5 > 0.25 > changed.mean()


def test_approving_runs_only_what_comes_after(comfyui: Server, scene: Scene, held: dict[str, Any]) -> None:
    outputs, ran = run(comfyui, gated(scene, state(held)["fingerprint"]))
    assert ran == {"4", "5", "6"}
    assert state(outputs) == {**state(held), "approved": True}
    assert outputs["6"]["text"][0].endswith("gated_00001_")


def test_another_track_has_to_be_approved_again(comfyui: Server, scene: Scene, held: dict[str, Any]) -> None:
    mark = state(held)["fingerprint"]
    outputs, ran = run(comfyui, gated(scene, mark, labels="rider, board"))
    assert "3" in ran and "6" not in outputs
    assert state(outputs)["approved"] is False and state(outputs)["fingerprint"] != mark
    again, _ = run(comfyui, gated(scene, mark))
    assert state(again)["approved"] is True  # what was approved before stays so


def test_a_script_can_approve_everything(comfyui: Server, scene: Scene) -> None:
    outputs, _ = run(comfyui, gated(scene, " Always "))
    assert state(outputs)["approved"] is True and "6" in outputs


def test_the_editor_is_held_in_silence_and_a_script_is_told(comfyui: Server, scene: Scene) -> None:
    before = len(comfyui.log)
    outputs, _ = run(comfyui, gated(scene, frames=2), editor=True)
    assert "6" not in outputs and "Execution Blocked" not in comfyui.log[before:]


@pytest.mark.parametrize("frames", [1, 24])
def test_as_many_frames_as_asked_for(comfyui: Server, scene: Scene, frames: int) -> None:
    outputs, _ = run(comfyui, gated(scene, frames=frames))
    shown = state(outputs)["frames"]
    assert len(shown) == len(outputs["4"]["images"]) == frames and shown[0] == 0
    assert frames == 1 or shown[-1] == 24


def test_the_clip_of_another_size_is_refused(comfyui: Server, scene: Scene) -> None:
    graph = gated(scene)
    graph["7"] = node("GetVideoComponents", video=["1", 0])
    graph["8"] = node("ImageScale", image=["7", 0], upscale_method="area", width=64, height=48, crop="disabled")
    graph["4"]["inputs"]["clip"] = ["8", 0]
    with pytest.raises(PromptError, match="images is 64x48, its track 340x194: connect the clip that was tracked"):
        comfyui.run(graph)

"""The tiny random Wan in a real ComfyUI: its loaders recognise it, and what it generates follows its inputs."""

from __future__ import annotations

import cv2
import numpy as np
from comfyui import Server
from graphs import Graph, composite, control, node, track, write_clip
from physics_preserver.nodes.media.scene import Scene
from tiny_wan import generate

SIZE, FRAMES = (96, 64), 9


def frames(comfyui: Server, graph: Graph, of: str = "decoded") -> np.ndarray:
    """uint8 [T, H, W, 3] of what a node gives."""
    shown = comfyui.run({**graph, "shown": node("PreviewImage", images=[of, 0])})["shown"]["images"]
    images = [cv2.imread(str(comfyui.temp / image["filename"])) for image in shown]
    assert all(image is not None for image in images)
    return np.stack([image for image in images if image is not None])


def test_it_generates_and_follows_seed_and_control(tiny_wan: Server) -> None:
    write_clip(tiny_wan.input / "small.mp4", Scene(*SIZE, FRAMES, exposures=1))
    shape = {"width": 96, "height": 64, "length": "pad"}
    graph = {
        "clip": node("LoadVideo", file="small.mp4"),
        "boxes": node("CreateBoundingBoxes", width=96, height=64, editor_state={"__value__": [
            {"x": 30, "y": 10, "width": 20, "height": 40, "metadata": {}}]}),
        "track": track("clip", "boxes", labels="person"),
        "control": control("clip", "track", repaint="person", grow=200, **shape),
    }  # fmt: skip
    first = frames(tiny_wan, graph | generate("control", seed=1))
    assert first.shape == (FRAMES, 64, 96, 3) and first.std() > 20
    again = frames(tiny_wan, graph | generate("control", seed=1, steps=2))
    other = frames(tiny_wan, graph | generate("control", seed=2))
    graph["control"]["inputs"]["grow"] = 0
    held = frames(tiny_wan, graph | generate("control", seed=1))
    for changed in (again, other, held):
        assert changed.shape == first.shape and np.abs(changed.astype(int) - first).mean() > 2
    log = tiny_wan.log
    assert "model_type FLOW" in log and "WAN21_Vace" in log


def test_with_and_without_a_reference_and_with_a_lead_in_the_frames_are_the_clips(tiny_wan: Server) -> None:
    """The reference's latent is trimmed, the socket without one is nothing to core, and the lead-in is dropped."""
    write_clip(tiny_wan.input / "referenced.mp4", Scene(*SIZE, FRAMES, exposures=1))
    graph = {
        "clip": node("LoadVideo", file="referenced.mp4"),
        "boxes": node("CreateBoundingBoxes", width=96, height=64, editor_state={"__value__": [
            {"x": 30, "y": 10, "width": 20, "height": 40, "metadata": {}}]}),
        "track": track("clip", "boxes", labels="person"),
        "look": node("EmptyImage", width=40, height=80, batch_size=2, color=0x2040C0),
    }  # fmt: skip
    made = []
    for references in ({}, {"references": ["look", 0]}):
        graph["control"] = control("clip", "track", repaint="person", lead_in=4, latent_aligned=True, **references)
        graph |= generate("control", seed=1, reference=True)
        assert frames(tiny_wan, graph).shape == (FRAMES + 4, 64, 96, 3)
        graph["composite"] = composite("clip", ["decoded", 0], "control")
        graph["frames"] = node("GetVideoComponents", video=["composite", 0])
        made.append(frames(tiny_wan, graph, "frames"))
        assert made[-1].shape == (FRAMES, 64, 96, 3)
    assert not np.array_equal(*made)

"""API-format graphs in few words, and the clips they read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from comfyui import PACK
from physics_preserver.nodes.media.clip import Clip
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.writer import VideoWriter

Graph = dict[str, dict[str, Any]]

MOTION = "motion (no model)"


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    """One node; a link is [node id, output number]."""
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": kind}}


def load(file: str) -> dict[str, Any]:
    return node("LoadVideo", file=file)


def track(clip: str, drawn: str | None = None, **inputs: Any) -> dict[str, Any]:
    """Track Objects; `drawn` is the node of `drawn_boxes`."""
    linked = {} if drawn is None else {"boxes": [drawn, 1]}
    choices = {"labels": "person, skateboard", "anchor_frame": -1, "detector": "none"}
    choices |= {"cuts": True, "soft_logits": False}
    return node("PP_TrackObjects", clip=[clip, 0], **linked, **{**choices, "fps": 24.0, **inputs})


def drawn_boxes(scene: Scene) -> dict[str, Any]:
    """Core's Create Bounding Boxes with the true boxes of person and board on frame 0."""
    boxes = [{**box_of(mask), "metadata": {}} for mask in scene.truth(0).masks]
    return node("CreateBoundingBoxes", width=scene.width, height=scene.height, editor_state={"__value__": boxes})


def validate(source: str, generated: str, clip: str = "1", **inputs: Any) -> dict[str, Any]:
    """Validate Physics; `clip` is the node of the source's footage."""
    choices = {"label": "", "profile": "standard", "limits": "", "detector": "none"}
    links = {"source": [source, 0], "clip": [clip, 0], "generated": [generated, 0]}
    return node("PP_ValidatePhysics", **links, **{**choices, **inputs})


def control(clip: str, track: str, **inputs: Any) -> dict[str, Any]:
    """VACE Control with its defaults."""
    choices: dict[str, Any] = {"repaint": "both", "guide": "nothing", "shape": "tight", "width": 0, "height": 0}
    choices |= {"length": "trim", "grow": 0, "latent_aligned": False, "lead_in": 0}
    return node("PP_VACEControl", clip=[clip, 0], track=[track, 0], **{**choices, **inputs})


def composite(clip: str, generated: list[Any], control: str, **inputs: Any) -> dict[str, Any]:
    """Composite Kept Pixels with the outputs of a VACE Control, the node `control`."""
    links = {"clip": [clip, 0], "generated": generated, "masks": [control, 8], "control": [control, 5]}
    choices: dict[str, Any] = {"size": "control", "feather": 6, "match_colours": True}
    return node("PP_CompositeKeptPixels", **links, **{**choices, **inputs})


def compare(source: str, generated: str, **inputs: Any) -> dict[str, Any]:
    choices = {"mode": "side by side", "height": 0}
    return node("PP_CompareClips", source=[source, 0], generated=[generated, 0], **{**choices, **inputs})


def text(source: str, output: int) -> dict[str, Any]:
    """Show an output as text, to read it from the history."""
    return node("PreviewAny", source=[source, output])


def box_of(mask: Any) -> dict[str, int]:
    """The inputs of core's PrimitiveBoundingBox around a mask, bool [H, W]."""
    rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    return {
        "x": int(columns[0]),
        "y": int(rows[0]),
        "width": int(columns[-1] - columns[0] + 1),
        "height": int(rows[-1] - rows[0] + 1),
    }


def write_clip(file: Path, clip: Clip) -> Path:
    """Write a clip, or render a scene, into a video file."""
    with VideoWriter(file, clip.width, clip.height, clip.rate) as video:
        for frame in clip:
            video.write(frame.image)
    return file


def shipped_matte(name: str, clip: str, **chosen: Any) -> tuple[Graph, str]:
    """A workflow's API form with another clip, and the id of its matte node."""
    graph = json.loads((PACK / "workflows" / "api" / f"{name}.json").read_text("utf-8"))
    (matte,) = (id for id, node in graph.items() if node["class_type"].startswith("PP_Matte"))
    for node in graph.values():
        if node["class_type"] == "LoadVideo":
            node["inputs"]["file"] = clip
    graph[matte]["inputs"] |= chosen
    return graph, matte

"""Both matte workflows in a real ComfyUI, on the processor, with nothing downloaded."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from comfyui import PACK, Server
from graphs import text, write_clip
from mattes import DISC_SIZE, disc_alpha, disc_image
from physics_preserver.nodes.media.writer import VideoWriter
from physics_preserver.nodes.validation.region import mask_jaccard
from vr_scene import Person, StereoScene


def api(name: str) -> dict:
    return json.loads((PACK / "workflows" / "api" / f"{name}.json").read_text("utf-8"))


def run(comfyui: Server, name: str, clip: str, **chosen) -> dict:
    """The summary that the graph's run has written."""
    graph = api(name)
    for node in graph.values():
        if node["class_type"] == "LoadVideo":
            node["inputs"]["file"] = clip
        if node["class_type"].startswith("PP_Matte"):
            node["inputs"] |= chosen
    matte = next(id for id, node in graph.items() if node["class_type"].startswith("PP_Matte"))
    outputs = comfyui.run({**graph, "folder": text(matte, 1)})
    folder = Path(outputs["folder"]["text"][0])
    return {**json.loads((folder / "run_summary.json").read_text("utf-8")), "folder": folder}


def test_flat(comfyui: Server) -> None:
    with VideoWriter(comfyui.input / "flat_matte.mp4", DISC_SIZE[1], DISC_SIZE[0], Fraction(24), crf=8) as video:
        for t in range(16):
            video.write(disc_image(t))
    summary = run(comfyui, "matte_video", "flat_matte.mp4", format="qtrle", chunk=6)
    with av.open(str(summary["folder"] / summary["files"]["qtrle"][0])) as container:
        alphas = [frame.to_ndarray()[..., 0] for frame in container.decode(video=0)]
    assert len(alphas) == 16 and summary["segments"]["count"] == 3 and summary["tracker"] == "embedded"
    for t in (8, 15):
        assert mask_jaccard(alphas[t] > 127, disc_alpha(t) > 0.5) > 0.8
    again = run(comfyui, "matte_video", "flat_matte.mp4", format="qtrle", chunk=6)
    assert again["folder"] == summary["folder"]  # found by its input and settings, and only read


def test_vr180(comfyui: Server) -> None:
    scene = StereoScene([Person(1.3, 0, walks=1.5)], size=(256, 256), frames=12)
    write_clip(comfyui.input / "vr_matte.mp4", scene)
    summary = run(comfyui, "matte_vr180", "vr_matte.mp4", format="grey-ffv1", packed_alpha=True, qc_every=6)
    (name,) = summary["files"]["grey-ffv1"]
    assert name == "vr_matte_matte_grey-ffv1_LR_180.mkv" and summary["stereo"]["mode"] == "master_slave"
    assert summary["files"]["packed"] == ["vr_matte_matte_packed_LR_180_FISHEYE_F180_alpha.mp4"]
    assert summary["stereo"]["s_iou"]["mean"] > 0.8
    with av.open(str(summary["folder"] / name)) as container:
        alphas = [frame.to_ndarray() / 65535 for frame in container.decode(video=0)]
    assert len(alphas) == 12
    for eye, right in ((alphas[6][:, :256], False), (alphas[6][:, 256:], True)):
        assert mask_jaccard(eye > 0.5, np.asarray(scene.masks(6, right).any(axis=0))) > 0.3

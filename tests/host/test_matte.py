"""Both matte workflows in a real ComfyUI, on the processor and with nothing downloaded: to the end, as shipped."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import audio_packets, with_audio
from comfyui import Server
from graphs import Graph, shipped_matte, text
from mattes import DISC_SIZE, disc_alpha, disc_image, read_back
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.writer import VideoWriter
from physics_preserver.nodes.validation.region import mask_jaccard
from vr_scene import Person, StereoScene

FRAMES, VR_FRAMES, VR_SIDE = 16, 10, 384
# What moved first is not yet the whole subject; the embedded tracker has learned its shape and colours by this frame.
SETTLED, VR_SETTLED = 8, 4


def run(comfyui: Server, graph: Graph, matte: str) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """The run's folder, its summary, and what the nodes show."""
    outputs = comfyui.run({**graph, "folder": text(matte, 1)})
    folder = Path(outputs["folder"]["text"][0])
    return folder, json.loads((folder / "run_summary.json").read_text("utf-8")), outputs


def disc_video(comfyui: Server, name: str) -> Path:
    """The disc of mattes.py, with sound that is longer, in the server's input."""
    sound = with_audio(comfyui.base / f"{name}.sound.mp4", audio_seconds=1.5)
    size = DISC_SIZE[1], DISC_SIZE[0]
    with VideoWriter(comfyui.input / name, *size, Fraction(24), audio_from=str(sound), crf=8) as video:
        for t in range(FRAMES):
            video.write(disc_image(t))
    return comfyui.input / name


def shown_video(comfyui: Server, outputs: dict[str, Any], node: str) -> Path:
    """The file that a node plays, which browsers know how to."""
    (entry,) = outputs[node]["images"]
    assert outputs[node]["animated"] == [True] and entry["filename"].endswith(".mp4")
    return comfyui.base / entry["type"] / entry["subfolder"] / entry["filename"]


def test_flat(comfyui: Server) -> None:
    clip = disc_video(comfyui, "flat_matte.mp4")
    graph, matte = shipped_matte("matte_video", clip.name)
    folder, summary, outputs = run(comfyui, graph, matte)
    assert summary["tracker"] == "embedded" and "16 frames of 160x96, person" in outputs["5"]["text"][0]
    (name,) = summary["files"]["prores4444"]
    times, _, alphas = read_back(folder / name, "alpha")
    assert times == [frame.time for frame in open_clip(clip)]
    assert [data for _, data in audio_packets(folder / name)] == [data for _, data in audio_packets(clip)]
    for t in range(SETTLED, FRAMES):
        assert mask_jaccard(alphas[t] > 0.5, disc_alpha(t) > 0.5) > 0.9
        assert np.abs(alphas[t] - disc_alpha(t)).mean() < 0.015
    preview, pictures, _ = read_back(shown_video(comfyui, outputs, matte), "colours")
    assert preview == times
    width = DISC_SIZE[1]
    for t in (SETTLED, FRAMES - 1):
        image, alpha, keyed = (pictures[t][:, n * width : (n + 1) * width].astype(float) for n in range(3))
        assert np.abs(image - disc_image(t)).mean() < 8
        assert np.abs(alpha.mean(axis=2) / 255 - alphas[t]).mean() < 0.02
        assert np.abs(keyed[alphas[t] == 0] - (0, 255, 0)).mean() < 10


def test_vr180(comfyui: Server) -> None:
    scene = StereoScene([Person(1.0, -5, walks=1.5)], size=(VR_SIDE, VR_SIDE), frames=VR_FRAMES)
    sound = with_audio(comfyui.base / "vr_sound.mp4", audio_seconds=1.0)
    clip = comfyui.input / "vr_matte_LR_180.mp4"
    with VideoWriter(clip, 2 * VR_SIDE, VR_SIDE, scene.rate, audio_from=str(sound)) as video:
        for frame in scene:
            video.write(frame.image)
    graph, matte = shipped_matte("matte_vr180", clip.name, packed_alpha=True)
    folder, summary, outputs = run(comfyui, graph, matte)
    assert summary["stereo"]["mode"] == "master_slave" and summary["stereo"]["s_iou"]["least"] > 0.85
    assert summary["files"]["packed"] == ["vr_matte_LR_180_matte_packed_LR_180_FISHEYE_F180_alpha.mp4"]
    (name,) = summary["files"]["green-hevc"]
    times, pictures, _ = read_back(folder / name, "colours")
    assert times == [frame.time for frame in open_clip(clip)] and len(times) == VR_FRAMES
    assert [data for _, data in audio_packets(folder / name)] == [data for _, data in audio_packets(clip)]
    preview, panels, _ = read_back(shown_video(comfyui, outputs, matte), "colours")
    assert preview == times
    side = panels[0].shape[0] // 2
    for t in range(VR_SETTLED, VR_FRAMES):
        for eye in (0, 1):
            true = np.asarray(scene.masks(t, bool(eye)).any(axis=0))
            kept = (
                np.abs(pictures[t][:, eye * VR_SIDE : (eye + 1) * VR_SIDE].astype(int) - (0, 255, 0)).max(axis=2) > 96
            )
            assert mask_jaccard(kept, true) > 0.8, (t, eye)
            alpha = panels[t][eye * side : (eye + 1) * side, side : 2 * side, 0]
            assert alpha.mean() / 255 == pytest.approx(true.mean(), rel=0.2), (t, eye)

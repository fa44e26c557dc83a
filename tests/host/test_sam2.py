"""SAM 2 in a real ComfyUI: found in models/sam2, loaded from both forms, refused in a sentence."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from comfyui import PromptError, Server, find_comfyui, python_of
from graphs import Graph, node, text, track, write_clip
from graphs import load as load_video
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import Scene

torch = pytest.importorskip("torch")
pytest.importorskip("sam2", reason="the sam2 package is not installed")


@pytest.fixture(scope="module")
def checkpoints(comfyui: Server) -> Path:
    """models/sam2 with random SAM 2.1 tiny weights as a .pt and as fp16 .safetensors, both under other names."""
    from physics_preserver.nodes.extraction.sam2_build import Architecture, build
    from safetensors.torch import save_file

    found = find_comfyui()
    assert found is not None
    has = subprocess.run([str(python_of(found)), "-c", "import sam2"], capture_output=True, check=False)
    if has.returncode:
        pytest.skip("ComfyUI's Python has no sam2 package")
    folder = comfyui.base / "models" / "sam2"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(2)
    weights = build(Architecture("2.1", "tiny")).state_dict()
    torch.save({"model": weights}, folder / "meta.pt")
    save_file({key: value.half() for key, value in weights.items()}, folder / "halves.safetensors")
    (folder / "broken.pt").write_bytes((folder / "meta.pt").read_bytes()[:1000])
    return folder


def load(checkpoint: str, precision: str = "auto") -> Graph:
    return {"1": node("PP_LoadSAM2", checkpoint=checkpoint, precision=precision), "2": text("1", 0)}


@pytest.mark.parametrize("name", ["meta.pt", "halves.safetensors"])
def test_the_loader_lists_and_loads_both_forms(comfyui: Server, checkpoints: Path, name: str) -> None:
    offered = comfyui.get("/object_info/PP_LoadSAM2")["PP_LoadSAM2"]["input"]["required"]["checkpoint"]
    assert name in str(offered)
    shown = comfyui.run(load(name))["2"]["text"][0]
    assert "name='SAM 2.1 tiny'" in shown and "torch.float32" in shown and name in shown


def test_a_broken_file_is_one_sentence(comfyui: Server, checkpoints: Path) -> None:
    with pytest.raises(PromptError, match=r"broken\.pt \(0\.0 MB\) can't be read as a checkpoint.*Download it again"):
        comfyui.run(load("broken.pt"))


def test_a_missing_file_says_where_it_belongs_and_comes_from(comfyui: Server) -> None:
    with pytest.raises(PromptError, match=r"sam2\.1_hiera_large\.pt is not there.*models/sam2.*https://.*Apache-2\.0"):
        comfyui.run(load("sam2.1_hiera_large.pt"))
    with pytest.raises(PromptError, match="not there"):
        comfyui.run(load("../detection/../../outside.pt"))


def test_it_runs_in_comfyuis_care_and_finds_what_it_finds_outside(
    comfyui: Server, checkpoints: Path, scene: Scene
) -> None:
    """In a ModelPatcher: a box and a click on one frame, whose masks have to be those of the plain module."""
    from physics_preserver.nodes.extraction.prompts import parse_prompts
    from physics_preserver.nodes.extraction.sam2_model import load_sam2
    from physics_preserver.nodes.extraction.tracking import prompt_masks

    objects = [
        {"label": "rider", "prompts": [{"frame": 2, "box": [40, 40, 160, 150], "points": []}]},
        {"label": "board", "prompts": [{"frame": 2, "box": None, "points": [{"x": 200, "y": 120, "positive": True}]}]},
    ]
    drawn = json.dumps(
        {
            "schema": "physics-preserver/prompts",
            "schema_version": 1,
            "size": [scene.width, scene.height],
            "objects": objects,
        }
    )
    about = {"points_label": "object", "points_frame": 0, "points_of": ""}
    graph = {
        "1": node("PP_LoadSAM2", checkpoint="meta.pt", precision="auto"),
        "2": load_video("scene.mp4"),
        "3": node("PP_PromptObjects", clip=["2", 0], objects=drawn, **about),
        "4": node("PP_PreviewPrompts", clip=["2", 0], prompts=["3", 0], sam2=["1", 0], frame=2),
    }
    shown = comfyui.run(graph)["4"]["physics_masks"][0]
    assert shown["by"] == "SAM 2.1 tiny"
    numbers = cv2.imread(str(comfyui.temp / shown["filename"]), cv2.IMREAD_GRAYSCALE)
    image = open_clip(comfyui.input / "scene.mp4").frame(2).image
    expected = prompt_masks(image, parse_prompts(drawn), load_sam2(checkpoints / "meta.pt"))
    assert expected.any(axis=(1, 2)).any()
    for n, mask in enumerate(expected):
        assert np.array_equal(numbers == n + 1, mask)


def tracking(clip: str) -> Graph:
    drawn = json.dumps([{"x": 170, "y": 100}])
    return {
        "1": node("PP_LoadSAM2", checkpoint="meta.pt", precision="auto"),
        "2": load_video(clip),
        "3": track("2", sam2=["1", 0], points_positive=drawn, labels="board"),
        "4": node("PP_PreviewTrack", clip=["2", 0], track=["3", 0]),
        "5": text("3", 1),
    }


def test_it_tracks_through_the_nodes(comfyui: Server, checkpoints: Path) -> None:
    write_clip(comfyui.input / "three.mp4", Scene(340, 194, 3, exposures=1))
    outputs = comfyui.run(tracking("three.mp4"))
    assert "board" in outputs["5"]["text"][0]
    (shown,) = outputs["4"]["images"]
    frames = list(open_clip(comfyui.temp / shown["filename"]).read())
    assert len(frames) == 3

"""Make Trimap, Refine Matte and Matte Quality in a real ComfyUI: embedded, with a random MEMatte, and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfyui import PromptError, Server, has
from graphs import Graph, drawn_boxes, load, node, text, track
from physics_preserver.nodes.matting.trimap import classify
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import Scene

TRIMAP = {"source": "auto", "inside": 4.0, "outside": 4.0, "foreground": 0.97, "background": 0.03, "labels": "person",
          "allow_empty_band": False}  # fmt: skip
REFINE = {"method": "guided", "band": 5.0, "labels": "person", "reuse": 0.0, "tile": 0, "overlap": -1}


def graph(scene: Scene, as_masks: bool = True, **refine: Any) -> Graph:
    """Boxes, track, trimap, alpha and its quality; the summaries are shown by nodes 7 to 9."""
    output = 1 if as_masks else 0
    return {
        "1": load("scene.mp4"),
        "2": drawn_boxes(scene),
        "3": track("1", "2"),
        "4": node("PP_MakeTrimap", track=["3", 0], as_masks=as_masks, **TRIMAP),
        "5": node("PP_RefineMatte", clip=["1", 0], track=["3", 0], trimap=["4", 0], as_masks=as_masks,
                  **{**REFINE, **refine}),
        "6": node("PP_MatteQuality", matte=["5", output], clip=["1", 0], trimap=["4", output]),
        "7": text("4", 2),
        "8": text("5", 2),
        "9": text("6", 1),
    }  # fmt: skip


def shown(comfyui: Server, outputs: dict[str, Any], number: str) -> list[np.ndarray]:
    """The frames of the video that a node shows, uint8 [H, W]."""
    (file,) = outputs[number]["images"]
    return [frame.image[..., 0] for frame in open_clip(comfyui.temp / file["filename"])]


def test_trimap_and_guided_alpha_of_a_person(comfyui: Server, scene: Scene) -> None:
    outputs = comfyui.run(graph(scene))
    assert "trimaps from masks" in outputs["7"]["text"][0] and "by guided" in outputs["8"]["text"][0]
    trimaps, alphas = (shown(comfyui, outputs, number) for number in ("4", "5"))
    assert len(trimaps) == len(alphas) == scene.count()
    scores = []
    for t, (trimap, alpha) in enumerate(zip(trimaps, alphas, strict=True)):
        known = classify(trimap)
        assert (alpha[known == 0] <= 10).all() and (alpha[known == 255] >= 245).all()  # as coded for browsers
        true, found = scene.truth(t).masks[0], alpha > 127
        scores.append((true & found).sum() / (true | found).sum())
    assert any(((alpha > 20) & (alpha < 235)).any() for alpha in alphas)
    assert np.mean(scores) > 0.6
    report = json.loads(outputs["9"]["text"][0])
    assert report["frames"] == scene.count() and report["mean"]["flow_coverage"] > 0


def test_a_clip_of_any_length_goes_as_video_alone(comfyui: Server, scene: Scene) -> None:
    outputs = comfyui.run(graph(scene, as_masks=False, reuse=1.0))
    assert len(shown(comfyui, outputs, "5")) == scene.count()
    wired = graph(scene, as_masks=False)
    wired["6"]["inputs"]["matte"] = ["5", 1]
    # ComfyUI tells the editor why, and what hangs on the output doesn't run.
    outputs = comfyui.run(wired)
    assert "5" in outputs and "6" not in outputs and "9" not in outputs


@pytest.mark.parametrize("kind, name", [("mematte", "MEMatte of width 32"), ("vitmatte", "ViTMatte of width 32")])
def test_an_alpha_by_random_weights_in_comfyuis_care(comfyui: Server, scene: Scene, kind: str, name: str) -> None:
    torch = pytest.importorskip("torch")
    from mematte_nets import tiny_mematte, tiny_vitmatte

    if kind == "vitmatte":
        pytest.importorskip("transformers")
        if not has("transformers"):
            pytest.skip("ComfyUI's Python has no transformers")
    folder = comfyui.base / "models" / "matting"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"model": tiny_mematte() if kind == "mematte" else tiny_vitmatte()}, folder / f"{kind}.pth")
    learned = graph(scene, method=kind, tile=128)
    learned["10"] = node("PP_LoadMatteModel", checkpoint=f"matting/{kind}.pth", precision="auto")
    learned["5"]["inputs"]["model"] = ["10", 0]
    assert name in comfyui.run(learned)["8"]["text"][0]


@pytest.mark.skipif(not has("pymatting"), reason="ComfyUI's Python has no pymatting")
def test_closed_form_runs(comfyui: Server, scene: Scene) -> None:
    assert "by closed form" in comfyui.run(graph(scene, method="closed form"))["8"]["text"][0]


def test_what_is_missing_is_said_with_the_remedy(comfyui: Server, scene: Scene) -> None:
    with pytest.raises(PromptError, match="'mematte' needs a model: connect Load Matte Model"):
        comfyui.run(graph(scene, method="mematte"))
    missing = {"1": node("PP_LoadMatteModel", checkpoint="matting/none.pth", precision="auto"), "2": text("1", 0)}
    with pytest.raises(PromptError, match=r"none\.pth is not there.*models/matting.*MIT.*https://"):
        comfyui.run(missing)
    narrow = graph(scene)
    narrow["4"]["inputs"] |= {"inside": 0.0, "outside": 0.0}
    with pytest.raises(PromptError, match="no unknown band.*make it wider"):
        comfyui.run(narrow)
    assert not list(Path(comfyui.temp).glob(".*partial*"))

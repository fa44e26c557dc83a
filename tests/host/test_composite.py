"""Control, a stand-in for the generator, and the composite in a real ComfyUI: kept pixels down to the saved file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from comfyui import PromptError, Server
from graphs import Graph, composite, control, drawn_boxes, load, node, text, track, validate
from physics_preserver.nodes.conditioning.plan import plan_control
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import Scene

LEAD_IN = 4


@pytest.fixture(scope="module")
def generated(comfyui: Server, scene: Scene) -> Graph:
    """The scene, its control (node 4), and the control's negative in place of what a model would make (5)."""
    choices: dict[str, Any] = {"grow": 6, "latent_aligned": True, "lead_in": LEAD_IN, "guide": "edges"}
    return {
        "1": load("scene.mp4"),
        "2": drawn_boxes(scene),
        "3": track("1", "2"),
        "4": control("1", "3", **choices),
        "5": node("ImageInvert", image=["4", 0]),
    }


def pictures(server: Server, entry: dict) -> list[np.ndarray]:
    """The frames of a PreviewImage, uint8 RGB."""
    found = [cv2.imread(str(server.temp / image["filename"]), cv2.IMREAD_COLOR) for image in entry["images"]]
    return [image[..., ::-1] for image in found if image is not None]


def saved_video(server: Server, entry: dict) -> Path:
    image = entry["images"][0]
    return server.base / image["type"] / image["subfolder"] / image["filename"]


def test_kept_pixels_are_identical_in_the_saved_file_and_in_core_frames(
    comfyui: Server, scene: Scene, generated: Graph
) -> None:
    graph = {
        **generated,
        "6": composite("1", ["5", 0], "4"),
        "7": node("SaveVideo", video=["6", 0], filename_prefix="composite", format="auto", codec="auto"),
        "8": node("GetVideoComponents", video=["6", 0]),
        "9": node("PreviewImage", images=["8", 0]),
        "10": node("MaskPreview", mask=["4", 8]),
        "11": text("6", 2),
    }
    outputs = comfyui.run(graph)
    masks = [image[..., 0] > 127 for image in pictures(comfyui, outputs["10"])]
    plan = plan_control((scene.height, scene.width), scene.count(), lead_in=LEAD_IN)
    assert len(masks) == plan.length == scene.count() + LEAD_IN
    file = open_clip(saved_video(comfyui, outputs["7"]))
    shown = pictures(comfyui, outputs["9"])
    assert file.count() == len(shown) == scene.count() and (file.width, file.height) == (plan.width, plan.height)
    source = open_clip(comfyui.input / "scene.mp4")
    for frame, seen, original in zip(file, shown, source, strict=True):
        mask = masks[LEAD_IN + frame.index]
        assert np.array_equal(frame.image, seen) and frame.time == original.time
        kept, was = frame.image[~mask], plan.image(original.image)[~mask]
        assert np.array_equal(kept, was) and 0 < mask.sum() < mask.size / 2
        assert not np.array_equal(frame.image[mask], plan.image(original.image)[mask])
    assert outputs["11"]["text"][0].startswith(f"{LEAD_IN} of {plan.length} generated frames")


@pytest.mark.parametrize("composited", [False, True])
def test_validation_takes_the_lead_in_into_account(comfyui: Server, scene: Scene, composited: bool) -> None:
    """The control video itself is judged, with the original in the masks: a perfect reskin with frames before it."""
    graph: Graph = {"1": load("scene.mp4"), "2": drawn_boxes(scene), "3": track("1", "2")}
    graph["4"] = control("1", "3", lead_in=LEAD_IN, guide="original")
    graph["6"] = composite("1", ["4", 0], "4")
    told, judged = (["6", 1], "6") if composited else (["4", 5], "4")
    graph |= {"9": validate("3", judged, control=told), "10": text("9", 5), "11": text("9", 1), "12": text("9", 2)}
    outputs = comfyui.run(graph)
    assert outputs["11"]["text"][0] == "True", outputs["10"]["text"][0]
    assert float(outputs["12"]["text"][0]) > 0.85


def test_a_clip_that_was_not_trimmed_says_so(comfyui: Server, generated: Graph) -> None:
    short = node("ImageFromBatch", image=["5", 0], batch_index=0, length=20)
    with pytest.raises(PromptError, match="the generated clip has 20 frames, the control 29"):
        comfyui.run({**generated, "6": short, "7": composite("1", ["6", 0], "4"), "8": text("7", 2)})


def test_references_become_one_sheet_and_none_is_nothing(comfyui: Server, scene: Scene, generated: Graph) -> None:
    white = node("EmptyImage", width=40, height=80, batch_size=3, color=0x2040C0)
    with_sheet = {**generated["4"], "inputs": {**generated["4"]["inputs"], "references": ["6", 0]}}
    graph = {**generated, "4": with_sheet, "6": white, "7": node("PreviewImage", images=["4", 7])}
    (sheet,) = pictures(comfyui, comfyui.run(graph)["7"])
    assert sheet.shape == (192, 336, 3)
    # 3 x 40 x 80 px in 336 x 192: as high as the sheet, 288 px wide.
    assert (sheet[:, 24:312] == (0x20, 0x40, 0xC0)).all() and (sheet[:, :24] == 255).all()
    nothing = comfyui.run({**generated, "8": text("4", 7)})
    assert nothing["8"]["text"] == ["None"]

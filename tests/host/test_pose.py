"""Detection and poses in a real ComfyUI: tiny models with known answers, core's own drawing node, and the folder."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from comfyui import PACK_NAME, PromptError, Server, has
from graphs import Graph, node, text
from onnx_nets import SQUARES, dot_colours, save_pose, save_yolo
from physics_preserver.nodes.media.folder import read_physics, write_physics
from physics_preserver.nodes.media.stills import ArrayClip, read_image, write_image
from physics_preserver.nodes.media.track import Track, pack

SIZE = (360, 640)
BOXES = [(100 + 30 * t, 20, 300 + 30 * t, 320) for t in range(3)]


def dots(box: tuple[int, int, int, int]) -> np.ndarray:
    """int [133, 2]: points in a grid, the wrists so that each hand is nearer to its own."""
    x1, y1, x2, y2 = box
    grid = np.array([(n % 10, n // 10) for n in range(133)]) + 0.5
    places = np.round(np.array([x1, y1]) + grid / (10, 14) * (x2 - x1, y2 - y1)).astype(int)
    places[[9, 10]] = places[[10, 9]]
    return places


@pytest.fixture(scope="module")
def dotted(comfyui: Server) -> tuple[list[str], list[np.ndarray], str]:
    """Three pictures in the server's input, where their dots are, and a saved folder with the track."""
    images, places = [], [dots(box) for box in BOXES]
    for t, there in enumerate(places):
        image = np.zeros((*SIZE, 3), np.uint8)
        for (x, y), colour in zip(there, dot_colours(), strict=True):
            cv2.circle(image, (int(x), int(y)), 5, colour.tolist(), -1)
        write_image(comfyui.input / f"dots{t}.png", image)
        images.append(image)
    masks = np.zeros((3, 2, *SIZE), bool)
    for t, (x1, y1, x2, y2) in enumerate(BOXES):
        masks[t, 0, 340:350, 600:620] = masks[t, 1, y1:y2, x1:x2] = True
    track = Track(pack(masks), ("board", "person"), np.ones((3, 2), np.float32), SIZE, SIZE, Fraction(24))
    write_physics(comfyui.output / "dots", ArrayClip(np.stack(images), Fraction(24)), track)
    return [f"dots{t}.png" for t in range(3)], places, "dots [output]"


def batch(names: list[str]) -> Graph:
    """Pictures as one IMAGE: node 4."""
    graph = {str(n + 1): node("LoadImage", image=name) for n, name in enumerate(names)}
    graph["9"] = node("ImageBatch", image1=["1", 0], image2=["2", 0])
    graph["4"] = node("ImageBatch", image1=["9", 0], image2=["3", 0])
    return graph


def estimate(names: list[str], folder: str, model: str = "dots.onnx", **inputs) -> Graph:
    """The pose: node 6."""
    choices = {"model": model, "label": "", "threshold": 0.3, "smoothing": 0.0, "batch": 2}
    return {
        **batch(names),
        "5": node("PP_LoadPhysics", folder=folder),
        "6": node("PP_EstimatePose", clip=["4", 0], track=["5", 0], **{**choices, **inputs}),
    }


DRAW = {
    **{"body": True, "hands": True, "face": True, "width": 320, "height": 0},
    **{"threshold": 0.3, "thickness": 1.0, "over_clip": False, "fps": 24.0},
}


@pytest.fixture(scope="module")
def model(comfyui: Server) -> str:
    if not has("rtmlib") or not has("onnxruntime"):
        pytest.skip("ComfyUI's Python has no rtmlib or no onnxruntime")
    folder = comfyui.base / "models" / "dwpose"
    folder.mkdir(exist_ok=True)
    return save_pose(folder / "dots.onnx").name


def test_estimate_draw_save_and_load(comfyui: Server, model: str, dotted) -> None:
    names, places, folder = dotted
    graph = {
        **estimate(names, folder, model),
        "7": node("PP_DrawPose", pose=["6", 0], **DRAW),
        "8": node("PP_SavePhysics", clip=["4", 0], track=["5", 0], pose=["6", 0], filename_prefix="physics/posed"),
        "10": text("8", 0),
        "11": text("6", 1),
        "12": node("SDPoseDrawKeypoints", keypoints=["6", 0], draw_body=True, draw_hands=True, draw_face=True,
                   draw_feet=True, stick_width=4, face_point_size=3, score_threshold=0.3, draw_head=True),
        "13": node("SaveImage", images=["12", 0], filename_prefix="core"),
    }  # fmt: skip
    outputs = comfyui.run(graph)
    saved = read_physics(Path(outputs["10"]["text"][0]))
    assert saved.poses is not None and saved.poses.label == "person" and saved.poses.present().all()
    assert np.linalg.norm(saved.poses.keypoints[..., :2] - places, axis=2).max() < 1
    info = outputs["11"]["text"][0]
    assert "dots.onnx (288x384, 133 points) by rtmlib" in info and "a pose of person on 3 of 3 frames" in info
    assert "Estimate Pose: dots.onnx" in comfyui.log

    entry = outputs["7"]["images"][0]
    with av.open(str(comfyui.base / entry["type"] / entry["filename"])) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(frames) == 3 and frames[0].shape == (180, 320, 3)
    by_core = [read_image(comfyui.output / image["filename"]) for image in outputs["13"]["images"]]
    assert [image.shape for image in by_core] == [(*SIZE, 3)] * 3 and all(image.any() for image in by_core)

    again = {
        "5": node("PP_LoadPhysics", folder=f"physics/{saved.folder.name} [output]"),
        "7": node("PP_DrawPose", pose=["5", 2], **{**DRAW, "width": 0}),
    }
    entry = comfyui.run(again)["7"]["images"][0]
    with av.open(str(comfyui.base / entry["type"] / entry["filename"])) as video:
        assert [(frame.height, frame.width) for frame in video.decode(video=0)] == [SIZE] * 3


def test_a_missing_pose_model_is_one_sentence_before_the_run(comfyui: Server, dotted) -> None:
    names, _, folder = dotted
    graph = {**estimate(names, folder, "balanced"), "7": text("6", 1)}
    with pytest.raises(PromptError, match=r"(?s)Mode balanced: rtmw-dw-x-l.*256x192.*models/dwpose.*Apache-2\.0"):
        comfyui.run(graph)


def test_another_label_than_the_tracks_is_named(comfyui: Server, model: str, dotted) -> None:
    names, _, folder = dotted
    graph = {**estimate(names, folder, model, label="rider"), "7": text("6", 1)}
    with pytest.raises(PromptError, match="no object 'rider' in this track; it has: board, person"):
        comfyui.run(graph)


@pytest.mark.parametrize("layout", ["cells", "end to end"])
def test_detect_subjects_with_a_yolo(comfyui: Server, layout: str) -> None:
    if not has("onnxruntime"):
        pytest.skip("ComfyUI's Python has no onnxruntime")
    folder = comfyui.base / "models" / "yolo"
    folder.mkdir(exist_ok=True)
    detector = save_yolo(folder / f"{layout.replace(' ', '_')}.onnx", layout).name
    person, board = (200, 60, 280, 280), (230, 276, 330, 296)
    image = np.full((*SIZE, 3), (0, 0, 255), np.uint8)
    for (x1, y1, x2, y2), label in ((person, "person"), (board, "skateboard")):
        image[y1:y2, x1:x2] = SQUARES[label]
    write_image(comfyui.input / "squares.png", image)
    graph = {
        "1": node("LoadImage", image="squares.png"),
        "2": node("PP_DetectSubjects", clip=["1", 0], detector=detector, object="skateboard", frames=48),
        "3": text("2", 0),
        "4": text("2", 3),
    }
    outputs = comfyui.run(graph)
    boxes = {box["label"]: box for box in json.loads(outputs["3"]["text"][0])[0]}
    for label, (x1, y1, x2, y2) in (("person", person), ("skateboard", board)):
        found = [boxes[label][key] for key in ("x", "y", "width", "height")]
        assert found == pytest.approx([x1, y1, x2 - x1, y2 - y1], abs=1)
    assert "2 classes, on CPU. onnxruntime" in outputs["4"]["text"][0]


def test_a_pt_file_without_ultralytics_says_what_to_install(comfyui: Server, tmp_path: Path) -> None:
    if has("ultralytics"):
        pytest.skip("ComfyUI's Python has ultralytics")
    torch = pytest.importorskip("torch")
    (comfyui.base / "models" / "ultralytics").mkdir(exist_ok=True)
    torch.save({"model": torch.zeros(1)}, comfyui.base / "models" / "ultralytics" / "plain.pt")
    write_image(comfyui.input / "black.png", np.zeros((64, 64, 3), np.uint8))
    graph = {
        "1": node("LoadImage", image="black.png"),
        "2": node("PP_DetectSubjects", clip=["1", 0], detector="plain.pt", object="skateboard", frames=48),
        "3": text("2", 0),
    }
    with pytest.raises(PromptError, match=r"plain\.pt holds no model of ultralytics"):
        comfyui.run(graph)
    assert PACK_NAME in comfyui.log

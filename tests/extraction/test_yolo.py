"""YOLO: known answers through onnxruntime, real architectures from .pt files, and files that must not be loaded."""

from __future__ import annotations

import builtins
import copy
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from onnx_nets import SCORE, SQUARES, save_yolo
from physics_preserver.nodes.extraction.detection import DetectionError, describe_detector
from physics_preserver.nodes.extraction.subjects import open_detector
from physics_preserver.nodes.extraction.yolo import load_detector, read_output

LAYOUTS = ("cells", "end to end")


def street(size: tuple[int, int], **boxes: tuple[int, int, int, int]) -> np.ndarray:
    image = np.full((*size, 3), (0, 0, 255), np.uint8)
    for name, (x1, y1, x2, y2) in boxes.items():
        image[y1:y2, x1:x2] = SQUARES[name]
    return image


@pytest.fixture(scope="module", params=LAYOUTS)
def tiny(request, tmp_path_factory):
    pytest.importorskip("onnxruntime")
    return load_detector(save_yolo(tmp_path_factory.mktemp("yolo") / "some_name.onnx", request.param))


@pytest.mark.parametrize("size", [(360, 640), (720, 1280), (1280, 720), (480, 480), (601, 333), (1080, 1920)])
@pytest.mark.parametrize("where", [(0.1, 0.2, 0.5, 0.7), (0.0, 0.0, 0.3, 0.5), (0.62, 0.4, 1.0, 0.94)])
def test_squares_are_found_within_a_pixel(tiny, size, where):
    height, width = size
    person = tuple(round(share * side) for share, side in zip(where, (width, height) * 2, strict=True))
    board = (person[0] + 5, person[3] - 8, person[0] + 5 + width // 8, min(person[3] + 9, height))
    found = {item.label: item for item in tiny(street(size, person=person, skateboard=board))}
    assert set(found) == {"person", "skateboard"} and found["person"].source == "yolo"
    assert found["skateboard"].box == pytest.approx(board, abs=1)
    # The board covers a part of the person's lower edge, and never all of it.
    assert found["person"].box == pytest.approx(person, abs=1)
    assert found["person"].score == pytest.approx(SCORE)


def test_a_picture_without_squares_has_nothing(tiny):
    assert tiny(street((360, 640))) == []


@pytest.mark.parametrize("layout", LAYOUTS)
def test_open_shapes_take_the_size_from_the_metadata(tmp_path, layout):
    file = save_yolo(tmp_path / "any.onnx", layout, (320, 448), dynamic=True)
    (found,) = load_detector(file)(street((200, 300), person=(50, 60, 90, 180)))
    assert found.box == pytest.approx((50, 60, 90, 180), abs=1)
    assert "448x320, 2 classes, on CPU" in describe_detector(load_detector(file))


def test_a_segmenters_boxes_are_read_and_its_coefficients_are_not():
    output = np.zeros((4 + 2 + 32, 5), np.float32)
    output[:, 3] = [50, 60, 20, 10, 0.1, 0.8, *[9.0] * 32]
    boxes, classes, scores = read_output(output, 2, 0.3)
    assert boxes.tolist() == [[40, 55, 60, 65]] and classes.tolist() == [1] and scores == pytest.approx([0.8])


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"task": "pose"}, "task 'pose'"),
        ({"names": "os.system('x')"}, "can't be read"),
        ({"names": "{1: 'person'}"}, "can't be read"),
        ({"names": "['a', 'b', 'c', 'd']"}, "4 classes: neither YOLO's"),
    ],
)
def test_metadata_that_does_not_fit_is_named(tmp_path, about, said):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(save_yolo(tmp_path / "tiny.onnx", "cells"))
    for item in model.metadata_props:
        item.value = about.get(item.key, item.value)
    onnx.save(model, tmp_path / "tiny.onnx")
    with pytest.raises(DetectionError, match=said):
        load_detector(tmp_path / "tiny.onnx")


# What ultralytics' trainer writes into a checkpoint, around a model with random weights.
MAKE = """
import copy, sys, torch
from ultralytics.nn.tasks import DetectionModel, PoseModel
from ultralytics.utils import IterableSimpleNamespace
torch.manual_seed(5)
kind, name, path = sys.argv[1:]
model = {"detect": DetectionModel, "pose": PoseModel}[kind](name, verbose=False)
model.names = {n: f"thing {n}" for n in range(len(model.names))} | {0: "person"}
model.args = IterableSimpleNamespace(imgsz=320, task=kind)
with torch.no_grad():
    model.model[-1].cv3[2][-1].bias[0] += 9.0  # so that the coarsest cells find class 0
torch.save({"epoch": -1, "best_fitness": None, "model": copy.deepcopy(model).half(), "ema": None, "optimizer": None,
            "train_args": {"imgsz": 320}, "date": "2026-11-21", "version": "8.4"}, path)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Makes a checkpoint in a process of its own, so that none of it is imported here."""
    pytest.importorskip("torch")
    if find_spec("ultralytics") is None:
        pytest.skip("ultralytics is not installed")
    folder = tmp_path_factory.mktemp("pt")

    def make(name: str, kind: str = "detect") -> Path:
        file = folder / f"{name}.pt"
        if not file.exists():
            quiet = {**os.environ, "YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(folder), "YOLO_VERBOSE": "false"}
            subprocess.run([sys.executable, "-c", MAKE, kind, f"{name}.yaml", str(file)], env=quiet, check=True)
        return file

    return make


@pytest.mark.parametrize("name", ["yolov8n", "yolo11n", "yolo26n"])
def test_a_checkpoint_gives_what_ultralytics_gives(made, name):
    import torch
    from physics_preserver.nodes.extraction.yolo_checkpoint import build, read_checkpoint

    file = made(name)
    checkpoint = read_checkpoint(file)
    model = build(checkpoint, file)
    original = torch.load(file, weights_only=False)["model"].float().eval()
    picture = torch.rand(1, 3, 128, 192, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(original(picture)[0], model(picture)[0])
    assert checkpoint.side == 320 and checkpoint.names[:2] == ("person", "thing 1")


def test_detections_of_a_checkpoint_are_its_own_boxes_placed_in_the_picture(made):
    import torch

    file, image = made("yolo11n"), np.random.default_rng(2).integers(0, 255, (90, 160, 3), np.uint8)
    detector = open_detector(file)
    found = detector(image)
    assert found and "yolo11n.pt, a YOLO, 80 classes, on" in describe_detector(detector)
    # By ultralytics' own means: 160 px are doubled to 320, 180 px lie in the middle of 192.
    from ultralytics.data.augment import LetterBox

    boxed = np.asarray(LetterBox((192, 320))(image=image))
    assert boxed.shape == (192, 320, 3)
    tensor = torch.from_numpy(np.ascontiguousarray(boxed.transpose(2, 0, 1)[None])).float() / 255
    original = torch.load(file, weights_only=False)["model"].float().eval()
    with torch.inference_mode():
        output = original(tensor)[0][0].numpy()
    best = int(output[4:].max(axis=0).argmax())
    x, y, w, h = output[:4, best]
    box = np.array([x - w / 2, y - h / 2 - 6, x + w / 2, y + h / 2 - 6]) / 2
    assert found[0].box == pytest.approx(np.clip(box, 0, (160, 90) * 2), abs=0.01)
    assert found[0].score == pytest.approx(float(output[4:, best].max()), abs=1e-5)


EXPORT = """
import sys
from ultralytics import YOLO
YOLO(sys.argv[1]).export(format="onnx", imgsz=320, opset=13, simplify=False, **eval(sys.argv[2]))
"""


@pytest.mark.parametrize(
    ("name", "options"),
    [("yolo11n", {}), ("yolo26n", {"nms": False}), ("yolo26n", {"dynamic": True})],
    ids=["cells", "end to end", "open shapes"],
)
def test_what_ultralytics_exports_gives_what_the_checkpoint_gives(made, tmp_path, name, options):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    file = shutil.copy(made(name), tmp_path / "model.pt")
    quiet = {**os.environ, "YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(tmp_path), "YOLO_AUTOINSTALL": "false"}
    subprocess.run([sys.executable, "-c", EXPORT, str(file), repr(options)], env=quiet, check=True, capture_output=True)
    exported = load_detector(tmp_path / "model.onnx", second_pass=False)
    image = np.random.default_rng(2).integers(0, 255, (320, 320, 3), np.uint8)  # of the exported input's size
    boxes, expected = exported(image), load_detector(file, second_pass=False)(image)
    assert exported.names[:2] == ("person", "thing 1") and "320x320, 80 classes" in describe_detector(exported)
    if options != {"nms": False}:  # the end-to-end head has weights of its own
        assert expected and [item.label for item in boxes] == [item.label for item in expected]
        for found, wanted in zip(boxes, expected, strict=True):
            assert found.box == pytest.approx(wanted.box, abs=0.05)
            assert found.score == pytest.approx(wanted.score, abs=1e-4)


def test_loading_asks_no_network_and_writes_nothing(made, tmp_path, monkeypatch):
    """In a fresh process, as ultralytics does both when it is imported."""
    code = f"""
import socket, sys, os
def refuse(*a, **k): raise SystemExit("it went out")
socket.getaddrinfo = socket.create_connection = refuse
import cv2, numpy as np  # OpenCV sets variables of its own
from physics_preserver.nodes.extraction.subjects import open_detector
from pathlib import Path
before = dict(os.environ)
detector = open_detector(Path({str(made("yolo11n"))!r}))
detector(np.zeros((90, 160, 3), np.uint8))
assert dict(os.environ) == before, "the environment was changed"
"""
    home = tmp_path / "home"
    home.mkdir()
    inside = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
    done = subprocess.run([sys.executable, "-c", code], env=inside, cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and not any(home.rglob("*"))


class Planted:
    """Pickles as a call, which would leave a mark on the disk."""

    def __init__(self, call, *given):
        self.call, self.given = call, given

    def __reduce__(self):
        return self.call, self.given


def planted(made, tmp_path: Path, call, *given) -> Path:
    """A checkpoint that is whole, and has one thing more in it."""
    import torch

    file = tmp_path / "bad.pt"
    torch.save({**torch.load(made("yolo11n"), weights_only=False), "extra": Planted(call, *given)}, file)
    return file


@pytest.mark.parametrize(
    ("call", "named"),
    [(os.mkdir, "posix.mkdir"), (builtins.eval, "eval"), (subprocess.run, "run")],
    ids=["os.mkdir", "eval", "subprocess.run"],
)
def test_a_checkpoint_that_pickles_a_call_is_refused_by_its_name_and_nothing_runs(made, tmp_path, call, named):
    mark = tmp_path / "mark"
    given = {os.mkdir: str(mark), builtins.eval: f"__import__('os').mkdir({str(mark)!r})"}.get(
        call, ["mkdir", str(mark)]
    )
    file = planted(made, tmp_path, call, given)
    with pytest.raises(DetectionError, match=rf"bad\.pt was not loaded: it pickles .*{named}.*could run code"):
        open_detector(file)
    assert not mark.exists()


def test_a_model_class_of_ultralytics_is_not_called_either(made, tmp_path):
    """Its constructor would read, and might fetch, the file that it is given."""
    from ultralytics.nn.tasks import DetectionModel

    file = planted(made, tmp_path, DetectionModel, "https://example.invalid/model.yaml")
    assert open_detector(file).names[0] == "person"  # type: ignore[attr-defined]


def described(made, tmp_path: Path, change) -> Path:
    import torch

    held = torch.load(made("yolo11n"), weights_only=False)
    held["model"] = copy.deepcopy(held["model"])
    change(held["model"].yaml)
    torch.save(held, tmp_path / "odd.pt")
    return tmp_path / "odd.pt"


def test_a_description_that_would_run_code_is_refused(made, tmp_path):
    mark = tmp_path / "mark"
    cases = {
        "activation": lambda yaml: yaml.update(activation=f"__import__('os').mkdir({str(mark)!r})"),
        "'TorchVision'": lambda yaml: yaml["backbone"].__setitem__(0, [-1, 1, "TorchVision", [64, "resnet18"]]),
        "'load_checkpoint'": lambda yaml: yaml["backbone"].__setitem__(0, [-1, 1, "load_checkpoint", [str(mark)]]),
    }
    for said, change in cases.items():
        with pytest.raises(DetectionError, match=f"was not loaded.*{said}"):
            open_detector(described(made, tmp_path, change))
    assert not mark.exists()


def test_weights_that_fit_no_description_say_so(made, tmp_path):
    with pytest.raises(DetectionError, match=r"does not fit the model that ultralytics .*export the file as \.onnx"):
        open_detector(described(made, tmp_path, lambda yaml: yaml.update(scale="s")))


def test_other_files_named_pt_say_what_they_are(made, tmp_path):
    torch = pytest.importorskip("torch")
    (tmp_path / "text.pt").write_text("not a checkpoint")
    torch.save({"model": {"a": torch.zeros(3)}}, tmp_path / "weights.pt")
    whole = made("yolo11n").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    for name, said in (
        ("text", "not a checkpoint"),
        ("weights", "no model of ultralytics"),
        ("cut", "not a checkpoint"),
    ):
        with pytest.raises(DetectionError, match=said):
            open_detector(tmp_path / f"{name}.pt")
    with pytest.raises(DetectionError, match="ends in Pose, not in Detect"):
        open_detector(made("yolo11n-pose", "pose"))


def test_without_ultralytics_or_torch_one_sentence_says_what_to_install(made, monkeypatch):
    file = made("yolo11n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "ultralytics"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with pytest.raises(DetectionError, match=r"ultralytics is not installed.*pip install ultralytics.*\.onnx"):
        open_detector(file)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DetectionError, match="torch is not installed"):
        open_detector(file)

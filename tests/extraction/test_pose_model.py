"""Poses through rtmlib and onnxruntime, from a model with known answers: it finds coloured dots."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx_nets import SCORE, Graph, dot_colours, save_pose
from physics_preserver.nodes.extraction.onnx_runtime import OnnxRuntimeError
from physics_preserver.nodes.extraction.pose import estimate_poses
from physics_preserver.nodes.extraction.pose_choice import MODES, check_pose_choice, find_pose_model, pose_choices
from physics_preserver.nodes.extraction.pose_model import PoseModel, PoseModelError
from physics_preserver.nodes.media.clip import Clip, ClipError, Frame
from physics_preserver.nodes.media.track import Track, pack

COLOURS = dot_colours()
Box = tuple[int, int, int, int]


def dots(box: Box, radius: int) -> np.ndarray:
    """int [133, 2]: where the dots of a person are, in a loose grid over the box, well apart."""
    x1, y1, x2, y2 = box
    columns = round(np.sqrt(133 * (x2 - x1) / (y2 - y1)))
    rows = -(-133 // columns)
    cells = np.array([(n % columns, n // columns) for n in range(133)]) + 0.5
    room = np.array([(x2 - x1) / columns, (y2 - y1) / rows]) / 2 - radius - 1
    loose = np.random.default_rng(abs(x1) + y2).uniform(-1, 1, (133, 2)) * np.maximum(room, 0)
    return np.round(np.array([x1, y1]) + cells / (columns, rows) * (x2 - x1, y2 - y1) + loose).astype(int)


def dotted(size: tuple[int, int], places: np.ndarray, radius: int) -> np.ndarray:
    image = np.zeros((*size, 3), np.uint8)
    for (x, y), colour in zip(places, COLOURS, strict=True):
        cv2.circle(image, (int(x), int(y)), radius, colour.tolist(), -1)
    return image


@pytest.fixture(scope="module", params=[(384, 288), (256, 192)], ids=["384x288", "256x192"])
def model(request, tmp_path_factory):
    pytest.importorskip("rtmlib")
    pytest.importorskip("onnxruntime")
    return PoseModel(save_pose(tmp_path_factory.mktemp("pose") / "dots.onnx", request.param))


def px_per_input_px(model: PoseModel, box: Box) -> float:
    """How coarsely the model sees what is in the box; SimCC's bins are half of it."""
    return 1.25 * max((box[2] - box[0]) / model.input_size[1], (box[3] - box[1]) / model.input_size[0])


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((360, 640), (200, 30, 340, 330)),
        ((720, 1280), (700, 160, 900, 470)),
        ((1280, 720), (60, 500, 290, 730)),
        ((480, 480), (40, 60, 295, 230)),
        ((1080, 1920), (1700, 300, 1820, 640)),
        ((601, 333), (13, 101, 213, 440)),
    ],
    ids=["640x360", "1280x720", "portrait, square box", "square, wide box", "1080p, narrow box", "odd size"],
)
def test_dots_are_found_within_a_pixel(model, size, box):
    radius = max(3, round(3 * px_per_input_px(model, box)))
    places = dots(box, radius)
    (found,) = model([model.prepare(dotted(size, places, radius), box)])
    error = found[:, :2] - places
    assert np.linalg.norm(error, axis=1).max() < 1, np.abs(error).max(axis=0)
    assert np.abs(error.mean(axis=0)).max() < 0.25  # no half pixel to one side
    assert found[:, 2] == pytest.approx(SCORE, abs=2e-3)


def test_a_large_person_is_found_as_exactly_as_the_model_sees(model):
    """900 px high, the input's pixel is 3 or 4 px, and a bin of SimCC half of that."""
    box = (600, 100, 1100, 1000)
    places = dots(box, 11)
    (found,) = model([model.prepare(dotted((1080, 1920), places, 11), box)])
    assert np.linalg.norm(found[:, :2] - places, axis=1).max() < 0.6 * px_per_input_px(model, box)


@pytest.mark.parametrize("box", [(-100, 40, 150, 340), (510, 180, 710, 460), (-60, -100, 140, 190)])
def test_a_box_that_leaves_the_frame_finds_what_is_inside(model, box):
    size, radius = (360, 640), 4
    places = dots(box, radius)
    inside = ((places >= 7) & (places < (640 - 7, 360 - 7))).all(axis=1)
    outside = ((places < -6) | (places >= (640 + 6, 360 + 6))).any(axis=1)
    (found,) = model([model.prepare(dotted(size, places, radius), box)])
    assert 40 < inside.sum() < 100
    assert np.linalg.norm(found[inside, :2] - places[inside], axis=1).max() < 1
    assert (found[inside, 2] > 0.8).all() and (found[outside, 2] == 0).all()


def people(size: tuple[int, int], boxes: list[Box]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    places = [dots(box, 4) for box in boxes]
    return [dotted(size, there, 4) for there in places], places


BOXES: list[Box] = [(40 + 12 * n, 20 + 3 * n, 240 + 12 * n, 320 + 3 * n) for n in range(7)]


def test_a_batch_gives_what_rtmlib_gives_for_each_alone(tmp_path):
    rtmlib = pytest.importorskip("rtmlib")
    images, _ = people((360, 640), BOXES)
    file = save_pose(tmp_path / "dots.onnx")
    alone = rtmlib.RTMPose(str(file), model_input_size=(288, 384), backend="onnxruntime", device="cpu")
    expected = [
        np.dstack([part for part in alone(image, [box])][:1])[0] for image, box in zip(images, BOXES, strict=True)
    ]
    scores = [alone(image, [box])[1][0] for image, box in zip(images, BOXES, strict=True)]
    for batch in ("batch", 1, 3):
        model = PoseModel(save_pose(tmp_path / f"by {batch}.onnx", batch=batch))
        found = model([model.prepare(image, box) for image, box in zip(images, BOXES, strict=True)])
        np.testing.assert_array_equal(found[..., :2], np.array(expected, np.float32))
        np.testing.assert_array_equal(found[..., 2], np.array(scores, np.float32))


class Shown(Clip):
    """Frames that are given, at the times of a clip with a variable frame rate."""

    name, rate, time_base, warnings = "shown", Fraction(25), Fraction(1, 1000), []

    def __init__(self, images):
        self._images, (self.height, self.width) = images, images[0].shape[:2]

    def read(self, start=0):
        for index in range(start, len(self._images)):
            yield Frame(index, Fraction(40 * index + 7 * (index % 2), 1000), self._images[index])

    def count(self):
        return len(self._images)


def tracked(size, boxes) -> Track:
    masks = np.zeros((len(boxes), 2, *size), bool)
    for t, box in enumerate(boxes):
        masks[t, 1, 5:15, 5:15] = True
        if box is not None:
            masks[t, 0, max(box[1], 0) : box[3], max(box[0], 0) : box[2]] = True
    return Track(pack(masks), ("rider", "board"), np.ones((len(boxes), 2), np.float32), size, size, Fraction(25))


def test_the_tracked_person_is_followed_and_not_the_other(model):
    """Two people walk past each other; between them the tracked one is lost for a frame."""
    size, images = (360, 640), []
    boxes: list[Box | None] = [(20 + 40 * n, 30, 220 + 40 * n, 330) for n in range(9)]
    others = [(420 - 40 * n, 60, 600 - 40 * n, 320) for n in range(9)]
    wanted = [dots(box, 5) for box in boxes if box is not None]
    for box, other, there in zip(boxes, others, wanted, strict=True):
        assert box is not None
        image = dotted(size, dots(other, 5), 5)
        x1, y1, x2, y2 = box
        image[y1 - 10 : y2 + 10, max(x1 - 40, 0) : x2 + 40] = 0  # who is in front hides the other
        images.append(np.maximum(image, dotted(size, there, 5)))
    boxes[4] = None
    poses = estimate_poses(Shown(images), tracked(size, boxes), model, "rider", batch=4)
    assert poses.times == [frame.time for frame in Shown(images).read()] and poses.label == "rider"
    assert not poses.present()[4].any() and (poses.keypoints[4, :, 2] == 0).all()
    for t in (0, 1, 2, 3, 5, 6, 7, 8):
        assert np.linalg.norm(poses.keypoints[t, :, :2] - wanted[t], axis=1).max() < 1.1
    assert poses.warnings == ["rider is not seen by the track on 1 of 9 frames, which have no pose"]


def test_the_result_does_not_depend_on_the_batch(model):
    images, _ = people((360, 640), BOXES)
    track = tracked((360, 640), BOXES)
    one, three, many = (estimate_poses(Shown(images), track, model, "rider", batch=n).keypoints for n in (1, 3, 64))
    np.testing.assert_array_equal(one, three)
    np.testing.assert_array_equal(one, many)


def test_points_under_the_threshold_are_absent_with_their_score(model):
    images, _ = people((360, 640), BOXES[:2])
    track = tracked((360, 640), BOXES[:2])
    poses = estimate_poses(Shown(images), track, model, "rider", threshold=SCORE + 0.01)
    assert not poses.present().any() and poses.keypoints[..., 2] == pytest.approx(SCORE, abs=2e-3)
    black = [np.zeros_like(image) for image in images]
    assert not estimate_poses(Shown(black), track, model, "rider", threshold=0.0).present().any()


def test_another_clip_than_the_tracks_is_refused(model):
    images, _ = people((360, 640), BOXES[:3])
    with pytest.raises(ClipError, match="has 3 frames, its track 2"):
        estimate_poses(Shown(images), tracked((360, 640), BOXES[:2]), model, "rider")
    with pytest.raises(ClipError, match="is 640x360, its track 320x180"):
        estimate_poses(Shown(images), tracked((180, 320), [None] * 3), model, "rider")
    with pytest.raises(KeyError, match="no object 'person' in this track; it has: rider, board"):
        estimate_poses(Shown(images), tracked((360, 640), BOXES[:3]), model)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "models" / "dwpose"
    place.mkdir(parents=True)
    return place


def test_a_mode_finds_rtmlibs_file_and_dwposes(folder):
    with pytest.raises(FileNotFoundError, match=r"Mode performance: rtmw-dw-x-l.*384x288.*models get .*Apache-2\.0"):
        find_pose_model("performance")
    for name in ("yolox_l.onnx", "dw-ll_ucoco_384.onnx", "dw-mm_ucoco.onnx"):
        (folder / name).write_bytes(b"x")
    assert find_pose_model("performance") == folder / "dw-ll_ucoco_384.onnx"
    assert find_pose_model("lightweight") == folder / "dw-mm_ucoco.onnx"
    assert pose_choices() == [*MODES, "dw-ll_ucoco_384.onnx", "dw-mm_ucoco.onnx"]
    assert "There is dw-ll_ucoco_384.onnx, dw-mm_ucoco.onnx" in str(check_pose_choice("balanced"))
    (folder / MODES["performance"][0]).write_bytes(b"x")
    assert find_pose_model("performance").name == MODES["performance"][0]
    assert check_pose_choice("../../beside.onnx") is not True


def test_rtmlibs_own_table_has_the_same_files():
    wholebody = pytest.importorskip("rtmlib").Wholebody
    for mode, about in wholebody.MODE.items():
        assert MODES[mode][0].removesuffix(".onnx") == about["pose"].rpartition("/")[2].removesuffix(".zip")


def test_files_that_are_no_pose_model_say_what_they_are(tmp_path, monkeypatch):
    pytest.importorskip("rtmlib")
    net = Graph()
    flat = net("ReduceMean", "input", axes=[2, 3], keepdims=0)
    net.nodes.append(net.onnx.helper.make_node("Identity", [flat], ["output"]))
    body = net.save(tmp_path / "other.onnx", {"input": [1, 3, 256, 192]}, {"output": [1, 3]})
    with pytest.raises(PoseModelError, match=r"other\.onnx is no whole-body model.*returns \[1, 3\], not"):
        PoseModel(body)
    with pytest.raises(OnnxRuntimeError, match="No such model file"):
        PoseModel(tmp_path / "none.onnx")


def test_without_rtmlib_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "rtmlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rtmlib", None)
    with pytest.raises(PoseModelError, match="rtmlib is not installed.*pip install --no-deps rtmlib"):
        PoseModel(tmp_path / "any.onnx")


def test_the_report_names_model_library_and_runtime(model):
    text = model.describe()
    assert "133 points) by rtmlib 0.0." in text and "on CPU. onnxruntime" in text and "CUDA is missing because" in text

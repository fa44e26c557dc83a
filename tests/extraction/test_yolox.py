"""YOLOX: decoding against hand-made answers, the second pass, bad files, and the real nano on the real clip."""

import importlib.metadata
import math
import sys
import types

import numpy as np
import pytest
from physics_preserver.nodes.extraction.detection import Detection, DetectionError, box_iou
from physics_preserver.nodes.extraction.onnx_runtime import MEND_CUDA, OnnxRuntimeError, installed_runtime
from physics_preserver.nodes.extraction.two_pass import TwoPassDetector, suppress
from physics_preserver.nodes.extraction.yolo import load_detector
from physics_preserver.nodes.extraction.yolox import Yolox, cells, letterbox
from physics_preserver.nodes.media.open import open_clip

NAMES = ("person", "skateboard", "kite")
SIZE = 64
CELLS = 64 + 16 + 4  # 8x8, 4x4 and 2x2 cells of strides 8, 16, 32


def save_model(path, output, declared=None, side: int | str = SIZE):
    """An ONNX file that answers every image with `output`."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    value = numpy_helper.from_array(np.asarray(output, np.float32), "answer")
    graph = helper.make_graph(
        [helper.make_node("Identity", ["answer"], ["output"])],
        "fixed",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, declared or list(np.shape(output)))],
        [value],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def answer(**cells):
    """Network output with nothing in it but these cells: name_of_row=(values)."""
    output = np.zeros((1, CELLS, 5 + len(NAMES)), np.float32)
    for row, values in cells.items():
        output[0, int(row.removeprefix("row"))] = values
    return output


# Stride 16, column 1, row 2 is cell 64 + 2 * 4 + 1; its centre (0.5, 0.5) lies at (24, 40), and ln 2 is twice 16 px.
# Stride 8, column 7, row 0 is cell 7; offset 0 puts it at (56, 0), ln 1 is 8 px, of which 4 are above the picture.
RAW = answer(
    row73=(0.5, 0.5, math.log(2), 0.0, 0.9, 0.8, 0.0, 0.0),
    row7=(0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 1.0),
)
DECODED = answer(row73=(24, 40, 32, 16, 0.9, 0.8, 0.0, 0.0), row7=(56, 0, 8, 8, 0.5, 0.0, 0.0, 1.0))


@pytest.mark.parametrize("output", [RAW, DECODED], ids=["raw", "decoded in the model"])
def test_boxes_of_known_cells(tmp_path, output):
    detector = load_detector(save_model(tmp_path / "tiny.onnx", output), names=NAMES, second_pass=False)
    person, kite = detector(np.zeros((128, 128, 3), np.uint8))  # twice the input's size
    assert (person.label, person.source) == ("person", "yolox")
    assert person.score == pytest.approx(0.72)
    assert person.box == pytest.approx((16, 64, 80, 96))
    assert kite.label == "kite"
    assert kite.box == pytest.approx((104, 0, 120, 8))


def test_letterbox_is_bgr_top_left_on_grey():
    image = np.zeros((10, 20, 3), np.uint8)
    image[..., 0], image[..., 2] = 200, 30
    tensor, scale = letterbox(image, (64, 64))
    assert tensor.shape == (1, 3, 64, 64) and tensor.dtype == np.float32 and scale == pytest.approx(3.2)
    assert (tensor[0, :, :32].reshape(3, -1) == [[30], [0], [200]]).all()
    assert (tensor[0, :, 32:] == 114).all()


def test_suppression_is_per_class_and_keeps_the_best():
    boxes = [
        ("a", 0.5, (0, 0, 10, 10)),
        ("a", 0.9, (1, 0, 11, 10)),
        ("b", 0.4, (0, 0, 10, 10)),
        ("a", 0.3, (40, 0, 50, 10)),
    ]
    kept = suppress([Detection(label, score, box, "yolox") for label, score, box in boxes])
    assert [(item.label, item.score) for item in kept] == [("a", 0.9), ("b", 0.4), ("a", 0.3)]


class ColourSession:
    """Stands in for a network: finds a green person and a red board, the board only when 6 px or more of its input."""

    side, board_score = 416, 0.9

    def get_inputs(self):
        return [types.SimpleNamespace(name="images", shape=[1, 3, self.side, self.side], type="tensor(float)")]

    def get_providers(self):
        return ["CPUExecutionProvider"]

    def run(self, _, feed):
        blue, green, red = feed["images"][0]
        output = np.zeros((1, sum((self.side // s) ** 2 for s in (8, 16, 32)), 8), np.float32)
        output[0, :, 0] = self.side  # decoded outputs span the input
        for row, (hot, cold, score) in enumerate([(green, red, 0.9), (red, green, self.board_score)]):
            ys, xs = np.nonzero((hot > 180) & (cold < 60) & (blue < 60))
            if len(ys) and (row == 0 or np.ptp(ys) + 1 >= 6):
                x1, y1, x2, y2 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
                output[0, row, :5] = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, score)
                output[0, row, 5 + row] = 1
        return [output]


def street(person=(600, 200, 680, 500), board=(605, 495, 675, 505)):
    image = np.full((720, 1280, 3), 128, np.uint8)
    for (x1, y1, x2, y2), colour in ((person, (0, 255, 0)), (board, (255, 0, 0))):
        image[y1:y2, x1:x2] = colour
    return image


def coloured(session=None, threshold=0.3, second_pass=True):
    return TwoPassDetector(Yolox(session or ColourSession(), NAMES), threshold, 0.15, second_pass)


def test_the_second_pass_finds_a_board_too_small_for_the_whole_frame():
    assert [item.label for item in coloured(second_pass=False)(street())] == ["person"]
    person, board = coloured()(street())
    assert (person.label, board.label) == ("person", "skateboard")
    assert board.box == pytest.approx((605, 495, 675, 505), abs=1.5)


def test_an_object_cut_by_the_crop_is_left_to_the_first_pass():
    # The crop ends 28 px right of the person, inside the board.
    assert [item.label for item in coloured()(street(board=(640, 495, 900, 505)))] == ["person"]


@pytest.mark.parametrize(
    ("board", "found"),
    [((600, 490, 680, 520), True), ((700, 540, 720, 570), False), ((600, 205, 680, 235), False)],
    ids=["at the feet", "beside the feet", "at the head"],
)
def test_a_weak_score_counts_only_at_the_feet(board, found):
    session = ColourSession()
    session.board_score = 0.2
    labels = [item.label for item in coloured(session)(street(board=board))]
    assert ("skateboard" in labels) == found


def test_a_score_below_the_lower_threshold_never_counts():
    session = ColourSession()
    session.board_score = 0.14
    assert [item.label for item in coloured(session)(street())] == ["person"]


def test_files_that_are_no_yolox_say_why(tmp_path):
    text = tmp_path / "notes.onnx"
    text.write_text("not a model")
    whole = save_model(tmp_path / "tiny.onnx", RAW).read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    for name, said in (("none.onnx", "No such"), ("notes.onnx", "not a usable"), ("cut.onnx", "not a usable")):
        with pytest.raises(OnnxRuntimeError, match=said) as caught:
            load_detector(tmp_path / name)
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("output", "options", "said"),
    [
        (np.zeros((1, 10)), {}, r"\[1, 10\] for a 64x64 input and 3 classes: .* \[1, 84, 8\]"),
        (np.zeros((1, CELLS, 85)), {}, r"\[1, 84, 85\] like a YOLOX of 80 classes, not of 3"),
        (np.zeros((1, CELLS, 85)), {"declared": [1, "n", "m"]}, r"\[1, 84, 85\] like a YOLOX of 80"),
        (np.zeros((1, 3 * CELLS, 8)), {}, r"\[1, 252, 8\] for a 64x64 input"),
        (np.zeros((1, cells((60, 60)), 8)), {"side": 60}, "multiples of 32"),
    ],
)
def test_other_shapes_are_named(tmp_path, output, options, said):
    with pytest.raises(DetectionError, match=said):
        load_detector(save_model(tmp_path / "other.onnx", output, **options), names=NAMES)


def test_missing_onnxruntime_names_the_wheel(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(OnnxRuntimeError, match="pip install onnxruntime-gpu"):
        load_detector(tmp_path / "any.onnx")
    assert installed_runtime().version == ""


def runtime(monkeypatch, wheels, providers):
    def version(name):
        if name not in wheels:
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.31.1"

    fake = types.SimpleNamespace(__version__="1.31.1", get_available_providers=lambda: providers)
    monkeypatch.setitem(sys.modules, "onnxruntime", fake)
    monkeypatch.setattr(importlib.metadata, "version", version)
    return installed_runtime()


def test_the_cpu_build_over_the_gpu_build_is_reported_with_the_mend(monkeypatch):
    both = ["onnxruntime", "onnxruntime-gpu"]
    lost = runtime(monkeypatch, both, ["AzureExecutionProvider", "CPUExecutionProvider"])
    assert lost.cpu_build_won
    assert MEND_CUDA == "pip install --force-reinstall --no-deps onnxruntime-gpu"
    assert MEND_CUDA in lost.describe() and lost.providers == ("CPUExecutionProvider",)
    won = runtime(monkeypatch, both, ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"])
    assert not won.cpu_build_won
    assert MEND_CUDA not in won.describe() and won.providers[0] == "CUDAExecutionProvider"
    assert not runtime(monkeypatch, ["onnxruntime"], ["CPUExecutionProvider"]).cpu_build_won


@pytest.fixture(scope="module")
def nano(shared_data):
    pytest.importorskip("onnxruntime")
    return load_detector(shared_data / "weights" / "yolox_nano.onnx")


def test_nano_finds_the_board_where_one_sees_it(nano, shared_data):
    clip = open_clip(shared_data / "clips" / "skateboarder.mp4")
    assert nano.network.input_size == (416, 416) and "CPU" in nano.describe()
    boards = [item for item in nano(clip.frame(142).image) if item.label == "skateboard"]
    assert box_iou(boards[0].box, (288, 546, 456, 586)) > 0.6  # read off the picture
    assert not [item for item in nano(clip.frame(32).image) if item.label == "skateboard"]  # it is out of the picture


def test_nano_finds_person_and_board_in_nearly_every_frame(nano, shared_data):
    found = {"person": 0, "skateboard": 0}
    for frame in open_clip(shared_data / "clips" / "skateboarder.mp4", start=44, stop=192):
        if frame.index % 12 == 0:
            labels = {item.label for item in nano(frame.image)}
            for name in found:
                found[name] += name in labels
    assert found["person"] == 13 and found["skateboard"] >= 12

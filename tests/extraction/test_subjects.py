"""The files that can be chosen as a detector, and what is said about one that isn't there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from physics_preserver.nodes.extraction.subjects import check_detector_choice, detector_choices, find_detector


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for name in ("detection/yolox_nano.onnx", "ultralytics/bbox/person.pt", "yolo/yolo11n.onnx", "yolo/notes.txt"):
        file = tmp_path / "models" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    (tmp_path / "beside.onnx").write_bytes(b"x")
    return tmp_path / "models"


def test_every_detector_of_the_three_folders_can_be_chosen(models):
    assert detector_choices() == ["yolox_nano.onnx", "bbox/person.pt", "yolo11n.onnx"]
    assert find_detector("bbox/person.pt") == models / "ultralytics" / "bbox" / "person.pt"
    assert all(check_detector_choice(name) is True for name in detector_choices())


def test_what_else_a_node_allows_and_what_it_does_not(models):
    assert check_detector_choice("none", "none") is True and check_detector_choice(None) is True
    assert "models get yolo11n.pt" in str(check_detector_choice("yolo11n.pt"))
    assert "yolox_s.onnx is not there" in str(check_detector_choice("yolox_s.onnx", "none"))


def test_a_path_is_for_the_command_line_and_not_for_a_graph(models):
    path = models.parent / "beside.onnx"
    assert find_detector(str(path)) == path
    for name in (str(path), "../beside.onnx", "beside.onnx"):
        assert check_detector_choice(name) is not True


def test_choices_need_no_opencv():
    code = "import sys; sys.modules['cv2'] = None; from physics_preserver.nodes.extraction import subjects as s"
    subprocess.run([sys.executable, "-c", f"{code}; s.detector_choices()"], check=True)

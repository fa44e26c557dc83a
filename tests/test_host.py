"""The engine's host outside ComfyUI: progress passes everything through, models are found or the places named."""

import pytest
from physics_preserver.nodes import host
from physics_preserver.nodes.extraction.subjects import find_detector


@pytest.fixture
def models(tmp_path, monkeypatch):
    folder = tmp_path / "models" / "detection"
    (folder / "yolox").mkdir(parents=True)
    for name in ("b.onnx", "a.ONNX", "notes.txt", "yolox/c.onnx"):
        (folder / name).write_bytes(b"x")
    (tmp_path / "secret.onnx").write_bytes(b"x")
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def test_progress_passes_every_item_through():
    assert list(host.progress(iter("abc"), label="letters")) == ["a", "b", "c"]
    assert not host.in_comfyui()


def test_models_are_listed_relative_to_their_folder(models):
    assert host.list_models("detection", (".onnx",)) == ["a.ONNX", "b.onnx", "yolox/c.onnx"]
    assert host.find_model("detection", "yolox/c.onnx") == models / "yolox" / "c.onnx"


def test_a_name_cannot_lead_out_of_the_folder(models):
    with pytest.raises(FileNotFoundError):
        host.find_model("detection", "../../secret.onnx")


def test_a_missing_detector_says_where_it_belongs_and_comes_from(models):
    with pytest.raises(FileNotFoundError, match=rf"yolox_s\.onnx.*{models}.*https://github\.com.*YOLOX.*Apache"):
        find_detector("yolox_s.onnx")


def test_memory_is_not_counted_outside_comfyui():
    host.require_memory(1 << 60, "everything")

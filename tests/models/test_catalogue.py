"""The catalogue agrees with the packages that name the same files, and tells a user where a missing one comes from."""

import hashlib
import importlib.metadata
import inspect
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from physics_preserver.nodes import host
from physics_preserver.nodes.models.catalogue import CATALOGUE, FOLDERS, find_file, missing_model_text


@pytest.fixture
def comfyui_path(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_a_name_means_one_file_and_comes_over_https():
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE)
    for entry in CATALOGUE:
        address = urlsplit(entry.url)
        assert address.scheme == "https" and urlsplit(entry.page).scheme == "https"
        assert entry.name.endswith(FOLDERS[entry.folder])
        assert Path(address.path).stem == Path(entry.name).stem
        assert (Path(address.path).suffix == ".zip") == (entry.member is not None)
        assert entry.sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.sha256)
        assert entry.size is not None or not entry.size_is_exact


def test_pose_files_are_the_ones_that_rtmlib_uses():
    wholebody = pytest.importorskip("rtmlib").Wholebody
    urls = {entry.url for entry in CATALOGUE if entry.stage == "pose"}
    assert {mode["pose"] for mode in wholebody.MODE.values()} <= urls


def test_sam2_files_are_the_ones_in_its_readme():
    pytest.importorskip("torch")
    from sam2.build_sam import HF_MODEL_ID_TO_FILENAMES

    checkpoints = {entry.name: entry.url for entry in CATALOGUE if entry.folder == "sam2" and entry.name.endswith("pt")}
    assert set(checkpoints) == {file for _, file in HF_MODEL_ID_TO_FILENAMES.values()}
    readme = importlib.metadata.distribution("sam2").read_text("METADATA") or ""
    assert all(f"({url})" in readme for url in checkpoints.values())


def test_ultralytics_files_are_in_the_release_it_downloads_from():
    downloads = pytest.importorskip("ultralytics.utils.downloads")
    release = inspect.signature(downloads.attempt_download_asset).parameters["release"].default
    for entry in CATALOGUE:
        if entry.folder == "ultralytics":
            assert entry.name in downloads.GITHUB_ASSETS_NAMES
            assert (
                entry.url
                == f"https://github.com/{downloads.GITHUB_ASSETS_REPO}/releases/download/{release}/{entry.name}"
            )


def test_the_hash_of_yolox_nano_is_that_of_the_file_in_use(shared_data):
    data = (shared_data / "weights" / "yolox_nano.onnx").read_bytes()
    (entry,) = (entry for entry in CATALOGUE if entry.name == "yolox_nano.onnx")
    assert (entry.size, entry.size_is_exact, entry.sha256) == (len(data), True, hashlib.sha256(data).hexdigest())


def test_a_missing_file_is_told_with_everything_a_user_needs(comfyui_path):
    text = missing_model_text("sam2", "sam2.1_hiera_tiny.pt")
    assert str(comfyui_path / "models" / "sam2") in text
    assert "models get sam2.1_hiera_tiny.pt`" in text and "about 156 MB" in text and "Apache-2.0" in text
    assert "https://dl.fbaipublicfiles.com/segment_anything_2/092824/sam2.1_hiera_tiny.pt" in text


def test_a_missing_file_from_a_zip_says_which_file_in_it(comfyui_path):
    text = missing_model_text("dwpose", "rtmw-dw-x-l_simcc-cocktail14_270e-384x288_20231122.onnx")
    assert ".zip (size not known, Apache-2.0, a zip: the file end2end.onnx in it, renamed)" in text


def test_a_file_nobody_knows_is_told_with_the_ones_that_are_known(comfyui_path):
    text = missing_model_text("detection", "mine.onnx")
    assert "yolox_nano.onnx, yolox_tiny.onnx" in text and "models list" in text and "sam2" not in text


def test_a_file_is_found_by_path_and_by_name(comfyui_path):
    file = comfyui_path / "models" / "dwpose" / "sub" / "mine.onnx"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"x")
    assert find_file("dwpose", "sub/mine.onnx") == file
    assert find_file("sam2", str(file)) == file
    with pytest.raises(FileNotFoundError, match="looked for in"):
        find_file("sam2", "sub/mine.onnx")


def test_without_comfyui_files_are_kept_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert host.model_folders("sam2")[0] == tmp_path / "physics-preserver" / "models" / "sam2"

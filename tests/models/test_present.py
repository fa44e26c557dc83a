"""What is on the disk: found wherever it lies, recognised by its hash, and damage named in every format."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from physics_preserver.nodes.cli import main
from physics_preserver.nodes.models.catalogue import CATALOGUE
from physics_preserver.nodes.models.integrity import damage, sha256_of
from physics_preserver.nodes.models.present import check_file, files_there


@pytest.fixture
def models(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for kind in ("detection", "sam2", "ultralytics", "dwpose"):
        (tmp_path / "models" / kind).mkdir(parents=True)
    return tmp_path / "models"


@pytest.fixture
def nano(shared_data) -> Path:
    return shared_data / "weights" / "yolox_nano.onnx"


def run(capsys, *arguments: str) -> tuple[int, dict]:
    code = main(["models", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_list_says_where_each_file_is_or_comes_from(models, capsys):
    (models / "ultralytics" / "bbox").mkdir()
    (models / "ultralytics" / "bbox" / "yolov8n.pt").write_bytes(b"x")
    code, told = run(capsys, "list")
    files = {entry["name"]: entry for entry in told["files"]}
    assert code == 0 and len(files) == len(CATALOGUE)
    assert files["yolov8n.pt"]["found"] == str(models / "ultralytics" / "bbox" / "yolov8n.pt")
    assert files["yolov8n.pt"]["licence"] == "AGPL-3.0" and files["yolov8n.pt"]["size"] is None
    assert [name for name, entry in files.items() if entry["found"]] == ["yolov8n.pt"]
    assert told["folders"]["sam2"][0] == str(models / "sam2")
    assert main(["models", "list"]) == 0
    text = capsys.readouterr().out
    assert "size not known; AGPL-3.0" in text and "yolox_nano.onnx  (YOLOX nano, " in text and "; 3.7 MB;" in text


def test_get_refuses_a_name_it_has_elsewhere_and_one_it_does_not_know(models, capsys):
    (models / "ultralytics" / "bbox").mkdir()
    (models / "ultralytics" / "bbox" / "yolov8n.pt").write_bytes(b"x")
    code, told = run(capsys, "get", "yolov8n.pt")
    assert code == 3 and "is there already" in told["error"] and "bbox" in told["error"]
    code, told = run(capsys, "get", "yolov8.pt")
    assert code == 3 and "did you mean yolov8" in told["error"]


def test_check_tells_the_verified_the_damaged_and_the_unknown(models, nano, capsys):
    shutil.copy(nano, models / "detection" / "yolox_nano.onnx")
    shutil.copy(nano, models / "detection" / "renamed.onnx")
    data = bytearray(nano.read_bytes())
    data[2_000_000] ^= 1
    (models / "detection" / "sub").mkdir()
    (models / "detection" / "sub" / "yolox_nano.onnx").write_bytes(data)
    (models / "detection" / "mine.onnx").write_bytes(data)
    (models / "detection" / "cut.onnx").write_bytes(data[:-1])
    (models / "detection" / "notes.txt").write_text("mine")
    (models / "sam2" / "sam2.1_hiera_tiny.pt").write_bytes(b"<html>404</html>")
    (models / "sam2" / "sam2_hiera_tiny.pt.physics-preserver.part").write_bytes(b"x" * 1_200_000)
    code, told = run(capsys, "check")
    states = {Path(item["path"]).relative_to(models).as_posix(): item["state"] for item in told["files"]}
    assert code == 3 and told["damaged"] == 3
    assert states == {
        "detection/yolox_nano.onnx": "verified",
        "detection/renamed.onnx": "verified",
        "detection/sub/yolox_nano.onnx": "damaged",
        "detection/mine.onnx": "unknown",
        "detection/cut.onnx": "damaged",
        "sam2/sam2.1_hiera_tiny.pt": "damaged",
        "sam2/sam2_hiera_tiny.pt.physics-preserver.part": "unfinished",
    }
    why = {Path(item["path"]).name: item["why"] for item in told["files"]}
    assert "under another name: it is yolox_nano.onnx" in why["renamed.onnx"]
    assert why["cut.onnx"] == "it is cut off" and "web page" in why["sam2.1_hiera_tiny.pt"]
    assert "1.2 MB so far" in why["sam2_hiera_tiny.pt.physics-preserver.part"]


def test_check_of_good_files_ends_with_0(models, nano, capsys):
    assert run(capsys, "check") == (0, {"files": [], "damaged": 0})
    shutil.copy(nano, models / "detection")
    assert run(capsys, "check")[0] == 0


def test_one_file_in_two_folders_is_checked_once(models, nano, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(models.parent / "cache" / "physics-preserver"))
    shutil.copy(nano, models / "detection")
    (models.parent / "cache").mkdir()
    (models.parent / "cache" / "physics-preserver").symlink_to(models.parent)
    assert [kind for kind, _ in files_there()] == ["detection"]


def test_a_named_file_without_a_known_hash_is_called_whole(models):
    with zipfile.ZipFile(models / "sam2" / "sam2.1_hiera_tiny.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
    assert check_file("sam2", models / "sam2" / "sam2.1_hiera_tiny.pt").state == "whole"


def test_torch_and_safetensors_files_are_whole_and_their_damage_is_found(tmp_path):
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    tensors = {"a": torch.arange(300_000.0), "b": torch.ones(3, 5).half()}
    torch.save({"model": tensors}, tmp_path / "m.pt")
    save_file(tensors, tmp_path / "m.safetensors", metadata={"of": "a test"})
    for name, flip_is_found in (("m.pt", True), ("m.safetensors", False)):
        file = tmp_path / name
        data = file.read_bytes()
        assert damage(file) is None
        file.write_bytes(data[:-1])
        assert damage(file) is not None
        file.write_bytes(data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :])
        assert (damage(file) is not None) == flip_is_found
    torch.save(tensors, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert damage(tmp_path / "old.pt") is None


def test_real_onnx_files_are_whole_and_any_cut_is_found(nano, tmp_path):
    data = nano.read_bytes()
    assert damage(nano) is None
    cut = tmp_path / "cut.onnx"
    for end in (1, 2, 3, 100, len(data) // 2, len(data) - 1):
        cut.write_bytes(data[:end])
        assert damage(cut) is not None, end
    cut.write_bytes(data + b"\x00")
    assert damage(cut) is not None


def test_sha256_of_known_text(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_the_pack_runs_by_its_path_where_nothing_is_installed(tmp_path):
    """As in ComfyUI's custom_nodes, which are no package: under any folder name, and ComfyUI's models are found."""
    pack = tmp_path / "custom_nodes" / "physics preserver-main"
    pack.parent.mkdir()
    pack.symlink_to(Path(__file__).resolve().parents[2])
    (tmp_path / "comfy_extras").mkdir()
    bare = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "COMFYUI_PATH")}
    command = [sys.executable, str(pack), "models", "list", "--json"]
    done = subprocess.run(command, env=bare, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["folders"]["sam2"][0] == str(tmp_path / "models" / "sam2")

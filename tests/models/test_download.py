"""Fetching a model file: whole or not at all, gone on with after every kind of break, never over what is there."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from file_server import FileServer
from physics_preserver.nodes.cli import main
from physics_preserver.nodes.models import download
from physics_preserver.nodes.models.catalogue import ModelFile
from physics_preserver.nodes.models.download import DownloadError, get, part_of


def onnx_like(size: int, seed: int = 1) -> bytes:
    """A file with the outer structure of ONNX: version 8, and a graph of random bytes."""
    graph = np.random.default_rng(seed).bytes(size)
    length, digits = size, b""
    while True:
        digits += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
        length >>= 7
        if not length:
            return b"\x08\x08\x3a" + digits + graph


DATA = onnx_like(3_000_000)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(download, "RETRY_WAITS_S", (0, 0, 0))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server():
    with FileServer({"/m.onnx": DATA}) as running:
        yield running


@pytest.fixture
def entry(server) -> ModelFile:
    return ModelFile(
        "m.onnx", "detection", "detection", "onnxruntime", f"{server.address}/m.onnx", "https://page", "MIT",
        len(DATA), True, hashlib.sha256(DATA).hexdigest(),
    )  # fmt: skip


@pytest.fixture
def said() -> list[str]:
    return []


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_arrives_whole_and_alone(entry, tmp_path, said):
    fetched = get(entry, tmp_path / "models" / "detection", said.append)
    assert fetched.path.read_bytes() == DATA and fetched.sha256 == entry.sha256 and fetched.size == len(DATA)
    assert "the catalogue's" in fetched.proof and said == []
    assert names(fetched.path.parent) == ["m.onnx"]


def test_what_is_there_is_never_overwritten(entry, server, tmp_path, said):
    (tmp_path / "m.onnx").write_bytes(b"mine")
    with pytest.raises(FileExistsError, match=r"m\.onnx is there already"):
        get(entry, tmp_path, said.append)
    assert (tmp_path / "m.onnx").read_bytes() == b"mine" and server.requests == [] and names(tmp_path) == ["m.onnx"]


def test_a_file_that_appears_meanwhile_is_not_overwritten(entry, server, tmp_path, said):
    server.on_body = lambda: (tmp_path / "m.onnx").write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        get(entry, tmp_path, said.append)
    assert (tmp_path / "m.onnx").read_bytes() == b"mine"


def test_dropped_connections_are_gone_on_with_from_where_they_broke(entry, server, tmp_path, said):
    server.drops = [1_000_000, 500_000]
    assert get(entry, tmp_path, said.append).path.read_bytes() == DATA
    assert [request.get("Range") for request in server.requests] == [None, "bytes=1000000-", "bytes=1500000-"]
    assert len(said) == 2 and "1.0 MB of 3.0 MB" in said[0]


def test_a_later_call_goes_on_with_what_an_earlier_one_kept(entry, server, tmp_path, said):
    server.drops = [1_000_000, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"after 1\.0 MB of 3\.0 MB; these are kept"):
        get(entry, tmp_path, said.append)
    assert part_of(tmp_path / "m.onnx").read_bytes() == DATA[:1_000_000] and not (tmp_path / "m.onnx").exists()
    before = len(server.requests)
    assert get(entry, tmp_path, said.append).path.read_bytes() == DATA
    assert [request.get("Range") for request in server.requests[before:]] == ["bytes=1000000-"]
    assert names(tmp_path) == ["m.onnx"]


def test_a_part_that_is_complete_is_not_asked_for_again(entry, server, tmp_path, said, monkeypatch):
    def interrupted(file: Path) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(download, "sha256_of", interrupted)
        get(entry, tmp_path, said.append)
    assert get(entry, tmp_path, said.append).path.read_bytes() == DATA
    assert len(server.requests) == 1


def test_a_server_without_ranges_sends_all_of_it_again(entry, server, tmp_path, said):
    server.ranges, server.drops = False, [1_000_000]
    assert get(entry, tmp_path, said.append).path.read_bytes() == DATA
    assert "starting anew" in said[-1]


@pytest.mark.parametrize("etag", ["", 'W/"{md5}"'], ids=["no ETag", "a weak ETag"])
def test_a_server_that_names_no_exact_version_is_not_gone_on_with(entry, server, tmp_path, said, etag):
    server.etag, server.drops = etag, [1_000_000]
    assert get(entry, tmp_path, said.append).path.read_bytes() == DATA
    assert all("Range" not in request for request in server.requests)


@pytest.mark.parametrize("if_range", [True, False], ids=["heeding If-Range", "ignoring If-Range"])
def test_a_file_changed_meanwhile_is_not_glued_to_the_old_one(entry, server, tmp_path, said, if_range):
    server.drops, server.if_range = [1_000_000, 0, 0, 0], if_range
    unknown = replace(entry, sha256=None, size=None, size_is_exact=False)
    with pytest.raises(DownloadError):
        get(unknown, tmp_path, said.append)
    changed = server.files["/m.onnx"] = onnx_like(3_000_000, seed=2)
    before = len(server.requests)
    assert get(unknown, tmp_path, said.append).path.read_bytes() == changed
    assert len(server.requests) == before + (1 if if_range else 2)


def test_a_file_that_became_shorter_than_the_part_starts_anew(entry, server, tmp_path, said):
    server.drops, server.if_range = [2_000_000, 0, 0, 0], False
    unknown = replace(entry, sha256=None, size=None, size_is_exact=False)
    with pytest.raises(DownloadError):
        get(unknown, tmp_path, said.append)
    changed = server.files["/m.onnx"] = onnx_like(1000)
    assert get(unknown, tmp_path, said.append).path.read_bytes() == changed
    assert any("shorter" in text for text in said)


def test_a_part_of_another_address_is_not_gone_on_with(entry, server, tmp_path, said):
    server.drops = [1_000_000, 0, 0, 0]
    with pytest.raises(DownloadError):
        get(entry, tmp_path, said.append)
    server.files["/other.onnx"] = DATA
    before = len(server.requests)
    assert get(replace(entry, url=f"{server.address}/other.onnx"), tmp_path, said.append).path.read_bytes() == DATA
    assert "Range" not in server.requests[before]


def test_a_wrong_hash_leaves_nothing(entry, server, tmp_path, said):
    server.files["/m.onnx"] = onnx_like(3_000_000, seed=2)
    with pytest.raises(DownloadError, match=f"SHA-256 is [0-9a-f]{{64}} instead of {entry.sha256}; it was deleted"):
        get(entry, tmp_path, said.append)
    assert names(tmp_path) == []


def test_a_file_of_another_length_is_not_even_fetched(entry, server, tmp_path, said):
    server.files["/m.onnx"] = DATA[:-10]
    with pytest.raises(DownloadError, match=f"has {len(DATA) - 10} bytes and m.onnx should have {len(DATA)}"):
        get(entry, tmp_path, said.append)
    assert names(tmp_path) == []


def test_a_length_that_the_body_never_reaches_is_an_error(entry, server, tmp_path, said):
    server.length_offset = 7
    unknown = replace(entry, sha256=None, size=None, size_is_exact=False)
    with pytest.raises(DownloadError, match="kept"):
        get(unknown, tmp_path, said.append)
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<!DOCTYPE html><html>sign in</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "Git LFS pointer"),
        (DATA[:-5], "cut off"),
        (b"", "empty"),
    ],
)
def test_without_a_known_hash_the_structure_decides(entry, server, tmp_path, said, body, problem):
    server.files["/m.onnx"] = body
    with pytest.raises(DownloadError, match=problem):
        get(replace(entry, sha256=None, size=None, size_is_exact=False), tmp_path, said.append)
    assert names(tmp_path) == []


def test_a_file_that_is_gone_says_where_to_look(entry, server, tmp_path, said):
    server.files.clear()
    with pytest.raises(DownloadError, match=r"answers 404 \(Not Found\); see https://page"):
        get(entry, tmp_path, said.append)
    assert names(tmp_path) == [] and len(server.requests) == 1


def test_a_busy_server_is_asked_again(entry, server, tmp_path, said):
    server.busy = 2
    assert get(entry, tmp_path, said.append).path.read_bytes() == DATA
    assert [text.split(",")[0] for text in said] == ["the server is busy (503 Service Unavailable)"] * 2


def test_nobody_there_is_one_sentence(entry, tmp_path, said):
    with FileServer() as gone:
        url = f"{gone.address}/m.onnx"
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1 can't be reached: .*refused"):
        get(replace(entry, url=url), tmp_path, said.append)
    assert names(tmp_path) == []


def test_the_hash_that_hugging_face_states_is_compared(entry, server, tmp_path, said):
    unknown = replace(entry, url=f"{server.address}/resolve", sha256=None, size=None, size_is_exact=False)
    server.moved["/resolve"] = f"{server.address}/m.onnx"
    server.moved_headers["X-Linked-Etag"] = f'"{"0" * 64}"'
    with pytest.raises(DownloadError, match=f"instead of {'0' * 64}"):
        get(unknown, tmp_path, said.append)
    server.moved_headers["X-Linked-Etag"] = f'"{entry.sha256}"'
    assert "its host states" in get(unknown, tmp_path, said.append).proof


def test_only_https_leaves_this_machine(entry, server, tmp_path, said):
    server.moved["/m.onnx"] = "http://example.com/m.onnx"
    for url in (entry.url, "http://example.com/m.onnx", "file:///etc/passwd", "ftp://example.com/m.onnx"):
        with pytest.raises(DownloadError, match="is not https: nothing was fetched"):
            get(replace(entry, url=url), tmp_path, said.append)
    assert names(tmp_path) == []


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def test_the_model_in_a_zip_is_taken_out_and_the_zip_is_gone(entry, server, tmp_path, said):
    server.files["/m.zip"] = zipped(("2023/rtmw/end2end.onnx", DATA), ("2023/rtmw/pipeline.json", b"{}"))
    inside = replace(
        entry, url=f"{server.address}/m.zip", member="end2end.onnx", sha256=None, size=None, size_is_exact=False
    )
    server.drops = [1_000_000]
    fetched = get(inside, tmp_path, said.append)
    assert fetched.path.read_bytes() == DATA and fetched.sha256 == entry.sha256 and fetched.proof.endswith("m.zip")
    assert names(tmp_path) == ["m.onnx"]


def test_a_damaged_zip_or_one_without_the_model_is_refused(entry, server, tmp_path, said):
    inside = replace(
        entry, url=f"{server.address}/m.zip", member="end2end.onnx", sha256=None, size=None, size_is_exact=False
    )
    good = zipped(("end2end.onnx", DATA))
    server.files["/m.zip"] = good[:2_000_000] + bytes([good[2_000_000] ^ 1]) + good[2_000_001:]
    with pytest.raises(DownloadError, match=r"checksum of end2end\.onnx in it is wrong"):
        get(inside, tmp_path, said.append)
    assert names(tmp_path) == []
    server.files["/m.zip"] = zipped(("other.onnx", DATA))
    with pytest.raises(DownloadError, match=r"has 0 files called end2end\.onnx"):
        get(inside, tmp_path, said.append)
    assert not (tmp_path / "m.onnx").exists()


def test_two_commands_do_not_write_one_file(entry, server, tmp_path, said):
    half, done = threading.Event(), threading.Event()

    def wait_in_the_middle() -> None:
        server.on_body = None
        half.set()
        done.wait(10)

    server.on_body = wait_in_the_middle
    first = threading.Thread(target=get, args=(entry, tmp_path, said.append))
    first.start()
    assert half.wait(10)
    with pytest.raises(DownloadError, match="by another command already"):
        get(entry, tmp_path, said.append)
    done.set()
    first.join(10)
    assert (tmp_path / "m.onnx").read_bytes() == DATA and names(tmp_path) == ["m.onnx"]


def test_a_disk_too_small_is_told_before_the_download(entry, small_disk, said):
    with pytest.raises(DownloadError, match=r"has 2\.\d MB free, and 3\.0 MB are still to come"):
        get(entry, small_disk, said.append)
    assert names(small_disk) == []


def test_a_disk_that_fills_up_keeps_what_came(entry, server, small_disk, said, monkeypatch):
    """The room is there at first, and gone when half has come: somebody else writes to the same disk."""
    plenty = type("Usage", (), {"free": 1 << 40})
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: plenty)
    with pytest.raises(DownloadError, match=r"the disk is full: \d\.\d MB are kept in .*m\.onnx.*make room"):
        get(entry, small_disk, said.append)
    part = part_of(small_disk / "m.onnx")
    kept = part.read_bytes()
    assert 1_500_000 < len(kept) < len(DATA) and kept == DATA[: len(kept)] and not (small_disk / "m.onnx").exists()
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    assert get(entry, small_disk, said.append).path.read_bytes() == DATA
    assert server.requests[-1]["Range"] == f"bytes={len(kept)}-"


COMMAND = """
import sys
from physics_preserver.nodes import cli, commands
from physics_preserver.nodes.models.catalogue import ModelFile
url, sha256, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
where = ("detection", "detection", "onnxruntime", url, "https://page")
commands.CATALOGUE = (ModelFile("m.onnx", *where, "MIT", size, True, sha256),)
sys.exit(cli.main(["models", "get", "m.onnx", "--json", *sys.argv[4:]]))
"""


def test_ctrl_c_ends_the_command_and_the_next_one_goes_on(entry, server, tmp_path):
    stuck = threading.Event()
    command = [sys.executable, "-c", COMMAND, entry.url, str(entry.sha256), str(entry.size)]
    environment = {**os.environ, "COMFYUI_PATH": str(tmp_path)}
    (tmp_path / "models").mkdir()
    folder = tmp_path / "models" / "detection"
    server.on_body = lambda: stuck.wait(30)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    part = part_of(folder / "m.onnx")
    while not (part.exists() and part.stat().st_size >= len(DATA) // 2):
        assert process.poll() is None, process.communicate()
    time.sleep(0.5)  # until it waits for more: Python doesn't see a signal that comes right before it begins to
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=5)
    stuck.set()
    assert process.returncode == 130 and "1.5 MB of m.onnx are kept" in err and "Traceback" not in err
    assert not (folder / "m.onnx").exists()

    server.on_body = None
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    told = json.loads(again.stdout)
    assert again.returncode == 0 and told["path"] == str(folder / "m.onnx") and told["sha256"] == entry.sha256
    assert server.requests[-1]["Range"] == f"bytes={len(DATA) // 2}-" and names(folder) == ["m.onnx"]

    elsewhere = subprocess.run([*command, "--into", str(tmp_path / "extra")], env=environment, check=True)
    assert elsewhere.returncode == 0 and (tmp_path / "extra" / "m.onnx").read_bytes() == DATA

    once_more = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert once_more.returncode == 3 and "is there already" in json.loads(once_more.stdout)["error"]


def test_a_mistyped_comfyui_path_is_told_and_not_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path / "ConfyUI"))
    assert main(["models", "get", "yolox_nano.onnx", "--json"]) == 3
    assert "ConfyUI, which has no models folder" in json.loads(capsys.readouterr().out)["error"]
    assert names(tmp_path) == []


def test_nothing_that_nodes_import_can_download():
    """Fresh interpreter: every module of the engine but the command line's, then look for the way out."""
    code = """
import importlib, pkgutil, sys
import physics_preserver.nodes as nodes
from physics_preserver.nodes import host
for module in pkgutil.walk_packages(nodes.__path__, "physics_preserver.nodes."):
    last = module.name.rpartition(".")[2]
    if last in ("nodes", "comfy", "cli", "commands", "download") or last.endswith("_nodes"):
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:  # a network's module, which is imported when one is loaded
        if error.name != "torch":
            raise
print("physics_preserver.nodes.models.download" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

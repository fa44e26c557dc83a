"""A real ComfyUI server for tests: found on this machine, started in a folder of its own, spoken to over HTTP."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

PACK = Path(__file__).resolve().parents[1]
PACK_NAME = "physics-preserver"
TEST_PACKS = [PACK / "tests" / "host" / name for name in ("core_track", "random_conditioning", "stub_generator")]

START_LIMIT_S = 300.0
RUN_LIMIT_S = 600.0


class PromptError(Exception):
    """The server refused a workflow, or a node in it failed; the message is the server's."""


class Interrupted(Exception):
    """The workflow was cancelled."""


def find_comfyui() -> Path | None:
    """The ComfyUI folder to test with: COMFYUI_PATH, else the one this checkout is installed in, else ~/comfy.

    Raises:
        FileNotFoundError: COMFYUI_PATH names something else.
    """
    asked = os.environ.get("COMFYUI_PATH")
    if asked:
        if not Path(asked, "main.py").is_file():
            raise FileNotFoundError(f"COMFYUI_PATH is {asked}, which has no main.py")
        return Path(asked)
    for folder in (*PACK.parents, Path.home() / "comfy" / "ComfyUI"):
        if (folder / "main.py").is_file() and (folder / "comfy_extras").is_dir():
            return folder
    return None


def find_pack(name: str) -> Path | None:
    """Another custom node pack to test with: in the folder COMFYUI_PACKS, else among the found ComfyUI's own."""
    asked, comfyui = os.environ.get("COMFYUI_PACKS"), find_comfyui()
    folder = Path(asked) if asked else None if comfyui is None else comfyui / "custom_nodes"
    return folder / name if folder is not None and (folder / name / "__init__.py").is_file() else None


def start_comfyui(base: Path, packs: Sequence[Path] = ()) -> Iterator[Server]:
    """For a fixture: a running server in the empty folder `base`, ended afterwards; skips where there is no ComfyUI."""
    comfyui = find_comfyui()
    if comfyui is None:
        pytest.skip("no ComfyUI here: COMFYUI_PATH can name one")
    server = Server(comfyui, base, [*TEST_PACKS, *packs])
    try:
        yield server
    finally:
        server.stop()


def python_of(comfyui: Path) -> Path:
    """The interpreter that runs this ComfyUI: COMFYUI_PYTHON, else of a venv in or beside its folder, else ours."""
    asked = os.environ.get("COMFYUI_PYTHON")
    if asked:
        return Path(asked)
    inner = ("Scripts/python.exe",) if os.name == "nt" else ("bin/python",)
    for venv in (comfyui / ".venv", comfyui / "venv", comfyui.parent / "venv"):
        for name in inner:
            if (venv / name).exists():
                return venv / name
    return Path(sys.executable)


def has(package: str) -> bool:
    """Whether ComfyUI's Python has a package."""
    folder = find_comfyui()
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    return folder is not None and subprocess.run([str(python_of(folder)), "-c", code]).returncode == 0


class Server:
    """ComfyUI with this checkout as its only custom node, on a free loopback port, on the CPU.

    Args:
        comfyui: its folder, which is only read.
        base: an empty folder for everything the server keeps: models, input, output, temp, user, custom_nodes.
        packs: further custom nodes to load.
        cache: how it keeps results; its default forgets them when the machine's memory runs low.
    """

    def __init__(
        self, comfyui: Path, base: Path, packs: Sequence[Path] = (), cache: Sequence[str] = ("--cache-lru", "200")
    ):
        self.base = base
        self.input, self.output, self.temp = (base / name for name in ("input", "output", "temp"))
        self.log_file = base / "server.log"
        for name in ("input", "output", "temp", "user", "models/detection", "custom_nodes"):
            (base / name).mkdir(parents=True, exist_ok=True)
        for name, pack in ((PACK_NAME, PACK), *((pack.name, pack) for pack in packs)):
            (base / "custom_nodes" / name).symlink_to(pack, target_is_directory=True)
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [
            *(str(python_of(comfyui)), "-B", str(comfyui / "main.py"), "--cpu", "--base-directory", str(base)),
            *("--listen", "127.0.0.1", "--port", str(port), "--database-url", f"sqlite:///{base / 'comfyui.db'}"),
            *("--disable-auto-launch", "--disable-api-nodes"),
            *cache,
        ]
        self._command = command
        self.start()

    @property
    def pid(self) -> int:
        """Of the server's process."""
        return self._process.pid

    def start(self) -> None:
        """Start it: at first, or again after `kill` or `stop`, in the same place and on the same port."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self.base, stdout=log, stderr=subprocess.STDOUT)
        self._wait_for_start()

    def kill(self) -> None:
        """End it as a crash does, with no time to tidy up."""
        self._process.kill()
        self._process.wait()

    @property
    def log(self) -> str:
        """Everything the server has printed so far."""
        return self.log_file.read_text("utf-8", "replace")

    def get(self, path: str) -> Any:
        """The JSON at a path such as "/object_info"."""
        return json.loads(self.read(path))

    def read(self, path: str) -> bytes:
        """The bytes at a path. Raises urllib.error.HTTPError."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read()

    def post(self, path: str, data: Mapping[str, Any]) -> bytes:
        """Send JSON, get the answer's bytes. Raises urllib.error.HTTPError."""
        request = urllib.request.Request(
            self.url + path, json.dumps(data).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()

    def submit(self, graph: Mapping[str, Any], **more: Any) -> str:
        """Queue an API-format workflow; its prompt id. Raises PromptError with what validation found.

        `more` goes with it, such as partial_execution_targets.

        ComfyUI itself runs what is left of a workflow when some of its outputs are invalid; here that is an error.
        """
        try:
            answer = json.loads(self.post("/prompt", {"prompt": graph, **more}))
        except urllib.error.HTTPError as error:
            answer = json.loads(error.read())
        if "error" in answer or answer.get("node_errors"):
            raise PromptError(_validation_errors(answer))
        return answer["prompt_id"]

    def wait(self, prompt_id: str, limit_s: float = RUN_LIMIT_S) -> dict[str, Any]:
        """The finished workflow's outputs by node id. Raises PromptError, Interrupted, TimeoutError."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            entry = self.get(f"/history/{prompt_id}").get(prompt_id)
            if entry is not None:
                return _outcome(entry)
            if self._process.poll() is not None:
                raise RuntimeError(f"ComfyUI ended with {self._process.returncode}:\n{self.log[-3000:]}")
            time.sleep(0.05)
        raise TimeoutError(f"the workflow still runs after {limit_s:.0f} s")

    def run(self, graph: Mapping[str, Any]) -> dict[str, Any]:
        """`submit` and `wait`."""
        return self.wait(self.submit(graph))

    def memory_mb(self) -> float:
        """Its resident memory; skips where /proc doesn't tell."""
        status = Path(f"/proc/{self._process.pid}/status")
        if not status.is_file():
            pytest.skip("memory is read from /proc")
        found = re.search(r"VmRSS:\s+(\d+) kB", status.read_text())
        assert found is not None
        return int(found[1]) / 1024

    def settled_mb(self, least: float, limit_s: float = 30) -> float:
        """Its memory once it is down to `least`, or after `limit_s`: ComfyUI collects garbage every 10 s."""
        end = time.monotonic() + limit_s
        while (found := self.memory_mb()) > least and time.monotonic() < end:
            time.sleep(1)
        return found

    def stop(self) -> None:
        """End the server that this object started."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_for_start(self) -> None:
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError(f"ComfyUI ended with {self._process.returncode} at its start:\n{self.log[-3000:]}")
            try:
                self.get("/system_stats")
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.2)
        self.stop()
        raise TimeoutError(f"ComfyUI doesn't answer after {START_LIMIT_S:.0f} s:\n{self.log[-3000:]}")


def _validation_errors(answer: Mapping[str, Any]) -> str:
    said = [answer["error"]["message"]] if "error" in answer else []
    for node in answer.get("node_errors", {}).values():
        said += [f"{node['class_type']}: {error['message']}: {error['details']}" for error in node["errors"]]
    return "\n".join(said)


def _outcome(entry: Mapping[str, Any]) -> dict[str, Any]:
    for kind, details in entry["status"]["messages"]:
        if kind == "execution_error":
            raise PromptError(f"{details['node_type']}: {details['exception_type']}: {details['exception_message']}")
        if kind == "execution_interrupted":
            raise Interrupted(details.get("node_type"))
    return entry["outputs"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

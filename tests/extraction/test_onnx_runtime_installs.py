"""ONNX Runtime's builds in clean environments: which one runs, is that recognised, and does the named command mend it.

Each case is a virtual environment of its own with real wheels (260 MB to fetch, 440 MB each on the disk), so it runs
where CI or PHYSICS_PRESERVER_INSTALL_TESTS is set; 80 s in all on two busy cores.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from physics_preserver.nodes.extraction.onnx_runtime import MEND_CUDA

PACK = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(
        not (os.environ.get("CI") or os.environ.get("PHYSICS_PRESERVER_INSTALL_TESTS")),
        reason="installs ONNX Runtime four times: PHYSICS_PRESERVER_INSTALL_TESTS=1 asks for it",
    ),
    pytest.mark.skipif(sys.platform == "darwin", reason="there is no onnxruntime-gpu for macOS"),
]

ASK = """
import json, sys
from physics_preserver.nodes.extraction.onnx_runtime import installed_runtime, open_session
runtime = installed_runtime()
session = open_session(sys.argv[1])
print(json.dumps({
    "version": runtime.version, "wheels": runtime.wheels, "providers": runtime.providers,
    "cpu_build_won": runtime.cpu_build_won, "describe": runtime.describe(), "used": session.get_providers(),
}))
"""


class Environment:
    """A clean virtual environment that has numpy, onnxruntime's only need to run a model, and can see this pack."""

    def __init__(self, folder: Path):
        venv.create(folder / "venv", with_pip=True)
        self.python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        self.model = _doubling_model(folder / "double.onnx")
        (folder / "path").mkdir()
        (folder / "path" / "physics_preserver").symlink_to(PACK)
        bare = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self.variables = {**bare, "PYTHONPATH": str(folder / "path")}
        self.run("-m", *shlex.split("pip install --quiet --no-deps numpy"))

    def install(self, wheel: str) -> None:
        self.run("-m", *shlex.split(f"pip install --quiet --no-deps {wheel}"))

    def ask(self) -> dict:
        return json.loads(self.run("-c", ASK, str(self.model)))

    def run(self, *arguments: str) -> str:
        done = subprocess.run([self.python, *arguments], env=self.variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _doubling_model(file: Path) -> Path:
    onnx = pytest.importorskip("onnx")
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Add", ["x", "x"], ["y"])], "double", value[:1], value[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(file))
    return file


@pytest.fixture
def environment(tmp_path) -> Iterator[Environment]:
    yield Environment(tmp_path)
    shutil.rmtree(tmp_path / "venv")


def test_the_cpu_build_alone(environment):
    environment.install("onnxruntime")
    told = environment.ask()
    assert told["wheels"] == ["onnxruntime"] and told["providers"] == ["CPUExecutionProvider"]
    assert not told["cpu_build_won"] and MEND_CUDA not in told["describe"]


def test_the_gpu_build_alone(environment):
    environment.install("onnxruntime-gpu")
    told = environment.ask()
    assert told["wheels"] == ["onnxruntime-gpu"] and told["providers"][0] == "CUDAExecutionProvider"
    assert not told["cpu_build_won"] and "CUDA" in told["describe"]


def test_the_cpu_build_over_the_gpu_build_is_recognised_and_the_named_command_mends_it(environment):
    environment.install("onnxruntime-gpu")
    environment.install("onnxruntime")
    told = environment.ask()
    assert told["wheels"] == ["onnxruntime-gpu", "onnxruntime"] and told["cpu_build_won"]
    assert told["providers"] == told["used"] == ["CPUExecutionProvider"]
    assert f"mend it with `{MEND_CUDA}`" in told["describe"]

    environment.run("-m", *shlex.split(MEND_CUDA))
    mended = environment.ask()
    assert mended["providers"][0] == "CUDAExecutionProvider" and not mended["cpu_build_won"]
    assert mended["wheels"] == told["wheels"] and MEND_CUDA not in mended["describe"]


def test_the_gpu_build_installed_last_wins(environment):
    environment.install("onnxruntime")
    environment.install("onnxruntime-gpu")
    told = environment.ask()
    assert told["providers"][0] == "CUDAExecutionProvider" and not told["cpu_build_won"]
    assert set(told["wheels"]) == {"onnxruntime", "onnxruntime-gpu"}

"""What is installed and asked for: no module or data file is left out, and nothing that does harm is asked for."""

import re
from pathlib import Path

import pytest

try:
    import tomllib
except ImportError:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# ComfyUI's own requirements.txt has these (0.33), and a pack that lists them can only do harm.
FROM_COMFYUI = {"torch", "torchvision", "torchaudio", "numpy", "av", "pillow", "scipy", "tqdm", "safetensors", "psutil"}
FROM_COMFYUI |= {"aiohttp"}


def names(lines: list[str]) -> list[str]:
    found = [re.match(r"[A-Za-z0-9._-]+", line.split("#")[0].strip()) for line in lines]
    return [name[0].lower() for name in found if name]


@pytest.fixture
def asked_for() -> list[str]:
    return (ROOT / "requirements.txt").read_text().splitlines()


def test_every_module_and_every_data_file_is_installed():
    setup = PYPROJECT["tool"]["setuptools"]
    folders = {file.parent for file in [ROOT / "__init__.py", *(ROOT / "nodes").rglob("*.py")]}
    packages = {".".join(["physics_preserver", *folder.relative_to(ROOT).parts]) for folder in folders}
    assert set(setup["packages"]) == packages
    installed: set[Path] = set()
    for package, patterns in setup["package-data"].items():
        for pattern in patterns:
            found = set((ROOT / Path(*package.split(".")[1:])).glob(pattern))
            assert found, f"{pattern} of {package} is nothing"
            installed |= found
    data = {file for file in (ROOT / "nodes").rglob("*") if file.is_file() and file.suffix not in (".py", ".pyc")}
    assert data <= installed


def test_the_manager_is_asked_for_all_that_comfyui_does_not_have(asked_for):
    needed = {name for name in names(PYPROJECT["project"]["dependencies"]) if name not in FROM_COMFYUI | {"tomli"}}
    assert needed <= set(names(asked_for))


def test_the_manager_is_asked_for_nothing_that_does_harm(asked_for):
    assert not set(names(asked_for)) & FROM_COMFYUI
    assert "rtmlib" not in names(asked_for), "it brings the CPU build of onnxruntime over a user's CUDA build"
    assert not any(re.match(r"\s*-|.*(git\+|file://|://)", line.split("#")[0]) for line in asked_for)
    builds = [line for line in asked_for if line.startswith("onnxruntime")]
    assert [line.partition(";")[0] for line in builds] == ["onnxruntime-gpu", "onnxruntime"]
    assert [line.partition(";")[2].strip() for line in builds] == [
        'sys_platform != "darwin"',
        'sys_platform == "darwin"',
    ]


def test_no_extra_brings_a_second_onnxruntime_or_opencv():
    asked = [name for lines in PYPROJECT["project"]["optional-dependencies"].values() for name in names(lines)]
    base = names(PYPROJECT["project"]["dependencies"])
    assert "rtmlib" not in asked and "torch" not in base
    assert {name for name in [*asked, *base] if "opencv" in name} == {"opencv-python"}

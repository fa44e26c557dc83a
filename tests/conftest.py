"""What every test may ask for: the folder of shared clips, where it exists."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from comfyui import Server, start_comfyui
from tiny_wan import save_tiny_wan

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real clips, ground truth and reference outputs; a test that needs them is skipped by name without them."""
    folder = Path(os.environ.get("PHYSICS_PRESERVER_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder} (PHYSICS_PRESERVER_DATA names another place)")
    return folder


@pytest.fixture(scope="session")
def comfyui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real ComfyUI server with this pack, started once; skipped where there is none."""
    yield from start_comfyui(tmp_path_factory.mktemp("comfyui"))


@pytest.fixture(scope="session")
def tiny_wan(comfyui: Server) -> Server:
    """`comfyui` with the random Wan VACE and VAE of tiny_wan.py in its model folders."""
    save_tiny_wan(comfyui.base / "models")
    return comfyui


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB: mounted when this is root and may, else skipped."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small disk can't be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


OUTSIDE = {"host": "a real ComfyUI", "browser": "a real Chromium", "gpu": "a GPU"}


def pytest_terminal_summary(terminalreporter) -> None:
    """Say at the end which tests against the outside world ran, or why they did not."""
    terminalreporter.section("tests that need more than Python")
    for folder, need in OUTSIDE.items():
        reports = {kind: _of(terminalreporter.stats.get(kind, []), folder) for kind in ("passed", "failed", "skipped")}
        ran = len(reports["passed"]) + len(reports["failed"])
        reasons = {report.longrepr[2].removeprefix("Skipped: ") for report in reports["skipped"]}
        if not any(reports.values()):
            terminalreporter.write_line(f"{folder} ({need}): there are no such tests yet")
            continue
        why = f", {len(reports['skipped'])} skipped: {'; '.join(sorted(reasons))}" if reasons else ""
        terminalreporter.write_line(f"{folder} ({need}): {ran} ran{why}")


def _of(reports: list, folder: str) -> list:
    return [report for report in reports if report.nodeid.startswith(f"tests/{folder}/")]

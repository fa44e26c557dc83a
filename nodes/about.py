"""Which version of the pack this is, for those who ask over the network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import host

NAME = "physics-preserver"

# Where a ComfyUI that has the pack answers with its name and version.
ABOUT = "/physics_preserver/about"


def version() -> str | None:
    """Of this copy: as its pyproject.toml has it, else as it was installed; None where neither says."""
    try:
        import tomllib
    except ImportError:  # Python 3.10
        import tomli as tomllib

    from .media.folder import package_version

    project = Path(__file__).resolve().parents[1] / "pyproject.toml"
    if project.is_file():
        return tomllib.loads(project.read_text("utf-8"))["project"]["version"]
    return package_version(NAME)


def serve_about() -> None:
    """Let a client ask which version a server has; needs ComfyUI."""

    def about(query: dict[str, str]) -> dict[str, Any]:
        return {"name": NAME, "version": version()}

    host.serve(ABOUT, about)

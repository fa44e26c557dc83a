"""What a server is, and which workflows could run there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .errors import RemoteError
from .missing import files_wanted, missing_nodes, missing_values, model_sources, shipped
from .packs import OURS
from .server import Server
from .workflow import Workflow

SCHEMA, SCHEMA_VERSION = "physics-preserver/server-check", 1

# Where a server's pack tells its version.
ABOUT = "/physics_preserver/about"


def check_server(server: Server, workflows: Sequence[Path] = ()) -> dict[str, Any]:
    """Ask a server what it has.

    Args:
        workflows: API-format files to judge; none = those that come with the pack.

    Returns:
        url, comfyui (version), python, torch, devices (name, bytes in all and free), memory (bytes in all and free),
        pack (installed, version or None, folder), workflows: per file name, can_run, missing (see `Missing`), files
        (the inputs that the user gives a file).

    Raises:
        RemoteError: nothing answers.
        ValueError: a file is not an API-format workflow.
    """
    read = [(path, Workflow.load(path)) for path in workflows or shipped()]
    stats = server.stats()
    info = server.get("/object_info")
    system = stats["system"]
    judged = []
    for path, workflow in read:
        absent = [*missing_nodes(workflow, info), *missing_values(workflow, info, model_sources(path))]
        judged.append(
            {
                "name": workflow.name,
                "path": str(path),
                "can_run": not absent,
                "missing": [{**asdict(item), "text": item.in_words()} for item in absent],
                "files": files_wanted(workflow, info),
            }
        )
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "url": server.url,
        "comfyui": system["comfyui_version"],
        "python": system.get("python_version", "").partition(" ")[0],
        "torch": system.get("pytorch_version"),
        "memory": {"total": system.get("ram_total"), "free": system.get("ram_free")},
        "devices": [
            {"name": device["name"], "total": device.get("vram_total"), "free": device.get("vram_free")}
            for device in stats.get("devices", [])
        ],
        "pack": _pack(server, info),
        "workflows": judged,
    }


def in_words(found: dict[str, Any]) -> str:
    """The result of `check_server` as text; what is missing several times is said once."""
    memory = found["memory"]
    lines = [
        f"{found['url']}: ComfyUI {found['comfyui']}, Python {found['python']}, torch {found['torch']}",
        f"memory: {_gigabytes(memory['free'])} of {_gigabytes(memory['total'])} free",
        *(f"device: {d['name']}, {_gigabytes(d['free'])} of {_gigabytes(d['total'])} free" for d in found["devices"]),
    ]
    pack = found["pack"]
    if pack["installed"]:
        lines.append(
            f"{OURS.name}: {pack['version'] or 'a version that does not tell its number'}, in {pack['folder']}"
        )
    else:
        lines.append(f"{OURS.name}: not installed there; get it from ComfyUI-Manager or {OURS.url}")
    said: set[str] = set()
    for workflow in found["workflows"]:
        files = f" (give it: {', '.join(workflow['files'])})" if workflow["files"] else ""
        lines.append(f"{workflow['name']}: {f'can run{files}' if workflow['can_run'] else 'can NOT run'}")
        for item in workflow["missing"]:
            key = f"{item['kind']} {item['name']} {item['where']}"
            lines.append(f"  missing: {item['kind']} {item['name']}, see above" if key in said else
                         f"  missing: {item['text']}")  # fmt: skip
            said.add(key)
    return "\n".join(lines)


def _pack(server: Server, info: dict[str, Any]) -> dict[str, Any]:
    folders = {node.get("python_module", "") for name, node in info.items() if name.startswith("PP_")}
    if not folders:
        return {"installed": False, "version": None, "folder": None}
    try:
        version = server.get(ABOUT)["version"]
    except RemoteError:  # a pack from before this address
        version = None
    return {"installed": True, "version": version, "folder": sorted(folders)[0].replace(".", "/", 1)}


def _gigabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 2**30:.1f} GB"

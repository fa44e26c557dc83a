"""What a server is, and which workflows could run there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..about import ABOUT, version
from .errors import RemoteError
from .missing import MODEL, NODE, file_inputs, missing_nodes, missing_values, shipped
from .packs import OURS
from .server import Server
from .workflow import Workflow

SCHEMA, SCHEMA_VERSION = "physics-preserver/server-check", 1


def check_server(server: Server, workflows: Sequence[Path] = ()) -> dict[str, Any]:
    """Ask a server what it has.

    Args:
        workflows: API-format files to judge; none = those that come with the pack.

    Returns:
        url, comfyui (version), python, torch, devices (name, bytes in all and free), memory (bytes in all and free),
        pack (installed, version or None, folder, here: the version of this copy), workflows: of each the name, can_run,
        missing (see `Missing`), files (the inputs that the user gives a file).

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
        absent = [*missing_nodes(workflow, info), *missing_values(workflow, info)]
        judged.append(
            {
                "name": workflow.name,
                "path": str(path),
                "can_run": not absent,
                "missing": [{**asdict(item), "text": item.in_words()} for item in absent],
                "files": [
                    f"{workflow.title(n)}.{spec.name} ({spec.accepts})" for n, spec in file_inputs(workflow, info)
                ],
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
    """The result of `check_server` as text; where a thing comes from is said once."""
    memory = found["memory"]
    lines = [
        f"{found['url']}: ComfyUI {found['comfyui']}, Python {found['python']}, torch {found['torch']}",
        f"memory: {_gigabytes(memory['free'])} of {_gigabytes(memory['total'])} free",
        *(f"device: {d['name']}, {_gigabytes(d['free'])} of {_gigabytes(d['total'])} free" for d in found["devices"]),
        _pack_in_words(found["pack"]),
    ]
    said: set[str] = set()
    for workflow in found["workflows"]:
        files = f"; it reads {', '.join(workflow['files'])}" if workflow["files"] else ""
        lines.append(f"{workflow['name']}: {f'can run{files}' if workflow['can_run'] else 'can NOT run, for want of'}")
        lines += [f"  {line}" for line in _wants(workflow["missing"], said)]
    return "\n".join(lines)


def _wants(missing: Sequence[dict[str, Any]], said: set[str]) -> Iterator[str]:
    """Nodes by pack, models by folder, then the rest."""
    packs: dict[tuple[str, str, str], list[str]] = {}
    for item in missing:
        if item["kind"] == NODE:
            packs.setdefault((item["where"], item["url"], item["hint"]), []).append(item["name"])
    for (pack, url, hint), names in packs.items():
        count = f"{len(names)} node{'s' if len(names) > 1 else ''}"
        yield f"{count} of {pack or 'an unknown pack'}: {', '.join(names)}{f'; {hint}' if hint else ''}"
        if url and url not in said:
            yield f"    {pack}: ComfyUI-Manager, or {url}"
        said.add(url)
    for item in missing:
        if item["kind"] == MODEL:
            yield f"models/{item['where'] or '?'}/{item['name']}{f'; {hint}' if (hint := item['hint']) else ''}"
            if item["url"] and item["url"] not in said:
                yield f"    {item['url']}"
            said.add(item["url"])
        elif item["kind"] != NODE:
            yield item["text"]


def _pack_in_words(pack: dict[str, Any]) -> str:
    if not pack["installed"]:
        return f"{OURS.name}: not installed there; get it from ComfyUI-Manager or {OURS.url}"
    if pack["version"] is None:
        return f"{OURS.name}: in {pack['folder']}, too old to tell its version; here it is {pack['here']}"
    other = "" if pack["version"] == pack["here"] else f"; here it is {pack['here']}"
    return f"{OURS.name}: {pack['version']}, in {pack['folder']}{other}"


def _pack(server: Server, info: dict[str, Any]) -> dict[str, Any]:
    folders = {node.get("python_module", "") for name, node in info.items() if name.startswith("PP_")}
    if not folders:
        return {"installed": False, "version": None, "folder": None, "here": version()}
    try:
        there = server.get(ABOUT)["version"]
    except RemoteError:  # a pack from before this address
        there = None
    return {"installed": True, "version": there, "folder": sorted(folders)[0].replace(".", "/", 1), "here": version()}


def _gigabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 2**30:.1f} GB"

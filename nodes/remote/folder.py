"""A physics folder that Save Physics wrote on a server, brought here whole."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

from ..media.folder import METADATA, files_of
from .outputs import RemoteFile
from .transport import Report, Transport

# Requests at a time: a folder has thousands of small files, each of which costs a way there and back.
AT_ONCE = 8

# What files_of may name: a folder and a file in it, neither of which leads elsewhere.
NAME = re.compile(r"(?!\.)[^/\\:]+/(?!\.)[^/\\:]+")


async def fetch_folder(transport: Transport, metadata: RemoteFile, into: Path, report: Report) -> None:
    """Fetch the files that aren't there yet; called again after it broke off, it goes on.

    Args:
        metadata: the folder's METADATA.
        into: a folder.
        report: is told how many files of how many are there.

    Raises:
        ValueError: the metadata names a file outside of the folder.
    """
    await _fetch(transport, metadata.query, into / METADATA)
    names = list(files_of(json.loads((into / METADATA).read_text("utf-8"))))
    for name in names:
        if not NAME.fullmatch(name):
            raise ValueError(f"{METADATA} on the server names {name!r}, which is no file of its folder")
        (into / name).parent.mkdir(exist_ok=True)
    left, done = iter(names), 0

    async def work(left: Iterator[str]) -> None:
        nonlocal done
        for name in left:
            subfolder, _, file = name.rpartition("/")
            query = {**metadata.query, "filename": file, "subfolder": f"{metadata.subfolder}/{subfolder}"}
            await _fetch(transport, query, into / name)
            done += 1
            report(done, len(names))

    workers = [asyncio.ensure_future(work(left)) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _fetch(transport: Transport, query: dict[str, str], path: Path) -> None:
    if not path.exists():
        beside = path.with_name(f".{path.name}.partial")
        await transport.download(query, beside)
        beside.replace(path)

"""Fetching one model file by name, for the command line only: resumed, verified, and moved into place when whole.

Nodes never download, and nothing that a node imports imports this module.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import urlsplit

from .catalogue import ModelFile, megabytes
from .integrity import BLOCK, damage, sha256_of

TIMEOUT_S = 30.0
RETRY_WAITS_S = (1.0, 2.0, 4.0, 8.0)  # a dropped connection is taken up again after each of these
BUSY = {429, 502, 503, 504}
LOCAL = {"localhost", "127.0.0.1", "::1"}


class DownloadError(OSError):
    """A file could not be fetched; the message says why and what can be done."""


class _Dropped(Exception):
    """The connection broke off or the server is busy: worth another attempt."""


class _Changed(_Dropped):
    """What the server has now doesn't go with what is here: the next attempt starts anew."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is in place now. size in bytes; proof: in words, what its content was compared with."""

    path: Path
    size: int
    sha256: str
    proof: str


@dataclass(slots=True)
class _State:
    """What is known about the unfinished file: from where, which version of it, how long, its hash if the host says."""

    url: str = ""
    validator: str = ""
    total: int | None = None
    sha256: str | None = None


def part_of(target: Path) -> Path:
    """Where the unfinished download of `target` is kept: beside it, under a name that nothing else uses."""
    return target.with_name(f"{target.name}.physics-preserver.part")


def get(entry: ModelFile, folder: Path, say: Callable[[str], object]) -> Fetched:
    """Fetch one file of the catalogue into `folder`, which is made when it isn't there.

    What arrives is kept as `part_of(target)` until it is whole and verified, also when this is interrupted or fails,
    and the next call goes on from there; when the file on the server has changed since, it starts anew.

    Args:
        say: called with a sentence when something unexpected but harmless happens.

    Raises:
        FileExistsError: the file is there already; it is never overwritten.
        DownloadError: it could not be fetched, is not the file that the catalogue knows, or the disk is full.
    """
    target = folder / entry.name
    part = part_of(target)
    _require_free(target)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(part) as notes:
        _require_free(target)
        state = _read_state(notes, entry.url)
        try:
            _fetch(entry, part, notes, state, say)
        except KeyboardInterrupt:
            say(f"{megabytes(_size(part))} of {entry.name} are kept; the same command goes on from there")
            raise
        size, sha256 = part.stat().st_size, sha256_of(part)
        problem, proof = _verdict(entry, part, state, sha256)
        if problem:
            part.unlink()
            raise DownloadError(f"what came from {entry.url} is not {entry.name}: {problem}; it was deleted again")
        if entry.member:
            size, sha256 = _unpack(entry.member, part, target)
            proof += f", unpacked from {PurePosixPath(urlsplit(entry.url).path).name}"
        else:
            _put_in_place(part, target)
    return Fetched(target, size, sha256, proof)


def _require_free(target: Path) -> None:
    if target.exists():
        raise FileExistsError(
            f"{target} is there already ({megabytes(target.stat().st_size)}) and is not overwritten; "
            "`models check` tells whether it is whole, and without it `models get` fetches it again"
        )


def _verdict(entry: ModelFile, part: Path, state: _State, sha256: str) -> tuple[str | None, str]:
    """What is wrong with the finished download, and with what it was compared."""
    size = part.stat().st_size
    if entry.size_is_exact and size != entry.size:
        return f"it has {size} bytes instead of {entry.size}", ""
    broken = damage(part, PurePosixPath(urlsplit(entry.url).path).name)
    for known, whose in ((entry.sha256, "the catalogue's"), (state.sha256, "the one that its host states")):
        if known:
            wrong = f"its SHA-256 is {sha256} instead of {known}"
            return (f"{wrong}; {broken}" if broken else wrong) if sha256 != known else broken, f"its SHA-256 is {whose}"
    return broken, "its length and structure are right; no hash is known to compare with"


def _fetch(entry: ModelFile, part: Path, notes: BinaryIO, state: _State, say: Callable[[str], object]) -> None:
    """Bring `part` to its full length, over as many connections as that takes."""
    for wait in (*RETRY_WAITS_S, None):
        try:
            return _attempt(entry, part, notes, state, say)
        except _Dropped as error:
            if isinstance(error, _Changed):
                _write_state(notes, state, _State(entry.url))
            have = _size(part)
            reached = f"{megabytes(have)} of {megabytes(state.total)}" if state.total else megabytes(have)
            if wait is None:
                raise DownloadError(
                    f"{entry.url}: {error}, after {reached}; these are kept, and the same command goes on from there"
                ) from error
            say(f"{error}, after {reached}; trying again in {wait:g} s")
            time.sleep(wait)


def _attempt(entry: ModelFile, part: Path, notes: BinaryIO, state: _State, say: Callable[[str], object]) -> None:
    from tqdm import tqdm

    have = _size(part) if state.validator else 0
    if have and have == state.total:
        return
    asked = {"Range": f"bytes={have}-", "If-Range": state.validator} if have else {}
    response, linked = _open(entry, asked)
    with response:
        arrived = _State(entry.url, _validator(response.headers), None, linked)
        length = response.headers.get("Content-Length")
        if response.status == 206 and not _continues(response.headers, have, arrived, state):
            raise _Changed("the server went on with another file than the one that was begun")
        if response.status == 200:
            if have:
                say("the file has changed on its server, or that can't go on in the middle; starting anew")
            have = 0
        else:
            arrived.sha256 = linked or state.sha256
        arrived.total = have + int(length) if length else None
        if entry.size_is_exact and arrived.total not in (None, entry.size):
            raise DownloadError(
                f"{entry.url} has {arrived.total} bytes and {entry.name} should have {entry.size}: it is another file, "
                "and was not downloaded"
            )
        _require_room(part, arrived.total, have)
        _write_state(notes, state, arrived)
        with (
            open(part, "ab" if have else "wb", buffering=0) as file,
            tqdm(total=arrived.total, initial=have, desc=entry.name, unit="B", unit_scale=True, leave=False,
                 disable=None) as bar,
        ):  # fmt: skip
            for block in _blocks(response):
                _append(file, block, part)
                bar.update(len(block))
            os.fsync(file.fileno())
    if arrived.total is not None and _size(part) < arrived.total:
        raise _Dropped("the connection broke off")


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            block = response.read1(BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise _Dropped(f"the connection broke off ({error or type(error).__name__})") from error
        if not block:
            return
        yield block


def _append(file, block: bytes, part: Path) -> None:
    rest = memoryview(block)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DownloadError(
            f"the disk is full: {megabytes(_size(part))} are kept in {part}; make room and give the same command, "
            "which goes on from there, or delete that file"
        ) from error


def _require_room(part: Path, total: int | None, have: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if total is not None and total - have > free:
        raise DownloadError(
            f"{part.parent} has {megabytes(free)} free, and {megabytes(total - have)} are still to come; make room, "
            "or let COMFYUI_PATH name a ComfyUI on another disk"
        )


def _open(entry: ModelFile, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, str | None]:
    """The server's answer, and the SHA-256 that Hugging Face states on the way to it."""
    redirects = _Redirects()
    _require_safe(entry.url)
    request = urllib.request.Request(
        entry.url, headers={"User-Agent": "physics-preserver", "Accept-Encoding": "identity", **headers}
    )
    try:
        response = urllib.request.build_opener(redirects).open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code in BUSY:
            raise _Dropped(f"the server is busy ({error.code} {error.reason})") from error
        if error.code == 416:
            raise _Changed("the file on the server is shorter now than what is here") from error
        raise DownloadError(
            f"{entry.url} answers {error.code} ({error.reason}); see {entry.page} for where {entry.name} is now"
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise DownloadError(f"{urlsplit(entry.url).hostname} can't be reached: {reason}") from error
    return response, redirects.sha256


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects over https only; notes the hash that Hugging Face sends with its own."""

    sha256: str | None = None

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _require_safe(newurl)
        stated = headers.get("X-Linked-Etag", "").strip('"')  # as huggingface_hub reads it; of a file kept in LFS
        if re.fullmatch("[0-9a-f]{64}", stated):
            self.sha256 = stated
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_safe(url: str) -> None:
    address = urlsplit(url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOCAL):
        raise DownloadError(f"{url} is not https: nothing was fetched from there")


def _validator(headers: http.client.HTTPMessage) -> str:
    """What names this version of the file in If-Range: a strong ETag, or the date of its last change."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")


def _continues(headers: http.client.HTTPMessage, have: int, arrived: _State, state: _State) -> bool:
    """A 206 answer goes on exactly where the part ends, in the same version of the file."""
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
    if not span or int(span[1]) != have or (arrived.validator and arrived.validator != state.validator):
        return False
    return state.total is None or span[2] in ("*", str(state.total))


@contextmanager
def _alone(part: Path) -> Iterator[BinaryIO]:
    """The notes beside a part, open and locked, so that two commands don't write one file; gone with the part."""
    path = part.with_name(f"{part.name}.json")
    with open(path, "a+b") as notes:
        _lock(notes, part)
        try:
            yield notes
        finally:
            notes.close()
            if not part.exists():
                path.unlink(missing_ok=True)


def _lock(notes: BinaryIO, part: Path) -> None:
    try:
        if sys.platform == "win32":
            import msvcrt

            notes.seek(1 << 30)  # a byte far behind the content: a locked one can't be read
            msvcrt.locking(notes.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(notes, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise DownloadError(f"{part.name} is being written by another command already ({error})") from error


def _read_state(notes: BinaryIO, url: str) -> _State:
    notes.seek(0)
    try:
        state = _State(**json.loads(notes.read()))
    except (ValueError, TypeError):
        return _State(url)
    return state if state.url == url else _State(url)


def _write_state(notes: BinaryIO, state: _State, new: _State) -> None:
    for key, value in asdict(new).items():
        setattr(state, key, value)
    notes.seek(0)
    notes.truncate()
    notes.write(json.dumps(asdict(state)).encode())
    notes.flush()


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _unpack(member: str, archive: Path, target: Path) -> tuple[int, str]:
    """Take the one file called `member` out of a zip, wherever it is in there; returns its size and hash."""
    unpacked = target.with_name(f"{target.name}.physics-preserver.unpacked")
    with zipfile.ZipFile(archive) as files:
        found = [item for item in files.infolist() if PurePosixPath(item.filename).name == member]
        if len(found) != 1:
            raise DownloadError(f"{archive} has {len(found)} files called {member} in it and not one; it is kept")
        try:
            with files.open(found[0]) as source, open(unpacked, "wb") as out:
                shutil.copyfileobj(source, out, BLOCK)
                out.flush()
                os.fsync(out.fileno())
        except BaseException:
            unpacked.unlink(missing_ok=True)
            raise
    problem = damage(unpacked, target.name)
    if problem:
        unpacked.unlink()
        archive.unlink()
        raise DownloadError(f"{member} in the zip is not {target.name}: {problem}; it was deleted again")
    size, sha256 = unpacked.stat().st_size, sha256_of(unpacked)
    _put_in_place(unpacked, target)
    archive.unlink()
    return size, sha256


def _put_in_place(file: Path, target: Path) -> None:
    _require_free(target)
    file.rename(target)

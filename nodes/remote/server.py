"""A ComfyUI server and the jobs on it, for scripts: plain calls that return when the thing is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, TypeVar

from ..media.folder import new_folder
from ..media.writer import replacing
from . import jobs
from .errors import RemoteError, ServerDown
from .folder import fetch_folder
from .jobs import OnStep, Submission
from .outputs import FOLDER, RemoteFile, Said, final_verdict, free_name, raise_failure, read_outputs
from .steps import DONE, NOTE, RUNNING, Step, Watch
from .transport import HttpError, Transport
from .workflow import Workflow

T = TypeVar("T")

# Seconds between two chances for Ctrl-C: on Windows a wait without end doesn't heed it.
HEED_S = 0.2


@dataclass(frozen=True)
class Downloaded:
    """A file that a job made, on this machine. title: of its node; kind: what that lists it as, such as "images"."""

    title: str
    node_id: str
    kind: str
    path: Path
    size: int


class Server:
    """One ComfyUI, 0.33 or newer. Use it in a `with` block; calls block, and Ctrl-C leaves them at once.

    What is sent and received is so in a thread of its own; `on_step` functions are called there.

    Args:
        address: HOST:PORT, or a URL with http or https and perhaps a path; the port is 8188 if none is named.
    """

    def __init__(self, address: str):
        self._transport = Transport(address)
        self.url = self._transport.shown

    def __enter__(self) -> Server:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name=f"server {self.url}", daemon=True)
        self._thread.start()
        self._do(self._transport.open())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        try:
            self._do(self._transport.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def stats(self) -> dict[str, Any]:
        """What /system_stats says: {"system": {...}, "devices": [...]}. Raises ServerDown."""
        try:
            stats = self.get("/system_stats")
        except HttpError as error:
            raise ServerDown(f"what answers at {self.url} is not ComfyUI, or does not let you in: {error}") from None
        if not isinstance(stats, dict) or "comfyui_version" not in stats.get("system", {}):
            raise ServerDown(f"what answers at {self.url} is not ComfyUI")
        return stats

    def get(self, path: str) -> Any:
        """The JSON at a path such as "/queue". Raises RemoteError."""
        return self._do(self._transport.get(path))

    def submit(self, workflow: Workflow, on_step: OnStep = lambda step: None) -> Job:
        """Send a workflow's files and queue it.

        Raises:
            ServerDown: nothing answers.
            Refused: nodes are missing there, or the server finds the workflow invalid.
            ValueError: a value or a file doesn't fit the workflow.
        """
        self.stats()
        submission = self._do(jobs.prepare(self._transport, workflow))
        socket = self._do(self._transport.listen(submission.client))
        try:
            self._do(jobs.queue(self._transport, submission, on_step))
        except KeyboardInterrupt:
            if submission.prompt_id:
                on_step(Step(NOTE, text=self._cancelled(submission)))
            raise
        except BaseException:
            self._do(socket.close())
            raise
        return Job(self, submission, socket)

    def _cancelled(self, submission: Submission) -> str:
        try:
            return self._do(jobs.cancel(self._transport, submission))
        except RemoteError as error:
            return f"the job could not be cancelled: {error}"

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            while not wait_for([future], HEED_S).done:
                pass
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def _insist(self, work: Callable[[], Coroutine[Any, Any, T]], on_step: OnStep, patience_s: float) -> T:
        """Do it, and do it anew while nothing answers or it breaks off, for so many seconds."""
        end = time.monotonic() + patience_s
        while True:
            try:
                return self._do(work())
            except ServerDown as error:
                if time.monotonic() >= end:
                    raise
                on_step(Step(NOTE, text=f"{error}; once more"))
                self._do(asyncio.sleep(min(jobs.RETRY_S, patience_s)))


class Job:
    """A workflow in a server's queue. After `wait`: `files` and `said` are what its nodes showed, by title. After
    `download`: `lost` are those files that the server no longer has."""

    def __init__(self, server: Server, submission: Submission, socket: Any):
        self._server, self._submission, self._socket = server, submission, socket
        self.files: list[RemoteFile] = []
        self.lost: list[RemoteFile] = []
        self.said: list[Said] = []

    @property
    def id(self) -> str:
        """The server's id of the job; another one after it had to be submitted again."""
        return self._submission.prompt_id

    @property
    def graph(self) -> dict[str, Any]:
        """The workflow as it was submitted."""
        return self._submission.graph

    @property
    def uploaded(self) -> dict[str, str]:
        """Files of this machine and their names on the server."""
        return dict(self._submission.uploaded)

    @property
    def submissions(self) -> int:
        """How often it was queued: 2 when the server was restarted meanwhile."""
        return self._submission.tries

    def wait(self, on_step: OnStep = lambda step: None, patience_s: float = jobs.PATIENCE_S) -> None:
        """Return when the job is done. A server that goes away is waited for; one that forgot the job gets it again.

        Raises:
            NodeFailed: a node raised an error; what other nodes made before is in `files` all the same.
            JobStopped: it was cancelled on the server, or a node held it back.
            JobLost, ServerDown: the server was restarted twice, or stayed away for more than `patience_s` seconds.
        """
        socket, self._socket = self._socket, None
        entry, watch = self._server._do(
            jobs.follow(self._server._transport, self._submission, socket, on_step, patience_s)
        )
        self._take(entry, watch)

    def _take(self, entry: dict[str, Any], watch: Watch) -> None:
        self.files, self.said = read_outputs(entry, self._submission.workflow)
        raise_failure(entry, self._submission.workflow, watch.held)

    def cancel(self) -> str:
        """Stop it, wherever it is, and no other job; what became of it, in words."""
        return self._server._cancelled(self._submission)

    def download(
        self, folder: str | Path, on_step: OnStep = lambda step: None, patience_s: float = jobs.PATIENCE_S
    ) -> list[Downloaded]:
        """Fetch `files` into a folder. Each appears when it is whole; nothing is overwritten: names are counted on. Of
        Save Physics it is the whole physics folder.

        What was deleted on the server meanwhile is in `lost`.

        Raises:
            ServerDown: the server stayed away for more than `patience_s` seconds.
            OSError: a file can't be written.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.lost = []
        fetched = (self._fetch(file, folder, on_step, patience_s) for file in self.files)
        return [file for file in fetched if file]

    def verdict(self) -> dict[str, Any] | None:
        """How the workflow's last judge, such as Validate Physics or Repair Physics, found the clip: {"verdict":
        "passed" | "failed" | "could not judge", "summary", "score", "label", "title"}; None where there is none."""
        return final_verdict(self.said, self._submission.graph)

    def _fetch(self, file: RemoteFile, folder: Path, on_step: OnStep, patience_s: float) -> Downloaded | None:
        fetch = self._fetch_folder if file.kind == FOLDER else self._fetch_file
        try:
            path = fetch(file, folder, on_step, patience_s)
        except HttpError as error:
            if error.status != 404:
                raise
            self.lost.append(file)
            return None
        parts = path.rglob("*") if path.is_dir() else [path]
        size = sum(part.stat().st_size for part in parts if part.is_file())
        return Downloaded(file.title, file.node_id, file.kind, path, size)

    def _fetch_file(self, file: RemoteFile, folder: Path, on_step: OnStep, patience_s: float) -> Path:
        path, transport = free_name(folder, file.filename), self._server._transport
        title = f"fetching {path.name}"

        def told(so_far: int, size: int) -> object:
            return on_step(Step(RUNNING, title, "", so_far, size))

        with replacing(path) as beside:
            self._server._insist(lambda: transport.download(file.query, beside, told), on_step, patience_s)
        on_step(Step(DONE, title))
        return path

    def _fetch_folder(self, file: RemoteFile, folder: Path, on_step: OnStep, patience_s: float) -> Path:
        path, transport = free_name(folder, file.subfolder), self._server._transport
        title = f"fetching the folder {path.name}"

        def told(files: int, of: int) -> object:
            return on_step(Step(RUNNING, title, file.node_id, files, of))

        with new_folder(path) as beside:
            self._server._insist(lambda: fetch_folder(transport, file, beside, told), on_step, patience_s)
        on_step(Step(DONE, title, file.node_id))
        return path

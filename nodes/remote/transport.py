"""HTTP and WebSocket to one ComfyUI: what is sent and what comes back, and every way to fail put into words."""

from __future__ import annotations

import asyncio
import io
import json
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import RemoteError, ServerDown

DEFAULT_PORT = 8188

# Seconds. A server that loads a model may leave a request unanswered for a while; an upload is answered once stored.
CONNECT_S, ANSWER_S, STORED_S, HEARTBEAT_S = 10, 90, 900, 60

# What a proxy in front of a server answers while that is away.
AWAY = (502, 503, 504)

CHUNK = 1 << 20

Report = Callable[[int, int], object]  # bytes so far, bytes in all


class HttpError(RemoteError):
    """An answer that isn't 200."""

    def __init__(self, status: int, text: str, what: str):
        super().__init__(f"{what} was answered with {status}: {text.strip()[:500] or 'no text'}")
        self.status, self.text = status, text


@dataclass(frozen=True)
class Position:
    """Where a job is. entry: its history, once it has ended; ahead: jobs before it in the queue, 0 when it runs, None
    when the server doesn't know the job."""

    entry: dict[str, Any] | None
    ahead: int | None


def base_url(address: str) -> str:
    """'127.0.0.1:8188', 'host' or 'https://host/comfy/' as a URL without a slash at its end. Raises ValueError."""
    text = address.strip()
    url = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = url.port
    except ValueError:
        raise ValueError(f"the server {address!r} has no usable port; HOST:PORT or a URL is needed") from None
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
        raise ValueError(f"{address!r} is not a server; HOST:PORT or a URL such as https://host/path is needed")
    place = url.netloc if port or "://" in text else f"{url.netloc}:{DEFAULT_PORT}"
    return f"{url.scheme}://{place}{url.path.rstrip('/')}"


class Transport:
    """One connection pool; all methods but `open` need it to be open.

    All raise ServerDown where nothing answers, HttpError for an answer other than 200.
    """

    def __init__(self, address: str):
        self.url = base_url(address)
        place = urlsplit(self.url)
        self.shown = self.url.replace(place.netloc, place.netloc.rpartition("@")[2], 1)  # no password in messages
        self._session: Any = None

    async def open(self) -> None:
        try:
            import aiohttp
        except ImportError:
            raise ImportError("talking to a server needs the package aiohttp: pip install aiohttp") from None
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=ANSWER_S)
        self._session = aiohttp.ClientSession(timeout=timeout)

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def get(self, path: str) -> Any:
        """The JSON at a path."""
        async with self._asked("GET", path) as answer:
            return await self._json(answer, path)

    async def post(self, path: str, data: Any) -> Any:
        """Send JSON; the answer's JSON, None where it has no text."""
        async with self._asked("POST", path, json=data) as answer:
            return await self._json(answer, path)

    async def stored_size(self, query: dict[str, str]) -> int | None:
        """Bytes of a file that /view can give, None where there is none."""
        try:
            async with self._asked("HEAD", "/view", params=query) as answer:
                return int(answer.headers.get("Content-Length", -1))
        except HttpError as error:
            if error.status in (400, 404):
                return None
            raise

    async def upload(self, file: Path, name: str, report: Report | None = None) -> str:
        """Put a file into the server's input folder under `name`; the name it was given there.

        It is read as it is sent. A file of that name with other content is not overwritten: the server counts names on.
        """
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=STORED_S)
        with _Counted(file, report) as content:
            form = aiohttp.FormData()
            form.add_field("type", "input")
            form.add_field("image", content, filename=name, content_type="application/octet-stream")
            async with self._asked("POST", "/upload/image", data=form, timeout=timeout) as answer:
                stored = await self._json(answer, "/upload/image")
        return "/".join(part for part in (stored.get("subfolder", ""), stored["name"]) if part)

    async def download(self, query: dict[str, str], into: Path, report: Report | None = None) -> None:
        """Write a file that /view gives; it is read as it is written. ServerDown where it breaks off."""
        async with self._asked("GET", "/view", params=query) as answer:
            size, so_far = int(answer.headers.get("Content-Length", 0)), 0
            with into.open("wb") as out:
                async for chunk in answer.content.iter_chunked(CHUNK):
                    out.write(chunk)
                    so_far += len(chunk)
                    if report:
                        report(so_far, size)

    async def position(self, prompt_id: str) -> Position:
        """Where a job is. The queue is asked before the history, as a job moves from the one to the other."""
        queue = await self.get("/queue")
        if any(item[1] == prompt_id for item in queue["queue_running"]):
            return Position(None, 0)
        mine = next((item[0] for item in queue["queue_pending"] if item[1] == prompt_id), None)
        if mine is not None:
            before = sum(item[0] < mine for item in queue["queue_pending"])
            return Position(None, before + len(queue["queue_running"]))
        entry = (await self.get(f"/history/{prompt_id}")).get(prompt_id)
        return Position(entry, None)

    async def listen(self, client_id: str) -> Any:
        """A WebSocket with the messages to this client; `next_message` reads it."""
        import aiohttp

        try:
            return await self._session.ws_connect(
                f"{self.url}/ws", params={"clientId": client_id}, heartbeat=HEARTBEAT_S, max_msg_size=0
            )
        except aiohttp.WSServerHandshakeError as error:
            if error.status in AWAY:
                raise ServerDown(f"{self.shown} answers {error.status}") from None
            raise RemoteError(
                f"{self.shown} does not open a WebSocket (status {error.status}); a proxy in front of it must let "
                "/ws pass"
            ) from None
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
            raise self._down(error) from None

    async def next_message(self, socket: Any, limit_s: float) -> dict[str, Any] | None:
        """The next message, None after `limit_s` without one or for a picture. Raises ServerDown when it has closed."""
        import aiohttp

        try:
            message = await socket.receive(limit_s)
        except asyncio.TimeoutError:
            return None
        if message.type == aiohttp.WSMsgType.TEXT:
            return json.loads(message.data)
        if message.type == aiohttp.WSMsgType.BINARY:
            return None
        raise ServerDown(f"{self.shown} has closed the connection")

    @asynccontextmanager
    async def _asked(self, method: str, path: str, **more: Any) -> AsyncIterator[Any]:
        import aiohttp

        try:
            async with self._session.request(method, self.url + path, **more) as answer:
                if answer.status in AWAY:
                    raise ServerDown(f"{self.shown} answers {answer.status}: the ComfyUI behind it is away")
                if answer.status != 200:
                    raise HttpError(answer.status, await answer.text(errors="replace"), f"{method} {path}")
                yield answer
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, asyncio.TimeoutError) as error:
            raise self._down(error) from None
        except aiohttp.ClientError as error:
            raise ServerDown(f"what answers at {self.shown} does not speak HTTP: {error}") from None

    async def _json(self, answer: Any, path: str) -> Any:
        text = await answer.text(errors="replace")
        try:
            return json.loads(text) if text.strip() else None
        except ValueError:
            raise ServerDown(f"what answers at {self.shown}{path} is not ComfyUI: it gives no JSON") from None

    def _down(self, error: BaseException) -> ServerDown:
        reason = str(error) or (
            "no answer in time" if isinstance(error, asyncio.TimeoutError) else type(error).__name__
        )
        cause = getattr(error, "os_error", None)
        if cause is not None and (cause.errno or 0) > 0 and not isinstance(cause, ssl.SSLError):
            reason = os.strerror(cause.errno)
        return ServerDown(f"no ComfyUI answers at {self.shown}: {reason}")


class _Counted(io.BufferedReader):
    """A file that tells how much of it has been read."""

    def __init__(self, file: Path, report: Report | None):
        super().__init__(io.FileIO(file))  # pyright: ignore[reportArgumentType]
        self._size, self._report = file.stat().st_size, report

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self._report:
            self._report(self.tell(), self._size)
        return data

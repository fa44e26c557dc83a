"""A web server of a few files on this machine that can misbehave: drop a connection, ignore ranges, change a file."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What the server has (path -> bytes) and how it behaves; `requests` has the headers of each request it got."""

    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True  # answers 206 to a range
    if_range: bool = True  # heeds If-Range, as it should
    etag: str = '"{md5}"'
    drops: list[int] = field(default_factory=list)  # bytes after which the next answers break off, one each
    busy: int = 0  # so many answers of 503 first
    moved: dict[str, str] = field(default_factory=dict)  # path -> Location
    moved_headers: dict[str, str] = field(default_factory=dict)
    length_offset: int = 0  # added to the true Content-Length
    on_body: Callable[[], object] | None = None  # called when half of a body is sent
    requests: list[dict[str, str]] = field(default_factory=list)
    address: str = ""

    def __enter__(self) -> FileServer:
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with suppress(ConnectionError):  # a client that goes away in the middle is what some tests do
                    _answer(self, served)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _answer(request: BaseHTTPRequestHandler, served: FileServer) -> None:
    served.requests.append(dict(request.headers))
    if request.path in served.moved:
        request.send_response(302)
        request.send_header("Location", served.moved[request.path])
        for name, value in served.moved_headers.items():
            request.send_header(name, value)
        request.end_headers()
        return
    if served.busy:
        served.busy -= 1
        request.send_error(503)
        return
    if request.path not in served.files:
        request.send_error(404)
        return
    data = served.files[request.path]
    etag = served.etag.format(md5=hashlib.md5(data).hexdigest())
    start = 0
    asked, guard = request.headers.get("Range"), request.headers.get("If-Range")
    if asked and served.ranges and (not served.if_range or guard in (None, etag)):
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(data):
            request.send_error(416)
            return
        request.send_response(206)
        request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
    else:
        request.send_response(200)
    if etag:
        request.send_header("ETag", etag)
    body = data[start:]
    request.send_header("Content-Length", str(len(body) + served.length_offset))
    request.end_headers()
    if served.drops:
        body = body[: served.drops.pop(0)]
    half = len(body) // 2
    request.wfile.write(body[:half])
    request.wfile.flush()
    if served.on_body:
        served.on_body()
    request.wfile.write(body[half:])

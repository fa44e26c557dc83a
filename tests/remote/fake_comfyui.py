"""A ComfyUI for tests, without nodes: its routes as the client uses them, and every way to misbehave."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

INFO = {
    "Load": {"input": {"required": {"file": ["COMBO", {"options": [], "video_upload": True}]}}},
    "Paint": {"input": {"required": {"clip": ["VIDEO", {}], "model": [["there.safetensors"], {}]}}},
}
WORKFLOW = {
    "1": {"class_type": "Load", "inputs": {"file": ""}, "_meta": {"title": "Load the clip"}},
    "2": {
        "class_type": "Paint",
        "inputs": {"clip": ["1", 0], "model": "there.safetensors"},
        "_meta": {"title": "Paint it"},
    },
}


@dataclass
class FakeComfyUI:
    """What the server has and how it behaves. A prompt that is queued ends at once, with `outcome` as its history,
    unless `hold` is set; then it stays there: "pending" or "running". One that is lost is forgotten, and the WebSocket
    closes, as in a restart."""

    inputs: dict[str, bytes] = field(default_factory=dict)
    outputs: dict[str, bytes] = field(default_factory=dict)
    outcome: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)  # more keys of the answer to /prompt
    status: int = 200  # of the answer to /prompt
    hold: str = ""
    lose: int = 0  # so many prompts are lost first
    away: int = 0  # so many requests are answered with 502 first
    cut: int = 0  # so many prompts are queued without an answer: the connection breaks
    drops: int = 0  # so many downloads break off in the middle
    max_upload_size: int = 1 << 30
    messages: list[dict[str, Any]] = field(default_factory=list)  # sent while a prompt runs; prompt_id is filled in
    # What happened.
    uploads: list[str] = field(default_factory=list)
    prompts: list[dict[str, Any]] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    address: str = ""

    def __enter__(self) -> FakeComfyUI:
        self.queue: dict[str, str] = {}
        self.history: dict[str, Any] = {}
        self._sockets: list[web.WebSocketResponse] = []
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(middlewares=[self._perhaps_away], client_max_size=1 << 30)
        app.add_routes(
            [
                web.get("/ws", self._ws),
                web.get("/system_stats", self._facts),
                web.get("/object_info", self._facts),
                web.get("/features", self._facts),
                web.get("/queue", self._facts),
                web.get("/history/{id}", self._get_history),
                web.get("/view", self._view),
                web.post("/upload/image", self._upload),
                web.post("/prompt", self._prompt),
                web.post("/api/jobs/{id}/cancel", self._cancel),
            ]
        )
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.address = f"127.0.0.1:{runner.addresses[0][1]}"
        ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _facts(self, request: web.Request) -> web.Response:
        facts = {
            "/system_stats": {"system": {"comfyui_version": "0.33.0"}, "devices": []},
            "/object_info": INFO,
            "/features": {"max_upload_size": self.max_upload_size},
            "/queue": self._queues(),
        }
        return web.json_response(facts[request.path])

    @web.middleware
    async def _perhaps_away(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.away and self.prompts:
            self.away -= 1
            return web.Response(status=502, text="bad gateway")
        return await handler(request)

    async def _ws(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        async for message in socket:
            assert message.type != WSMsgType.ERROR
        return socket

    def _queues(self) -> dict[str, Any]:
        of = {state: [[5, name] for name, where in self.queue.items() if where == state]
              for state in ("running", "pending")}  # fmt: skip
        others = [[1, "another"], [9, "a later one"]]
        return {"queue_running": of["running"], "queue_pending": [*others, *of["pending"]]}

    async def _get_history(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        return web.json_response({name: self.history[name]} if name in self.history else {})

    async def _view(self, request: web.Request) -> web.StreamResponse:
        place = self.inputs if request.query["type"] == "input" else self.outputs
        data = place.get("/".join(filter(None, (request.query.get("subfolder"), request.query["filename"]))))
        if data is None:
            return web.Response(status=404)
        if self.drops and request.method == "GET":
            self.drops -= 1
            answer = web.StreamResponse(headers={"Content-Length": str(len(data))})
            await answer.prepare(request)
            await answer.write(data[: len(data) // 2])
            assert request.transport
            request.transport.abort()
            return answer
        return web.Response(body=data)

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        sent: Any = form["image"]
        name, content, n = sent.filename, sent.file.read(), 1
        while name in self.inputs and self.inputs[name] != content:
            name, n = f"{sent.filename.rpartition('.')[0]} ({n}).mp4", n + 1
        self.inputs[name] = content
        self.uploads.append(name)
        return web.json_response({"name": name, "subfolder": "", "type": form["type"]})

    async def _prompt(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.prompts.append(asked)
        name = asked["prompt_id"]
        if self.status != 200:
            return web.json_response(self.answer, status=self.status)
        if self.lose:
            self.lose -= 1
            for socket in self._sockets:
                await socket.close()
        elif self.hold:
            self.queue[name] = self.hold
        else:
            self.history[name] = {"outputs": {}, "status": {"messages": []}, **self.outcome}
        over = {"type": "executing", "data": {"node": None}}
        for message in [*self.messages, *([over] if name in self.history else [])]:
            sent = {**message, "data": {"prompt_id": name, **message.get("data", {})}}
            for socket in self._sockets:
                if not socket.closed:
                    await socket.send_json(sent)
        if self.cut:
            self.cut -= 1
            assert request.transport
            request.transport.abort()
        return web.json_response({"prompt_id": name, "number": 5, "node_errors": {}, **self.answer})

    async def _cancel(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        known = self.queue.pop(name, None)
        if known:
            self.cancelled.append(name)
        return web.json_response({"cancelled": bool(known)})

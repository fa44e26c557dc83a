"""One job on a server: its files sent, the workflow queued, followed over restarts, and cancelled."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..models.integrity import sha256_of
from .errors import JobLost, JobStopped, Refused, RemoteError, ServerDown
from .missing import MODEL, file_inputs, missing_nodes, missing_values
from .outputs import refusal
from .steps import DONE, NOTE, RUNNING, WAITING, Step, Watch
from .transport import HttpError, Transport
from .workflow import Graph, Upload, Workflow

OnStep = Callable[[Step], object]

# A server that was restarted has forgotten its queue. What kills it may be this very job, so it is not tried for ever.
SUBMISSIONS = 2

# Seconds that a server which went away in the middle is waited for, unless the user says otherwise.
PATIENCE_S = 300.0

# Seconds between two looks at the queue: while messages may tell the same, while the job waits, when it should be over;
# then between two tries to reach a server that is away, and for the messages of a job that has ended.
LOOK_S, LOOK_WAITING_S, LOOK_ENDED_S = 15.0, 2.0, 0.2
RETRY_S = 1.0
REST_S = 1.0

# Seconds: a cancelled job is given so long to leave the queue, one that was never acknowledged so long to appear in it.
CANCEL_S, APPEAR_S = 20.0, 3.0

# Letters of a file's SHA-256 in its name on the server: one content has one name, and no other file is touched.
HASH_LETTERS, STEM_LETTERS = 12, 60


@dataclass
class Submission:
    """What is needed to submit a workflow again. advice: what to say when the server refuses the value of an input,
    described as `Missing.used`; client: the name under which the server sends messages to us;
    tries: how often it was queued; taken: the server has acknowledged `prompt_id`."""

    workflow: Workflow
    graph: Graph
    uploads: Sequence[Upload]
    advice: Mapping[str, str]
    client: str = field(default_factory=lambda: uuid.uuid4().hex)
    prompt_id: str = ""
    tries: int = 0
    taken: bool = False
    uploaded: dict[str, str] = field(default_factory=dict)  # local file -> its name on the server
    hashes: dict[Path, str] = field(default_factory=dict)


async def prepare(transport: Transport, workflow: Workflow) -> Submission:
    """Check a workflow against the server: its classes are there, its values fit.

    Raises:
        Refused: nodes are missing on the server.
        ValueError: a value or a file doesn't fit.
    """
    info = await transport.get("/object_info")
    absent = missing_nodes(workflow, info)
    if absent:
        lines = [item.in_words() for item in absent]
        raise Refused(
            f"{transport.shown} lacks nodes of {workflow.name}:\n" + "\n".join(f"  {line}" for line in lines),
            errors=lines,
        )
    graph, uploads = workflow.fitted(info)
    absent = missing_values(replace(workflow, graph=graph), info)
    advice = {item.used: item.in_words() for item in absent if item.kind == MODEL}
    for node_id, spec in file_inputs(workflow, info):
        place, value = f"{workflow.describe(node_id)}.{spec.name}", graph[node_id]["inputs"].get(spec.name)
        advice[place] = (
            f"{place}: {value!r} is not in the server's input folder; a file of this machine is sent with "
            f"--{spec.accepts} {workflow.title(node_id) + '=FILE'!r}"
        )
    return Submission(workflow, graph, uploads, advice)


async def queue(transport: Transport, job: Submission, on_step: OnStep) -> None:
    """Send the files that the server lacks, and queue the workflow. `follow` finds out whether a server that goes away
    just then has it.

    Raises:
        Refused: the server finds the workflow invalid, in whole or in part; nothing is left in its queue.
    """
    for file in dict.fromkeys(upload.file for upload in job.uploads):
        job.uploaded[str(file)] = await send_file(transport, job, file, on_step)
    for upload in job.uploads:
        job.graph[upload.node]["inputs"][upload.input] = job.uploaded[str(upload.file)]
    job.prompt_id, job.taken, job.tries = str(uuid.uuid4()), False, job.tries + 1
    asked = {"prompt": job.graph, "client_id": job.client, "prompt_id": job.prompt_id}
    try:
        answer = await transport.post("/prompt", asked)
        job.taken = True
    except HttpError as error:
        answer = _refused(error)
    except ServerDown:  # whether it has the job is found out when it answers again
        return
    lines = refusal(answer, job.workflow, job.advice)
    if lines:
        if job.taken:  # ComfyUI runs those outputs that are valid; half a result is not what was asked for
            await cancel(transport, job)
        raise Refused(
            f"{transport.shown} does not accept {job.workflow.name}:\n" + "\n".join(f"  {line}" for line in lines),
            errors=lines,
        )
    job.prompt_id = answer["prompt_id"]


def _refused(error: HttpError) -> dict[str, Any]:
    import json

    try:
        answer = json.loads(error.text)
    except ValueError:
        raise error from None
    if not isinstance(answer, dict) or "error" not in answer:
        raise error
    return answer


async def send_file(transport: Transport, job: Submission, file: Path, on_step: OnStep) -> str:
    """The name of a file in the server's input folder; it is sent unless the same content lies there already."""
    if file not in job.hashes:
        job.hashes[file] = sha256_of(file)
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", file.stem)[:STEM_LETTERS].strip("._") or "file"
    suffix = re.sub(r"[^A-Za-z0-9.]+", "", file.suffix)
    name, size = f"{stem}-{job.hashes[file][:HASH_LETTERS]}{suffix}", file.stat().st_size
    if await transport.stored_size({"filename": name, "type": "input"}) == size:
        on_step(Step(NOTE, text=f"{file.name} is on the server already, as {name}"))
    else:
        await _require_room(transport, file, size)
        title = f"sending {file.name}"
        try:
            name = await transport.upload(file, name, lambda at, end: on_step(Step(RUNNING, title, "", at, end)))
        except HttpError as error:
            if error.status == 413:
                raise Refused(_too_big(transport, file, size, None)) from None
            raise
        on_step(Step(DONE, title, "", size, size))
    return name


async def _require_room(transport: Transport, file: Path, size: int) -> None:
    try:
        limit = (await transport.get("/features")).get("max_upload_size")
    except HttpError:  # a server that does not tell; it will answer 413
        return
    if limit and size >= limit:
        raise Refused(_too_big(transport, file, size, limit))


def _too_big(transport: Transport, file: Path, size: int, limit: int | None) -> str:
    accepted = f"no more than {limit / 1e6:.0f} MB" if limit else "less"
    return (
        f"{file.name} has {size / 1e6:.0f} MB and {transport.shown} accepts {accepted} in one upload: start ComfyUI "
        f"with --max-upload-size {int(size / 1048576) + 16}"
    )


async def follow(
    transport: Transport, job: Submission, socket: Any, on_step: OnStep, patience_s: float = PATIENCE_S
) -> tuple[dict[str, Any], Watch]:
    """Wait for the end of a job, over restarts of its server; the history entry and what was seen.

    Args:
        socket: a WebSocket opened before the job was queued, so that no message is missed; None opens one.

    Raises:
        ServerDown: it has been away for more than `patience_s` seconds.
        JobLost: it was restarted while it ran the job, twice.
        JobStopped: somebody took the job out of the queue.
    """
    away_since: float | None = None
    watch = Watch(job.workflow, job.prompt_id)
    while True:
        try:
            socket = socket or await transport.listen(job.client)
            await transport.position(job.prompt_id)
            was_away, away_since = away_since is not None, None
            if was_away:
                on_step(Step(NOTE, text=f"{transport.shown} is back"))
            return await _listen(transport, job, socket, watch, on_step, was_away), watch
        except ServerDown as error:
            if socket is not None:
                await socket.close()
                socket = None
            if away_since is None:
                away_since = time.monotonic()
                on_step(Step(NOTE, text=f"{error}; waiting up to {patience_s:.0f} s for it to come back"))
            if time.monotonic() - away_since > patience_s:
                raise ServerDown(
                    f"{transport.shown} has been away for {patience_s:.0f} s while it had job {job.prompt_id}, and is "
                    "waited for no longer",
                    prompt_id=job.prompt_id,
                ) from None
            await asyncio.sleep(min(RETRY_S, patience_s))
        except BaseException:
            if socket is not None:
                await socket.close()
            raise


async def _listen(
    transport: Transport, job: Submission, socket: Any, watch: Watch, on_step: OnStep, was_away: bool
) -> dict[str, Any]:
    """The history entry, once there is one; a job that the server forgot is queued again. Raises ServerDown when the
    connection breaks."""
    look_at, told = time.monotonic(), -1
    while True:
        if time.monotonic() >= look_at:
            position = await transport.position(job.prompt_id)
            if position.entry is not None:
                await _hear_the_rest(transport, socket, watch, on_step)
                return position.entry
            if position.ahead is None:
                if not was_away and job.taken:
                    await _require_contact(transport, socket)
                    raise JobStopped(f"job {job.prompt_id} was taken out of the server's queue by somebody else")
                await _again(transport, job, watch, on_step)
                was_away = False
                continue
            was_away = False
            if position.ahead and position.ahead != told:
                on_step(Step(WAITING, value=position.ahead))
            told = position.ahead
            look_at = time.monotonic() + (LOOK_WAITING_S if position.ahead else LOOK_S)
        message = await transport.next_message(socket, max(0.0, look_at - time.monotonic()))
        if message is not None:
            for step in watch.take(message):
                on_step(step)
            if watch.ended:
                look_at = min(look_at, time.monotonic() + LOOK_ENDED_S)


async def _hear_the_rest(transport: Transport, socket: Any, watch: Watch, on_step: OnStep) -> None:
    """What is still to be read of an ended run: that a node held it back is in no history."""
    end = time.monotonic() + REST_S
    try:
        while not watch.ended and time.monotonic() < end:
            for step in watch.take(await transport.next_message(socket, LOOK_ENDED_S) or {}):
                on_step(step)
    except ServerDown:  # it has told all it will
        pass
    await socket.close()


async def _require_contact(transport: Transport, socket: Any) -> None:
    """ServerDown if the server that the socket was opened to has ended: another may answer in its place by now."""
    end = time.monotonic() + LOOK_ENDED_S
    while time.monotonic() < end:
        await transport.next_message(socket, LOOK_ENDED_S)


async def _again(transport: Transport, job: Submission, watch: Watch, on_step: OnStep) -> None:
    at = f" while it ran {watch.running}" if watch.running else ""
    if job.tries >= SUBMISSIONS:
        raise JobLost(
            f"{transport.shown} was restarted {job.tries} times{at} and has forgotten the job each time; "
            "its log should say why it ended",
            prompt_id=job.prompt_id,
            running=watch.running,
        )
    why = f"was restarted{at} and has forgotten the job" if job.taken else "has not got the job"
    on_step(Step(NOTE, text=f"the server {why}; it is submitted again"))
    await queue(transport, job, on_step)
    watch.begin(job.prompt_id)


async def cancel(transport: Transport, job: Submission) -> str:
    """Take a job out of the queue or interrupt it, and nobody else's; what became of it, in words.

    The server does both in one step that can't hit the next job. A job that begins right then forgets that it was
    interrupted, and one whose submission was cut off may yet appear, so this is repeated until it is gone.
    """
    end = time.monotonic() + CANCEL_S
    appear = time.monotonic() + (0 if job.taken else APPEAR_S)
    asked = False
    while time.monotonic() < end:
        try:
            answer = await transport.post(f"/api/jobs/{job.prompt_id}/cancel", {})
        except HttpError as error:
            raise RemoteError(
                f"{transport.shown} can't cancel one job ({error.status}): ComfyUI 0.33 or newer can; job "
                f"{job.prompt_id} goes on there"
            ) from None
        asked = asked or bool(answer.get("cancelled"))
        position = await transport.position(job.prompt_id)
        if position.entry is not None:
            stopped = any(kind == "execution_interrupted" for kind, _ in _messages(position.entry))
            return "the server has stopped the job" if stopped else "the job had ended already"
        if position.ahead is None and (asked or time.monotonic() >= appear):
            return "the job is out of the server's queue" if asked else "the job is not on the server"
        await asyncio.sleep(LOOK_ENDED_S)
    return f"the server was asked to stop job {job.prompt_id} and has not done so within {CANCEL_S:.0f} s"


def _messages(entry: Mapping[str, Any]) -> list[Any]:
    return (entry.get("status") or {}).get("messages", [])

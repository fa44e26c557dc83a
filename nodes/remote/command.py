"""`submit` and `check --server` on the command line: their arguments, and what they print."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .server import Downloaded, Job
    from .workflow import Workflow

SCHEMA, SCHEMA_VERSION = "physics-preserver/submission", 1

# Written beside the files that were fetched: what was asked for, and what came of it.
RECORD = "submission.json"

# Of a node's text that are printed.
SHOWN_LINES = 20

DESCRIPTION = """\
Run an API-format workflow on a ComfyUI server: send the files it reads, follow it node by node, fetch what it makes.

Nodes are named by their title, else by their class, else by #id, as in #12.seed. A file is sent once: its name on the
server has its hash, and nothing there is overwritten. A server that goes away in the middle is waited for; if it was
restarted and has forgotten the job, the job is submitted once more. Ctrl-C cancels this job there and no other. What
was made before a node failed is fetched too."""

EXAMPLES = """\
examples:
  submit extract_and_validate.json --server 127.0.0.1:8188 --out take1 \\
      --video "Load the clip=skater.mp4" --video "Load the generated clip=reskinned.mp4" \\
      --set "Validate Physics.profile=loose"
  submit reskin.json --server https://gpu.example/comfy --video skater.mp4 --set KSampler.seed=7 --out take2 --json

"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `submit`."""
    parser.add_argument("workflow", type=Path, metavar="WORKFLOW.json", help="in API format (File > Export (API))")
    parser.add_argument("--server", required=True, metavar="HOST:PORT", help="or a URL, with http or https and a path")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="a new or empty folder, for what is made"
    )
    parser.add_argument(
        "--set", dest="values", action="append", default=[], type=_pair, metavar="TITLE.INPUT=VALUE",
        help="set an input; read as the type that the server says it has. Give it as often as needed",
    )  # fmt: skip
    for kind in ("video", "image", "audio"):
        an = "an" if kind[0] in "ai" else "a"
        parser.add_argument(
            f"--{kind}", action="append", default=[], type=_place, metavar="[TITLE=]FILE",
            help=f"{an} {kind} of this machine for the node that loads one; with several such nodes, name one",
        )  # fmt: skip
    parser.add_argument(
        "--file", action="append", default=[], type=_place, metavar="TITLE.INPUT=FILE",
        help="any other file of this machine, for any input that names a file of the server's input folder",
    )  # fmt: skip
    parser.add_argument(
        "--patience", type=float, default=300.0, metavar="S",
        help="seconds to wait for a server that goes away in the middle (default: 300)",
    )  # fmt: skip


def add_check_arguments(parser: argparse.ArgumentParser) -> None:
    """What `check` has more for a server."""
    parser.add_argument(
        "--server", metavar="HOST:PORT",
        help="check a ComfyUI server instead (or a URL): what it is, whether the pack is there, which of the pack's "
        "workflows it could run, and what the others lack. Exit code 0: all can run, 1: some can't, 5: no server",
    )  # fmt: skip
    parser.add_argument(
        "workflows", nargs="*", type=Path, metavar="WORKFLOW.json",
        help="with --server: these API-format workflows instead of the pack's own",
    )  # fmt: skip


def submit(options: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """Run one workflow on a server; the data for --json, the text, and the exit code."""
    from ..media.folder import require_free, write_json
    from .errors import FilesLost, RemoteError
    from .outputs import free_name
    from .server import Server
    from .steps import NOTE, Step
    from .terminal import Terminal

    require_free(options.out)
    workflow = _asked(options)
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # what batch systems end a run with: cancel as Ctrl-C does
    show = Terminal()
    with Server(options.server) as server:
        job = server.submit(workflow, show)
        try:
            show(Step(NOTE, text=f"queued as {job.id}"))
            job.wait(show, options.patience)
            failure, verdict = None, job.verdict()
        except KeyboardInterrupt:
            show.close()
            print(job.cancel(), file=sys.stderr)
            raise
        except RemoteError as error:
            failure, verdict = error, None
            if not job.files:
                raise
        finally:
            show.close()
        files = job.download(options.out, show, options.patience)
        show.close()
    if job.lost and failure is None:
        names = ", ".join(f"{file.filename} of {file.title}" for file in job.lost)
        failure = FilesLost(
            f"no longer on the server: {names}. Was it deleted there? The server does not run a node anew whose inputs "
            "are the same: change one, such as a name or a seed"
        )
    data = _record(job, server.url, files, verdict)
    if failure:
        data["error"] = str(failure)
    record = free_name(options.out, RECORD)
    write_json(record, data)
    if failure:
        failure.details = {**data, **failure.details}
        print(_in_words(data, record), file=sys.stderr)
        raise failure
    return data, _in_words(data, record), _code(verdict)


def check(options: argparse.Namespace) -> tuple[dict[str, Any], str, int]:
    """`check --server`; as `submit`."""
    from .check import check_server, in_words
    from .server import Server

    with Server(options.server) as server:
        found = check_server(server, options.workflows)
    return found, in_words(found), 0 if all(one["can_run"] for one in found["workflows"]) else 1


def _asked(options: argparse.Namespace) -> Workflow:
    from .workflow import Workflow

    workflow = Workflow.load(options.workflow)
    for address, value in options.values:
        workflow = workflow.with_value(address, value)
    for kind in ("video", "image", "audio", "file"):
        for address, file in getattr(options, kind):
            workflow = workflow.with_file(address, file, "" if kind == "file" else kind)
    return workflow


def _record(job: Job, url: str, files: list[Downloaded], verdict: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "server": url,
        "job": job.id,
        "submissions": job.submissions,
        "verdict": verdict,
        "files": [{**asdict(file), "path": str(file.path)} for file in files],
        "said": [asdict(said) for said in job.said],
        "uploaded": job.uploaded,
        "workflow": job.graph,
    }


def _in_words(data: dict[str, Any], record: Path) -> str:
    lines = []
    for said in data["said"]:
        texts = "\n".join(value.strip() for value in said["values"] if isinstance(value, str)).strip().splitlines()
        if texts:
            more = [f"... {len(texts) - SHOWN_LINES} lines more in {record.name}"] if len(texts) > SHOWN_LINES else []
            lines.append(f"{said['title']}: " + "\n  ".join(texts[:SHOWN_LINES] + more))
    lines += [f"{file['title']}: {file['path']} ({file['size'] / 1e6:.2f} MB)" for file in data["files"]]
    if data["verdict"]:
        lines.append(f"{data['verdict']['title']}: {data['verdict']['verdict']}. {data['verdict']['summary']}")
    return "\n".join([*lines, f"written: {record}"])


def _code(verdict: dict[str, Any] | None) -> int:
    from ..validation.findings import FAILED, PASSED

    return 0 if verdict is None else {PASSED: 0, FAILED: 1}.get(verdict["verdict"], 2)


def _pair(text: str) -> tuple[str, str]:
    address, equals, value = text.partition("=")
    if not equals or "." not in address:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form TITLE.INPUT=VALUE")
    return address.strip(), value


def _place(text: str) -> tuple[str, Path]:
    address, equals, file = text.partition("=")
    if not equals or Path(text).is_file():
        return "", Path(text)
    return address.strip(), Path(file)

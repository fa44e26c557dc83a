"""Workflows on a running ComfyUI: submitted, followed, fetched; and what a server is missing.

Takes an API-format workflow, files of this machine and the address of a server; gives the files that the workflow made.

    from physics_preserver.nodes.remote import Server, Workflow

    workflow = Workflow.load("workflows/api/extract_and_validate.json")
    with Server("127.0.0.1:8188") as server:
        job = server.submit(
            workflow.with_file("Load the clip", "skater.mp4")
            .with_file("Load the generated clip", "reskinned.mp4")
            .with_value("Validate Physics.profile", "loose")
        )
        job.wait(lambda step: print(step.title, step.value, step.maximum))
        for made in job.download("out"):
            print(made.title, made.path)
        print(job.verdict())

Nothing here needs ComfyUI or torch on this machine; aiohttp speaks to the server.
"""

from .errors import JobLost, JobStopped, NodeFailed, Refused, RemoteError, ServerDown
from .server import Downloaded, Job, Server
from .steps import Step
from .workflow import Workflow

__all__ = [
    "Downloaded",
    "Job",
    "JobLost",
    "JobStopped",
    "NodeFailed",
    "Refused",
    "RemoteError",
    "Server",
    "ServerDown",
    "Step",
    "Workflow",
]

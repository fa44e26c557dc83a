"""What can go wrong with a server and the jobs on it; each kind has its own exit code."""

from __future__ import annotations

from typing import Any

FAILED_THERE, NO_SERVER = 4, 5


class RemoteError(Exception):
    """The message is one for the user; `details` is for scripts (JSON-able)."""

    exit_code = NO_SERVER

    def __init__(self, message: str, /, **details: Any):
        super().__init__(message)
        self.details = details


class ServerDown(RemoteError):
    """Nothing answers, or what answers is no ComfyUI; or it went away in the middle and did not come back in time."""


class JobLost(RemoteError):
    """The server no longer knows the job: it was restarted more often than a job is submitted again."""


class Refused(RemoteError):
    """The server or this client found the workflow to be invalid; nothing has run."""

    exit_code = 3


class NodeFailed(RemoteError):
    """A node raised an error while it ran."""

    exit_code = FAILED_THERE


class FilesLost(RemoteError):
    """The job is done, and files that it made are not on the server."""

    exit_code = FAILED_THERE


class JobStopped(RemoteError):
    """The job ended early without an error: somebody cancelled it on the server, or a node held it back."""

    exit_code = FAILED_THERE

"""Which onnxruntime this Python has, what it runs on, and how to open a model with it."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import host

if TYPE_CHECKING:
    import onnxruntime

# All of these unpack into the one folder `onnxruntime`: the one installed last is the one that runs.
WHEELS = ("onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-rocm", "onnxruntime-silicon", "onnxruntime")

# TensorRT is left out on purpose: it builds an engine for minutes at the first call.
PREFERRED = ("CUDAExecutionProvider", "ROCMExecutionProvider", "DmlExecutionProvider", "CPUExecutionProvider")

MISSING = (
    "onnxruntime is not installed: run `pip install onnxruntime-gpu` (NVIDIA) or "
    "`pip install onnxruntime` (any processor)."
)
MEND_CUDA = "pip install --force-reinstall --no-deps onnxruntime-gpu"

# Bytes on the GPU for what a session computes with beside the model itself; detectors and pose models stay below.
ROOM_ON_GPU = 512 * 2**20

# Small detectors stop gaining beyond this, and a spinning pool of every core slows the rest of the host.
MOST_THREADS = 4


class OnnxRuntimeError(RuntimeError):
    """onnxruntime is missing, or could not open a file; the message is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """What is installed. wheels: distribution names; providers: what the build offers, our order."""

    version: str
    wheels: tuple[str, ...]
    providers: tuple[str, ...]

    @property
    def cpu_build_won(self) -> bool:
        """onnxruntime-gpu is installed, but the CPU wheel was unpacked over it."""
        return "onnxruntime-gpu" in self.wheels and "CUDAExecutionProvider" not in self.providers

    @property
    def why_no_cuda(self) -> str:
        """Why CUDA isn't among the providers, in a sentence; "" where it is, or where another kind of GPU is."""
        if not self.version or any(name in self.providers for name in PREFERRED[:-1]):
            return ""
        if self.cpu_build_won:
            return f"The CPU build lies over onnxruntime-gpu, so CUDA is missing; mend it with `{MEND_CUDA}`."
        return "CUDA is missing because this is the CPU build; for an NVIDIA GPU install onnxruntime-gpu in its place."

    def describe(self) -> str:
        """One or two plain sentences for a report, a log or a node's output."""
        if not self.version:
            return MISSING
        devices = ", ".join(name.removesuffix("ExecutionProvider") for name in self.providers)
        text = f"onnxruntime {self.version} ({' + '.join(self.wheels) or 'unknown wheel'}) runs on {devices}."
        return f"{text} {self.why_no_cuda}".rstrip()


def installed_runtime() -> OnnxRuntime:
    """Look at what is installed; never raises. Without onnxruntime, version is "" and providers is empty."""
    wheels = tuple(name for name in WHEELS if _is_installed(name))
    try:
        import onnxruntime
    except ImportError:
        return OnnxRuntime("", wheels, ())
    available = onnxruntime.get_available_providers()
    return OnnxRuntime(onnxruntime.__version__, wheels, tuple(name for name in PREFERRED if name in available))


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def open_session(path: str | Path, threads: int | None = None) -> onnxruntime.InferenceSession:
    """An inference session on the best provider that this build has.

    Args:
        path: an .onnx file.
        threads: CPU threads; by default the process's cores, at most 4, or OMP_NUM_THREADS when that is set.

    Raises:
        OnnxRuntimeError: onnxruntime is missing, or the file is missing, no ONNX model, or damaged.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise OnnxRuntimeError(MISSING) from error
    if not Path(path).is_file():
        raise OnnxRuntimeError(f"No such model file: {path}")
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or default_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A spinning pool keeps the cores busy between frames, which starves the decoder and the tracker.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = installed_runtime().providers
    if "CUDAExecutionProvider" in providers:
        # The GPU wheel brings no CUDA libraries; torch does, and this finds them beside it.
        with redirect_stdout(sys.stderr):  # it prints what it can't load, and stdout may be a script's JSON
            onnxruntime.preload_dlls()
        host.make_room(ROOM_ON_GPU + 2 * Path(path).stat().st_size)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # onnxruntime's exceptions share no public base class
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise OnnxRuntimeError(f"{path} is not a usable ONNX model (damaged or another format?): {reason}") from error


def describe_session(session: Any) -> str:
    """What an open session runs on and why: onnxruntime drops a provider whose libraries it can't load."""
    runtime, used = installed_runtime(), session.get_providers()
    text = f"on {used[0].removesuffix('ExecutionProvider')}. {runtime.describe()}"
    if "CUDAExecutionProvider" in runtime.providers and "CUDAExecutionProvider" not in used:
        text += (
            " CUDA could not be started: its libraries, which a CUDA build of torch brings, were not found or are of "
            "another version."
        )
    return text


def default_threads() -> int:
    """CPU threads for a small model: OMP_NUM_THREADS when set, else the process's cores, at most 4."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_THREADS)

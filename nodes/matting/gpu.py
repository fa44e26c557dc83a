"""What a run's models may take of the GPU, and what is said where that can't be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import host
from .methods import LEARNED
from .profile import OutOfMemory
from .refine import tile_of
from .settings import Job, Limits, Settings

if TYPE_CHECKING:
    from .matte_model import MatteModel

# The smallest tile that is taken to stay below a limit, px; it is halved down to it.
LEAST_TILE = 256


@contextmanager
def gpu_limits(job: Job, loaded: bool = False) -> Iterator[Job]:
    """Hold models to `max_vram_gb` and `device` in this block.

    Torch refuses to allocate beyond the limit, which counts what it caches but not what CUDA itself takes (some 500 MB)
    nor what a detector takes that ONNX Runtime runs. After the block there is no limit any more.

    Args:
        loaded: models were given to the run, beside those that its settings name.

    Yields:
        The job, with notes of what has no effect.

    Raises:
        ValueError: the device is "cuda" and models would run on the processor.
        OutOfMemory: a model needs more than the limit, or than is free on the GPU. Inside ComfyUI torch's own error
            stays, by which ComfyUI frees what it holds.
    """
    limits, note = job.limits, _without_effect(job, loaded)
    if note:
        job = replace(job, notes=(*job.notes, note))
    held = limits.max_vram_gb > 0 and not note
    if held:
        _hold_to(limits.max_vram_gb)
    try:
        yield job
    except RuntimeError as error:
        torch = sys.modules.get("torch")
        if torch is None or not isinstance(error, torch.cuda.OutOfMemoryError) or host.in_comfyui():
            raise
        room = f"the {limits.max_vram_gb:g} GiB of max_vram_gb: raise it" if held else "is free: free some"
        raise OutOfMemory(
            f"the models need more of the GPU than {room}, and the same command goes on from what is finished; or "
            f"begin anew with a smaller tile or scale, or fp16 ({str(error).split('. ')[0]})"
        ) from error
    finally:
        if held:
            _hold_to(None)


def _hold_to(gib: float | None) -> None:
    import torch

    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(1.0 if gib is None else min(1.0, gib * 2**30 / total))


def _set(limits: Limits) -> bool:
    return bool(limits.max_vram_gb) or limits.device == "cuda"


def _without_effect(job: Job, loaded: bool) -> str:
    """A sentence where limits were set that change nothing; "" else."""
    settings, limits = job.settings, job.limits
    if not _set(limits):
        return ""
    chosen = {"max_vram_gb": limits.max_vram_gb > 0, "device cuda": limits.device == "cuda"}
    named = " and ".join(name for name, on in chosen.items() if on)
    if not (loaded or settings.sam2 or settings.method in LEARNED or settings.detector.endswith(".pt")):
        return f"{named} changed nothing: no model of this run uses torch"
    import torch

    if torch.cuda.is_available():
        return ""
    if limits.device == "cuda":
        raise ValueError("the device is cuda and torch finds no GPU; take device auto to run on the processor")
    return f"{named} changed nothing: torch finds no GPU, so that models run on the processor"


def with_fitting_tile(settings: Settings, limits: Limits, model: MatteModel | None) -> Settings:
    """Settings with a tile at which a learned method stays below `max_vram_gb`, where the tile was left open."""
    if model is None or settings.tile or not limits.max_vram_gb:
        return settings
    import torch

    if not torch.cuda.is_available():
        return settings
    weights = sum(item.numel() * item.element_size() for item in model.module.parameters())
    usual = tile = tile_of(settings.method)[0]
    while tile > LEAST_TILE and weights + model.working_bytes(tile) > limits.max_vram_gb * 2**30:
        tile //= 2
    return settings if tile == usual else replace(settings, tile=tile)

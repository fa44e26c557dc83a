"""On a CUDA GPU: torch keeps to the memory that a run's models may take, and running out of it is a sentence."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("no CUDA GPU", allow_module_level=True)

from physics_preserver.nodes.matting.gpu import OutOfMemory, gpu_limits  # noqa: E402
from physics_preserver.nodes.matting.profile import REFINE, TRACK, Profile  # noqa: E402
from physics_preserver.nodes.matting.settings import Job, Limits, Settings  # noqa: E402

MIB = 2**20
LEARNED = Settings(method="mematte", model="MEMatte_ViTS_DIM.pth")


def taken(mib: int) -> int:
    """Allocates so many MiB, and frees them when it returns."""
    return torch.empty(mib * MIB, dtype=torch.uint8, device="cuda").numel()


def test_more_than_the_limit_is_refused_and_afterwards_is_not() -> None:
    torch.cuda.empty_cache()
    job = Job(LEARNED, Limits(max_vram_gb=0.5))
    with gpu_limits(job) as limited:
        assert limited.notes == () and taken(256) == 256 * MIB
    with pytest.raises(OutOfMemory, match="than the 0.5 GiB of max_vram_gb: raise it"), gpu_limits(job):
        taken(1024)
    assert taken(1024) == 1024 * MIB


def test_each_stage_has_the_most_that_torch_took() -> None:
    torch.cuda.empty_cache()
    profile = Profile()
    with profile.stage(TRACK):
        taken(64)
        with profile.stage(REFINE):
            taken(256)
    found = profile.taken()["vram"]
    assert 64 * MIB <= found[TRACK] < 200 * MIB and 256 * MIB <= found[REFINE] < 400 * MIB

"""What models may take of the GPU: told to torch, taken back, and said where it changes nothing. The GPU is a stand-in
that keeps what it is told: whether a real one keeps to it is torch's affair, which nothing here shows."""

import sys
from types import SimpleNamespace

import pytest
from physics_preserver.nodes.matting import profile
from physics_preserver.nodes.matting.gpu import OutOfMemory, gpu_limits, with_fitting_tile
from physics_preserver.nodes.matting.profile import DETECT, REFINE, Profile
from physics_preserver.nodes.matting.settings import Job, Limits, Settings

GIB = 2**30
LEARNED = Settings(method="mematte", model="MEMatte_ViTS_DIM.pth")


class OutOfIt(RuntimeError):
    """torch's own error."""


class GPU:
    """torch.cuda of a machine with one GPU."""

    OutOfMemoryError = OutOfIt

    def __init__(self, gib: float):
        self.total, self.share, self.asked, self.most = int(gib * GIB), 1.0, [], 0

    def is_available(self):
        return self.total > 0

    is_initialized = is_available

    def get_device_properties(self, device):
        return SimpleNamespace(total_memory=self.total)

    def set_per_process_memory_fraction(self, share):
        self.share = share
        self.asked.append(share)

    def max_memory_allocated(self):
        return self.most

    def reset_peak_memory_stats(self):
        self.most = 0


@pytest.fixture
def machine(monkeypatch):
    def make(gib: float) -> GPU:
        gpu = GPU(gib)
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=gpu))
        return gpu

    return make


def job(settings=LEARNED, **limits) -> Job:
    return Job(settings, Limits(**limits))


def test_the_limit_holds_in_the_run_and_no_longer(machine):
    gpu = machine(40)
    with gpu_limits(job(max_vram_gb=10)) as limited:
        assert gpu.share == 0.25 and limited.notes == ()
    assert gpu.share == 1
    with pytest.raises(KeyError), gpu_limits(job(max_vram_gb=10)):
        raise KeyError
    assert gpu.share == 1
    with gpu_limits(job(max_vram_gb=100)):
        assert gpu.share == 1
    gpu.asked.clear()
    with gpu_limits(job()):
        pass
    assert gpu.asked == []


def test_a_model_that_needs_more_ends_in_a_sentence_with_the_number(machine):
    machine(24)
    with pytest.raises(OutOfMemory) as error, gpu_limits(job(max_vram_gb=10)):
        raise OutOfIt("CUDA out of memory. Tried to allocate 2.00 GiB. More.")
    assert "than the 10 GiB of max_vram_gb: raise it, and the same command goes on" in str(error.value)
    assert "(CUDA out of memory)" in str(error.value)
    with pytest.raises(OutOfMemory, match="than is free: free some, and"), gpu_limits(job()):
        raise OutOfIt("CUDA out of memory. Tried to allocate 2.00 GiB.")
    with pytest.raises(RuntimeError, match="another fault"), gpu_limits(job()):
        raise RuntimeError("another fault")


def test_comfyui_gets_torchs_own_error(machine, monkeypatch):
    machine(24)
    monkeypatch.setattr("physics_preserver.nodes.host.in_comfyui", lambda: True)
    with pytest.raises(OutOfIt), gpu_limits(job(max_vram_gb=10)):
        raise OutOfIt("CUDA out of memory")


@pytest.mark.parametrize("settings", [LEARNED, Settings(sam2="sam2.1_hiera_tiny.pt"), Settings(detector="yolov8n.pt")])
def test_without_a_gpu_a_limit_is_said_to_change_nothing_and_cuda_is_an_error(machine, settings):
    machine(0)
    with gpu_limits(job(settings, max_vram_gb=10)) as limited:
        assert limited.notes == (
            "max_vram_gb changed nothing: torch finds no GPU, so that models run on the processor",
        )
    with (
        pytest.raises(ValueError, match="device is cuda and torch finds no GPU"),
        gpu_limits(job(settings, device="cuda")),
    ):
        pass


def test_a_run_without_torch_says_so_and_does_not_load_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it fails
    with gpu_limits(job(Settings(), max_vram_gb=10, device="cuda")) as limited:
        assert limited.notes == ("max_vram_gb and device cuda changed nothing: no model of this run uses torch",)
    with pytest.raises(ImportError), gpu_limits(job(Settings(), max_vram_gb=10), loaded=True):
        pass


@pytest.mark.parametrize(("gib", "tile"), [(10, 0), (1.3, 0), (1.25, 512), (0.41, 512), (0.39, 256), (0.1, 256)])
def test_tiles_fit_into_the_limit(machine, gib, tile):
    machine(24)
    weights = SimpleNamespace(numel=lambda: 29_191_293, element_size=lambda: 4)
    model = SimpleNamespace(
        module=SimpleNamespace(parameters=lambda: [weights]), working_bytes=lambda side: 1200 * side * side
    )
    fitted = with_fitting_tile(LEARNED, Limits(max_vram_gb=gib), model)  # pyright: ignore
    assert fitted.tile == tile  # 0: as the method has it, 1024
    chosen = Settings(method="mematte", model="m.pth", tile=2048)
    assert with_fitting_tile(chosen, Limits(max_vram_gb=gib), model) is chosen  # pyright: ignore


def test_each_stage_has_the_most_that_it_took(machine, monkeypatch):
    gpu = machine(24)
    monkeypatch.setattr(profile, "ram_now", lambda: 7)
    taking = Profile()
    with taking.stage(REFINE):
        gpu.most = 5 * GIB
        with taking.stage(DETECT):
            gpu.most = 2 * GIB
        gpu.most = 3 * GIB
    gpu.most = 9 * GIB  # outside any stage
    with taking.stage(DETECT):
        gpu.most = GIB
    taken = taking.taken()
    assert taken["vram"] == {REFINE: 5 * GIB, DETECT: 2 * GIB} and taken["ram"] == {REFINE: 7, DETECT: 7}
    assert taking.taken() == {"seconds": {}, "ram": {}, "vram": {}}

"""On a CUDA GPU: SAM 2.1 in bfloat16 finds what the official predictor finds, and its memory doesn't grow."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sam2", reason="the sam2 package is not installed")
if not torch.cuda.is_available():
    pytest.skip("no CUDA GPU", allow_module_level=True)

from physics_preserver.nodes.extraction.sam2_model import place  # noqa: E402
from physics_preserver.nodes.extraction.sam2_stream import NO_OBJECT, SAM2Stream  # noqa: E402
from sam2_nets import Ask, official, official_pass, official_state, published, scene, write_frames  # noqa: E402

SIZE = (480, 854)
ASK = Ask(0, 0, box=(160, 150, 427, 400))


def track(model, images, frames: int) -> dict[int, np.ndarray]:
    with SAM2Stream(model, SIZE, 1, frames) as stream:
        stream.prompt(0, images[0], 0, box=ASK.box)
        return {t: stream.step(t, images[t % len(images)])[0] for t in range(frames)}


def test_auto_is_bfloat16_where_the_gpu_has_it():
    model = place(official(), "small")
    assert model.dtype == (torch.bfloat16 if torch.cuda.is_bf16_supported(False) else torch.float16)
    assert model.ready(1).device.type == "cuda"


def test_masks_agree_with_the_official_predictor_under_autocast(tmp_path: Path):
    images = write_frames(scene(40, SIZE), tmp_path)
    net = official(*published("tiny")).cuda()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        expected = official_pass(net, official_state(net, tmp_path, [ASK]), 0)
    found = track(place(net, "tiny", "bf16"), images, 40)
    agreement = [((found[t] > 0) == (expected[t] > 0)).mean() for t in expected]
    assert np.mean([(logits > 0).mean() for logits in expected.values()]) > 0.05
    assert max(np.abs(logits[logits > NO_OBJECT]).max() for logits in expected.values()) > 1
    assert min(agreement) > 0.99


def test_float16_tracks_what_bfloat16_tracks():
    """What auto takes on a GPU without bfloat16."""
    images = list(scene(12, SIZE))
    halves = [
        track(place(official(*published("tiny")), "tiny", precision), images, 12) for precision in ("bf16", "fp16")
    ]
    same = [((halves[0][t] > 0) == (halves[1][t] > 0)).mean() for t in halves[0]]
    assert np.median(same) > 0.95, same


def test_allocated_memory_is_the_same_after_200_frames_as_after_50(tmp_path: Path):
    images = list(scene(20, SIZE))
    model = place(official(*published("tiny")), "tiny", "bf16")
    track(model, images, 5)
    peaks, held = [], []
    for frames in (50, 200):
        torch.cuda.reset_peak_memory_stats()
        track(model, images, frames)
        peaks.append(torch.cuda.max_memory_allocated())
        held.append(torch.cuda.memory_allocated())
    assert abs(peaks[1] - peaks[0]) < 2**20
    assert held[0] == held[1]

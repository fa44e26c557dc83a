"""On a CUDA GPU: MEMatte and ViTMatte say there what they say on the processor, in memory that depends on the tile."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
if not torch.cuda.is_available():
    pytest.skip("no CUDA GPU", allow_module_level=True)

from learned import network_alone, network_says  # noqa: E402
from mattes import DISC_SIZE, disc_image  # noqa: E402
from mematte_nets import vit_s  # noqa: E402
from physics_preserver.nodes.matting.matte_model import ATTENTION_BYTES, PIXEL_BYTES, place  # noqa: E402
from physics_preserver.nodes.matting.refine import open_refiner  # noqa: E402
from physics_preserver.nodes.matting.trimap import from_mask  # noqa: E402

KINDS = ("mematte", "vitmatte")


def band(size: tuple[int, int], corner: tuple[int, int], side: int) -> np.ndarray:
    """The trimap of a square, with 6 px on either side of its outline."""
    mask = np.zeros(size, bool)
    mask[corner[0] : corner[0] + side, corner[1] : corner[1] + side] = True
    return from_mask(mask, 6, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_alpha_is_the_processors_and_auto_is_fp16(kind: str) -> None:
    image, trimap = disc_image(0), band(DISC_SIZE, (25, 25), 50)
    unknown = trimap == 128
    expected = network_says(kind, image, trimap)
    errors = {}
    for precision in ("fp32", "auto", "bf16"):
        model = place(network_alone(kind), kind, kind, precision)
        with open_refiner(kind, model) as refiner:
            found = refiner.refine(image, trimap)
        assert {parameter.device.type for parameter in model.module.parameters()} == {"cuda"}
        assert np.array_equal(found[~unknown], expected[~unknown])
        errors[precision] = np.abs(found - expected)[unknown]
    assert place(network_alone(kind), kind, kind).dtype == torch.float16
    assert errors["fp32"].max() < 5e-3  # cuDNN computes convolutions of float32 in TF32
    assert errors["auto"].max() < 0.02 and errors["auto"].mean() < errors["bf16"].mean() < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_memory_depends_on_the_tile_and_stays_below_what_is_asked_for(kind: str) -> None:
    model = place(vit_s(kind), kind, kind, "fp32")
    weights, peaks = torch.cuda.memory_allocated(), {}
    for side in (512, 2048, 4096):
        image, trimap = np.full((side, side, 3), 90, np.uint8), band((side, side), (100, 100), 300)
        with open_refiner(kind, model, tile=512) as refiner:
            refiner.refine(image, trimap)
            torch.cuda.reset_peak_memory_stats()
            refiner.refine(image + np.uint8(9), trimap)
            assert refiner.report.tiles.run >= 2
        peaks[side] = torch.cuda.max_memory_allocated() - weights
        assert torch.cuda.memory_allocated() == weights
    assert max(peaks.values()) - min(peaks.values()) < 2**20, peaks
    area = 512.0 * 512
    assert max(peaks.values()) < PIXEL_BYTES[kind] * area + ATTENTION_BYTES[kind] * area * area

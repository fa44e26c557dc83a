"""Hair with exact alpha: both methods without weights are far nearer to it than the trimap and the mask."""

import numpy as np
import pytest
from hair import Hair, hair
from physics_preserver.nodes.matting import truth
from physics_preserver.nodes.matting.guided import guided_alpha


@pytest.fixture(scope="module", params=[0.0, 0.5], ids=["smooth ground", "busy ground"])
def scene(request) -> Hair:
    return hair(160, busy=request.param)


def figures(scene: Hair, alpha: np.ndarray) -> tuple[float, float]:
    band = scene.trimap == 128
    return truth.mad(alpha, scene.alpha, band), truth.grad(alpha, scene.alpha, band)


def plain(scene: Hair) -> tuple[tuple[float, float], tuple[float, float]]:
    """MAD and Grad of the trimap, its band at .5, and of the mask."""
    trimap = np.where(scene.trimap == 128, 0.5, scene.trimap / 255.0).astype(np.float32)
    return figures(scene, trimap), figures(scene, scene.mask.astype(np.float32))


def test_the_band_holds_all_that_is_soft(scene: Hair) -> None:
    assert (scene.alpha[scene.trimap == 0] == 0).all() and (scene.alpha[scene.trimap == 255] == 1).all()
    assert ((scene.alpha > 0) & (scene.alpha < 1)).sum() > 500


def test_guided_finds_strands_that_the_mask_does_not_have(scene: Hair) -> None:
    found = figures(scene, guided_alpha(scene.image, scene.trimap, scene.mask))
    for other in plain(scene):
        assert found[0] < 0.35 * other[0] and found[1] < 0.2 * other[1]


def test_closed_form_is_nearer_still(scene: Hair) -> None:
    pytest.importorskip("pymatting")
    from physics_preserver.nodes.matting.closed_form import closed_form_alpha

    found = figures(scene, closed_form_alpha(scene.image, scene.trimap, scene.mask))
    for other in plain(scene):
        assert found[0] < 0.3 * other[0] and found[1] < 0.3 * other[1]

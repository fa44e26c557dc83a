"""The streaming predictor finds what the sam2 package's own predictor finds, and keeps a bounded state."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sam2", reason="the sam2 package is not installed")

from physics_preserver.nodes.extraction.sam2_model import place  # noqa: E402
from physics_preserver.nodes.extraction.sam2_stream import SAM2Stream  # noqa: E402
from sam2_nets import Ask, official, official_pass, official_state, scene, write_frames  # noqa: E402

SIZE = (96, 160)


def bar_mask() -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[10:25, 60:90] = True
    return mask


@cache
def net():
    return official()


def ask(stream: SAM2Stream, images: list[np.ndarray], each: Ask) -> np.ndarray:
    return stream.prompt(
        each.t, images[each.t], each.obj, points=each.points, positive=each.positive, box=each.box, mask=each.mask
    )


def worst(found: dict[int, np.ndarray], expected: dict[int, np.ndarray]) -> float:
    assert found.keys() == expected.keys()
    return max(float(np.abs(found[t] - expected[t]).max()) for t in expected)


def test_each_object_alone_has_the_official_logits_to_the_bit_forward_and_backward(tmp_path: Path):
    images = write_frames(scene(44), tmp_path / "frames")
    asks = [
        Ask(12, 0, box=(30, 30, 80, 80)),
        Ask(12, 1, mask=bar_mask()),
        Ask(25, 1, points=[[70, 20], [10, 10]], positive=[True, False]),
        Ask(30, 0, points=[[70, 50]], positive=[True]),
    ]
    state = official_state(net(), tmp_path / "frames", asks)
    forward, backward = official_pass(net(), state, 12), official_pass(net(), state, 12, reverse=True)
    model = place(net(), "small")
    for obj in (0, 1):
        with SAM2Stream(model, SIZE, 2, len(images)) as stream:
            for each in asks:
                if each.obj == obj:
                    ask(stream, images, each)
            ours = {t: stream.step(t, images[t])[0][obj] for t in range(12, 44)}
            ours_backward = {t: stream.step(t, images[t], reverse=True)[0][obj] for t in range(12, -1, -1)}
        assert worst(ours, {t: logits[obj] for t, logits in forward.items()}) == 0
        assert worst(ours_backward, {t: logits[obj] for t, logits in backward.items()}) == 0

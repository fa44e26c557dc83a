"""MEMatte: the authors' output to 1e-4, their keys and shapes, packing per image, and the cap on tokens."""

import json
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mematte_nets import TINY, tiny_mematte, weights_of  # noqa: E402
from physics_preserver.nodes.matting import mematte  # noqa: E402
from physics_preserver.nodes.matting.matte_model import place, prepared  # noqa: E402


@pytest.fixture(scope="module")
def parity(shared_data):
    folder = shared_data / "parity"
    if not (folder / "mematte_vits.npz").is_file():
        pytest.skip(f"no mematte_vits.npz in {folder}")
    shapes = json.loads((folder / "mematte_vits_keys.json").read_text())
    return np.load(folder / "mematte_vits.npz"), shapes


def test_vit_s_has_the_authors_keys_and_shapes(parity):
    _, shapes = parity
    architecture = mematte.recognise(weights_of({key: shapes[key] for key in shapes if "fusion" not in key}))
    assert architecture is not None and architecture.name == "MEMatte ViT-S"
    own = mematte.MEMatte(architecture).state_dict()
    assert {key: list(value.shape) for key, value in own.items()} == shapes


def test_output_equals_the_authors_within_1e_4(parity):
    data, shapes = parity
    weights = weights_of(shapes)
    architecture = mematte.recognise(weights)
    assert architecture is not None
    net = mematte.MEMatte(architecture)
    net.load_state_dict(weights, strict=True)
    alpha = place(net, "mematte", "parity", "fp32").solve(data["image"], data["trimap"])
    print("largest difference:", np.abs(alpha - data["alpha"]).max())
    assert np.abs(alpha - data["alpha"]).max() < 1e-4


def tiny() -> mematte.MEMatte:
    net = mematte.MEMatte(TINY)
    net.load_state_dict(tiny_mematte(), strict=True)
    return net.eval()


def noise(batch: int, height: int, width: int) -> Any:
    return torch.rand(batch, 4, height, width, generator=torch.Generator().manual_seed(1))


def kept_tokens(net: mematte.MEMatte, x: Any) -> list[list[int]]:
    """Per router, how many tokens of each image attend."""
    found: list[list[int]] = []
    hooks = [
        router.register_forward_hook(lambda module, args, out: found.append(out.sum(dim=(1, 2)).tolist()))
        for router in net.backbone.routers
    ]
    net(x)
    for hook in hooks:
        hook.remove()
    return found


@torch.inference_mode()
def test_images_of_a_batch_do_not_see_each_other():
    net, x = tiny(), noise(2, 96, 128)
    together = net(x)
    assert together.shape == (2, 1, 96, 128) and 0 <= together.min() and together.max() <= 1
    for n in range(2):
        assert torch.allclose(together[n], net(x[n : n + 1])[0], atol=1e-6)
    assert any(0 < count < 48 for counts in kept_tokens(net, x) for count in counts), "the router decides nothing here"


@torch.inference_mode()
def test_the_cap_keeps_just_so_many_tokens(monkeypatch):
    net, x = tiny(), noise(1, 96, 128)
    free = kept_tokens(net, x)
    most = max(counts[0] for counts in free)
    monkeypatch.setattr(mematte, "MAX_TOKENS", most - 2)
    assert kept_tokens(net, x)[[counts[0] for counts in free].index(most)] == [most - 2]


@torch.inference_mode()
def test_attention_with_offsets_equals_the_sum_written_out():
    attention = mematte.Attention(32, 16, window=3)
    attention.load_state_dict(weights_of({key: value.shape for key, value in attention.state_dict().items()}))
    x = torch.rand(2, 9, 32, generator=torch.Generator().manual_seed(2))
    q, k, v = attention.qkv(x).reshape(2, 9, 3, 2, 16).permute(2, 0, 3, 1, 4)
    expected = torch.zeros(2, 2, 9, 16)
    for b, h, i in np.ndindex(2, 2, 9):
        scores = torch.zeros(9)
        for j in range(9):
            down, across = i // 3 - j // 3 + 2, i % 3 - j % 3 + 2
            offset = attention.rel_pos_h[down] + attention.rel_pos_w[across]
            scores[j] = q[b, h, i] @ k[b, h, j] / 4 + q[b, h, i] @ offset
        expected[b, h, i] = scores.softmax(0) @ v[b, h]
    expected = attention.proj(expected.transpose(1, 2).reshape(2, 9, 32))
    assert torch.allclose(attention(x), expected, atol=1e-5)


def test_sizes_are_read_from_the_weights():
    assert mematte.recognise(tiny_mematte()) == TINY
    assert mematte.recognise({"backbone.pos_embed": torch.zeros(1, 17, 32)}) is None


def test_input_is_normalised_as_in_training_and_padded_with_zeros_afterwards():
    image = np.full((40, 33, 3), (124, 116, 104), np.uint8)
    trimap = np.full((40, 33), 255, np.uint8)
    trimap[0, :3] = 0, 128, 255
    x = prepared(image, trimap)
    assert x.shape == (4, 64, 64)
    expected = [(124 - 123.675) / 58.395, (116 - 116.28) / 57.12, (104 - 103.53) / 57.375]
    assert x[:3, 5, 5] == pytest.approx(expected, abs=1e-6)
    assert x[3, 0, :3].tolist() == [0, 0.5, 1] and (x[:, 40:] == 0).all() and (x[:, :, 33:] == 0).all()

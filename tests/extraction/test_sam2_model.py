"""SAM 2 checkpoints are recognised by their weights, loaded strictly, and refused in one sentence."""

import functools
import re
from collections.abc import Sequence

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sam2", reason="the sam2 package is not installed")

from physics_preserver.nodes.extraction.sam2_build import (  # noqa: E402
    SIZES,
    Architecture,
    build,
    no_random_weights,
    recognise,
)
from physics_preserver.nodes.extraction.sam2_model import check_sam2_choice, find_sam2, load_sam2, place  # noqa: E402
from physics_preserver.nodes.models.weights import CheckpointError, require_whole  # noqa: E402

YAMLS = {"tiny": "t", "small": "s", "base plus": "b+", "large": "l"}
ALL = [Architecture(version, size) for version in ("2.0", "2.1") for size in SIZES.values()]


def official(architecture: Architecture):
    """The sam2 package's own network of this architecture; its parameters are left as the memory is, so it is cheap."""
    from sam2.build_sam import build_sam2_video_predictor

    folder = "sam2.1" if architecture.version == "2.1" else "sam2"
    config = f"configs/{folder}/{folder}_hiera_{YAMLS[architecture.size]}.yaml"
    with no_random_weights():
        return build_sam2_video_predictor(config, ckpt_path=None, device="cpu")


def settings(net) -> dict:
    """Every plain value that any module of a network holds."""
    plain = (bool, int, float, str, Sequence, type(None))  # the yaml's lists are Sequences of their own kind
    return {
        f"{name}.{key}": list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, module in net.named_modules()
        for key, value in vars(module).items()
        if isinstance(value, plain) and not key.startswith("_")
    }


@pytest.mark.parametrize("architecture", ALL, ids=lambda each: each.name)
def test_each_architecture_is_recovered_from_the_official_state_dict_and_built_alike(architecture):
    theirs = official(architecture)
    weights = theirs.state_dict()
    assert recognise(weights) == architecture
    with no_random_weights():
        ours = build(architecture)
    require_whole(ours, weights, architecture.name, "theirs")
    expected, found = settings(theirs), settings(ours)
    only_theirs = {key: expected[key] for key in expected.keys() - found.keys()}
    assert set(only_theirs) <= {  # what the video predictor adds to the network
        ".fill_hole_area",
        ".non_overlap_masks",
        ".clear_non_cond_mem_around_input",
        ".add_all_frames_to_correct_as_cond",
    }
    assert {key: expected[key] for key in found} == found


def test_parameters_that_are_not_drawn_are_drawn_otherwise():
    with no_random_weights():
        layer = torch.nn.Linear(2000, 500)
    torch.manual_seed(0)
    drawn = torch.nn.Linear(2000, 500)
    assert layer.weight.shape == drawn.weight.shape
    assert 0.012 < drawn.weight.std() < 0.014  # kaiming_uniform of a layer outside the block: 1 / sqrt(3 * 2000)


@functools.cache
def tiny_weights() -> dict:
    torch.manual_seed(1)
    return build(Architecture("2.1", "tiny")).state_dict()


def test_meta_form_and_safetensors_form_load_to_the_same_network(tmp_path):
    from safetensors.torch import save_file

    halves = {key: value.half() for key, value in tiny_weights().items()}
    torch.save({"model": halves}, tmp_path / "any_name.pt")
    save_file(halves, tmp_path / "other-fp16.safetensors")
    first = load_sam2(tmp_path / "any_name.pt", "fp32")
    second = load_sam2(tmp_path / "other-fp16.safetensors", "fp32")
    assert first.name == second.name == "SAM 2.1 tiny"
    assert second.file == "other-fp16.safetensors"
    for key, value in first.ready(1).state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, halves[key].float()) and torch.equal(value, second.ready(1).state_dict()[key])


def test_half_precision_is_for_the_layers_that_autocast_runs_in_it():
    net = build(Architecture("2.1", "tiny"))
    model = place(net, "tiny", "bf16")
    assert model.dtype == torch.bfloat16 and model.ready(1) is net
    assert net.sam_mask_decoder.conv_s0.weight.dtype == torch.bfloat16
    assert net.image_encoder.trunk.blocks[0].norm1.weight.dtype == torch.float32
    assert net.sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix.dtype == torch.float32


def broken(tmp_path, change, name="sam2.1_hiera_tiny.pt"):
    weights = dict(tiny_weights())
    change(weights)
    torch.save({"model": weights}, tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("no_obj_ptr"), r"1 of \d+ weights are missing \(no_obj_ptr\)"),
        (lambda w: w.update(extra=torch.zeros(1)), r"1 weights do not belong to it \(extra\)"),
        (lambda w: w.update(no_obj_ptr=torch.zeros(1, 9)), r"no_obj_ptr: \(1, 9\) instead of \(1, 256\)"),
        (lambda w: w.pop("image_encoder.trunk.blocks.11.norm1.weight"), r"weights are missing"),
        (lambda w: [w.pop(k) for k in list(w) if "blocks.11." in k], r"11 blocks and 96 channels.*four sizes"),
        (lambda w: w.pop("no_obj_embed_spatial"), r"missing \(no_obj_embed_spatial\)"),
        (lambda w: w.clear(), r"is not a SAM 2 checkpoint: it holds no weights"),
    ],
)
def test_a_checkpoint_that_lacks_or_adds_anything_is_refused_with_its_name(tmp_path, change, words):
    with pytest.raises(CheckpointError, match=rf"sam2\.1_hiera_tiny\.pt .*{words}"):
        load_sam2(broken(tmp_path, change))


def test_foreign_checkpoints_are_named_for_what_they_are(tmp_path):
    from safetensors.torch import save_file

    save_file({"vision_encoder.backbone.x": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not a SAM 2 checkpoint.*transformers"):
        load_sam2(tmp_path / "model.safetensors")
    save_file({"double_blocks.0.x": torch.zeros(1), "img_in.weight": torch.zeros(1)}, tmp_path / "flux.safetensors")
    with pytest.raises(CheckpointError, match=r"its parts are double_blocks, img_in"):
        load_sam2(tmp_path / "flux.safetensors")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.9])
def test_a_truncated_download_is_one_sentence_with_its_size(tmp_path, suffix, share):
    from safetensors.torch import save_file

    whole = tmp_path / f"whole{suffix}"
    torch.save({"model": tiny_weights()}, whole) if suffix == ".pt" else save_file(tiny_weights(), whole)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    size = f"{cut.stat().st_size / 2**20:.1f} MB"
    with pytest.raises(CheckpointError, match=rf"cut\{suffix} \({size}\) can't be read.*Download it again") as caught:
        load_sam2(cut)
    assert "\n" not in str(caught.value)


class Harmful:
    def __reduce__(self):
        return (np.zeros, (3,))


def test_a_pickle_that_holds_code_is_not_run(tmp_path):
    torch.save({"model": tiny_weights(), "more": Harmful()}, tmp_path / "bad.pt")
    with pytest.raises(CheckpointError, match="something else than weights"):
        load_sam2(tmp_path / "bad.pt")


def test_a_missing_checkpoint_says_where_it_belongs_comes_from_and_how_large_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    folder, name = tmp_path / "models" / "sam2", "sam2.1_hiera_small.pt"
    sentence = rf"small\.pt is not there.*{folder}.*https://.*184 MB, Apache-2\.0"
    with pytest.raises(FileNotFoundError, match=sentence):
        find_sam2(name)
    assert re.search(sentence, str(check_sam2_choice(name)))
    folder.mkdir(parents=True)
    (folder / name).write_bytes(b"x")
    assert find_sam2(name) == folder / name
    assert check_sam2_choice(name) is True and check_sam2_choice(None) is True
    assert check_sam2_choice(str(folder.parent / "outside.pt")) is not True


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="'fp8' is unknown; it is one of auto, fp32, fp16, bf16"):
        place(build(Architecture("2.1", "tiny")), "tiny", "fp8")

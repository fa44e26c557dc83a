"""Matting checkpoints: both kinds told apart by their weights, loaded strictly, refused in a sentence, run in tiles."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")

from mematte_nets import TINY_VITMATTE, published, tiny_mematte, tiny_vitmatte  # noqa: E402
from physics_preserver.nodes.matting.checkpoints import find_matte_model, matte_files  # noqa: E402
from physics_preserver.nodes.matting.matte_model import CheckpointError, load_matte_model, prepared  # noqa: E402
from physics_preserver.nodes.matting.refine import open_refiner  # noqa: E402
from physics_preserver.nodes.matting.trimap import from_mask  # noqa: E402


@pytest.fixture
def models(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for folder in ("matting", "vitmatte/small"):
        (tmp_path / "models" / folder).mkdir(parents=True)
    return tmp_path / "models"


def picture() -> tuple[np.ndarray, np.ndarray]:
    image = np.random.default_rng(0).integers(0, 255, (70, 90, 3), np.uint8)
    mask = np.zeros((70, 90), bool)
    mask[20:50, 30:60] = True
    return image, from_mask(mask, 5, 5)


def test_mematte_is_read_from_the_trainers_file_and_from_safetensors(models):
    weights = tiny_mematte()
    teacher = {f"teacher_backbone.{key}": value for key, value in list(weights.items())[:5]}
    torch.save({"model": {**weights, **teacher}, "iteration": 7}, models / "matting" / "MEMatte_any.pth")
    safetensors.save_file(weights, models / "matting" / "other.safetensors")
    assert matte_files() == ["matting/MEMatte_any.pth", "matting/other.safetensors"]
    first, second = (load_matte_model(find_matte_model(name), "fp32") for name in matte_files())
    assert (first.kind, first.name, first.file) == ("mematte", "MEMatte of width 32", "MEMatte_any.pth")
    image, trimap = picture()
    assert np.array_equal(first.solve(image, trimap), second.solve(image, trimap))


def test_refining_with_a_model_keeps_what_is_known(models):
    torch.save(tiny_mematte(), models / "matting" / "tiny.pth")
    model = load_matte_model(find_matte_model("tiny.pth"), "fp32")
    image, trimap = picture()
    with open_refiner("mematte", model, tile=64, overlap=16) as refiner:
        alpha = refiner.refine(image, trimap)
        assert refiner.report.tiles.run == 4 and refiner.report.method == "MEMatte of width 32"
    assert (alpha[trimap == 255] == 1).all() and (alpha[trimap == 0] == 0).all()
    assert ((alpha > 0) & (alpha < 1))[trimap == 128].all()
    with pytest.raises(ValueError, match="MEMatte of width 32 is for the method 'mematte', and 'vitmatte'"):
        open_refiner("vitmatte", model)


def test_vitmatte_is_read_without_its_config_and_normalised_as_it_was_trained(models):
    """transformers' own processor has mean and deviation .5; the authors train with ImageNet's, on the same weights."""
    pytest.importorskip("transformers")
    from physics_preserver.nodes.matting import vitmatte

    weights = tiny_vitmatte()
    assert vitmatte.recognise(weights) == TINY_VITMATTE
    safetensors.save_file(weights, models / "vitmatte" / "small" / "model.safetensors")
    assert matte_files() == ["vitmatte/small/model.safetensors"]
    model = load_matte_model(find_matte_model(str(models / "vitmatte" / "small")), "fp32")
    assert (model.kind, model.name) == ("vitmatte", "ViTMatte of width 32")
    net: Any = model.module.inner
    image, trimap = picture()
    rgb = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    known = torch.from_numpy(np.select([trimap == 0, trimap == 255], [0.0, 1.0], 0.5).astype(np.float32))[None, None]
    outputs = {}
    for name, mean, std in (
        ("trained", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ("processor", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ):
        normal = (rgb - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
        padded = torch.nn.functional.pad(torch.cat([normal, known], 1), (0, 6, 0, 26))
        with torch.inference_mode():
            outputs[name] = net(padded).alphas[0, 0, :70, :90].numpy()
    alpha = model.solve(image, trimap)
    assert np.abs(alpha - outputs["trained"]).max() < 1e-5
    assert np.abs(alpha - outputs["processor"]).max() > 1e-3
    assert prepared(image, trimap).shape == (4, 96, 96)


@pytest.mark.parametrize(
    ("kind", "width", "name", "parameters"),
    [
        ("mematte", 384, "MEMatte ViT-S", 29_191_293),
        ("mematte", 768, "MEMatte ViT-B", 110_107_389),
        ("vitmatte", 384, "ViTMatte S", 25.8e6),
        ("vitmatte", 768, "ViTMatte B", 96.7e6),
    ],
)
def test_every_published_size_has_as_many_parameters_as_the_authors_and_is_told_by_them(kind, width, name, parameters):
    """MEMatte's numbers are those of the authors' code, instantiated; ViTMatte's are in its publication, rounded."""
    pytest.importorskip("transformers")
    from physics_preserver.nodes.matting import mematte, vitmatte

    with torch.device("meta"):
        net = published(kind, width)
    within = 0 if kind == "mematte" else 0.1e6
    assert sum(parameter.numel() for parameter in net.parameters()) == pytest.approx(parameters, abs=within)
    weights = net.state_dict()
    architecture, about = mematte.recognise(weights), vitmatte.recognise(weights)
    assert (architecture is None) == (kind == "vitmatte") and (about is None) == (kind == "mematte")
    assert name == (architecture.name if architecture is not None else vitmatte.name_of(about or {}))


def test_files_that_are_no_checkpoint_are_refused_in_a_sentence(models):
    weights = tiny_mematte()
    broken = models / "matting" / "broken.pth"
    torch.save(weights, broken)
    broken.write_bytes(broken.read_bytes()[:500])
    with pytest.raises(
        CheckpointError, match=r"broken\.pth \(0\.0 MB\) can't be read as a checkpoint.*download it again"
    ):
        load_matte_model(broken)
    lacking = {key: value for key, value in weights.items() if key != "backbone.blocks.0.norm1.bias"}
    torch.save(lacking | {"backbone.extra": torch.zeros(1)}, broken)
    with pytest.raises(
        CheckpointError,
        match=r"broken\.pth is not a whole MEMatte of width 32: 1 of \d+ weights are missing "
        r"\(backbone\.blocks\.0\.norm1\.bias\), 1 weights do not belong to it \(backbone\.extra\); download it again",
    ):
        load_matte_model(broken)
    torch.save({"a": torch.zeros(1)}, broken)
    with pytest.raises(CheckpointError, match="neither a MEMatte nor a transformers ViTMatte"):
        load_matte_model(broken)
    with broken.open("wb") as file:
        pickle.dump({"model": Path("x")}, file)
    with pytest.raises(CheckpointError, match="can't be read"):
        load_matte_model(broken)


def test_a_missing_file_is_told_with_place_source_size_and_licence(models):
    with pytest.raises(FileNotFoundError) as error:
        find_matte_model("matting/MEMatte_ViTS_DIM.pth")
    text = str(error.value)
    assert str(models / "matting") in text and str(models / "vitmatte") in text
    assert "https://github.com/linyiheng123/MEMatte" in text and "117 MB" in text and "MIT" in text


def test_an_unknown_precision_is_named(models):
    torch.save(tiny_mematte(), models / "matting" / "tiny.pth")
    with pytest.raises(ValueError, match="precision 'fp8' is unknown"):
        load_matte_model(find_matte_model("tiny.pth"), "fp8")

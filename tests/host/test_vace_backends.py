"""The control in front of the real nodes: core's arithmetic on the masks, and both back ends beside each other."""

from __future__ import annotations

import os
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfyui import find_comfyui, python_of
from physics_preserver.nodes.conditioning.batch import control_batch
from physics_preserver.nodes.conditioning.choices import Choices
from physics_preserver.nodes.conditioning.latents import frames_of, latent_count, latent_of
from physics_preserver.nodes.conditioning.plan import plan_control
from physics_preserver.nodes.conditioning.references import reference_sheet
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import TrackBuilder

SIZE = (48, 80)
LENGTHS = (1, 5, 17, 49, 81)
CASES = {(length, aligned): Choices(latent_aligned=aligned) for length in LENGTHS for aligned in (False, True)}
# Frames of noise, so that every pixel's way through resizing and encoding is checked.
NOISE = np.random.default_rng(7)


def control_of(length: int, choices: Choices) -> dict[str, np.ndarray]:
    """A board that crosses the picture at 3 px a frame and turns back, and a person of 4 px who jumps about."""
    height, width = SIZE
    builder = TrackBuilder(("person", "board"), SIZE, Fraction(16))
    for t in range(length):
        masks = np.zeros((2, height, width), bool)
        x, (px, py) = abs(3 * t % 120 - 60), ((t * 29) % (width - 4), (t * 17) % (height - 4))
        masks[0, py : py + 4, px : px + 4], masks[1, 20:28, x : x + 16] = True, True
        builder.append(masks, np.ones(2))
    clip = ArrayClip(np.random.default_rng(7).integers(0, 256, (length, *SIZE, 3), np.uint8), Fraction(16))
    images, masks, consumed, _ = control_batch(clip, builder.finish(), plan_control(SIZE, length), choices)
    return {"images": images, "masks": masks, "consumed": consumed}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, np.ndarray]]:
    """What the nodes made of every case, by name, with what they were given."""
    comfyui = find_comfyui()
    if comfyui is None:
        pytest.skip("no ComfyUI here: COMFYUI_PATH can name one")
    cases = {f"{length}_{aligned}": control_of(length, choices) for (length, aligned), choices in CASES.items()}
    sheet = reference_sheet(NOISE.integers(0, 256, (3, 40, 30, 3), np.uint8), *SIZE[::-1])
    cases["references"] = {**cases["17_True"], "reference": sheet[None].astype(np.float32) / 255}
    cases["original"] = control_of(17, Choices(guide="original"))
    given, out = (tmp_path_factory.mktemp(name) for name in ("given", "made"))
    for name, case in cases.items():
        np.savez(given / f"{name}.npz", **{key: case[key] for key in case if key != "consumed"})  # type: ignore[arg-type]
    packs = os.environ.get("COMFYUI_PACKS")
    wrapper = [str(Path(packs, "ComfyUI-WanVideoWrapper"))] if packs else []
    script = [str(python_of(comfyui)), "-B", str(Path(__file__).with_name("vace_backends.py")), str(comfyui)]
    done = subprocess.run([*script, str(given), str(out), *wrapper], capture_output=True, text=True, cwd=out)
    assert done.returncode == 0, done.stderr[-3000:]
    return {name: {**case, **np.load(out / f"{name}.npz")} for name, case in cases.items()}


def in_pixels(mask: np.ndarray) -> np.ndarray:
    """[L, H, W] from VACE's mask [8 * 8, L, H / 8, W / 8], whose channels are the pixels of each 8 x 8 block."""
    _, latents, height, width = mask.shape
    blocks = mask.reshape(8, 8, latents, height, width)
    return blocks.transpose(2, 3, 0, 4, 1).reshape(latents, 8 * height, 8 * width)


def over_frames(latents: np.ndarray, length: int) -> np.ndarray:
    """[length, H, W]: what each pixel frame's latent was given."""
    return latents[[latent_of(t) for t in range(length)]]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("aligned", [False, True])
def test_consumed_masks_are_what_core_gives_the_model(made: Any, length: int, aligned: bool) -> None:
    case = made[f"{length}_{aligned}"]
    assert case["native_mask"].shape == (64, latent_count(length), SIZE[0] // 8, SIZE[1] // 8)
    assert np.array_equal(over_frames(in_pixels(case["native_mask"]), length), case["consumed"])


@pytest.mark.parametrize("length", [17, 49, 81])
def test_aligned_masks_are_consumed_over_what_was_meant_on_every_frame(made: Any, length: int) -> None:
    meant = made[f"{length}_False"]["masks"] > 0
    plain, aligned = (
        over_frames(in_pixels(made[f"{length}_{aligned}"]["native_mask"]), length) > 0 for aligned in (False, True)
    )
    assert not (meant & ~aligned).any()
    missed = (meant & ~plain).any(axis=(1, 2))
    assert missed.sum() > length // 2  # without alignment most frames have pixels that should go and are kept
    # Not by masking all: nothing is generated that wasn't meant within the latent or the ones beside it.
    spans = [(min(frames_of(max(0, k - 1))), max(frames_of(k + 1)) + 1) for k in map(latent_of, range(length))]
    near = np.stack([meant[first:last].any(axis=0) for first, last in spans])
    assert not (aligned & ~near).any()


def wrapper_frames(case: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    if "wrapper_frames" not in case:
        pytest.skip("no WanVideoWrapper: COMFYUI_PACKS can name the folder that ComfyUI-WanVideoWrapper is in")
    return case["native_frames"], case["wrapper_frames"]


@pytest.mark.parametrize("name", ["17_False", "81_True", "1_True", "references", "original"])
def test_both_back_ends_read_the_same_masks(made: Any, name: str) -> None:
    wrapper_frames(made[name])
    assert np.array_equal(made[name]["native_mask"], made[name]["wrapper_mask"])


def test_both_back_ends_encode_the_same_pixels(made: Any) -> None:
    native, wrapped = wrapper_frames(made["original"])
    assert native.shape == wrapped.shape and np.abs(native).max() > 1
    assert np.allclose(native, wrapped, atol=1e-5)


def test_references_reach_both_back_ends_alike(made: Any) -> None:
    case = made["references"]
    native, wrapped = wrapper_frames(case)
    assert native.shape[1] == latent_count(17) + 1 == wrapped.shape[1]
    assert np.allclose(native[:, 0], wrapped[:, 0], atol=1e-5) and np.abs(native[:16, 0]).max() > 1
    assert (wrapped[16:, 0] == 0).all() and not case["native_mask"][:, 0].any()
    # Core has the user trim the reference's latent; the wrapper's Decode does that itself.
    assert case["native_trim"] == 1 and case["wrapper_has_ref"]
    assert case["native_latent"][2] == latent_count(17) + 1 and case["wrapper_latent"][1] == latent_count(17)


def test_grey_is_half_a_level_darker_in_the_wrapper(made: Any) -> None:
    """Its resize goes through 8 bits: .5 becomes 127 / 255. Only reactive latents, where the mask is, can tell."""
    case = made["17_False"]
    native, wrapped = wrapper_frames(case)
    assert np.allclose(native[:16], wrapped[:16], atol=1e-5)
    touched = case["native_mask"].any(axis=0)
    away = np.abs(native[16:] - wrapped[16:]).max(axis=0)
    assert 0 < away[touched].max() and away.max() < 0.2

"""MEMatte, ViTMatte and SAM 2.1 through the whole matte pipelines: the pixels that come out are the networks' own."""

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("transformers")
pytest.importorskip("sam2", reason="the sam2 package is not installed")

from learned import SAM2_SIDE, network_says, save_matte_model, save_sam2  # noqa: E402
from mattes import DISC_SIZE, disc_image  # noqa: E402
from physics_preserver.nodes.cli import main  # noqa: E402
from physics_preserver.nodes.extraction import sam2_build  # noqa: E402
from physics_preserver.nodes.extraction.sam2_model import load_sam2  # noqa: E402
from physics_preserver.nodes.extraction.sam2_stream import SAM2Stream  # noqa: E402
from physics_preserver.nodes.matting.matte import matte, run_key  # noqa: E402
from physics_preserver.nodes.matting.matte_model import load_matte_model  # noqa: E402
from physics_preserver.nodes.matting.refine import open_refiner  # noqa: E402
from physics_preserver.nodes.matting.settings import Job, Settings  # noqa: E402
from physics_preserver.nodes.matting.trimap import from_mask  # noqa: E402
from physics_preserver.nodes.media.open import open_clip  # noqa: E402
from physics_preserver.nodes.media.writer import LosslessWriter  # noqa: E402
from vr_scene import Person, StereoScene  # noqa: E402

KINDS = ("mematte", "vitmatte")
NAMES = {"mematte": "MEMatte of width 32", "vitmatte": "ViTMatte of width 32"}
# Half a level of the 8-bit pictures to look at, and float32's last digits.
LEVEL = 0.5 / 255 + 1e-5


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, Path]:
    """Checkpoints of both refiners and of SAM 2.1 tiny."""
    folder = tmp_path_factory.mktemp("models")
    return {kind: save_matte_model(kind, folder) for kind in KINDS} | {"sam2": save_sam2(folder / "sam2.pt")}


def run(clip: Path, out: Path, *arguments: object) -> dict:
    """`matte` as a shell runs it; its summary."""
    assert main(["matte", str(clip), "--out", str(out), *map(str, arguments)]) == 0
    return json.loads((out / "run_summary.json").read_text())


def grey(file: Path) -> np.ndarray:
    found = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found


def looked_at(out: Path, t: int) -> tuple[np.ndarray, np.ndarray]:
    """Trimap uint8 and alpha 0..1 of frame t, at the size worked at."""
    return grey(out / f"qc/trimap.{t:06d}.png"), grey(out / f"qc/alpha.{t:06d}.png") / 255


def small(image: np.ndarray, share: float) -> np.ndarray:
    return cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)


def disc_clip(path: Path, shown: list[int]) -> Path:
    """A clip of the moving disc whose frame t is the disc's frame shown[t], to the bit."""
    with LosslessWriter(path, DISC_SIZE[1], DISC_SIZE[0], Fraction(24)) as video:
        for t in shown:
            video.write(disc_image(t))
    return path


BOX = (("person", (18.0, 28.0, 62.0, 72.0)),)
ON_DISC = ("--boxes", "person=18,28,62,72", "--inside", 4, "--outside", 4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_real_clips_alpha_is_what_the_network_alone_says(shared_data, tmp_path, models, kind):
    clip, out = shared_data / "clips/skateboarder.mp4", tmp_path / "out"
    summary = run(clip, out, "--frames", "0:3", "--scale", 0.25, "--boxes", "person=540,80,760,560", "--method", kind,
                  "--model", models[kind], "--qc-every", 1, "--inside", 3, "--outside", 3)  # fmt: skip
    assert summary["source"]["frames"] == 3 and summary["eyes"][0]["refine"]["method"] == NAMES[kind]
    for t, frame in zip(range(3), open_clip(clip), strict=False):
        trimap, alpha = looked_at(out, t)
        assert trimap.shape == (180, 320) and 0.005 < (trimap == 128).mean() < 0.1
        expected = network_says(kind, small(frame.image, 0.25), trimap)
        assert np.abs(alpha - expected).max() < LEVEL
        assert expected[trimap == 128].std() > 0.01  # it says something of the picture
        assert grey(out / f"alpha/{t:06d}.png").shape == (720, 1280)


def test_sam2s_logits_become_the_band_that_is_refined(shared_data, tmp_path, models, monkeypatch):
    monkeypatch.setattr(sam2_build, "IMAGE_SIZE", SAM2_SIDE)
    clip, out = shared_data / "clips/skateboarder.mp4", tmp_path / "out"
    summary = run(clip, out, "--frames", "0:3", "--scale", 0.25, "--boxes", "person=540,80,760,560", "--sam2",
                  models["sam2"], "--method", "mematte", "--model", models["mematte"], "--qc-every", 1)  # fmt: skip
    assert summary["tracker"] == "SAM 2.1 tiny" and summary["eyes"][0]["trimap"]["source"] == "logits"
    frames = [small(frame.image, 0.25) for _, frame in zip(range(3), open_clip(clip), strict=False)]
    with SAM2Stream(load_sam2(models["sam2"]), (180, 320), 1, 3) as stream:
        stream.prompt(0, frames[0], 0, box=(540 / 4, 80 / 4, 760 / 4, 560 / 4))
        logits = [stream.step(t, image)[0][0].astype(np.float16).astype(np.float32) for t, image in enumerate(frames)]
    seen = 0
    for t, image in enumerate(frames):
        trimap, alpha = looked_at(out, t)
        odds = np.exp(cv2.resize(logits[t], (320, 180)).astype(float))
        probability = odds / (1 + odds)
        assert np.array_equal(trimap == 255, probability >= 0.97) and np.array_equal(trimap == 0, probability <= 0.03)
        assert np.abs(alpha - network_says("mematte", image, trimap)).max() < LEVEL
        seen += (trimap == 128).any() and (trimap != 128).any()
    assert seen >= 2, [float((logit > 0).mean()) for logit in logits]


@pytest.mark.parametrize("kind", KINDS)
def test_each_eye_is_refined_on_its_own_pixels(tmp_path, models, monkeypatch, kind):
    monkeypatch.setattr(sam2_build, "IMAGE_SIZE", SAM2_SIDE)
    side, out = 128, tmp_path / "out"
    scene = StereoScene([Person(1.2, 0)], size=(side, side), frames=2)
    with LosslessWriter(tmp_path / "vr.mp4", 2 * side, side, Fraction(24)) as video:
        for frame in scene:
            video.write(frame.image)
    cv2.imwrite(str(tmp_path / "mask.png"), scene.masks(0, False)[0].astype(np.uint8) * 255)
    summary = run(tmp_path / "vr.mp4", out, "--stereo", "sbs", "--masks", f"person={tmp_path / 'mask.png'}", "--sam2",
                  models["sam2"], "--method", kind, "--model", models[kind], "--qc-every", 1, "--inside", 3,
                  "--outside", 3, "--parallel-eyes")  # fmt: skip
    assert summary["tracker"] == "SAM 2.1 tiny"
    assert [eye["refine"]["method"] for eye in summary["eyes"]] == [NAMES[kind]] * 2
    assert len({eye["trimap"]["source"] for eye in summary["eyes"]}) == 1  # or else the eyes' bands differ
    refined = 0
    for frame in scene:
        trimap, alpha = looked_at(out, frame.index)
        for eye in (np.s_[:, :side], np.s_[:, side:]):
            expected = network_says(kind, np.ascontiguousarray(frame.image[eye]), trimap[eye])
            assert np.abs(alpha[eye] - expected).max() < LEVEL
            refined += (trimap[eye] == 128).any()
    assert refined >= 2
    shown = from_mask(np.asarray(scene.masks(0, False)[0]), 3, 3)
    assert np.array_equal(looked_at(out, 0)[0][:, :side], shown)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_is_autocasts_and_an_alpha_in_fine_steps(tmp_path, models, kind):
    """bf16 and fp16, as far as the processor has them: near to fp32, fp16 the nearer one."""
    clip = disc_clip(tmp_path / "disc.mp4", [0])
    band = from_mask(np.zeros(DISC_SIZE, bool), 4, 4)
    found, errors = {}, {}
    for precision in ("fp32", "bf16", "fp16"):
        out = tmp_path / precision
        run(clip, out, *ON_DISC, "--method", kind, "--model", models[kind], "--precision", precision, "--qc-every", 1)
        band = looked_at(out, 0)[0]
        found[precision] = grey(out / "alpha/000000.png")[band == 128] / 65535
        errors[precision] = np.abs(found[precision] - network_says(kind, disc_image(0), band)[band == 128])
    assert errors["fp32"].max() < 1e-4
    assert errors["fp16"].mean() < 0.5 * errors["bf16"].mean() < 0.02
    for precision, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
        with torch.autocast("cpu", dtype):
            expected = network_says(kind, disc_image(0), band)[band == 128]
        assert np.abs(found[precision] - expected).max() < 4 * errors[precision].max()
    coarse = torch.from_numpy(found["bf16"]).bfloat16()  # what an alpha in bf16 would be
    assert len(np.unique(found["bf16"])) > 2 * len(coarse.unique())


def command(clip: Path, out: Path, kind: str, model: Path) -> list[str]:
    arguments = [*("matte", clip, "--out", out, "--chunk", 3, *ON_DISC, "--method", kind, "--model", model)]
    arguments += ["--formats", "png16", "grey-ffv1", "--reuse", 1, "--qc-every", 0, "--keep-segments"]
    return [sys.executable, "-m", "physics_preserver", *map(str, arguments)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_with_a_network_goes_on_and_equals_an_unbroken_one(tmp_path, models, kind):
    clip, killed = disc_clip(tmp_path / "disc.mp4", [t // 2 for t in range(18)]), tmp_path / "killed"
    subprocess.run(command(clip, tmp_path / "whole", kind, models[kind]), check=True, capture_output=True)
    running = subprocess.Popen(command(clip, killed, kind, models[kind]), stdout=subprocess.DEVNULL)
    while not (killed / "unfinished/segment_00002/run.json").exists():
        assert running.poll() is None, "it was done before it could be killed"
        time.sleep(0.002)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    finished = sorted((killed / "unfinished").glob("segment_*/run.json"))
    assert not (killed / "run_summary.json").exists() and 3 <= len(finished) < 6
    before = [file.stat().st_mtime_ns for file in finished]
    subprocess.run(command(clip, killed, kind, models[kind]), check=True, capture_output=True)
    assert [file.stat().st_mtime_ns for file in finished] == before
    files = [[file.relative_to(out).as_posix() for file in sorted(out.rglob("*.png"))]
             for out in (tmp_path / "whole", killed)]  # fmt: skip
    assert files[0] == files[1] == [f"alpha/{t:06d}.png" for t in range(18)]
    for name in files[0]:
        assert (tmp_path / "whole" / name).read_bytes() == (killed / name).read_bytes()
    for number in range(6):
        parts = [out / f"unfinished/segment_{number:05d}/grey-ffv1.mkv" for out in (tmp_path / "whole", killed)]
        frames = [[frame.image for frame in open_clip(part)] for part in parts]
        assert len(frames[0]) == 3 and np.array_equal(frames[0], frames[1])


@pytest.mark.parametrize("kind", KINDS)
def test_frames_that_are_alike_take_the_last_alpha_and_are_counted(tmp_path, models, kind):
    shown = [0, 0, 0, 5, 5, 10]
    clip = disc_clip(tmp_path / "disc.mp4", shown)
    chosen = (*ON_DISC, "--method", kind, "--model", models[kind], "--reuse", 2, "--qc-every", 1)
    summary = run(clip, tmp_path / "out", *chosen)
    pictures = [looked_at(tmp_path / "out", t) for t in range(6)]
    reused = []
    for t, frame in enumerate(open_clip(clip)):
        trimap, alpha = pictures[t]
        before, last = pictures[t - 1]
        # The tracker's outline wavers on a still picture; from the box on frame 0 to its own on frame 1 it changes.
        if t and shown[t] == shown[t - 1] and np.sum(trimap != before) < 0.1 * np.sum(before == 128):
            both = (trimap == 128) & (before == 128)
            assert np.array_equal(alpha[both], last[both])
            reused.append(t)
        else:
            assert np.abs(alpha - network_says(kind, frame.image, trimap)).max() < LEVEL
    refined = summary["eyes"][0]["refine"]  # each frame is one tile
    assert len(reused) >= 2 and refined["frames_reused"] == len(reused) and refined["tiles_run"] == 6 - len(reused)


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_leave_no_seam_and_little_of_where_they_lie(models, kind):
    """A network sees all of its tile, so its alpha depends on it; random weights tell by how much at the least.

    The bounds are those of these weights: .07 for a pixel and .01 on average, where the alpha's own spread is .02.
    """
    model = load_matte_model(models[kind], "fp32")
    image, mask = disc_image(40, (256, 256)), np.zeros((256, 256), bool)
    mask[50:206, 40:220] = True
    trimap = from_mask(mask, 12, 12)

    def alpha(overlap: int, shift: int = 0) -> np.ndarray:
        moved = np.pad(image, ((shift, 0), (shift, 0), (0, 0)), mode="edge")
        with open_refiner(kind, model, 128, overlap) as refiner:
            found = refiner.refine(moved, np.pad(trimap, ((shift, 0), (shift, 0))))[shift:, shift:]
            assert refiner.report.tiles.run >= 4
        return found

    def step(found: np.ndarray, column: int) -> float:
        """Mean change of alpha between two columns, where both are in the band."""
        both = (trimap[:, column - 1] == 128) & (trimap[:, column] == 128)
        return float(np.abs(found[:, column] - found[:, column - 1])[both].mean())

    here, there = alpha(32), alpha(32, 16)
    apart = np.abs(here - there)[trimap == 128]
    assert 0 < apart.mean() < 0.01 and apart.max() < 0.07
    # In 256 px two tiles without overlap meet at column 128, and the alpha jumps there.
    assert step(here, 128) < 0.5 * step(alpha(0), 128), (step(here, 128), step(alpha(0), 128))


def test_a_model_in_another_precision_is_another_run(tmp_path, models):
    clip, chosen = disc_clip(tmp_path / "disc.mp4", [0, 1]), Settings(boxes=BOX, method="mematte", qc_every=0)
    first, other = (load_matte_model(models["mematte"], precision) for precision in ("fp32", "bf16"))
    matte(clip, tmp_path / "out", Job(chosen), model=first)
    matte(clip, tmp_path / "out", Job(chosen), model=load_matte_model(models["mematte"], "auto"))  # fp32, too
    with pytest.raises(FileExistsError, match="another computed_in|another input"):
        matte(clip, tmp_path / "out", Job(chosen), model=other)
    assert run_key(clip, Job(chosen), model=first) != run_key(clip, Job(chosen), model=other)

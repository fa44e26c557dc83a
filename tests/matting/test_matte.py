"""The whole way from a clip to its matte: streamed, resumable, and told truthfully."""

import json
import os
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import audio_packets, with_audio
from mattes import DISC_SIZE as SIZE
from mattes import disc_alpha, disc_image, read_back
from physics_preserver.nodes.extraction.detection import Detection, DetectionError
from physics_preserver.nodes.extraction.prompts import PromptError
from physics_preserver.nodes.matting import pipeline, profile
from physics_preserver.nodes.matting.anchor import find_anchor, is_empty
from physics_preserver.nodes.matting.matte import matte
from physics_preserver.nodes.matting.scaled import enlarge, shrink
from physics_preserver.nodes.matting.settings import Job, Limits, Settings
from physics_preserver.nodes.media.clip import ClipError
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.writer import LosslessWriter


def disc_clip(path: Path, frames: int = 24, dark: int = 0, audio: Path | None = None) -> Path:
    """Unevenly timed frames with the disc, the first `dark` of them black."""
    base = Fraction(1, 1000)
    with LosslessWriter(path, SIZE[1], SIZE[0], Fraction(24), base, audio_from=audio) as video:
        for t in range(frames):
            image = np.zeros((*SIZE, 3), np.uint8) if t < dark else disc_image(t)
            video.write(image, Fraction(42 * t + t * t % 5, 1000))
    return path


def grey(file: Path) -> np.ndarray:
    found = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found


BOX = (("person", (18.0, 28.0, 62.0, 72.0)),)


def job(limits=None, **chosen) -> Job:
    return Job(Settings(**{"boxes": BOX, "inside": 4.0, "outside": 4.0, "qc_every": 0, **chosen}), limits or Limits())


def test_a_clip_becomes_its_matte(tmp_path):
    sound = with_audio(tmp_path / "sound.mp4", audio_seconds=2)
    clip = disc_clip(tmp_path / "disc.mp4", audio=sound)
    formats = ("png16", "prores4444", "green-h264")
    chosen = job(Limits(price_per_hour=3.6), formats=formats, chunk=7, qc_every=10)
    summary = matte(clip, tmp_path / "out", chosen)
    times = [frame.time for frame in open_clip(clip)]
    found, _, alphas = read_back(tmp_path / "out/disc_matte_prores4444.mov", "alpha")
    assert found == times
    error = [np.abs(alpha - disc_alpha(t)).mean() for t, alpha in enumerate(alphas)]
    assert max(error) < 0.02, error
    stills = sorted((tmp_path / "out/alpha").iterdir())
    assert [file.name for file in stills] == [f"{t:06d}.png" for t in range(24)]
    levels = grey(stills[13])
    assert levels.dtype == np.uint16 and np.abs(levels / 65535 - alphas[13]).max() < 1 / 1000
    keyed, colours, _ = read_back(tmp_path / "out/disc_matte_green-h264.mp4", "colours")
    assert keyed == times
    for file in ("disc_matte_prores4444.mov", "disc_matte_green-h264.mp4"):
        assert [d for _, d in audio_packets(tmp_path / "out" / file)] == [d for _, d in audio_packets(sound)]
    outside = disc_alpha(5) == 0
    assert np.abs(colours[5][outside].astype(int) - (0, 255, 0)).mean() < 4
    written = json.loads((tmp_path / "out/run_summary.json").read_text())
    assert written == json.loads(json.dumps(summary)) and written["schema"] == "physics-preserver/matte"
    assert written["source"]["frames"] == 24
    segments = written["segments"]
    assert (segments["count"], segments["frames"], len(segments["wall_seconds"])) == (4, 7, 4)
    assert json.loads((tmp_path / "out/config_used.json").read_text())["formats"] == list(formats)
    seconds = written["profile"]["wall_seconds"]
    minutes = float(times[-1] + Fraction(1, 24)) / 60
    assert written["cost"]["per_minute"] == pytest.approx(3.6 * seconds / 3600 / minutes, rel=0.02)
    assert {file.name for file in (tmp_path / "out/qc").iterdir()} == {
        f"{kind}.{t:06d}.{suffix}" for t in (0, 10, 20)
        for kind, suffix in (("trimap", "png"), ("alpha", "png"), ("confidence", "png"), ("overlay", "jpg"))
    }  # fmt: skip
    assert not (tmp_path / "out/unfinished").exists()


def test_another_input_or_other_settings_never_go_on_with_a_run(tmp_path):
    clip = disc_clip(tmp_path / "disc.mp4", frames=8)
    out = tmp_path / "out"
    matte(clip, out, job(chunk=4))
    assert matte(clip, out, job(chunk=4))["source"]["frames"] == 8  # finished: only read
    with pytest.raises(FileExistsError, match=r"another inside \(4.0 there, 5.0 now\)"):
        matte(clip, out, job(chunk=4, inside=5.0))
    about = clip.stat()
    data = bytearray(clip.read_bytes())
    data[len(data) // 2] ^= 1
    clip.write_bytes(data)
    os.utime(clip, ns=(about.st_atime_ns, about.st_mtime_ns))
    with pytest.raises(FileExistsError, match="another input"):
        matte(clip, out, job(chunk=4))
    with pytest.raises(FileExistsError, match="not empty"):
        matte(clip, tmp_path, job(chunk=4))


def test_a_run_stops_at_its_memory_limit_and_goes_on_without(tmp_path):
    clip = disc_clip(tmp_path / "disc.mp4", frames=8)
    with pytest.raises(MemoryError, match="may have 0.001"):
        matte(clip, tmp_path / "out", job(Limits(max_memory_gb=0.001), chunk=4))
    assert matte(clip, tmp_path / "out", job(chunk=4))["source"]["frames"] == 8


def test_a_run_that_found_nothing_yet_is_begun_anew_with_other_settings(tmp_path):
    clip = disc_clip(tmp_path / "disc.mp4", frames=8)
    with pytest.raises(PromptError, match="is not inside 160x96"):
        matte(clip, tmp_path / "out", job(boxes=(("person", (500.0, 10.0, 600.0, 90.0)),)))
    assert matte(clip, tmp_path / "out", job())["labels"] == ["person"]
    with pytest.raises(FileExistsError, match="another boxes"):
        matte(clip, tmp_path / "out", job(boxes=(("person", (500.0, 10.0, 600.0, 90.0)),)))


def test_the_memory_limit_holds_while_the_clip_is_tracked(tmp_path, monkeypatch):
    clip = disc_clip(tmp_path / "disc.mp4", frames=8)
    asked = []
    monkeypatch.setattr(profile, "ram_now", lambda: asked.append(0) or len(asked) * 2**28)
    with pytest.raises(MemoryError, match="and may have 1: raise max_memory_gb"):
        matte(clip, tmp_path / "out", job(Limits(max_memory_gb=1)))
    assert not (tmp_path / "out/unfinished/found.json").exists()
    monkeypatch.setattr(profile, "ram_now", lambda: None)
    monkeypatch.setattr(pipeline, "ram_now", lambda: None)
    summary = matte(clip, tmp_path / "out", job(Limits(max_memory_gb=1)))
    assert summary["notes"] == ["max_memory_gb changed nothing: this system doesn't tell what a process has"]


def test_what_is_not_there_is_named(tmp_path):
    clip = disc_clip(tmp_path / "disc.mp4", frames=2)
    with pytest.raises(FileNotFoundError, match=r"no.png: there is no such file"):
        matte(clip, tmp_path / "out", job(boxes=(), masks=(("person", str(tmp_path / "no.png")),)))
    with pytest.raises(FileNotFoundError, match="of numbered images name the folder that they are in"):
        matte(str(tmp_path / "%06d.png"), tmp_path / "out", job())


def yellow(image: np.ndarray) -> list[Detection]:
    """A detector that finds what is as red as the disc."""
    rows, columns = np.nonzero(image[..., 0] > 180)
    if len(rows) < 200:
        return []
    box = float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
    return [Detection("person", 0.9, box, "test"), Detection("dog", 0.9, (0.0, 0.0, 9.0, 9.0), "test")]


def test_the_first_usable_frame_is_found_and_told(tmp_path):
    clip = open_clip(disc_clip(tmp_path / "disc.mp4", dark=9))
    assert [is_empty(frame.image) for frame in clip] == [True] * 9 + [False] * 15
    anchor = find_anchor(clip, "person", yellow, 0.5)
    assert (anchor.frame, anchor.prompts[0].label) == (9, "person")
    with pytest.raises(
        DetectionError, match=r"no cat was found in 15 frames .* \(9 more are dark or empty\); found: dog, p"
    ):
        find_anchor(clip, "cat", yellow, 0.5)


def test_what_moves_is_the_subject_without_a_detector_and_dark_frames_have_no_matte(tmp_path):
    clip = disc_clip(tmp_path / "disc.mp4", dark=5)
    summary = matte(clip, tmp_path / "out", job(boxes=(), chunk=10))
    assert summary["effective_frame_start"] == 5 and summary["requested_frame_start"] == 0
    assert summary["anchor"]["method"] == "motion" and "effectively starts at frame 5" in summary["warnings"][-1]
    assert summary["anchor"]["mask"] == "anchor_mask.auto.png"
    alphas = [grey(file) / 65535 for file in sorted((tmp_path / "out/alpha").iterdir())]
    assert len(alphas) == 24 and max(alpha.max() for alpha in alphas[:5]) == 0
    assert all(np.abs(alphas[t] - disc_alpha(t)).mean() < 0.03 for t in range(6, 24))
    assert (tmp_path / "out/anchor_mask.auto.png").is_file()


def test_a_folder_of_images_with_an_anchor_mask_of_another_size(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for t in range(6):
        cv2.imwrite(str(folder / f"{t}.png"), disc_image(t)[..., ::-1])
    mask = cv2.resize(np.uint8(disc_alpha(2) > 0.5) * 255, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    chosen = job(boxes=(), masks=(("person", str(tmp_path / "mask.png")),), anchor=2, fps="25", formats=("ffv1",))
    matte(folder, tmp_path / "out", chosen)
    times, _, alphas = read_back(tmp_path / "out/frames_matte_ffv1.mkv", "alpha")
    assert times == [Fraction(t, 25) for t in range(6)]
    assert all(np.abs(alpha - disc_alpha(t)).mean() < 0.02 for t, alpha in enumerate(alphas))


@pytest.mark.parametrize("factor", [2, 4])
def test_a_small_matte_is_enlarged_along_the_frames_edges(factor):
    size = (240, 320)
    image, alpha = disc_image(40, size), disc_alpha(40, size)
    small = (size[0] // factor, size[1] // factor)
    little = cv2.resize(alpha, small[::-1], interpolation=cv2.INTER_AREA)
    trimap = np.full(small, 128, np.uint8)
    trimap[cv2.erode(little, np.ones((9, 9))) > 0.99] = 255
    trimap[cv2.dilate(little, np.ones((9, 9))) < 0.01] = 0
    plain = cv2.resize(little, size[::-1], interpolation=cv2.INTER_LINEAR)
    guided = enlarge(little, trimap, image)
    assert shrink(image, small).shape == (*small, 3)
    assert np.abs(guided - alpha).mean() < 0.25 * np.abs(plain - alpha).mean()
    assert guided.min() >= 0 and guided.max() <= 1


def test_a_clip_that_breaks_off_says_so(tmp_path):
    clip = disc_clip(tmp_path / "disc.mp4", frames=24)
    clip.write_bytes(clip.read_bytes()[:-3000])
    with pytest.raises(ClipError):
        matte(clip, tmp_path / "out", job(chunk=8))

"""A long clip in windows, with a model that can be seen through: what it is shown, what is kept, what goes on."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from physics_preserver.nodes.conditioning.choices import Choices
from physics_preserver.nodes.conditioning.plan import plan_control
from physics_preserver.nodes.conditioning.reskin import Footage, Generate, make_window, run_window, window_seed
from physics_preserver.nodes.conditioning.run_folder import RunFolder
from physics_preserver.nodes.conditioning.windows import Window, plan_windows
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import Track, TrackBuilder

SIZE = (32, 48)
RATE = Fraction(24)


def square_track(frames: int, seen: range | None = None) -> Track:
    """A person of 8x8 px that moves to the right; only on the frames `seen`, if given."""
    builder = TrackBuilder(("person",), SIZE, RATE)
    for t in range(frames):
        mask = np.zeros((1, *SIZE), bool)
        if seen is None or t in seen:
            mask[0, 8:16, t % 32 : t % 32 + 8] = True
        builder.append(mask, np.ones(1))
    return builder.finish()


def numbered(frames: int) -> np.ndarray:
    """uint8 [T, H, W, 3]: every frame has its own grey."""
    return np.tile((np.arange(frames) % 200 + 20).astype(np.uint8)[:, None, None, None], (1, *SIZE, 3))


def footage(frames: int, track: Track | None = None, choices: Choices | None = None) -> Footage:
    clip = ArrayClip(numbered(frames), RATE)
    plan = plan_control(SIZE, 1)
    return Footage(clip, track or square_track(frames), plan, choices or Choices("person"), None, range(frames))


class Painter:
    """A model that gives back what it is shown, 3 levels brighter, and red where it may paint; it counts its calls."""

    def __init__(self) -> None:
        self.seeds: list[int] = []
        self.shown: list[tuple[np.ndarray, np.ndarray]] = []

    def __call__(self, images: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
        self.seeds.append(seed)
        self.shown.append((images.copy(), masks.copy()))
        made = np.rint(images * 255).astype(np.uint8) + 3
        made[masks > 0] = (200, 0, seed % 100)
        return made


def run_all(run: RunFolder, source: Footage, painter: Generate, first: int = 0) -> list[np.ndarray]:
    for number in range(first, len(run.windows)):
        run_window(run, source, number, painter, 40)
    return list(run.frames())


def test_frames_out_are_frames_in_and_each_window_sees_what_was_made(tmp_path: Path) -> None:
    source, painter = footage(50), Painter()
    run = RunFolder(tmp_path / "run", plan_windows(50, 21, 6), SIZE, RATE)
    assert run.begin() == 0
    made = run_all(run, source, painter)
    assert len(made) == 50
    assert painter.seeds == [window_seed(40, n) for n in range(len(run.windows))] == [40, 41, 42]
    for t, frame in enumerate(made):  # the background is the source's, through one decoder or two
        assert 0 <= int(frame[0, 0, 0]) - (t + 20) <= 3 * len(run.windows)
    for number, (images, masks) in enumerate(painter.shown[1:], start=1):
        window = run.windows[number]
        assert not masks[: window.kept].any() and masks[window.kept :].any(axis=(1, 2)).all()
        before = list(run.read(window.start, window.start + window.kept, number - 1))
        assert np.array_equal(np.rint(images[: window.kept] * 255).astype(np.uint8), np.stack(before))
        person = before[0][8:16, window.start % 32 : window.start % 32 + 8]
        assert (person[..., 0] == 200).all(), "the window before had painted it"


def test_a_run_goes_on_with_the_window_it_was_in(tmp_path: Path) -> None:
    source = footage(60)
    windows = plan_windows(60, 21, 6)
    whole = RunFolder(tmp_path / "whole", windows, SIZE, RATE)
    whole.begin()
    expected = run_all(whole, source, Painter())
    run = RunFolder(tmp_path / "broken", windows, SIZE, RATE)
    run.begin()

    def dies(images: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
        raise KeyboardInterrupt

    run_window(run, source, 0, Painter(), 40)
    run_window(run, source, 1, Painter(), 40)
    with pytest.raises(KeyboardInterrupt):
        run_window(run, source, 2, dies, 40)
    (run.folder / ".window_00002.partial.mp4").write_bytes(b"as a killed process leaves it")
    again, painter = RunFolder(run.folder, windows, SIZE, RATE), Painter()
    assert again.begin() == 2
    made = run_all(again, source, painter, first=2)
    assert painter.seeds == [42, 43]
    assert all(np.array_equal(a, b) for a, b in zip(made, expected, strict=True))


def test_a_file_that_lacks_frames_is_not_taken_for_a_window(tmp_path: Path) -> None:
    windows = plan_windows(60, 21, 6)
    run = RunFolder(tmp_path / "run", windows, SIZE, RATE)
    run.begin()
    run.write(0, numbered(21))
    run.write(1, numbered(20))
    run.write(2, numbered(21))
    assert run.begin() == 1
    data = (run.folder / "window_00000.mp4").read_bytes()
    (run.folder / "window_00000.mp4").write_bytes(data[: len(data) // 2])
    assert run.begin() == 0


def test_cleaning_needs_the_result_and_leaves_what_is_not_ours(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run", plan_windows(30, 21, 6), SIZE, RATE)
    run.begin()
    run.write(0, numbered(21))
    with pytest.raises(FileNotFoundError, match="still needed"):
        run.clean()
    run.result.write_bytes(b"video")
    (run.folder / "notes.txt").write_text("mine")
    run.clean()
    assert sorted(file.name for file in run.folder.iterdir()) == ["notes.txt", "reskin.mp4", "run.json"]
    with pytest.raises(FileExistsError, match="no run of Reskin"):
        (run.folder / "run.json").unlink()
        run.begin()


def test_frames_on_both_sides_are_shown_and_come_back_as_they_are() -> None:
    painter, kept = Painter(), numbered(21) + 5
    window = Window(10, 31, kept=6, kept_after=7)
    made, seam = make_window(footage(50), window, list(kept[:6]), list(kept[14:]), painter, 1)
    images, masks = painter.shown[0]
    assert [bool(mask.any()) for mask in masks] == [False] * 6 + [True] * 8 + [False] * 7
    assert all(np.array_equal(a, b) for a, b in zip(made[14:], kept[14:], strict=True))
    assert seam is not None and seam.cut is None and len(made) == 21


def test_a_window_without_the_object_is_the_source_and_runs_no_model() -> None:
    source, painter = footage(50, square_track(50, range(10))), Painter()
    made, _ = make_window(source, Window(20, 41), [], [], painter, 1)
    assert painter.seeds == []
    assert [int(frame[0, 0, 0]) for frame in made] == list(range(40, 61))
    background = footage(50, square_track(50, range(10)), Choices("background"))
    make_window(background, Window(20, 41), [], [], painter, 1)
    assert painter.shown[0][1].all(), "without the object everything is background"


def test_padding_repeats_the_last_frame_and_is_dropped() -> None:
    painter = Painter()
    made, _ = make_window(footage(7), plan_windows(7)[0], [], [], painter, 1)
    assert len(made) == 7
    images, masks = painter.shown[0]
    assert len(images) == 9 and np.array_equal(images[8], images[6]) and np.array_equal(masks[8], masks[6])


def test_a_lead_in_shows_the_first_frame_and_is_dropped(tmp_path: Path) -> None:
    """What the model makes of the lead-in, as a reference that bleeds into it, is nowhere in the clip."""
    painter = Painter()

    def bleeds(images: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
        made = painter(images, masks, seed)
        if seed == 40:
            made[:4] = 255
        return made

    run = RunFolder(tmp_path / "run", plan_windows(40, 21, 6, lead_in=4), SIZE, RATE)
    run.begin()
    made = run_all(run, footage(40), bleeds)
    assert len(made) == 40 and max(int(frame.max()) for frame in made) < 255
    images, masks = painter.shown[0]
    assert len(images) == 21 and all(np.array_equal(image, images[4]) for image in images[:4])
    assert all(np.array_equal(mask, masks[4]) for mask in masks[:4]) and masks[4].any()
    assert [round(float(image[0, 0, 0]) * 255) for image in images[4:]] == list(range(20, 37))

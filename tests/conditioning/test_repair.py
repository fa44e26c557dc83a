"""The closed loop on clips whose objects are read off their colours: what is made anew, what is kept, what is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips_of_colour import FRAMES, SIZE, SOURCE, ColourTracker, clip_of, ride, track_of
from physics_preserver.nodes.conditioning.choices import Choices, ConditioningError
from physics_preserver.nodes.conditioning.plan import plan_control
from physics_preserver.nodes.conditioning.repair import (
    LADDER,
    SEED_STEP,
    Repaired,
    make_range,
    needs_repair,
    repair,
    repairable,
)
from physics_preserver.nodes.conditioning.reskin import Footage
from physics_preserver.nodes.conditioning.run_folder import RepairFolder
from physics_preserver.nodes.media.clip import Clip
from physics_preserver.nodes.media.video import VideoClip
from physics_preserver.nodes.validation.validate import Judgement, validate

TRACK = track_of(SOURCE)


def planted(*ranges: tuple[int, int]) -> Clip:
    """The source with the board out of its place on some frames."""
    return clip_of([ride(t, board_shift=-14 if any(a <= t < b for a, b in ranges) else 0) for t in range(len(SOURCE))])


def judged(clip: Clip) -> Judgement:
    return validate(TRACK, clip_of(SOURCE), clip, ColourTracker())


def judge(clip: Clip) -> dict[str, Any]:
    return judged(clip).report


def footage(**choices: Any) -> Footage:
    chosen = Choices(**{"repaint": "everything", "guide": "original", **choices})
    return Footage(clip_of(SOURCE), TRACK, plan_control(SIZE, 1), chosen, None, range(FRAMES))


def perfect(images: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
    """Shown the source's own pixels, a model that gives them back."""
    return np.rint(images * 255).astype(np.uint8)


def useless(images: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
    return np.zeros(images.shape, np.uint8)


def repaired(
    clip: Clip, generator: Callable[[float], Any], folder: Path, attempts: int = 3, source: Footage | None = None
) -> Repaired:
    return repair(
        source or footage(), clip, judge(clip), generator, judged,
        RepairFolder(folder).place, 7, attempts, 81, 10,
    )  # fmt: skip


def images(clip: Clip) -> list[np.ndarray]:
    return [frame.image for frame in clip]


def equal(a: list[np.ndarray], b: list[np.ndarray], frames: range) -> bool:
    return all(np.array_equal(a[t], b[t]) for t in frames)


def test_the_planted_range_alone_is_made_anew(tmp_path: Path) -> None:
    clip = planted((20, 29))
    found = repaired(clip, lambda strength: perfect, tmp_path)
    about = found.report["repair"]
    assert found.report["passed"] and about["stopped"] == "passed" and len(about["attempts"]) == 1
    [[start, stop]] = about["replaced"]
    assert abs(start - 20) <= 1 and abs(stop - 29) <= 1
    assert about["untouched_frames"] == FRAMES - (stop - start)
    before, after, source = images(clip), images(found.clip), images(clip_of(SOURCE))
    assert equal(after, before, range(start)) and equal(after, before, range(stop, FRAMES))
    assert equal(after, source, range(start, stop))
    assert [frame.time for frame in found.clip] == [frame.time for frame in clip]
    [tried] = about["attempts"]
    assert tried["seed"] == 7 + SEED_STEP and tried["ranges"][0]["taken"]
    assert tried["ranges"][0]["before"]["failing"] == stop - start and tried["ranges"][0]["after"]["failing"] == 0
    assert f"frames {start} to {stop - 1}" in found.summary and found.summary.startswith("passed after 1 attempt")
    json.dumps(found.report)
    assert found.judgement is not None and found.judgement.report is found.report


def test_each_range_keeps_its_better_take_and_the_next_attempt_is_a_rung_up(tmp_path: Path) -> None:
    clip = planted((8, 13), (28, 34))
    calls: list[tuple[float, int]] = []

    def generator(strength: float):
        def run(shown: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
            calls.append((strength, seed))
            return (useless if len(calls) == 2 else perfect)(shown, masks, seed)  # the second range, at first

        return run

    found = repaired(clip, generator, tmp_path)
    first, second = found.report["repair"]["attempts"]
    assert [part["taken"] for part in first["ranges"]] == [True, False]
    assert [part["taken"] for part in second["ranges"]] == [True] and len(second["ranges"]) == 1
    assert second["ranges"][0]["start"] >= 27 and first["verdict"] == "failed" and second["verdict"] == "passed"
    assert calls == [(1.0, 7 + SEED_STEP), (1.0, 8 + SEED_STEP), (1.25, 7 + 2 * SEED_STEP)]
    assert found.report["passed"] and found.report["score"] == judge(found.clip)["score"]
    assert "not taken" in found.summary


def test_a_repair_that_broke_off_makes_no_range_twice(tmp_path: Path) -> None:
    clip, seeds = planted((8, 13), (28, 34)), []

    def dies_second(strength: float):
        def run(shown: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
            seeds.append(seed)
            if len(seeds) == 2:
                raise KeyboardInterrupt
            return perfect(shown, masks, seed)

        return run

    with pytest.raises(KeyboardInterrupt):
        repaired(clip, dies_second, tmp_path)
    found = repaired(clip, dies_second, tmp_path)
    assert seeds == [7 + SEED_STEP, 8 + SEED_STEP, 8 + SEED_STEP], "the first range was there already"
    assert found.report["passed"] and len(found.report["repair"]["attempts"]) == 1
    (tmp_path / "mine.txt").write_text("")
    RepairFolder(tmp_path).clean()
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_what_gets_no_better_is_left_as_it_came_and_every_attempt_is_told(tmp_path: Path) -> None:
    clip = planted((20, 29))
    shown: list[np.ndarray] = []

    def generator(strength: float):
        def run(images: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
            shown.append(masks)
            return useless(images, masks, seed)

        return run

    found = repaired(clip, generator, tmp_path, 5, footage(repaint="object", guide="nothing", shape="box", grow=8))
    about = found.report["repair"]
    assert about["stopped"] == "limit" and about["replaced"] == [] and about["untouched_frames"] == FRAMES
    assert found.judgement is None
    assert equal(images(found.clip), images(clip), range(FRAMES))
    assert [one["about"] for one in about["attempts"]] == [rung.about for rung in (*LADDER, LADDER[-1])]
    assert len({one["seed"] for one in about["attempts"]}) == 5
    choices = [(one["choices"]["shape"], one["choices"]["grow"], one["choices"]["guide"]) for one in about["attempts"]]
    assert choices == [("box", 8, "nothing")] * 2 + [("tight", 4, "nothing")] + [("tight", 0, "edges")] * 2
    assert shown[3].sum() < shown[2].sum() < shown[1].sum(), "tighter on every rung from the third"


def test_a_clip_that_passes_or_cannot_be_judged_needs_none() -> None:
    assert needs_repair(judge(clip_of(SOURCE))) == "it passes"
    undecided = {"verdict": "could not judge", "undecided": "too dark", "failing_ranges": []}
    assert needs_repair(undecided) == "it could not be judged: too dark"
    assert repairable({**undecided, "failing_ranges": [{"start": 1, "stop": 3}]}, 10) == []
    assert needs_repair(judge(planted((20, 29)))) is None


def test_ranges_close_to_each_other_are_made_together() -> None:
    parts = [{"start": 30, "stop": 50}, {"start": 3, "stop": 5}, {"start": 11, "stop": 12}, {"start": 4, "stop": 6}]
    assert repairable({"verdict": "failed", "failing_ranges": parts}, 41) == [(3, 12), (30, 41)]


def test_a_range_longer_than_a_window_takes_several(tmp_path: Path) -> None:
    runs: list[int] = []

    def run(shown: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
        runs.append(len(shown))
        return perfect(shown, masks, seed)

    clip = planted((5, 38))
    patch = make_range(footage(), clip, 5, 38, run, count(3), tmp_path / "a.mp4", 17, 6)
    assert len(runs) > 2 and max(runs) <= 17
    made = images(VideoClip(patch.file))
    assert len(made) == 33 and equal(made, images(clip_of(SOURCE))[5:38], range(33))


def test_a_range_at_the_clips_start_is_led_in_and_the_lead_in_is_dropped(tmp_path: Path) -> None:
    shown: list[np.ndarray] = []

    def bleeds(images: np.ndarray, masks: np.ndarray, seed: int) -> np.ndarray:
        shown.append(images)
        made = perfect(images, masks, seed)
        made[:4] = 255
        return made

    patch = make_range(footage(), planted((0, 9)), 0, 9, bleeds, count(3), tmp_path / "a.mp4", 81, 10, 4)
    assert len(shown[0]) % 4 == 1 and all(np.array_equal(image, shown[0][4]) for image in shown[0][:4])
    assert equal(images(VideoClip(patch.file)), images(clip_of(SOURCE)), range(9))


def test_clips_that_do_not_belong_together_are_named(tmp_path: Path) -> None:
    def run(clip: Clip, frames: int) -> Repaired:
        place = RepairFolder(tmp_path).place
        return repair(footage(), clip, {"total_frames": frames}, lambda s: perfect, judged, place, 0, 1, 81, 10)

    with pytest.raises(ConditioningError, match="has 40 frames, the source 41.*control"):
        run(clip_of(SOURCE[:40]), 40)
    with pytest.raises(ConditioningError, match="is 80x48, VACE would make it 160x96"):
        run(clip_of([ride(t, size=(48, 80)) for t in range(FRAMES)]), FRAMES)
    with pytest.raises(ConditioningError, match="report is of 30 frames"):
        run(clip_of(SOURCE), 30)

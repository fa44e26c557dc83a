"""Two clips in one video: the right frames beside each other, at the source's times, with its sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import audio_packets, shades, with_audio
from physics_preserver.nodes.media.clip import Clip, TrimmedClip
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.pose import Poses
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import TrackBuilder
from physics_preserver.nodes.validation.compare import (
    FOUND_COLOUR,
    SOURCE_COLOUR,
    Comparison,
    wipe_at,
    write_compare,
)
from physics_preserver.nodes.validation.modes import COMPARE_MODES
from physics_preserver.nodes.validation.strip import ScoreStrip
from sample_report import report

RATE = Fraction(24)


def flat(levels: list[int], width: int = 96, height: int = 64, rate: Fraction = RATE) -> Clip:
    return ArrayClip(np.stack([np.full((height, width, 3), level, np.uint8) for level in levels]), rate)


def images(file: Path) -> list[np.ndarray]:
    return [frame.image for frame in open_clip(file)]


def near(image: np.ndarray, colour: tuple[int, int, int], tolerance: int = 60) -> np.ndarray:
    """bool [H, W]: pixels of a colour, as far as it survives 4:2:0."""
    return (np.abs(image.astype(int) - colour).sum(axis=2) < tolerance).astype(bool)


def test_side_by_side_has_each_frame_beside_its_own(tmp_path: Path) -> None:
    clips = Comparison(flat([30, 60, 90]), flat([130, 160, 190]))
    assert write_compare(tmp_path / "c.mp4", clips) == []
    made = images(tmp_path / "c.mp4")
    assert [image.shape for image in made] == [(64, 192, 3)] * 3
    halves = [(round(float(image[40:, 10:90].mean())), round(float(image[40:, 106:186].mean()))) for image in made]
    assert np.abs(np.array(halves) - [(30, 130), (60, 160), (90, 190)]).max() <= 2


def test_overlay_is_half_of_each_and_difference_how_far_they_are_apart(tmp_path: Path) -> None:
    for mode, level in (("overlay", 100), ("difference", 120)):
        write_compare(tmp_path / f"{mode}.mp4", Comparison(flat([40]), flat([160])), mode)
        assert abs(float(images(tmp_path / f"{mode}.mp4")[0][40:].mean()) - level) <= 2


def test_wipe_shows_the_source_left_of_a_line_that_moves(tmp_path: Path) -> None:
    write_compare(tmp_path / "w.mp4", Comparison(flat([40] * 40), flat([200] * 40)), "wipe")
    made = images(tmp_path / "w.mp4")
    for t in (0, 12, 24, 39):
        dark = int((made[t][50, :, 0] < 120).sum())
        assert abs(dark - round(96 * wipe_at(t / 24))) <= 2
    assert wipe_at(0) == 0.5 and wipe_at(1) == pytest.approx(0.95) and wipe_at(3) == pytest.approx(0.05)


def test_frames_that_a_clip_lacks_are_shown_as_such(tmp_path: Path) -> None:
    warnings = write_compare(tmp_path / "c.mp4", Comparison(flat([200] * 2), flat([200] * 4)))
    made = images(tmp_path / "c.mp4")
    assert len(made) == 4 and warnings == ["2 frames of the source stand beside 4 of the generated clip"]
    assert made[1][40:, 5:90].mean() > 190 and made[3][50:, 5:90].mean() < 60 < 190 < made[3][40:, 106:].mean()
    write_compare(tmp_path / "o.mp4", Comparison(flat([200] * 4), flat([20] * 2)), "overlay")
    assert images(tmp_path / "o.mp4")[3][40:].mean() > 190


def test_control_chooses_frames_and_part_of_the_source(tmp_path: Path) -> None:
    wide = np.zeros((6, 64, 192, 3), np.uint8)
    for t in range(6):
        wide[t, :, :96], wide[t, :, 96:] = 40 + 10 * t, 140 + 10 * t
    clips = Comparison(ArrayClip(wide, RATE), flat([0] * 4), crop=(96, 0, 192, 64), frames=[2, 3, 4, None])
    write_compare(tmp_path / "c.mp4", clips)
    made = images(tmp_path / "c.mp4")
    assert [round(float(image[50:, 10:90].mean()), -1) for image in made[:3]] == [160, 170, 180]
    assert made[3][50:, 10:90].mean() < 60  # padding


def test_a_source_of_other_proportions_keeps_them(tmp_path: Path) -> None:
    write_compare(tmp_path / "c.mp4", Comparison(flat([200], 64, 64), flat([90], 96, 64)))
    (made,) = images(tmp_path / "c.mp4")
    columns = made[50, :96, 0] > 150
    assert columns.sum() == pytest.approx(64, abs=2) and columns[48] and not columns[:14].any()


def test_odd_sizes_and_a_height_of_ones_own(tmp_path: Path) -> None:
    for height, size in ((None, (62, 90)), (31, (30, 42))):
        write_compare(tmp_path / f"{height}.mp4", Comparison(flat([90], 91, 63), flat([90], 91, 63)), "wipe", height)
        assert images(tmp_path / f"{height}.mp4")[0].shape[:2] == pytest.approx(size, abs=2)
    with pytest.raises(ValueError, match="8 px"):
        write_compare(tmp_path / "x.mp4", Comparison(flat([90]), flat([90])), height=8)
    with pytest.raises(ValueError, match="sideways"):
        write_compare(tmp_path / "x.mp4", Comparison(flat([90]), flat([90])), "sideways")
    assert not (tmp_path / "x.mp4").exists()


def test_sound_is_copied_and_times_are_the_source_s(tmp_path: Path) -> None:
    source = with_audio(tmp_path / "sound.mp4", frames=24, rate=24)
    generated = ArrayClip(np.stack(shades(24)), Fraction(16))
    warnings = write_compare(tmp_path / "c.mp4", Comparison(open_clip(source), generated))
    assert "24 frames per second, the generated clip at 16" in warnings[0]
    assert [data for _, data in audio_packets(tmp_path / "c.mp4")] == [data for _, data in audio_packets(source)]
    assert [frame.time for frame in open_clip(tmp_path / "c.mp4")] == [Fraction(t, 24) for t in range(24)]


def test_a_part_of_the_source_starts_at_zero_with_its_part_of_the_sound(tmp_path: Path) -> None:
    source = open_clip(with_audio(tmp_path / "sound.mp4", frames=24, rate=24))
    part = TrimmedClip(source, 12, None)
    write_compare(tmp_path / "part.mp4", Comparison(part, flat([90] * 12, 64, 48)))
    mapped = Comparison(source, flat([90] * 12, 64, 48), frames=list(range(12, 24)))
    write_compare(tmp_path / "mapped.mp4", mapped)
    sound = {data for _, data in audio_packets(tmp_path / "sound.mp4")}
    for name in ("part", "mapped"):
        times = [frame.time for frame in open_clip(tmp_path / f"{name}.mp4")]
        assert times == [Fraction(t, 24) for t in range(12)]
        kept = {data for _, data in audio_packets(tmp_path / f"{name}.mp4")}
        assert kept < sound and len(kept) > len(sound) / 3


def test_frames_out_of_order_are_silent_and_say_so(tmp_path: Path) -> None:
    source = open_clip(with_audio(tmp_path / "sound.mp4"))
    warnings = write_compare(tmp_path / "c.mp4", Comparison(source, flat([90] * 3, 64, 48), frames=[5, 3, 1]))
    assert "out of order" in warnings[-1] or "sound was left out" in warnings[-1]
    with av.open(str(tmp_path / "c.mp4")) as container:
        assert not container.streams.audio


def test_outlines_stand_where_the_masks_end(tmp_path: Path) -> None:
    def track(left: int, size=(64, 96)):
        builder = TrackBuilder(("board",), size, RATE)
        mask = np.zeros((1, *size), bool)
        mask[0, 20:44, left : left + 24] = True
        builder.append(mask, np.ones(1))
        return builder.finish()

    clips = Comparison(flat([0]), flat([0]), track(10), track(50))
    write_compare(tmp_path / "c.mp4", clips, "overlay", height=1024)
    (made,) = images(tmp_path / "c.mp4")
    solid, dashed = near(made, SOURCE_COLOUR), near(made, FOUND_COLOUR)
    for found, left in ((solid, 10), (dashed, 50)):
        columns = np.flatnonzero(found[240:].any(axis=0)) / 16
        assert columns.min() == pytest.approx(left, abs=1.5) and columns.max() == pytest.approx(left + 24, abs=1.5)
    assert solid.sum() > 1.3 * dashed.sum() > 0  # the dashed one has gaps


def test_skeletons_follow_the_crop(tmp_path: Path) -> None:
    keypoints = np.full((1, 133, 3), (np.nan, np.nan, 0), np.float32)
    keypoints[0, 5], keypoints[0, 7] = (100, 20, 0.9), (100, 50, 0.9)
    keypoints[0, 6], keypoints[0, 8] = (60, 20, 0.9), (60, 50, 0.1)  # the elbow isn't seen
    poses = Poses(keypoints, (64, 192), RATE)
    clips = Comparison(flat([0], 192, 64), flat([0]), source_poses=poses, crop=(96, 0, 192, 64))
    write_compare(tmp_path / "c.mp4", clips, "overlay", height=1024)
    (made,) = images(tmp_path / "c.mp4")
    arm = near(made, SOURCE_COLOUR)[400:760]
    assert np.flatnonzero(arm.any(axis=0)).mean() / 16 == pytest.approx(4.5, abs=1)


def test_strip_says_score_and_cause_of_the_frame(tmp_path: Path) -> None:
    scores = np.full(72, 0.9)
    scores[30:40] = 0.25
    strip = ScoreStrip(report("board", scores, np.ones(72)), 640, 360)
    assert strip.words(33) == ("frame 33  J 0.25", "late, airtime, shifted")
    assert strip.words(5) == ("frame 5  J 0.90", "")
    assert strip.words(56)[1].startswith("not judged: the object is hidden")
    assert strip.words(500) == ("frame 500", "")
    bars = strip.draw(33)
    assert bars.shape == (strip.height, 640, 3) and strip.height % 2 == 0
    moved = np.flatnonzero((bars != strip.draw(70)).any(axis=(0, 2)))
    assert moved.max() > 600  # the cursor stands near the end


@pytest.mark.parametrize("mode", COMPARE_MODES)
def test_every_mode_takes_a_report(tmp_path: Path, mode: str) -> None:
    made = report("board", np.full(4, 0.9), np.ones(4))
    write_compare(tmp_path / "c.mp4", Comparison(flat([90] * 4), flat([90] * 4), report=made), mode)
    assert images(tmp_path / "c.mp4")[0].shape[0] == 64 + 44

"""The verdict on clips whose objects can be read off their colours, so that only validation itself is tested."""

import json
from fractions import Fraction

import numpy as np
import pytest
from clips_of_colour import COLOURS, FRAMES, SIZE, SOURCE, ColourTracker, box, clip_of, ride, track_of
from physics_preserver.nodes.media.folder import write_json
from physics_preserver.nodes.media.track import Track
from physics_preserver.nodes.validation import report as reports
from physics_preserver.nodes.validation.align import AspectMismatch, PlacedClip, place, refit
from physics_preserver.nodes.validation.profile import load_profile, parse_profile
from physics_preserver.nodes.validation.report import ReportError
from physics_preserver.nodes.validation.validate import judge_tracks, validate


def judged(source, generated, tracker=None, **choices):
    """The report on masks against masks, both drawn as clips."""
    clip = generated if hasattr(generated, "read") else clip_of(generated)
    return validate(track_of(source), clip_of(source), clip, tracker or ColourTracker(), **choices).report


def causes(report) -> list[tuple]:
    return [(cause["name"], cause["of"], cause["start"], cause["stop"]) for cause in report["causes"]]


def rule(report, name, of="board"):
    return next(found for found in report["rules"] if (found["name"], found["of"]) == (name, of))


def test_the_same_motion_passes_and_the_tracker_sees_one_frame_of_masks():
    tracker = ColourTracker()
    report = judged(SOURCE, SOURCE, tracker)
    assert report["verdict"] == "passed" and report["passed"] is True and report["causes"] == []
    assert report["label"] == "board" and report["person"] == "person" and report["coverage"] == 1
    assert len(tracker.shown) == 3, "the generated clip and two harmless copies of the source"
    for frame, masks in tracker.shown:
        assert frame == 0 and all(np.array_equal(masks[label], SOURCE[0][n]) for n, label in enumerate(COLOURS))
    assert report["all_scores"] == [None] + [1.0] * 40 and report["score"] == 1
    assert (report["total_frames"], report["failed_count"]) == (41, 0)
    assert report["not_judged"] == [{"start": 0, "stop": 1, "why": "the tracker was shown the source's mask here"}]
    assert report["measures"]["board"]["region"]["floor"] == [None] + [1.0] * 40


def test_a_drifting_board_fails_where_it_drifts_and_only_the_board():
    drifting = [ride(t, board_shift=-max(0, t - 20)) for t in range(FRAMES)]
    report = judged(SOURCE, drifting)
    assert report["verdict"] == "failed"
    assert {found["of"] for found in report["rules"] if found["verdict"] == "failed"} == {"board"}
    [(name, of, start, stop)] = causes(report)
    assert (name, of, stop) == ("shifted", "board", 41) and 21 <= start <= 25
    assert "too far left" in report["causes"][0]["text"]
    # A 30 px board moved by s px overlaps by (30 - s) / (30 + s).
    assert report["min_iou"] == pytest.approx(10 / 50) and report["max_iou"] == 1
    assert report["failing_ranges"][0]["cause"] == "shifted"


def test_a_small_steady_displacement_is_found_and_named_in_px():
    size = (480, 800)
    low = [np.stack([ride(t, size=size)[0], np.roll(ride(t, size=size)[1], 4, axis=0)]) for t in range(FRAMES)]
    low[0] = ride(0, size=size)
    report = judged([ride(t, size=size) for t in range(FRAMES)], low)
    assert report["verdict"] == "failed" and causes(report) == [("shifted", "board", 1, 41)]
    assert "board is 4 px too low on frames 1-40" == report["causes"][0]["text"]
    found = rule(report, "offset steady")
    assert (
        found["verdict"] == "failed"
        and found["value"] == pytest.approx(100 * 4 / 200, rel=0.03)
        and found["floor"] < 0.05
    )


def test_the_seeds_rule_asks_every_frame():
    bad = list(SOURCE)
    bad[30] = ride(30, board_shift=2)
    assert judged(SOURCE, bad)["verdict"] == "passed"
    report = judged(SOURCE, bad, profile=load_profile("strict"))
    assert report["verdict"] == "failed" and report["threshold"] == 0.9
    assert report["failed_frames"] == [[30, pytest.approx(28 / 32)]]
    assert rule(report, "region")["worst_frames"] == [30]


def test_a_lost_object_is_a_fault_and_an_absent_one_agreement():
    gone = [masks.copy() for masks in SOURCE]
    for masks in gone[10:14]:
        masks[1] = False
    lost = judged(SOURCE, gone)
    assert causes(lost) == [("lost", "board", 10, 14)] and lost["all_scores"][10:14] == [0.0] * 4
    assert lost["verdict"] == "failed" and lost["causes"][0]["text"] == "board is missing on frames 10-13"
    assert causes(judged(gone, SOURCE)) == [("appeared", "board", 10, 14)]
    absent = judged(gone, gone)
    assert absent["verdict"] == "passed" and absent["all_scores"][10:14] == [1.0] * 4


@pytest.mark.parametrize("frames", [40, 42])
def test_another_length_is_named_and_fails(frames):
    report = judged(SOURCE, [ride(t) for t in range(frames)])
    assert report["verdict"] == "failed"
    [cause] = report["causes"]
    assert cause["name"] == "length" and f"{frames} frames, not 41" in cause["text"]
    assert (report["source"]["frames"], report["generated"]["frames"]) == (41, frames)
    assert report["total_frames"] == min(41, frames) and report["min_iou"] == 1


def wobble(t: int) -> np.ndarray:
    """A rider whose speed changes all the time, so that a lag shows."""
    x = 60 + 12 * np.sin(t / 4)
    return np.stack([box(x, 20, 14, 40), box(x - 8, 60, 30, 8)])


@pytest.mark.parametrize("late", [-3, 2, 4])
def test_a_late_clip_is_called_late_and_nothing_else(late):
    source = [wobble(t) for t in range(60)]
    report = judged(source, [wobble(t - late) for t in range(60)])
    assert report["verdict"] == "failed"
    [cause] = report["causes"]
    assert cause["name"] == ("late" if late > 0 else "early") and cause["of"] == "clip"
    assert f"{abs(late)} frames ({abs(late) * 1000 / 24:.0f} ms)" in cause["text"]
    assert cause["stop"] - cause["start"] >= 54
    ms = 1000 / 24
    assert rule(report, "timing", "clip")["margin"] == pytest.approx((abs(late) * ms - 25) / ms, abs=0.01)


def test_contact_that_is_gone_is_named_with_its_frames():
    apart = [ride(t, lift=6 if 20 <= t < 30 else 0) for t in range(FRAMES)]
    report = judged(SOURCE, apart)
    assert ("contact lost", "board", 20, 30) in causes(report)
    assert [(event["kind"], event["frame"]) for event in report["events"]["generated"]] == [
        ("take-off", 20),
        ("landing", 30),
    ]
    assert report["events"]["source"] == []


def jump(t: int, down: int = 30) -> np.ndarray:
    return ride(t, lift=8 if 20 <= t < down else 0)


def test_a_late_landing_is_an_airtime_error_with_its_timing():
    source = [jump(t) for t in range(FRAMES)]
    report = judged(source, [jump(t, down=33) for t in range(FRAMES)])
    assert report["verdict"] == "failed"
    [pair] = [pair for pair in report["events"]["pairs"] if pair["kind"] == "landing"]
    assert (pair["source_frame"], pair["generated_frame"]) == (30, 33) and pair["error_ms"] == pytest.approx(125)
    assert rule(report, "airtime")["value"] == pytest.approx(30)
    assert ("airtime", "board", 20, 33) in causes(report)
    said = rule(report, "airtime")["text"]
    assert "0.54 s, not 0.42 s" in said and "landing 3 frames late" in said


def test_an_object_that_enters_later_is_tracked_from_where_it_is_seen():
    entering = [masks.copy() for masks in SOURCE]
    for t in range(5):
        entering[t][1] = False
    entering[5][1] = box(0, 60, 4, 8)  # a sliver of 32 px; the board has 240
    tracker = ColourTracker()
    report = judged(entering, entering, tracker)
    assert tracker.shown[0][0] == 6 and report["all_scores"][6] is None
    assert report["verdict"] == "passed" and any("from frame 6" in text for text in report["warnings"])


def test_a_source_without_the_object_is_not_judged():
    empty = [masks * np.array([True, False])[:, None, None] for masks in SOURCE]
    report = judged(empty, empty)
    assert report["verdict"] == "could not judge" and report["passed"] is False
    assert "board" in report["undecided"] and report["avg_iou"] is None
    json.dumps(report, allow_nan=False)


class Straying(ColourTracker):
    """Loses everything after frame 20 in whatever it follows, as a tracker does that isn't up to a clip."""

    def __call__(self, clip, masks, frame):
        found = super().__call__(clip, masks, frame)
        found.packed[21:] = np.roll(found.packed[21:], 3, axis=3)
        return found


def test_where_only_the_tracker_strays_the_pictures_show_the_object_in_place():
    report = judged(SOURCE, SOURCE, Straying())
    assert report["verdict"] == "passed" and report["coverage"] > 0.9
    assert report["measures"]["board"]["region"]["values"][30] < 0.3


def judged_tracks(source, generated, copies=(), **choices):
    """The report on tracks alone, without pictures."""
    return judge_tracks(track_of(source), track_of(generated), copies, "board", prompted=0, **choices)


def test_where_the_tracker_strays_on_the_source_itself_nothing_fails():
    strayed = track_of(SOURCE)
    strayed.packed[21:] = np.roll(strayed.packed[21:], 3, axis=3)
    report = judge_tracks(track_of(SOURCE), strayed, [strayed, strayed], "board", prompted=0)
    assert report["verdict"] == "could not judge" and report["causes"] == []
    assert "the tracker loses it even in the source itself" in report["undecided"]
    assert report["coverage"] == pytest.approx(18 / 40, abs=0.06)
    assert any("strays" in part["why"] and part["stop"] == 41 for part in report["not_judged"])
    fine = judge_tracks(track_of(SOURCE), strayed, [track_of(SOURCE)], "board", prompted=0)
    assert fine["verdict"] == "failed", "a tracker that doesn't stray on the source is believed"


def moved_board(by: int) -> Track:
    return track_of([ride(t, board_shift=by) for t in range(FRAMES)])


def test_the_margin_is_counted_in_what_the_tracker_gets_wrong_itself():
    rules = "[region]\nlimit = 0.8\nedge = 0\nshare = 0\nrun = 0\n[contact]\nrun = 2"
    profile = parse_profile(rules, "overlap")
    # A 30 px board moved by s px overlaps by (30 - s) / (30 + s).
    report = judge_tracks(track_of(SOURCE), moved_board(10), [moved_board(1)], "board", profile, prompted=0)
    assert rule(report, "region")["verdict"] == "failed"
    assert rule(report, "region")["margin"] == pytest.approx((0.8 - 20 / 40) / (1 - 29 / 31), abs=0.01)
    assert rule(report, "region", "person")["margin"] == pytest.approx(200), "exact: the least spread is 0.001"
    near = judge_tracks(track_of(SOURCE), moved_board(3), [moved_board(1)], "board", profile, prompted=0)
    assert rule(near, "region")["verdict"] == "passed"
    assert rule(near, "region")["margin"] == pytest.approx((27 / 33 - 0.8) / (1 - 29 / 31), abs=0.01)
    assert rule(report, "contact")["margin"] is None, "it only counts frames"
    nothing = judge_tracks(track_of(SOURCE), moved_board(10), [], "board", profile, prompted=0)
    assert rule(nothing, "region")["margin"] is None, "no copies, no floor"


def test_scores_that_are_no_numbers_are_not_judged():
    source = track_of(SOURCE)
    source.scores[10:] = np.nan
    report = judge_tracks(source, track_of(SOURCE), [track_of(SOURCE)], "board", prompted=0)
    assert report["verdict"] == "could not judge" and report["coverage"] == pytest.approx(9 / 40)
    json.dumps(report, allow_nan=False)


def test_another_size_is_scaled_and_another_shape_refused():
    size = (480, 800)
    larger = clip_of([ride(t, size=size) for t in range(FRAMES)])
    report = judged(SOURCE, larger)
    assert report["min_iou"] == 1 and report["verdict"] == "passed"
    with pytest.raises(AspectMismatch, match="160x120.*vace.json"):
        judged(SOURCE, clip_of([ride(t, size=(120, 160)) for t in range(FRAMES)]))
    with pytest.raises(ValueError, match="800x480.*160x96"):
        validate(track_of(SOURCE), larger, clip_of(SOURCE), ColourTracker())


def test_a_cropped_trimmed_and_padded_clip_is_judged_where_it_shows_the_source():
    cropped = [ride(t)[:, :, 20:140] for t in (*range(38), 37)]
    frames = [*range(38), None]
    report = judged(SOURCE, cropped, crop=(20, 0, 140, 96), frames=frames)
    assert report["verdict"] == "passed" and report["min_iou"] == 1
    assert [part["why"] for part in report["not_judged"]][:2] == [
        "padding",
        "the tracker was shown the source's mask here",
    ]
    assert all(value in (None, 1.0) for value in report["measures"]["board"]["region"]["floor"])
    with pytest.raises(ValueError, match="41"):
        judged(SOURCE, cropped, crop=(20, 0, 140, 96), frames=[41])


def test_another_rate_is_a_warning():
    report = judged(SOURCE, clip_of(SOURCE, Fraction(24000, 1001)))
    assert report["verdict"] == "passed" and "23.976" in report["warnings"][0]


@pytest.mark.parametrize("frames", [1, 2])
def test_a_still_or_hardly_more_is_another_length(frames):
    report = judged(SOURCE, SOURCE[:frames])
    assert report["verdict"] == "failed" and causes(report)[0][0] == "length"
    alone = judged(SOURCE[:frames], SOURCE[:frames])
    assert alone["verdict"] == {1: "could not judge", 2: "passed"}[frames]  # the first frame is the prompt
    json.dumps([report, alone], allow_nan=False)


def test_a_frozen_clip_fails():
    report = judged(SOURCE, [SOURCE[0]] * FRAMES)
    assert report["verdict"] == "failed" and report["failed_count"] > 30


def test_unknown_objects_are_refused():
    with pytest.raises(KeyError, match="scooter.*person, board"):
        judged(SOURCE, SOURCE, label="scooter")


def test_a_rule_that_the_profile_lacks_is_measured_and_not_judged():
    profile = parse_profile("[missing]\nrun = 1", "mine")
    report = judged(SOURCE, [ride(t, board_shift=9) for t in range(FRAMES)], profile=profile)
    assert report["verdict"] == "passed" and report["measures"]["board"]["offset_px"]["values"][5] == pytest.approx(9)
    assert {found["name"] for found in report["rules"]} == {"missing"} and report["threshold"] is None


def test_reports_survive_the_disk_and_newer_ones_are_refused(tmp_path):
    report = judged(SOURCE, SOURCE)
    write_json(tmp_path / "iou_report.json", report)
    assert reports.read(tmp_path / "iou_report.json") == report
    (tmp_path / "newer.json").write_text(json.dumps({**report, "schema_version": 99}))
    with pytest.raises(ReportError, match="version 99"):
        reports.read(tmp_path / "newer.json")
    (tmp_path / "older.json").write_text(json.dumps({**report, "schema_version": 1}))
    with pytest.raises(ReportError, match="validate the clip again"):
        reports.read(tmp_path / "older.json")
    (tmp_path / "other.json").write_text("[1, 2]")
    with pytest.raises(ReportError, match="None"):
        reports.read(tmp_path / "other.json")


def test_masks_keep_their_place_when_scaled_and_cropped():
    mask = box(40, 24, 60, 30)
    assert np.array_equal(refit(mask, (192, 320)), mask.repeat(2, axis=0).repeat(2, axis=1))
    assert np.array_equal(refit(refit(mask, (192, 320)), SIZE), mask)
    assert np.array_equal(refit(mask, (60, 100), crop=(30, 10, 130, 70)), mask[10:70, 30:130])
    assert np.array_equal(refit(mask, (16, 20)), box(40, 24, 60, 30, (16, 20)))  # 8 x 6 px to one
    assert not place(track_of(SOURCE), SIZE, frames=[0, None]).masks(1).any()


def test_frames_are_placed_as_their_masks_are():
    clip = clip_of(SOURCE)
    crop, size, frames = (20, 0, 140, 96), (48, 60), [3, None, 4, 2, 2]
    placed = PlacedClip(clip, size, crop, frames)
    shown = [frame.image for frame in placed]
    assert len(shown) == placed.count() == 5 and placed.width == 60
    for image, t in zip(shown, [3, 3, 4, 2, 2], strict=True):
        board = refit(SOURCE[t][1], size, crop)
        assert np.array_equal(image[..., 1] > 128, board)
    assert np.array_equal(next(placed.read(2)).image, shown[2])

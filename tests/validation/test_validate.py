"""The verdict on clips whose objects can be read off their colours, so that only validation itself is tested."""

import json
from fractions import Fraction

import numpy as np
import pytest
from physics_preserver.nodes.media.folder import write_json
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.validation import report as reports
from physics_preserver.nodes.validation.align import AspectMismatch, place, refit
from physics_preserver.nodes.validation.report import Measures, ReportError, judge, ranges, rule_for
from physics_preserver.nodes.validation.validate import validate

COLOURS = {"person": (255, 0, 0), "board": (0, 255, 0)}
SIZE = (96, 160)
FRAMES = 41


def box(x: float, y: float, width: float, height: float, size=SIZE) -> np.ndarray:
    """bool `size`: a rectangle given in px of a 160x96 picture."""
    scale_y, scale_x = size[0] / SIZE[0], size[1] / SIZE[1]
    mask = np.zeros(size, bool)
    mask[
        max(0, round(y * scale_y)) : max(0, round((y + height) * scale_y)),
        max(0, round(x * scale_x)) : max(0, round((x + width) * scale_x)),
    ] = True
    return mask


def ride(t: int, board_shift: float = 0, size=SIZE) -> np.ndarray:
    """bool [2, H, W]: a person on a board that rolls to the right, 2 px a frame."""
    return np.stack([box(20 + 2 * t, 20, 14, 40, size), box(12 + 2 * t + board_shift, 60, 30, 8, size)])


def track_of(masks) -> Track:
    builder = TrackBuilder(tuple(COLOURS), masks[0].shape[1:], Fraction(24), "source", "truth")
    for frame in masks:
        builder.append(frame, np.asarray(frame.any(axis=(1, 2)), np.float32))
    return builder.finish()


def clip_of(masks, rate=Fraction(24)) -> ArrayClip:
    images = np.zeros((len(masks), *masks[0].shape[1:], 3), np.uint8)
    for image, frame in zip(images, masks, strict=True):
        for mask, colour in zip(frame, COLOURS.values(), strict=True):
            image[mask] = colour
    return ArrayClip(images, rate)


class ColourTracker:
    """Finds every prompted object by its colour, and remembers what it was shown."""

    def __init__(self):
        self.shown = []

    def __call__(self, clip, masks, frame):
        self.shown.append((frame, dict(masks)))
        builder = TrackBuilder(tuple(masks), (clip.height, clip.width), clip.rate, clip.name, "colour")
        for picture in clip:
            found = np.stack([(picture.image == COLOURS[label]).all(axis=2) for label in masks])
            builder.append(found, np.asarray(found.any(axis=(1, 2)), np.float32), picture.time)
        return builder.finish()


SOURCE = [ride(t) for t in range(FRAMES)]


def test_the_same_motion_passes_and_the_tracker_sees_one_frame_of_masks():
    tracker = ColourTracker()
    report = validate(track_of(SOURCE), clip_of(SOURCE), tracker)
    assert report["verdict"] == "passed" and report["passed"] is True
    assert report["label"] == "board" and list(report["others"]) == ["person"]
    [(frame, masks)] = tracker.shown
    assert frame == 0 and all(np.array_equal(masks[label], SOURCE[0][n]) for n, label in enumerate(COLOURS))
    assert report["all_scores"] == [None] + [1.0] * 40
    assert (report["total_frames"], report["judged_frames"], report["failed_count"]) == (41, 40, 0)
    assert report["not_judged"] == [{"start": 0, "stop": 1, "why": "the tracker was shown the source's mask here"}]


def test_a_drifting_board_fails_where_it_drifts_and_only_the_board():
    drifting = [ride(t, board_shift=-max(0, t - 20)) for t in range(FRAMES)]
    report = validate(track_of(SOURCE), clip_of(drifting), ColourTracker())
    # A 30 px board moved by s px overlaps by (30 - s) / (30 + s): below .60 from s = 8 on, frame 28.
    assert report["verdict"] == "failed"
    [failing] = report["failing_ranges"]
    assert (failing["start"], failing["stop"], failing["worst_frame"], failing["cause"]) == (28, 41, 40, "moved")
    assert report["failed_frames"][0] == [28, pytest.approx(22 / 38)]
    assert len(report["failed_frames"]) == 10 and report["failed_count"] == 13
    assert report["min_iou"] == pytest.approx(10 / 50) and report["max_iou"] == 1
    assert report["others"]["person"]["verdict"] == "passed"
    assert {fault["name"] for fault in report["faults"]} == {"share", "run"}


def test_the_seeds_rule_asks_every_frame():
    bad = list(SOURCE)
    bad[30] = ride(30, board_shift=2)
    assert validate(track_of(SOURCE), clip_of(bad), ColourTracker())["verdict"] == "passed"
    report = validate(track_of(SOURCE), clip_of(bad), ColourTracker(), threshold=0.9)
    assert report["verdict"] == "failed" and report["threshold"] == 0.9
    assert report["failed_frames"] == [[30, pytest.approx(28 / 32)]]


def test_a_lost_object_is_a_fault_and_an_absent_one_agreement():
    gone = [masks.copy() for masks in SOURCE]
    for masks in gone[10:14]:
        masks[1] = False
    lost = validate(track_of(SOURCE), clip_of(gone), ColourTracker())
    assert lost["failing_ranges"][0]["cause"] == "lost" and lost["all_scores"][10:14] == [0.0] * 4
    assert lost["verdict"] == "failed"
    appeared = validate(track_of(gone), clip_of(SOURCE), ColourTracker())
    assert appeared["failing_ranges"][0]["cause"] == "appeared"
    absent = validate(track_of(gone), clip_of(gone), ColourTracker())
    assert absent["verdict"] == "passed" and absent["all_scores"][10:14] == [1.0] * 4
    assert absent["visible_frames"] == 36


@pytest.mark.parametrize("frames", [40, 42])
def test_another_length_is_named_and_fails(frames):
    report = validate(track_of(SOURCE), clip_of([ride(t) for t in range(frames)]), ColourTracker())
    assert report["verdict"] == "failed"
    assert [fault["name"] for fault in report["faults"]] == ["length"]
    assert f"{frames} frames, not 41" in report["faults"][0]["text"]
    assert (report["source"]["frames"], report["generated"]["frames"]) == (41, frames)
    assert report["total_frames"] == min(41, frames) and report["min_iou"] == 1


def test_an_object_that_enters_later_is_tracked_from_where_it_is_seen():
    entering = [masks.copy() for masks in SOURCE]
    for t in range(5):
        entering[t][1] = False
    entering[5][1] = box(0, 60, 4, 8)  # a sliver of 32 px; the board has 240
    tracker = ColourTracker()
    report = validate(track_of(entering), clip_of(entering), tracker)
    assert tracker.shown[0][0] == 6 and report["all_scores"][6] is None
    assert report["verdict"] == "passed" and any("from frame 6" in text for text in report["warnings"])


def test_a_source_without_the_object_is_not_judged():
    empty = [masks * np.array([True, False])[:, None, None] for masks in SOURCE]
    report = validate(track_of(empty), clip_of(empty), ColourTracker())
    assert report["verdict"] == "could not judge" and report["passed"] is False
    assert "board" in report["undecided"] and report["avg_iou"] is None
    json.dumps(report, allow_nan=False)


def test_another_size_is_scaled_and_another_shape_refused():
    size = (480, 800)
    larger = clip_of([ride(t, size=size) for t in range(FRAMES)])
    assert validate(track_of(SOURCE), larger, ColourTracker())["min_iou"] == 1
    with pytest.raises(AspectMismatch, match="160x120.*vace.json"):
        validate(track_of(SOURCE), clip_of([ride(t, size=(120, 160)) for t in range(FRAMES)]), ColourTracker())


def test_a_cropped_trimmed_and_padded_clip_is_judged_where_it_shows_the_source():
    cropped = [ride(t)[:, :, 20:140] for t in (*range(38), 37)]
    frames = [*range(38), None]
    report = validate(track_of(SOURCE), clip_of(cropped), ColourTracker(), crop=(20, 0, 140, 96), frames=frames)
    assert report["verdict"] == "passed" and report["min_iou"] == 1 and report["judged_frames"] == 37
    assert [part["why"] for part in report["not_judged"]][1:] == ["padding"]
    with pytest.raises(ValueError, match="41"):
        validate(track_of(SOURCE), clip_of(cropped), ColourTracker(), crop=(20, 0, 140, 96), frames=[41])


def test_another_rate_is_a_warning():
    report = validate(track_of(SOURCE), clip_of(SOURCE, Fraction(24000, 1001)), ColourTracker())
    assert report["verdict"] == "passed" and "23.976" in report["warnings"][0]


def test_unknown_objects_and_thresholds_are_refused():
    with pytest.raises(KeyError, match="scooter.*person, board"):
        validate(track_of(SOURCE), clip_of(SOURCE), ColourTracker(), label="scooter")
    with pytest.raises(ValueError, match="1.5"):
        validate(track_of(SOURCE), clip_of(SOURCE), ColourTracker(), threshold=1.5)


def test_a_single_frame_below_the_threshold_does_not_fail_a_long_clip_but_three_in_a_row_do():
    def verdict(*failing):
        scores = np.full(200, 0.9)
        scores[list(failing)] = 0.1
        seen = np.ones(200, bool)
        return judge("board", Measures(scores, scores, seen, seen), rule_for())["verdict"]

    assert verdict(50) == verdict(50, 51, 70, 90) == "passed"
    assert verdict(50, 51, 52) == "failed"
    assert verdict(*range(0, 200, 18)) == "failed"  # 12 single frames, 6 %


def test_a_thin_board_slightly_low_passes_and_one_clearly_low_fails():
    size = (480, 854)  # outlines match within 8 px

    def verdict(lower):
        def thin(y):
            masks = np.zeros((12, 2, *size), bool)
            masks[:, 1, y : y + 12, 300:420] = True
            return list(masks)

        generated = thin(200)[:1] + thin(200 + lower)[1:]
        report = validate(track_of(thin(200)), clip_of(generated), ColourTracker())
        return report["verdict"], report["all_scores"][5]

    assert verdict(6) == ("passed", pytest.approx(6 / 18))
    assert verdict(11)[0] == "failed"


def test_frames_without_the_object_do_not_hide_failures():
    scores, seen = np.ones(1000), np.zeros(1000, bool)
    seen[:40], scores[[3, 9, 20]] = True, 0.1
    assert judge("ball", Measures(scores, scores, seen, seen), rule_for())["verdict"] == "failed"


def test_ranges_bridge_one_good_frame_and_no_more():
    failing = np.array([0, 1, 1, 0, 1, 0, 0, 1], bool)
    assert ranges(failing) == [(1, 5), (7, 8)]


def test_reports_survive_the_disk_and_newer_ones_are_refused(tmp_path):
    report = validate(track_of(SOURCE), clip_of(SOURCE), ColourTracker())
    write_json(tmp_path / "iou_report.json", report)
    assert reports.read(tmp_path / "iou_report.json") == report
    (tmp_path / "newer.json").write_text(json.dumps({**report, "schema_version": 99}))
    with pytest.raises(ReportError, match="version 99"):
        reports.read(tmp_path / "newer.json")
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

"""Person and object together: offset in the person's frame, the limb that touches, the turn over the clip."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from clips_of_colour import FRAMES, SOURCE, ColourTracker, clip_of, ride, track_of
from physics_preserver.nodes.media.pose import Poses
from physics_preserver.nodes.validation.between import total_turn
from physics_preserver.nodes.validation.poses import limb_distances, seems_mirrored
from physics_preserver.nodes.validation.shape import shapes
from physics_preserver.nodes.validation.table import write_csv
from physics_preserver.nodes.validation.validate import judge_tracks, validate

LEFT_FOOT, RIGHT_FOOT, LEFT_HAND = 15, 16, 9


def body(down: int = RIGHT_FOOT, at: range = range(FRAMES)) -> np.ndarray:
    """float64 [41, 133, 3] of the rider of `ride`: upright, the right foot on the board; on `at` another limb is."""
    keypoints = np.full((FRAMES, 133, 3), np.nan)
    keypoints[..., 2] = 0
    for t in range(FRAMES):
        x = 20 + 2 * t
        for k in range(17):
            keypoints[t, k] = (x + (2 if k % 2 else 12), 20 + 1.2 * k, 0.9)
        keypoints[t, RIGHT_FOOT] = (x + 12, 59, 0.9)
        if t in at and down != RIGHT_FOOT:
            keypoints[t, RIGHT_FOOT, 1], keypoints[t, down, 1] = 44, 59
    return keypoints


def judged(generated: np.ndarray | None, masks=SOURCE, copies=(SOURCE,)):
    poses = None if generated is None else (body(), generated)
    tracks = [track_of(one) for one in copies]
    return judge_tracks(track_of(SOURCE), track_of(masks), tracks, "board", prompted=0, poses=poses)


def limb_findings(report) -> tuple[list, list]:
    return (
        [rule for rule in report["rules"] if rule["name"] == "limb"],
        [cause for cause in report["causes"] if cause["name"] == "other limb"],
    )


def test_another_limb_that_touches_is_named_on_its_frames():
    report = judged(body(LEFT_HAND, range(15, 30)))
    [rule], [cause] = limb_findings(report)
    assert rule["verdict"] == "failed" and rule["ranges"] == [[15, 30]]
    assert (cause["start"], cause["stop"]) == (15, 30)
    assert "the left hand touches where the source's right foot does on frames 15-29" in cause["text"]
    limb = report["relations"]["limb"]
    assert limb["source"] == ["right foot"] * FRAMES
    assert limb["generated"] == ["right foot"] * 15 + ["left hand"] * 15 + ["right foot"] * 11


def test_the_same_limb_passes_and_so_do_a_few_frames_of_another():
    for generated in (body(), body(LEFT_HAND, range(15, 20))):
        [rule], causes = limb_findings(judged(generated))
        assert rule["verdict"] == "passed" and causes == []


def test_limbs_are_not_compared_where_one_is_unseen_or_left_and_right_are_exchanged():
    unseen = body(LEFT_HAND)
    unseen[:, RIGHT_FOOT, 2] = 0.1
    flipped = body()[:, [0, *(k + 1 if k % 2 else k - 1 for k in range(1, 17)), *range(17, 133)]]
    for generated in (unseen, flipped):
        [rule], causes = limb_findings(judged(generated))
        assert rule["verdict"] == "not judged" and causes == []
    assert seems_mirrored(body(), flipped).all() and not seems_mirrored(body(), body()).any()


def test_without_poses_there_are_no_limbs():
    report = judged(None)
    assert limb_findings(report) == ([], []) and report["relations"]["limb"] is None


def test_a_limb_is_as_far_as_the_edge_of_the_object():
    keypoints = np.zeros((1, 133, 3))
    keypoints[0, LEFT_FOOT], keypoints[0, LEFT_HAND] = (22, 50, 0.9), (60, 64, 0.9)
    board = shapes(track_of(SOURCE), "board").part(1)  # 30x8 px at 12, 60
    far = limb_distances(keypoints, board)[0]
    assert far[0] == pytest.approx(10, abs=0.1) and far[2] == pytest.approx(18, abs=0.1)
    assert np.isinf(np.delete(far, [0, 2])).all(), "what isn't seen is nowhere"


def test_the_offset_is_in_the_persons_frame_and_its_error_stands_beside_the_floor():
    shifted = [ride(t, board_shift=-10) for t in range(FRAMES)]
    report = judged(None, shifted, ([ride(t, board_shift=2) for t in range(FRAMES)],))
    # The person is 14x40 px at (20, 20), the board 30x8 px at (12, 60): their centres are 24 px apart, one below.
    assert report["relations"]["offset"]["source"] == [[0.0, 0.6]] * FRAMES
    assert report["relations"]["offset"]["generated"] == [[-0.25, 0.6]] * FRAMES
    measure = report["measures"]["board"]["offset_from_person"]
    assert measure["values"] == [None] + [0.25] * 40 and measure["floor"] == [None] + [0.05] * 40
    assert measure["unit"] == "heights" and "offset_from_person" not in report["measures"]["person"]


def test_velocity_and_acceleration_are_measured_with_units():
    faster = [ride(t, board_shift=max(0, t - 20)) for t in range(FRAMES)]
    measures = judged(None, faster)["measures"]["board"]
    # 1 px a frame more at 24 frames per second, of a person 40 px high.
    assert measures["velocity"]["unit"] == "heights/s" and measures["acceleration"]["unit"] == "heights/s²"
    assert measures["velocity"]["values"][1:21] == [0] * 20
    assert measures["velocity"]["values"][21:] == pytest.approx([24 / 40] * 20, abs=1e-3)
    assert [t for t, a in enumerate(measures["acceleration"]["values"]) if a] == [21]
    assert measures["acceleration"]["values"][21] == pytest.approx(24**2 / 40, abs=1e-2)


def bar(degrees: float) -> np.ndarray:
    """bool [2, 96, 160]: no person, and a bar of 60x10 px turned clockwise."""
    y, x = np.mgrid[:96, :160] + 0.5
    angle = np.radians(degrees)
    along, across = (
        np.cos(angle) * (x - 80) + np.sin(angle) * (y - 48),
        np.cos(angle) * (y - 48) - np.sin(angle) * (x - 80),
    )
    return np.stack([np.zeros((96, 160), bool), (np.abs(along) < 30) & (np.abs(across) < 5)])


def test_a_turn_that_was_left_out_shows_though_the_angle_is_right_at_the_end():
    turning, still = [bar(9 * t) for t in range(FRAMES)], [bar(0) for _ in range(FRAMES)]
    report = judge_tracks(track_of(turning), track_of(still), [track_of(turning)], "board")
    assert report["measures"]["board"]["orientation_deg"]["values"][-1] == pytest.approx(0, abs=0.5)
    rotation = report["relations"]["rotation"]
    assert rotation["source_deg"] == pytest.approx(360, abs=1) and rotation["generated_deg"] == pytest.approx(0, abs=1)
    assert rotation["difference_deg"] == pytest.approx(-360, abs=1) and rotation["floor_deg"] == 0
    other_way = judge_tracks(track_of(turning), track_of(turning[::-1]), [], "board")["relations"]["rotation"]
    assert other_way["difference_deg"] == pytest.approx(-720, abs=1) and other_way["floor_deg"] is None


def test_a_turn_is_only_told_where_it_can_be_followed():
    assert total_turn(np.array([80.0, -80.0, -50.0])) == pytest.approx(50), "an axis has no direction"
    assert total_turn(np.array([0.0, 85.0])) is None and total_turn(np.array([4.0])) is None


def test_poses_in_another_size_are_placed_and_the_table_has_the_limbs(tmp_path):
    half = body()
    half[..., :2] *= 0.5
    track = track_of(SOURCE)
    own = Poses(body().astype(np.float32), (96, 160), track.rate)
    poses = own, replace(own, keypoints=half.astype(np.float32), size=(48, 80))
    report = validate(track, clip_of(SOURCE), clip_of(SOURCE), ColourTracker(), poses=poses).report
    assert report["verdict"] == "passed" and report["measures"]["person"]["pose_oks"]["values"][5] == pytest.approx(1)
    write_csv(report, tmp_path / "frames.csv")
    with (tmp_path / "frames.csv").open(newline="") as file:
        row = list(csv.DictReader(file))[7]
    assert row["limb in source"] == row["limb in generated"] == "right foot"
    assert (float(row["offset x in source"]), float(row["offset y in generated"])) == (0, 0.6)

"""A clip and two tracks: the report, and what doesn't belong together."""

import pytest
from physics_preserver.nodes.media.clip import ClipError, TrimmedClip
from physics_preserver.nodes.media.track import Track
from physics_preserver.nodes.stereo.check import check_clip, summary
from physics_preserver.nodes.stereo.choices import TOP_BOTTOM
from physics_preserver.nodes.stereo.layouts import Layout, StereoClip
from physics_preserver.nodes.stereo.rig import Rig
from vr_scene import Person, StereoScene

SIZE = (256, 256)


@pytest.fixture(scope="module")
def scene() -> StereoScene:
    return StereoScene([Person(0.8, -35), Person(1.2, 30)], size=SIZE, frames=2)


def test_true_tracks_agree_and_objects_are_matched_by_name(scene):
    left, right = scene.track(False), scene.track(True)
    swapped = Track(
        right.packed[:, ::-1].copy(), right.labels[::-1], right.scores, SIZE, SIZE, right.rate, right.times
    )  # fmt: skip
    clip, rig = StereoClip(scene, Layout()), Rig(scene.projection, SIZE)
    report = check_clip(clip, rig, left, swapped)
    assert report["s_iou"] > 0.9
    assert report["frames_below"] == report["frames_with_unequal_counts"] == []
    assert [item["label"] for item in report["objects"]] == ["person 1", "person 2"]
    assert report["working_size"] == [256, 256]
    assert "no frame below" in summary(report)


def test_a_lens_that_stands_askew_is_said_and_does_not_count_against_true_masks():
    scene = StereoScene([Person(0.8, -35), Person(1.2, 30)], size=SIZE, frames=1, turned=(0.4, 1.0, -0.6))
    report = check_clip(StereoClip(scene, Layout()), Rig(scene.projection, SIZE), scene.track(False), scene.track(True))
    assert list(report["lenses"]["right_lens_turned"].values()) == pytest.approx([0.4, 1.0, -0.6], abs=0.06)
    assert report["lenses"]["rows_off_px"] > 1 > 5 * report["lenses"]["rows_left_px"]
    assert report["s_iou"] > 0.9
    assert max(item["rows"] for item in report["objects"]) <= 3
    assert "the right lens stands askew" in summary(report)


def test_someone_who_is_in_one_track_alone_is_missing_in_the_other(scene):
    left, right = scene.track(False), scene.track(True)
    one = Track(right.packed[:, :1].copy(), right.labels[:1], right.scores[:, :1], SIZE, SIZE, right.rate)
    report = check_clip(StereoClip(scene, Layout()), Rig(scene.projection, SIZE), left, one)
    assert report["frames_below"] == report["frames_with_unequal_counts"] == [0, 1]
    assert report["objects"][1]["s_iou"] == 0
    assert "another number of objects in 2 frames" in summary(report)


def test_what_does_not_belong_together_is_refused_with_both_numbers(scene):
    left, right = scene.track(False), scene.track(True)
    rig, clip = Rig(scene.projection, SIZE), StereoClip(scene, Layout())
    with pytest.raises(ClipError, match="256x256 px.*512x128.*choose the layout"):
        check_clip(StereoClip(scene, Layout(TOP_BOTTOM)), rig, left, right)
    short = Track(right.packed[:1], right.labels, right.scores[:1], SIZE, SIZE, right.rate)
    with pytest.raises(ClipError, match="2 frames.*1"):
        check_clip(clip, rig, left, short)
    with pytest.raises(ClipError, match="goes on after the 1 frames"):
        check_clip(clip, rig, short, short)
    with pytest.raises(ClipError, match="has 1 frames, its tracks have 2"):
        check_clip(StereoClip(TrimmedClip(scene, 0, 1), Layout()), rig, left, right)


def test_a_matte_adds_how_soft_edges_agree(scene):
    left, right = scene.track(False), scene.track(True)
    clip, rig = StereoClip(scene, Layout()), Rig(scene.projection, SIZE)
    assert check_clip(clip, rig, left, right)["s_mad"] is None
    assert check_clip(clip, rig, left, right, mattes=clip)["s_mad"] is not None
    with pytest.raises(ClipError, match="ends after 1 frames"):
        check_clip(clip, rig, left, right, mattes=StereoClip(TrimmedClip(scene, 0, 1), Layout()))

"""The physics folder: what was written is what is read, and nothing that was there is touched."""

import json
from fractions import Fraction

import numpy as np
import pytest
from clips import shades
from physics_preserver.nodes.media.clip import ClipError
from physics_preserver.nodes.media.folder import files_of, read_physics, write_json, write_physics
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.pose import Poses
from physics_preserver.nodes.media.stills import read_image
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.media.writer import VideoWriter


@pytest.fixture
def extraction(tmp_path) -> tuple:
    """A VFR clip of 6 frames and a track of two objects in it."""
    times = [Fraction(n, 600) for n in (0, 20, 60, 66, 100, 131)]
    with VideoWriter(tmp_path / "clip.mp4", 66, 48, Fraction(30), time_base=Fraction(1, 600)) as video:
        for image, time in zip(shades(6, 66), times, strict=True):
            video.write(image, time)
    clip = open_clip(tmp_path / "clip.mp4")
    masks = np.random.default_rng(0).random((6, 2, 48, 66)) > 0.6
    masks[4, 1] = False
    builder = TrackBuilder(("person", "skateboard"), (48, 66), clip.rate, clip.name, "test")
    for frame in clip:
        builder.append(masks[frame.index], np.array([1 / 3, frame.index / 7]), frame.time)
    builder.warnings.append("lost for a moment")
    return clip, builder.finish()


def test_everything_comes_back(tmp_path, extraction):
    clip, track = extraction
    pairing, relations = {"score": 0.5, "reasons": ["near the feet"]}, {"contact": [True, None]}
    write_physics(tmp_path / "out", clip, track, pairing, relations)
    physics = read_physics(tmp_path / "out")
    again: Track = physics.track
    assert np.array_equal(again.packed, track.packed) and np.array_equal(again.scores, track.scores)
    assert (again.labels, again.times, again.rate, again.source) == (
        track.labels,
        track.times,
        track.rate,
        track.source,
    )
    assert again.warnings == ["lost for a moment"] and again.tracker == "test"
    assert physics.metadata["pairing"] == pairing and physics.metadata["relations"] == relations
    frames = list(physics.clip())
    assert [frame.time for frame in frames] == track.times
    assert np.abs(frames[3].image.astype(int) - clip.frame(3).image).max() <= 3  # JPEG


def test_every_file_beside_the_metadata_is_known(tmp_path, extraction):
    clip, track = extraction
    keypoints = np.full((6, 133, 3), (np.nan, np.nan, 0), np.float32)
    poses = Poses(keypoints, track.clip_size, track.rate, track.times, "person")
    folder = write_physics(tmp_path / "out", clip, track, poses=poses).folder
    metadata = json.loads((folder / "tracking_metadata.json").read_text())
    there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert {*files_of(metadata), "tracking_metadata.json"} == there and len(there) == 5 * 6 + 1


def test_metadata_says_where_it_came_from(tmp_path, extraction):
    import hashlib

    clip, track = extraction
    metadata = write_physics(tmp_path / "out", clip, track).metadata
    source = metadata["source"]
    assert source["sha256"] == hashlib.sha256((tmp_path / "clip.mp4").read_bytes()).hexdigest()
    assert (source["width"], source["height"], source["frame_count"]) == (66, 48, 6)
    board = metadata["objects"][1]
    assert board["frames_visible"] == 5 and board["boxes"][4] is None
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "frames_original",
        "mask_person",
        "mask_skateboard",
        "tracking_metadata.json",
    ]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, extraction):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        write_physics(tmp_path / "out", *extraction)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["notes.txt"]


def some_poses(track: Track) -> Poses:
    """The person on five of the six frames, a hand and a low score missing."""
    points = np.random.default_rng(3).random((6, 133, 3)).astype(np.float32) * np.array((66, 48, 1), np.float32)
    points[:, [9, 10, 91, 112], :2] = [[[10, 20], [50, 20], [10, 21], [50, 21]]]
    points[2] = (np.nan, np.nan, 0)
    points[4, 112:] = points[1, 3] = (np.nan, np.nan, 0)
    return Poses(points, (48, 66), track.rate, track.times, "person", track.source, "a model", ["one warning"])


def test_poses_come_back_exactly_and_are_drawn(tmp_path, extraction):
    clip, track = extraction
    poses = some_poses(track)
    write_physics(tmp_path / "out", clip, track, poses=poses)
    read = read_physics(tmp_path / "out")
    assert read.poses is not None
    np.testing.assert_array_equal(read.poses.keypoints, poses.keypoints)
    about = read.poses
    assert (about.times, about.label, about.estimator, about.warnings) == (
        track.times,
        "person",
        "a model",
        ["one warning"],
    )
    assert read.metadata["pose"]["frames_found"] == 5
    skeletons = [read_image(tmp_path / "out" / "pose_person" / f"{t:05d}.png") for t in range(6)]
    assert {image.shape for image in skeletons} == {(48, 66, 3)}
    assert [bool(image.any()) for image in skeletons] == [True, True, False, True, True, True]
    frame = json.loads((tmp_path / "out" / "pose_json" / "00004.json").read_text())
    assert (frame["canvas_width"], frame["canvas_height"]) == (66, 48)
    assert not any(frame["people"][0]["hand_right_keypoints_2d"])


def test_a_folder_without_poses_has_none(tmp_path, extraction):
    write_physics(tmp_path / "out", *extraction)
    assert read_physics(tmp_path / "out").poses is None
    assert not list((tmp_path / "out").glob("pose*"))


def test_damaged_poses_are_named(tmp_path, extraction):
    clip, track = extraction
    write_physics(tmp_path / "out", clip, track, poses=some_poses(track))
    file = tmp_path / "out" / "pose_json" / "00003.json"
    file.write_text(file.read_text()[:50])
    with pytest.raises(ClipError, match=r"00003\.json can't be read"):
        read_physics(tmp_path / "out")
    file.unlink()
    with pytest.raises(ClipError, match=r"00003\.json can't be read"):
        read_physics(tmp_path / "out")


def test_poses_of_another_clip_are_refused(tmp_path, extraction):
    clip, track = extraction
    poses = some_poses(track)
    poses.keypoints = poses.keypoints[:5]
    with pytest.raises(ClipError, match=r"the poses are 5 of \(66, 48\), the track 6"):
        write_physics(tmp_path / "out", clip, track, poses=poses)
    assert not (tmp_path / "out").exists()


def test_a_failed_run_leaves_no_folder(tmp_path, extraction):
    clip, track = extraction
    shorter = open_clip(tmp_path / "clip.mp4", stop=4)
    with pytest.raises(ClipError, match="4 frames, its track 6"):
        write_physics(tmp_path / "out", shorter, track)
    assert [p.name for p in tmp_path.iterdir()] == ["clip.mp4"]


def damaged(folder, what):
    file = folder / "tracking_metadata.json"
    data = json.loads(file.read_text())
    if what == "newer":
        file.write_text(json.dumps({**data, "schema_version": 99}))
    elif what == "half a file":
        file.write_text(file.read_text()[:200])
    elif what == "no metadata":
        file.unlink()
    elif what == "a mask gone":
        (folder / "mask_person" / "00002.png").unlink()
    elif what == "frames gone":
        (folder / "frames_original" / "00005.jpg").unlink()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("newer", "version 99"),
        ("half a file", "can't be read"),
        ("no metadata", "no physics folder"),
        ("a mask gone", "different numbers of frames"),
        ("frames gone", "5 frames, .* says 6"),
    ],
)
def test_a_damaged_folder_is_one_clear_error(tmp_path, extraction, what, message):
    write_physics(tmp_path / "out", *extraction)
    damaged(tmp_path / "out", what)
    with pytest.raises(ClipError, match=message):
        read_physics(tmp_path / "out")


def test_json_replaces_only_its_own_kind(tmp_path):
    file = tmp_path / "report.json"
    write_json(file, {"schema": "physics-preserver/x", "n": 1})
    write_json(file, {"schema": "physics-preserver/x", "n": 2})
    assert json.loads(file.read_text())["n"] == 2
    file.write_text("mine")
    with pytest.raises(FileExistsError):
        write_json(file, {"schema": "physics-preserver/x", "n": 3})
    assert file.read_text() == "mine"

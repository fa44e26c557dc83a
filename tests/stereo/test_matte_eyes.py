"""VR180 mattes: both eyes, in every mode, and what players need to show them."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import audio_packets, with_audio
from mattes import read_back
from physics_preserver.nodes.extraction.detection import Detection, DetectionError
from physics_preserver.nodes.extraction.prompts import PromptError
from physics_preserver.nodes.matting import finding
from physics_preserver.nodes.matting.matte import matte
from physics_preserver.nodes.matting.methods import FLAG, MODES, REPROCESS
from physics_preserver.nodes.matting.settings import Job, Settings
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.writer import LosslessWriter
from physics_preserver.nodes.stereo.associate import BOTH, Pair
from physics_preserver.nodes.stereo.finding import find_stereo
from physics_preserver.nodes.stereo.layouts import SIDE_BY_SIDE, TOP_BOTTOM, Layout, StereoClip
from physics_preserver.nodes.stereo.packed_alpha import SHARE, AlphaPacker
from physics_preserver.nodes.stereo.projections import Fisheye, HalfEquirectangular
from physics_preserver.nodes.validation.region import mask_jaccard
from vr_scene import Person, StereoScene

SIDE = 256
SCENE = StereoScene([Person(1.2, -25), Person(1.6, 25)], size=(SIDE, SIDE), frames=4)


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("vr")
    sound = with_audio(folder / "sound.mp4", audio_seconds=1)
    with LosslessWriter(folder / "vr.mp4", 2 * SIDE, SIDE, Fraction(24), audio_from=sound) as video:
        for frame in SCENE:
            video.write(frame.image)
    return folder / "vr.mp4"


@pytest.fixture(scope="module")
def masks(tmp_path_factory) -> tuple[tuple[str, str], ...]:
    folder = tmp_path_factory.mktemp("masks")
    found = []
    for n, mask in enumerate(SCENE.masks(0, False)):
        cv2.imwrite(str(folder / f"{n}.png"), mask.astype(np.uint8) * 255)
        found.append((f"person {n + 1}", str(folder / f"{n}.png")))
    return tuple(found)


def settings(masks, **chosen) -> Settings:
    given = {"stereo": "sbs", "masks": masks, "inside": 3.0, "outside": 3.0, "qc_every": 0, **chosen}
    return Settings(**given)


def truth(t: int) -> list[np.ndarray]:
    return [np.asarray(SCENE.masks(t, right).any(axis=0)) for right in (False, True)]


@pytest.mark.parametrize("mode", MODES)
def test_both_eyes_have_their_mattes(tmp_path, clip, masks, mode):
    chosen = settings(masks, mode=mode, formats=("png8", "green-h264"), qc_every=2, chunk=3, parallel_eyes=True)
    summary = matte(clip, tmp_path / "out", Job(chosen))
    for t, file in enumerate(sorted((tmp_path / "out/alpha").iterdir())):
        alpha = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        assert alpha is not None and alpha.shape == (SIDE, 2 * SIDE)
        for eye, expected in zip((alpha[:, :SIDE], alpha[:, SIDE:]), truth(t), strict=True):
            assert mask_jaccard(eye > 127, expected) > 0.85, (t, mode)
    assert summary["labels"] == ["person 1", "person 2"] and summary["stereo"]["mode"] == mode
    assert summary["stereo"]["s_iou"]["least"] > 0.8 and summary["flagged_frames"] == []
    (name,) = summary["files"]["green-h264"]
    assert name == "vr_matte_green-h264_LR_180.mp4"
    assert [d for _, d in audio_packets(tmp_path / "out" / name)] == [d for _, d in audio_packets(clip)]
    assert len(list((tmp_path / "out/qc").iterdir())) == 8


def test_parallel_eyes_change_nothing(tmp_path, clip, masks):
    for out, parallel in (("one", False), ("two", True)):
        matte(clip, tmp_path / out, Job(settings(masks, scale=0.5, parallel_eyes=parallel, formats=("png16",))))
    for file in sorted((tmp_path / "one/alpha").iterdir()):
        assert file.read_bytes() == (tmp_path / "two/alpha" / file.name).read_bytes()


def test_eyes_apart_and_eyes_in_files_of_their_own_are_written_apart(tmp_path, clip, masks):
    for n, name in enumerate(("left.mp4", "right.mp4")):
        with LosslessWriter(tmp_path / name, SIDE, SIDE, Fraction(24)) as video:
            for frame in SCENE:
                video.write(np.ascontiguousarray(frame.image[:, n * SIDE : (n + 1) * SIDE]))
    apart = matte(clip, tmp_path / "apart", Job(settings(masks, separate_eyes=True, formats=("grey-ffv1",))))
    files = settings(masks, stereo="files", second=str(tmp_path / "right.mp4"), formats=("grey-ffv1",))
    two = matte(tmp_path / "left.mp4", tmp_path / "two", Job(files))
    assert apart["files"] == {"grey-ffv1": ["vr_matte_grey-ffv1_left_180.mkv", "vr_matte_grey-ffv1_right_180.mkv"]}
    for one, other in zip(apart["files"]["grey-ffv1"], two["files"]["grey-ffv1"], strict=True):
        a, b = (read_back(tmp_path / folder / name, "grey")[2] for folder, name in (("apart", one), ("two", other)))
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("right_first", [False, True])
def test_squeezed_eyes_one_above_the_other(tmp_path, right_first):
    """Both are marked and named as they lie; there is no mark for the right eye first, which is then said."""
    layout = Layout(TOP_BOTTOM, squeezed=True, right_first=right_first)
    size = (SIDE // 2, SIDE)
    scene = StereoScene([Person(1.0, 20)], size=size, layout=layout, frames=2)
    with LosslessWriter(tmp_path / "tb.mp4", SIDE, SIDE, Fraction(24)) as video:
        for frame in scene:
            video.write(frame.image)
    cv2.imwrite(str(tmp_path / "person.png"), scene.masks(0, False)[0].astype(np.uint8) * 255)
    shown = (("person 1", str(tmp_path / "person.png")),)
    chosen = settings(
        shown, stereo="tb", squeezed=True, right_first=right_first, inside=2.0, outside=2.0,
        formats=("png8", "green-h264"),
    )  # fmt: skip
    summary = matte(tmp_path / "tb.mp4", tmp_path / "out", Job(chosen))
    (name,) = summary["files"]["green-h264"]
    assert name == f"tb_matte_green-h264_{'BT' if right_first else 'TB'}_180.mp4"
    with av.open(str(tmp_path / "out" / name)) as container:
        marks = {item.type.name: bytes(item) for item in next(container.decode(video=0)).side_data}
    assert ("STEREO3D" in marks) is not right_first
    if not right_first:
        assert struct.unpack("i", marks["STEREO3D"][:4]) == (2,)  # FFmpeg's top and bottom
    assert any("right eye first" in warning for warning in summary["warnings"]) is right_first
    for t, file in enumerate(sorted((tmp_path / "out/alpha").iterdir())):
        alpha = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        assert alpha is not None
        for eye, right in zip(layout.split(alpha), (False, True), strict=True):
            assert mask_jaccard(eye > 127, scene.masks(t, right)[0]) > 0.85, (t, right)


class People:
    """A detector that knows how bright the people's clothes are: their true boxes in the eye it is given."""

    def __init__(self, missing_in_right: bool = False):
        self._missing = missing_in_right

    def __call__(self, image: np.ndarray) -> list[Detection]:
        right = not np.array_equal(image, SCENE.view(0, False).image)
        found = []
        for n, mask in enumerate(SCENE.masks(0, right)):
            if n == 1 and right and self._missing:
                continue
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            box = float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
            found.append(Detection("person", 0.9 - 0.1 * n, box, "test"))
        return found


@pytest.mark.parametrize(("mode", "people"), [("joint", 2), ("independent", 1), ("master_slave", 2)])
def test_a_person_that_the_right_eyes_detector_misses(monkeypatch, clip, mode, people):
    monkeypatch.setattr(finding, "find_detector", lambda name: Path(name))
    monkeypatch.setattr(finding, "open_detector", lambda file: People(missing_in_right=True))
    monkeypatch.setattr("physics_preserver.nodes.stereo.finding.detect_in_views", lambda find, image, _: find(image))
    stereo = StereoClip(open_clip(clip), Layout(SIDE_BY_SIDE))
    found = find_stereo(stereo, settings((), mode=mode, detector="people.onnx"), finding.Profile())
    left, right = found.tracks
    assert left.labels == ("person", "person 2") and len(right.labels) == people
    if mode != "independent":
        assert right.labels == left.labels
        assert all(mask_jaccard(a, b) > 0.3 for a, b in zip(right.masks(0), SCENE.masks(0, True), strict=True))
    else:
        assert found.flagged  # one eye has somebody whom the other doesn't have


def test_a_right_eye_without_anybody_is_said_to_need_another_mode(monkeypatch, clip):
    nobody = People()
    monkeypatch.setattr(finding, "find_detector", lambda name: Path(name))
    monkeypatch.setattr(finding, "open_detector", lambda file: nobody)
    monkeypatch.setattr(
        "physics_preserver.nodes.stereo.finding.detect_in_views",
        lambda find, image, _: find(image) if np.array_equal(image, SCENE.view(0, False).image) else [],
    )
    stereo = StereoClip(open_clip(clip), Layout(SIDE_BY_SIDE))
    with pytest.raises(DetectionError, match="in the right eye on frame 0: choose the mode master_slave or joint"):
        find_stereo(stereo, settings((), mode="independent", detector="people.onnx"), finding.Profile())


def test_who_cannot_be_placed_in_the_other_eye_is_left_out_and_said(monkeypatch, clip):
    monkeypatch.setattr(finding, "find_detector", lambda name: Path(name))
    monkeypatch.setattr(finding, "open_detector", lambda file: People())
    monkeypatch.setattr("physics_preserver.nodes.stereo.finding.detect_in_views", lambda find, image, _: find(image))
    monkeypatch.setattr(
        "physics_preserver.nodes.stereo.finding.associate",
        lambda rig, left, right, a, b: ([Pair(a[0], b[0], BOTH)], [a[1]]),
    )
    stereo = StereoClip(open_clip(clip), Layout(SIDE_BY_SIDE))
    found = find_stereo(stereo, settings((), mode="joint", detector="people.onnx"), finding.Profile())
    assert [track.labels for track in found.tracks] == [("person",), ("person",)]
    assert any("1 of person left out" in warning for warning in found.tracks[0].warnings)
    assert [[item.label for item in eye[0]] for eye in found.detected] == [["person"], ["person"]]


def test_an_anchor_mask_of_both_eyes_is_refused(clip, tmp_path):
    cv2.imwrite(str(tmp_path / "both.png"), np.full((SIDE, 2 * SIDE), 255, np.uint8))
    with pytest.raises(PromptError, match="is 512x256 and the frame that it is for 256x256: another shape"):
        matte(clip, tmp_path / "out", Job(settings((("person", str(tmp_path / "both.png")),))))


def test_a_right_eye_that_is_lost_is_flagged_or_done_again(tmp_path, masks):
    """The right eye's own track loses both when they turn grey there for a frame: carried over, they come back."""
    flat = tmp_path / "vr.mp4"
    with LosslessWriter(flat, 2 * SIDE, SIDE, Fraction(24)) as video:
        for frame in SCENE:
            image = frame.image.copy()
            if frame.index >= 2:  # a cut in the right eye's picture
                image[:, SIDE:] = np.roll(image[:, SIDE:], SIDE // 2, axis=1)
            video.write(image)
    chosen = settings(masks, mode="joint", on_mismatch=FLAG)
    flagged = find_stereo(StereoClip(open_clip(flat), Layout(SIDE_BY_SIDE)), chosen, finding.Profile())
    assert flagged.flagged == [2, 3] and flagged.about["stereo"]["frames_flagged"] == [2, 3]
    chosen = settings(masks, mode="joint", on_mismatch=REPROCESS)
    again = find_stereo(StereoClip(open_clip(flat), Layout(SIDE_BY_SIDE)), chosen, finding.Profile())
    assert again.about["stereo"]["on_mismatch"] == REPROCESS


def unpack(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The discs of a packed frame, uint8 [S, 2 S, 3]: left and right alpha, uint8 [d, d], 0 around the disc.

    Written from the layout's description alone: the left disc's top half is at the bottom in the middle, its bottom
    half at the top; the right disc's quarters TL, TR, BL, BR are in the corners BR, BL, TR, TL.
    """
    red, side = frame[..., 0], frame.shape[0]
    half = round(SHARE * side) // 4 * 4 // 2
    middle = slice(side - half, side + half)
    left = np.vstack([red[-half:, middle], red[:half, middle]])
    right = np.block([[red[-half:, -half:], red[-half:, :half]], [red[:half, -half:], red[:half, :half]]])
    inside = np.hypot(*np.mgrid[-half:half, -half:half]) < half - 2
    return left * inside, right * inside


def fisheye_disc(mask: np.ndarray, px: int, degrees: float = 180) -> np.ndarray:
    """bool [px, px]: a half-equirectangular mask [H, W] as an equidistant fisheye, point by point; then everything in
    every 2 x 2 px of which one is in it, as colours are coded at half the size."""
    y, x = (np.mgrid[:px, :px] + 0.5) / px * 2 - 1
    radius = np.hypot(x, y)
    angle, around = radius * np.deg2rad(degrees) / 2, np.arctan2(y, x)
    direction = np.sin(angle) * np.cos(around), np.sin(angle) * np.sin(around), np.cos(angle)
    longitude = np.arctan2(direction[0], direction[2])
    latitude = np.arcsin(np.clip(direction[1], -1, 1))
    rows, columns = (
        np.clip(((part / np.pi + 0.5) * n).astype(int), 0, n - 1)
        for part, n in zip((latitude, longitude), mask.shape, strict=True)
    )
    small = (mask[rows, columns] & (radius < 1)).reshape(px // 2, 2, px // 2, 2).any(axis=(1, 3))
    return small.repeat(2, axis=0).repeat(2, axis=1)


def test_packed_alpha_lies_in_the_corners_as_players_expect_it():
    size, side = (400, 400), 400
    white = np.full((*size, 3), 255, np.uint8)
    packer = AlphaPacker(Fisheye(180), size)
    y, x = np.mgrid[:side, :side]
    in_circle = np.hypot(x - 199.5, y - 199.5) < 198
    quadrants = [0.2 + 0.2 * ((y >= 200) * 2 + (x >= 200)) for _ in range(2)]
    frame = packer.pack([white, white], [alpha.astype(np.float32) for alpha in quadrants])
    assert frame.shape == (400, 800, 3)
    for eye in (frame[:, :400], frame[:, 400:]):
        assert (eye[in_circle] == 255).all()
    outside = ~np.hstack([in_circle, in_circle])
    assert (frame[..., 1:][outside & (frame[..., 1] < 255)] == 0).all()
    # Left: top half at the bottom in the middle, bottom half at the top. Right: quarters in opposite corners.
    levels = {"TL": 51, "TR": 102, "BL": 153, "BR": 204}
    red = frame[..., 0].astype(int)
    near = 20  # px from the discs' middles
    assert abs(red[399 - near, 400 - near] - levels["TL"]) <= 1 and abs(red[399 - near, 400 + near] - levels["TR"]) <= 1
    assert abs(red[near, 400 - near] - levels["BL"]) <= 1 and abs(red[near, 400 + near] - levels["BR"]) <= 1
    assert abs(red[399 - near, 799 - near] - levels["TL"]) <= 1 and abs(red[399 - near, near] - levels["TR"]) <= 1
    assert abs(red[near, 799 - near] - levels["BL"]) <= 1 and abs(red[near, near] - levels["BR"]) <= 1
    for disc in unpack(frame):
        assert disc.shape == (round(SHARE * side), round(SHARE * side))
        assert abs(int(disc[60, 60]) - 51) <= 1 and abs(int(disc[100, 100]) - 204) <= 1


def test_both_alphas_come_out_of_a_packed_frame_as_they_went_in():
    masks, size = truth(0), (SIDE, SIDE)
    eyes = [SCENE.view(0, right).image for right in (False, True)]
    for degrees in (180, 190):
        frame = AlphaPacker(HalfEquirectangular(), size, degrees).pack(eyes, [m.astype(np.float32) for m in masks])
        for disc, mask in zip(unpack(frame), masks, strict=True):
            assert mask_jaccard(disc > 127, fisheye_disc(mask, len(disc), degrees)) > 0.8
    assert mask_jaccard(*(disc > 127 for disc in unpack(frame))) < 0.8  # the eyes' alphas are not each other's


def test_half_equirect_is_remapped_truly_and_not_stretched():
    size = (400, 400)
    lon = np.broadcast_to((np.arange(400) + 0.5) / 400 * 180 - 90, size)
    image = np.repeat(np.rint(lon + 90)[..., None], 3, axis=2).astype(np.uint8)
    frame = AlphaPacker(HalfEquirectangular(), size, 190).pack([image, image], [np.zeros(size, np.float32)] * 2)
    row = frame[200, :400, 0].astype(float)
    # On the middle row a fisheye of 190 degrees has 190 / 400 degrees a px; beyond 90 degrees it shows nothing.
    x = np.arange(20, 380)
    assert np.abs(row[x] - 90 - ((x + 0.5) / 400 - 0.5) * 190).max() < 1.5
    assert row[3] == 0 and row[396] == 0


def test_a_packed_video_and_marks_of_vr180(tmp_path, clip, masks):
    chosen = settings(masks, packed_alpha=True, formats=("green-h264", "prores4444", "ffv1"))
    summary = matte(clip, tmp_path / "out", Job(chosen))
    assert summary["files"]["packed"] == ["vr_matte_packed_LR_180_FISHEYE_F180_alpha.mp4"]
    times, pictures, _ = read_back(tmp_path / "out" / summary["files"]["packed"][0], "colours")
    assert len(times) == 4 and pictures[0].shape == (SIDE, 2 * SIDE, 3)
    for disc, expected in zip(unpack(pictures[0]), truth(0), strict=True):
        assert mask_jaccard(disc > 127, fisheye_disc(expected, len(disc))) > 0.75
    for kind, marked in (("green-h264", True), ("prores4444", True), ("ffv1", False)):
        file = tmp_path / "out" / summary["files"][kind][0]
        with av.open(str(file)) as container:
            marks = {item.type.name: bytes(item) for item in next(container.decode(video=0)).side_data}
        assert ("STEREO3D" in marks, "SPHERICAL" in marks) == (marked, marked), (kind, marks)
        if marked:  # FFmpeg's AVStereo3D: side by side is 1; AVSphericalMapping: a tile of equirectangular is 2
            assert struct.unpack("i", marks["STEREO3D"][:4]) == (1,)
            projection, *turned, left, top, right, bottom = struct.unpack("4i4I", marks["SPHERICAL"][:32])
            assert (projection, turned, top, bottom) == (2, [0, 0, 0], 0, 0)
            assert left == right == pytest.approx(2**32 / 4, abs=2)
        assert len(read_back(file, "colours")[0]) == 4
        assert [d for _, d in audio_packets(file)] == [d for _, d in audio_packets(clip)]
    assert any("only the name says" in warning for warning in summary["warnings"])

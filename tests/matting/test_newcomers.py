"""Someone who walks in later is looked for, taken in and said; and what was detected is drawn."""

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from mattes import disc_image
from physics_preserver.nodes.extraction.detection import Detection
from physics_preserver.nodes.matting import finding
from physics_preserver.nodes.matting.matte import matte
from physics_preserver.nodes.matting.settings import Job, Settings
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.writer import LosslessWriter

SIZE = (96, 208)
FRAMES, COMES = 20, 9


def discs(t: int) -> list[tuple[float, float, float]]:
    """Middle and radius, px, of everyone who is there on frame t: one stands, one comes in from the right."""
    found = [(46.0, 52.0, 18.0)]
    return found + ([(215.0 - 6 * (t - COMES), 48.0, 18.0)] if t >= COMES else [])


def picture(t: int) -> tuple[np.ndarray, np.ndarray]:
    """The frame, and bool [N, H, W]: who is there."""
    image = disc_image(-1000, SIZE)  # the disc is far outside
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    masks = np.stack([np.hypot(x - cx, y - cy) < radius for cx, cy, radius in discs(t)])
    for n, mask in enumerate(masks):
        image[mask] = np.stack([220 + 0 * x, 140 + 30 * np.sin(x / 3 + n), 60 + 0 * x], axis=-1)[mask].astype(np.uint8)
    return image, masks


def people(image: np.ndarray) -> list[Detection]:
    """A detector that knows their colour."""
    count, _, about, _ = cv2.connectedComponentsWithStats((image[..., 0] > 180).astype(np.uint8))
    return [
        Detection("person", 0.9, (float(x), float(y), float(x + w), float(y + h)), "test")
        for x, y, w, h, area in about[1:count] if area > 250
    ]  # fmt: skip


@pytest.fixture
def clip(tmp_path) -> Path:
    with LosslessWriter(tmp_path / "two.mp4", SIZE[1], SIZE[0], Fraction(10)) as video:
        for t in range(FRAMES):
            video.write(picture(t)[0])
    return tmp_path / "two.mp4"


@pytest.fixture(autouse=True)
def detector(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("people.onnx").write_bytes(b"only its name counts")
    monkeypatch.setattr(finding, "open_detector", lambda file: people)


def settings(**chosen) -> Settings:
    return Settings(**{"detector": "people.onnx", "newcomers": 0.4, "inside": 3.0, "outside": 3.0, **chosen})


def test_who_comes_later_gets_a_track_and_a_label(clip):
    alone = finding.find_flat(open_clip(clip), settings(newcomers=0.0), finding.Profile())
    assert alone.tracks[0].labels == ("person",)
    found = finding.find_flat(open_clip(clip), settings(), finding.Profile())
    track = found.tracks[0]
    assert track.labels == ("person", "person 2") and track.warnings == []
    looked = sorted(found.detected[0])
    assert looked == [0, 12] and [item.label for item in found.detected[0][12]] == ["person 2"]
    for t in range(FRAMES):
        truth = picture(t)[1]
        seen = track.masks(t)
        assert np.array_equal(seen[0], alone.tracks[0].masks(t)[0])
        if t < COMES:
            assert not seen[1].any()
        elif t > COMES + 4:
            overlap = (seen[1] & truth[1]).sum() / (seen[1] | truth[1]).sum()
            assert overlap > 0.8, (t, overlap)


def test_a_detector_that_guides_the_tracker_counts_as_detecting(clip, monkeypatch):
    calls = []

    def slowly(image: np.ndarray) -> list[Detection]:
        calls.append(0)
        time.sleep(0.02)
        return people(image)

    monkeypatch.setattr(finding, "open_detector", lambda file: slowly)
    taking = finding.Profile()
    finding.find_flat(open_clip(clip), settings(newcomers=0.0), taking)
    assert len(calls) > FRAMES / 2 and taking.seconds["detect"] > 0.02 * len(calls)


def loosely(image: np.ndarray) -> list[Detection]:
    """Boxes with much around whom they show: less than a third of one is the mask of who is in it."""
    return [replace(item, box=(item.box[0] - 16, item.box[1] - 16, item.box[2] + 16, item.box[3] + 16))
            for item in people(image)]  # fmt: skip


def test_nobody_is_new_twice_though_boxes_are_loose(clip, monkeypatch):
    monkeypatch.setattr(finding, "open_detector", lambda file: loosely)
    track = finding.find_flat(open_clip(clip), settings(), finding.Profile()).tracks[0]
    assert track.labels == ("person", "person 2") and track.warnings == []


def test_a_clip_that_opens_empty_starts_where_somebody_comes(tmp_path):
    with LosslessWriter(tmp_path / "empty.mp4", SIZE[1], SIZE[0], Fraction(10)) as video:
        for t in range(FRAMES):
            image, masks = picture(t)
            image[masks[0]] = disc_image(-1000, SIZE)[masks[0]]  # who stands there isn't there
            video.write(image)
    chosen = settings(newcomers=0.0, start=2, qc_every=0, formats=("png8",))
    summary = matte(tmp_path / "empty.mp4", tmp_path / "out", Job(chosen))
    alphas = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in sorted((tmp_path / "out/alpha").iterdir())]
    first = next(t for t, alpha in enumerate(alphas) if alpha is not None and (alpha > 127).any())
    assert len(alphas) == FRAMES - 2 and COMES - 2 <= first <= summary["anchor"]["frame"]
    assert (summary["requested_frame_start"], summary["effective_frame_start"]) == (2, 2 + first)
    assert f"effectively starts at frame {2 + first} ({(2 + first) / 10:.3f} s)" in summary["warnings"][-1]


def test_more_people_than_are_looked_for_is_said(clip, monkeypatch):
    monkeypatch.setattr(finding, "MOST_NEWCOMERS", 1)
    track = finding.find_flat(open_clip(clip), settings(), finding.Profile()).tracks[0]
    assert track.labels == ("person", "person 2")
    assert track.warnings == ["1 people who came later were taken in; for more nobody looked"]


def test_frames_with_detections_have_pictures_to_look_at(clip, tmp_path):
    summary = matte(clip, tmp_path / "out", Job(settings(qc_every=50, formats=("png8",))))
    assert summary["labels"] == ["person", "person 2"]
    frames = {int(file.name.split(".")[1]) for file in (tmp_path / "out/qc").glob("overlay.*")}
    assert frames == {0, 12}
    drawn = cv2.imread(str(tmp_path / "out/qc/overlay.000012.jpg"))
    plain = picture(12)[0][..., ::-1].astype(int)
    assert drawn is not None
    (x1, y1, x2, y2) = (int(side) for side in people(picture(12)[0])[0].box)
    for row, column in ((y1, x2 - 3), (y2 - 1, x1 + 3), (y2 - 3, x1)):  # on the box of who was found there
        assert np.abs(drawn[row, column] - plain[row, column]).max() > 40


def test_looking_for_more_needs_a_detector():
    with pytest.raises(ValueError, match="newcomers need a detector"):
        settings(detector="")

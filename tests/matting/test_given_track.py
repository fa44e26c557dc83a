"""A matte of a track that is there already: nobody is looked for again, and it has to be of this very clip."""

from fractions import Fraction

import numpy as np
import pytest
from mattes import DISC_SIZE as SIZE
from mattes import disc_alpha
from physics_preserver.nodes.matting import finding
from physics_preserver.nodes.matting.given_track import subjects
from physics_preserver.nodes.matting.matte import matte, run_key
from physics_preserver.nodes.matting.settings import Job, Settings
from physics_preserver.nodes.media.clip import ClipError
from physics_preserver.nodes.media.track import Track, TrackBuilder
from test_matte import disc_clip, grey

FRAMES = 12


def disc_track(frames: int = FRAMES, size: tuple[int, int] = SIZE, soft: bool = False, first: int = 0) -> Track:
    """The disc as "dancer", and something in the corner as "person"; nothing before frame `first`."""
    builder = TrackBuilder(("dancer", "person"), size, Fraction(24), "disc.mp4", "by hand")
    for t in range(frames):
        corner = np.zeros(size, bool)
        corner[:12, :12] = True
        masks = np.stack([np.resize(disc_alpha(t) > 0.5, size), corner]) & (t >= first)
        builder.append(masks, np.full(2, 0.9), Fraction(t, 24))
    track = builder.finish()
    if soft:
        levels = [np.clip(8 * (disc_alpha(t) - 0.5), -4, 4)[::2, ::2] for t in range(frames)]
        track.soft = np.stack([[level, level * 0 - 32] for level in levels]).astype(np.float16)
    return track


def job(**chosen) -> Job:
    return Job(Settings(**{"subject": "dancer", "inside": 4.0, "outside": 4.0, "qc_every": 8, **chosen}))


@pytest.fixture
def nobody_looks(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the subject was looked for again")

    monkeypatch.setattr(finding, "find_anchor", refuse)
    monkeypatch.setattr(finding, "track", refuse)


@pytest.mark.parametrize("soft, scale", [(False, 1.0), (True, 1.0), (False, 0.5)])
def test_the_subject_alone_is_matted(tmp_path, nobody_looks, soft, scale):
    clip = disc_clip(tmp_path / "disc.mp4", FRAMES)
    summary = matte(clip, tmp_path / "out", job(scale=scale), track=disc_track(soft=soft))
    assert (
        summary["labels"] == ["dancer"] and summary["tracker"] == "by hand" and summary["anchor"]["method"] == "track"
    )
    assert summary["eyes"][0]["trimap"]["source"] == ("logits" if soft else "masks")
    for t in (0, 7, 11):
        alpha = grey(tmp_path / f"out/alpha/{t:06d}.png") / 65535
        assert np.abs(alpha - disc_alpha(t)).mean() < 0.02
        assert not alpha[:12, :12].any()


def test_frames_before_the_first_mask_are_empty_and_told(tmp_path, nobody_looks):
    clip = disc_clip(tmp_path / "disc.mp4", FRAMES)
    summary = matte(clip, tmp_path / "out", job(), track=disc_track(first=5))
    assert summary["effective_frame_start"] == 5 and any("first 5 frames" in said for said in summary["warnings"])
    assert not grey(tmp_path / "out/alpha/000004.png").any() and grey(tmp_path / "out/alpha/000005.png").max() == 65535


def test_a_track_of_something_else_is_refused(tmp_path):
    clip = disc_clip(tmp_path / "disc.mp4", FRAMES)
    with pytest.raises(ClipError, match="disc.mp4 has 12 frames of 160x96, the track 11 of 160x96: connect the clip"):
        matte(clip, tmp_path / "short", job(), track=disc_track(11))
    with pytest.raises(ClipError, match="the track 12 of 80x48"):
        matte(clip, tmp_path / "small", job(), track=disc_track(size=(48, 80)))
    with pytest.raises(ValueError, match="the track has no 'child', it has: dancer, person; name one of them"):
        matte(clip, tmp_path / "none", job(subject="child"), track=disc_track())
    with pytest.raises(ClipError, match="shows no dancer on any frame"):
        matte(clip, tmp_path / "empty", job(), track=disc_track(first=FRAMES))
    with pytest.raises(ValueError, match="take away the boxes and masks, or the track"):
        matte(clip, tmp_path / "both", job(boxes=(("dancer", (1.0, 1.0, 9.0, 9.0)),)), track=disc_track())


def test_another_track_is_another_run(tmp_path):
    clip = disc_clip(tmp_path / "disc.mp4", FRAMES)
    keys = [run_key(clip, job(), track=track) for track in (disc_track(), disc_track(), disc_track(first=1), None)]
    assert keys[0] == keys[1] and len(set(keys)) == 3


def test_subjects_by_name():
    labels = ("person", "person 2", "dog", "person two")
    assert subjects(labels, "person") == [0, 1]
    assert subjects(labels, " dog, person") == [0, 1, 2]
    assert subjects(labels, "person 2") == [1]
    assert subjects(labels, "") == [0, 1, 2, 3]
    nameless = ("object 1", "object 2")
    assert subjects(nameless, "person") == [0, 1] and subjects(nameless, "object 2") == [1]
    with pytest.raises(ValueError, match="no 'object 3'"):
        subjects(nameless, "object 3")

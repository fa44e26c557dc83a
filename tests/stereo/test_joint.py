"""Eyes tracked each by itself are held against each other: a planted fault is found on its frame, and on no other."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from physics_preserver.nodes.matting.finding import Finder
from physics_preserver.nodes.matting.methods import FLAG, INDEPENDENT, JOINT, REPROCESS
from physics_preserver.nodes.matting.profile import Profile
from physics_preserver.nodes.matting.settings import Settings
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.stereo.check import check_clip
from physics_preserver.nodes.stereo.finding import find_stereo
from physics_preserver.nodes.stereo.layouts import Layout, StereoClip
from physics_preserver.nodes.stereo.rig import Rig
from physics_preserver.nodes.validation.region import mask_jaccard
from vr_scene import Person, StereoScene

SIZE = (256, 256)
SCENE = StereoScene([Person(0.9, -30), Person(1.1, 28)], size=SIZE, frames=6)
# The right eye loses the second person; has one for the other; has the first one's mask elsewhere; the left eye loses
# the second person. The first and the last frame are as they should be.
DROPPED, SWAPPED, ELSEWHERE, LEFT_DROPPED = 1, 2, 3, 4


def planted(right: bool) -> Track:
    builder = TrackBuilder(SCENE.labels, SIZE, SCENE.rate, f"{'right' if right else 'left'} eye")
    for t in range(SCENE.count()):
        masks = SCENE.masks(t, right)
        if right and t == DROPPED or not right and t == LEFT_DROPPED:
            masks[1] = False
        if right and t == SWAPPED:
            masks = masks[::-1]
        if right and t == ELSEWHERE:
            masks[0] = np.roll(masks[0], 40, axis=1)
        builder.append(masks, np.asarray(masks.any(axis=(1, 2)), np.float32), t / SCENE.rate)
    return builder.finish()


@pytest.fixture
def found(monkeypatch, tmp_path: Path):
    """What becomes of two tracks, given in place of a tracker's."""

    def find(tracks: tuple[Track, Track], **chosen):
        shown = []
        for n, mask in enumerate(SCENE.masks(0, False)):
            cv2.imwrite(str(tmp_path / f"{n}.png"), mask.astype(np.uint8) * 255)
            shown.append((SCENE.labels[n], str(tmp_path / f"{n}.png")))
        made = iter(tracks)
        monkeypatch.setattr(Finder, "track", lambda finder, clip, prompts: next(made))
        settings = Settings(stereo="sbs", masks=tuple(shown), **{"mode": JOINT, **chosen})
        return find_stereo(StereoClip(SCENE, Layout()), settings, Profile())

    return find


@pytest.mark.parametrize("choice", [FLAG, REPROCESS])
def test_a_clip_whose_eyes_agree_is_left_as_it_is(found, choice):
    tracks = SCENE.track(False), SCENE.track(True)
    result = found(tracks, on_mismatch=choice)
    assert result.flagged == []
    about = result.about["stereo"]
    assert about["frames_done_again"] == about["frames_with_unequal_counts"] == []
    assert about["lenses"]["right_lens_turned"] == {"yaw": 0, "pitch": 0, "roll": 0}
    for before, after in zip(tracks, result.tracks, strict=True):
        assert np.array_equal(before.packed, after.packed)
        assert np.array_equal(before.scores, after.scores)


def test_every_planted_fault_is_flagged_and_nothing_is_changed(found):
    tracks = planted(False), planted(True)
    result = found(tracks, on_mismatch=FLAG)
    assert result.flagged == [DROPPED, SWAPPED, ELSEWHERE, LEFT_DROPPED]
    assert result.about["stereo"]["frames_with_unequal_counts"] == [DROPPED, LEFT_DROPPED]
    assert all(np.array_equal(a.packed, b.packed) for a, b in zip(tracks, result.tracks, strict=True))


def test_faults_of_the_right_eye_are_mended_from_the_left_and_the_lefts_own_is_flagged(found):
    tracks = planted(False), planted(True)
    result = found(tracks, on_mismatch=REPROCESS)
    about, right = result.about["stereo"], result.tracks[1]
    assert about["frames_done_again"] == [DROPPED, SWAPPED, ELSEWHERE]
    assert result.flagged == about["frames_flagged"] == about["frames_with_unequal_counts"] == [LEFT_DROPPED]
    for t in range(SCENE.count()):
        if t in about["frames_done_again"]:
            overlap = [mask_jaccard(a, b) for a, b in zip(right.masks(t), SCENE.masks(t, True), strict=True)]
            assert min(overlap) > 0.93, t
            assert (right.scores[t] > 0.8).all()
        else:
            assert np.array_equal(right.masks(t), tracks[1].masks(t)), t
    assert np.array_equal(result.tracks[0].packed, tracks[0].packed)


def test_eyes_by_themselves_are_flagged_where_they_show_different_people(found):
    """Their people are not each other's by number, so that all are held against all: a swap is none."""
    one, other = planted(False), planted(True)
    renamed = Track(other.packed, ("somebody", "another"), other.scores, SIZE, SIZE, other.rate, other.times)
    result = found((one, renamed), mode=INDEPENDENT, on_mismatch=REPROCESS)
    assert result.flagged == [DROPPED, ELSEWHERE, LEFT_DROPPED]
    assert np.array_equal(result.tracks[1].packed, other.packed)


def test_the_check_of_a_clip_names_each_fault_by_its_measure():
    report = check_clip(StereoClip(SCENE, Layout()), Rig(SCENE.projection, SIZE), planted(False), planted(True))
    assert report["frames_below"] == [DROPPED, SWAPPED, ELSEWHERE, LEFT_DROPPED]
    assert report["frames_with_unequal_counts"] == [DROPPED, LEFT_DROPPED]
    assert report["counts"] == [[2, 2], [2, 1], [2, 2], [2, 2], [1, 2], [2, 2]]
    first, second = (item["per_frame"] for item in report["objects"])
    clean = [0, 5]
    assert all(second["area"][t] == 1 for t in (DROPPED, LEFT_DROPPED))
    assert max(first["area"][t] for t in clean) < 0.05
    assert first["area"][SWAPPED] > 0.1
    assert first["implausible"][SWAPPED] > 0.9  # the other person is 58 degrees away
    assert first["implausible"][ELSEWHERE] > 0.9
    assert abs(first["top"][ELSEWHERE]) <= 3
    assert all(abs(first["top"][t]) <= 1 and first["rows"][t] <= 2 and first["implausible"][t] < 0.05 for t in clean)

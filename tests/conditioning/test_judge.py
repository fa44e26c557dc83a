"""A repaired clip is judged as its report was made: poses too, where they were judged."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from clips_of_colour import FRAMES, SIZE, SOURCE, ColourTracker, clip_of, track_of
from physics_preserver.nodes.conditioning.choices import Choices, ConditioningError
from physics_preserver.nodes.conditioning.judge import judge_as
from physics_preserver.nodes.conditioning.plan import plan_control
from physics_preserver.nodes.conditioning.reskin import Footage
from physics_preserver.nodes.media.clip import Clip
from physics_preserver.nodes.media.pose import KEYPOINTS, Poses
from physics_preserver.nodes.media.track import Track
from physics_preserver.nodes.validation.validate import validate

TRACK = track_of(SOURCE)
FOOTAGE = Footage(clip_of(SOURCE), TRACK, plan_control(SIZE, 1), Choices("everything"), None, range(FRAMES))


def poses(lean: float = 0.0) -> Poses:
    """Points over the person's box, all of them `lean` px aside on frames 10 to 29."""
    keypoints = np.ones((FRAMES, KEYPOINTS, 3), np.float32)
    for t, (x1, y1, x2, y2) in enumerate(TRACK.boxes()[:, 0]):
        keypoints[t, :, 0] = np.linspace(x1, x2, KEYPOINTS) + (lean if 10 <= t < 30 else 0)
        keypoints[t, :, 1] = np.resize(np.linspace(y1, y2, 7), KEYPOINTS)
    return Poses(keypoints, SIZE, TRACK.rate)


def report(lean: float | None = None) -> dict[str, Any]:
    both = None if lean is None else (poses(), poses(lean))
    return validate(TRACK, clip_of(SOURCE), clip_of(SOURCE), ColourTracker(), poses=both).report


def rules(made: dict[str, Any]) -> dict[str, str]:
    return {rule["name"]: rule["verdict"] for rule in made["rules"] if rule["name"] in ("pose", "limb")}


def test_poses_are_estimated_again_where_the_person_should_be() -> None:
    looked: list[Track] = []

    def estimate(clip: Clip, where: Track) -> Poses:
        looked.append(where)
        return poses(lean=20)

    before = report(lean=0)
    assert rules(before)["pose"] == "passed"
    after = judge_as(before, FOOTAGE, ColourTracker(), poses(), estimate)(clip_of(SOURCE)).report
    assert rules(after)["pose"] == "failed" and after["verdict"] == "failed"
    assert len(looked) == 1 and np.array_equal(looked[0].boxes(), TRACK.boxes())


def test_without_them_a_clip_that_failed_by_its_poses_is_refused() -> None:
    with pytest.raises(
        ConditioningError, match="fails by its poses .*OKS.* connect source_pose and choose a pose_model"
    ):
        judge_as(report(lean=20), FOOTAGE, ColourTracker())
    with pytest.raises(ConditioningError, match="source_pose and pose_model together"):
        judge_as(report(), FOOTAGE, ColourTracker(), poses())


def test_without_them_another_one_says_that_they_were_not_judged() -> None:
    judge = judge_as(report(lean=0), FOOTAGE, ColourTracker(), said=["a warning of the control"])
    told = judge(clip_of(SOURCE)).report["warnings"]
    assert told[0] == "a warning of the control" and "poses were judged before the repair and are not" in told[1]
    assert judge_as(report(), FOOTAGE, ColourTracker())(clip_of(SOURCE)).report["warnings"] == []

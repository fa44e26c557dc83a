"""What judges a repaired clip: everything as for the report that it is repaired by, poses too where that had them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..media.clip import Clip
from ..media.track import Track
from ..validation.align import comparison_size, place
from ..validation.findings import FAILED, NOT_JUDGED
from ..validation.follow import TrackFunction
from ..validation.profile import Profile
from ..validation.validate import Judgement, validate
from .choices import ConditioningError
from .repair import Judge
from .reskin import Footage

if TYPE_CHECKING:
    from ..media.pose import Poses

# Rules that need poses of both clips.
POSE_RULES = ("pose", "limb")
REMEDY = "connect source_pose and choose a pose_model"

# From a clip, and a track that says where its person should be, to that person's poses.
EstimatePoses = Callable[[Clip, Track], "Poses"]


def judge_as(
    report: Mapping[str, Any],
    footage: Footage,
    follow: TrackFunction,
    source_poses: Poses | None = None,
    estimate: EstimatePoses | None = None,
    said: Sequence[str] = (),
) -> Judge:
    """A judge with the label and the limits of a report.

    Args:
        report: of Validate Physics on the clip that is repaired.
        footage: the source.
        follow: the tracker.
        source_poses, estimate: both, to judge poses; the generated ones are estimated where the source's person is.
        said: warnings of the conditioning.

    Raises:
        ConditioningError: one of the two alone, or neither for a clip whose poses have failed: without them it could
            pass by not being asked.
    """
    if (source_poses is None) != (estimate is None):
        raise ConditioningError(
            f"poses are judged again with source_pose and pose_model together: {REMEDY}, or neither"
        )
    told = [rule for rule in report["rules"] if rule["name"] in POSE_RULES and rule["verdict"] != NOT_JUDGED]
    if told and estimate is None:
        failed = next((rule["text"] for rule in told if rule["verdict"] == FAILED), None)
        if failed is not None:
            raise ConditioningError(f"the clip fails by its poses ({failed}), which must be judged again: {REMEDY}")
        said = [*said, f"poses were judged before the repair and are not judged after it: to do so, {REMEDY}"]
    profile = Profile(report["profile"]["name"], report["profile"]["limits"])
    crop, frames = footage.plan.crop, footage.frames

    def judge(clip: Clip) -> Judgement:
        poses = None
        if source_poses is not None and estimate is not None:
            where = place(footage.track, comparison_size(footage.track, crop), crop, frames, footage.size)
            poses = source_poses, estimate(clip, where)
        return validate(footage.track, footage.clip, clip, follow, report["label"], profile, crop, frames, poses, said)

    return judge

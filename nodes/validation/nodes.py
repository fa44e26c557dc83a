"""The validation stage in ComfyUI: did the physics survive?"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from comfy_api.latest import InputImpl, io, ui

from .. import host
from ..extraction.subjects import check_detector_choice, detector_choices
from .modes import COMPARE_MODES
from .profile import profile_names

if TYPE_CHECKING:
    import numpy as np

    from ..media.pose import Poses
    from ..media.track import Track

NO_DETECTOR = "none"

ObjectTrack = io.Custom("SAM3_TRACK_DATA")
Control = io.Custom("PHYSICS_CONTROL")
Report = io.Custom("PHYSICS_REPORT")
Pose = io.Custom("POSE_KEYPOINT")
SAM2 = io.Custom("PP_SAM2_MODEL")

# px of the masks that say which frames fail: whole frames, scaled by whoever uses them.
FAILING_SIZE = 16


class ValidatePhysics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_ValidatePhysics",
            display_name="Validate Physics",
            category="physics preserver/validation",
            description=(
                "Tracks the source's objects again in a generated clip and says whether they move as in the source: "
                "where, when, at which angle, and what touches what. The report is shown on the node."
            ),
            search_aliases=["iou", "jaccard", "boundary f", "quality check", "compare masks", "verify"],
            inputs=[
                ObjectTrack.Input("source", tooltip="The original clip's track."),
                io.MultiType.Input(
                    "clip",
                    [io.Video, io.Image],
                    tooltip="The footage that the track was made from: it tells what the tracker itself gets wrong.",
                ),
                io.MultiType.Input(
                    "generated",
                    [io.Video, io.Image],
                    tooltip="The clip to judge: as many frames as the source, in any size of the same proportions.",
                ),
                Control.Input(
                    "control",
                    optional=True,
                    tooltip="From VACE Control, when it cropped the picture or changed the length.",
                ),
                io.String.Input(
                    "label",
                    default="",
                    tooltip="The object that the verdict is about. Empty: the first that isn't a person.",
                ),
                io.Combo.Input(
                    "profile",
                    options=profile_names(),
                    default="standard",
                    tooltip="How strict the verdict is. strict: the masks overlap by more than .90 on every frame.",
                ),
                io.String.Input(
                    "limits",
                    default="",
                    multiline=True,
                    advanced=True,
                    placeholder="[offset]\nlimit = 3",
                    tooltip="Limits of your own instead of the profile's, as TOML. `flicker = false` drops a rule.",
                ),
                io.Combo.Input(
                    "detector",
                    options=[NO_DETECTOR, *detector_choices()],
                    default=NO_DETECTOR,
                    advanced=True,
                    tooltip="A YOLO or YOLOX file that helps to find the objects again.",
                ),
                SAM2.Input(
                    "sam2", optional=True, tooltip="From Load SAM 2: tracks in place of the embedded tracker, here too."
                ),
                Pose.Input(
                    "source_pose",
                    optional=True,
                    tooltip="The person's keypoints in the original clip; judged beside those of the generated one.",
                ),
                Pose.Input("generated_pose", optional=True, tooltip="The person's keypoints in the generated clip."),
            ],
            outputs=[
                Report.Output("report", tooltip="Everything that was measured; a dict that can be written as JSON."),
                io.Boolean.Output("passed", tooltip="True when the physics survived."),
                io.Float.Output("score", tooltip="Mean IoU of the judged frames, 0 where nothing could be judged."),
                io.Image.Output(
                    "chart", tooltip="Overlap and outlines over the frames, with the causes of what fails."
                ),
                io.Mask.Output(
                    "failing",
                    tooltip="One mask per generated frame, all 1 where the frame fails and all 0 elsewhere; 16x16 px.",
                ),
                io.String.Output("summary", tooltip="The verdict and its reasons in one line."),
                ObjectTrack.Output(
                    "found", tooltip="The objects as they were found in the generated clip, for Compare Clips."
                ),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        source: Any,
        clip: Any,
        generated: Any,
        label: str,
        profile: str,
        limits: str,
        detector: str,
        control: Any = None,
        sam2: Any = None,
        source_pose: Any = None,
        generated_pose: Any = None,
    ) -> io.NodeOutput:
        import numpy as np

        from ..extraction.subjects import find_detector, open_detector
        from ..extraction.tracking import track_masks
        from ..media.exchange import from_socket, to_socket
        from ..media.open import open_clip
        from .align import PlacedClip
        from .chart import render_chart
        from .page import write_report
        from .profile import load_profile, with_limits
        from .report import VERDICT, verdict_of
        from .validate import validate

        rules = with_limits(load_profile(profile), limits)
        finder = None if detector == NO_DETECTOR else open_detector(find_detector(detector))
        follow = partial(track_masks, detector=finder, model=sam2)
        original = from_socket(source)
        footage, made = (open_clip(video, rate=original.rate) for video in (clip, generated))
        crop, frames = (None, None) if control is None else (tuple(control["crop"]), control["frames"])
        if (source_pose is None) != (generated_pose is None):
            raise ValueError(
                "a pose of one clip alone can't be judged: connect source_pose and generated_pose, or none"
            )
        own, other = poses_of(source_pose, original), poses_of(generated_pose, None)
        poses = None if own is None or other is None else (own, other)
        said = [] if control is None else control.get("warnings", [])  # none before version 2
        judged = validate(original, footage, made, follow, label.strip() or None, rules, crop, frames, poses, said)
        report = judged.report
        folder = host.new_temporary_file("physics_report", "")
        shown = write_report(folder, judged, PlacedClip(footage, (made.height, made.width), crop, frames), made)
        return io.NodeOutput(
            report,
            report["passed"],
            report["score"] or 0.0,
            host.to_tensor(render_chart(report)[None].astype(np.float32) / 255),
            host.to_tensor(failing_masks(report)),
            report["summary"],
            to_socket(judged.found),
            ui={**shown, VERDICT: [verdict_of(report)]},
        )

    @classmethod
    def validate_inputs(cls, detector: str | None = None) -> bool | str:
        return check_detector_choice(detector, NO_DETECTOR)


def failing_masks(report: Mapping[str, Any]) -> np.ndarray:
    """float32 [T, FAILING_SIZE, FAILING_SIZE] over the generated clip's frames: 1 where a frame fails."""
    import numpy as np

    masks = np.zeros((max(1, report["generated"]["frames"]), FAILING_SIZE, FAILING_SIZE), np.float32)
    for part in report["failing_ranges"]:
        masks[part["start"] : part["stop"]] = 1
    return masks


def poses_of(value: Any, track: Track | None) -> Poses | None:
    """The person's poses from POSE_KEYPOINT; the track says which person, where it has one. None stays None."""
    from ..media.pose import from_pose_keypoints
    from .validate import person_label

    if value is None:
        return None
    person = person_label(track.labels) if track else None
    return from_pose_keypoints(value) if person is None else from_pose_keypoints(value, track, person)


class CompareClips(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_CompareClips",
            display_name="Compare Clips",
            category="physics preserver/validation",
            description=(
                "Source and generated clip in one video: beside each other, wiped, overlaid or subtracted, with their "
                "outlines, skeletons and the score of every frame."
            ),
            search_aliases=["side by side", "wipe", "before after", "difference", "overlay", "split screen"],
            inputs=[
                io.MultiType.Input(
                    "source",
                    [io.Video, io.Image],
                    tooltip="The original clip; its times and its file's sound are kept.",
                ),
                io.MultiType.Input(
                    "generated", [io.Video, io.Image], tooltip="The clip beside it; it gives the size of the pictures."
                ),
                io.Combo.Input(
                    "mode",
                    options=list(COMPARE_MODES),
                    default=COMPARE_MODES[0],
                    tooltip="wipe: a line moves over the picture, the source left of it. difference: of the colours.",
                ),
                Control.Input(
                    "control",
                    optional=True,
                    tooltip="From VACE Control: which part and which frames of the source the generated clip shows.",
                ),
                Report.Input(
                    "report", optional=True, tooltip="From Validate Physics: adds each frame's score and causes."
                ),
                ObjectTrack.Input("source_track", optional=True, tooltip="The original clip's track: solid outlines."),
                ObjectTrack.Input(
                    "generated_track",
                    optional=True,
                    tooltip="The generated clip's track, such as Validate Physics' `found`: dashed outlines.",
                ),
                Pose.Input("source_pose", optional=True, tooltip="The person's keypoints in the original clip."),
                Pose.Input("generated_pose", optional=True, tooltip="The person's keypoints in the generated clip."),
                io.Int.Input(
                    "height",
                    default=0,
                    min=0,
                    max=4320,
                    advanced=True,
                    tooltip="Height of one picture in px. 0: the generated clip's.",
                ),
            ],
            outputs=[io.Video.Output("comparison", tooltip="A file in ComfyUI's temporary folder.")],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        source: Any,
        generated: Any,
        mode: str,
        height: int,
        control: Any = None,
        report: Any = None,
        source_track: Any = None,
        generated_track: Any = None,
        source_pose: Any = None,
        generated_pose: Any = None,
    ) -> io.NodeOutput:
        from ..media.exchange import from_socket
        from ..media.open import open_clip
        from .compare import Comparison, write_compare

        expected, found = (None if track is None else from_socket(track) for track in (source_track, generated_track))
        rate = next((track.rate for track in (expected, found) if track is not None), Fraction(24))
        crop, frames = (None, None) if control is None else (tuple(control["crop"]), control["frames"])
        comparison = Comparison(
            open_clip(source, rate=rate), open_clip(generated, rate=rate), expected, found,
            poses_of(source_pose, expected), poses_of(generated_pose, found), report, crop, frames,
        )  # fmt: skip
        file = host.new_temporary_file("physics_comparison", ".mp4")
        write_compare(file, comparison, mode, height or None)
        shown = ui.PreviewVideo([ui.SavedResult(file.name, "", io.FolderType.temp)])
        return io.NodeOutput(InputImpl.VideoFromFile(str(file)), ui=shown)

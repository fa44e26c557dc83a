"""Repair in ComfyUI: generate, measure, make only what failed anew, measure again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from comfy_api.latest import InputImpl, io, ui

from .. import host
from ..extraction.pose_choice import check_pose_choice, pose_choices
from ..extraction.subjects import check_detector_choice, detector_choices
from .input_nodes import (
    Control,
    clip_inputs,
    guide_inputs,
    mask_inputs,
    model_inputs,
    picture_inputs,
    sampling_inputs,
    window_inputs,
)
from .native_nodes import Sampling, folder_of_run, footage_of

if TYPE_CHECKING:
    from ..media.clip import Clip
    from .repair import Judge, Repaired
    from .reskin import Footage

NOT_USED = "none"

# Frames before a range that starts with the clip, where references may bleed into it: one latent.
REFERENCE_LEAD_IN = 4

Report = io.Custom("PHYSICS_REPORT")
SAM2 = io.Custom("PP_SAM2_MODEL")
Pose = io.Custom("POSE_KEYPOINT")


class RepairPhysics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_RepairPhysics",
            display_name="Repair Physics",
            category="physics preserver/conditioning",
            description=(
                "Makes only the frames anew whose physics failed, between the frames around them, judges the clip "
                "again and keeps what got better, until it passes or the attempts are used up."
            ),
            search_aliases=["fix failing frames", "regenerate", "retry", "closed loop", "vace inpaint frames"],
            inputs=[
                Report.Input("report", tooltip="From Validate Physics on the generated clip."),
                io.MultiType.Input(
                    "generated", [io.Video, io.Image], tooltip="The clip to repair, in the size it was generated in."
                ),
                *clip_inputs(),
                *model_inputs(),
                *picture_inputs(),
                *mask_inputs(),
                *sampling_inputs(),
                io.Int.Input(
                    "max_attempts",
                    default=3,
                    min=0,
                    max=100,
                    tooltip="Rounds of making and judging at most. Each has fresh seeds; from the second on the "
                    "control is stronger, from the third on the masks are tighter.",
                ),
                *window_inputs(),
                io.Combo.Input(
                    "detector",
                    options=[NOT_USED, *detector_choices()],
                    default=NOT_USED,
                    advanced=True,
                    tooltip="A YOLO or YOLOX file that helps to find the objects again, as in Validate Physics.",
                ),
                Control.Input(
                    "control",
                    optional=True,
                    tooltip="From VACE Control, when it changed the clip's length.",
                ),
                SAM2.Input("sam2", optional=True, tooltip="From Load SAM 2, when Validate Physics used it."),
                *guide_inputs(),
                Pose.Input(
                    "source_pose",
                    optional=True,
                    tooltip="The person's keypoints in the original clip, when Validate Physics judged poses. With "
                    "pose_model.",
                ),
                io.Combo.Input(
                    "pose_model",
                    options=[NOT_USED, *pose_choices()],
                    default=NOT_USED,
                    optional=True,
                    advanced=True,
                    tooltip="Estimates the person's pose in the repaired clip, as Estimate Pose does. With "
                    "source_pose.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    "video",
                    tooltip="The repaired clip, without loss. The very clip that came in where nothing changed.",
                ),
                Report.Output("report", tooltip="Of the repaired clip; under `repair` every attempt."),
                io.Boolean.Output("passed", tooltip="True when the physics of what comes out survived."),
                io.String.Output("summary", tooltip="The verdict and every attempt in words."),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        report: Any,
        generated: Any,
        clip: Any,
        track: Any,
        max_attempts: int,
        window: int,
        overlap: int,
        detector: str,
        repaint: str,
        guide: str,
        shape: str,
        grow: int,
        latent_aligned: bool,
        control: Any = None,
        sam2: Any = None,
        guide_video: Any = None,
        references: Any = None,
        source_pose: Any = None,
        pose_model: str = NOT_USED,
        **sampling: Any,
    ) -> io.NodeOutput:
        from ..media.exchange import from_socket
        from ..media.open import open_clip
        from .choices import Choices, ConditioningError
        from .plan import plan_control
        from .references import reference_sheet
        from .repair import needs_repair, repair
        from .run_folder import RepairFolder

        untouched = needs_repair(report) or (None if max_attempts else "no attempts are allowed")
        tracked = from_socket(track)
        made = open_clip(generated, rate=tracked.rate)
        if untouched is not None:
            summary = f"left as it is, {untouched}: {report['summary']}"
            logging.info("Physics Preserver, Repair Physics: %s", summary)
            return _output(generated, made, report, summary, {})
        plan = plan_control(tracked.clip_size, 1, made.width, made.height)
        frames = range(len(tracked)) if control is None else control["frames"]
        if control is not None and max(abs(a - b) for a, b in zip(control["crop"], plan.crop, strict=True)) > 1:
            raise ConditioningError(
                f"the control shows {control['crop']} of the footage, a clip of {made.width}x{made.height} px "
                f"{list(plan.crop)}: give the clip as it was generated"
            )
        choices = Choices(repaint, guide, shape, grow, latent_aligned)
        footage = footage_of(open_clip(clip, rate=tracked.rate), tracked, plan, choices, guide_video, frames)
        model = Sampling(**sampling)
        sheet = None if references is None else reference_sheet(references, plan.width, plan.height)
        kept, notes = folder_of_run(cls.hidden, "physics/repair")
        folder = RepairFolder(kept)
        done = repair(
            footage,
            made,
            report,
            lambda factor: model.generate(sheet, model.strength * factor),
            _judge(report, footage, detector, sam2, source_pose, pose_model, control),
            folder.place,
            model.seed,
            max_attempts,
            window,
            overlap,
            0 if sheet is None else REFERENCE_LEAD_IN,
        )
        summary = "\n".join([done.summary, *notes])
        for line in summary.splitlines():
            logging.info("Physics Preserver, Repair Physics: %s", line)
        finished = _output(generated, done.clip, done.report, summary, _report_files(done, footage))
        folder.clean()
        return finished

    @classmethod
    def validate_inputs(cls, detector: str | None = None, pose_model: str | None = None) -> bool | str:
        found = check_detector_choice(detector, NOT_USED)
        return found if found is not True or pose_model == NOT_USED else check_pose_choice(pose_model)


def _judge(
    report: Any, footage: Footage, detector: str, sam2: Any, source_pose: Any, pose_model: str, control: Any
) -> Judge:
    """What judges a clip as Validate Physics has judged it for this report."""
    from ..extraction.pose import estimate_poses
    from ..extraction.pose_choice import find_pose_model
    from ..extraction.pose_model import PoseModel
    from ..extraction.subjects import find_detector, open_detector
    from ..extraction.tracking import track_masks
    from ..media.pose import from_pose_keypoints, person_of
    from .judge import judge_as

    finder = None if detector == NOT_USED else open_detector(find_detector(detector))
    follow = partial(track_masks, detector=finder, model=sam2)
    poses = estimate = None
    if source_pose is not None:
        poses = from_pose_keypoints(source_pose, footage.track, person_of(footage.track))
    if pose_model != NOT_USED:
        estimator, person = PoseModel(find_pose_model(pose_model)), person_of(footage.track)
        estimate = lambda clip, where: estimate_poses(clip, where, estimator, person)  # noqa: E731
    said = [] if control is None else control.get("warnings", [])  # none before version 2
    return judge_as(report, footage, follow, poses, estimate, said)


def _report_files(done: Repaired, footage: Footage) -> dict[str, Any]:
    """The report as files, for whoever fetches what the node shows; the page only of a clip that was judged anew."""
    from ..media.folder import write_json
    from ..validation.align import PlacedClip
    from ..validation.page import FILES, REPAIRED, REPORT, write_report

    folder = host.new_temporary_file("physics_report", "")
    if done.judgement is not None:
        placed = PlacedClip(footage.clip, footage.size, footage.plan.crop, footage.frames)
        return {FILES: write_report(folder, done.judgement, placed, done.clip, REPAIRED)[FILES]}
    folder.mkdir()
    write_json(folder / (REPAIRED + REPORT), done.report)
    return {FILES: [{"filename": REPAIRED + REPORT, "subfolder": folder.name, "type": "temp"}]}


def _output(generated: Any, clip: Clip, report: Any, summary: str, shown: Mapping[str, Any]) -> io.NodeOutput:
    """The clip as VIDEO: what came in where nothing changed and it is one, else a lossless file. `shown`: more ui."""
    from ..media.patched import PatchedClip
    from ..media.writer import LosslessWriter, container_for
    from ..validation.report import VERDICT, verdict_of

    told = {**ui.PreviewText(summary).as_dict(), VERDICT: [verdict_of(report)], **shown}
    changed = isinstance(clip, PatchedClip) and clip.patches
    if not changed and hasattr(generated, "get_stream_source"):
        return io.NodeOutput(generated, report, report["passed"], summary, ui=told)
    file = host.new_temporary_file("physics_repaired", container_for(clip.audio_file()))
    audio, span = clip.audio_file(), clip.span()
    with LosslessWriter(file, clip.width, clip.height, clip.rate, clip.time_base, audio, span) as video:
        for frame in host.progress(clip, clip.expected_count(), "writing"):
            video.write(frame.image, frame.time)
    return io.NodeOutput(InputImpl.VideoFromFile(str(file)), report, report["passed"], summary, ui=told)

"""The validation stage in ComfyUI: did the physics survive?"""

from __future__ import annotations

from functools import partial
from typing import Any

from comfy_api.latest import io, ui

from .. import host
from ..extraction.subjects import check_detector_choice, detector_choices
from .profile import profile_names

NO_DETECTOR = "none"

ObjectTrack = io.Custom("SAM3_TRACK_DATA")
Control = io.Custom("PHYSICS_CONTROL")
Report = io.Custom("PHYSICS_REPORT")


class ValidatePhysics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_ValidatePhysics",
            display_name="Validate Physics",
            category="physics preserver/validation",
            description=(
                "Tracks the source's objects again in a generated clip and measures, frame by frame, whether they are "
                "where the source has them."
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
                io.Combo.Input(
                    "detector",
                    options=[NO_DETECTOR, *detector_choices()],
                    default=NO_DETECTOR,
                    advanced=True,
                    tooltip="A YOLO or YOLOX file that helps to find the objects again.",
                ),
            ],
            outputs=[
                Report.Output("report", tooltip="Everything that was measured; a dict that can be written as JSON."),
                io.Boolean.Output("passed", tooltip="True when the physics survived."),
                io.Float.Output("score", tooltip="Mean IoU of the judged frames, 0 where nothing could be judged."),
                io.Image.Output("chart", tooltip="IoU and outline agreement over the frames."),
                io.String.Output("summary", tooltip="The verdict and its reasons in one line."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, source: Any, clip: Any, generated: Any, label: str, profile: str, detector: str, control: Any = None
    ) -> io.NodeOutput:
        import numpy as np

        from ..extraction.subjects import find_detector, open_detector
        from ..extraction.tracking import track_masks
        from ..media.exchange import from_socket
        from ..media.open import open_clip
        from .chart import render_chart
        from .profile import load_profile
        from .validate import validate

        finder = None if detector == NO_DETECTOR else open_detector(find_detector(detector))
        follow = partial(track_masks, detector=finder)
        original = from_socket(source)
        footage, made = (open_clip(video, rate=original.rate) for video in (clip, generated))
        shown = {} if control is None else {"crop": tuple(control["crop"]), "frames": control["frames"]}
        judged = validate(original, footage, made, follow, label.strip() or None, load_profile(profile), **shown)
        report = judged.report
        chart = host.to_tensor(render_chart(report)[None].astype(np.float32) / 255)
        return io.NodeOutput(
            report,
            report["passed"],
            report["score"] or 0.0,
            chart,
            report["summary"],
            ui=ui.PreviewImage(chart, cls=cls),
        )

    @classmethod
    def validate_inputs(cls, detector: str | None = None) -> bool | str:
        return check_detector_choice(detector, NO_DETECTOR)

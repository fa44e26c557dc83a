"""Poses in ComfyUI: estimate those of a tracked person."""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import Any

from comfy_api.latest import io

ObjectTrack = io.Custom("SAM3_TRACK_DATA")
PoseKeypoint = io.Custom("POSE_KEYPOINT")


class EstimatePose(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from .pose_choice import MODES, pose_choices

        return io.Schema(
            node_id="PP_EstimatePose",
            display_name="Estimate Pose",
            category="physics preserver/extraction",
            description=(
                "Body, feet, face and hands of the tracked person on every frame, 133 points with their scores. It "
                "looks inside the track's box, so it never jumps to somebody else."
            ),
            search_aliases=["dwpose", "rtmpose", "rtmw", "openpose", "keypoints", "skeleton", "whole body", "rtmlib"],
            inputs=[
                io.MultiType.Input("clip", [io.Video, io.Image], tooltip="The footage that was tracked."),
                ObjectTrack.Input("track", tooltip="From Track Objects, Load Physics or core's SAM3 nodes."),
                io.Combo.Input(
                    "model",
                    options=pose_choices(),
                    default=next(iter(MODES)),
                    tooltip=(
                        "performance (384x288), balanced and lightweight (256x192) look for their RTMW or DWPose file "
                        "in models/dwpose; or choose a file. Needs rtmlib and onnxruntime."
                    ),
                ),
                io.String.Input(
                    "label",
                    default="",
                    tooltip="Whose pose, as named in the track. Empty: person, or the track's first object.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.3,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Points that the model is less sure of than this are left out.",
                ),
                io.Float.Input(
                    "smoothing",
                    default=0.0,
                    min=0.0,
                    max=2.0,
                    step=0.01,
                    advanced=True,
                    tooltip=(
                        "Seconds over which a resting point is averaged; quick ones are followed at once (One-Euro "
                        "filter). 0: as estimated; 0.15 calms a shivering pose."
                    ),
                ),
                io.Int.Input(
                    "batch",
                    default=8,
                    min=1,
                    max=256,
                    advanced=True,
                    tooltip="Frames computed together. It changes speed and memory, not the result.",
                ),
            ],
            outputs=[
                PoseKeypoint.Output("pose", tooltip="Per frame nobody or the person; core's SDPose nodes read it."),
                io.String.Output("info", tooltip="The model, the ONNX Runtime and what it runs on, and warnings."),
            ],
        )

    @classmethod
    def execute(
        cls, clip: Any, track: Any, model: str, label: str, threshold: float, smoothing: float, batch: int
    ) -> io.NodeOutput:
        from ..media.exchange import from_socket
        from ..media.open import open_clip
        from ..media.pose import person_of, to_pose_keypoints
        from .pose import estimate_poses
        from .pose_choice import find_pose_model
        from .pose_model import PoseModel

        tracked = from_socket(track)
        estimator = PoseModel(find_pose_model(model))
        logging.info("Physics Preserver, Estimate Pose: %s", estimator.describe())
        footage = open_clip(clip, rate=Fraction(tracked.rate))
        poses = estimate_poses(footage, tracked, estimator, person_of(tracked, label), threshold, smoothing, batch)
        return io.NodeOutput(to_pose_keypoints(poses), poses.in_words())

    @classmethod
    def validate_inputs(cls, model: str | None = None) -> bool | str:
        from .pose_choice import check_pose_choice

        return check_pose_choice(model)

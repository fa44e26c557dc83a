"""The conditioning stage in ComfyUI: what the generator is shown, and what it may change."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from .. import host

ObjectTrack = io.Custom("SAM3_TRACK_DATA")
Control = io.Custom("PHYSICS_CONTROL")


class VACEControl(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_VACEControl",
            display_name="VACE Control",
            category="physics preserver/conditioning",
            description=(
                "Makes Wan VACE's control video and masks: grey (or your pose) where the model may paint, the original "
                "everywhere else, in sizes and lengths that VACE takes."
            ),
            search_aliases=["wan", "inpaint video", "control video", "control masks", "WanVaceToVideo"],
            inputs=[
                io.MultiType.Input("clip", [io.Video, io.Image], tooltip="The footage that was tracked."),
                ObjectTrack.Input("track", tooltip="Its track."),
                io.Combo.Input(
                    "repaint",
                    options=["both", "person", "object"],
                    default="both",
                    tooltip="What the model generates anew. Everything else is kept.",
                ),
                io.Int.Input(
                    "width",
                    default=0,
                    min=0,
                    max=16384,
                    step=16,
                    tooltip="px, lowered to a multiple of 16. 0: from the height, or the clip's. Wan's: 832 or 1280.",
                ),
                io.Int.Input(
                    "height",
                    default=0,
                    min=0,
                    max=16384,
                    step=16,
                    tooltip="px, lowered to a multiple of 16. 0: from the width, or the clip's. Wan's: 480 or 720.",
                ),
                io.Combo.Input(
                    "length",
                    options=["trim", "pad"],
                    default="trim",
                    tooltip="VACE takes 4n + 1 frames: leave out up to 3 at the end, or repeat the last one.",
                ),
                io.Int.Input(
                    "grow",
                    default=0,
                    min=0,
                    max=512,
                    tooltip="Widens the masks by so many px of the control video, for changes of shape.",
                ),
                io.MultiType.Input(
                    "pose",
                    [io.Video, io.Image],
                    optional=True,
                    tooltip="A drawn pose video of the clip's size and length, shown where the model generates.",
                ),
            ],
            outputs=[
                io.Image.Output("control_video", tooltip="For WanVaceToVideo's control_video."),
                io.Mask.Output("control_masks", tooltip="For WanVaceToVideo's control_masks: 1 = generate."),
                io.Int.Output("width", tooltip="px, a multiple of 16, for WanVaceToVideo."),
                io.Int.Output("height", tooltip="px, a multiple of 16, for WanVaceToVideo."),
                io.Int.Output("length", tooltip="Frames, 4n + 1, for WanVaceToVideo."),
                Control.Output(
                    "control", tooltip="For Validate Physics: which part and which frames the control shows."
                ),
                io.String.Output("notes", tooltip="What was changed to fit, in words."),
            ],
        )

    @classmethod
    def execute(
        cls,
        clip: Any,
        track: Any,
        repaint: str,
        width: int,
        height: int,
        length: str,
        grow: int,
        pose: Any = None,
    ) -> io.NodeOutput:
        from ..extraction.extract import labels_of
        from ..media.exchange import from_socket
        from ..media.open import open_clip
        from .batch import control_batch
        from .vace import describe, plan_control

        tracked = from_socket(track)
        footage = open_clip(clip, rate=tracked.rate)
        poses = None if pose is None else open_clip(pose, rate=tracked.rate)
        labels = labels_of(tracked.labels, repaint)
        plan = plan_control(tracked.clip_size, len(tracked), width or None, height or None, length)
        images, masks = control_batch(footage, tracked, plan, labels, grow, poses)
        about = describe(footage, plan, labels, grow, poses is not None)
        return io.NodeOutput(
            host.to_tensor(images),
            host.to_tensor(masks),
            *(plan.width, plan.height, plan.length),
            about,
            "\n".join(plan.notes),
        )

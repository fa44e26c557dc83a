"""The conditioning stage in ComfyUI: what the generator is shown, and what it may change."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import InputImpl, io

from .. import host
from .choices import FITS, SIZES
from .input_nodes import Control, clip_inputs, guide_inputs, lead_in_input, mask_inputs, picture_inputs, size_inputs


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
                *clip_inputs(),
                *picture_inputs(),
                *size_inputs(0, 0),
                io.Combo.Input(
                    "length",
                    options=list(FITS),
                    default=FITS[0],
                    tooltip="VACE takes 4n + 1 frames: leave out up to 3 at the end, or repeat the last one.",
                ),
                *mask_inputs(),
                lead_in_input(),
                *guide_inputs(),
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
                io.Image.Output(
                    "reference_image",
                    tooltip="The references side by side on white at the control's size, for reference_image of "
                    "WanVaceToVideo. Nothing when there are none.",
                ),
                io.Mask.Output(
                    "consumed_masks",
                    tooltip="The masks as VACE reads them: one for each latent, spread back over its frames.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        clip: Any,
        track: Any,
        repaint: str,
        guide: str,
        shape: str,
        width: int,
        height: int,
        length: str,
        grow: int,
        latent_aligned: bool,
        lead_in: int,
        guide_video: Any = None,
        references: Any = None,
    ) -> io.NodeOutput:
        import numpy as np

        from ..media.exchange import from_socket
        from ..media.open import open_clip
        from .batch import control_batch
        from .choices import Choices
        from .plan import plan_control
        from .references import reference_sheet
        from .vace import describe

        tracked = from_socket(track)
        footage = open_clip(clip, rate=tracked.rate)
        guiding = None if guide_video is None else open_clip(guide_video, rate=tracked.rate)
        choices = Choices(repaint, guide, shape, grow, latent_aligned)
        plan = plan_control(tracked.clip_size, len(tracked), width or None, height or None, length, lead_in)
        images, masks, consumed, missed = control_batch(footage, tracked, plan, choices, guiding)
        sheet = None
        if references is not None:
            sheet = reference_sheet(references, plan.width, plan.height)[None].astype(np.float32) / 255
        about = describe(footage, tracked, plan, choices, guiding, missed)
        return io.NodeOutput(
            host.to_tensor(images),
            host.to_tensor(masks),
            *(plan.width, plan.height, plan.length),
            about,
            "\n".join(about["notes"]),
            None if sheet is None else host.to_tensor(sheet),
            host.to_tensor(consumed),
        )


class CompositeKeptPixels(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_CompositeKeptPixels",
            display_name="Composite Kept Pixels",
            category="physics preserver/conditioning",
            description=(
                "Puts the original back wherever the model was not to change it: outside the masks every pixel is the "
                "source's, to the bit. The seam is feathered, and the model's colour shift is taken off inside."
            ),
            search_aliases=["paste back", "colour match", "color match", "color shift", "restore original", "vace"],
            inputs=[
                io.MultiType.Input("clip", [io.Video, io.Image], tooltip="The source, as VACE Control had it."),
                io.MultiType.Input(
                    "generated",
                    [io.Video, io.Image],
                    tooltip="What the model made of the control: all its frames, after Trim Video Latent.",
                ),
                io.Mask.Input(
                    "masks",
                    tooltip="consumed_masks of VACE Control: what the model really filled. With control_masks the "
                    "generated picture is cut where it goes on.",
                ),
                Control.Input("control", tooltip="control of VACE Control: part of the picture, frames and lead-in."),
                io.Combo.Input(
                    "size",
                    options=list(SIZES),
                    default=SIZES[0],
                    tooltip="control: the control's part of the picture, in its size. source: the generated region is "
                    "pasted back into the clip's own frames, at their size.",
                ),
                io.Int.Input(
                    "feather",
                    default=6,
                    min=0,
                    max=256,
                    tooltip="px inside the mask over which the original fades into the generated picture. What stood "
                    "there shines through: grow the masks at least as much.",
                ),
                io.Boolean.Input(
                    "match_colours",
                    default=True,
                    tooltip="Measures, next to the seam, how the model shifted what it should have kept, and takes "
                    "that off inside the mask.",
                ),
            ],
            outputs=[
                io.Video.Output(
                    "video",
                    tooltip="Lossless, in the temporary folder, with the source's times; a file's sound is copied.",
                ),
                Control.Output(
                    "control", tooltip="For Validate Physics and Compare Clips: what this clip shows of the source."
                ),
                io.String.Output("notes", tooltip="What was dropped or left out, in words."),
            ],
        )

    @classmethod
    def execute(
        cls, clip: Any, generated: Any, masks: Any, control: Any, size: str, feather: int, match_colours: bool
    ) -> io.NodeOutput:
        from fractions import Fraction

        from ..media.open import open_clip
        from ..media.writer import container_for
        from .composite import Pasting, sound_of, write_composite

        rate = Fraction(control["rate"])
        inside = (mask.cpu().numpy() > 0.5 for mask in masks)
        footage, made = (open_clip(video, rate=rate) for video in (clip, generated))
        file = host.new_temporary_file("physics_composite", container_for(sound_of(footage)))
        after, notes = write_composite(file, footage, made, inside, control, Pasting(size, feather, match_colours))
        return io.NodeOutput(InputImpl.VideoFromFile(str(file)), after, "\n".join(notes))

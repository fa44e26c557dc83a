"""The prompting stage in ComfyUI: draw prompts on a clip, see what they make, approve what was tracked from them."""

from __future__ import annotations

from typing import Any

import comfy_execution.graph_utils
from comfy_api.latest import io, ui

from .. import host

ObjectTrack = io.Custom("SAM3_TRACK_DATA")
Prompts = io.Custom("PHYSICS_PROMPTS")
SAM2 = io.Custom("PP_SAM2_MODEL")


class PromptObjects(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_PromptObjects",
            display_name="Prompt Objects",
            category="physics preserver/prompting",
            description=(
                "Show the tracker what to follow: name the objects and click on them, or draw boxes, on any frame. The "
                "mask can be seen before the clip is run, and everything is kept in the workflow."
            ),
            search_aliases=["points editor", "click", "draw box", "sam2 points", "annotate", "select object"],
            inputs=[
                io.MultiType.Input("clip", [io.Video, io.Image], tooltip="The footage that will be tracked."),
                SAM2.Input(
                    "sam2",
                    optional=True,
                    lazy=True,
                    tooltip=(
                        "From Load SAM 2.1: used when you preview a mask here. Left open, the preview takes the model "
                        "of the Track Objects that these prompts go to."
                    ),
                ),
                io.String.Input(
                    "points_positive",
                    force_input=True,
                    optional=True,
                    tooltip="Points inside one more object, as KJNodes' Points Editor gives them.",
                ),
                io.String.Input(
                    "points_negative",
                    force_input=True,
                    optional=True,
                    tooltip="Points outside that object, in the same form.",
                ),
                io.String.Input(
                    "objects",
                    default="",
                    socketless=True,
                    tooltip="What was drawn, as JSON: the drawing writes it. Px of the clip, frames from 0.",
                ),
                io.String.Input(
                    "points_label",
                    default="object",
                    advanced=True,
                    tooltip="Name of the object that comes in by points_positive.",
                ),
                io.Int.Input(
                    "points_frame",
                    default=0,
                    min=0,
                    max=10000000,
                    advanced=True,
                    tooltip="The frame that those points were made on, counted from 0.",
                ),
                io.String.Input(
                    "points_of",
                    default="",
                    advanced=True,
                    tooltip="Whose points are given out as positive and negative. Empty: the first object with points.",
                ),
            ],
            outputs=[
                Prompts.Output("prompts", tooltip="Every object with its points and boxes, for Track Objects."),
                io.String.Output(
                    "positive", tooltip="One object's positive points, as KJNodes and SAM nodes read them."
                ),
                io.String.Output("negative", tooltip="Its negative points."),
                io.Int.Output("frame", tooltip="The frame those points are on, counted from 0."),
                io.BoundingBox.Output("boxes", tooltip="The boxes, per frame, with the objects' names."),
            ],
        )

    @classmethod
    def execute(
        cls,
        clip: Any,
        objects: str,
        points_label: str,
        points_frame: int,
        points_of: str,
        points_positive: str | None = None,
        points_negative: str | None = None,
        sam2: Any = None,
    ) -> io.NodeOutput:
        from ..extraction.prompts import prompts_to_dict
        from ..media.open import open_clip
        from .points import bounding_boxes, collect_prompts, point_strings, require_on_clip

        prompts = collect_prompts(objects, points_positive, points_negative, points_label, points_frame)
        footage = open_clip(clip)
        require_on_clip(prompts, footage.width, footage.height, footage.index())
        positive, negative, frame = point_strings(prompts, points_of.strip())
        return io.NodeOutput(prompts_to_dict(prompts), positive, negative, frame, bounding_boxes(prompts))

    @classmethod
    def validate_inputs(cls, objects: str | None = None) -> bool | str:
        from .points import fault

        return fault(objects or "") or True


class PreviewPrompts(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_PreviewPrompts",
            display_name="Preview Prompts",
            category="physics preserver/prompting",
            description=(
                "The masks that prompts make on one frame, without running the clip. Prompt Objects asks it for its "
                "frames and its preview."
            ),
            search_aliases=["test prompts", "sam2 image", "segment one frame", "mask preview"],
            inputs=[
                io.MultiType.Input("clip", [io.Video, io.Image], tooltip="The footage that will be tracked."),
                Prompts.Input(
                    "prompts", optional=True, tooltip="From Prompt Objects. Without them the frame is shown."
                ),
                SAM2.Input(
                    "sam2",
                    optional=True,
                    tooltip="From Load SAM 2.1. Without it the embedded tracker's first mask is shown.",
                ),
                io.Int.Input(
                    "frame", default=0, min=0, max=10000000, tooltip="Which frame to look at, counted from 0."
                ),
            ],
            outputs=[
                io.Mask.Output("masks", tooltip="One mask for each object prompted on this frame, in their order.")
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, clip: Any, frame: int, prompts: Any = None, sam2: Any = None) -> io.NodeOutput:
        from ..media.open import open_clip
        from ..media.scrub import Scrubber
        from .preview import prompted_masks, write_mask_preview
        from .shelf import SHELF

        footage = open_clip(clip)
        shown = SHELF.put(footage, clip, lambda: host.new_temporary_file("physics_frames", ""))
        image = Scrubber(footage).image(frame)
        labels, masks = prompted_masks(image, frame, prompts, sam2)
        picture, index = (host.new_temporary_file("physics_prompts", suffix) for suffix in (".jpg", ".png"))
        write_mask_preview(picture, index, image, masks, labels)
        saved = [ui.SavedResult(file.name, "", io.FolderType.temp) for file in (picture, index)]
        about = {"frame": frame, "labels": labels, "by": getattr(sam2, "name", "embedded")}
        told = {"images": saved[:1], "physics_clip": [shown.facts()], "physics_masks": [{**about, **saved[1]}]}
        return io.NodeOutput(host.to_tensor(masks.astype("float32")), ui=told)


class ApproveTracks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_ApproveTracks",
            display_name="Approve Tracks",
            category="physics preserver/prompting",
            description=(
                "Holds the graph until you have looked at the masks and approved them. Nothing before this node runs "
                "again; a track that comes out differently has to be approved again."
            ),
            search_aliases=["pause", "gate", "confirm", "review masks", "stop and continue"],
            inputs=[
                ObjectTrack.Input("track", tooltip="The track to judge."),
                io.MultiType.Input("clip", [io.Video, io.Image], tooltip="The footage that was tracked."),
                io.Int.Input(
                    "frames",
                    default=3,
                    min=1,
                    max=24,
                    tooltip="How many frames are shown: the first, the last, and others evenly between them.",
                ),
                io.String.Input(
                    "approved",
                    default="",
                    socketless=True,
                    tooltip=(
                        "The fingerprint of the approved track: the Approve button writes it. For scripts: submit, "
                        "read it from this node's output, submit again with it. always: approves everything."
                    ),
                ),
            ],
            outputs=[ObjectTrack.Output("track", tooltip="The track, once it is approved.")],
            hidden=[io.Hidden.extra_pnginfo],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, track: Any, clip: Any, frames: int, approved: str) -> io.NodeOutput:
        from ..media.exchange import from_socket
        from ..media.open import open_clip
        from ..media.scrub import Scrubber
        from .approval import fingerprint, in_words, is_approved, samples

        tracked = from_socket(track)
        mark = fingerprint(tracked)
        passes = is_approved(approved, mark)
        pictures = []
        for sample in samples(Scrubber(open_clip(clip, rate=tracked.rate)), tracked, frames):
            file = host.new_temporary_file(f"physics_approve_{sample.frame}", ".jpg")
            file.write_bytes(sample.jpeg)
            pictures.append((sample.frame, ui.SavedResult(file.name, "", io.FolderType.temp)))
        words = in_words(tracked, passes)
        state = {"fingerprint": mark, "approved": passes, "frames": [frame for frame, _ in pictures]}
        told = {"images": [saved for _, saved in pictures], "text": [words], "physics_approval": [state]}
        if passes:
            return io.NodeOutput(track, ui=told)
        # The editor shows the state in the node; a script would otherwise only find that nothing came out.
        silent = bool(cls.hidden.extra_pnginfo)
        message = None if silent else f"{words}. Submit again with approved = {mark!r}, or 'always', to go on."
        return io.NodeOutput(comfy_execution.graph_utils.ExecutionBlocker(message), ui=told)


def serve_frames() -> None:
    """Let the widgets ask for single frames: of clips that a run has shown, and of files that Load Video can name."""

    def clip(query: dict[str, str]) -> dict[str, Any]:
        from ..media.open import open_clip
        from .shelf import SHELF

        file = host.listed_file(query["file"])
        return SHELF.put(open_clip(file), file, lambda: host.new_temporary_file("physics_frames", "")).facts()

    def frame(query: dict[str, str]) -> bytes:
        from .shelf import SHELF

        return SHELF.get(query["clip"]).scrubber.jpeg(int(query["index"]), int(query.get("side", 0)))

    host.serve("/physics_preserver/clip", clip)
    host.serve("/physics_preserver/frame", frame)

"""The extraction stage in ComfyUI: detect subjects, track them, relate them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from comfy_api.latest import io, ui

from .subjects import check_detector_choice, detector_choices

MOTION = "motion (no model)"
NO_DETECTOR = "none"

ObjectTrack = io.Custom("SAM3_TRACK_DATA")
Pairing = io.Custom("PHYSICS_PAIRING")
Relations = io.Custom("PHYSICS_RELATIONS")
Prompts = io.Custom("PHYSICS_PROMPTS")
SAM2 = io.Custom("PP_SAM2_MODEL")


class DetectSubjects(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_DetectSubjects",
            display_name="Detect Subjects",
            category="physics preserver/extraction",
            description=(
                "Finds the person and the object that belongs to them: the skater's own board, not the one against the "
                "wall. Says why, and on which frame both are seen best."
            ),
            search_aliases=["skateboard", "person detection", "yolox", "bounding box", "bbox", "pairing", "subject"],
            inputs=[
                io.MultiType.Input(
                    "clip", [io.Video, io.Image], tooltip="The footage. A VIDEO is read frame by frame."
                ),
                io.Combo.Input(
                    "detector",
                    options=[MOTION, *detector_choices()],
                    default=MOTION,
                    tooltip=(
                        "A YOLO file (.pt needs ultralytics) or a YOLO or YOLOX .onnx (needs onnxruntime) in "
                        "models/detection, ultralytics or yolo. Without one, whatever moves against the background "
                        "is proposed."
                    ),
                ),
                io.String.Input(
                    "object",
                    default="skateboard",
                    tooltip=(
                        "What the person rides or holds: skateboard, snowboard, skis, surfboard, bicycle, sports ball, "
                        "or any class of the detector. Several are separated by commas."
                    ),
                ),
                io.Int.Input(
                    "frames",
                    default=48,
                    min=1,
                    max=100000,
                    advanced=True,
                    tooltip="How many frames from the start are looked at. Every second one is.",
                ),
            ],
            outputs=[
                io.BoundingBox.Output(
                    "boxes", tooltip="Per frame a list of boxes; those of the pair are on the anchor frame."
                ),
                io.Int.Output("anchor_frame", tooltip="The frame on which both are seen best, counted from 0."),
                Pairing.Output("pairing", tooltip="The choice with its measures, for Save Physics."),
                io.String.Output("reasons", tooltip="Why this pair, in words, with warnings."),
            ],
        )

    @classmethod
    def execute(cls, clip: Any, detector: str, object: str, frames: int) -> io.NodeOutput:
        from ..media.open import open_clip
        from .detection import describe_detector
        from .subjects import anchor_boxes, find_detector, find_subjects, in_words, open_detector

        finder = open_detector(None if detector == MOTION else find_detector(detector))
        found = find_subjects(open_clip(clip), finder, object.split(","), frames)
        words = f"{in_words(found)}\n{describe_detector(finder)}"
        return io.NodeOutput(anchor_boxes(found), found.anchor, found.to_dict(), words)

    @classmethod
    def validate_inputs(cls, detector: str | None = None) -> bool | str:
        return check_detector_choice(detector, MOTION)


class TrackObjects(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_TrackObjects",
            display_name="Track Objects",
            category="physics preserver/extraction",
            description=(
                "Follows every object through the whole clip, forward and backward from the frames where it was shown, "
                "with SAM 2.1 or with no model at all. Masks of different objects never overlap; an object that is "
                "lost is empty and is looked for again."
            ),
            search_aliases=[
                "segment video",
                "mask tracking",
                "propagate",
                "sam2",
                "rotoscope",
                "video object segmentation",
            ],
            inputs=[
                io.MultiType.Input(
                    "clip", [io.Video, io.Image], tooltip="The footage. A VIDEO is read frame by frame."
                ),
                SAM2.Input(
                    "sam2",
                    optional=True,
                    tooltip=(
                        "From Load SAM 2.1. Without it the embedded tracker is used, which needs no model and runs on "
                        "the processor."
                    ),
                ),
                Prompts.Input(
                    "prompts",
                    optional=True,
                    tooltip="From Prompt Objects: clicks and boxes on any frames. They replace boxes of the same name.",
                ),
                io.BoundingBox.Input(
                    "boxes",
                    force_input=True,
                    optional=True,
                    tooltip="Boxes from Detect Subjects, or from any node that makes bounding boxes.",
                ),
                io.Mask.Input(
                    "masks",
                    optional=True,
                    tooltip=(
                        "One mask for each object, as large as the clip, drawn on the anchor frame. A mask replaces "
                        "the box of the same name."
                    ),
                ),
                io.String.Input(
                    "points_positive",
                    force_input=True,
                    optional=True,
                    tooltip=(
                        "Points on one object, as KJNodes' Points Editor gives them, on the anchor frame. With one "
                        "mask or box they belong to it."
                    ),
                ),
                io.String.Input(
                    "points_negative",
                    force_input=True,
                    optional=True,
                    tooltip="Points beside that object, in the same form.",
                ),
                ObjectTrack.Input(
                    "previous",
                    optional=True,
                    tooltip=(
                        "An earlier track of this clip, to correct: frames before the first new prompt stay as they "
                        "are, and so do objects without a new prompt."
                    ),
                ),
                io.String.Input(
                    "labels",
                    default="person, skateboard",
                    tooltip="Names, by commas, for the masks in order and then for boxes and points without a label.",
                ),
                io.Int.Input(
                    "anchor_frame",
                    default=-1,
                    min=-1,
                    max=10000000,
                    tooltip=("The frame of boxes, masks and points, counted from 0. -1: the first that has boxes."),
                ),
                io.Combo.Input(
                    "detector",
                    options=[NO_DETECTOR, *detector_choices()],
                    default=NO_DETECTOR,
                    tooltip=(
                        "A YOLO or YOLOX file in models/detection, ultralytics or yolo: it keeps masks from leaking, "
                        "finds lost objects again, and takes them up after a cut."
                    ),
                ),
                io.Boolean.Input(
                    "cuts",
                    default=True,
                    advanced=True,
                    tooltip=(
                        "Look for scene cuts, over which nothing is carried. Off: the clip is one shot, whatever it "
                        "looks like."
                    ),
                ),
                io.Boolean.Input(
                    "soft_logits",
                    default=False,
                    advanced=True,
                    tooltip="Keep how sure SAM 2.1 is of each pixel, for matting: 128 KiB a frame and object, on disk.",
                ),
                io.Float.Input(
                    "fps",
                    default=24.0,
                    min=0.01,
                    max=1000.0,
                    step=0.01,
                    advanced=True,
                    tooltip="Frames per second of an IMAGE batch. A VIDEO has its own.",
                ),
            ],
            outputs=[
                ObjectTrack.Output("track", tooltip="Every object's mask on every frame; core's SAM3 nodes read it."),
                io.String.Output("summary", tooltip="Where each object was seen, and what went wrong, in words."),
            ],
        )

    @classmethod
    def execute(
        cls,
        clip: Any,
        labels: str,
        anchor_frame: int,
        detector: str,
        cuts: bool,
        soft_logits: bool,
        fps: float,
        sam2: Any = None,
        prompts: Any = None,
        boxes: Any = None,
        masks: Any = None,
        points_positive: str | None = None,
        points_negative: str | None = None,
        previous: Any = None,
    ) -> io.NodeOutput:
        from ..media.exchange import from_socket, to_socket
        from ..media.open import open_clip
        from .prompts import parse_points, parse_prompts, read_prompts
        from .subjects import find_detector, open_detector
        from .tracking import track
        from .words import track_in_words

        finder = None if detector == NO_DETECTOR else open_detector(find_detector(detector))
        earlier = None if previous is None else from_socket(previous)
        footage = open_clip(clip, rate=earlier.rate if earlier else Fraction(fps).limit_denominator(1001))
        drawn = [] if prompts is None else parse_prompts(prompts)
        clicks = parse_points(points_positive or "", points_negative or "")
        shown = read_prompts(boxes, masks, labels.split(","), anchor_frame, clicks)
        names = {prompt.label for prompt in drawn}
        shown = [*drawn, *(prompt for prompt in shown if prompt.label not in names)]
        tracked = track(footage, shown, finder, sam2, earlier, cuts, soft_logits)
        words = track_in_words(tracked)
        return io.NodeOutput(to_socket(tracked), words, ui=ui.PreviewText(words))

    @classmethod
    def validate_inputs(cls, detector: str | None = None) -> bool | str:
        return check_detector_choice(detector, NO_DETECTOR)


class ObjectRelations(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_ObjectRelations",
            display_name="Object Relations",
            category="physics preserver/extraction",
            description=(
                "How a person and an object relate on every frame: whether they touch, how far apart they are, where "
                "the object is from the person, which one is in front, and whether it is in the air."
            ),
            search_aliases=["contact", "airborne", "distance", "interaction", "hand object"],
            inputs=[
                ObjectTrack.Input("track", tooltip="A track that has both."),
                io.MultiType.Input(
                    "clip",
                    [io.Video, io.Image],
                    optional=True,
                    tooltip=(
                        "The footage that was tracked. With it the camera's own motion is removed; without it the "
                        "camera is taken to stand still."
                    ),
                ),
                io.String.Input(
                    "person",
                    default="",
                    advanced=True,
                    tooltip='The person\'s name in the track. Empty: "person", or else the first object.',
                ),
                io.String.Input(
                    "object",
                    default="",
                    advanced=True,
                    tooltip="The object's name in the track. Empty: the first that isn't the person.",
                ),
            ],
            outputs=[
                Relations.Output(
                    "relations", tooltip="Per frame, for Preview Track and Save Physics. Nothing for a single object."
                ),
                io.String.Output("summary", tooltip="The relations in words."),
            ],
        )

    @classmethod
    def execute(cls, track: Any, person: str, object: str, clip: Any = None) -> io.NodeOutput:
        from ..media.exchange import from_socket
        from ..media.open import open_clip
        from .extract import relate_objects
        from .words import relations_in_words

        tracked = from_socket(track)
        footage = None if clip is None else open_clip(clip, rate=tracked.rate)
        found = relate_objects(tracked, footage, person.strip(), object.strip())
        text = relations_in_words(found) if found else "Only one object was tracked: there is nothing to relate."
        return io.NodeOutput(found and found.to_dict(), text)

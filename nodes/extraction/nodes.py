"""The extraction stage in ComfyUI: detect subjects, track them, relate them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from comfy_api.latest import io

from .subjects import check_detector_choice, detector_choices

MOTION = "motion (no model)"
NO_DETECTOR = "none"

ObjectTrack = io.Custom("SAM3_TRACK_DATA")
Pairing = io.Custom("PHYSICS_PAIRING")
Relations = io.Custom("PHYSICS_RELATIONS")


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
                "Follows every object through the whole clip, forward and backward from the frame where it was shown. "
                "Masks of different objects never overlap; an object that is lost is empty and is looked for again."
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
                    "labels",
                    default="person, skateboard",
                    tooltip="Names, by commas, for the masks in order and then for boxes that have no label.",
                ),
                io.Int.Input(
                    "anchor_frame",
                    default=-1,
                    min=-1,
                    max=10000000,
                    tooltip="The frame that boxes and masks belong to, counted from 0. -1: the first that has boxes.",
                ),
                io.Combo.Input(
                    "detector",
                    options=[NO_DETECTOR, *detector_choices()],
                    default=NO_DETECTOR,
                    tooltip=(
                        "A YOLO or YOLOX file in models/detection, ultralytics or yolo, run on every frame: it keeps "
                        "masks from leaking and finds lost objects again."
                    ),
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
                ObjectTrack.Output("track", tooltip="Every object's mask on every frame; core's SAM3 nodes read it.")
            ],
        )

    @classmethod
    def execute(
        cls,
        clip: Any,
        labels: str,
        anchor_frame: int,
        detector: str,
        fps: float,
        boxes: Any = None,
        masks: Any = None,
    ) -> io.NodeOutput:
        from ..media.exchange import to_socket
        from ..media.open import open_clip
        from .prompts import read_prompts
        from .subjects import find_detector, open_detector
        from .tracking import track

        finder = None if detector == NO_DETECTOR else open_detector(find_detector(detector))
        footage = open_clip(clip, rate=Fraction(fps).limit_denominator(1001))
        prompts = read_prompts(boxes, masks, labels.split(","), anchor_frame)
        return io.NodeOutput(to_socket(track(footage, prompts, finder)))

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

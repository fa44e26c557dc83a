"""Mattes of whole clips in ComfyUI: one streaming node for flat footage, one for VR180."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import InputImpl, io, ui

from .. import host
from ..extraction.subjects import check_detector_choice, detector_choices
from .methods import (
    DEFAULT_METHOD,
    FLAG,
    METHODS,
    MODES,
    REPROCESS,
    SCALES,
    VIDEO_FORMATS,
)

SAM2 = io.Custom("PP_SAM2_MODEL")
MatteSocket = io.Custom("PP_MATTE_MODEL")

MOTION = "motion (no model)"
# As Stereo Consistency says it, and as the command line does.
LAYOUTS = {"side by side": "sbs", "top-bottom": "tb"}
PROJECTIONS = {"half-equirectangular": "hequirect", "fisheye": "fisheye", "flat": "flat"}
PERCENT = {f"{round(100 * scale)} %": scale for scale in reversed(SCALES)}


def _inputs() -> list[Any]:
    """What both nodes ask for."""
    return [
        io.BoundingBox.Input(
            "boxes", force_input=True, optional=True,
            tooltip="The subject by hand, on the first frame that has boxes. In stereo: in the left eye.",
        ),
        SAM2.Input("sam2", optional=True, tooltip="From Load SAM 2.1. Without it the embedded tracker is used."),
        MatteSocket.Input("model", optional=True, tooltip="From Load Matte Model, for mematte and vitmatte."),
        io.Combo.Input(
            "detector", options=[MOTION, *detector_choices()], default=MOTION,
            tooltip="A YOLO or YOLOX file that finds the subject where there are no boxes. Without one, what moves "
            "most is the subject.",
        ),
        io.String.Input("subject", default="person", tooltip="Whom to keep, a class of the detector: all of them."),
        io.Combo.Input(
            "method", options=list(METHODS), default=DEFAULT_METHOD,
            tooltip="How edges are refined: guided needs nothing, closed form pymatting, the others a model.",
        ),
        io.Combo.Input(
            "scale", options=list(PERCENT), default="100 %",
            tooltip="The size worked at. The matte is made large again along the edges of the frame as it is.",
        ),
        io.Float.Input(
            "band", default=10.0, min=0.5, max=256.0, step=0.5,
            tooltip="Width of what is refined on either side of the outline, px of the size worked at.",
        ),
        io.Combo.Input(
            "format", options=list(VIDEO_FORMATS), default="prores4444",
            tooltip="The video: colours with alpha, alpha as grey, or the subject over the key colour.",
        ),
        io.String.Input("key_colour", default="#00ff00", tooltip="For the green formats: any colour, as #RRGGBB."),
        io.String.Input(
            "filename_prefix", default="mattes/clip",
            tooltip="Name of the run's folder inside ComfyUI's output. The same run is found again there, and gone on "
            "with after a crash or a cancel.",
        ),
        io.Boolean.Input(
            "pictures", default=False, advanced=True, tooltip="Also write alpha as numbered 16-bit PNG pictures."
        ),
        io.Float.Input(
            "confidence", default=0.5, min=0.0, max=1.0, step=0.01, advanced=True,
            tooltip="Detections that score less are not the subject.",
        ),
        io.Float.Input(
            "newcomers", default=0.0, min=0.0, max=600.0, step=0.5, advanced=True,
            tooltip="Look for more of the subject every so many seconds; each that is found costs a pass. 0: don't.",
        ),
        io.Boolean.Input(
            "clean_colours", default=True, advanced=True,
            tooltip="Write the subject's own colours at its edges, without the background that shines through.",
        ),
        io.Boolean.Input("audio", default=True, advanced=True, tooltip="Copy the clip's sound into the video."),
        io.Float.Input(
            "reuse", default=0.0, min=0.0, max=64.0, step=0.5, advanced=True,
            tooltip="Frames whose band differs by no more than so many grey levels take the last matte. 0: never.",
        ),
        io.Int.Input(
            "chunk", default=0, min=0, max=100000, advanced=True,
            tooltip="Frames of a segment, after each of which a run can go on. 0: as memory allows.",
        ),
        io.Int.Input(
            "qc_every", default=24, min=0, max=100000, advanced=True,
            tooltip="Pictures to look at (trimap, alpha, confidence, overlay) of every so many frames. 0: none.",
        ),
    ]  # fmt: skip


def _outputs() -> list[Any]:
    return [
        io.Video.Output("matte", tooltip="The video that was written, with the clip's times and sound."),
        io.String.Output("folder", tooltip="Where it lies, with what else was written and run_summary.json."),
        io.String.Output("summary", tooltip="Frames, times of each stage, memory, and what there was to warn of."),
    ]


class MatteVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_MatteVideo",
            display_name="Matte Video",
            category="physics preserver/matting",
            description=(
                "From a clip of any length to its matte in one node: finds the subject, tracks it, refines its edges "
                "and writes alpha or a keyed video, frame by frame, in memory that doesn't grow."
            ),
            search_aliases=["video matting", "remove background", "rotoscope", "alpha video", "green screen", "prores"],
            inputs=[
                io.MultiType.Input(
                    "clip", [io.Video, io.Image], tooltip="The footage. A VIDEO is read frame by frame."
                ),
                *_inputs(),
            ],
            outputs=_outputs(),
            is_output_node=True,
        )

    @classmethod
    def execute(cls, clip: Any, **chosen: Any) -> io.NodeOutput:
        return _run(clip, chosen)

    @classmethod
    def validate_inputs(cls, detector: str | None = None) -> bool | str:
        return check_detector_choice(detector, MOTION)


class MatteVR180Video(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_MatteVR180Video",
            display_name="Matte VR180 Video",
            category="physics preserver/stereo",
            description=(
                "From stereo footage of any length to the matte of both eyes in one node: people are found in flat "
                "views, tracked, carried from eye to eye by disparity, and refined in each eye on its own pixels."
            ),
            search_aliases=["vr180 matte", "stereo matting", "passthrough", "packed alpha", "side by side", "deovr"],
            inputs=[
                io.MultiType.Input(
                    "clip", [io.Video, io.Image], tooltip="The footage with both eyes, or the left eye's; best a VIDEO."
                ),
                io.Video.Input("second", optional=True, tooltip="The right eye's footage, if it is another file."),
                io.Combo.Input(
                    "layout", options=list(LAYOUTS), default="side by side", tooltip="How the eyes lie in one clip.",
                ),
                io.Combo.Input(
                    "projection", options=list(PROJECTIONS), default="half-equirectangular",
                    tooltip="Of each eye: half-equirectangular (VR180), fisheye, or flat stereo.",
                ),
                io.Combo.Input(
                    "mode", options=list(MODES), default="master_slave",
                    tooltip="master_slave: the left eye's masks are carried to the right one. joint: both eyes' "
                    "detections are brought together, then tracked. independent: each eye by itself.",
                ),
                io.Float.Input(
                    "threshold", default=0.8, min=0.0, max=1.0, step=0.01,
                    tooltip="Least likeness (S-IoU) of the eyes on a frame.",
                ),
                io.Combo.Input(
                    "on_mismatch", options=[FLAG, REPROCESS], default=FLAG,
                    tooltip="Below it: only list the frame, or make the right eye's masks again in another way.",
                ),
                *_inputs(),
                io.Boolean.Input(
                    "packed_alpha", default=False,
                    tooltip="Also write a fisheye video with the alpha in its corners, for passthrough in headsets.",
                ),
                io.Boolean.Input(
                    "parallel_eyes", default=False, advanced=True, tooltip="Refine both eyes at the same time."
                ),
                io.Float.Input(
                    "field_of_view", default=180.0, min=1.0, max=359.0, step=1.0, advanced=True,
                    tooltip="Degrees, of fisheye and flat footage.",
                ),
                io.Boolean.Input(
                    "squeezed", default=False, advanced=True, tooltip="Each eye is stored at half its width or height."
                ),
                io.Boolean.Input(
                    "right_first", default=False, advanced=True, tooltip="The right eye is the left or the upper half."
                ),
                io.Int.Input(
                    "track_every", default=0, min=0, max=1000, advanced=True,
                    tooltip="master_slave: look up what only the right eye sees every so many frames. 0: never.",
                ),
            ],
            outputs=_outputs(),
            is_output_node=True,
        )  # fmt: skip

    @classmethod
    def execute(cls, clip: Any, layout: str, projection: str, second: Any = None, **chosen: Any) -> io.NodeOutput:
        stereo = {"stereo": LAYOUTS[layout]} if second is None else {"stereo": "files", "second": "the second clip"}
        return _run(clip, chosen | stereo | {"projection": PROJECTIONS[projection]}, second)

    @classmethod
    def validate_inputs(cls, detector: str | None = None) -> bool | str:
        return check_detector_choice(detector, MOTION)


def _run(clip: Any, chosen: dict[str, Any], second: Any = None) -> io.NodeOutput:
    from .config import Config
    from .matte import matte, run_key
    from .summary import in_words

    sam2, model, prefix = (chosen.pop(name, None) for name in ("sam2", "model", "filename_prefix"))
    boxes, band, scale = chosen.pop("boxes", None), chosen.pop("band"), chosen.pop("scale")
    formats = [chosen.pop("format"), *(["png16"] if chosen.pop("pictures") else [])]
    detector = chosen.pop("detector")
    anchor, shown = _shown(boxes, chosen["subject"])
    values = {
        **chosen, "boxes": shown, "anchor": anchor, "inside": band, "outside": band, "scale": PERCENT[scale],
        "formats": formats, "detector": "" if detector == MOTION else detector,
    }  # fmt: skip
    job = Config(values).job()
    folder = host.keyed_output_folder(str(prefix), run_key(clip, job, second, sam2, model)[:12])
    summary = matte(clip, folder, job, second, sam2, model)
    file = folder / summary["files"][formats[0]][0]
    name, place = host.in_output(file)
    shown_now = ui.PreviewVideo([ui.SavedResult(name, place, io.FolderType.output)])
    return io.NodeOutput(InputImpl.VideoFromFile(str(file)), str(folder), "\n".join(in_words(summary)), ui=shown_now)


def _shown(boxes: Any, subject: str) -> tuple[int, dict[str, Any]]:
    """The frame of the first boxes, and they by label; -1 and none without boxes."""
    from ..extraction.detection import from_bounding_boxes

    frames = from_bounding_boxes(boxes, subject) if boxes is not None else []
    for t, found in enumerate(frames):
        if found:
            names: dict[str, Any] = {}
            for item in found:
                label = item.label if item.label not in names else f"{item.label} {len(names) + 1}"
                names[label] = item.box
            return t, names
    return -1, {}

"""Mattes of whole clips in ComfyUI: one streaming node for flat footage, one for VR180."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfy_api.latest import InputImpl, io, ui
from comfy_execution.graph_utils import ExecutionBlocker

from .. import host
from ..extraction.subjects import check_detector_choice, detector_choices
from .methods import (
    DEFAULT_METHOD,
    FLAG,
    LEARNED,
    METHODS,
    MODES,
    REPROCESS,
    SCALES,
    VIDEO_FORMATS,
)
from .nodes import NO_MASKS, as_masks_input

if TYPE_CHECKING:
    from ..media.track import Track

ObjectTrack = io.Custom("SAM3_TRACK_DATA")
SAM2 = io.Custom("PP_SAM2_MODEL")
MatteSocket = io.Custom("PP_MATTE_MODEL")

MOTION = "motion (no model)"
# As Stereo Consistency says it, and as the command line does.
LAYOUTS = {"side by side": "sbs", "top-bottom": "tb"}
PROJECTIONS = {"half-equirectangular": "hequirect", "fisheye": "fisheye", "flat": "flat"}
ONE_FILE = "both eyes are in one video, matte: second is there when the eyes come as two clips"
PERCENT = {f"{round(100 * scale)} %": scale for scale in reversed(SCALES)}


class SavedMatte(InputImpl.VideoFromFile):
    """A finished matte: a VIDEO that says why Save Video can't write it, where core has FFmpeg's words alone."""

    def __init__(self, file: Path):
        super().__init__(str(file))
        self._place = file

    def save_to(self, path: Any, *args: Any, **chosen: Any) -> None:
        try:
            super().save_to(path, *args, **chosen)
        except ValueError as error:
            raise ValueError(
                f"{self._place.name} can't be saved so ({error}), and is saved already, in {self._place.parent}: leave "
                "Save Video out, or choose mp4 and h264 there for a copy without alpha"
            ) from error


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
        io.Float.Input(
            "fps", default=24.0, min=0.01, max=1000.0, step=0.01, advanced=True,
            tooltip="Frames per second of an IMAGE batch. A VIDEO has its own.",
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
                ObjectTrack.Input(
                    "track", optional=True,
                    tooltip="From Track Objects or core's SAM3 nodes: nothing is looked for or tracked again.",
                ),
                *_inputs(),
                as_masks_input(False),
            ],
            outputs=[*_outputs(), io.Mask.Output("masks", tooltip="The alpha of every frame; needs as_masks.")],
            is_output_node=True,
        )  # fmt: skip

    @classmethod
    def execute(cls, clip: Any, as_masks: bool, track: Any = None, **chosen: Any) -> io.NodeOutput:
        from ..media.exchange import from_socket
        from ..media.open import open_clip
        from .clips import MaskBatch

        if as_masks:  # refused now, not when all the work is done
            footage = open_clip(clip)
            MaskBatch(footage.index(), (footage.height, footage.width))
        tracked = None if track is None else from_socket(track)
        folder, summary = _run(clip, chosen, track=tracked, stills=as_masks)
        return _answer(folder, summary, _masks(folder, summary) if as_masks else ExecutionBlocker(NO_MASKS))

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
            outputs=[
                *_outputs(),
                io.Video.Output("second", tooltip="The right eye's video, where each eye has a file of its own."),
            ],
            is_output_node=True,
        )  # fmt: skip

    @classmethod
    def execute(cls, clip: Any, layout: str, projection: str, second: Any = None, **chosen: Any) -> io.NodeOutput:
        stereo = {"stereo": LAYOUTS[layout]} if second is None else {"stereo": "files", "second": "the second clip"}
        folder, summary = _run(clip, chosen | stereo | {"projection": PROJECTIONS[projection]}, second)
        eyes = summary["files"][chosen["format"]]
        other = ExecutionBlocker(ONE_FILE) if len(eyes) == 1 else SavedMatte(folder / eyes[1])
        return _answer(folder, summary, other)

    @classmethod
    def validate_inputs(cls, detector: str | None = None) -> bool | str:
        return check_detector_choice(detector, MOTION)


def _run(
    clip: Any, chosen: dict[str, Any], second: Any = None, track: Track | None = None, stills: bool = False
) -> tuple[Path, dict[str, Any]]:
    """Make the matte, or find it made. Returns the run's folder and its summary."""
    from .config import Config
    from .matte import matte, run_key

    if chosen["method"] in LEARNED and chosen.get("model") is None:
        raise ValueError(f"the method {chosen['method']!r} needs a model: connect Load Matte Model, or choose guided")
    sam2, model, prefix = (chosen.pop(name, None) for name in ("sam2", "model", "filename_prefix"))
    boxes, band, scale = chosen.pop("boxes", None), chosen.pop("band"), chosen.pop("scale")
    formats = [chosen.pop("format"), *(["png16"] if chosen.pop("pictures") or stills else [])]
    detector, fps = chosen.pop("detector"), chosen.pop("fps")
    anchor, shown = _shown(boxes, chosen["subject"])
    rate = Fraction(fps).limit_denominator(1001) if track is None else track.rate
    values = {
        **chosen, "boxes": shown, "anchor": anchor, "inside": band, "outside": band, "scale": PERCENT[scale],
        "formats": formats, "detector": "" if detector == MOTION else detector, "fps": str(rate), "preview": True,
    }  # fmt: skip
    job = Config(values).job()
    folder = host.keyed_output_folder(str(prefix), run_key(clip, job, second, sam2, model, track)[:12])
    summary = matte(clip, folder, job, second, sam2, model, track)
    lost = [name for names in summary["files"].values() for name in names if not (folder / name).exists()]
    if lost:
        raise FileNotFoundError(
            f"this run is finished, but {', '.join(lost)} is gone: remove {folder} to have it made again"
        )
    return folder, summary


def _answer(folder: Path, summary: dict[str, Any], *more: Any) -> io.NodeOutput:
    from .summary import in_words

    files = summary["files"]
    video = next(folder / names[0] for kind, names in files.items() if kind in VIDEO_FORMATS)
    name, place = host.in_output(folder / files["preview"][0])
    shown = ui.PreviewVideo([ui.SavedResult(name, place, io.FolderType.output)])
    words = "\n".join(in_words(summary))
    return io.NodeOutput(SavedMatte(video), str(folder), words, *more, ui=shown)


def _masks(folder: Path, summary: dict[str, Any]) -> Any:
    from ..media.stills import natural_order
    from .clips import MaskBatch
    from .still_writer import read_alpha

    source = summary["source"]
    batch = MaskBatch(source["frames"], (source["height"], source["width"]))
    for file in host.progress(natural_order(folder / summary["files"]["png16"][0]), source["frames"], "masks"):
        batch.append(read_alpha(file))
    return host.to_tensor(batch.finish())


def _shown(boxes: Any, subject: str) -> tuple[int, dict[str, Any]]:
    """The frame of the first boxes, and they by label; -1 and none without boxes."""
    from ..extraction.detection import from_bounding_boxes

    if boxes is None:
        return -1, {}
    for t, found in enumerate(from_bounding_boxes(boxes, subject)):
        if found:
            names: dict[str, Any] = {}
            for item in found:
                label = item.label if item.label not in names else f"{item.label} {len(names) + 1}"
                names[label] = item.box
            return t, names
    raise ValueError("boxes has no box on any frame: draw one around the subject, or disconnect it to have it found")

"""The matting stage in ComfyUI: trimaps, refined alpha, and how good it is."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from comfy_api.latest import InputImpl, io, ui
from comfy_execution.graph_utils import ExecutionBlocker

from .. import host
from ..models.weights import PRECISIONS
from .checkpoints import check_matte_choice, find_matte_model, matte_files
from .methods import DEFAULT_METHOD, METHODS, SOURCES

if TYPE_CHECKING:
    from ..media.clip import Clip

ObjectTrack = io.Custom("SAM3_TRACK_DATA")
MatteSocket = io.Custom("PP_MATTE_MODEL")

# What the loader's list shows while both folders are empty; choosing it says where files come from.
FIRST_CHOICE = "matting/MEMatte_ViTS_DIM.pth"
NO_MASKS = "as_masks is off on the node before: switch it on, or use its VIDEO"


def as_masks_input(default: bool = True) -> io.Boolean.Input:
    return io.Boolean.Input(
        "as_masks",
        default=default,
        tooltip="Also give a MASK of every frame, 4 bytes a pixel; refused where memory doesn't hold it. Off: the "
        "VIDEO alone, for clips of any length.",
    )


class MakeTrimap(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_MakeTrimap",
            display_name="Make Trimap",
            category="physics preserver/matting",
            description=(
                "Says of every pixel whether it is surely inside an object, surely outside, or unknown: Refine Matte "
                "works on the unknown band alone."
            ),
            search_aliases=["trimap", "mask to trimap", "unknown band", "matting", "erode dilate mask"],
            inputs=[
                ObjectTrack.Input("track", tooltip="From Track Objects, Load Physics or core's SAM3 nodes."),
                io.Combo.Input(
                    "source",
                    options=list(SOURCES),
                    default="auto",
                    tooltip="logits: how sure SAM 2.1 was of each pixel (soft_logits of Track Objects). masks: a band "
                    "of fixed width around the outline. auto: logits where the track has them.",
                ),
                io.Float.Input(
                    "inside", default=10.0, min=0.0, max=512.0, step=0.5,
                    tooltip="For masks: px of the band on the inner side of the outline. As wide as hair or blur is.",
                ),
                io.Float.Input(
                    "outside", default=10.0, min=0.0, max=512.0, step=0.5,
                    tooltip="For masks: px of the band on the outer side of the outline.",
                ),
                io.Float.Input(
                    "foreground", default=0.97, min=0.5, max=0.9999, step=0.005,
                    tooltip="For logits: surely inside from this probability on. Nearer to 1 is a wider band.",
                ),
                io.Float.Input(
                    "background", default=0.03, min=0.0001, max=0.5, step=0.005,
                    tooltip="For logits: surely outside up to this probability. Nearer to 0 is a wider band.",
                ),
                io.String.Input(
                    "labels", default="", tooltip="The objects to matte, as one, by commas. Empty: all of the track."
                ),
                io.Boolean.Input(
                    "allow_empty_band",
                    default=False,
                    advanced=True,
                    tooltip="Go on where an object has no unknown pixel, and list those frames, instead of stopping.",
                ),
                as_masks_input(),
            ],
            outputs=[
                io.Video.Output("trimap", tooltip="Black, grey and white, a file in the temporary folder."),
                io.Mask.Output("masks", tooltip="0, 0.5 and 1 for every frame; needs as_masks."),
                io.String.Output("summary", tooltip="How much is unknown, and frames without object or band."),
            ],
            is_output_node=True,
        )  # fmt: skip

    @classmethod
    def execute(
        cls, track: Any, source: str, inside: float, outside: float, foreground: float, background: float, labels: str,
        allow_empty_band: bool, as_masks: bool,
    ) -> io.NodeOutput:  # fmt: skip
        from ..media.exchange import from_socket
        from .clips import GreyVideo, MaskBatch, trimap_frames
        from .trimap import TrimapChoices, Trimaps, wanted_labels
        from .words import trimap_in_words

        tracked = from_socket(track)
        choices = TrimapChoices(
            source, foreground, background, inside, outside, wanted_labels(labels), allow_empty_band
        )
        trimaps = Trimaps(tracked, choices)
        batch = MaskBatch(len(tracked), tracked.clip_size) if as_masks else None
        file = host.new_temporary_file("physics_trimap", ".mp4")
        with GreyVideo(file, tracked) as video:
            for t, trimap in enumerate(trimap_frames(trimaps)):
                video.write(trimap, tracked.time(t))
                if batch is not None:
                    batch.append(trimap)
        return _answer(file, batch, trimap_in_words(trimaps.report))


class LoadMatteModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        files = matte_files() or [FIRST_CHOICE]
        return io.Schema(
            node_id="PP_LoadMatteModel",
            display_name="Load Matte Model",
            category="physics preserver/matting",
            description=(
                "Loads a MEMatte or ViTMatte checkpoint for Refine Matte. Which and how large it is, is read from the "
                "weights. ComfyUI moves the model to the GPU and away again as it needs."
            ),
            search_aliases=["mematte", "vitmatte", "matting model loader", "vit matte"],
            inputs=[
                io.Combo.Input(
                    "checkpoint",
                    options=files,
                    default=FIRST_CHOICE if FIRST_CHOICE in files else files[0],
                    tooltip="A file in models/matting (MEMatte) or models/vitmatte (ViTMatte's model.safetensors).",
                ),
                io.Combo.Input(
                    "precision",
                    options=list(PRECISIONS),
                    default="auto",
                    advanced=True,
                    tooltip="auto: fp16 on a GPU, fp32 on the processor. bf16 is coarser than fp16.",
                ),
            ],
            outputs=[MatteSocket.Output("model", tooltip="The model, for Refine Matte.")],
        )

    @classmethod
    def execute(cls, checkpoint: str, precision: str) -> io.NodeOutput:
        from .matte_model import load_matte_model

        return io.NodeOutput(load_matte_model(find_matte_model(checkpoint), precision))

    @classmethod
    def validate_inputs(cls, checkpoint: str | None = None) -> bool | str:
        return check_matte_choice(checkpoint)


class RefineMatte(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_RefineMatte",
            display_name="Refine Matte",
            category="physics preserver/matting",
            description=(
                "Turns a track into an alpha with soft edges, at full resolution and only where there is an edge. "
                "Works without any model; MEMatte and ViTMatte know hair better."
            ),
            search_aliases=["matting", "alpha matte", "rotoscope", "refine edge", "hair mask", "vitmatte", "mematte"],
            inputs=[
                io.MultiType.Input(
                    "clip", [io.Video, io.Image], tooltip="The footage. A VIDEO is read frame by frame."
                ),
                ObjectTrack.Input(
                    "track", optional=True,
                    tooltip="What to matte. With a trimap as well, only guided and closed form look at its masks.",
                ),
                io.MultiType.Input(
                    "trimap", [io.Video, io.Image, io.Mask], optional=True,
                    tooltip="From Make Trimap or elsewhere: black, grey, white, frame for frame. Without it one is "
                    "made of the track.",
                ),
                MatteSocket.Input(
                    "model", optional=True, tooltip="From Load Matte Model, for the methods mematte and vitmatte."
                ),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default=DEFAULT_METHOD,
                    tooltip="guided: colours on both sides of the edge, fast, needs nothing. closed form: finer, slow, "
                    "needs pymatting. mematte, vitmatte: learned, need a model.",
                ),
                io.Float.Input(
                    "band", default=10.0, min=0.5, max=512.0, step=0.5,
                    tooltip="Without a trimap: px on either side of the outline in which the edge is looked for.",
                ),
                io.String.Input(
                    "labels", default="", tooltip="The objects to matte, as one, by commas. Empty: all of the track."
                ),
                io.Float.Input(
                    "reuse", default=0.0, min=0.0, max=20.0, step=0.1, advanced=True,
                    tooltip="A frame whose edge colours differ by no more than this, in grey levels of 255, takes the "
                    "alpha of the last refined one. 0: only frames that are the same to the bit.",
                ),
                io.Int.Input(
                    "tile", default=0, min=0, max=8192, step=32, advanced=True,
                    tooltip="Side of the tiles, px: memory grows with it, not with the frame. 0: 512, or 1024 for the "
                    "learned methods.",
                ),
                io.Int.Input(
                    "overlap", default=-1, min=-1, max=4096, advanced=True,
                    tooltip="px in which neighbouring tiles fade into each other. -1: as fits the method.",
                ),
                as_masks_input(),
            ],
            outputs=[
                io.Video.Output("matte", tooltip="The alpha as a grey video of 8 bits, in the temporary folder."),
                io.Mask.Output("masks", tooltip="The alpha of every frame, not rounded; needs as_masks."),
                io.String.Output("summary", tooltip="Tiles worked on, frames reused, frames without object or band."),
            ],
            is_output_node=True,
        )  # fmt: skip

    @classmethod
    def execute(
        cls, clip: Any, method: str, band: float, labels: str, reuse: float, tile: int, overlap: int, as_masks: bool,
        track: Any = None, trimap: Any = None, model: Any = None,
    ) -> io.NodeOutput:  # fmt: skip
        from ..media.exchange import from_socket
        from ..media.open import open_clip
        from .clips import GreyVideo, MaskBatch, matted
        from .refine import open_refiner
        from .trimap import TrimapChoices, Trimaps, wanted_labels
        from .words import refined_in_words

        tracked = None if track is None else from_socket(track)
        trimaps = None
        if tracked is not None:
            choices = TrimapChoices("auto", inside=band, outside=band, labels=wanted_labels(labels))
            trimaps = Trimaps(tracked, choices)
        footage = open_clip(clip) if tracked is None else open_clip(clip, rate=tracked.rate)
        drawn = None if trimap is None else _grey_footage(trimap, footage.rate)
        batch = None
        if as_masks:
            frames = footage.count() if tracked is None else len(tracked)
            batch = MaskBatch(frames, (footage.height, footage.width))
        file = host.new_temporary_file("physics_matte", ".mp4")
        with open_refiner(method, model, tile, overlap, reuse) as refiner, GreyVideo(file, footage) as video:
            for one in matted(footage, refiner, trimaps, drawn):
                video.write(one.alpha, one.frame.time)
                if batch is not None:
                    batch.append(one.alpha)
            words = refined_in_words(refiner.report)
        return _answer(file, batch, words)


class MatteQuality(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_MatteQuality",
            display_name="Matte Quality",
            category="physics preserver/matting",
            description=(
                "Measures a matte: against a true alpha as matting papers do, and without one by its edges, its "
                "stairs, its flicker and its drop-outs."
            ),
            search_aliases=["sad", "mse", "grad", "conn", "dtssd", "matting metrics", "alpha quality", "flicker"],
            inputs=[
                io.MultiType.Input(
                    "matte", [io.Video, io.Image, io.Mask],
                    tooltip="The alpha to judge: the alpha of footage that has one, else its grey.",
                ),
                io.MultiType.Input(
                    "truth", [io.Video, io.Image, io.Mask], optional=True,
                    tooltip="The true alpha, frame for frame: adds SAD, MAD, MSE, Grad, Conn, dtSSD and boundary F.",
                ),
                io.MultiType.Input(
                    "clip", [io.Video, io.Image], optional=True,
                    tooltip="The picture: adds flicker beyond what the picture itself moves.",
                ),
                io.MultiType.Input(
                    "trimap", [io.Video, io.Image, io.Mask], optional=True,
                    tooltip="Restricts the measures against the truth to unknown pixels, as image benchmarks do.",
                ),
            ],
            outputs=[
                io.String.Output("summary", tooltip="Every measure with its unit and direction."),
                io.String.Output("report", tooltip="The same as JSON, with the values of every frame."),
            ],
            is_output_node=True,
        )  # fmt: skip

    @classmethod
    def execute(cls, matte: Any, truth: Any = None, clip: Any = None, trimap: Any = None) -> io.NodeOutput:
        from ..media.open import open_clip
        from .alphas import open_alphas
        from .quality import matte_quality, quality_in_words

        true = None if truth is None else open_alphas(truth)
        known = None if trimap is None else _grey_footage(trimap)
        found = matte_quality(open_alphas(matte), true, None if clip is None else open_clip(clip), known)
        words = quality_in_words(found)
        return io.NodeOutput(words, json.dumps(found), ui=ui.PreviewText(words))


def _grey_footage(source: Any, rate: Fraction = Fraction(24)) -> Clip:
    """A VIDEO, IMAGE or MASK as a clip."""
    from ..media.open import open_clip

    if hasattr(source, "ndim") and source.ndim == 3:  # a MASK
        source = source[..., None].expand(-1, -1, -1, 3)
    return open_clip(source, rate=rate)


def _answer(file: Any, batch: Any, words: str) -> io.NodeOutput:
    masks = ExecutionBlocker(NO_MASKS) if batch is None else host.to_tensor(batch.finish())
    shown = ui.PreviewVideo([ui.SavedResult(file.name, "", io.FolderType.temp)])
    return io.NodeOutput(InputImpl.VideoFromFile(str(file)), masks, words, ui=shown)

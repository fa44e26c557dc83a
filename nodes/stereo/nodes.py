"""The stereo stage in ComfyUI: do both eyes agree?"""

from __future__ import annotations

import json
from typing import Any

from comfy_api.latest import io

from .choices import ARRANGEMENTS, BASELINE, NEAREST, PROJECTIONS, SEPARATE, THRESHOLD, WORKING

ObjectTrack = io.Custom("SAM3_TRACK_DATA")


class StereoConsistency(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_StereoConsistency",
            display_name="Stereo Consistency",
            category="physics preserver/stereo",
            description=(
                "Says how well the masks of a stereo clip's two eyes agree, frame by frame and without a truth: the "
                "left eye's masks are moved to the right eye by what both eyes show, and compared there."
            ),
            search_aliases=["vr180", "3d", "left right eye", "disparity", "stereo matte", "side by side", "s-iou"],
            inputs=[
                io.MultiType.Input(
                    "clip",
                    [io.Video, io.Image],
                    tooltip="The stereo footage: both eyes, or the first file when each eye has its own.",
                ),
                ObjectTrack.Input("left", tooltip="The left eye's track, of the size of one eye."),
                ObjectTrack.Input("right", tooltip="The right eye's track. Objects belong together by label."),
                io.MultiType.Input(
                    "second",
                    [io.Video, io.Image],
                    optional=True,
                    tooltip="The second file, when each eye has its own; only with the layout separate files.",
                ),
                io.MultiType.Input(
                    "matte",
                    [io.Video, io.Image],
                    optional=True,
                    tooltip="The clip's matte as grey pictures in the same layout: adds S-MAD, of the soft edges.",
                ),
                io.Combo.Input(
                    "layout", options=list(ARRANGEMENTS), default=ARRANGEMENTS[0], tooltip="Where the two eyes are."
                ),
                io.Boolean.Input(
                    "squeezed",
                    default=False,
                    tooltip="Each eye is stored at half its width (side by side) or height (top-bottom).",
                ),
                io.Boolean.Input(
                    "right_first",
                    default=False,
                    advanced=True,
                    tooltip="The right eye is on the left, on top, or in the first file.",
                ),
                io.Combo.Input(
                    "projection",
                    options=list(PROJECTIONS),
                    default=PROJECTIONS[0],
                    tooltip="VR180 is half-equirectangular, or fisheye as it comes from the camera; 3D films are flat.",
                ),
                io.Float.Input(
                    "degrees",
                    default=180.0,
                    min=1.0,
                    max=359.0,
                    step=1.0,
                    tooltip="Field of view: a fisheye's whole circle, or a flat picture's width (below 180).",
                ),
                io.Float.Input(
                    "threshold",
                    default=THRESHOLD,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="A frame fails when an object's S-IoU is below this.",
                ),
                io.Int.Input(
                    "working",
                    default=WORKING,
                    min=64,
                    max=4096,
                    step=64,
                    advanced=True,
                    tooltip="Width in px at which the eyes are matched; never more than the eye has.",
                ),
                io.Float.Input(
                    "baseline",
                    default=BASELINE,
                    min=0.001,
                    max=10.0,
                    step=0.001,
                    round=0.0001,
                    advanced=True,
                    tooltip="Metres between the lenses.",
                ),
                io.Float.Input(
                    "nearest",
                    default=NEAREST,
                    min=0.05,
                    max=100.0,
                    step=0.05,
                    advanced=True,
                    tooltip="Metres to the nearest thing in the picture; nearer disparities count as impossible.",
                ),
                io.Float.Input(
                    "infinity",
                    default=0.0,
                    min=-30.0,
                    max=0.0,
                    step=0.1,
                    advanced=True,
                    tooltip="Degrees of disparity of what is infinitely far: below 0 in flat films that converge.",
                ),
            ],
            outputs=[
                io.String.Output("report", tooltip="Every measure of every object and frame, as JSON."),
                io.Boolean.Output("passed", tooltip="No frame is below the threshold or has unequal counts."),
                io.Float.Output("s_iou", tooltip="Mean S-IoU; 0 where nothing could be compared."),
                io.String.Output("summary", tooltip="The result in one line."),
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        clip: Any,
        left: Any,
        right: Any,
        layout: str,
        squeezed: bool,
        right_first: bool,
        projection: str,
        degrees: float,
        threshold: float,
        working: int,
        baseline: float,
        nearest: float,
        infinity: float,
        second: Any = None,
        matte: Any = None,
    ) -> io.NodeOutput:
        from ..media.exchange import from_socket
        from ..media.open import open_clip
        from .check import check_clip, summary
        from .layouts import Layout, StereoClip
        from .projections import open_projection
        from .rig import Rig

        tracks = from_socket(left), from_socket(right)
        way = Layout(layout, squeezed, right_first)
        rate = tracks[0].rate
        other = None if second is None else open_clip(second, rate=rate)
        if matte is not None and layout == SEPARATE:
            raise ValueError("a matte beside separate files can't be read: S-MAD needs both eyes in one clip")
        eyes = StereoClip(open_clip(clip, rate=rate), way, other)
        mattes = None if matte is None else StereoClip(open_clip(matte, rate=rate), way)
        lens = open_projection(projection, eyes.eye_size, degrees, float(way.pixel_aspect))
        rig = Rig(lens, eyes.eye_size, working, baseline, nearest, infinity)
        report = check_clip(eyes, rig, *tracks, threshold, mattes)
        passed = not report["frames_below"] and not report["frames_with_unequal_counts"]
        return io.NodeOutput(json.dumps(report), passed, report["s_iou"] or 0.0, summary(report))

"""The media stage in ComfyUI: look at a track, keep it on disk, read it back."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from comfy_api.latest import InputImpl, io, ui

from .. import host

MARKER = "tracking_metadata.json"

# Under this name Save Physics lists what it wrote; the editor ignores it, a client fetches the folder by it.
LISTED = "physics_folder"

ObjectTrack = io.Custom("SAM3_TRACK_DATA")
Pairing = io.Custom("PHYSICS_PAIRING")
Relations = io.Custom("PHYSICS_RELATIONS")
PoseKeypoint = io.Custom("POSE_KEYPOINT")


class PreviewTrack(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_PreviewTrack",
            display_name="Preview Track",
            category="physics preserver/media",
            description="Draws every object over its clip: tinted mask, outline, name, and whether the two touch.",
            search_aliases=["overlay", "visualize masks", "draw track", "show track"],
            inputs=[
                io.MultiType.Input("clip", [io.Video, io.Image], tooltip="The footage that was tracked."),
                ObjectTrack.Input("track", tooltip="A track from Track Objects, Load Physics or core's SAM3 nodes."),
                Relations.Input(
                    "relations", optional=True, tooltip="From Object Relations: adds contact and airborne."
                ),
            ],
            outputs=[
                io.Video.Output(
                    "overlay", tooltip="A file in the temporary folder; audio is copied from a file's VIDEO."
                )
            ],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, clip: Any, track: Any, relations: Any = None) -> io.NodeOutput:
        from .exchange import from_socket
        from .open import open_clip
        from .preview import write_preview

        tracked = from_socket(track)
        file = host.new_temporary_file("physics_preview", ".mp4")
        write_preview(file, open_clip(clip, rate=tracked.rate), tracked, relations)
        shown = ui.PreviewVideo([ui.SavedResult(file.name, "", io.FolderType.temp)])
        return io.NodeOutput(InputImpl.VideoFromFile(str(file)), ui=shown)


class DrawPose(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_DrawPose",
            display_name="Draw Pose",
            category="physics preserver/media",
            description=(
                "Draws poses as OpenPose does, coloured on black: the control that pose-conditioned models know."
            ),
            search_aliases=["openpose", "skeleton", "dwpose", "pose to image", "render pose", "stick figure"],
            inputs=[
                PoseKeypoint.Input("pose", tooltip="From Estimate Pose, or any node that makes POSE_KEYPOINT."),
                io.MultiType.Input(
                    "clip",
                    [io.Video, io.Image],
                    optional=True,
                    tooltip="The footage of the poses: gives frame times and audio, and the picture to draw over.",
                ),
                io.Boolean.Input("body", default=True, tooltip="Draw the body's 18 points and its limbs."),
                io.Boolean.Input("hands", default=True, tooltip="Draw both hands."),
                io.Boolean.Input("face", default=True, tooltip="Draw the points of the face."),
                io.Int.Input(
                    "width",
                    default=0,
                    min=0,
                    max=16384,
                    tooltip="Width of the picture, px. 0: as the height asks, or as the poses have it.",
                ),
                io.Int.Input(
                    "height",
                    default=0,
                    min=0,
                    max=16384,
                    tooltip="Height of the picture, px. 0: as the width asks, or as the poses have it.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.3,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    advanced=True,
                    tooltip="Points that score less are not drawn.",
                ),
                io.Float.Input(
                    "thickness",
                    default=1.0,
                    min=0.1,
                    max=10.0,
                    step=0.1,
                    advanced=True,
                    tooltip="1: as OpenPose draws at 512 px, in proportion at every size.",
                ),
                io.Boolean.Input(
                    "over_clip", default=False, advanced=True, tooltip="Draw over the clip instead of on black."
                ),
                io.Float.Input(
                    "fps",
                    default=24.0,
                    min=0.01,
                    max=1000.0,
                    step=0.01,
                    advanced=True,
                    tooltip="Frames per second without a clip, or with an IMAGE batch. A VIDEO has its own.",
                ),
            ],
            outputs=[io.Video.Output("drawn", tooltip="A file in the temporary folder, as many frames as poses.")],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls,
        pose: Any,
        body: bool,
        hands: bool,
        face: bool,
        width: int,
        height: int,
        threshold: float,
        thickness: float,
        over_clip: bool,
        fps: float,
        clip: Any = None,
    ) -> io.NodeOutput:
        from .draw_pose import Style, fitting_size, write_pose_video
        from .open import open_clip
        from .pose import read_people

        if over_clip and clip is None:
            raise ValueError("over_clip needs a clip; connect one or switch it off")
        rate = Fraction(fps).limit_denominator(1001)
        footage = None if clip is None else open_clip(clip, rate=rate)
        people, placed_in = read_people(pose, threshold=threshold)
        size = fitting_size(placed_in, width, height)
        file = host.new_temporary_file("physics_pose", ".mp4")
        write_pose_video(file, people, placed_in, size, Style(body, hands, face, thickness), footage, over_clip, rate)
        shown = ui.PreviewVideo([ui.SavedResult(file.name, "", io.FolderType.temp)])
        return io.NodeOutput(InputImpl.VideoFromFile(str(file)), ui=shown)


class SavePhysics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_SavePhysics",
            display_name="Save Physics",
            category="physics preserver/media",
            description="Keeps frames, masks and everything that was found out in a new folder under ComfyUI's output.",
            search_aliases=["export masks", "save track", "physics folder", "save masks png"],
            inputs=[
                io.MultiType.Input("clip", [io.Video, io.Image], tooltip="The footage that was tracked."),
                ObjectTrack.Input("track", tooltip="The track to keep."),
                Pairing.Input(
                    "pairing", optional=True, tooltip="From Detect Subjects: why this person and this object."
                ),
                Relations.Input(
                    "relations", optional=True, tooltip="From Object Relations: contact and the rest, per frame."
                ),
                PoseKeypoint.Input(
                    "pose", optional=True, tooltip="From Estimate Pose: the person's points, as pictures and as JSON."
                ),
                io.String.Input(
                    "filename_prefix",
                    default="physics/clip",
                    tooltip="Name of the new folder inside ComfyUI's output; a number is added, %year%... work.",
                ),
            ],
            outputs=[io.String.Output("folder", tooltip="Full path of the new folder.")],
            is_output_node=True,
        )

    @classmethod
    def execute(
        cls, clip: Any, track: Any, filename_prefix: str, pairing: Any = None, relations: Any = None, pose: Any = None
    ) -> io.NodeOutput:
        from .exchange import from_socket
        from .folder import write_physics
        from .open import open_clip
        from .pose import from_pose_keypoints, person_of

        tracked = from_socket(track)
        poses = None
        if pose is not None:  # whoever made it has decided which points are there
            poses = from_pose_keypoints(pose, tracked, person_of(tracked), threshold=0.0)
        folder = host.new_output_folder(filename_prefix)
        write_physics(folder, open_clip(clip, rate=tracked.rate), tracked, pairing, relations, poses)
        name, subfolder = host.in_output(folder / MARKER)
        listed = [{"filename": name, "subfolder": subfolder, "type": "output"}]
        return io.NodeOutput(str(folder), ui={LISTED: listed})


class LoadPhysics(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_LoadPhysics",
            display_name="Load Physics",
            category="physics preserver/media",
            description="Reads back what Save Physics, or the command line's extract, has kept.",
            search_aliases=["import masks", "load track", "physics folder"],
            inputs=[
                io.Combo.Input(
                    "folder",
                    options=host.saved_folders(MARKER),
                    tooltip="A physics folder in ComfyUI's output or input, the newest first.",
                ),
            ],
            outputs=[
                ObjectTrack.Output("track", tooltip="Every object's mask on every frame."),
                Relations.Output("relations", tooltip="As Object Relations made them; nothing where none were saved."),
                PoseKeypoint.Output("pose", tooltip="As Estimate Pose made it; nothing where none was saved."),
            ],
        )

    @classmethod
    def execute(cls, folder: str) -> io.NodeOutput:
        from .exchange import to_socket
        from .folder import read_physics
        from .pose import to_pose_keypoints

        found = read_physics(host.saved_folder(folder))
        pose = None if found.poses is None else to_pose_keypoints(found.poses)
        return io.NodeOutput(to_socket(found.track), found.metadata["relations"], pose)

    @classmethod
    def validate_inputs(cls, folder: str) -> bool | str:
        try:
            file = host.saved_folder(folder) / MARKER
        except ValueError:
            return f"{folder!r} leads out of ComfyUI's folders"
        return file.is_file() or f"{folder!r} is no physics folder: it has no {MARKER}"

    @classmethod
    def fingerprint_inputs(cls, folder: str) -> tuple[float, int]:
        about = (host.saved_folder(folder) / MARKER).stat()
        return about.st_mtime, about.st_size

"""The media stage in ComfyUI: look at a track, keep it on disk, read it back."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import InputImpl, io, ui

from .. import host

MARKER = "tracking_metadata.json"

ObjectTrack = io.Custom("SAM3_TRACK_DATA")
Pairing = io.Custom("PHYSICS_PAIRING")
Relations = io.Custom("PHYSICS_RELATIONS")


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
        cls, clip: Any, track: Any, filename_prefix: str, pairing: Any = None, relations: Any = None
    ) -> io.NodeOutput:
        from .exchange import from_socket
        from .folder import write_physics
        from .open import open_clip

        tracked = from_socket(track)
        folder = host.new_output_folder(filename_prefix)
        write_physics(folder, open_clip(clip, rate=tracked.rate), tracked, pairing, relations)
        return io.NodeOutput(str(folder))


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
            ],
        )

    @classmethod
    def execute(cls, folder: str) -> io.NodeOutput:
        from .exchange import to_socket
        from .folder import read_physics

        found = read_physics(host.saved_folder(folder))
        return io.NodeOutput(to_socket(found.track), found.metadata["relations"])

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

"""Every node of the pack, as ComfyUI asks for them."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io

from .about import serve_about
from .conditioning.nodes import CompositeKeptPixels, VACEControl
from .conditioning.repair_nodes import RepairPhysics
from .conditioning.reskin_nodes import ReskinJoin, ReskinLongClip, ReskinWindow
from .extraction.nodes import DetectSubjects, ObjectRelations, TrackObjects
from .extraction.pose_nodes import EstimatePose
from .extraction.sam2_nodes import LoadSAM2
from .matting.nodes import LoadMatteModel, MakeTrimap, MatteQuality, RefineMatte
from .matting.video_nodes import MatteVideo, MatteVR180Video
from .media.nodes import DrawPose, LoadPhysics, PreviewTrack, SavePhysics
from .prompting.nodes import ApproveTracks, PreviewPrompts, PromptObjects, serve_frames
from .stereo.nodes import StereoConsistency
from .validation.nodes import CompareClips, ValidatePhysics


class PhysicsPreserver(ComfyExtension):
    async def on_load(self) -> None:
        serve_frames()
        serve_about()

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            DetectSubjects,
            LoadSAM2,
            TrackObjects,
            ObjectRelations,
            EstimatePose,
            DrawPose,
            PreviewTrack,
            SavePhysics,
            LoadPhysics,
            PromptObjects,
            PreviewPrompts,
            ApproveTracks,
            VACEControl,
            ReskinLongClip,
            ReskinWindow,
            ReskinJoin,
            RepairPhysics,
            CompositeKeptPixels,
            LoadMatteModel,
            MakeTrimap,
            RefineMatte,
            MatteQuality,
            MatteVideo,
            MatteVR180Video,
            StereoConsistency,
            ValidatePhysics,
            CompareClips,
        ]

"""A custom node for tests: a track exactly as core's SAM 3 makes it, without its weights."""

import torch
from comfy.ldm.sam3.tracker import pack_masks
from comfy_api.latest import ComfyExtension, io


class CoreTrack(io.ComfyNode):
    """Bars that move right by a hundredth of the width a frame; small masks, and nothing of ours in the dict."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TEST_CoreTrack",
            category="tests",
            inputs=[
                io.Int.Input("frames"),
                io.Int.Input("width"),
                io.Int.Input("height"),
                io.Int.Input("objects", default=2, min=0, max=2, optional=True),
            ],
            outputs=[io.Custom("SAM3_TRACK_DATA").Output()],
        )

    @classmethod
    def execute(cls, frames, width, height, objects=2):
        if objects == 0:  # what SAM3_VideoTrack gives when it finds nothing
            nothing = {"packed_masks": None, "n_frames": frames, "scores": [], "orig_size": (height, width)}
            return io.NodeOutput(nothing)
        masks = torch.zeros(frames, 2, 100, 200, dtype=torch.bool)
        for t in range(frames):
            masks[t, 0, 10:40, 10 + 2 * t : 40 + 2 * t] = True
            masks[t, 1, 50:65, 10 + 2 * t : 40 + 2 * t] = True
        track = {"packed_masks": pack_masks(masks[:, :objects]), "n_frames": frames, "scores": [0.9, 0.8][:objects]}
        return io.NodeOutput({**track, "orig_size": (height, width)})


class TestNodes(ComfyExtension):
    async def get_node_list(self):
        return [CoreTrack]


async def comfy_entrypoint():
    return TestNodes()

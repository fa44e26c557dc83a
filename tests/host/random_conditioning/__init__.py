"""A custom node for tests: conditioning of the shape Wan's text encoder gives, without the encoder's weights."""

import torch
from comfy_api.latest import ComfyExtension, io


class RandomConditioning(io.ComfyNode):
    """Eight tokens of 4096 numbers, drawn from a seed."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TEST_RandomConditioning",
            category="tests",
            inputs=[io.Int.Input("seed", default=0, min=0)],
            outputs=[io.Conditioning.Output()],
        )

    @classmethod
    def execute(cls, seed):
        tokens = torch.randn(1, 8, 4096, generator=torch.Generator().manual_seed(seed))
        return io.NodeOutput([[tokens, {}]])


class TestNodes(ComfyExtension):
    async def get_node_list(self):
        return [RandomConditioning]


async def comfy_entrypoint():
    return TestNodes()

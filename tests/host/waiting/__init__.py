"""A custom node for tests that ends when the test wants it to."""

import time
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
from comfy_api.latest import ComfyExtension, io, ui


class Wait(io.ComfyNode):
    """Work in steps of 20 ms until a file of this name lies in the input folder."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TEST_Wait",
            category="tests",
            inputs=[io.String.Input("until"), io.Int.Input("steps", default=1000)],
            outputs=[io.String.Output()],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, until, steps):
        bar = comfy.utils.ProgressBar(steps)
        for step in range(steps):
            comfy.model_management.throw_exception_if_processing_interrupted()
            if Path(folder_paths.get_input_directory(), until).exists():
                return io.NodeOutput("done", ui=ui.PreviewText("done"))
            time.sleep(0.02)
            bar.update_absolute(step + 1, steps)
        raise TimeoutError(f"{until} did not come")


class TestNodes(ComfyExtension):
    async def get_node_list(self):
        return [Wait]


async def comfy_entrypoint():
    return TestNodes()

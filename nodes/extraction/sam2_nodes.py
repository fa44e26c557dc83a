"""SAM 2 in ComfyUI: the loader."""

from __future__ import annotations

from comfy_api.latest import io

from .. import host
from ..models.catalogue import FOLDERS
from ..models.weights import PRECISIONS

SAM2Socket = io.Custom("PP_SAM2_MODEL")

# What the list shows while models/sam2 is empty; choosing it says where the file comes from.
FIRST_CHOICE = "sam2.1_hiera_small.pt"


class LoadSAM2(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        files = host.list_models("sam2", FOLDERS["sam2"]) or [FIRST_CHOICE]
        return io.Schema(
            node_id="PP_LoadSAM2",
            display_name="Load SAM 2.1",
            category="physics preserver/extraction",
            description=(
                "Loads a SAM 2 or SAM 2.1 checkpoint for Track Objects. Version and size are read from the weights, "
                "whatever the file is called. ComfyUI moves the model to the GPU and away again as it needs."
            ),
            search_aliases=["sam2", "segment anything 2", "sam2 model loader", "video segmentation model"],
            inputs=[
                io.Combo.Input(
                    "checkpoint",
                    options=files,
                    default=FIRST_CHOICE if FIRST_CHOICE in files else files[0],
                    tooltip=(
                        "A file in models/sam2: Meta's .pt or the .safetensors of other SAM 2 packs. tiny and small "
                        "are quick and fit 8 GB; large is the most exact."
                    ),
                ),
                io.Combo.Input(
                    "precision",
                    options=list(PRECISIONS),
                    default="auto",
                    advanced=True,
                    tooltip=(
                        "auto: bf16 on a GPU that has it, fp16 on an older one, fp32 on the processor. Independent of "
                        "the precision the file is stored in."
                    ),
                ),
            ],
            outputs=[SAM2Socket.Output("sam2", tooltip="The model, for Track Objects.")],
        )

    @classmethod
    def execute(cls, checkpoint: str, precision: str) -> io.NodeOutput:
        from .sam2_model import load_sam2

        return io.NodeOutput(load_sam2(host.find_model("sam2", checkpoint), precision))

    @classmethod
    def validate_inputs(cls, checkpoint: str | None = None) -> bool | str:
        from .sam2_model import check_sam2_choice

        return check_sam2_choice(checkpoint)

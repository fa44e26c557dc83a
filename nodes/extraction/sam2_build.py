"""The eight SAM 2 networks: which checkpoint is which, and the module it belongs to, put together without hydra."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from ..models.weights import CheckpointError

if TYPE_CHECKING:
    import torch
    from sam2.modeling.sam2_base import SAM2Base

# Hiera's arguments, from the yaml files of the sam2 package (configs/sam2 and configs/sam2.1, which agree in these).
TRUNKS: dict[str, dict[str, Any]] = {
    "tiny": {
        "embed_dim": 96,
        "num_heads": 1,
        "stages": (1, 2, 7, 2),
        "global_att_blocks": (5, 7, 9),
        "window_pos_embed_bkg_spatial_size": (7, 7),
    },
    "small": {
        "embed_dim": 96,
        "num_heads": 1,
        "stages": (1, 2, 11, 2),
        "global_att_blocks": (7, 10, 13),
        "window_pos_embed_bkg_spatial_size": (7, 7),
    },
    "base plus": {"embed_dim": 112, "num_heads": 2},
    "large": {
        "embed_dim": 144,
        "num_heads": 2,
        "stages": (2, 6, 36, 4),
        "global_att_blocks": (23, 33, 43),
        "window_pos_embed_bkg_spatial_size": (7, 7),
        "window_spec": (8, 4, 16, 8),
    },
}
# (channels of the first stage, blocks of the trunk) tell the sizes apart.
SIZES = {(96, 12): "tiny", (96, 16): "small", (112, 24): "base plus", (144, 48): "large"}

IMAGE_SIZE = 1024  # px, the square the network sees
WIDTH = 256  # channels of image features and of object pointers
MEMORY_WIDTH = 64  # channels of a memory

# 2.1 has two parts that 2.0 hasn't: an embedding for "not visible" and a projection of the pointers' times.
ONLY_IN_21 = ("no_obj_embed_spatial", "obj_ptr_tpos_proj.weight", "obj_ptr_tpos_proj.bias")
TRUNK = "image_encoder.trunk."


@dataclass(frozen=True)
class Architecture:
    """version: "2.0" or "2.1"; size: a key of TRUNKS."""

    version: str
    size: str

    @property
    def name(self) -> str:
        return f"SAM {self.version} {self.size}"


def recognise(weights: Mapping[str, torch.Tensor]) -> Architecture:
    """Which network a state dict belongs to, from its keys and shapes.

    Raises:
        CheckpointError: it belongs to none of the eight; the message says what it looks like instead.
    """
    first = weights.get(f"{TRUNK}patch_embed.proj.weight")
    if first is None or "maskmem_tpos_enc" not in weights:
        raise CheckpointError(f"is not a SAM 2 checkpoint: {_looks_like(weights)}")
    blocks = {key.split(".")[3] for key in weights if key.startswith(f"{TRUNK}blocks.")}
    size = SIZES.get((first.shape[0], len(blocks)))
    if size is None:
        raise CheckpointError(
            f"has a trunk of {len(blocks)} blocks and {first.shape[0]} channels, which is none of SAM 2's four sizes"
        )
    return Architecture("2.1" if any(key in weights for key in ONLY_IN_21) else "2.0", size)


def _looks_like(keys: Iterable[str]) -> str:
    heads = sorted({key.split(".")[0] for key in keys})
    if "vision_encoder" in heads:
        return (
            "it is the transformers form of one (vision_encoder...); take the .pt of the same repository, or the "
            ".safetensors of Kijai/sam2-safetensors"
        )
    if not heads:
        return "it holds no weights"
    return f"its parts are {', '.join(heads[:6])}{', ...' if len(heads) > 6 else ''}"


@contextmanager
def no_random_weights() -> Iterator[None]:
    """Modules made here keep uninitialised parameters: what is loaded over them anyway need not be drawn first."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Skip(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if getattr(func, "__module__", None) == torch.nn.init.__name__:
                return args[0] if args else (kwargs or {})["tensor"]
            return func(*args, **(kwargs or {}))

    with Skip():
        yield


def build(architecture: Architecture) -> SAM2Base:
    """The network of one architecture in evaluation mode, on the CPU, float32, as the sam2 package's yaml files say.

    The settings that `build_sam2_video_predictor` adds by default are on: a mask that is unstable falls back to
    the best of three, and the memory of a prompted frame is made from the mask as the user saw it.

    Raises:
        ModuleNotFoundError: the sam2 package isn't installed; the message says how it is.
    """
    try:
        import sam2  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"SAM 2 needs the package sam2, and {error.name} is not installed: run `pip install sam2==1.1.0`"
        ) from error
    from sam2.modeling.backbones.hieradet import Hiera
    from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
    from sam2.modeling.memory_attention import MemoryAttention
    from sam2.modeling.sam2_base import SAM2Base

    trunk = Hiera(**TRUNKS[architecture.size])
    neck = FpnNeck(
        position_encoding=_sine(WIDTH),
        d_model=WIDTH,
        backbone_channel_list=cast("list[int]", trunk.channel_list),
        fpn_top_down_levels=[2, 3],
        fpn_interp_model="nearest",
    )
    later: dict[str, Any] = {"add_tpos_enc_to_obj_ptrs": False}
    if architecture.version == "2.1":
        later = {
            "add_tpos_enc_to_obj_ptrs": True,
            "proj_tpos_enc_in_obj_ptrs": True,
            "use_signed_tpos_enc_to_obj_ptrs": True,
            "no_obj_embed_spatial": True,
        }
    net = SAM2Base(
        image_encoder=ImageEncoder(trunk, neck, scalp=1),
        memory_attention=MemoryAttention(d_model=WIDTH, pos_enc_at_input=True, layer=_attention_layer(), num_layers=4),
        memory_encoder=_memory_encoder(),
        num_maskmem=7,
        image_size=IMAGE_SIZE,
        sigmoid_scale_for_mem_enc=20.0,
        sigmoid_bias_for_mem_enc=-10.0,
        binarize_mask_from_pts_for_mem_enc=True,
        use_mask_input_as_output_without_sam=True,
        directly_add_no_mem_embed=True,
        use_high_res_features_in_sam=True,
        multimask_output_in_sam=True,
        multimask_min_pt_num=0,
        multimask_max_pt_num=1,
        multimask_output_for_tracking=True,
        use_multimask_token_for_obj_ptr=True,
        iou_prediction_use_sigmoid=True,
        use_obj_ptrs_in_encoder=True,
        only_obj_ptrs_in_the_past_for_eval=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        fixed_no_obj_ptr=True,
        use_mlp_for_obj_ptr_proj=True,
        sam_mask_decoder_extra_args={
            "dynamic_multimask_via_stability": True,
            "dynamic_multimask_stability_delta": 0.05,
            "dynamic_multimask_stability_thresh": 0.98,
        },
        **later,
    )
    return net.eval()


def _sine(width: int) -> torch.nn.Module:
    from sam2.modeling.position_encoding import PositionEmbeddingSine

    return PositionEmbeddingSine(num_pos_feats=width, normalize=True, scale=None, temperature=10000)


def _attention_layer() -> torch.nn.Module:
    from sam2.modeling.memory_attention import MemoryAttentionLayer
    from sam2.modeling.sam.transformer import RoPEAttention

    grid = (IMAGE_SIZE // 16, IMAGE_SIZE // 16)
    common = {"rope_theta": 10000.0, "feat_sizes": grid, "embedding_dim": WIDTH, "num_heads": 1, "dropout": 0.1}
    return MemoryAttentionLayer(
        activation="relu",
        d_model=WIDTH,
        dim_feedforward=2048,
        dropout=0.1,
        pos_enc_at_attn=False,
        pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
        self_attention=RoPEAttention(**common),
        cross_attention=RoPEAttention(**common, rope_k_repeat=True, kv_in_dim=MEMORY_WIDTH),
    )


def _memory_encoder() -> torch.nn.Module:
    from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder

    return MemoryEncoder(
        out_dim=MEMORY_WIDTH,
        position_encoding=_sine(MEMORY_WIDTH),
        mask_downsampler=MaskDownSampler(kernel_size=3, stride=2, padding=1),
        fuser=Fuser(CXBlock(dim=WIDTH, kernel_size=7, padding=3, layer_scale_init_value=1e-6), num_layers=2),
    )

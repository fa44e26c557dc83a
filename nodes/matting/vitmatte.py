"""ViTMatte, the network of the transformers package, with its sizes read from the weights instead of a config.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

WIDTHS = {384: "ViTMatte S", 768: "ViTMatte B"}


def recognise(weights: Mapping[str, torch.Tensor]) -> dict[str, Any] | None:
    """What builds the network of a state dict in the form of the transformers library; None when it is something else.

    Width and layers, and which layers are windowed, come from the shapes: a table of relative positions has 2 n - 1
    rows for n tokens, and a global layer's n is that of the whole picture in training.
    """
    projection = weights.get("backbone.embeddings.projection.weight")
    position = weights.get("backbone.embeddings.position_embeddings")
    if projection is None or position is None or "decoder.fusion_blocks.0.conv.conv.weight" not in weights:
        return None
    prefix = "backbone.encoder.layer"
    layers = [n for n in range(64) if f"{prefix}.{n}.norm1.weight" in weights]
    tables = {n: weights[f"{prefix}.{n}.attention.rel_pos_h"].shape for n in layers}
    sides = {n: (rows + 1) // 2 for n, (rows, _) in tables.items()}
    whole = [n for n in layers if f"{prefix}.{n}.residual.conv1.weight" in weights]
    windowed = [n for n in layers if n not in whole]
    patch = projection.shape[-1]
    return {
        "width": projection.shape[0],
        "heads": projection.shape[0] // tables[layers[0]][1],
        "layers": len(layers),
        "mlp_ratio": weights[f"{prefix}.0.mlp.fc1.weight"].shape[0] // projection.shape[0],
        "patch": patch,
        "pretrained": round((position.shape[1] - 1) ** 0.5) * patch,
        "image": sides[whole[0]] * patch,
        "window": sides[windowed[0]],
        "windowed": windowed,
        "whole": whole,
        "detail": [weights[f"decoder.convstream.convs.{n}.conv.weight"].shape[0] for n in range(3)],
        "fused": [weights[f"decoder.fusion_blocks.{n}.conv.conv.weight"].shape[0] for n in range(4)],
    }


def name_of(about: Mapping[str, Any]) -> str:
    return WIDTHS.get(about["width"], f"ViTMatte of width {about['width']}")


def build(about: Mapping[str, Any]) -> torch.nn.Module:
    """The network, with random weights, on the current default device.

    Raises:
        ModuleNotFoundError: transformers is not installed.
    """
    try:
        from transformers import VitDetConfig, VitMatteConfig, VitMatteForImageMatting
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"ViTMatte needs the package {error.name}, which is not installed: pip install transformers"
        ) from error

    backbone: dict[str, Any] = dict(
        num_channels=4,
        image_size=about["image"],
        pretrain_image_size=about["pretrained"],
        patch_size=about["patch"],
        hidden_size=about["width"],
        num_hidden_layers=about["layers"],
        num_attention_heads=about["heads"],
        mlp_ratio=about["mlp_ratio"],
        use_absolute_position_embeddings=True,
        use_relative_position_embeddings=True,
        window_size=about["window"],
        window_block_indices=list(about["windowed"]),
        residual_block_indices=list(about["whole"]),
        out_features=[f"stage{about['layers']}"],
    )
    config = VitMatteConfig(
        backbone_config=VitDetConfig(**backbone),
        hidden_size=about["width"],
        convstream_hidden_sizes=list(about["detail"]),
        fusion_hidden_sizes=list(about["fused"]),
    )
    return VitMatteForImageMatting(config)

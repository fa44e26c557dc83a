"""SAM 2 networks with random weights, the official predictor run on them, and a scene for both."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# The published tiny configuration, narrowed until 40 frames take seconds: 128 px, 8 x 8 image tokens.
SMALL = (
    "++model.image_size=128",
    "++model.image_encoder.trunk.embed_dim=16",
    "++model.image_encoder.neck.backbone_channel_list=[128,64,32,16]",
    "++model.image_encoder.neck.d_model=64",
    "++model.image_encoder.neck.position_encoding.num_pos_feats=64",
    "++model.memory_attention.d_model=64",
    "++model.memory_attention.num_layers=2",
    "++model.memory_attention.layer.d_model=64",
    "++model.memory_attention.layer.dim_feedforward=128",
    "++model.memory_attention.layer.self_attention.embedding_dim=64",
    "++model.memory_attention.layer.self_attention.feat_sizes=[8,8]",
    "++model.memory_attention.layer.cross_attention.embedding_dim=64",
    "++model.memory_attention.layer.cross_attention.feat_sizes=[8,8]",
    "++model.memory_attention.layer.cross_attention.kv_in_dim=16",
    "++model.memory_encoder.in_dim=64",
    "++model.memory_encoder.out_dim=16",
    "++model.memory_encoder.position_encoding.num_pos_feats=16",
    "++model.memory_encoder.mask_downsampler.embed_dim=64",
    "++model.memory_encoder.fuser.layer.dim=64",
)


CONFIG = "configs/sam2.1/sam2.1_hiera_t.yaml"


def official(config: str = CONFIG, overrides: tuple[str, ...] = SMALL, seed: int = 0) -> Any:
    """The sam2 package's own video predictor with random weights, in float32 on the CPU, holes not filled."""
    import torch
    from sam2.build_sam import build_sam2_video_predictor

    torch.manual_seed(seed)
    extra = [*overrides]
    net = build_sam2_video_predictor(config, ckpt_path=None, device="cpu", hydra_overrides_extra=extra)
    net.fill_hole_area = 0  # needs the package's CUDA extension, which its wheel doesn't have
    liven(net, seed)
    return net


def published(name: str, image_size: int = 1024) -> tuple[str, tuple[str, ...]]:
    """Arguments of `official` for a published configuration of SAM 2.1, or "narrow" for the one of the tests."""
    if name == "narrow":
        return CONFIG, (*SMALL, *resized(image_size))
    short = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}[name]
    return f"configs/sam2.1/sam2.1_hiera_{short}.yaml", resized(image_size)


def resized(image_size: int) -> tuple[str, ...]:
    """Overrides that give a configuration another input size."""
    grid = f"[{image_size // 16},{image_size // 16}]"
    return (
        f"++model.image_size={image_size}",
        f"++model.memory_attention.layer.self_attention.feat_sizes={grid}",
        f"++model.memory_attention.layer.cross_attention.feat_sizes={grid}",
    )


def liven(net: Any, seed: int) -> None:
    """Make random weights give masks of some size that depend on what is remembered, on objects that come and go.

    As they are drawn, the memory's fuser is off (its scale is 1e-6), the position embeddings are zero, the mask
    logits are all but constant, and the object score has one sign for every frame.
    """
    import torch

    random = torch.Generator().manual_seed(seed)

    def noise(parameter: torch.Tensor, scale: float) -> None:
        parameter.add_(torch.randn(parameter.shape, generator=random) * scale)

    def louder(layers: Any, factor: float) -> None:
        for layer in layers:
            layer.weight.mul_(factor)

    with torch.no_grad():
        noise(net.image_encoder.trunk.pos_embed, 0.5)
        noise(net.image_encoder.trunk.pos_embed_window, 0.5)
        noise(net.maskmem_tpos_enc, 1.0)
        noise(net.no_obj_ptr, 0.5)
        for layer in net.memory_encoder.fuser.layers:
            noise(layer.gamma, 0.3)
        louder([net.memory_encoder.out_proj], 3)
        for layer in net.memory_attention.layers:
            cross = layer.cross_attn_image
            louder([cross.q_proj, cross.k_proj], 3)
            louder([cross.v_proj], 4)
            louder([cross.out_proj], 6)
        decoder = net.sam_mask_decoder
        for layer in decoder.transformer.layers:
            cross = layer.cross_attn_token_to_image
            louder([cross.q_proj, cross.k_proj, cross.v_proj, cross.out_proj], 4)
        for head in decoder.output_hypernetworks_mlps:
            louder(head.layers[:-1], 2)
            louder(head.layers[-1:], 20)
        louder(decoder.iou_prediction_head.layers[-1:], 5)
        louder(decoder.pred_obj_score_head.layers[:-1], 3)
        louder(decoder.pred_obj_score_head.layers[-1:], 60)
        decoder.pred_obj_score_head.layers[-1].bias.fill_(0.0)


@dataclass(frozen=True)
class Ask:
    """One prompt, in the clip's pixels."""

    t: int
    obj: int
    points: Any = None
    positive: Any = None
    box: Any = None
    mask: Any = None


def scene(frames: int, size: tuple[int, int] = (96, 160), seed: int = 3) -> Iterator[np.ndarray]:
    """A textured background that pans, a disk and a bar that move in front of it: uint8 [H, W, 3]."""
    import cv2

    height, width = size
    texture = np.random.default_rng(seed).integers(0, 255, (height, width * 2, 3), np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 4)
    for t in range(frames):
        image = np.roll(texture, -2 * t, axis=1)[:, :width].copy()
        x, y = (width * (0.3 + 0.3 * np.sin(t / 9)), height * (0.5 + 0.2 * np.cos(t / 7)))
        cv2.circle(image, (int(x), int(y)), height // 6, (220, 40, 40), -1)
        cv2.rectangle(image, (int(width * 0.9 - x), 10), (int(width * 0.9 - x) + width // 8, 24), (40, 60, 230), -1)
        yield image


def write_frames(images: Iterator[np.ndarray], folder: Path) -> list[np.ndarray]:
    """JPEG files as the official predictor reads them, and the pixels that are in them."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    read = []
    for t, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{t:05}.jpg", quality=95)
        read.append(np.array(Image.open(folder / f"{t:05}.jpg").convert("RGB")))
    return read


def official_state(net: Any, folder: Path, asks: list[Ask]) -> Any:
    """The official predictor's state for a clip, with every prompt given."""
    with quiet():
        state = net.init_state(str(folder))
        for ask in asks:
            official_ask(net, state, ask)
    return state


def official_ask(net: Any, state: Any, ask: Ask) -> None:
    if ask.mask is not None:
        net.add_new_mask(state, ask.t, ask.obj, ask.mask)
    else:
        labels = None if ask.points is None else np.asarray(ask.positive, np.int32)
        net.add_new_points_or_box(state, ask.t, ask.obj, points=ask.points, labels=labels, box=ask.box)


def official_pass(net: Any, state: Any, start: int, reverse: bool = False) -> dict[int, np.ndarray]:
    """{t: float32 [N, h, w]} low-resolution logits of one propagation, objects in the order of their numbers."""
    found = {}
    with quiet():
        for t, ids, _ in net.propagate_in_video(state, start_frame_idx=start, reverse=reverse):
            rows = []
            for obj in sorted(ids):
                outputs = state["output_dict_per_obj"][state["obj_id_to_idx"][obj]]
                out = outputs["cond_frame_outputs"].get(t) or outputs["non_cond_frame_outputs"][t]
                rows.append(out["pred_masks"][0, 0].float().cpu().numpy())
            found[t] = np.stack(rows)
    return found


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the predictor's progress bars and warnings."""
    import io

    with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

"""MEMatte, the network, from its published description: Lin et al., AAAI 2025, arXiv 2412.10702.

A plain vision transformer over picture and trimap, in which a router sends every token of the four global blocks either
through attention or through a light convolution, and a decoder that adds detail from the full resolution. Needs torch,
so it is imported only by the function that loads a checkpoint.

Shapes: B images, H x W px, h x w = H / 16 x W / 16 tokens of C channels, channels last inside the transformer.
Of MEMatte ViT-S and ViT-B: C 384 and 768, heads of 64 channels, 12 blocks, windows of 14 x 14 tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PATCH = 16
# Tokens that a global block attends to at most, as the authors' demo sets it: bounds time, and never reached by a tile
# of 1024 px, which has 4096.
MAX_TOKENS = 18_500

# The authors decode in patches of 512 px, the last of which are filled up with zeros: where a side is no multiple of
# it, the decoder sees zeros beyond its end. A pixel of the result looks no further than 32 px.
DECODED, BEYOND = 512, 32

# Channels of the picture's detail at 1 / 2, 1 / 4 and 1 / 8, and of the decoder from coarse to fine.
DETAIL = (48, 96, 192)
FUSED = (256, 128, 64, 32)


@dataclass(frozen=True, slots=True)
class Architecture:
    """What can be told from the weights: width, head width, blocks that attend globally, window and grid sides."""

    width: int
    head: int
    depth: int
    routed: tuple[int, ...]
    window: int
    grid: int

    @property
    def name(self) -> str:
        sizes = {384: "MEMatte ViT-S", 768: "MEMatte ViT-B"}
        return sizes.get(self.width, f"MEMatte of width {self.width}")


def recognise(weights: Mapping[str, Tensor]) -> Architecture | None:
    """The architecture of a state dict, None when it isn't MEMatte's."""
    position = weights.get("backbone.pos_embed")
    routed = [n for n in range(64) if f"backbone.blocks.{n}.efficient_block.fc1.weight" in weights]
    depth = sum(f"backbone.blocks.{n}.norm1.weight" in weights for n in range(64))
    local = next((n for n in range(depth) if f"backbone.blocks.{n}.attn.rel_pos_h" in weights), None)
    if position is None or position.ndim != 3 or not routed or local is None:
        return None
    offsets, head = weights[f"backbone.blocks.{local}.attn.rel_pos_h"].shape
    grid = round((position.shape[1] - 1) ** 0.5)
    return Architecture(position.shape[2], head, depth, tuple(routed), (offsets + 1) // 2, grid)


class MEMatte(nn.Module):
    def __init__(self, architecture: Architecture):
        super().__init__()
        self.backbone = Backbone(architecture)
        self.decoder = Decoder(architecture.width)

    def forward(self, x: Tensor) -> Tensor:
        """Raw alpha [B, 1, H, W], 0..1, from [B, 4, H, W]: normalised RGB and the trimap as 0, .5, 1.

        H and W are multiples of 16; the authors pad to multiples of 32.
        """
        height, width = x.shape[2:]
        below, right = (BEYOND if side % DECODED else 0 for side in (height, width))
        features = F.pad(self.backbone(x), (0, right // PATCH, 0, below // PATCH))
        return self.decoder(features, F.pad(x, (0, right, 0, below)))[..., :height, :width]


class Backbone(nn.Module):
    def __init__(self, a: Architecture):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, a.grid * a.grid + 1, a.width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(4, a.width, PATCH, stride=PATCH)})
        self.blocks = nn.ModuleList(
            RoutedBlock(a.width, a.head) if n in a.routed else WindowBlock(a.width, a.head, a.window)
            for n in range(a.depth)
        )
        self.routers = nn.ModuleList(Router(a.width) for _ in a.routed)
        self.grid = a.grid

    def forward(self, x: Tensor) -> Tensor:
        """Features [B, C, h, w]."""
        x = self.patch_embed["proj"](x).permute(0, 2, 3, 1)
        x = x + self._positions(x.shape[1], x.shape[2])
        routers = iter(self.routers)
        for block in self.blocks:
            x = block(x, next(routers)) if isinstance(block, RoutedBlock) else block(x)
        return x.permute(0, 3, 1, 2)

    def _positions(self, height: int, width: int) -> Tensor:
        """[1, h, w, C]; the first one, of the class token, is not used."""
        grid = self.pos_embed[:, 1:].reshape(1, self.grid, self.grid, -1)
        if (height, width) == (self.grid, self.grid):
            return grid
        scaled = F.interpolate(
            grid.permute(0, 3, 1, 2).float(), size=(height, width), mode="bicubic", align_corners=False
        )
        return scaled.permute(0, 2, 3, 1)


class Mlp(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Attention(nn.Module):
    """Multi-head attention; with `window`, plus a learned bias of the offset along either axis inside it.

    The bias is q . table[offset], with q before it is scaled: Li et al., MViTv2, CVPR 2022, equation 4.
    """

    def __init__(self, width: int, head: int, window: int = 0):
        super().__init__()
        self.heads = width // head
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        if window:
            self.rel_pos_h = nn.Parameter(torch.zeros(2 * window - 1, head))
            self.rel_pos_w = nn.Parameter(torch.zeros(2 * window - 1, head))
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, C] from [B, N, C]; with `window`, N is its square, row by row."""
        batch, count, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        bias = self._bias(q) if self.window else None
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.proj(x.transpose(1, 2).reshape(batch, count, width))

    def _bias(self, q: Tensor) -> Tensor:
        """[B, heads, N, N]."""
        side = self.window
        steps = torch.arange(side, device=q.device)
        offset = steps[:, None] - steps[None, :] + side - 1
        grid = q.reshape(*q.shape[:2], side, side, -1)
        rows = torch.einsum("bnhwc,hkc->bnhwk", grid, self.rel_pos_h[offset].to(q.dtype))
        columns = torch.einsum("bnhwc,wkc->bnhwk", grid, self.rel_pos_w[offset].to(q.dtype))
        return (rows[..., :, None] + columns[..., None, :]).reshape(*q.shape[:2], side * side, side * side)


class WindowBlock(nn.Module):
    def __init__(self, width: int, head: int, window: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, head, window)
        self.mlp = Mlp(width)
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._in_windows(self.norm1(x))
        return x + self.mlp(self.norm2(x))

    def _in_windows(self, x: Tensor) -> Tensor:
        """Attention inside windows of the grid, which is padded with zeros to whole ones."""
        batch, height, width, channels = x.shape
        side = self.window
        rows, columns = -(-height // side), -(-width // side)
        x = F.pad(x, (0, 0, 0, columns * side - width, 0, rows * side - height))
        x = x.reshape(batch, rows, side, columns, side, channels).transpose(2, 3)
        x = self.attn(x.reshape(-1, side * side, channels))
        x = x.reshape(batch, rows, columns, side, side, channels).transpose(2, 3)
        return x.reshape(batch, rows * side, columns * side, channels)[:, :height, :width]


class RoutedBlock(nn.Module):
    """A global block: tokens that the router keeps attend to one another, the others are convolved."""

    def __init__(self, width: int, head: int):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, head)
        self.mlp = Mlp(width)
        self.efficient_block = LightBlock(width)
        self.residual = Bottleneck(width)

    def forward(self, x: Tensor, router: Router) -> Tensor:
        branch = self.efficient_block(x)
        # Image by image, as each keeps another number of tokens, which must not see those of another image.
        for image, result, keep in zip(x, branch, router(x), strict=True):
            if keep.any():
                kept = self.attn(self.norm1(image[keep])[None])[0]
                result[keep] = kept.to(result.dtype)
        x = x + branch
        x = x + self.mlp(self.norm2(x))
        return x + self.residual(x)


class Router(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.in_conv = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
        self.out_conv = nn.Sequential(
            nn.Linear(width, width // 2), nn.GELU(), nn.Linear(width // 2, width // 4), nn.GELU(),
            nn.Linear(width // 4, 2),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """bool [B, h, w]: the tokens that attend, from [B, h, w, C]; at most MAX_TOKENS, the surest ones."""
        batch, height, width, channels = x.shape
        x = self.in_conv(x.reshape(batch, height * width, channels))
        local, everywhere = x.chunk(2, dim=-1)
        x = torch.cat([local, everywhere.mean(dim=1, keepdim=True).expand_as(local)], dim=-1)
        scores = self.out_conv(x).float()
        lead = scores[..., 0] - scores[..., 1]  # of log-probabilities: the softmax's sum falls out
        keep = lead > 0
        if height * width > MAX_TOKENS:
            for image, its_lead in zip(keep, lead, strict=True):
                if image.sum() > MAX_TOKENS:
                    image.zero_()
                    image[its_lead.topk(MAX_TOKENS).indices] = True
        return keep.reshape(batch, height, width)


class LightBlock(nn.Module):
    """Two linear layers with a 5 x 5 convolution of each channel between them, then attention over channels."""

    def __init__(self, width: int):
        super().__init__()
        self.fc1 = nn.Linear(width, 2 * width)
        self.dwconv = nn.Conv2d(2 * width, 2 * width, 5, padding=2, groups=2 * width)
        self.fc2 = nn.Linear(2 * width, width)
        self.eca = nn.ModuleDict({"conv": nn.Conv1d(1, 1, 5, padding=2, bias=False)})

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.fc1(x)).permute(0, 3, 1, 2)
        x = self.fc2(F.gelu(self.dwconv(x)).permute(0, 2, 3, 1))
        pooled = x.mean(dim=(1, 2))[:, None]
        return x + x * torch.sigmoid(self.eca["conv"](pooled))[:, None]


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of [B, C, h, w]."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Bottleneck(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        half = width // 2
        self.conv1 = nn.Conv2d(width, half, 1, bias=False)
        self.norm1 = ChannelNorm(half, eps=1e-6)
        self.conv2 = nn.Conv2d(half, half, 3, padding=1, bias=False)
        self.norm2 = ChannelNorm(half, eps=1e-6)
        self.conv3 = nn.Conv2d(half, width, 1, bias=False)
        self.norm3 = ChannelNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 3, 1, 2)
        x = F.gelu(self.norm1(self.conv1(x)))
        x = F.gelu(self.norm2(self.conv2(x)))
        return self.norm3(self.conv3(x)).permute(0, 2, 3, 1)


class ConvBnRelu(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Decoder(nn.Module):
    """Detail capture of ViTMatte (Yao et al., 2023): four times doubled, each time with the picture's detail added."""

    def __init__(self, width: int):
        super().__init__()
        convs = nn.ModuleList(ConvBnRelu(a, b, 2) for a, b in zip((4, *DETAIL[:-1]), DETAIL, strict=True))
        self.convstream = nn.ModuleDict({"convs": convs})
        beside = (*reversed(DETAIL), 4)
        self.fusion_blks = nn.ModuleList(
            nn.ModuleDict({"conv": ConvBnRelu(below + detail, fused, 1)})
            for below, detail, fused in zip((width, *FUSED[:-1]), beside, FUSED, strict=True)
        )
        head = nn.Sequential(nn.Conv2d(FUSED[-1], 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 1, 1))
        self.matting_head = nn.ModuleDict({"matting_convs": head})

    def forward(self, features: Tensor, x: Tensor) -> Tensor:
        detail = [x]
        for conv in self.convstream["convs"].children():
            detail.append(conv(detail[-1]))
        for block in self.fusion_blks.children():
            features = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
            (conv,) = block.children()
            features = conv(torch.cat([detail.pop(), features], dim=1))
        return torch.sigmoid(self.matting_head["matting_convs"](features))

"""SAM 2 over a clip of any length: frame by frame, all objects together, only what can be read again is kept.

It gives what the sam2 package's SAM2VideoPredictor gives (Ravi et al., "SAM 2: Segment Anything in Images and Videos",
arXiv 2408.00714), which holds every frame of the clip and every result, and runs the objects one after another.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import host
from .detection import Box
from .sam2_memory import Memory, ObjectMemory, Pass, Reading, fuse_memories
from .sam2_model import SAM2Model

if TYPE_CHECKING:
    import torch

# What stands in a mask's logits where there is no object (sam2_base.NO_OBJ_SCORE).
NO_OBJECT = -1024.0
# A mask that goes into the decoder again is clamped to this, as the official predictor does.
MOST_LOGIT = 32.0

# ImageNet's, with which the encoder was trained.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class _Features:
    """One encoded frame: three levels, the coarsest last, each [h*w, 1, C], and their sizes."""

    t: int
    levels: list[torch.Tensor]
    positions: torch.Tensor  # of the coarsest level, [h*w, 1, C]
    sizes: list[tuple[int, int]]


@dataclass
class _Found:
    """What the decoder said of one batch of objects."""

    logits: torch.Tensor  # float32 [B, 1, h, w]
    high_logits: torch.Tensor  # float32 [B, 1, 4h, 4w]
    pointers: torch.Tensor  # [B, C]
    score_logits: torch.Tensor = field(repr=False)  # [B, 1]


class SAM2Stream:
    """One run of SAM 2 over one clip. All of its state is in it; `close`, or leaving its `with`, drops it.

    The order of calls::

        with SAM2Stream(model, (height, width), objects=2, frames=len(clip)) as stream:
            stream.prompt(30, image_30, 0, box=person)          # every prompt that is known, in any order of frames
            stream.prompt(30, image_30, 1, mask=board)
            for t in range(30, frames):                         # forward, from the first prompted frame
                logits, scores = stream.step(t, image_t)
            for t in range(30, -1, -1):                         # backward, from the same frame
                logits, scores = stream.step(t, image_t, reverse=True)

    - On a prompted frame `step` gives an object the mask that its prompt gave.
    - An object without any prompt has an empty mask and score 0 on every frame.
    - `prompt` before `step` on a frame segments it from the prompt alone. `prompt` straight after `step` on the same
      frame is a correction: it sees the object's memory and the mask that was just found, unless nothing was found. To
      correct a mask of an earlier run, pass that mask together with the points.
    - The backward pass may read what the forward pass found beside its first frame, as in the official predictor;
      `restart` between the two makes them independent, which equals a new official state with the same prompts.
      At a scene cut a new stream is right: `restart` keeps the prompts.

    Attributes:
        objects: how many.
        mask_size: (h, w) of the logits, 256 x 256 for the published checkpoints. They cover the whole frame, so
            they are scaled to the clip's size without regard to its aspect.
    """

    def __init__(self, model: SAM2Model, size: tuple[int, int], objects: int, frames: int | None = None):
        """
        Args:
            size: (H, W) px of the clip's frames.
            objects: how many are tracked, 1 or more; `obj` counts from 0.
            frames: how many the clip has; below 16 it changes how times are encoded, so pass it where it is known.

        Raises:
            ValueError: no object, or an empty size.
        """
        if objects < 1 or min(size) < 1:
            raise ValueError(f"{objects} objects in frames of {size[1]} x {size[0]} px can't be tracked")
        self.size = size
        self.objects = objects
        self._dtype = model.dtype
        self._net: Any = model.ready(objects)
        side = self._net.image_size // 4
        self.mask_size = (side, side)
        self._pointers = min(frames or self._net.max_obj_ptrs_in_encoder, self._net.max_obj_ptrs_in_encoder)
        self._memories = [ObjectMemory() for _ in range(objects)]
        self._pass: Pass | None = None
        self._features: _Features | None = None
        self._last: dict[int, torch.Tensor] = {}
        self._memory_positions: torch.Tensor | None = None

    def __enter__(self) -> SAM2Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop everything that was held; the stream can't be used again."""
        self._memories = []
        self._features = self._memory_positions = self._net = None
        self._last = {}

    def restart(self) -> None:
        """Forget all that was tracked; prompts stay. The next `step` may begin anywhere, in either direction."""
        for memory in self._memories:
            memory.recent.clear()
        self._pass = None
        self._last = {}

    def prompt(
        self,
        t: int,
        image: np.ndarray,
        obj: int,
        *,
        points: np.ndarray | None = None,
        positive: np.ndarray | None = None,
        box: Box | None = None,
        mask: np.ndarray | None = None,
    ) -> np.ndarray:
        """Say where object `obj` is on frame t, which becomes one of its conditioning frames; the mask that follows.

        A box and points go into the decoder together. A mask is taken as it is; with points or a box beside it,
        it is refined by them. A second prompt for the same object and frame replaces the clicks of the first, and
        starts from the mask that the first one gave.

        Args:
            t: frame, from 0.
            image: uint8 [H, W, 3], RGB, the frame.
            obj: 0 .. objects - 1.
            points: float32 [P, 2], x and y, px of the clip.
            positive: bool [P]; True: on the object, False: not on it. None: all are on it.
            box: x1, y1, x2, y2, px of the clip.
            mask: bool [H, W]. An empty one says that the object is not to be seen here.

        Returns:
            float32 [h, w] logits, inside where > 0.

        Raises:
            ValueError: an object or a size that isn't this stream's, or no prompt at all.
        """
        import torch

        if points is None and box is None and mask is None:
            raise ValueError(f"object {obj} has no box, no point and no mask on frame {t}")
        self._check(t, image, obj)
        with torch.inference_mode(), self._autocast():
            features = self._encode(t, image)
            found: _Found | None = None
            if mask is not None:
                found = self._from_mask(features, mask)
            if points is not None or box is not None:
                found = self._from_clicks(features, obj, points, positive, box, None if found is None else found.logits)
            assert found is not None
            # What is remembered is the mask at the size it is kept in, as the official predictor does.
            high = torch.nn.functional.interpolate(
                found.logits, size=(self._net.image_size,) * 2, mode="bilinear", align_corners=False
            )
            memory = self._remember(features, high, found, prompted=True)[0]
            memory.logits = found.logits[0]
        self._memories[obj].prompted[t] = memory
        self._memories[obj].recent.pop(t, None)
        return found.logits[0, 0].float().cpu().numpy()

    def step(self, t: int, image: np.ndarray, reverse: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Track every object onto frame t. Frames follow one another: t + 1 next, or t - 1 with `reverse`.

        Args:
            t: frame, from 0.
            image: uint8 [H, W, 3], RGB, the frame.
            reverse: the pass goes backward in time.

        Returns:
            float32 [N, h, w] logits, inside where > 0 (-1024 everywhere for an object that is not to be seen), and
            float32 [N] scores in 0..1: how sure it is that the object is in the picture, which it is from 0.5 on.

        Raises:
            ValueError: the frame has another size than the stream's.
        """
        import torch

        self._check(t, image, 0)
        if self._pass is None or not self._pass.goes_on(t, reverse):
            self._pass = Pass(t, reverse)
        self._pass.now = t
        logits = np.full((self.objects, *self.mask_size), NO_OBJECT, np.float32)
        scores = np.zeros(self.objects, np.float32)
        last: dict[int, torch.Tensor] = {}
        with torch.inference_mode(), self._autocast():
            batches: dict[tuple[int, int], list[tuple[int, Reading]]] = {}
            for obj, memory in enumerate(self._memories):
                if t in memory.prompted:
                    known = memory.prompted[t]
                    assert known.logits is not None
                    last[obj] = known.logits
                    scores[obj] = float(known.score_logit.float().sigmoid())
                elif memory.prompted:
                    reading = memory.read(t, reverse, self._net, self._pointers)
                    batches.setdefault(reading.shape, []).append((obj, reading))
            features = self._encode(t, image) if batches else None
            for batch in batches.values():
                assert features is not None
                found = self._track(features, [reading for _, reading in batch])
                host.check_cancelled()
                memories = self._remember(features, found.high_logits, found, prompted=False)
                seen = found.score_logits.float().sigmoid().flatten().tolist()
                for row, (obj, _) in enumerate(batch):
                    self._memories[obj].recent[t] = memories[row]
                    last[obj] = found.logits[row]
                    scores[obj] = seen[row]
            for obj, found_logits in last.items():
                logits[obj] = found_logits[0].float().cpu().numpy()
        self._last = last
        for memory in self._memories:
            memory.prune(self._pass, self._net)
        return logits, scores

    def _check(self, t: int, image: np.ndarray, obj: int) -> None:
        if self._net is None:
            raise ValueError("this stream is closed")
        if not 0 <= obj < self.objects:
            raise ValueError(f"object {obj} is none of this stream's {self.objects}, which count from 0")
        if t < 0:
            raise ValueError(f"frame {t} is before the clip")
        if image.shape != (*self.size, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"frame {t} is {image.dtype} {image.shape}; it must be uint8 {(*self.size, 3)} as the stream was told"
            )

    def _autocast(self) -> Any:
        import torch

        if self._dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self._net.device.type, dtype=self._dtype)

    def _encode(self, t: int, image: np.ndarray) -> _Features:
        """Image features of frame t, made once however many objects and prompts ask for them."""
        if self._features is not None and self._features.t == t:
            return self._features
        self._features = None  # the old ones go before the new ones come
        import torch
        from PIL import Image

        side = self._net.image_size
        # PIL's bicubic is what the official predictor reads its frames with.
        scaled = np.asarray(Image.fromarray(image).resize((side, side)))
        device = self._net.device
        pixels = torch.from_numpy(scaled.copy()).to(device).permute(2, 0, 1).float() / 255.0
        pixels = pixels - torch.tensor(MEAN, device=device)[:, None, None]
        pixels = pixels / torch.tensor(DEVIATION, device=device)[:, None, None]
        _, levels, positions, sizes = self._net._prepare_backbone_features(self._net.forward_image(pixels[None]))
        self._features = _Features(t, levels, positions[-1], sizes)
        return self._features

    def _from_mask(self, features: _Features, mask: np.ndarray) -> _Found:
        import torch

        if mask.shape != self.size:
            raise ValueError(f"the mask is {mask.shape}; it must be {self.size}, as large as the frame")
        side = self._net.image_size
        values = torch.from_numpy(np.ascontiguousarray(mask, bool)).float().to(self._net.device)[None, None]
        if mask.shape != (side, side):
            values = torch.nn.functional.interpolate(
                values, size=(side, side), align_corners=False, mode="bilinear", antialias=True
            )
            values = (values >= 0.5).float()
        image = _as_maps(features.levels[-1], features.sizes[-1])
        return _found(self._net._use_mask_as_output(image, self._fine_maps(features, 1), values))

    def _from_clicks(
        self,
        features: _Features,
        obj: int,
        points: np.ndarray | None,
        positive: np.ndarray | None,
        box: Box | None,
        previous: torch.Tensor | None,
    ) -> _Found:

        net, memory, t = self._net, self._memories[obj], features.t
        # What was not found is shown anew: memory and the empty mask would both insist that it is not there.
        tracked = (
            self._pass is not None
            and t == self._pass.now
            and t in memory.recent
            and float(memory.recent[t].score_logit) > 0
        )
        if previous is None:
            if tracked:
                previous = self._last[obj][None]
            elif t in memory.prompted:
                kept = memory.prompted[t].logits
                assert kept is not None
                previous = kept[None]
        if tracked:
            assert self._pass is not None
            reading = memory.read(t, self._pass.reverse, net, self._pointers)
            image = fuse_memories(
                net, features.levels[-1], features.positions, features.sizes[-1], [reading], *self._times()
            )
        else:
            level = features.levels[-1] + net.no_mem_embed if net.directly_add_no_mem_embed else features.levels[-1]
            image = _as_maps(level, features.sizes[-1])
        clicks = self._clicks(points, positive, box)
        return _found(
            net._forward_sam_heads(
                backbone_features=image,
                point_inputs=clicks,
                mask_inputs=None if previous is None else previous.clamp(-MOST_LOGIT, MOST_LOGIT),
                high_res_features=self._fine_maps(features, 1),
                multimask_output=net._use_multimask(not tracked, clicks),
            )
        )

    def _clicks(self, points: np.ndarray | None, positive: np.ndarray | None, box: Box | None) -> dict[str, Any]:
        """The decoder's form: px of the network's image; labels 1, 0, and 2 and 3 for the corners of a box."""
        import torch

        at = np.zeros((0, 2), np.float32) if points is None else np.asarray(points, np.float32).reshape(-1, 2)
        kind = np.ones(len(at), np.int32) if positive is None else np.asarray(positive).astype(bool).astype(np.int32)
        if len(kind) != len(at):
            raise ValueError(f"{len(at)} points have {len(kind)} signs; each needs one")
        if box is not None:
            at = np.concatenate([np.asarray(box, np.float32).reshape(2, 2), at])
            kind = np.concatenate([np.array([2, 3], np.int32), kind])
        height, width = self.size
        coordinates = torch.from_numpy(at)[None] / torch.tensor([width, height]) * self._net.image_size
        device = self._net.device
        return {"point_coords": coordinates.to(device), "point_labels": torch.from_numpy(kind)[None].to(device)}

    def _track(self, features: _Features, readings: list[Reading]) -> _Found:
        import torch

        net, count = self._net, len(readings)
        # On a processor memory attention took 1.05 times as long for four objects in one batch as for one after another
        # (tests/benchmarks/sam2_speed.py, tiny at 512 px), and cancel waits for less. A GPU wants them together.
        batches = [[reading] for reading in readings] if net.device.type == "cpu" else [readings]
        level, size = features.levels[-1], features.sizes[-1]
        fused = [fuse_memories(net, level, features.positions, size, batch, *self._times()) for batch in batches]
        # A single one stays as it lies in memory: bfloat16 convolutions round by that.
        image = fused[0] if len(fused) == 1 else torch.cat(fused)
        return _found(
            net._forward_sam_heads(
                backbone_features=image,
                high_res_features=self._fine_maps(features, count),
                multimask_output=net._use_multimask(False, None),
            )
        )

    def _times(self) -> tuple[torch.Tensor, int]:
        assert self._memory_positions is not None
        return self._memory_positions, self._pointers

    def _fine_maps(self, features: _Features, count: int) -> list[torch.Tensor]:
        return [
            _as_maps(level.expand(-1, count, -1), size)
            for level, size in zip(features.levels[:-1], features.sizes[:-1], strict=True)
        ]

    def _remember(
        self, features: _Features, high_logits: torch.Tensor, found: _Found, *, prompted: bool
    ) -> list[Memory]:
        """Memories of a batch of objects on one frame: image and mask together, as later frames will read them."""
        import torch

        count = high_logits.shape[0]
        maps, positions = self._net._encode_new_memory(
            current_vision_feats=[features.levels[-1].expand(-1, count, -1)],
            feat_sizes=[features.sizes[-1]],
            pred_masks_high_res=high_logits,
            object_score_logits=found.score_logits,
            is_mask_from_pts=prompted,
        )
        if self._memory_positions is None:  # the same for every frame and object
            self._memory_positions = positions[-1][:1].flatten(2).permute(2, 0, 1).clone()
        tokens = maps.flatten(2).transpose(1, 2).to(torch.bfloat16).contiguous()
        return [Memory(tokens[row], found.pointers[row], found.score_logits[row]) for row in range(count)]


def _as_maps(tokens: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """[h*w, B, C] -> [B, C, h, w], without copying."""
    return tokens.permute(1, 2, 0).view(tokens.shape[1], tokens.shape[2], *size)


def _found(heads: tuple[torch.Tensor, ...]) -> _Found:
    _, _, _, logits, high_logits, pointers, score_logits = heads
    return _Found(logits, high_logits, pointers, score_logits)

"""What SAM 2 remembers of one object: which frames a later frame can read, and how it reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Of an object's conditioning frames, the first that was given and this many of the nearest are read. The official
# predictor reads them all, so time and memory grow with every prompt; up to 8 the two are the same. 7 with the
# 6 tracked memories make attention at most twice as long as with a single prompt, and SAM 2 was trained on clips
# of 8 frames, so it never saw more.
NEAREST_PROMPTS = 7


@dataclass
class Memory:
    """One object on one frame.

    Attributes:
        tokens: bfloat16 [h*w, C'], image and mask together; None once only the pointer can still be read.
        pointer: [C], the decoder's summary of the object.
        score_logit: [1], > 0 when the object is in the picture.
        logits: float32 [1, h, w] of a prompted frame, which `step` gives out again.
    """

    tokens: torch.Tensor | None
    pointer: torch.Tensor
    score_logit: torch.Tensor
    logits: torch.Tensor | None = None


@dataclass
class Pass:
    """One run over the clip in one direction: where it began and where it is."""

    start: int
    reverse: bool
    now: int = -1

    def goes_on(self, t: int, reverse: bool) -> bool:
        """Whether frame t continues this pass, rather than beginning another."""
        return reverse == self.reverse and self.since(t, self.now) >= 0

    def since(self, t: int, origin: int) -> int:
        """Frames from `origin` to t, counted in the pass's direction."""
        return origin - t if self.reverse else t - origin


@dataclass(frozen=True)
class Reading:
    """What one object's next frame reads: (place in time, tokens) of memories, (distance, pointer) of pointers.

    Objects whose readings have the same `shape` can run as one batch.
    """

    memories: list[tuple[int, torch.Tensor]]
    pointers: list[tuple[int, torch.Tensor]]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.memories), len(self.pointers)


@dataclass
class ObjectMemory:
    """prompted: the conditioning frames, in the order in which they were given; recent: what was tracked."""

    prompted: dict[int, Memory] = field(default_factory=dict)
    recent: dict[int, Memory] = field(default_factory=dict)

    def selected(self, t: int) -> dict[int, Memory]:
        """The conditioning frames that frame t reads: all, or the first given and the NEAREST_PROMPTS nearest to t."""
        if len(self.prompted) <= NEAREST_PROMPTS + 1:
            return self.prompted
        first, *others = self.prompted
        nearest = sorted(others, key=lambda frame: abs(frame - t))[:NEAREST_PROMPTS]
        return {frame: memory for frame, memory in self.prompted.items() if frame == first or frame in nearest}

    def read(self, t: int, reverse: bool, net: Any, most_pointers: int) -> Reading:
        """As `SAM2Base._prepare_memory_conditioned_features`: conditioning frames, 6 memories, 15 pointers."""
        sign = -1 if reverse else 1
        selected = self.selected(t)

        def tracked(lag: int) -> Memory | None:
            frame = t - sign * lag
            return self.recent.get(frame) or (None if frame in selected else self.prompted.get(frame))

        memories = [(0, memory) for memory in selected.values()]
        for place in range(1, net.num_maskmem):
            memory = tracked(net.num_maskmem - place)
            if memory is not None:
                memories.append((place, memory))
        pointers = []
        for frame, memory in selected.items():
            ahead = (frame - t) * sign > 0
            if not (ahead and net.only_obj_ptrs_in_the_past_for_eval):
                distance = (t - frame) * sign
                pointers.append((distance if net.use_signed_tpos_enc_to_obj_ptrs else abs(distance), memory.pointer))
        for lag in range(1, most_pointers):
            memory = tracked(lag)
            if memory is not None:
                pointers.append((lag, memory.pointer))
        return Reading([(place, _tokens(memory)) for place, memory in memories], pointers)

    def prune(self, run: Pass, net: Any) -> None:
        """Drop what no later frame can read: not in this pass, and not in one the other way from where it began.

        A frame reads the tokens of the last `num_maskmem - 1` frames and the pointers of the last
        `max_obj_ptrs_in_encoder - 1`. The frame that was just tracked may be read for once more, in a correction;
        the frame where this pass began is the first of the other pass at the earliest.
        """
        most_tokens, most_pointers = net.num_maskmem - 1, net.max_obj_ptrs_in_encoder - 1
        kept = self.selected(run.start).keys() | self.selected(run.now).keys()
        for frame in [frame for frame in self.prompted if frame not in kept]:
            if run.since(frame, run.start) >= 0 and run.since(frame, run.now) < 0:
                self.recent[frame] = self.prompted.pop(frame)
        for frame in list(self.recent):
            behind = -run.since(frame, run.now)
            ahead = run.since(frame, run.start)
            if behind > most_pointers and not 0 <= ahead <= most_pointers:
                del self.recent[frame]
            elif behind > most_tokens and not 0 <= ahead <= most_tokens:
                self.recent[frame].tokens = None


def _tokens(memory: Memory) -> torch.Tensor:
    assert memory.tokens is not None, "a memory was dropped that is still read"
    return memory.tokens


def fuse_memories(
    net: Any,
    image: torch.Tensor,
    image_positions: torch.Tensor,
    size: tuple[int, int],
    readings: Sequence[Reading],
    memory_positions: torch.Tensor,
    most_pointers: int,
) -> torch.Tensor:
    """Image features as each object's memory sees them: memory attention for a batch of readings of one shape.

    Args:
        image, image_positions: [h*w, 1, C], the coarsest level of the frame.
        size: (h, w) of it.
        memory_positions: [h*w, 1, C'].
        most_pointers: by which the pointers' distances are divided, less 1.

    Returns:
        [B, C, h, w].
    """
    import torch

    count = len(readings)
    width = memory_positions.shape[-1]
    slots, pointers = readings[0].shape
    with torch.autocast(image.device.type, enabled=False):  # that of float16 refuses to stack bfloat16
        stacked = torch.stack([tokens for reading in readings for _, tokens in reading.memories])
    stacked = stacked.view(count, slots, -1, width).permute(1, 2, 0, 3)  # [slots, h*w, B, C']
    places = torch.tensor([[place for place, _ in reading.memories] for reading in readings]).T  # [slots, B]
    times = net.maskmem_tpos_enc[(net.num_maskmem - places - 1).to(image.device), 0, 0]  # [slots, B, C']
    positions = [(memory_positions + times[:, None]).reshape(-1, count, width)]
    # Pointers are float32 and would make all of it so; without any (the only prompt lies ahead) it must be asked for.
    memory = [stacked.reshape(-1, count, width).to(positions[0].dtype)]
    if pointers:
        values = torch.stack([pointer for reading in readings for _, pointer in reading.pointers])
        values = values.view(count, pointers, -1, width).permute(1, 2, 0, 3).reshape(-1, count, width)
        pieces = values.shape[0] // pointers  # a pointer is C / C' tokens
        memory.append(values)
        positions.append(_pointer_times(net, readings, most_pointers, values).repeat_interleave(pieces, dim=0))
    fused = net.memory_attention(
        curr=[image.expand(-1, count, -1)],
        curr_pos=[image_positions.expand(-1, count, -1)],
        memory=torch.cat(memory),
        memory_pos=torch.cat(positions),
        num_obj_ptr_tokens=memory[-1].shape[0] if pointers else 0,
    )
    return fused.permute(1, 2, 0).view(count, fused.shape[2], *size)


def _pointer_times(net: Any, readings: Sequence[Reading], most_pointers: int, values: torch.Tensor) -> torch.Tensor:
    """How far away each pointer is, encoded: [pointers, B, C']."""
    import torch
    from sam2.modeling.sam2_utils import get_1d_sine_pe

    distances = torch.tensor([[distance for distance, _ in reading.pointers] for reading in readings]).T
    if not net.add_tpos_enc_to_obj_ptrs:
        return values.new_zeros(*distances.shape, values.shape[-1])
    encoded = get_1d_sine_pe(
        distances.to(values.device) / (most_pointers - 1),
        dim=net.hidden_dim if net.proj_tpos_enc_in_obj_ptrs else net.mem_dim,
    )
    return net.obj_ptr_tpos_proj(encoded)

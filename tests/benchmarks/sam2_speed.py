"""Time of the streaming predictor beside the sam2 package's own, frame by frame in turn, and where it goes.

    python tests/benchmarks/sam2_speed.py [--objects 1 4] [--config tiny] [--image-size 512] [--frames 24]
        [--size 480 854] [--device cpu] [--dtype fp32]

Random weights. Each frame is tracked by the one and then by the other, so that both meet the same machine; CPU time of
this process (one core: OMP_NUM_THREADS=1), on CUDA elapsed time with synchronisation. The first 8 frames, before all
memories are there, are not counted. "decode" is reading the JPEG file, scaling and normalising it: the official
predictor does that for the whole clip beforehand, and its time a frame is counted in. "to clip size" is scaling the
logits, which is part of what the official predictor yields, and done for ours here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from physics_preserver.nodes.extraction.sam2_model import place
from physics_preserver.nodes.extraction.sam2_stream import SAM2Stream
from sam2_nets import official, published, quiet, scene, write_frames

NOT_COUNTED = 8
PARTS = ("decode", "encoder", "memory attention", "decoder", "memory encoder", "to clip size")


class Clock:
    """Seconds by part; `timed` wraps a function so that its time is added to one part."""

    def __init__(self, device: str):
        self.parts: dict[str, float] = defaultdict(float)
        self.cuda = device.startswith("cuda")

    def now(self) -> float:
        if self.cuda:
            import torch

            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            began = self.now()
            try:
                return function(*args, **kwargs)
            finally:
                self.parts[part] += self.now() - began

        return call

    def watch(self, net: Any) -> None:
        net.forward_image = self.timed("encoder", net.forward_image)
        net.memory_attention.forward = self.timed("memory attention", net.memory_attention.forward)
        net._forward_sam_heads = self.timed("decoder", net._forward_sam_heads)
        net._encode_new_memory = self.timed("memory encoder", net._encode_new_memory)


def boxes(objects: int, size: tuple[int, int]) -> list[tuple[float, float, float, float]]:
    height, width = size
    return [((0.05 + 0.1 * i) * width, 0.2 * height, (0.4 + 0.1 * i) * width, 0.8 * height) for i in range(objects)]


def official_frames(
    net: Any, folder: Path, objects: int, size: tuple[int, int], clock: Clock
) -> Generator[np.ndarray, None, None]:
    """Masks at the clip's size; the first `next` also decodes the whole clip."""
    with quiet():
        began, encoder = clock.now(), clock.parts["encoder"]
        state = net.init_state(str(folder))
        encoded = clock.parts["encoder"] - encoder
        clock.parts["decode"] += clock.now() - began - encoded
        for obj, box in enumerate(boxes(objects, size)):
            net.add_new_points_or_box(state, 0, obj, box=box)
        net._get_orig_video_res_output = clock.timed("to clip size", net._get_orig_video_res_output)
        for _, _, logits in net.propagate_in_video(state):
            began = clock.now()
            masks = (logits[:, 0] > 0).cpu().numpy()
            clock.parts["to clip size"] += clock.now() - began
            yield masks


def our_frames(
    model: Any, folder: Path, objects: int, size: tuple[int, int], clock: Clock
) -> Generator[np.ndarray, None, None]:
    from PIL import Image

    height, width = size
    files = sorted(folder.glob("*.jpg"))
    with SAM2Stream(model, size, objects, len(files)) as stream:
        encode = stream._encode

        def prepare_and_encode(t: int, image: np.ndarray) -> Any:
            """What `_encode` does besides the encoder is scaling and normalising."""
            began, encoder = clock.now(), clock.parts["encoder"]
            found = encode(t, image)
            clock.parts["decode"] += clock.now() - began - (clock.parts["encoder"] - encoder)
            return found

        stream._encode = prepare_and_encode  # type: ignore[method-assign]
        for t, file in enumerate(files):
            began = clock.now()
            image = np.array(Image.open(file))
            clock.parts["decode"] += clock.now() - began
            for obj, box in enumerate(boxes(objects, size) if t == 0 else []):
                stream.prompt(0, image, obj, box=box)
            logits, _ = stream.step(t, image)
            began = clock.now()
            masks = np.stack([cv2.resize(row, (width, height), interpolation=cv2.INTER_LINEAR) > 0 for row in logits])
            clock.parts["to clip size"] += clock.now() - began
            yield masks


def compare(objects: int, options: argparse.Namespace, folder: Path) -> None:
    import torch

    size = tuple(options.size)
    half = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[options.dtype]
    config = published(options.config, options.image_size)
    clocks = {"ours": Clock(options.device), "official": Clock(options.device)}
    nets = {name: official(*config).to(options.device) for name in clocks}
    for name, net in nets.items():
        clocks[name].watch(net)
    streams = {
        "ours": our_frames(place(nets["ours"], options.config, options.dtype), folder, objects, size, clocks["ours"]),
        "official": official_frames(nets["official"], folder, objects, size, clocks["official"]),
    }
    spent = dict.fromkeys(streams, 0.0)
    counted = options.frames - NOT_COUNTED
    decoding = 0.0
    for t in range(options.frames):
        for name in sorted(streams, reverse=t % 2 == 1):
            autocast = half is not None and name == "official"
            with torch.autocast(options.device.split(":")[0], dtype=half, enabled=autocast):
                began = clocks[name].now()
                next(streams[name])
                spent[name] += clocks[name].now() - began
        if t == 0:
            decoding = clocks["official"].parts["decode"] / options.frames
        if t == NOT_COUNTED - 1:
            spent = dict.fromkeys(streams, 0.0)
            for clock in clocks.values():
                clock.parts.clear()
    for stream in streams.values():
        stream.close()
    clocks["official"].parts["decode"] = decoding * counted
    spent["official"] += decoding * counted
    print(f"\n{objects} object(s), ms a frame over {counted} frames")
    print(f"{'':18} {'ours':>9} {'official':>9} {'ratio':>7}")
    rows = {part: [clocks[name].parts[part] for name in streams] for part in PARTS}
    rows["the rest"] = [spent[name] - sum(clocks[name].parts[part] for part in PARTS) for name in streams]
    for name, (mine, other) in {"all": list(spent.values()), **rows}.items():
        ratio = f"{mine / other:7.2f}" if other > 1e-4 else ""
        print(f"{name:18} {1000 * mine / counted:9.1f} {1000 * other / counted:9.1f} {ratio}")
    print(f"{'frames a second':18} {counted / spent['ours']:9.2f} {counted / spent['official']:9.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--config", default="tiny", help="narrow, tiny, small, base_plus or large")
    parser.add_argument("--image-size", type=int, default=512, help="the published size is 1024")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, nargs=2, default=[480, 854], metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="fp32", choices=["fp32", "fp16", "bf16"])
    options = parser.parse_args()
    print(f"SAM 2.1 {options.config} at {options.image_size} px, {options.dtype} on {options.device}")
    with tempfile.TemporaryDirectory() as folder:
        write_frames(scene(options.frames, tuple(options.size)), Path(folder))
        for objects in options.objects:
            compare(objects, options, Path(folder))


if __name__ == "__main__":
    main()

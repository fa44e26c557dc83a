"""Memory of the streaming predictor and of the sam2 package's own against the length of the clip; random weights.

    python tests/benchmarks/sam2_memory.py [--frames 50 200 800] [--objects 2] [--config narrow] [--image-size 256]
        [--device cpu] [--dtype fp32]

The table: peak resident memory (and on CUDA peak allocated memory) of one run in a process of its own, less what that
process had before the run, for each predictor and length. Then, in one process, what is still held after one run, after
a second, and after one cancelled at frame 30. Frames come from a folder of JPEG files, as the official one reads them.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sam2_nets import official, published, quiet, scene, write_frames

SIZE = (270, 480)
CANCELLED_AT = 30


def boxes(objects: int) -> list[tuple[float, float, float, float]]:
    height, width = SIZE
    return [(0.1 * width + 40 * i, 0.2 * height, 0.5 * width + 40 * i, 0.8 * height) for i in range(objects)]


def run_ours(model: Any, folder: Path, objects: int, stop: int | None = None) -> None:
    from physics_preserver.nodes.extraction.sam2_stream import SAM2Stream
    from PIL import Image

    files = sorted(folder.glob("*.jpg"))
    with SAM2Stream(model, SIZE, objects, len(files)) as stream:
        for t, file in enumerate(files):
            image = np.array(Image.open(file))
            for obj, box in enumerate(boxes(objects) if t == 0 else []):
                stream.prompt(0, image, obj, box=box)
            stream.step(t, image)
            if t == stop:
                raise KeyboardInterrupt


def run_official(net: Any, folder: Path, objects: int, dtype: str) -> None:
    import torch

    half = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[dtype]
    with quiet(), torch.autocast(net.device.type, dtype=half, enabled=half is not None):
        state = net.init_state(str(folder))
        for obj, box in enumerate(boxes(objects)):
            net.add_new_points_or_box(state, 0, obj, box=box)
        for _ in net.propagate_in_video(state):
            pass


def resident_mb() -> float:
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def tensor_mb() -> float:
    """Bytes of every tensor that Python holds."""
    import torch

    gc.collect()
    storages = {}
    for thing in gc.get_objects():
        if type(thing) in (torch.Tensor, torch.nn.Parameter) and thing.device.type != "meta":
            storages[thing.untyped_storage().data_ptr()] = thing.untyped_storage().nbytes()
    return sum(storages.values()) / 2**20


def child(options: argparse.Namespace) -> None:
    """One job in this process: prints one JSON object."""
    import torch
    from physics_preserver.nodes.extraction.sam2_model import place

    folder = Path(options.folder)
    net = official(*published(options.config, options.image_size)).to(options.device)
    if options.child == "official":
        work = lambda stop=None: run_official(net, folder, options.objects, options.dtype)  # noqa: E731
    else:
        model = place(net, options.config, options.dtype)
        work = lambda stop=None: run_ours(model, folder, options.objects, stop)  # noqa: E731
    cuda = options.device.startswith("cuda")
    before = resident_mb()
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    if options.child != "twice":
        work()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"rss": peak - before, "cuda": torch.cuda.max_memory_allocated() / 2**20 if cuda else None}))
        return
    held = []
    for stop in (None, None, CANCELLED_AT, None):
        with contextlib.suppress(KeyboardInterrupt):
            work(stop)
        tensors = tensor_mb()
        allocated = torch.cuda.memory_allocated() / 2**20 if cuda else None
        held.append({"tensors": tensors, "rss": resident_mb() - before, "cuda": allocated})
    print(json.dumps(held))


def ask_child(job: str, folder: Path, options: argparse.Namespace) -> Any:
    command = [sys.executable, __file__, "--child", job, "--folder", str(folder), "--config", options.config]
    command += ["--image-size", str(options.image_size), "--objects", str(options.objects)]
    command += ["--device", options.device, "--dtype", options.dtype]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def megabytes(value: float | None) -> str:
    return "       " if value is None else f"{value:7.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[50, 200, 800])
    parser.add_argument("--objects", type=int, default=2)
    parser.add_argument("--config", default="narrow", help="narrow, tiny, small, base_plus or large")
    parser.add_argument("--image-size", type=int, default=256, help="the published size is 1024")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="fp32", choices=["fp32", "fp16", "bf16"])
    parser.add_argument("--child", choices=["ours", "official", "twice"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(options)
    print(f"SAM 2.1 {options.config} at {options.image_size} px, {options.objects} objects, {options.dtype}, MB")
    print("frames   ours: RSS    CUDA   official: RSS    CUDA")
    with tempfile.TemporaryDirectory() as root:
        for frames in options.frames:
            folder = Path(root, str(frames))
            write_frames(scene(frames, SIZE), folder)
            ours, theirs = (ask_child(job, folder, options) for job in ("ours", "official"))
            numbers = [megabytes(each[key]) for each in (ours, theirs) for key in ("rss", "cuda")]
            print(f"{frames:6}      {numbers[0]} {numbers[1]}         {numbers[2]} {numbers[3]}", flush=True)
        folder = Path(root, str(options.frames[0]))
        print(f"\nstill held after runs of {options.frames[0]} frames in one process: tensors, RSS, CUDA")
        names = ("first run", "second run", f"cancelled at frame {CANCELLED_AT}", "fourth run")
        for name, held in zip(names, ask_child("twice", folder, options), strict=True):
            print(f"{name:22} {megabytes(held['tensors'])} {megabytes(held['rss'])} {megabytes(held['cuda'])}")


if __name__ == "__main__":
    main()

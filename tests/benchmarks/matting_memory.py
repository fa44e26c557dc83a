"""Peak memory of refining one frame beyond what frame, trimap and alpha take, by method, tile and frame size.

    PYTHONPATH=tests python tests/benchmarks/matting_memory.py [--methods guided mematte] [--tile 512]

The same disc, so the same band, in frames of three sizes, up to VR180's. Every run is a process of its own; MEMatte and
ViTMatte are of their small size with random weights, which do for memory. Needs Linux.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from physics_preserver.nodes.matting.methods import LEARNED, METHODS

FRAMES = {"512x512": (512, 512), "2048x1024": (1024, 2048), "6144x3072": (3072, 6144)}


def memory_mb(kind: str) -> float:
    """VmRSS: what the process has now; VmHWM: the most it had since `forget_peak`."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def run(method: str, size: tuple[int, int], tile: int) -> None:
    """Refine two frames in this process; prints one JSON object."""
    from physics_preserver.nodes.matting.refine import open_refiner
    from physics_preserver.nodes.matting.trimap import from_mask

    cv2.setNumThreads(1)
    mask = np.zeros(size, np.uint8)
    cv2.circle(mask, (256, 256), 200, 1, -1)
    trimap = from_mask(mask > 0, 10, 10)
    image = np.full((*size, 3), 90, np.uint8)
    image[mask > 0] = (200, 120, 60)
    model = None
    if method in LEARNED:
        import torch
        from mematte_nets import vit_s
        from physics_preserver.nodes.matting.matte_model import place

        torch.set_num_threads(1)
        model = place(vit_s(method), method, method, "fp32")
    with open_refiner(method, model, tile) as refiner:
        warm = np.s_[: tile or 512, : tile or 512]
        small = np.zeros(trimap[warm].shape, np.uint8)
        small[:8], small[8:16] = 255, 128
        if method not in LEARNED:  # compiles closed form; a network's first tile is what is measured
            refiner.refine(image[warm], small)
        forget_peak()
        before, start = memory_mb("VmRSS"), time.perf_counter()
        refiner.refine(image, trimap, mask > 0)
        took = time.perf_counter() - start
        tiles = refiner.report.tiles
    own = (4 * trimap.size + 4 * trimap.size) / 2**20  # the alpha, and boolean planes of the frame
    beyond = memory_mb("VmHWM") - before - own
    print(json.dumps({"beyond_mb": beyond, "run": tiles.run, "skipped": tiles.skipped, "s": took}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--tile", type=int, nargs="*", default=[512])
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run(options.one[0], FRAMES[options.one[1]], int(options.one[2]))
        return
    print(f"{'method':12} {'tile':>5} {'frame':>10} {'MB beyond':>9} {'tiles run/skipped':>18} {'s':>6}")
    for method in options.methods:
        for tile in options.tile:
            for name in FRAMES:
                command = [sys.executable, __file__, "--one", method, name, str(tile)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found = json.loads(done.stdout)
                tiles = f"{found['run']}/{found['skipped']}"
                print(
                    f"{method:12} {tile:5} {name:>10} {found['beyond_mb']:9.0f} {tiles:>18} {found['s']:6.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()

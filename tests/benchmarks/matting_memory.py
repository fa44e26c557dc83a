"""Peak memory of refining one frame beyond what frame, trimap and alpha take, by method, tile and frame size.

    python tests/benchmarks/matting_memory.py [--methods guided "closed form" mematte] [--tile 512]

A soft disc in 1920x1080, and in one eye of 6144x3072 (3072x3072). Every run is a process of its own; MEMatte has random
weights of ViT-S, which do for memory. Needs Linux.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import cv2
import numpy as np

FRAMES = {"1920x1080": (1080, 1920), "3072x3072": (3072, 3072)}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(method: str, size: tuple[int, int], tile: int) -> None:
    """Refine two frames in this process; prints one JSON object."""
    from physics_preserver.nodes.matting.refine import open_refiner
    from physics_preserver.nodes.matting.trimap import from_mask

    cv2.setNumThreads(1)
    mask = np.zeros(size, np.uint8)
    cv2.circle(mask, (size[1] // 2, size[0] // 2), 400, 1, -1)
    trimap = from_mask(mask > 0, 10, 10)
    image = np.full((*size, 3), 90, np.uint8)
    image[mask > 0] = (200, 120, 60)
    model = None
    if method == "mematte":
        import torch
        from physics_preserver.nodes.matting.matte_model import place
        from physics_preserver.nodes.matting.mematte import Architecture, MEMatte

        torch.set_num_threads(1)
        net = MEMatte(Architecture(384, 64, 12, (2, 5, 8, 11), 14, 14))
        model = place(net, "mematte", "MEMatte ViT-S", "fp32")
    with open_refiner(method, model, tile) as refiner:
        warm = np.s_[: tile or 512, : tile or 512]
        small = np.zeros(trimap[warm].shape, np.uint8)
        small[:8], small[8:16] = 255, 128
        if method != "mematte":  # compiles closed form; a network's first tile is what is measured
            refiner.refine(image[warm], small)
        before, start = peak_mb(), time.perf_counter()
        refiner.refine(image, trimap, mask > 0)
        took = time.perf_counter() - start
        tiles = refiner.report.tiles
    own = (4 * trimap.size + 4 * trimap.size) / 2**20  # the alpha, and boolean planes of the frame
    print(json.dumps({"beyond_mb": peak_mb() - before - own, "run": tiles.run, "skipped": tiles.skipped, "s": took}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="*", default=["guided", "closed form", "mematte"])
    parser.add_argument("--tile", type=int, nargs="*", default=[256, 512])
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

"""Right masks from left masks against the renderer's truth: in Cassini, and along rows of the footage as it is.

    python tests/benchmarks/stereo_transfer.py [--size 1024] [--working 1024] [--frames 2]

One person at each distance and angle off the axis, eyes `--size` px square, half-equirectangular. `IoU` is of the
carried mask and the true one of the right eye, the mean of the frames; `S-IoU` is what the pack measures without the
truth, between the true left mask and the carried one. The rows' way is the same code, its picture worked in being the
footage itself, with twice the disparities allowed: rows are stretched at high latitudes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("stereo", "")]

from physics_preserver.nodes.stereo.choices import NEAREST  # noqa: E402
from physics_preserver.nodes.stereo.consistency import s_iou  # noqa: E402
from physics_preserver.nodes.stereo.rig import Rig  # noqa: E402
from physics_preserver.nodes.stereo.transfer import transfer  # noqa: E402
from physics_preserver.nodes.validation.region import mask_jaccard  # noqa: E402
from vr_scene import Person, RowsRig, StereoScene  # noqa: E402

DISTANCES = (0.7, 1.0, 1.5, 2.0, 3.0)
ANGLES = (0, 30, 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--working", type=int, default=1024)
    parser.add_argument("--frames", type=int, default=2)
    options = parser.parse_args()
    size = options.size, options.size
    print(f"eyes of {options.size} px, worked in at {options.working} px, {options.frames} frames each")
    print("| distance m | off axis | IoU Cassini | S-IoU | IoU rows | s a frame |\n|---|---|---|---|---|---|")
    worst = []
    for distance in DISTANCES:
        for angle in ANGLES:
            scene = StereoScene([Person(distance, angle)], size=size, frames=4 * options.frames)
            rig = Rig(scene.projection, size, options.working)
            rows = RowsRig(scene.projection, size, options.working, nearest=NEAREST / 2)
            values, seconds = [], 0.0
            for t in range(0, 4 * options.frames, 4):
                left, right, masks = scene.view(t, False).image, scene.view(t, True).image, scene.masks(t, False)
                start = time.perf_counter()
                done = transfer(rig, left, right, masks)
                seconds += time.perf_counter() - start
                truth, by_rows = scene.masks(t, True)[0], transfer(rows, left, right, masks).masks[0]
                covers = (rig.to_working(size).cover(mask[0]) for mask in (masks, done.masks))
                agreement = s_iou(rig, done.disparity, *covers)[0]
                values.append((mask_jaccard(done.masks[0], truth), agreement, mask_jaccard(by_rows, truth)))
            mean = np.mean(values, axis=0)
            worst.append(mean)
            cells = [f"{distance:g}", f"{angle}°", *(f"{value:.3f}" for value in mean)]
            print("|", " | ".join([*cells, f"{seconds / options.frames:.2f}"]), "|", flush=True)
    print("| lowest | |", " | ".join(f"{value:.3f}" for value in np.min(worst, axis=0)), "| |")


if __name__ == "__main__":
    main()

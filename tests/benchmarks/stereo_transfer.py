"""Right masks from left masks against the renderer's truth: in Cassini, and along rows of the footage as it is.

    python tests/benchmarks/stereo_transfer.py grid [--size 1024] [--working 1024] [--frames 2]
    python tests/benchmarks/stereo_transfer.py hard

`grid`: one person at each distance and angle off the axis. `hard`: people who cross, cut or thin ones, each by himself.
Half-equirectangular eyes of `--size` px square; the left masks are true ones. The readings, mean of the frames:

- `IoU`: of the right eye's mask as carried over with its exact one, in px of the eye. Nothing is left out.
- `S-IoU`: the reference's definition with the renderer's exact disparity: the true left mask moved to the right eye,
  against the right mask, over what both eyes see, by shares of the sphere.
- `S-IoU est.`: what the pack measures with nothing but the pictures, in the picture worked in.

`truth` is the same reading of the right eye's exact mask: more than that no method can get. `rows` is the same code
with the footage itself as the picture worked in, and twice the disparities allowed: rows are stretched at high
latitudes.
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
from vr_scene import Person, Pole, RowsRig, StereoScene  # noqa: E402

DISTANCES = (0.7, 1.0, 1.5, 2.0, 3.0)
ANGLES = (0, 30, -30, 60, -60)
HARD = {
    "crossing in depth": ((Person(1.0, -8, walks=0.8), Person(2.2, 12, walks=-0.8)), ()),
    "side by side, touching": ((Person(1.2, -9), Person(1.3, 9)), ()),
    "behind a pole": ((Person(1.5, 10),), (Pole(0.9, 12),)),
    "at the frame's edge": ((Person(1.0, 80), Person(1.4, -84)), ()),
    "close, feet near the pole": ((Person(0.45, 20),), ()),
    "far, limbs of 1 to 3 px": ((Person(3.6, -35),), ()),
}
COLUMNS = (
    "IoU", "S-IoU", "S-IoU est.", "truth S-IoU", "truth S-IoU est.", "rows IoU", "rows S-IoU",
)  # fmt: skip


def measure(scene: StereoScene, t: int, working: int) -> tuple[np.ndarray, float]:
    """float [N, COLUMNS] of one frame, and the seconds that carrying took."""
    rig = Rig(scene.projection, scene.size, working)
    by_rows = RowsRig(scene.projection, scene.size, working, nearest=NEAREST / 2)
    left, right, masks = scene.view(t, False).image, scene.view(t, True).image, scene.masks(t, False)
    start = time.perf_counter()
    done = transfer(rig, left, right, masks)
    seconds = time.perf_counter() - start
    rows = transfer(by_rows, left, right, masks).masks
    found = []
    for mask, carried, row, truth in zip(masks, done.masks, rows, scene.masks(t, True), strict=True):
        cover = rig.to_working(scene.size, right=False).cover(mask)
        others = [rig.to_working(scene.size, right=True).cover(each) for each in (carried, truth)]
        estimated = [s_iou(rig, done.disparity, cover, other)[0] for other in others]
        found.append([
            mask_jaccard(carried, truth), scene.s_iou(t, mask, carried), estimated[0],
            scene.s_iou(t, mask, truth), estimated[1], mask_jaccard(row, truth), scene.s_iou(t, mask, row),
        ])  # fmt: skip
    return np.array(found), seconds


def table(scenes: dict[str, StereoScene], every: int, working: int) -> None:
    print("| scene |", " | ".join(COLUMNS), "| s a frame |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    lowest = []
    for name, scene in scenes.items():
        frames = [measure(scene, t, working) for t in range(0, scene.count(), every)]
        means = np.mean([values for values, _ in frames], axis=0)
        for n, mean in enumerate(means):
            label = name if len(means) == 1 else f"{name}: {n + 1}"
            seconds = np.mean([spent for _, spent in frames])
            print(f"| {label} |", " | ".join(f"{value:.3f}" for value in mean), f"| {seconds:.2f} |", flush=True)
            lowest.append(mean)
    print("| lowest |", " | ".join(f"{value:.3f}" for value in np.min(lowest, axis=0)), "| |")


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("what", choices=("grid", "hard"))
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--working", type=int, default=1024)
    parser.add_argument("--frames", type=int, default=2)
    options = parser.parse_args()
    size, every = (options.size, options.size), 4
    print(f"eyes of {options.size} px, worked in at {options.working} px, {options.frames} frames each")
    if options.what == "grid":
        scenes = {
            f"{distance:g} m, {angle}°": StereoScene(
                [Person(distance, angle)], size=size, frames=every * options.frames
            )
            for distance in DISTANCES
            for angle in ANGLES
        }
    else:
        scenes = {
            name: StereoScene(people, poles, size=size, frames=every * options.frames, rate=8)
            for name, (people, poles) in HARD.items()
        }
    table(scenes, every, options.working)


if __name__ == "__main__":
    main()

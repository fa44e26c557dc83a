"""What master-slave costs beside independent eyes, and whether the eyes agree as well.

    python tests/benchmarks/stereo_cost.py time [--config tiny] [--frames 4] [--size 1024] [--people 1]
    python tests/benchmarks/stereo_cost.py agreement [--frames 12] [--size 512]

`time`: SAM 2.1 with random weights tracks one eye or both; as its masks are noise, true ones are carried over. CPU time
of this process on one core; the first frame isn't counted. `agreement`: the embedded tracker on rendered people, from
their true masks on the first frame of each eye it tracks; both ways measured by Stereo Consistency and by the truth.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("stereo", "")]

from physics_preserver.nodes.extraction.embedded import EmbeddedTracker  # noqa: E402
from physics_preserver.nodes.stereo.consistency import measure_agreement  # noqa: E402
from physics_preserver.nodes.stereo.eyes import MasterSlave  # noqa: E402
from physics_preserver.nodes.stereo.rig import Rig  # noqa: E402
from physics_preserver.nodes.validation.region import mask_jaccard  # noqa: E402
from vr_scene import Person, Pole, StereoScene  # noqa: E402

PEOPLE = (Person(1.0, -25), Person(1.8, 20), Person(2.5, 50), Person(0.8, -60))
SCENES = {
    "near": ((Person(0.8, -10),), ()),
    "far": ((Person(2.5, 30),), ()),
    "at the side": ((Person(1.0, -60),), ()),
    "walking": ((Person(1.8, -20, walks=0.8),), ()),
    "three": ((Person(1.0, -40), Person(1.6, 5), Person(2.2, 45)), ()),
    "behind a pole": ((Person(1.5, 10),), (Pole(0.9, 12),)),
}


def compare_time(config: str, frames: int, size: tuple[int, int], people: int) -> None:
    from physics_preserver.nodes.extraction.sam2_model import place
    from physics_preserver.nodes.extraction.sam2_stream import SAM2Stream
    from sam2_nets import official, published, quiet

    with quiet():
        model = place(official(*published(config)), config, "fp32")
    scene = StereoScene(PEOPLE[:people], size=size, frames=frames)
    pictures = [(scene.view(t, False).image, scene.view(t, True).image) for t in range(frames)]
    masks = [scene.masks(t, False) for t in range(frames)]

    def tracked(eye: int) -> list[float]:
        seconds = []
        with SAM2Stream(model, size, people, frames) as stream:
            for n in range(people):
                stream.prompt(0, pictures[0][eye], n, mask=scene.masks(0, bool(eye))[n])
            for t in range(frames):
                began = time.process_time()
                stream.step(t, pictures[t][eye])
                seconds.append(time.process_time() - began)
        return seconds

    eyes = MasterSlave(Rig(scene.projection, size))
    carried = []
    for t in range(frames):
        began = time.process_time()
        eyes.frame(t, *pictures[t], masks[t])
        carried.append(time.process_time() - began)
    left, right = (float(np.mean(tracked(eye)[1:])) for eye in (0, 1))
    over = float(np.mean(carried[1:]))
    print(f"SAM 2.1 {config}, {people} objects, eyes {size[0]} px, s of one core a frame, {frames - 1} frames")
    print("| left | right | independent | carried over | master-slave | share |\n|---|---|---|---|---|---|")
    cells = (left, right, left + right, over, left + over)
    print("|", " | ".join(f"{value:.2f}" for value in cells), f"| {(left + over) / (left + right):.3f} |")


def compare_agreement(frames: int, size: tuple[int, int]) -> None:
    print(f"embedded tracker, eyes {size[0]} px, {frames} frames; IoU is of the right eye with its truth")
    print("| scene | S-IoU independent | master-slave | IoU independent | master-slave |\n|---|---|---|---|---|")
    every = []
    for name, (people, poles) in SCENES.items():
        scene = StereoScene(people, poles, size=size, frames=frames, rate=12)
        rig = Rig(scene.projection, size)
        eyes = MasterSlave(rig)
        trackers = [EmbeddedTracker(scene.view(0, eye).image, scene.masks(0, eye)) for eye in (False, True)]
        rows = []
        for t in range(1, frames):
            left, right = (scene.view(t, eye).image for eye in (False, True))
            ours, theirs = (tracker.step(image)[0] for tracker, image in zip(trackers, (left, right), strict=True))
            carried, truth = eyes.frame(t, left, right, ours).masks, scene.masks(t, True)
            for other in (theirs, carried):
                agreement = measure_agreement(rig, left, right, ours, other).s_iou
                overlap = np.mean([mask_jaccard(a, b) for a, b in zip(other, truth, strict=True)])
                rows.append((np.nanmean(agreement), overlap))
        means = np.array(rows).reshape(-1, 2, 2).mean(axis=0)
        every.append(means)
        print(f"| {name} |", " | ".join(f"{value:.3f}" for value in means.T.ravel()), "|", flush=True)
    print("| mean |", " | ".join(f"{value:.3f}" for value in np.mean(every, axis=0).T.ravel()), "|")


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("what", choices=("time", "agreement"))
    parser.add_argument("--config", default="tiny")
    parser.add_argument("--frames", type=int)
    parser.add_argument("--size", type=int)
    parser.add_argument("--people", type=int, default=1)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.what == "time":
        import torch

        torch.set_num_threads(1)
        size = options.size or 1024
        compare_time(options.config, options.frames or 4, (size, size), options.people)
    else:
        size = options.size or 512
        compare_agreement(options.frames or 12, (size, size))


if __name__ == "__main__":
    main()

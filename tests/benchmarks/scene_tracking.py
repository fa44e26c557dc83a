"""The embedded tracker on the synthetic scene, against its exact truth: before, behind and after the pole.

python tests/benchmarks/scene_tracking.py [--seeds N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from physics_preserver.nodes.demo import render
from physics_preserver.nodes.extraction.tracking import Prompt, track
from physics_preserver.nodes.media.scene import LABELS, STYLES, Scene
from physics_preserver.nodes.media.track import Track
from physics_preserver.nodes.validation.region import jaccard

# Frames of the default scene: rolling up to the pop, in the air until the landing is absorbed, behind the pole, after.
PARTS = {"roll": (1, 30), "air": (30, 52), "pole": (52, 64), "after": (64, 72)}

# px by which a box drawn by hand is too large on every side.
BOX_MARGIN = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="scenes with other textures, the motion is the same")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print(
        f"{'style':10}{'seed':5}{'prompt':8}{'object':12}" + "".join(f"{part:>7}" for part in [*PARTS, "all"]) + "  ms"
    )
    for style in STYLES:
        for seed in range(options.seeds):
            measure_scene(Scene(style=style, seed=seed), style, seed)


def measure_scene(scene: Scene, style: str, seed: int) -> None:
    truth = scene.track()
    prompts = {
        "boxes": [Prompt(label, box=box) for label, box in zip(LABELS, hand_drawn_boxes(truth), strict=True)],
        "masks": [Prompt(label, mask=truth.mask(0, label)) for label in LABELS],
    }
    with tempfile.TemporaryDirectory() as folder:
        clip = render(scene, Path(folder) / "scene.mp4")
        for kind, given in prompts.items():
            start = time.process_time()
            found = track(clip, given)
            spent = 1000 * (time.process_time() - start) / len(found)
            for label in LABELS:
                scores = jaccard(found, truth, label)
                parts = [float(np.mean(scores[a:b])) for a, b in PARTS.values()]
                row = "".join(f"{value:7.2f}" for value in [*parts, float(scores[1:].mean())])
                print(f"{style:10}{seed:<5}{kind:8}{label:12}{row}{spent:4.0f}", flush=True)


def hand_drawn_boxes(truth: Track) -> list[tuple[float, float, float, float]]:
    """Boxes of the first frame as a user draws them: whole px, a little loose."""
    x1, y1, x2, y2 = truth.boxes()[0].T
    loose = np.stack([x1 - BOX_MARGIN, y1 - BOX_MARGIN, x2 + BOX_MARGIN, y2 + BOX_MARGIN], axis=1)
    return [(float(a), float(b), float(c), float(d)) for a, b, c, d in loose]


if __name__ == "__main__":
    main()

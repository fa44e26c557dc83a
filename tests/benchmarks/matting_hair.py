"""A synthetic head of hair with exact alpha: how far from it the trimap alone, the mask, and every method are.

    python tests/benchmarks/matting_hair.py [--size 384] [--pictures FOLDER]

Over the trimap's band: MAD and MSE are means of alpha's error x 1000, Grad and Conn sums / 1000 (see matting/truth.py);
s is CPU time.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from physics_preserver.nodes.matting import truth
from physics_preserver.nodes.matting.closed_form import closed_form_alpha
from physics_preserver.nodes.matting.guided import guided_alpha
from physics_preserver.nodes.media.stills import write_image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "matting"))
from hair import hair


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=384)
    parser.add_argument("--pictures", type=Path, help="a folder to write picture, true alpha and alphas to")
    options = parser.parse_args()
    methods = {
        "trimap alone": lambda scene: np.where(scene.trimap == 128, 0.5, scene.trimap / 255.0).astype(np.float32),
        "mask": lambda scene: scene.mask.astype(np.float32),
        "guided": lambda scene: guided_alpha(scene.image, scene.trimap, scene.mask),
        "closed form": lambda scene: closed_form_alpha(scene.image, scene.trimap, scene.mask),
    }
    closed_form_alpha(hair(32).image, hair(32).trimap)  # compiled at its first call
    print(f"{'ground':8} {'method':14} {'MAD':>8} {'MSE':>8} {'Grad':>8} {'Conn':>8} {'s':>6}")
    for name, busy in (("smooth", 0.0), ("busy", 0.5)):
        scene = hair(options.size, busy=busy)
        band = scene.trimap == 128
        for method, solve in methods.items():
            start = time.process_time()
            alpha = solve(scene)
            took = time.process_time() - start
            measures = (truth.mad, truth.mse, truth.grad, truth.conn)
            figures = [measure(alpha, scene.alpha, band) for measure in measures]
            print(
                f"{name:8} {method:14} " + " ".join(f"{value:8.3f}" for value in figures) + f" {took:6.2f}", flush=True
            )
            if options.pictures:
                options.pictures.mkdir(parents=True, exist_ok=True)
                shown = np.hstack([scene.alpha, alpha])
                sheet = np.hstack([scene.image, np.dstack([np.rint(shown * 255).astype(np.uint8)] * 3)])
                write_image(options.pictures / f"{name}_{method.replace(' ', '_')}.png", sheet)


if __name__ == "__main__":
    main()

"""What cameras do to stereo footage, and what becomes of the transfer and of the check by it.

    python tests/benchmarks/stereo_cameras.py [--size 1024] [--working 1024]

Two people before half-equirectangular eyes of `--size` px; one fault of cameras in each row, the last ones with all of
them. `rows off` is by how many px of the picture worked in the two eyes' rows differ, in the median. The masks of the
left eye are true; readings as in stereo_transfer.py, the worse of the two people; `truth rows` is in how many rows of
the picture worked in only one eye has any of a person, in true masks; `matched` is the share of the left masks that
was matched. Before the slash lenses are taken to be level, after it as `alignment` finds them.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("stereo", "")]

from physics_preserver.nodes.stereo.alignment import Alignment, measure_alignment  # noqa: E402
from physics_preserver.nodes.stereo.consistency import measure_agreement, s_iou  # noqa: E402
from physics_preserver.nodes.stereo.rig import Rig  # noqa: E402
from physics_preserver.nodes.stereo.transfer import transfer  # noqa: E402
from physics_preserver.nodes.validation.region import mask_jaccard  # noqa: E402
from vr_scene import Person, StereoScene  # noqa: E402

PEOPLE = (Person(1.0, -35), Person(2.0, 20))
TURNED = (0.5, 0.3, 0.4)
ALL: dict[str, Any] = {"gains": (1.25, 1.1, 0.95), "turned": TURNED, "noise": 4}
# What of the scene is faulty, and H.265's quality (0: not compressed).
FAULTS: dict[str, tuple[dict[str, Any], int]] = {
    "none": ({}, 0),
    "exposure x1.3": ({"gains": (1.3, 1.3, 1.3)}, 0),
    "exposure x0.6": ({"gains": (0.6, 0.6, 0.6)}, 0),
    "white balance": ({"gains": (1.2, 1.0, 0.8)}, 0),
    "noise 4 levels": ({"noise": 4}, 0),
    "noise 10 levels": ({"noise": 10}, 0),
    "H.265 crf 26": ({}, 26),
    "H.265 crf 34": ({}, 34),
    "right eye up 0.2°": ({"turned": (0, 0.2, 0)}, 0),
    "right eye up 0.5°": ({"turned": (0, 0.5, 0)}, 0),
    "right eye up 1°": ({"turned": (0, 1, 0)}, 0),
    "rolled 0.5°": ({"turned": (0, 0, 0.5)}, 0),
    "rolled 1°": ({"turned": (0, 0, 1)}, 0),
    "toed in 0.5°": ({"turned": (-0.5, 0, 0)}, 0),
    "toed in 1.5°": ({"turned": (-1.5, 0, 0)}, 0),
    "toed out 1°": ({"turned": (1, 0, 0)}, 0),
    "all of them, not compressed": (ALL, 0),
    "all of them, H.265 crf 28": (ALL, 28),
}


def compressed(frames: list[np.ndarray], crf: int) -> list[np.ndarray]:
    """uint8 [H, W, 3] RGB each, as H.265 leaves them."""
    file = BytesIO()
    with av.open(file, "w", "mp4") as out:
        stream = out.add_stream("libx265", Fraction(24), {"crf": str(crf), "x265-params": "log-level=error"})
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as source:
        return [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]


def measure(scene: StereoScene, crf: int, working: int) -> tuple[Alignment, list[list[float]]]:
    """How the lenses stand, and the readings with them as they should stand and as they do."""
    frames = [(scene.view(t, False).image, scene.view(t, True).image) for t in range(scene.count() if crf else 1)]
    if crf:
        frames = [tuple(np.split(both, 2, axis=1)) for both in compressed([np.hstack(eyes) for eyes in frames], crf)]
    t = len(frames) - 1
    left, right = (np.ascontiguousarray(eye) for eye in frames[t])
    masks, truth = scene.masks(t, False), scene.masks(t, True)
    level = Rig(scene.projection, scene.size, working)
    alignment = measure_alignment(level, [(left, right)])
    values = []
    for rig in (level, replace(level, turned=alignment.turned)):
        done = transfer(rig, left, right, masks)
        found = []
        for mask, carried, true in zip(masks, done.masks, truth, strict=True):
            covers = (rig.to_working(scene.size, bool(n)).cover(each) for n, each in enumerate((mask, carried)))
            agreement = s_iou(rig, done.disparity, *covers)[0]
            found.append((mask_jaccard(carried, true), scene.s_iou(t, mask, carried), agreement))
        truly = measure_agreement(rig, left, right, masks, truth)
        values.append([*np.min(found, axis=0).tolist(), truly.s_iou.min(), truly.rows.max(), done.matched.min()])
    return alignment, values


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--working", type=int, default=1024)
    options = parser.parse_args()
    print(f"eyes of {options.size} px, worked in at {options.working} px; each as level lenses / as they stand")
    print("| fault | rows off px | IoU | S-IoU | S-IoU est. | truth S-IoU est. | truth rows | matched |")
    print("|---" * 8 + "|")
    for name, (faults, crf) in FAULTS.items():
        scene = StereoScene(PEOPLE, size=(options.size, options.size), frames=3, **faults)
        alignment, values = measure(scene, crf, options.working)
        cells = [f"{alignment.rows_off:.2f} / {alignment.rows_left:.2f}"]
        for n, (before, after) in enumerate(zip(*values, strict=True)):
            cells.append(f"{before:.0f} / {after:.0f}" if n == 4 else f"{before:.3f} / {after:.3f}")
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()

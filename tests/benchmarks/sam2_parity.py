"""The streaming predictor against the sam2 package's own on a published configuration with random weights, float32.

    python tests/benchmarks/sam2_parity.py [--config tiny] [--image-size 512] [--frames 44]
        [--start 12] [--seed 1] [--device cpu]

Two objects, prompted by a box, a mask and points on three frames; forward from the first of them and backward
from it. The official predictor tracks each object by itself, so each is compared alone first, then both in one batch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from physics_preserver.nodes.extraction.sam2_model import place
from physics_preserver.nodes.extraction.sam2_stream import NO_OBJECT, SAM2Stream
from sam2_nets import Ask, official, official_pass, official_state, published, scene, write_frames

SIZE = (480, 854)


def asks(start: int, frames: int) -> list[Ask]:
    """A box and a mask on frame `start`, points 13 and 18 frames later as far as the clip goes."""
    mask = np.zeros(SIZE, bool)
    mask[50:120, 320:480] = True
    every = [
        Ask(start, 0, box=(160, 150, 427, 400)),
        Ask(start, 1, mask=mask),
        Ask(start + 13, 1, points=[[370, 100], [53, 50]], positive=[True, False]),
        Ask(start + 18, 0, points=[[370, 250]], positive=[True]),
    ]
    return [ask for ask in every if ask.t < frames]


def run(model, images: list[np.ndarray], prompts: list[Ask], objects: set[int], start: int):
    """Both passes of the stream: {t: float32 [N, h, w]} twice, and the scores of the forward pass."""
    scores = []
    with SAM2Stream(model, SIZE, 2, len(images)) as stream:
        for ask in prompts:
            if ask.obj in objects:
                stream.prompt(
                    ask.t, images[ask.t], ask.obj,
                    points=ask.points, positive=ask.positive, box=ask.box, mask=ask.mask,
                )  # fmt: skip
        forward = {}
        for t in range(start, len(images)):
            forward[t], score = stream.step(t, images[t])
            scores.append(score)
        backward = {t: stream.step(t, images[t], reverse=True)[0] for t in range(start, -1, -1)}
    return forward, backward, np.array(scores)


def differences(found: dict, expected: dict, rows: list[int]) -> list[float]:
    assert found.keys() == expected.keys()
    return [float(np.abs(found[t][rows] - expected[t][rows]).max()) for t in expected]


def other_side(found: dict, expected: dict, rows: list[int]) -> str:
    """How many pixels of the low-resolution masks are inside in one and outside in the other."""
    differ = sum(int(((found[t][rows] > 0) != (expected[t][rows] > 0)).sum()) for t in expected)
    return f"{differ} of {sum(expected[t][rows].size for t in expected)} mask pixels differ"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="tiny", help="tiny, small, base_plus or large of SAM 2.1")
    parser.add_argument("--image-size", type=int, default=512, help="the published size is 1024")
    parser.add_argument("--frames", type=int, default=44)
    parser.add_argument("--start", type=int, default=12, help="the first prompted frame")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()

    prompts = asks(options.start, options.frames)
    net = official(*published(options.config, options.image_size), seed=options.seed).to(options.device)
    with tempfile.TemporaryDirectory() as folder:
        images = write_frames(scene(options.frames, SIZE), Path(folder))
        began = time.process_time()
        state = official_state(net, Path(folder), prompts)
        forward = official_pass(net, state, options.start)
        backward = official_pass(net, state, options.start, reverse=True)
        spent = time.process_time() - began
        del state
    shown = np.array([[(row > 0).mean() for row in forward[t]] for t in forward])
    visible = np.concatenate([rows[rows > NO_OBJECT] for rows in forward.values()])
    print(f"SAM 2.1 {options.config} at {options.image_size} px, {options.frames} frames, seed {options.seed}")
    print(
        f"official: logits {visible.min():.1f} .. {visible.max():.1f}; area of the frame {shown.min(0)} .. "
        f"{shown.max(0)}; hidden on {(shown == 0).sum(0)} of {len(forward)} frames; {spent:.0f} s",
        flush=True,
    )
    model = place(net, options.config, "fp32")
    for name, objects in (("object 0 alone", {0}), ("object 1 alone", {1}), ("both in one batch", {0, 1})):
        began = time.process_time()
        ours_forward, ours_backward, _ = run(model, images, prompts, objects, options.start)
        ahead = differences(ours_forward, forward, sorted(objects))
        back = differences(ours_backward, backward, sorted(objects))
        differ = other_side(ours_forward, forward, sorted(objects))
        print(
            f"{name}: largest difference {max(ahead):.3g} forward, {max(back):.3g} backward; first tracked frame "
            f"{ahead[1]:.3g}; {differ}; {time.process_time() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()

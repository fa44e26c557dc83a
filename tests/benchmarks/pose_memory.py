"""Peak memory of estimating and drawing poses over clips of different lengths, and the time of what is not the model.

Run: python tests/benchmarks/pose_memory.py
The clip is 1280x720 noise that is made frame by frame; the pose model is the tests' own, 256x192, which has no weights;
memory and time are mostly its and the encoder's.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
from physics_preserver.nodes.extraction.pose import estimate_poses
from physics_preserver.nodes.extraction.pose_model import PoseModel
from physics_preserver.nodes.media.clip import Clip, Frame
from physics_preserver.nodes.media.draw_pose import write_pose_video
from physics_preserver.nodes.media.track import TrackBuilder

SIZE = (720, 1280)
LENGTHS = (100, 800)


class Noise(Clip):
    """Frames out of a generator; none is kept."""

    name, rate, time_base, warnings = "noise", Fraction(24), Fraction(1, 24), []
    height, width = SIZE

    def __init__(self, frames: int):
        self._frames = frames

    def read(self, start: int = 0):
        rng = np.random.default_rng(0)
        for index in range(start, self._frames):
            yield Frame(index, index / self.rate, rng.integers(0, 255, (*SIZE, 3), np.uint8))

    def count(self) -> int:
        return self._frames


def run(frames: int, folder: Path) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from onnx_nets import save_pose

    model = PoseModel(save_pose(folder / "tiny.onnx", (256, 192)), threads=1)
    builder = TrackBuilder(("person",), SIZE, Fraction(24))
    mask = np.zeros((1, *SIZE), bool)
    mask[0, 100:600, 500:800] = True
    for _ in range(frames):
        builder.append(mask, np.ones(1))
    start = time.process_time()
    poses = estimate_poses(Noise(frames), builder.finish(), model, batch=1)
    estimated = time.process_time()
    write_pose_video(folder / "drawn.mp4", [[points] for points in poses.keypoints], SIZE, SIZE)
    drawn = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    each = (estimated - start) / frames * 1000, (drawn - estimated) / frames * 1000
    print(f"| {frames} | {peak:.0f} | {each[0]:.1f} | {each[1]:.1f} |")


def main() -> None:
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as folder:
            run(int(sys.argv[1]), Path(folder))
        return
    print(
        "| frames | peak MB | estimating, ms a frame | drawing and writing, ms a frame |\n|---|---|---|---|", flush=True
    )
    for frames in LENGTHS:
        subprocess.run([sys.executable, __file__, str(frames)], check=True)


if __name__ == "__main__":
    main()

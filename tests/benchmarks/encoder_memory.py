"""What writing each format costs: the peak memory of a process of its own, and the time of a frame.

python tests/benchmarks/encoder_memory.py [--size 6144x3072] [--frames 30] [FORMAT ...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

from physics_preserver.nodes.matting.encodings import ENCODINGS

NOTHING = "nothing"


def write(name: str, width: int, height: int, frames: int, folder: Path) -> None:
    """Write a soft disc before a texture that moves by 8 px a frame, and print what it took."""
    import numpy as np
    from physics_preserver.nodes.matting.joining import SegmentWriter
    from physics_preserver.nodes.matting.profile import peak_ram

    noise = np.random.default_rng(0).integers(0, 255, (height // 16, width // 16, 3), np.uint8)
    image = noise.repeat(16, axis=0).repeat(16, axis=1)
    y, x = np.ogrid[:height, :width]
    alpha = np.clip((height / 3 - np.hypot(x - width / 2, y - height / 2)) / 40, 0, 1).astype(np.float32)
    file = folder / f"x{ENCODINGS[name].suffix if name != NOTHING else ''}"
    place = nullcontext() if name == NOTHING else SegmentWriter(file, ENCODINGS[name], (height, width), Fraction(30))
    start = time.perf_counter()
    with place as segment:
        for t in range(frames):
            picture = np.roll(image, 8 * t, axis=1), np.roll(alpha, 8 * t, axis=1)
            if segment is not None:
                segment.write(*picture, (0, 255, 0))
    took, done = time.perf_counter() - start, None if name == NOTHING else file.stat().st_size
    print(json.dumps({"peak": peak_ram(), "seconds": took / frames, "bytes": done}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="6144x3072")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("formats", nargs="*", default=[NOTHING, *ENCODINGS])
    options = parser.parse_args()
    print(f"{'format':12} {'peak MB':>8} {'s/frame':>8} {'MB/frame':>9}", flush=True)
    for name in options.formats:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--write", name, options.size, str(options.frames), folder]
            done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"{name:12} {done.stderr.strip().splitlines()[-1:]}", flush=True)
            continue
        told = json.loads(done.stdout.splitlines()[-1])
        size = "" if told["bytes"] is None else f"{told['bytes'] / options.frames / 1e6:9.2f}"
        print(f"{name:12} {told['peak'] / 2**20:8.0f} {told['seconds']:8.2f} {size}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        width, height = map(int, sys.argv[3].split("x"))
        write(sys.argv[2], width, height, int(sys.argv[4]), Path(sys.argv[5]))
    else:
        main()

"""Does the memory of a VR180 matte grow with the clip? Prints the peak of each clip's own process.

    python tests/benchmarks/matte_memory.py [--frames 30 120 480] [--eye 3072] [--scale 0.25] [--folder DIR]

Clips are the stereo renderer's, side by side, half-equirectangular: two moving people in a textured room. The first 12
frames are rendered and played to and fro, as rendering takes longer than matting. With --folder clips are kept there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/stereo")]

RENDERED = 12


def make_clip(file: Path, frames: int, eye: int) -> None:
    """Write a clip, and the left eye's masks on its first frame beside it."""
    import cv2
    from physics_preserver.nodes.media.writer import VideoWriter
    from vr_scene import Person, StereoScene

    scene = StereoScene([Person(1.5, -20), Person(2.5, 30)], size=(eye, eye), frames=RENDERED)
    images = [frame.image for frame in scene]
    order = [*range(RENDERED), *range(RENDERED - 2, 0, -1)]
    with VideoWriter(file, 2 * eye, eye, scene.rate, crf=20) as video:
        for t in range(frames):
            video.write(images[order[t % len(order)]])
    for n, mask in enumerate(scene.masks(0, False)):
        cv2.imwrite(str(file.with_name(f"person{n}.png")), mask.astype("uint8") * 255)


def matte(file: Path, out: Path, scale: float) -> dict:
    """Run the command on a clip in a process of its own; its summary."""
    arguments = [
        *("matte", str(file), "--out", str(out), "--stereo", "sbs", "--scale", str(scale), "--chunk", "60"),
        *("--formats", "grey-ffv1", "--qc-every", "0", "--json"),
        *("--masks", *(f"person{n}={file.with_name(f'person{n}.png')}" for n in range(2))),
    ]
    done = subprocess.run([sys.executable, "-m", "physics_preserver", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[30, 120, 480])
    parser.add_argument("--eye", type=int, default=3072)
    parser.add_argument("--scale", type=float, default=0.25)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print("frames  peak MB  s/frame  seconds by stage", flush=True)
        for frames in options.frames:
            clip = folder / f"vr_{options.eye}_{frames}.mp4"
            if not clip.exists():
                subprocess.run(
                    [sys.executable, __file__, "--make", str(clip), str(frames), str(options.eye)], check=True
                )
            with tempfile.TemporaryDirectory(dir=folder) as out:
                profile = matte(clip, Path(out) / "out", options.scale)["profile"]
            stages = {name: round(spent, 1) for name, spent in profile["seconds"].items() if spent >= 0.1}
            print(
                f"{frames:6d}  {profile['peak_ram_mb']:7d}  {1 / profile['frames_per_second']:7.2f}  {stages}",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--make"]:
        make_clip(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()

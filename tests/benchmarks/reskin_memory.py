"""Does the memory of a ComfyUI server grow with the windows of Reskin Long Clip?

    python tests/benchmarks/reskin_memory.py [--frames 600] [--window 21] [--overlap 6] [--width 832] [--height 480]

Runs a real ComfyUI, whose cache keeps every output of a run, on the CPU. In place of network and VAE it has
tests/host/stub_generator, so that a window takes a second and everything else has its real size. Prints the server's
resident memory (/proc, so Linux only) after each window, and how it changed from the second window to the last. Needs
what the host tests need.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from comfyui import TEST_PACKS, Server, find_comfyui
from graphs import Graph, load, node, write_clip
from physics_preserver.nodes.media.scene import Scene
from tiny_wan import loaders, save_tiny_wan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("frames", 600), ("window", 21), ("overlap", 6), ("width", 832), ("height", 480)):
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    comfyui = find_comfyui()
    if comfyui is None:
        sys.exit("no ComfyUI here: COMFYUI_PATH can name one")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        save_tiny_wan(base / "models")
        (base / "input").mkdir()
        write_clip(base / "input" / "long.mp4", Scene(asked.width, asked.height, asked.frames, exposures=1))
        server = Server(comfyui, base, TEST_PACKS)
        try:
            show(*watch(server, graph(asked)))
        finally:
            server.stop()


def graph(asked: argparse.Namespace) -> Graph:
    size = {"width": asked.width, "height": asked.height}
    links = {"clip": ["clip", 0], "track": ["track", 0], "model": ["stub", 0], "vae": ["stub", 1]}
    prompt = {"positive": ["positive", 0], "negative": ["negative", 0]}
    choices = {"repaint": "object", "guide": "nothing", "shape": "tight", "grow": 0, "latent_aligned": False}
    sampling = {"seed": 0, "steps": 1, "cfg": 1.0, "sampler_name": "euler", "scheduler": "simple", "strength": 1.0}
    windows = {"window": asked.window, "overlap": asked.overlap, "filename_prefix": "memory"}
    return {
        **loaders(),
        "clip": load("long.mp4"),
        "track": node("TEST_CoreTrack", frames=asked.frames, **size),
        "stub": node("TEST_StubGenerator", model=["model", 0], seed=1, start=0, stop=0, px=0),
        "reskin": node("PP_ReskinLongClip", **links, **prompt, **choices, **sampling, **size, **windows),
    }


def watch(server: Server, workflow: Graph) -> tuple[list[float], float]:
    """MiB resident after each window, and the most at any time."""
    prompt, after, most = server.submit(workflow), [], 0.0
    while prompt not in server.get(f"/history/{prompt}"):
        now = resident(server.pid)
        most = max(most, now)
        if len(re.findall(r"Reskin Long Clip: window \d+ of", server.log)) > len(after):
            after.append(now)
        time.sleep(0.05)
    server.wait(prompt)
    return after, most


def resident(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def show(after: list[float], most: float) -> None:
    print("window  MiB resident after it")
    for number, value in enumerate(after, start=1):
        print(f"{number:6d}  {value:8.0f}")
    print(f"most at any time: {most:.0f} MiB")
    if len(after) > 2:
        grown = after[-1] - after[1]
        print(f"from window 2 to {len(after)}: {grown:+.0f} MiB, {grown / (len(after) - 2):+.2f} MiB a window")


if __name__ == "__main__":
    main()

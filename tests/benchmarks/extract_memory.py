"""Peak memory of `extract` on a clip repeated to several lengths, and where its time goes per frame.

    python tests/benchmarks/extract_memory.py CLIP [--seconds 60 600] [--detector yolox.onnx]

Every length runs in a process of its own, so that one peak can't hide the other. Needs Linux or macOS.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import av


def repeated(clip: Path, seconds: float, target: Path) -> None:
    """The clip's packets again and again, without re-encoding, until they last `seconds`."""
    with av.open(str(target), "w") as out:
        stream, shift = None, 0
        while True:
            with av.open(str(clip)) as source:
                video = source.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                length = round(1 / video.average_rate / video.time_base)
                end = 0
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    end = max(end, packet.pts + length)
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    out.mux(packet)
                shift += end
                if shift * video.time_base >= seconds:
                    return


def run(clip: Path, detector: str | None) -> None:
    """Extract once in this process, timing each stage; prints one JSON object."""
    from physics_preserver.nodes import commands
    from physics_preserver.nodes.cli import build_parser
    from physics_preserver.nodes.extraction import extract as stage

    spent: dict[str, float] = defaultdict(float)

    def timed(name: str, function):
        def call(*args, **kwargs):
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent[name] += time.perf_counter() - start

        return call

    stage.find_subjects = timed("find the pair", stage.find_subjects)
    stage.track = timed("track", stage.track)
    stage.camera_motion = timed("camera motion", stage.camera_motion)
    stage.relate = timed("relations", stage.relate)
    commands.write_physics = timed("write", commands.write_physics)
    commands.run_extraction = timed("all of the extraction", commands.run_extraction)
    with tempfile.TemporaryDirectory(dir=clip.parent) as folder:
        arguments = ["extract", str(clip), "--out", f"{folder}/out", *(["--detector", detector] if detector else [])]
        options = build_parser().parse_args(arguments)
        frames = commands.extract(options).data["frames"]
    spent["check the file"] = spent.pop("all of the extraction") - sum(
        spent[name] for name in ("find the pair", "track", "camera motion", "relations")
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20)
    print(json.dumps({"frames": frames, "peak_mb": peak, "ms": {k: 1000 * s / frames for k, s in spent.items()}}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--seconds", type=float, nargs="+", default=[60, 600])
    parser.add_argument("--detector")
    parser.add_argument("--once", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        run(options.clip, options.detector)
        return
    print(f"{'seconds':>8} {'frames':>7} {'peak MB':>8}   ms per frame")
    for seconds in options.seconds:
        with tempfile.TemporaryDirectory() as folder:
            long = Path(folder) / "long.mp4"
            repeated(options.clip, seconds, long)
            command = [sys.executable, __file__, str(long), "--once"]
            command += ["--detector", options.detector] if options.detector else []
            result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.splitlines()[-1])
        stages = ", ".join(f"{name} {ms:.1f}" for name, ms in result["ms"].items())
        print(f"{seconds:8.0f} {result['frames']:7d} {result['peak_mb']:8.0f}   {stages}", flush=True)


if __name__ == "__main__":
    main()

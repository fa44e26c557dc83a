"""Scene cuts: false ones on real clips as they are and made harder, and found ones where two clips are joined.

    python tests/benchmarks/cuts.py DATA

DATA has clips/*.mp4 and davis/<sequence>/frames. None of them has a cut, so every cut found inside one is false.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from physics_preserver.nodes.extraction import shots
from physics_preserver.nodes.extraction.shots import Shots
from physics_preserver.nodes.media.clip import Clip
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.stills import ArrayClip

Frames = list[np.ndarray]
# Frames on either side of a join.
SIDE = 30


def thumbnails(clip: Clip) -> Frames:
    """Frames at the size in which cuts are looked for, uint8 [144, 256, 3]."""
    return [cv2.resize(frame.image, (256, 144), interpolation=cv2.INTER_AREA) for frame in clip]


def faster(images: Frames) -> Frames:
    return images[::6]


def shaken(images: Frames) -> Frames:
    """Each frame moved by 5 % of the width or so, at random."""
    rng = np.random.default_rng(0)
    moves = [np.array([[1, 0, dx], [0, 1, dy]]) for dx, dy in rng.normal(0, 12, (len(images), 2))]
    return [cv2.warpAffine(image, move, (256, 144), borderMode=cv2.BORDER_REFLECT)
            for image, move in zip(images, moves, strict=True)]  # fmt: skip


def panned(images: Frames) -> Frames:
    """A whip pan: 8 % of the width a frame."""
    return [np.roll(image, 20 * t, axis=1) for t, image in enumerate(images)]


def flashed(images: Frames, long: int = 1) -> Frames:
    """A flash of so many frames in every 25."""
    return [np.clip(image.astype(int) + 90 * (10 <= t % 25 < 10 + long), 0, 255).astype(np.uint8)
            for t, image in enumerate(images)]  # fmt: skip


def passed_by(images: Frames) -> Frames:
    """Something dark, half as wide as the picture, that goes by the camera again and again."""
    columns = np.arange(256)
    return [np.where((np.abs(columns - (30 * t) % 600 + 50) < 60)[None, :, None], np.uint8(10), image)
            for t, image in enumerate(images)]  # fmt: skip


HARDER: dict[str, Callable[[Frames], Frames]] = {
    "as it is": list,
    "six times as fast": faster,
    "shaken": shaken,
    "whip pan": panned,
    "flashes of 1 frame": flashed,
    "flashes of 2 frames": lambda images: flashed(images, 2),
    "passed by": passed_by,
}


def cuts(images: Frames) -> list[int]:
    found = Shots(ArrayClip(np.stack(images), Fraction(24)))
    found.look_until(len(images))
    return found.cuts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    cv2.setNumThreads(1)
    sources = [*sorted((data / "clips").glob("*.mp4")), *sorted((data / "davis").glob("*/frames"))]
    clips = {
        source.stem if source.is_file() else source.parent.name: thumbnails(open_clip(source)) for source in sources
    }
    clips["scene"] = thumbnails(Scene(exposures=2))
    print(f"{len(clips)} clips, {sum(map(len, clips.values()))} frames; AdaptiveDetector {shots.RATIO}, {shots.LEAST}")
    start, frames = time.process_time(), 0
    for name, change in HARDER.items():
        changed = [change(images) for images in clips.values()]
        frames += sum(map(len, changed))
        print(
            f"{name:22} false cuts: {sum(len(cuts(images)) for images in changed)} in {sum(map(len, changed))} frames"
        )
    print(f"{1000 * (time.process_time() - start) / frames:.2f} ms a frame, changes included")
    joins = [(a, b, cuts(clips[a][:SIDE] + clips[b][-SIDE:])) for a, b in itertools.permutations(clips, 2)]
    missed = [f"{a} to {b}" for a, b, found in joins if SIDE not in found]
    print(
        f"joins of two clips: {len(joins) - len(missed)} of {len(joins)} found; missed: {', '.join(missed) or 'none'}"
    )
    print(f"false cuts beside them: {sum(cut != SIDE for _, _, found in joins for cut in found)}")
    jumps = [SIDE // 2 in cuts(images[: SIDE // 2] + images[-SIDE // 2 :]) for images in clips.values()]
    print(f"jumps from a clip's start to its end: {sum(jumps)} of {len(jumps)} taken for cuts")


if __name__ == "__main__":
    main()

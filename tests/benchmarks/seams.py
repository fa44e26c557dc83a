"""Where windows and repaired ranges meet, on real clips: when a fade would ghost, and how far a seam jumps.

    python tests/benchmarks/seams.py DATA

DATA has davis/<sequence>/frames and masks, and clips/*.mp4. The first table is what `seams.join` decides by: of ten
frames that two windows share, the worst one's share of blocks that show something else, in %, for what a model might
give back of them. "fade": largest of all clips and places; "cut": smallest. The second is what a repaired range of 21
frames does at its two ends: the mean change of a pixel between the frames on both sides of the seam, of 255, and the
clip's own change from frame to frame there; as the model gave it, and with `ends.Ends`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from physics_preserver.nodes.conditioning.ends import Ends, likeness
from physics_preserver.nodes.conditioning.seams import GHOST_SHARE, join
from physics_preserver.nodes.media.exchange import read_mask
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.stills import ArrayClip, natural_order

SHARED, RANGE, SIZE = 10, 21, (832, 468)

Clip = tuple[str, np.ndarray, np.ndarray | None]


def clips(data: Path) -> Iterator[Clip]:
    """(name, frames uint8 [T, H, W, 3], masks of the main object bool [T, H, W])."""
    for masks in sorted((data / "davis").glob("*/masks")):
        if (masks.parent / "frames").is_dir():
            frames = np.stack([frame.image for frame in open_clip(masks.parent / "frames")])
            yield masks.parent.name, frames, np.stack([read_mask(file) for file in natural_order(masks)])
    for file in sorted((data / "clips").glob("*.mp4")):
        yield file.stem, np.stack([cv2.resize(frame.image, SIZE, interpolation=cv2.INTER_AREA)
                                   for frame in open_clip(file)]), None  # fmt: skip


def decoded(
    image: np.ndarray, blur: float = 1.0, gain: float = 1.0, offset: tuple[float, ...] = (0, 0, 0)
) -> np.ndarray:
    """As a VAE gives it back: 33 dB from the original at blur 1."""
    random = np.random.default_rng(int(image[::16, ::16].sum()))
    made = cv2.GaussianBlur(image, (0, 0), blur) * np.float32(gain) + np.asarray(offset, np.float32)
    return np.clip(np.rint(made + random.normal(0, 2, image.shape)), 0, 255).astype(np.uint8)


def moved(image: np.ndarray, px: int, mask: np.ndarray | None = None) -> np.ndarray:
    """The picture, or what the mask covers of it, `px` to the right."""
    there = np.roll(image, px, axis=1)
    return there if mask is None else np.where(np.roll(mask, px, axis=1)[..., None], there, image)


def given_back(frames: np.ndarray, masks: np.ndarray | None, t: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    own = frames[t : t + SHARED]
    yield "fade: the same", list(own)
    for blur in (0.7, 1.0, 1.5):
        yield f"fade: decoded, blur {blur} px", [decoded(image, blur) for image in own]
    yield "fade: and 8 levels off", [decoded(image, offset=(8, -8, 4)) for image in own]
    yield "fade: and a tenth brighter", [decoded(image, gain=1.1) for image in own]
    yield "fade: and a fifth brighter", [decoded(image, gain=1.2) for image in own]
    for px in (1, 2, 4):
        yield f"cut?: all displaced by {px} px", [decoded(moved(image, px)) for image in own]
    if masks is not None:
        for px in (2, 4, 8, 16):
            made = [decoded(moved(image, px, masks[t + n])) for n, image in enumerate(own)]
            yield f"cut: object displaced by {px} px", made
    for lag in (2, 4):
        yield f"cut: {lag} frames late", [decoded(image) for image in frames[t + lag : t + lag + SHARED]]


def decisions(found: list[Clip]) -> None:
    shares: dict[str, list[float]] = {}
    for _, frames, masks in found:
        for t in (2, len(frames) // 2):
            for what, made in given_back(frames, masks, t):
                shares.setdefault(what, []).append(join(list(frames[t : t + SHARED]), made)[1].ghosts * 100)
    print(f"more than {GHOST_SHARE:.1%} is cut")
    print(f"{'given back':<32} {'places':>6} {'least':>6} {'median':>6} {'most':>6} {'cut':>4}")
    for what, values in shares.items():
        cuts = sum(value > GHOST_SHARE * 100 for value in values)
        least, median, most = (float(of(values)) for of in (np.min, np.median, np.max))
        print(f"{what:<32} {len(values):>6} {least:>6.2f} {median:>6.2f} {most:>6.2f} {cuts:>4}")


def shots(found: list[Clip]) -> None:
    """How blocks of neighbouring frames go together, and those of different clips, as in `ends.likeness`."""
    places = [(frames[t], frames[t + 1]) for _, frames, _ in found for t in range(0, len(frames) - 1, 4)]
    within = [likeness(*pair) for pair in places]
    firsts = [cv2.resize(frames[0], SIZE) for _, frames, _ in found]
    across = [likeness(a, b) for n, a in enumerate(firsts) for b in firsts[:n]]
    least, most = np.quantile(within, 0.02), max(across)
    print(f"\nneighbouring frames' r: over {least:.2f} on all but 2 %; of different clips: up to {most:.2f}")


def jump(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(np.int16) - b).mean())


def ends(found: list[Clip]) -> None:
    """The clip itself, decoded, stands for what was generated; the range is decoded from the source once more."""
    print(f"\n{'clip':<16} {'range':<28} {'own':>6} {'as made':>8} {'with Ends':>10}")
    made_so: dict[str, dict[str, Any]] = {
        "as it was": {},
        "6, -4, 5 levels off": {"offset": (6, -4, 5)},
        "a tenth brighter": {"gain": 1.1},
    }
    for name, frames, _ in found:
        start = len(frames) // 2 - RANGE // 2
        stop = start + RANGE
        clip = np.stack([decoded(image) for image in frames[start - 4 : stop + 4]])
        own = np.median([jump(clip[t], clip[t + 1]) for t in range(len(clip) - 1)])
        for what, off in made_so.items():
            made = [decoded(image, blur=1.2, **off) for image in frames[start:stop]]
            after = Ends(ArrayClip(clip, Fraction(24)), 4, 4 + RANGE, len(clip)).meet(made, 4, last=True)
            rows = [(jump(clip[3], one[0]) + jump(one[-1], clip[4 + RANGE])) / 2 for one in (made, after)]
            print(f"{name:<16} {what:<28} {own:>6.2f} {rows[0]:>8.2f} {rows[1]:>10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    cv2.setNumThreads(1)
    found = list(clips(parser.parse_args().data))
    decisions(found)
    shots(found)
    ends(found)


if __name__ == "__main__":
    main()

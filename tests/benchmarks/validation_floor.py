"""What a threshold of J can tell apart: the tracker against itself on restyled clips, and true masks that come late.

    python tests/benchmarks/validation_floor.py DATA/davis [--sequences breakdance …]

A faithful restyle should leave few frames below the threshold, a late motion many. Prints one row per clip and change.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from physics_preserver.nodes.extraction.tracking import track_masks
from physics_preserver.nodes.media.exchange import read_mask
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.validation.boundary import boundary_f
from physics_preserver.nodes.validation.region import jaccard
from physics_preserver.nodes.validation.variants import recoloured

SEQUENCES = ("breakdance", "scooter-black", "motocross-jump", "kite-surf")
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
FRAMES = 50
RATE = Fraction(24)


def painted(image: np.ndarray) -> np.ndarray:
    """Texture smoothed away, eight tones per channel left; uint8 [H, W, 3] RGB in and out."""
    return cv2.bilateralFilter(image, 9, 60, 9) // 32 * 32 + 16


def shifted(track: Track, frames: int) -> tuple[Track, Track]:
    """The track from `frames` on, and the same many frames late."""
    pair = TrackBuilder(track.labels, track.mask_size, RATE), TrackBuilder(track.labels, track.mask_size, RATE)
    for t in range(frames, len(track)):
        pair[0].append(track.masks(t), track.scores[t])
        pair[1].append(track.masks(t - frames), track.scores[t - frames])
    return pair[0].finish(), pair[1].finish()


def row(sequence: str, change: str, a: Track, b: Track, first: int = 0) -> str:
    j, f = jaccard(a, b, "object")[first:], boundary_f(a, b, "object")[first:]
    shares = " | ".join(f"{(j < threshold).mean():.0%}" for threshold in THRESHOLDS)
    return f"| {sequence} | {change} | {j.mean():.3f} | {f.mean():.3f} | {shares} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("davis", type=Path, help="folder of sequences, each with frames/ and masks/")
    parser.add_argument(
        "--sequences", nargs="+", default=["breakdance", "scooter-black", "motocross-jump", "kite-surf"]
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print("| sequence | change | mean J | mean F |", " | ".join(f"J < {t}" for t in THRESHOLDS), "|")
    print("|---" * (4 + len(THRESHOLDS)) + "|")
    for sequence in options.sequences:
        images = np.stack([frame.image for frame in open_clip(options.davis / sequence / "frames", stop=FRAMES)])
        builder = TrackBuilder(("object",), images.shape[1:3], RATE)
        for file in sorted((options.davis / sequence / "masks").glob("*.png"))[: len(images)]:
            builder.append(read_mask(file)[None], np.ones(1))
        truth = builder.finish()
        prompt = {"object": truth.mask(0, "object")}
        original = track_masks(ArrayClip(images, RATE), prompt, 0)
        for change in (recoloured, painted):
            restyled = ArrayClip(np.stack([change(image) for image in images]), RATE)
            print(row(sequence, change.__name__, original, track_masks(restyled, prompt, 0), first=1), flush=True)
        for late in (3, 6):
            print(row(sequence, f"truth {late} frames late", *shifted(truth, late)), flush=True)


if __name__ == "__main__":
    main()

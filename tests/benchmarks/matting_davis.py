"""Boundary F of tracks before and after refining, on DAVIS 2016 sequences, at DAVIS' tolerance and at 2 px.

    python tests/benchmarks/matting_davis.py [FOLDER] [--methods guided …] [--every 4] [--band 6]

Each sequence is followed by the embedded tracker from the first frame's mask; besides, its true masks are disturbed as
masks of networks are: made a quarter of the size and enlarged again, wobbled by 3 px, grown by 3 px. Alpha >= .5 is
judged against the true mask (which is binary, so that thin blur counts against either).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from davis_tracker import read, sequences
from physics_preserver.nodes.extraction.embedded import EmbeddedTracker
from physics_preserver.nodes.matting.refine import open_refiner
from physics_preserver.nodes.matting.trimap import from_mask
from physics_preserver.nodes.validation.boundary import mask_boundary_f
from physics_preserver.nodes.validation.region import mask_jaccard

ROOT = Path(__file__).resolve().parents[2]


def tracked(images: list[np.ndarray], truth: list[np.ndarray]) -> list[np.ndarray]:
    tracker = EmbeddedTracker(images[0], truth[0][None])
    return [truth[0], *(tracker.step(image)[0][0] for image in images[1:])]


def quartered(mask: np.ndarray) -> np.ndarray:
    height, width = mask.shape
    small = cv2.resize(mask.astype(np.float32), (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), 0.7), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5


def wobbled(mask: np.ndarray, px: float = 3) -> np.ndarray:
    random = np.random.default_rng(0)
    waves = [cv2.GaussianBlur(random.standard_normal(mask.shape).astype(np.float32), (0, 0), 12) for _ in range(2)]
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    dx, dy = (wave / wave.std() * px / 2**0.5 for wave in waves)
    return cv2.remap(mask.astype(np.float32), x + dx, y + dy, cv2.INTER_LINEAR) > 0.5


def grown(mask: np.ndarray, px: float = 3) -> np.ndarray:
    return cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= px


def score(masks: list[np.ndarray], truth: list[np.ndarray]) -> tuple[float, float, float]:
    """J, F at DAVIS' tolerance, F at 2 px; first and last frame are left out by the caller."""
    pairs = list(zip(masks, truth, strict=True))
    return (
        float(np.mean([mask_jaccard(a, b) for a, b in pairs])),
        float(np.mean([mask_boundary_f(a, b) for a, b in pairs])),
        float(np.mean([mask_boundary_f(a, b, 2.0) for a, b in pairs])),
    )


def inputs(
    images: list[np.ndarray], truth: list[np.ndarray], every: int
) -> Iterator[tuple[str, dict[int, np.ndarray]]]:
    chosen = range(1, len(truth) - 1, every)
    followed = tracked(images, truth)
    yield "tracked", {t: followed[t] for t in chosen}
    for name, disturb in (("quarter size", quartered), ("wobbled 3 px", wobbled), ("grown 3 px", grown)):
        yield name, {t: disturb(truth[t]) for t in chosen}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("PHYSICS_PRESERVER_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("folder", nargs="?", type=Path, default=data / "davis")
    parser.add_argument("--sequences", nargs="*")
    parser.add_argument("--methods", nargs="*", default=["guided"])
    parser.add_argument("--every", type=int, default=4, help="judge every n-th frame")
    parser.add_argument("--band", type=float, default=6.0, help="px of the trimap's band, either side")
    options = parser.parse_args()
    header = f"{'sequence':16} {'mask':14} {'method':12} {'J':>6} {'F':>6} {'F 2px':>6}"
    print(header)
    rows: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for name, pictures, files in sequences(options.folder):
        if options.sequences and name not in options.sequences:
            continue
        images, truth = read(pictures, files)
        for kind, masks in inputs(images, truth, options.every):
            true = [truth[t] for t in masks]
            results = {"(mask)": list(masks.values())}
            for method in options.methods:
                with open_refiner(method) as refiner:
                    results[method] = [
                        refiner.refine(images[t], from_mask(mask, options.band, options.band), mask) >= 0.5
                        for t, mask in masks.items()
                    ]
            for method, found in results.items():
                figures = score(found, true)
                rows.setdefault((kind, method), []).append(figures)
                print(f"{name:16} {kind:14} {method:12} " + " ".join(f"{value:6.3f}" for value in figures), flush=True)
    for (kind, method), figures in rows.items():
        print(f"{'all':16} {kind:14} {method:12} " + " ".join(f"{value:6.3f}" for value in np.mean(figures, axis=0)))


if __name__ == "__main__":
    main()

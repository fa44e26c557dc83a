"""Boundary F of masks before and after refining, on DAVIS 2016 sequences, at DAVIS' tolerance and at 2 px.

    python tests/benchmarks/matting_davis.py [FOLDER] [--methods guided "closed form"] [--masks tracked …] [--every 4]

Each sequence is followed by the embedded tracker from the first frame's mask ("tracked"); besides, its true masks are
refined as they are, and disturbed as masks of networks are: made a quarter of the size, or 256 x 256 as SAM's logits
are, and enlarged again; wobbled by 1, 2 and 3 px; grown by 3 px. Alpha >= .5 is judged against the true mask, which is
binary and drawn by hand: an exact mask can only lose. A figure that is lower than the mask's is marked with "<".
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


def low_resolution(mask: np.ndarray, side: int = 256) -> np.ndarray:
    """As `quartered`, of the frame squeezed into a square: what SAM's mask decoder gives."""
    height, width = mask.shape
    small = cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), 0.7), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5


def wobbled(mask: np.ndarray, px: float = 3) -> np.ndarray:
    random = np.random.default_rng(0)
    waves = [cv2.GaussianBlur(random.standard_normal(mask.shape).astype(np.float32), (0, 0), 12) for _ in range(2)]
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]].astype(np.float32)
    dx, dy = (wave / wave.std() * px / 2**0.5 for wave in waves)
    return cv2.remap(mask.astype(np.float32), x + dx, y + dy, cv2.INTER_LINEAR) > 0.5


def grown(mask: np.ndarray, px: float = 3) -> np.ndarray:
    return cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= px


DISTURBED = {
    "exact": lambda mask: mask,
    "quarter size": quartered,
    "256 x 256": low_resolution,
    "wobbled 1 px": lambda mask: wobbled(mask, 1),
    "wobbled 2 px": lambda mask: wobbled(mask, 2),
    "wobbled 3 px": wobbled,
    "grown 3 px": grown,
}
HEADER = f"{'sequence':16} {'mask':13} {'method':12} {'J':>6} {'F':>7} {'':>8} {'F 2px':>7} {'':>8}"


def score(masks: list[np.ndarray], truth: list[np.ndarray]) -> np.ndarray:
    """float [3]: J, F at DAVIS' tolerance, F at 2 px; first and last frame are left out by the caller."""
    pairs = list(zip(masks, truth, strict=True))
    each = [(mask_jaccard(a, b), mask_boundary_f(a, b), mask_boundary_f(a, b, 2.0)) for a, b in pairs]
    return np.mean(each, axis=0)


def line(sequence: str, kind: str, method: str, figures: np.ndarray, before: np.ndarray) -> str:
    text = f"{sequence:16} {kind:13} {method:12} {figures[0]:6.3f}"
    for now, then in zip(figures[1:], before[1:], strict=True):
        change = "" if method == "(mask)" else f"{now - then:+.4f}" + ("<" if now - then < -5e-5 else " ")
        text += f" {now:7.4f} {change:>8}"
    return text


def inputs(
    images: list[np.ndarray], truth: list[np.ndarray], every: int, kinds: list[str]
) -> Iterator[tuple[str, dict[int, np.ndarray]]]:
    chosen = range(1, len(truth) - 1, every)
    for kind in kinds:
        if kind == "tracked":
            followed = tracked(images, truth)
            yield kind, {t: followed[t] for t in chosen}
        else:
            yield kind, {t: DISTURBED[kind](truth[t]) for t in chosen}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = Path(os.environ.get("PHYSICS_PRESERVER_DATA", ROOT.parent / "shared" / "data"))
    parser.add_argument("folder", nargs="?", type=Path, default=data / "davis")
    parser.add_argument("--sequences", nargs="*")
    parser.add_argument("--methods", nargs="*", default=["guided"])
    parser.add_argument("--masks", nargs="*", default=["tracked", *DISTURBED], choices=["tracked", *DISTURBED])
    parser.add_argument("--every", type=int, default=4, help="judge every n-th frame")
    parser.add_argument("--band", type=float, default=6.0, help="px of the trimap's band, either side")
    options = parser.parse_args()
    print(HEADER)
    rows: dict[str, dict[str, list[np.ndarray]]] = {}
    for name, pictures, files in sequences(options.folder):
        if options.sequences and name not in options.sequences:
            continue
        images, truth = read(pictures, files)
        for kind, masks in inputs(images, truth, options.every, options.masks):
            true = [truth[t] for t in masks]
            found = {"(mask)": score(list(masks.values()), true)}
            for method in options.methods:
                with open_refiner(method) as refiner:
                    refined = [
                        refiner.refine(images[t], from_mask(mask, options.band, options.band), mask) >= 0.5
                        for t, mask in masks.items()
                    ]
                found[method] = score(refined, true)
            for method, figures in found.items():
                rows.setdefault(kind, {}).setdefault(method, []).append(figures)
                print(line(name, kind, method, figures, found["(mask)"]), flush=True)
    for kind, methods in rows.items():
        before = np.mean(methods["(mask)"], axis=0)
        for method, each in methods.items():
            print(line("all", kind, method, np.mean(each, axis=0), before))
    for method in options.methods:
        lower = [
            f"{kind} {name}"
            for kind, methods in rows.items()
            for column, name in ((1, "F"), (2, "F 2px"))
            if any(b[column] - a[column] < -5e-5 for a, b in zip(methods["(mask)"], methods[method], strict=True))
        ]
        print(f"{method} lowers on some sequence: {', '.join(lower) or 'nothing'}")


if __name__ == "__main__":
    main()

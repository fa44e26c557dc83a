"""The embedded tracker on DAVIS 2016 sequences from the first frame's mask: J, F and CPU time per frame on one core.

python tests/benchmarks/davis_tracker.py [FOLDER] [--sequences NAME …] [--backward]

FOLDER holds <sequence>/frames/*.jpg and <sequence>/masks/*.png, or DAVIS' own JPEGImages/480p and Annotations/480p;
by default it is davis/ in the shared data. First and last frame are left out of the means, as DAVIS does.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from physics_preserver.nodes.extraction.embedded import EmbeddedTracker
from physics_preserver.nodes.validation.boundary import mask_boundary_f
from physics_preserver.nodes.validation.region import mask_jaccard

ROOT = Path(__file__).resolve().parents[2]

# J/F: our first prototype (measured), and Object Flow (Tsai 2016; uses a CNN), Bilateral Space (Maerki 2016) and
# SeamSeg (2014) from the leaderboard data of davischallenge.org.
KNOWN = {
    "blackswan": (".871/.860", ".95/.98", ".94/.97", ".93/.96"),
    "bmx-trees": (".109/.092", ".15/.16", ".38/.65", ".11/.13"),
    "breakdance": (".525/.505", ".52/.52", ".50/.49", ".33/.39"),
    "camel": (".890/.878", ".87/.85", ".67/.71", ".65/.61"),
    "car-roundabout": (".870/.724", ".90/.76", ".85/.62", ".71/.71"),
    "car-shadow": (".690/.635", ".84/.75", ".58/.47", ".77/.76"),
    "cows": (".868/.766", ".91/.86", ".89/.85", ".71/.68"),
    "dance-twirl": (".778/.718", ".54/.61", ".49/.48", ".12/.21"),
    "dog": (".795/.775", ".90/.83", ".72/.59", ".58/.54"),
    "drift-chicane": (".507/.549", ".10/.22", ".03/.08", ".12/.16"),
    "drift-straight": (".671/.559", ".34/.27", ".40/.42", ".51/.50"),
    "goat": (".813/.752", ".87/.85", ".66/.58", ".54/.47"),
    "horsejump-high": (".844/.864", ".86/.90", ".80/.80", ".64/.65"),
    "kite-surf": (".348/.469", ".70/.50", ".43/.65", ".49/.29"),
    "libby": (".491/.545", ".55/.61", ".78/.84", ".23/.21"),
    "motocross-jump": (".611/.414", ".61/.47", ".34/.38", ".39/.40"),
    "paragliding-launch": (".627/.244", ".64/.25", ".64/.32", ".58/.18"),
    "parkour": (".795/.814", ".86/.87", ".76/.68", ".12/.28"),
    "scooter-black": (".675/.560", ".81/.74", ".34/.41", ".79/.72"),
    "soapbox": (".849/.764", ".69/.67", ".79/.76", ".78/.75"),
}


def sequences(folder: Path) -> Iterator[tuple[str, list[Path], list[Path]]]:
    """Name, pictures and masks of every sequence in either layout."""
    davis = folder / "JPEGImages" / "480p"
    for place in sorted((davis if davis.is_dir() else folder).iterdir()):
        pictures = place if davis.is_dir() else place / "frames"
        masks = folder / "Annotations" / "480p" / place.name if davis.is_dir() else place / "masks"
        if pictures.is_dir() and masks.is_dir():
            yield place.name, sorted(pictures.glob("*.jpg")), sorted(masks.glob("*.png"))


def read(pictures: list[Path], masks: list[Path]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    images = [cv2.cvtColor(np.asarray(cv2.imread(str(path))), cv2.COLOR_BGR2RGB) for path in pictures]
    truth = [np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) > 0 for path in masks]
    return images, truth


def score(images: list[np.ndarray], truth: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, float]:
    """J and F, float [T - 2], and CPU ms per frame of following the first mask."""
    tracker = EmbeddedTracker(images[0], truth[0][None])
    tracked, seconds = [], 0.0
    for image in images[1:]:
        start = time.process_time()
        masks, _ = tracker.step(image)
        seconds += time.process_time() - start
        tracked.append(masks[0])
    pairs = list(zip(tracked, truth[1:], strict=True))[:-1]
    j = np.array([mask_jaccard(mask, true) for mask, true in pairs])
    f = np.array([mask_boundary_f(mask, true) for mask, true in pairs])
    return j, f, 1000 * seconds / len(tracked)


def main() -> None:
    shared = Path(os.environ.get("PHYSICS_PRESERVER_DATA", ROOT.parent / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=shared / "davis")
    parser.add_argument("--sequences", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--backward", action="store_true", help="from the last frame's mask to the first")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    print("| sequence | J | F | J recall | ms/frame | prototype J/F | OFL | BVS | SEA |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    for name, pictures, masks in sequences(args.folder):
        if args.sequences and name not in args.sequences:
            continue
        images, truth = read(pictures, masks)
        if args.backward:
            images, truth = images[::-1], truth[::-1]
        j, f, ms = score(images, truth)
        rows.append((j.mean(), f.mean(), (j > 0.5).mean(), ms))
        print(_row(name, rows[-1], KNOWN.get(name, ("",) * 4)), flush=True)
    if not rows:
        parser.error(f"no sequences in {args.folder}")
    print(_row("**mean**", tuple(np.mean(rows, axis=0)), ("",) * 4))


def _row(name: str, numbers: tuple[float, ...], known: tuple[str, ...]) -> str:
    j, f, recall, ms = numbers
    return f"| {name} | {j:.3f} | {f:.3f} | {recall:.2f} | {ms:.1f} | {' | '.join(known)} |"


if __name__ == "__main__":
    main()

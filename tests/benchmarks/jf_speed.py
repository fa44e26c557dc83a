"""All mask measures, frames per second on one core: ours beside J and F of the DAVIS definition written down plainly.

python tests/benchmarks/jf_speed.py [--frames 300]
python tests/benchmarks/jf_speed.py --memory 3000     peak memory of measuring a track of so many frames, one process
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from fractions import Fraction

import cv2
import numpy as np
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.validation.boundary import boundary_f
from physics_preserver.nodes.validation.contact import contact_states, distances
from physics_preserver.nodes.validation.measure import compare, residuals
from physics_preserver.nodes.validation.region import jaccard

SIZE = (1080, 1920)


def plain_jaccard(a: np.ndarray, b: np.ndarray) -> float:
    """J of two masks, bool [H, W]."""
    union = np.sum(a | b)
    return float(np.sum(a & b) / union) if union else 1.0


def plain_outline(mask: np.ndarray) -> np.ndarray:
    """bool [H, W]: pixels unlike their right, lower or lower right neighbour; the last row and column look one way."""
    east, south, south_east = np.zeros_like(mask), np.zeros_like(mask), np.zeros_like(mask)
    east[:, :-1] = mask[:, 1:]
    south[:-1] = mask[1:]
    south_east[:-1, :-1] = mask[1:, 1:]
    outline = (mask ^ east) | (mask ^ south) | (mask ^ south_east)
    outline[-1] = mask[-1] ^ east[-1]
    outline[:, -1] = mask[:, -1] ^ south[:, -1]
    outline[-1, -1] = False
    return outline


def plain_boundary_f(a: np.ndarray, b: np.ndarray, bound_th: float = 0.008) -> float:
    """F of two masks, bool [H, W], by dilating whole outlines with a disk."""
    radius = int(np.ceil(bound_th * np.linalg.norm(a.shape)))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x * x + y * y <= radius * radius).astype(np.uint8)
    outlines = [plain_outline(mask) for mask in (a, b)]
    near = [cv2.dilate(outline.astype(np.uint8), disk) > 0 for outline in outlines]
    counts = [int(np.sum(outline)) for outline in outlines]
    if counts[0] == 0 or counts[1] == 0:
        return float(counts[0] == counts[1])
    precision = np.sum(outlines[0] & near[1]) / counts[0]
    recall = np.sum(outlines[1] & near[0]) / counts[1]
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def rider(frame: int, person: bool, shift: int) -> np.ndarray:
    """bool [H, W]: a ragged person-sized or board-sized shape that crosses the picture, `shift` px to the side."""
    height = SIZE[0]
    mask = np.zeros(SIZE, np.uint8)
    x, y = 300 + 12 * frame % 1300 + shift, 560 + round(60 * np.sin(frame / 6))
    if person:
        cv2.ellipse(mask, (x, y), (95, 260), 8, 0, 360, 1, -1)
        for limb in range(6):
            end = (x + round(220 * np.cos(limb + frame / 9)), y + round(330 * np.sin(limb * 1.7 + frame / 9)))
            cv2.line(mask, (x, y), end, 1, 45)
    else:
        cv2.ellipse(mask, (x, min(height - 40, y + 330)), (150, 24), 10 * np.sin(frame / 5), 0, 360, 1, -1)
    return mask.astype(bool)


def make_tracks(frames: int, shift: int) -> tuple[Track, Track]:
    """Person and board, and the same moved by `shift` px."""
    builders = [TrackBuilder(("person", "board"), SIZE, Fraction(25)) for _ in range(2)]
    for frame in range(frames):
        for builder, offset in zip(builders, (0, shift), strict=True):
            builder.append(np.stack([rider(frame, who, offset) for who in (True, False)]), np.ones(2))
    return builders[0].finish(), builders[1].finish()


def cpu_seconds(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def all_measures(a: Track, b: Track) -> None:
    """Everything that two tracks alone tell: J, F, place, size, angle of both objects, and their contact in both."""
    for label in a.labels:
        pair = compare(a, b, label)
        residuals(pair, [])
    for track in (a, b):
        gap = distances(track, "person", "board")
        contact_states(gap, np.full(len(gap), 700.0))


def measure_memory(frames: int) -> None:
    """Peak memory of this process after it made two tracks, and after it measured them."""
    a, b = make_tracks(frames, 6)
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    all_measures(a, b)
    done = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {frames} frames | {made:.0f} MB with both tracks made | {done:.0f} MB after all mask measures |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--memory", type=int, metavar="FRAMES")
    options = parser.parse_args()
    frames = options.frames
    cv2.setNumThreads(1)
    if options.memory:
        measure_memory(options.memory)
        return
    print(f"{frames} frames of {SIZE[1]}x{SIZE[0]}, one core, CPU time")
    print("| object | moved by | J plain | J ours | F plain | F ours | both, plain | both, ours | times faster |")
    print("|---|---|---|---|---|---|---|---|---|")
    for shift in (0, 6, 40):
        a, b = make_tracks(frames, shift)
        for label in a.labels:
            masks = [(a.mask(t, label), b.mask(t, label)) for t in range(frames)]
            ours = [cpu_seconds(lambda: jaccard(a, b, label)), cpu_seconds(lambda: boundary_f(a, b, label))]  # noqa: B023
            plain = [
                cpu_seconds(lambda: [plain_jaccard(*pair) for pair in masks]),  # noqa: B023
                cpu_seconds(lambda: [plain_boundary_f(*pair) for pair in masks]),  # noqa: B023
            ]
            difference = max(
                np.abs(jaccard(a, b, label) - [plain_jaccard(*pair) for pair in masks]).max(),
                np.abs(boundary_f(a, b, label) - [plain_boundary_f(*pair) for pair in masks]).max(),
            )
            assert difference < 1e-12, f"ours and the plain measure differ by {difference}"
            fps = [f"{frames / seconds:,.0f}/s" for pair in zip(plain, ours, strict=True) for seconds in pair]
            both = [f"{frames / sum(times):,.0f}/s" for times in (plain, ours)]
            print(f"| {label} | {shift} px | {' | '.join(fps)} | {' | '.join(both)} | {sum(plain) / sum(ours):.0f} |")
    a, b = make_tracks(frames, 6)
    ours = cpu_seconds(lambda: all_measures(a, b))
    plain = 0.0
    for t in range(frames):
        pairs = [(a.mask(t, label), b.mask(t, label)) for label in a.labels]
        plain += cpu_seconds(lambda: [(plain_jaccard(*pair), plain_boundary_f(*pair)) for pair in pairs])  # noqa: B023
    print(
        f"\nboth objects, all our mask measures (J, F, place, size, angle, contact): {frames / ours:.0f}/s; J and F "
        f"alone, plain: {frames / plain:.1f}/s; {plain / ours:.0f} times faster"
    )


if __name__ == "__main__":
    main()

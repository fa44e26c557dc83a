"""How often YOLOX finds person and object on the shared clips, per threshold and pass, and who is paired with what.

Run: python tests/benchmarks/detector_clips.py [yolox.onnx]
The share of frames with at least one box of the class (or, for boards, of its relatives), not checked against a truth:
the skater's board is out of the picture or cut by its edge in about 25 of the 192 frames.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import cv2
from physics_preserver.nodes.extraction.detection import PERSON, DetectionError
from physics_preserver.nodes.extraction.observe import observe
from physics_preserver.nodes.extraction.pairing import pair
from physics_preserver.nodes.extraction.two_pass import THRESHOLD_AT_FEET, TwoPassDetector
from physics_preserver.nodes.extraction.yolo import load_detector
from physics_preserver.nodes.media.open import open_clip

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("PHYSICS_PRESERVER_DATA", ROOT.parent / "shared" / "data"))
THRESHOLDS = (0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7)
CLIPS = {"skateboarder": ("skateboard", ["skateboard"]), "biker": ("motorcycle", ["bicycle", "motorcycle"])}


def found_rates(name: str, label: str, detector: TwoPassDetector, keen: TwoPassDetector) -> None:
    """Print the share of frames in which person and object are found; `keen` keeps every box from .15 on."""
    best: dict[tuple[str, str], list[float]] = {}
    ruled, spent, count = 0, 0.0, 0
    for frame in open_clip(DATA / "clips" / f"{name}.mp4"):
        whole = detector.detect_once(frame.image)
        start = time.process_time()
        both = detector(frame.image)
        spent, count = spent + time.process_time() - start, count + 1
        ruled += any(item.label == label for item in both)
        for kind, items in (("one pass", whole), ("both passes", keen(frame.image))):
            for wanted in (PERSON, label):
                scores = [item.score for item in items if item.label == wanted]
                best.setdefault((kind, wanted), []).append(max(scores, default=0.0))
    print(f"\n{name}: {count} frames, {spent / count * 1000:.1f} ms of processor time a frame with both passes")
    print("| threshold | " + " | ".join(f"{threshold:g}" for threshold in THRESHOLDS) + " |")
    for (kind, wanted), scores in sorted(best.items(), reverse=True):
        shares = (sum(score >= threshold for score in scores) / count for threshold in THRESHOLDS)
        print(f"| {wanted}, {kind} | " + " | ".join(f"{share:.2f}" for share in shares) + " |")
    print(f"{label} with the detector's rule (.3, or .15 at the feet): {ruled / count:.2f}")


def pairs(name: str, labels: list[str], detector: TwoPassDetector, every: int = 16) -> None:
    """Print the pair that is chosen when the clip starts at every 16th frame."""
    total = open_clip(DATA / "clips" / f"{name}.mp4").count()
    print(f"\n{name}: the pair when the clip starts at frame ...")
    for start in range(0, total - every, every):
        looked = observe(open_clip(DATA / "clips" / f"{name}.mp4", start=start), detector)
        try:
            found = pair(looked.detections, labels, looked.size, looked.camera, looked.frames)
        except DetectionError as error:
            print(f"{start:4d}  {error}")
            continue
        boxes = [
            "nothing" if item is None else f"{item.label} " + str(tuple(round(side) for side in item.box))
            for item in (found.person, found.object)
        ]
        print(f"{start:4d}  anchor {start + found.anchor:3d}, score {found.score:.2f}: {boxes[0]} with {boxes[1]}")


def main() -> None:
    cv2.setNumThreads(1)
    path = sys.argv[1] if len(sys.argv) > 1 else DATA / "weights" / "yolox_nano.onnx"
    detector = load_detector(path, threads=1)
    keen = load_detector(path, threshold=THRESHOLD_AT_FEET, threads=1)
    print(detector.describe())
    for name, (label, labels) in CLIPS.items():
        found_rates(name, label, detector, keen)
        pairs(name, labels, detector)


if __name__ == "__main__":
    main()

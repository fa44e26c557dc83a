"""What YOLOX finds and pairs on the shared clips and the DAVIS sequences, drawn on sheets to be looked at and counted.

Run: python tests/benchmarks/detector_sheets.py OUT_DIR [detector file]
For every clip one PNG. First rows: every detection on evenly spaced frames. Last rows: the pair that Detect Subjects
chooses when the clip starts at evenly spaced frames, drawn on its anchor frame. What is right is for the eye to
say: a box counts when it holds the whole of the right thing that can be seen, and little else. Counted on the sheets of
yolox_nano.onnx, 84 frames and 56 pairs (the object only where a part of it can be seen):

| clip | person on frames | object on frames | person of the pair | whole pair |
|---|---|---|---|---|
| skateboarder | 12 of 12 | 10 of 10 | 8 of 8 | 8 of 8 (once the board is out of the picture, and none is claimed) |
| biker (a motorcycle) | 8 of 10 | 9 of 10 | 5 of 7 | 5 of 7 |
| bmx-trees | 10 of 12, graffiti taken for people on 5 | 9 of 12 | 8 of 8 | 7 of 8 |
| motocross-jump | 9 of 12 (legs only on the others) | 12 of 12 | 8 of 8 | 5 of 8, no motorcycle on the others |
| scooter-black | 12 of 12 | 12 of 12 | 8 of 8 | 8 of 8, beside a row of parked ones |
| kite-surf | 12 of 12 | 1 of 12, the board is under spray | 8 of 8 | 2 of 8; legs for the board on 4 |
| breakdance (there is no object) | 9 of 12 | | 3 of 8, else a spectator | 3 of 8; a shoe for a board on 1 |
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2
import numpy as np
from physics_preserver.nodes.extraction.detection import Detection, DetectionError
from physics_preserver.nodes.extraction.subjects import find_subjects
from physics_preserver.nodes.extraction.two_pass import TwoPassDetector
from physics_preserver.nodes.extraction.yolo import load_detector
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.overlay import COLOURS, tag
from physics_preserver.nodes.media.sheet import Row, contact_sheet
from physics_preserver.nodes.media.stills import write_image

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("PHYSICS_PRESERVER_DATA", ROOT.parent / "shared" / "data"))

# The object that a user would name.
CLIPS = {
    "clips/skateboarder.mp4": "skateboard",
    "clips/biker.mp4": "bicycle",
    "davis/bmx-trees/frames": "bicycle",
    "davis/motocross-jump/frames": "motorcycle",
    "davis/scooter-black/frames": "motorcycle",
    "davis/kite-surf/frames": "surfboard",
    "davis/breakdance/frames": "skateboard",
}
COLUMNS, ROWS, PAIR_ROWS = 4, 3, 2


def drawn(image: np.ndarray, found: list[Detection], thick: bool = False) -> np.ndarray:
    """A copy of the picture with boxes, persons in the first colour."""
    image = image.copy()
    for item in reversed(found):
        colour = COLOURS[0 if item.label == "person" else 1]
        (x1, y1), (x2, y2) = ((round(a), round(b)) for a, b in (item.box[:2], item.box[2:]))
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, image.shape[0] // (90 if thick else 240), cv2.LINE_AA)
        size = image.shape[0] / 34
        tag(image, f"{item.label} {item.score:.2f}", x1, y1 - 1.9 * size, size, colour)
    return image


def sheet(name: str, label: str, detector: TwoPassDetector) -> np.ndarray:
    clip = open_clip(DATA / name)
    total = clip.count()
    shown = np.linspace(0, total - 1, COLUMNS * ROWS).round().astype(int)
    starts = np.linspace(0, total - 17, COLUMNS * PAIR_ROWS).round().astype(int)
    seen: list[np.ndarray | None] = [
        drawn(frame.image, detector(frame.image)) for frame in clip if frame.index in shown
    ]
    pairs: list[np.ndarray | None] = []
    for start in starts:
        part = open_clip(DATA / name, int(start))
        try:
            found = find_subjects(part, detector, [label], 16)
            pair = [found.person, *([found.object] if found.object else [])]
            pairs.append(drawn(part.frame(found.anchor).image, pair, thick=True))
        except DetectionError as error:
            print(f"{name} from frame {start}: {error}")
            pairs.append(None)
    rows = [
        Row(f"{name}: frames {', '.join(map(str, shown[n : n + COLUMNS]))}", seen[n : n + COLUMNS])
        for n in range(0, len(seen), COLUMNS)
    ]
    for n in range(0, len(pairs), COLUMNS):
        first = ", ".join(map(str, starts[n : n + COLUMNS]))
        rows.append(Row(f"the pair (person, {label}), 16 frames from {first}", pairs[n : n + COLUMNS]))
    return contact_sheet(rows, [""] * COLUMNS, 460)


def main() -> None:
    cv2.setNumThreads(1)
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    detector = load_detector(sys.argv[2] if len(sys.argv) > 2 else DATA / "weights" / "yolox_nano.onnx", threads=1)
    for name, label in CLIPS.items():
        title = Path(name).stem if name.endswith(".mp4") else Path(name).parent.name
        write_image(out / f"{title}.png", sheet(name, label, detector))


if __name__ == "__main__":
    main()

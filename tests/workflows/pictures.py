"""Draw the pictures that ComfyUI shows beside the shipped graphs in its list of templates: workflows/*.jpg.

The clip is the rendered scene, in both of its styles: what a graph would be given, what it shows the model, and what
a model that keeps the physics, or one that doesn't, would make of it. Mattes are what whole runs of the embedded
defaults write, the subject shown on frame 0.

    python tests/workflows/pictures.py
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "stereo"))

from comfyui import PACK
from graphs import write_clip
from physics_preserver.nodes.conditioning.choices import Choices
from physics_preserver.nodes.conditioning.plan import plan_control
from physics_preserver.nodes.conditioning.vace import control_frames
from physics_preserver.nodes.matting.matte import matte
from physics_preserver.nodes.matting.settings import Job, Settings
from physics_preserver.nodes.media.clip import Clip
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.overlay import COLOURS, draw_difference, draw_overlay, tag
from physics_preserver.nodes.media.scene import LABELS, Scene, Truth
from physics_preserver.nodes.media.stills import write_image
from shipped import SHIPPED
from vr_scene import Person, StereoScene

WIDTH, HEIGHT = 640, 480
FRAMES, AIR = 25, 14  # of the clip, and the one in the middle of the jump
BAR, GAP = 6, 4
GREEN = (0, 200, 80)
LETTERS = 15.0


def scene(**look: str) -> Scene:
    return Scene(960, 540, FRAMES, exposures=2, **look)  # type: ignore[arg-type]


def both(truth: Truth) -> np.ndarray:
    """Person and board as one mask, bool [H, W]."""
    return truth.masks[0] | truth.masks[1]


def shown(image: np.ndarray, mask: np.ndarray, width: int, height: int = HEIGHT, words: str = "") -> np.ndarray:
    """The part of a picture around what the mask covers, uint8 [height, width, 3], with words at its foot."""
    rows, columns = (np.flatnonzero(mask.any(axis=side)) for side in (1, 0))
    scale = min(height / (np.ptp(rows) + 110), height / image.shape[0] * 2.5)
    x, y = (columns[0] + columns[-1]) / 2 * scale - width / 2, (rows[0] + rows[-1]) / 2 * scale - height / 2
    whole = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    x, y = (
        int(np.clip(at, 0, end - size))
        for at, end, size in zip((x, y), whole.shape[1::-1], (width, height), strict=True)
    )
    part = whole[y : y + height, x : x + width].copy()
    if words:
        tag(part, words, width / 2, height - 2.4 * LETTERS, LETTERS, COLOURS[2], centred=True)
    return part


def side_by_side(*parts: np.ndarray) -> np.ndarray:
    """Pictures in one row, white between them, WIDTH wide in all."""
    gap = np.full((parts[0].shape[0], GAP, 3), 255, np.uint8)
    row = [piece for part in parts for piece in (part, gap)][:-1]
    return cv2.resize(np.concatenate(row, axis=1), (WIDTH, parts[0].shape[0]), interpolation=cv2.INTER_AREA)


def extract() -> np.ndarray:
    truth = scene().truth(AIR)
    return shown(draw_overlay(scene().render(AIR), truth.masks, LABELS), both(truth), WIDTH)


def validate() -> np.ndarray:
    source, drifted = scene(), scene(style="reskin", fault="drift")
    truth, found = source.truth(AIR + 4), drifted.truth(AIR + 4)
    around = both(truth)
    judged = draw_difference(drifted.render(AIR + 4), truth.masks[1], found.masks[1])
    return side_by_side(
        shown(source.render(AIR + 4), around, 318, words="original"),
        shown(judged, around, 318, words="generated: failed"),
    )


def reskin(words: str) -> np.ndarray:
    source, made = scene(), scene(style="reskin")
    around, track = both(source.truth(AIR)), source.track()
    plan = plan_control((source.height, source.width), FRAMES)
    control = list(control_frames(source, track, plan, Choices(guide="edges", grow=8)))[AIR][0]
    control = cv2.resize(control, (source.width, source.height))
    mixed = np.where(around[..., None], made.render(AIR), source.render(AIR))
    parts = (source.render(AIR), "original"), (control, "control"), (mixed, words)
    return side_by_side(*(shown(image, around, 211, words=said) for image, said in parts))


def reskin_long_clip() -> np.ndarray:
    source, made = scene(), scene(style="reskin")
    times = [2, 7, 12, 17, 22]
    rows = []
    for clip, words in ((source, "any length"), (made, "windows that go on from each other")):
        around = [both(source.truth(t)) for t in times]
        row = side_by_side(*(shown(clip.render(t), one, 125, 232) for t, one in zip(times, around, strict=True)))
        tag(row, words, WIDTH / 2, 232 - 2.2 * LETTERS, LETTERS, COLOURS[2], centred=True)
        rows.append(row)
    bars = np.full((HEIGHT - 2 * 232, WIDTH, 3), 255, np.uint8)
    for n, start in enumerate((0, 195, 390)):
        cv2.rectangle(bars, (start, 1 + n % 2 * BAR), (start + 250, n % 2 * BAR + BAR), COLOURS[n], -1)
    return np.concatenate([rows[0], bars, rows[1]])


def repair_loop() -> np.ndarray:
    source, drifted, mended = scene(), scene(style="reskin", fault="drift"), scene(style="reskin")
    truth = source.truth(AIR + 4)
    around = both(truth)
    masks = drifted.truth(AIR + 4).masks[1], mended.truth(AIR + 4).masks[1]
    pictures = [
        draw_difference(clip.render(AIR + 4), truth.masks[1], found)
        for clip, found in zip((drifted, mended), masks, strict=True)
    ]
    return side_by_side(
        shown(pictures[0], around, 318, words="failed"), shown(pictures[1], around, 318, words="repaired")
    )


def keyed(clip: Clip, masks: Mapping[str, np.ndarray], t: int, **chosen: Any) -> np.ndarray:
    """Frame t of what a whole run writes over green, its subject shown by masks of frame 0 and tracked from there."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shown_by = []
        for label, mask in masks.items():
            write_image(place / f"{label}.png", mask.astype(np.uint8) * 255)
            shown_by.append((label, str(place / f"{label}.png")))
        settings = Settings(
            masks=tuple(shown_by), formats=("green-h264",), key_colour=GREEN, inside=4, outside=4, qc_every=0, **chosen
        )
        file = write_clip(place / "clip.mp4", clip)
        made = matte(file, place / "made", Job(settings))["files"]["green-h264"][0]
        return open_clip(place / "made" / made).frame(t).image


def matte_video() -> np.ndarray:
    source = scene()
    around = both(source.truth(AIR))
    made = keyed(source, dict(zip(LABELS, source.truth(0).masks, strict=True)), AIR)
    return side_by_side(shown(source.render(AIR), around, 318, words="clip"), shown(made, around, 318, words="matte"))


def matte_vr180() -> np.ndarray:
    people = StereoScene([Person(1.4, -12), Person(2.2, 22)], size=(720, 720), frames=6, fine=True)
    masks: dict[str, np.ndarray] = dict(zip(("one", "other"), people.masks(0, False), strict=True))
    pictures = {"both eyes": people.frame(5).image, "both mattes": keyed(people, masks, 5, stereo="sbs")}
    rows = []
    for words, image in pictures.items():
        pair = [np.ascontiguousarray(image[240:480, left + 200 : left + 520]) for left in (0, 720)]
        row = cv2.resize(side_by_side(*pair), (WIDTH, 238), interpolation=cv2.INTER_AREA)
        tag(row, words, WIDTH / 2, 238 - 2.2 * LETTERS, LETTERS, COLOURS[2], centred=True)
        rows.append(row)
    return np.concatenate([rows[0], np.full((HEIGHT - 2 * 238, WIDTH, 3), 255, np.uint8), rows[1]])


PICTURES: dict[str, Callable[[], np.ndarray]] = {
    "extract": extract,
    "validate": validate,
    "matte_video": matte_video,
    "matte_vr180": matte_vr180,
    "reskin_native": lambda: reskin("native nodes"),
    "reskin_gguf": lambda: reskin("GGUF for 8 GB"),
    "reskin_wanvideowrapper": lambda: reskin("WanVideoWrapper"),
    "reskin_vhs": lambda: reskin("VideoHelperSuite"),
    "reskin_long_clip": reskin_long_clip,
    "repair_loop": repair_loop,
}


def main() -> None:
    for name, draw in PICTURES.items():
        if name not in SHIPPED:
            continue
        picture = draw()
        assert picture.shape == (HEIGHT, WIDTH, 3), (name, picture.shape)
        cv2.imwrite(str(PACK / "workflows" / f"{name}.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()

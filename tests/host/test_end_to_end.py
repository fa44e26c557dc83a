"""The whole line in one real ComfyUI: load, extract, control, generate, composite, validate, report, save.

Wan VACE and its VAE are tiny and random, so the clip they make means nothing; what is around them has to be right.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from comfyui import Interrupted, Server
from graphs import Graph, drawn_boxes, load, node, text, track, validate, write_clip
from physics_preserver.nodes.media.clip import Clip
from physics_preserver.nodes.media.folder import read_physics
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import Scene
from tiny_wan import generate

FRAMES = 19  # not 4n + 1: VACE Control repeats the last one twice
SIZE = (256, 144)
CONTROL = (192, 96)  # other proportions: the control shows the middle of the clip
SLACK_MB = 50


@pytest.fixture(scope="module")
def source(tiny_wan: Server) -> Scene:
    """ "whole.mp4" in the server's input."""
    scene = Scene(*SIZE, FRAMES, exposures=1)
    write_clip(tiny_wan.input / "whole.mp4", scene)
    return scene


def whole_line(scene: Scene, file: str, size: tuple[int, int] = CONTROL, seed: int = 0, steps: int = 1) -> Graph:
    """Every stage; "saved" is the clip, "in_control" the same in the control's size, "shown" the control."""
    shape = {"width": size[0], "height": size[1], "length": "pad"}
    pasting = {"clip": ["clip", 0], "generated": ["decoded", 0], "masks": ["control", 8], "control": ["control", 5]}
    pasting |= {"feather": 4, "match_colours": True}
    control = {"repaint": "person", "guide": "edges", "shape": "tight", "grow": 4, "latent_aligned": True, "lead_in": 0}
    return {
        "clip": load(file),
        "boxes": drawn_boxes(scene),
        "track": track("clip", "boxes"),
        "control": node("PP_VACEControl", clip=["clip", 0], track=["track", 0], **control, **shape),
        **generate("control", steps, seed, reference=True),
        "composite": node("PP_CompositeKeptPixels", size="source", **pasting),
        "smaller": node("PP_CompositeKeptPixels", size="control", **pasting),
        "verdict": validate("track", "composite", "clip", control=["composite", 1]),
        "physics": node("PP_SavePhysics", clip=["clip", 0], track=["track", 0], filename_prefix="physics/line"),
        "saved": node("SaveVideo", video=["composite", 0], filename_prefix="line", format="auto", codec="auto"),
        "in_control": node("SaveVideo", video=["smaller", 0], filename_prefix="small", format="auto", codec="auto"),
        "shown": node("PreviewImage", images=["control", 0]),
        "drawn": node("MaskToImage", mask=["control", 1]),
        "drawn_masks": node("PreviewImage", images=["drawn", 0]),
        "consumed": node("MaskToImage", mask=["control", 8]),
        "masks": node("PreviewImage", images=["consumed", 0]),
        "folder": text("physics", 0),
        "summary": text("verdict", 5),
        "passed": text("verdict", 1),
        "notes": text("composite", 2),
        "length": text("control", 4),
    }


def saved(server: Server, outputs: dict[str, Any], name: str = "saved") -> Clip:
    entry = outputs[name]["images"][0]
    return open_clip(server.base / entry["type"] / entry["subfolder"] / entry["filename"])


@pytest.fixture(scope="module")
def outputs(tiny_wan: Server, source: Scene) -> dict[str, Any]:
    return tiny_wan.run(whole_line(source, "whole.mp4"))


def test_frames_and_sizes(tiny_wan: Server, source: Scene, outputs: dict[str, Any]) -> None:
    assert int(outputs["length"]["text"][0]) == 21
    made = saved(tiny_wan, outputs)
    assert (made.width, made.height, made.rate) == (*SIZE, source.rate)
    assert [frame.time for frame in made] == [frame.time for frame in open_clip(tiny_wan.input / "whole.mp4")]
    assert "2 of 21 generated frames were lead-in or padding" in outputs["notes"]["text"][0]


def pictures(server: Server, entry: dict[str, Any]) -> np.ndarray:
    """uint8 [T, H, W, 3], RGB, of a Preview Image."""
    read = [cv2.imread(str(server.temp / image["filename"])) for image in entry["images"]]
    return np.stack([image[..., ::-1] for image in read if image is not None])


def test_the_controls_size_shows_what_the_control_kept(tiny_wan: Server, outputs: dict[str, Any]) -> None:
    """Outside the masks to the bit, and inside something else."""
    shown = pictures(tiny_wan, outputs["shown"])
    masks, drawn = (pictures(tiny_wan, outputs[name])[..., 0] > 127 for name in ("masks", "drawn_masks"))
    assert shown.shape == (21, CONTROL[1], CONTROL[0], 3)
    made = np.stack([frame.image for frame in saved(tiny_wan, outputs, "in_control")])
    assert made.shape == (FRAMES, CONTROL[1], CONTROL[0], 3)
    kept = ~masks[:FRAMES] & ~drawn[:FRAMES]  # where a mask is drawn the control shows edges, consumed or not
    assert 0.5 < kept.mean() < 1 and np.array_equal(made[kept], shown[:FRAMES][kept])
    assert (made[masks[:FRAMES]] != shown[:FRAMES][masks[:FRAMES]]).any(axis=1).mean() > 0.8


def test_the_sources_size_is_the_source_around_the_masks(tiny_wan: Server, outputs: dict[str, Any]) -> None:
    """192x96 of 256x144 is scaled by 3/4 and cut to its middle: the control's row 0 is the source's row 8."""
    masks = pictures(tiny_wan, outputs["masks"])[..., 0]
    rows = np.floor((np.arange(SIZE[1]) + 0.5 - 8) * 0.75).astype(int)
    columns = np.floor((np.arange(SIZE[0]) + 0.5) * 0.75).astype(int)
    inside = (rows >= 0) & (rows < CONTROL[1])
    both = zip(open_clip(tiny_wan.input / "whole.mp4"), saved(tiny_wan, outputs), strict=True)
    for t, (before, after) in enumerate(both):
        near = cv2.dilate(masks[t], np.ones((3, 3), np.uint8)) > 127
        allowed = near[np.clip(rows, 0, CONTROL[1] - 1)][:, columns] & inside[:, None]
        changed = (before.image != after.image).any(axis=2)
        assert not (changed & ~allowed).any() and changed.any(), f"frame {t}"


def test_report_and_folder(tiny_wan: Server, outputs: dict[str, Any]) -> None:
    about = outputs["verdict"]["physics_report"][0]
    query = f"/view?subfolder={about['subfolder']}&type={about['type']}&filename={about['filename']}"
    told = tiny_wan.get(query)
    verdict = told["report"]["verdict"]
    assert told["frames"] == FRAMES and verdict in ("passed", "failed")
    assert outputs["passed"]["text"][0] == str(verdict == "passed")
    assert outputs["summary"]["text"][0].startswith(("person: ", "skateboard: "))
    folder = Path(outputs["folder"]["text"][0])
    assert len(read_physics(folder).track) == len(list((folder / "frames_original").iterdir())) == FRAMES


def test_memory_is_the_same_after_each_run_and_after_a_cancelled_one(tiny_wan: Server) -> None:
    scene = Scene(128, 72, 9, exposures=1)
    write_clip(tiny_wan.input / "brief.mp4", scene)

    def graph(seed: int, steps: int = 1) -> Graph:
        return whole_line(scene, "brief.mp4", (96, 48), seed, steps)

    for seed in range(3):  # until libraries and allocator have what they keep
        tiny_wan.run(graph(seed))
    before = tiny_wan.memory_mb()
    tiny_wan.run(graph(3))
    again = tiny_wan.memory_mb()
    job = tiny_wan.submit(graph(4, steps=5000))
    time.sleep(3)
    tiny_wan.post("/interrupt", {})
    with pytest.raises(Interrupted, match="KSampler"):
        tiny_wan.wait(job, 60)
    cancelled = tiny_wan.settled_mb(before + SLACK_MB)
    tiny_wan.run(graph(5))
    after = tiny_wan.memory_mb()
    print(f"MB: {before:.0f}, again {again:.0f}, cancelled {cancelled:.0f}, again {after:.0f}")
    assert max(again, cancelled, after) - before < SLACK_MB

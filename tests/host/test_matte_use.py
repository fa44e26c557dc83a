"""Matte Video and Matte VR180 Video as people use them: wired to other nodes, wrongly, stopped, and run again."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from comfyui import Interrupted, PromptError, Server
from graphs import Graph, control, load, node, shipped_matte, text, track
from mattes import disc_alpha, disc_image, read_back
from physics_preserver.nodes.matting.still_writer import read_alpha
from physics_preserver.nodes.media.writer import VideoWriter

FRAMES = 12
SLACK_MB = 50


def write(file: Path, images: list[np.ndarray]) -> None:
    with VideoWriter(file, images[0].shape[1], images[0].shape[0], Fraction(24), crf=8) as video:
        for image in images:
            video.write(image)


@pytest.fixture(scope="module")
def clips(comfyui: Server) -> Server:
    """ "disc.mp4", "still.mp4", "odd.mp4", "flat.mp4" and "disc_long.mp4" in the server's input."""
    discs = [disc_image(t) for t in range(FRAMES)]
    write(comfyui.input / "disc.mp4", discs)
    write(comfyui.input / "still.mp4", discs[:1] * 6)
    write(comfyui.input / "odd.mp4", [np.ascontiguousarray(image[:95, :159]) for image in discs])
    write(comfyui.input / "disc_long.mp4", [disc_image(t) for t in range(60)])
    write(comfyui.input / "flat.mp4", [np.ascontiguousarray(image.repeat(2, 0).repeat(2, 1)) for image in discs])
    return comfyui


def boxes() -> dict[str, Any]:
    """Core's boxes, with one around the disc of frame 0."""
    box = {"x": 18, "y": 28, "width": 44, "height": 44, "metadata": {}}
    return node("CreateBoundingBoxes", width=160, height=96, editor_state={"__value__": [box]})


def graph(clip: str, name: str = "matte_video", **chosen: Any) -> Graph:
    """The shipped graph, whose matte is node 3; "summary" and "folder" are its words."""
    made, matte = shipped_matte(name, clip, **chosen)
    assert matte == "3"
    return {"1": made["1"], "3": made["3"], "summary": text("3", 2), "folder": text("3", 1)}


def with_track(**chosen: Any) -> Graph:
    """Boxes, Track Objects, and a matte of that track."""
    wired = graph("disc.mp4", subject="disc", band=4.0, **chosen)
    wired["3"]["inputs"]["track"] = ["track", 0]
    return {**wired, "boxes": boxes(), "track": track("1", "boxes", labels="disc")}


def forget(server: Server) -> None:
    """Empty the cache of results, as a server without one has it."""
    server.post("/free", {"free_memory": True})
    time.sleep(1.5)


def pictures(server: Server, outputs: dict[str, Any], name: str) -> list[Path]:
    return [server.base / entry["type"] / entry["subfolder"] / entry["filename"] for entry in outputs[name]["images"]]


def test_a_track_goes_in_and_masks_and_video_go_on(clips: Server) -> None:
    wired = with_track(as_masks=True)
    wired |= {
        "drawn": node("MaskToImage", mask=["3", 3]),
        "masks": node("PreviewImage", images=["drawn", 0]),
        "parts": node("GetVideoComponents", video=["3", 0]),
        "images": node("PreviewImage", images=["parts", 0]),
        "saved": node("SaveVideo", video=["3", 0], filename_prefix="matte", format="mp4", codec="h264"),
        "quality": node("PP_MatteQuality", matte=["3", 3], clip=["1", 0]),
        "judged": text("quality", 0),
        "control": control("1", "track", repaint="everything"),
        "controlled": text("control", 4),
    }
    outputs = clips.run(wired)
    folder = Path(outputs["folder"]["text"][0])
    summary = json.loads((folder / "run_summary.json").read_text("utf-8"))
    assert summary["anchor"]["method"] == "track" and summary["labels"] == ["disc"]
    stills = sorted((folder / "alpha").iterdir())
    assert len(stills) == FRAMES
    _, _, alphas = read_back(folder / summary["files"]["prores4444"][0], "alpha")
    for t in (0, FRAMES - 1):
        assert np.abs(read_alpha(stills[t]) - alphas[t]).max() < 1 / 900
        assert np.abs(alphas[t] - disc_alpha(t)).mean() < 0.02
    shown = pictures(clips, outputs, "masks")
    assert len(shown) == len(pictures(clips, outputs, "images")) == FRAMES
    assert np.abs(read_grey(shown[5]) - read_alpha(stills[5])).max() < 1 / 250
    with av.open(str(pictures(clips, outputs, "saved")[0])) as container:
        assert sum(1 for _ in container.decode(video=0)) == FRAMES
    assert "softness" in outputs["judged"]["text"][0]
    assert int(outputs["controlled"]["text"][0]) > 0


def read_grey(file: Path) -> np.ndarray:
    with av.open(str(file)) as container:
        frame = next(container.decode(video=0))
        return frame.to_ndarray(format="rgb24")[..., 0].astype(np.float32) / 255


def test_save_video_says_what_to_do_with_prores(clips: Server) -> None:
    wired = with_track()
    wired["saved"] = node("SaveVideo", video=["3", 0], filename_prefix="matte", format="auto", codec="auto")
    with pytest.raises(PromptError, match=r"prores4444\.mov can't be saved so .*is saved already, in .*choose mp4 and"):
        clips.run(wired)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nobody": ({"clip": "still.mp4"}, "nothing moves in its .* show the subject by a box"),
    "model": ({"clip": "disc.mp4", "method": "mematte"}, "needs a model: connect Load Matte Model, or choose guided"),
    "colour": ({"clip": "disc.mp4", "key_colour": "grass"}, "the colour 'grass' is not #RRGGBB"),
    "outside": ({"clip": "disc.mp4", "filename_prefix": "../../x"}, "leads out of ComfyUI's output folder"),
    "size": ({"clip": "odd.mp4", "name": "matte_vr180"}, "odd.mp4, left eye: nothing moves"),
    "flat": ({"clip": "flat.mp4", "name": "matte_vr180", "projection": "flat"}, "less than 180 degrees"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_can_not_be_used_is_said_in_a_sentence(clips: Server, what: str) -> None:
    chosen, said = BAD[what]
    with pytest.raises(PromptError, match=said):
        clips.run(graph(**chosen))
    assert not list(clips.output.rglob("*partial*"))


def test_a_track_or_boxes_that_do_not_fit(clips: Server) -> None:
    other = with_track()
    other["2"] = load("disc_long.mp4")
    other["3"]["inputs"]["clip"] = ["2", 0]
    with pytest.raises(PromptError, match="has 60 frames of 160x96, the track 12 of 160x96: connect the clip"):
        clips.run(other)
    with pytest.raises(PromptError, match="the track has no 'person', it has: disc; name one of them as subject"):
        wrong = with_track()
        wrong["3"]["inputs"]["subject"] = "person"
        clips.run(wrong)
    both = with_track()
    both["3"]["inputs"]["boxes"] = ["boxes", 1]
    with pytest.raises(PromptError, match="take away the boxes and masks, or the track"):
        clips.run(both)
    empty = graph("disc.mp4")
    empty["none"] = node("CreateBoundingBoxes", width=160, height=96, editor_state={"__value__": []})
    empty["3"]["inputs"]["boxes"] = ["none", 1]
    with pytest.raises(PromptError, match="boxes has no box on any frame"):
        clips.run(empty)


def test_odd_sizes_and_a_flat_clip_for_stereo(clips: Server) -> None:
    outputs = clips.run(graph("odd.mp4"))
    assert "12 frames of 159x95" in outputs["summary"]["text"][0]
    with av.open(str(pictures(clips, outputs, "3")[0])) as preview:
        assert preview.streams.video[0].codec_context.pix_fmt == "yuv420p"  # which browsers play
    told = clips.run(graph("flat.mp4", "matte_vr180"))["summary"]["text"][0]
    assert "the eyes differ on every frame: look whether this is stereo footage" in told


def test_masks_that_do_not_fit_are_refused_before_the_work(clips: Server) -> None:
    """A clip of one packet again and again, whose masks would need half a terabyte."""
    file = clips.input / "endless.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"bf": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 4096, 2304, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((2304, 4096, 3), np.uint8), format="rgb24")
        (packet,) = [*stream.encode(frame), *stream.encode(None)]
        for t in range(14000):
            packet.pts = packet.dts = t * 512
            packet.duration = 512
            container.mux(packet)
    with pytest.raises(PromptError, match=r"the MASK of 14000 frames of 4096x2304 .*GiB and .* are free"):
        clips.run(graph("endless.mp4", as_masks=True))


def test_cancelled_half_way_it_goes_on_where_it_was(clips: Server) -> None:
    whole = graph("disc_long.mp4", chunk=4, filename_prefix="mattes/stopped")
    prompt = clips.submit(whole)
    end = time.monotonic() + 120
    while not (done := sorted(clips.output.glob("mattes/stopped_*/unfinished/segment_*/run.json"))):
        assert time.monotonic() < end
        time.sleep(0.01)
    clips.post("/interrupt", {})
    with pytest.raises(Interrupted):
        clips.wait(prompt, 60)
    done = sorted(clips.output.glob("mattes/stopped_*/unfinished/segment_*/run.json"))
    assert 1 <= len(done) < 15 and not list(clips.output.rglob("*.partial*"))
    taken = [round(json.loads(file.read_text("utf-8"))["wall"], 3) for file in done]
    outputs = clips.run(whole)
    folder = Path(outputs["folder"]["text"][0])
    summary = json.loads((folder / "run_summary.json").read_text("utf-8"))
    assert summary["segments"]["count"] == 15
    assert summary["segments"]["wall_seconds"][: len(done)] == taken  # not made again
    made = graph("disc_long.mp4", chunk=4, filename_prefix="mattes/unbroken")
    other = Path(clips.run(made)["folder"]["text"][0])
    for kind in ("prores4444", "preview"):
        name = summary["files"][kind][0]
        assert packets(folder / name) == packets(other / name)


def packets(file: Path) -> list[tuple[int, bytes]]:
    with av.open(str(file)) as container:
        return [(packet.pts or 0, bytes(packet)) for packet in container.demux(video=0) if packet.size]


def test_run_again_with_and_without_a_cache_and_with_another_setting(clips: Server) -> None:
    wired = graph("disc.mp4", filename_prefix="mattes/again")
    first = clips.run(wired)
    folder = Path(first["folder"]["text"][0])
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("*")}
    assert clips.run(wired)["3"] == first["3"]
    forget(clips)
    assert clips.run(wired)["3"] == first["3"]
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before  # found, and only read
    other = Path(clips.run(graph("disc.mp4", filename_prefix="mattes/again", band=6.0))["folder"]["text"][0])
    assert other != folder and {file: file.stat().st_mtime_ns for file in folder.rglob("*")} == before
    (video,) = folder.glob("*_prores4444.mov")
    video.unlink()
    forget(clips)
    with pytest.raises(PromptError, match=r"disc_matte_prores4444\.mov is gone: remove .* to have it made again"):
        clips.run(wired)


def test_somebody_elses_folder_in_the_runs_place(clips: Server) -> None:
    wired = graph("disc.mp4", filename_prefix="mattes/taken")
    folder = Path(clips.run(wired)["folder"]["text"][0])
    for file in sorted(folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (folder / "mine.txt").write_text("mine")
    forget(clips)
    with pytest.raises(PromptError, match="choose another"):
        clips.run(wired)
    assert [file.name for file in folder.iterdir()] == ["mine.txt"]


def test_memory_is_the_same_after_every_run(clips: Server) -> None:
    for n in range(3):  # until libraries and allocator have what they keep
        clips.run(graph("flat.mp4", filename_prefix=f"mattes/warm{n}"))
    before = clips.memory_mb()
    for n in range(3):
        clips.run(graph("flat.mp4", filename_prefix=f"mattes/more{n}"))
    after = clips.settled_mb(before + SLACK_MB)
    print(f"MB: {before:.0f}, then {after:.0f}")
    assert after - before < SLACK_MB

"""Runs that are killed anywhere go on, and what they make is what an unbroken run makes, packet by packet."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from clips import with_audio
from mattes import DISC_SIZE, disc_image
from physics_preserver.nodes.cli import main
from physics_preserver.nodes.matting import finding
from physics_preserver.nodes.matting.segments import SegmentMaker
from physics_preserver.nodes.media.writer import LosslessWriter
from vr_scene import Person, StereoScene

FRAMES, CHUNK, SIDE = 20, 4, 128
FORMATS = ["png16", "prores4444", "ffv1", "qtrle", "vp9", "grey-hevc", "grey-ffv1", "green-h264", "green-hevc"]
PACKAGE = "physics_preserver.nodes.matting"
# Where a run is killed: module, function, the call of it that is the last; and what is left to do then: passes of
# the tracker, frames to refine. The fourth is 60 % of the frames.
PLACES = {
    "tracking": ("physics_preserver.nodes.media.track", "TrackBuilder.append", 12, 1, 20),
    "the right eye": ("physics_preserver.nodes.media.track", "TrackBuilder.append", FRAMES + 12, 0, 20),
    "a track kept": (f"{PACKAGE}.work_folder", "_save_frames", 1, 1, 20),
    "60 % of the frames": (f"{PACKAGE}.segments", "SegmentMaker._frame", 1 + FRAMES * 6 // 10, 0, 8),
    "a segment's end": (f"{PACKAGE}.work_folder", "WorkFolder.finish", 4, 0, 8),
    "joining": (f"{PACKAGE}.joining", "_Joined.append", 2 * FRAMES + 7, 0, 0),
    "a joined file's name": (f"{PACKAGE}.footage", "FlatFootage.describe", 3, 0, 0),
    "the summary": (f"{PACKAGE}.pipeline", "summarise", 1, 0, 0),
    "cleaning up": (f"{PACKAGE}.work_folder", "WorkFolder.clear", 1, 0, 0),
}
CASES = [
    ("VR180", "the right eye"), ("VR180", "60 % of the frames"),
    *(("flat", place) for place in PLACES if place != "the right eye"),
]  # fmt: skip


def flat(folder: Path) -> list[str]:
    """Arguments for an unevenly timed clip with sound."""
    sound, clip = with_audio(folder / "sound.mp4"), folder / "disc.mp4"
    with LosslessWriter(clip, DISC_SIZE[1], DISC_SIZE[0], Fraction(24), Fraction(1, 1000), audio_from=sound) as video:
        for t in range(FRAMES):
            video.write(disc_image(t), Fraction(42 * t + t * t % 5, 1000))
    return [str(clip), "--boxes", "person=18,28,62,72", "--inside", "4", "--outside", "4", "--reuse", "1"]


def vr180(folder: Path) -> list[str]:
    """Arguments for both eyes of two people."""
    scene = StereoScene([Person(1.2, -25), Person(1.6, 25)], size=(SIDE, SIDE), frames=FRAMES)
    sound, clip = with_audio(folder / "sound.mp4"), folder / "vr.mp4"
    with LosslessWriter(clip, 2 * SIDE, SIDE, Fraction(24), audio_from=sound) as video:
        for frame in scene:
            video.write(frame.image)
    for n, mask in enumerate(scene.masks(0, False)):
        cv2.imwrite(str(folder / f"{n}.png"), mask.astype(np.uint8) * 255)
    masks = [f"person{n}={folder}/{n}.png" for n in range(2)]
    return [str(clip), "--stereo", "sbs", "--packed-alpha", "--masks", *masks, "--inside", "3", "--outside", "3"]


@pytest.fixture(scope="module")
def unbroken(request, tmp_path_factory) -> tuple[list[str], dict[str, Any]]:
    """The command without its folder, and what it makes."""
    folder = tmp_path_factory.mktemp("unbroken")
    source = flat if request.param == "flat" else vr180
    command = ["matte", *source(folder), "--chunk", str(CHUNK), "--qc-every", "8", "--formats", *FORMATS]
    run(command, folder / "out")
    return command, contents(folder / "out")


def run(command: list[str], out: Path, place: Sequence[Any] | None = None) -> int:
    """The exit code; of a run that is to die, at some place."""
    start = ["-m", "physics_preserver"]
    if place is not None:
        start = [str(Path(__file__).with_name("killed.py")), *map(str, place), "--"]
    done = subprocess.run([sys.executable, *start, *command, "--out", str(out)], capture_output=True, text=True)
    assert place is not None or done.returncode == 0, done.stderr
    return done.returncode


def contents(out: Path) -> dict[str, Any]:
    """Every result: pictures by their bytes, videos by their packets, times and frames."""
    found: dict[str, Any] = {}
    for file in sorted(out.rglob("*")):
        name = file.relative_to(out).as_posix()
        if file.is_dir() or file.suffix == ".json":  # which tell folders and times
            found[name] = None
        elif file.suffix in (".png", ".jpg"):
            found[name] = file.read_bytes()
        else:
            with av.open(str(file)) as container:
                found[name] = [(p.stream.index, p.pts, bytes(p)) for p in container.demux() if p.size]
    return found


@pytest.mark.parametrize(("unbroken", "place"), CASES, indirect=["unbroken"], scope="module")
def test_a_run_that_was_killed_goes_on_and_equals_an_unbroken_one(tmp_path, monkeypatch, unbroken, place):
    (command, wanted), (*where, passes, frames) = unbroken, PLACES[place]
    assert run(command, tmp_path / "out", where) == -signal.SIGKILL
    tracked, refined = (counted(monkeypatch, *at) for at in ((finding, "track"), (SegmentMaker, "_frame")))
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    assert (len(tracked), len(refined)) == (passes, frames)
    found = contents(tmp_path / "out")
    assert sorted(found) == sorted(wanted)
    assert [name for name in wanted if found[name] != wanted[name]] == []


def counted(monkeypatch: pytest.MonkeyPatch, place: Any, name: str) -> list[None]:
    """Grows by one with every call of a function."""
    calls: list[None] = []
    whole = getattr(place, name)
    monkeypatch.setattr(place, name, lambda *args, **options: (calls.append(None), whole(*args, **options))[1])
    return calls


@pytest.mark.parametrize("unbroken", ["flat"], indirect=True, scope="module")
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(small_disk, capsys, unbroken):
    command, wanted = unbroken
    total = sum(len(one) if isinstance(one, bytes) else sum(len(p[2]) for p in one) for one in wanted.values() if one)
    for share in (0.3, 0.7, 1.2):  # the last is enough for all segments, and not for what is joined of them
        subprocess.run(["mount", "-o", f"remount,size={round(share * total)}", str(small_disk)], check=True)
        assert main([*command, "--out", str(small_disk / "out")]) == 3
        assert "No space left on device" in capsys.readouterr().err
        assert not [file for file in small_disk.rglob("*") if "partial" in file.name], "half a file was left"
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert main([*command, "--out", str(small_disk / "out")]) == 0
    found = contents(small_disk / "out")
    assert sorted(found) == sorted(wanted)
    assert [name for name in wanted if found[name] != wanted[name]] == []

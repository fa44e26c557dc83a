"""Mattes of footage as cameras, phones and editors write it: every frame of it, at its time, as it is to be shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import cv2
import numpy as np
import pytest
from clips import remuxed, sound_tracks, with_sound
from mattes import DISC_SIZE, disc_alpha, disc_image, read_back
from physics_preserver.nodes.matting.matte import matte
from physics_preserver.nodes.matting.settings import Job, Settings
from physics_preserver.nodes.media.clip import ClipError, Look
from physics_preserver.nodes.media.open import open_clip

STEADY = [Fraction(n, 24) for n in range(10)]
BOX = (18.0, 28.0, 62.0, 72.0)


def coded(
    path: Path,
    times: Sequence[Fraction] = STEADY,
    base: Fraction = Fraction(1, 24),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    size: tuple[int, int] = DISC_SIZE,
    tags: tuple[int, int, int] = (1, 1, 1),
    aspect: Fraction = Fraction(1),
    **options: str,
) -> Path:
    """Frames of the disc; `tags` are primaries, transfer and matrix."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=24, options={"crf": "8", **options})
        (video.height, video.width), video.pix_fmt = size, pixels
        context = video.codec_context
        context.time_base, context.sample_aspect_ratio = base, aspect
        context.color_primaries, context.color_trc, context.colorspace = tags
        for t, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(disc_image(t, size), format="rgb24")
            frame = frame.reformat(format=pixels, dst_colorspace=5 if tags[2] == 2 else tags[2])
            frame.time_base, frame.pts = base, round(time / base)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def moved(source: Path, target: Path, by: Fraction) -> Path:
    """The same packets at other times: what comes before 0 is hidden by an edit list."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is not None and packet.pts is not None:
                shift = round(by / packet.time_base)
                packet.stream, packet.pts, packet.dts = stream, packet.pts + shift, packet.dts + shift
                new.mux(packet)
    return target


def x265(**more: str) -> dict[str, Any]:
    return {"codec": "libx265", "pixels": "yuv420p10le", "x265-params": "log-level=error", **more}


UNSTEADY = [Fraction(n * 40 + n * n % 17, 1000) for n in range(10)]
# Each makes a file in a folder; the number of the first frame of the disc in it; the look it should have.
SOURCES: dict[str, tuple[Callable[[Path], Path], int, Look]] = {
    "one frame": (lambda f: coded(f / "a.mp4", STEADY[:1]), 0, Look()),
    "two frames": (lambda f: coded(f / "a.mp4", STEADY[:2]), 0, Look()),
    "milliseconds": (lambda f: coded(f / "a.mkv", UNSTEADY, Fraction(1, 1000)), 0, Look()),
    "a gap of seconds": (
        lambda f: coded(f / "a.mp4", [t + 3 * (n > 4) for n, t in enumerate(STEADY)]), 0, Look(),
    ),
    "B-frames": (lambda f: coded(f / "a.mp4", bf="3"), 0, Look()),
    "an edit list": (lambda f: moved(coded(f / "b.mp4", bf="3"), f / "a.mp4", Fraction(-3, 24)), 3, Look()),
    "a late first frame": (lambda f: coded(f / "a.mp4", [t + Fraction(7, 24) for t in STEADY]), 0, Look()),
    "a transport stream": (lambda f: coded(f / "a.ts", [t + 5000 for t in STEADY], Fraction(1, 90000)), 0, Look()),
    "an odd size": (lambda f: coded(f / "a.mp4", size=(95, 161), pixels="yuv444p"), 0, Look()),
    "wide pixels": (lambda f: coded(f / "a.mp4", aspect=Fraction(4, 3)), 0, Look(Fraction(4, 3))),
    "ten bits": (lambda f: coded(f / "a.mp4", **x265()), 0, Look()),
    "HDR": (lambda f: coded(f / "a.mp4", tags=(9, 16, 9), **x265()), 0, Look(Fraction(1), 9, 16, 9)),
    "standard definition": (lambda f: coded(f / "a.mp4", tags=(6, 6, 6)), 0, Look(Fraction(1), 6, 6, 6)),
    "nothing said": (lambda f: coded(f / "a.mp4", tags=(2, 2, 2)), 0, Look(Fraction(1), 2, 2, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_every_frame_is_matted_at_its_time_and_shown_as_the_source(tmp_path, name):
    make, first, look = SOURCES[name]
    source = make(tmp_path)
    clip = open_clip(source)
    times = [frame.time - clip.span()[0] for frame in clip]
    assert len(times) == {"one frame": 1, "two frames": 2}.get(name, 10 - first) and clip.look == look
    formats = ("prores4444", "ffv1", "green-h264")
    chosen = Settings(boxes=(("person", BOX),), inside=4.0, outside=4.0, qc_every=0, chunk=4, formats=formats)
    summary = matte(source, tmp_path / "out", Job(chosen))
    size = (clip.height, clip.width)
    for file, kind in (
        ("a_matte_prores4444.mov", "alpha"),
        ("a_matte_ffv1.mkv", "alpha"),
        ("a_matte_green-h264.mp4", ""),
    ):
        found, colours, alphas = read_back(tmp_path / "out" / file, kind or "colours")
        assert len(found) == len(times)
        slack = Fraction(1, 2000) if file.endswith(".mkv") else 0
        assert max(abs(a - b) for a, b in zip(found, times, strict=True)) <= slack, file
        for t, (colour, alpha) in enumerate(zip(colours, alphas, strict=True)):
            wanted = disc_alpha(first + t, size)
            inner = (
                cv2.erode((wanted == 1).astype(np.uint8), np.ones((9, 9))) > 0
            )  # where no colour is mixed with others
            assert kind == "" or np.abs(alpha - wanted).mean() < 0.02, (file, t)
            assert np.abs(colour.astype(int) - disc_image(first + t, size))[inner].mean() < 4, (file, t)
        with av.open(str(tmp_path / "out" / file)) as container:
            stream = container.streams.video[0]
            context = stream.codec_context
            assert (context.color_primaries, context.color_trc) == (look.primaries, look.transfer)
            assert file.endswith(".mkv") or context.colorspace == look.matrix
            assert file.endswith(".mkv") or (stream.sample_aspect_ratio or 1) == look.pixel_aspect
    assert any("HDR (PQ)" in warning for warning in summary["warnings"]) == (name == "HDR")
    assert any("4/3 times as wide" in warning for warning in summary["warnings"]) == (name == "wide pixels")


@pytest.mark.parametrize("tags", [(1, 1, 1), (2, 2, 2), (6, 6, 6)], ids=["BT.709", "nothing said", "BT.601"])
def test_levels_of_the_subject_are_those_of_the_source(tmp_path, tags):
    """Whatever a player makes of luma and chroma: of the matte it makes the same as of the source."""
    source = coded(tmp_path / "a.mp4", STEADY[:3], tags=tags)
    chosen = Settings(boxes=(("person", BOX),), inside=4.0, outside=4.0, qc_every=0, formats=("green-h264",))
    matte(source, tmp_path / "out", Job(chosen))
    inner = cv2.erode((disc_alpha(2) == 1).astype(np.uint8), np.ones((13, 13))) > 0
    planes = []
    for file in (source, tmp_path / "out/a_matte_green-h264.mp4"):
        with av.open(str(file)) as container:
            frame = list(container.decode(video=0))[2]
        whole = frame.to_ndarray().astype(int)  # luma, and below it both chromas at half the size
        height, width = DISC_SIZE
        chroma = whole[height:].reshape(2, height // 2, width // 2)
        planes.append((whole[:height][inner], *(one[inner[::2, ::2]] for one in chroma)))
    for ours, theirs in zip(*planes, strict=True):
        assert abs(ours.mean() - theirs.mean()) < 0.7 and np.abs(ours - theirs).mean() < 2.5


@pytest.mark.parametrize("rotation", [90, 180])
def test_turned_footage_is_matted_upright(tmp_path, rotation):
    turned = remuxed(coded(tmp_path / "b.mp4", aspect=Fraction(4, 3)), tmp_path / "a.mp4", rotation)
    clip = open_clip(turned)
    turn = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180}[rotation]
    assert clip.look.pixel_aspect == (Fraction(3, 4) if rotation == 90 else Fraction(4, 3))
    mask = cv2.rotate(np.uint8(disc_alpha(0) > 0.5) * 255, turn)
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    chosen = Settings(
        masks=(("person", str(tmp_path / "mask.png")),), inside=4.0, outside=4.0, qc_every=0, formats=("ffv1",)
    )
    matte(turned, tmp_path / "out", Job(chosen))
    _, _, alphas = read_back(tmp_path / "out/a_matte_ffv1.mkv", "alpha")
    assert len(alphas) == 10
    for t, alpha in enumerate(alphas):
        assert np.abs(alpha - cv2.rotate(disc_alpha(t), turn)).mean() < 0.02


def test_sound_and_picture_of_a_transport_stream_stay_together(tmp_path):
    source = with_sound(tmp_path / "a.ts", ["mp2"], start=0.3)
    clip = open_clip(source)
    begin = clip.span()[0]
    assert begin == min(next(iter(clip)).time, sound_tracks(source)[0][0][0])
    chosen = Settings(boxes=(("person", (8.0, 8.0, 40.0, 40.0)),), qc_every=0, formats=("qtrle",))
    matte(source, tmp_path / "out", Job(chosen))
    written = tmp_path / "out/a_matte_qtrle.mov"
    assert read_back(written, "alpha")[0] == [frame.time - begin for frame in clip]
    (ours,), (theirs,) = sound_tracks(written), sound_tracks(source)
    assert [data for _, data in ours] == [data for _, data in theirs]
    # Sound's clock is 1 / 48000 s there and 1 / 90000 s here.
    assert max(abs(a + begin - b) for (a, _), (b, _) in zip(ours, theirs, strict=True)) <= Fraction(1, 48000)


def test_times_that_stand_still_are_told_before_the_work(tmp_path):
    """Two frames at one time, as editors and recorders that stumble write them."""
    one = coded(tmp_path / "b.mov", codec="png", pixels="rgb24")
    with av.open(str(one)) as old, av.open(str(tmp_path / "a.mov"), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for n, packet in enumerate(old.demux(video=0)):
            if packet.pts is not None:
                packet.stream, packet.pts = stream, packet.pts + (packet.duration if n < 4 else 0)
                new.mux(packet)
    chosen = {"boxes": (("person", BOX),), "qc_every": 0}
    with pytest.raises(ClipError, match=r"a.mov: frame 4 is shown at 0.16\d s, the one before it at 0.16\d s; a video"):
        matte(tmp_path / "a.mov", tmp_path / "out", Job(Settings(formats=("qtrle",), **chosen)))
    assert not list((tmp_path / "out/unfinished").glob("segment*"))
    stills = matte(tmp_path / "a.mov", tmp_path / "stills", Job(Settings(formats=("png8",), **chosen)))
    assert stills["source"]["frames"] == 10


@pytest.mark.parametrize("kind", ["a file", "frames"])
def test_sound_that_is_in_memory_is_told_to_be_missing(tmp_path, kind):
    """ComfyUI's VIDEO of a download, and of Create Video: there are no packets of a file to copy."""
    file = with_sound(tmp_path / "a.mp4", ["aac"], frames=6)

    class Downloaded:
        def get_stream_source(self):
            return BytesIO(file.read_bytes())

        def get_active_trim_window(self):
            return 0.0, 0.0

    class Video(ABC):
        def get_stream_source(self):
            raise AssertionError("frames in memory are not encoded to be read")

        @abstractmethod
        def get_components(self): ...

    class Created(Video):
        def get_components(self):
            images = np.stack([frame.image for frame in open_clip(file)]).astype(np.float32) / 255
            return SimpleNamespace(images=images, frame_rate=Fraction(24), audio={"waveform": 0, "sample_rate": 1})

    video = Downloaded() if kind == "a file" else Created()
    for audio, told in ((True, 1), (False, 0)):
        chosen = {"boxes": (("person", (8.0, 8.0, 40.0, 40.0)),), "qc_every": 0, "formats": ("qtrle",), "audio": audio}
        summary = matte(video, tmp_path / str(audio), Job(Settings(**chosen)))
        assert sum("has no sound" in warning for warning in summary["warnings"]) == told

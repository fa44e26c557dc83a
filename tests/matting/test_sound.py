"""The source's sound beside a matte: every packet of it, at its time, in a container that can hold it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import sound_tracks, with_sound
from mattes import BACKGROUND, SIZE, picture, read_back
from physics_preserver.nodes.matting.encodings import ENCODINGS
from physics_preserver.nodes.matting.joining import SegmentWriter, join, joined_path

RATE = Fraction(24)
STEADY = [n / RATE for n in range(24)]
# Whole milliseconds, no two gaps alike.
UNSTEADY = [Fraction(n * 40 + n * n % 17, 1000) for n in range(24)]
MATROSKA = (".mkv", ".webm")

# Sources: file, encoders, seconds, start. "bed" is what a clip with a microphone track beside its sound has.
SOURCES = {
    "none": ("a.mp4", [], 0, 0),
    "shorter": ("a.mp4", ["aac"], 0.4, 0),
    "longer": ("a.mp4", ["aac"], 2.5, 0),
    "starts late": ("a.mp4", ["aac"], 0.6, 0.7),
    "starts before the picture": ("a.mp4", ["aac"], 1.5, -0.3),
    "two tracks": ("a.mkv", ["aac", "ac3"], 1.2, 0),
    "opus": ("a.mkv", ["libopus"], 1.5, 0),
    "PCM": ("a.mov", ["pcm_s16le"], 1.5, 0),
    "PCM and AAC": ("a.mov", ["pcm_s24le", "aac"], 0.7, 0),
    "AC-3": ("a.mp4", ["ac3"], 1.5, 0),
    "FLAC": ("a.mkv", ["flac"], 1.5, 0),
}
# Where another container than the encoding's own is needed: by encoding's suffix and source. None: none can.
ELSEWHERE = {
    (".mov", "opus"): ".mkv", (".mov", "FLAC"): ".mkv",
    (".mp4", "PCM"): ".mov", (".mp4", "PCM and AAC"): ".mov",
    **{(".webm", source): ".mkv" for source in SOURCES if source not in ("none", "opus")},
}  # fmt: skip
IMPOSSIBLE = {("qtrle", "opus"), ("qtrle", "FLAC")}


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            file, codecs, seconds, start = SOURCES[name]
            made[name] = with_sound(tmp_path_factory.mktemp("source") / file, codecs, seconds, start)
        return made[name]

    return make


@pytest.fixture(scope="module")
def segments(tmp_path_factory) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("segments")
    found: dict[str, list[Path]] = {}
    for name, encoding in ENCODINGS.items():
        for start, stop in ((0, 11), (11, 24)):
            found.setdefault(name, []).append(folder / f"{name}{start}{encoding.suffix}")
            with SegmentWriter(found[name][-1], encoding, SIZE, RATE) as segment:
                for n in range(start, stop):
                    segment.write(*picture(n), BACKGROUND)
    return found


def frame_times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        return [p.pts * Fraction(p.time_base) for p in container.demux(video=0) if p.size and p.pts is not None]


@pytest.mark.parametrize("times", [STEADY, UNSTEADY], ids=["steady", "unsteady"])
@pytest.mark.parametrize("sound", SOURCES)
@pytest.mark.parametrize("name", ENCODINGS)
def test_all_sound_is_copied_to_where_it_was(tmp_path, source, segments, name, sound, times):
    encoding, original = ENCODINGS[name], source(sound)
    if (name, sound) in IMPOSSIBLE:
        with pytest.raises(
            OSError, match=r"\.mov can't hold the sound of a.mkv \((opus|flac)\): choose another format"
        ):
            joined_path(tmp_path / "matte", encoding, str(original))
        return
    path = joined_path(tmp_path / "matte", encoding, str(original))
    assert path.suffix == ELSEWHERE.get((encoding.suffix, sound), encoding.suffix)
    base = Fraction(1, 24) if times is STEADY else Fraction(1, 1000)
    join(path, segments[name], times, SIZE, RATE, base, str(original))
    exact = path.suffix not in MATROSKA
    found = frame_times(path)
    assert len(found) == 24 and max(abs(a - b) for a, b in zip(found, times, strict=True)) <= (
        0 if exact or times is UNSTEADY else Fraction(1, 2000)
    )
    copied, wanted = sound_tracks(path), sound_tracks(original)
    assert [[data for _, data in track] for track in copied] == [[data for _, data in track] for track in wanted]
    # Matroska counts in milliseconds, which is where the source's times come from for "two tracks" and "FLAC".
    slack = 0 if exact and original.suffix != ".mkv" else Fraction(1, 1000)
    for ours, theirs in zip(copied, wanted, strict=True):
        assert max(abs(a - b) for (a, _), (b, _) in zip(ours, theirs, strict=True)) <= slack


def test_tracks_keep_their_languages(tmp_path, source, segments):
    for name in ("prores4444", "ffv1"):
        path = joined_path(tmp_path / name, ENCODINGS[name], str(source("two tracks")))
        join(path, segments[name], STEADY, SIZE, RATE, 1 / RATE, str(source("two tracks")))
        with av.open(str(path)) as container:
            assert [stream.metadata["language"] for stream in container.streams.audio] == ["eng", "ger"]


def test_alpha_of_prores_survives_in_matroska(tmp_path, source, segments):
    path = joined_path(tmp_path / "matte", ENCODINGS["prores4444"], str(source("opus")))
    join(path, segments["prores4444"], UNSTEADY, SIZE, RATE, Fraction(1, 1000), str(source("opus")))
    times, _, alphas = read_back(path, "alpha")
    assert times == UNSTEADY
    assert max(np.abs(alpha - picture(n)[1]).max() for n, alpha in enumerate(alphas)) <= 1.001 / 255


def test_sound_of_a_transport_stream_loses_only_its_framing(tmp_path, segments):
    """AAC has a header of 7 bytes on each packet in a transport stream, which says what other containers say once."""
    original = with_sound(tmp_path / "a.ts", ["aac"])
    path = joined_path(tmp_path / "matte", ENCODINGS["qtrle"], str(original))
    join(path, segments["qtrle"], STEADY, SIZE, RATE, 1 / RATE, str(original))
    (copied,), (wanted,) = sound_tracks(path), sound_tracks(original)
    assert [data for _, data in copied] == [data[7:] for _, data in wanted]
    with av.open(str(path)) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) >= 1.5 * 48000 - 1024

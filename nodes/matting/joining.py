"""Segments of one video, each encoded by itself, and the one file that they become without encoding anything again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..host import check_cancelled
from ..media.clip import ClipError, Look
from ..media.writer import VideoWriter, container_for, replacing
from .encodings import Encoding, add_video, make_frame

# Matroska counts time in these, seconds.
MATROSKA_TICK = Fraction(1, 1000)

PLAIN = Look()


class SegmentWriter:
    """Frames of one segment into one file, which appears when the `with` block ends; times are added when joining."""

    def __init__(self, file: Path, encoding: Encoding, size: tuple[int, int], rate: Fraction, look: Look = PLAIN):
        self._place = replacing(file, overwrite=True)
        self._encoding, self._size, self._rate = encoding, size, rate
        self._look = look if encoding.has_colours else Look(look.pixel_aspect)
        self._count = 0

    def __enter__(self) -> SegmentWriter:
        with ExitStack() as stack:
            partial = stack.enter_context(self._place)
            self._container = stack.enter_context(av.open(str(partial), "w"))
            self._stream = add_video(
                self._container, self._encoding, self._size, self._rate, 1 / self._rate, self._look
            )
            self._open = stack.pop_all()
        return self

    def write(self, colours: np.ndarray | None, alpha: np.ndarray, background: tuple[int, int, int]) -> None:
        """Append a frame; see `make_frame`."""
        frame = make_frame(self._encoding, colours, alpha, background, self._look)
        frame.time_base, frame.pts = 1 / self._rate, self._count
        self._container.mux(self._stream.encode(frame))
        self._count += 1

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool | None:
        if error is not None:
            return self._open.__exit__(kind, error, trace)
        with self._open:
            self._container.mux(self._stream.encode(None))
        return None


class _Joined(VideoWriter):
    """`VideoWriter` that takes packets of a file that is encoded already."""

    def __init__(self, path: Path, like: Path, size: tuple[int, int], rate: Fraction, **options: Any):
        super().__init__(path, size[1], size[0], rate, **options)
        self._like = like

    def __enter__(self) -> _Joined:
        super().__enter__()
        return self

    def append(self, packet: Any, time: Fraction, until: Fraction) -> None:
        """Add one frame's packet, to be shown from `time` until another time, seconds of the source's clock."""
        at = time - self._span[0]
        packet.stream = self._video
        packet.time_base = self._time_base
        packet.pts = packet.dts = round(at / self._time_base)
        packet.duration = max(1, round((until - time) / self._time_base))
        self._mux_audio_until(float(at))
        self._container.mux(packet)

    def _add_video(self) -> Any:
        with av.open(str(self._like)) as segment:
            source = segment.streams.video[0]
            stream: Any = self._container.add_stream_from_template(source)
            stream.time_base = self._time_base
            if source.sample_aspect_ratio:
                stream.codec_context.sample_aspect_ratio = source.sample_aspect_ratio
            stream.codec_context.codec_tag = source.codec_context.codec_tag
            if source.metadata.get("alpha_mode"):
                stream.codec_context.pix_fmt = "yuva420p"  # else the muxer would not say that there is alpha
        return stream

    def _flush(self) -> None:
        pass


def join(
    path: Path,
    segments: Sequence[Path],
    times: Sequence[Fraction],
    size: tuple[int, int],
    rate: Fraction,
    time_base: Fraction,
    audio_from: str | None = None,
    span: tuple[Fraction, Fraction | None] = (Fraction(0), None),
    describe: Callable[[Path], str | None] = lambda file: None,
) -> list[str]:
    """Make one file of segments: their packets as they are, at exact times, with the source's own audio packets.

    Args:
        path: the file, which appears when it is whole, in place of an older one; `joined_path` names it.
        segments: files of `SegmentWriter`, in order, of one encoding.
        times: of every frame, seconds of the source's clock.
        size: (H, W) px. rate, time_base, audio_from, span: as VideoWriter has them.
        describe: gets the whole file before it takes its name, to write more into it; says what it could not.

    Returns:
        What the container could not keep, in sentences.

    Raises:
        ClipError: the segments hold another number of frames than there are times.
        OSError: the disk is full.
    """
    warnings = []
    if path.suffix in (".mkv", ".webm"):
        worst = max((abs(_rounded(time - span[0]) - (time - span[0])) for time in times), default=Fraction(0))
        if worst:
            warnings.append(
                f"{path.name}: Matroska counts in milliseconds, so frame times are up to {float(worst) * 1000:.2f} ms "
                "off; .mov and .mp4 keep them exactly"
            )
    with replacing(path, overwrite=True) as whole:
        options = {"time_base": time_base, "audio_from": audio_from, "span": span, "overwrite": True}
        with _Joined(whole, segments[0], size, rate, **options) as joined:
            done = 0
            for packet in _packets(segments):
                if done < len(times):
                    until = times[done + 1] if done + 1 < len(times) else times[done] + 1 / rate
                    joined.append(packet, times[done], until)
                done += 1
            if done != len(times):
                raise ClipError(f"the segments of {path.name} hold {done} frames, the clip has {len(times)}")
        said = describe(whole)
    if said:
        warnings.append(said)
    return warnings


def joined_path(path: Path, encoding: Encoding, audio_from: str | None) -> Path:
    """`path` with the suffix of an encoding; with another of its containers where that can't hold the source's audio.

    Raises:
        OSError: none of its containers can hold it.
    """
    return path.with_name(path.name + container_for(audio_from, (encoding.suffix, *encoding.others)))


def _rounded(time: Fraction) -> Fraction:
    return round(time / MATROSKA_TICK) * MATROSKA_TICK


def _packets(segments: Sequence[Path]) -> Iterator[Any]:
    for file in segments:
        with av.open(str(file)) as container:
            for packet in container.demux(video=0):
                check_cancelled()
                if packet.size:
                    yield packet

"""Frames out: an H.264 MP4 with exact times and the source's own audio packets, whole or not there at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from io import BytesIO
from itertools import islice
from math import lcm
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError

# Visually lossless for x264, so that what validation measures is the generator's work and not the encoder's.
DEFAULT_CRF = 16

# x264's AVX-512 code makes another file of the same small frames each time (its macroblock tree reads what nobody
# wrote); with AVX2 the same pictures make the same file. 13 is OpenCV's CV_CPU_AVX_512F, which Python has no name for.
REPEATABLE = {"x264-params": "asm=avx2"} if cv2.checkHardwareSupport(13) else {}

# Numbers of the ITU-T H.273 tables that FFmpeg uses: BT.709 primaries, transfer and matrix; limited range.
BT709, LIMITED_RANGE = 1, 1

# Fast, and still a fifth smaller than x264's lossless mode.
LOSSLESS = {"compression_level": "1", "pred": "paeth"}

# Containers by suffix, as FFmpeg calls them.
CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}

# Ticks a second that a movie's clock may have: with them an hour still fits into 32 bits, which all players read.
MOST_TICKS = 1 << 20

# Packets of sound looked at to see whether a container takes them, of all streams.
LOOKED_AT = 500

# Audio that players of MP4 know, by FFmpeg's names; FFmpeg itself would put more there.
IN_MP4 = {"aac", "ac3", "alac", "eac3", "flac", "mp2", "mp3", "mp3float", "opus", "libopus"}

# What is copied of what a file says about its sound.
NAMED = ("language", "title")

# libswscale's SWS_BILINEAR and SWS_ACCURATE_RND.
EXACT_COLOURS = 0x2 | 0x40000

# FFmpeg would delay all of a Matroska file by the priming of AAC, which lies before 0. A block may lie before it too.
MATROSKA, KEEP_NEGATIVE = (".mkv", ".webm"), {"avoid_negative_ts": "disabled"}

# Packets come in the order of their times. Where a track of sound has ended or not begun, FFmpeg would hold frames for
# ten seconds all the same, which are gigabytes of VR180. Microseconds.
AT_ONCE = {"max_interleave_delta": "1"}


@contextmanager
def replacing(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """A name beside `path` to write to; it becomes `path` when the block ends, and is removed when it fails.

    Raises:
        FileExistsError: `path` is there and `overwrite` is not set.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} is already there; choose another name or allow overwriting")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield partial
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} appeared while it was being written")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class VideoWriter:
    """Write one H.264 MP4 (or MOV, MKV by the suffix); use it in a `with` block.

    An odd width or height is kept exactly, by coding colour at full resolution (4:4:4); even sizes use 4:2:0, which
    every player reads. Colours are BT.709, tagged so.

    Args:
        path: the file, which appears when the block ends without an error and not before.
        width, height: px.
        rate: frames per second, used for frames written without a time and as the nominal rate.
        time_base: seconds; times given to `write` are whole multiples of it. None means 1 / rate.
        audio_from: a file whose audio packets are copied, not re-encoded.
        span: (start, end) seconds of the source's clock that the frames cover; end None = to its end. The written
            clip starts at 0, audio outside the span is left out.
        crf: x264's quality, 0 (lossless) to 51.
        overwrite: replace a file that is there.

    Raises:
        FileExistsError: the file is there and `overwrite` is not set.
        OSError: the disk is full, or the container can't hold the source's audio (the codec is named).
    """

    def __init__(
        self,
        path: str | Path,
        width: int,
        height: int,
        rate: Fraction,
        time_base: Fraction | None = None,
        audio_from: str | Path | None = None,
        span: tuple[Fraction, Fraction | None] = (Fraction(0), None),
        crf: int = DEFAULT_CRF,
        overwrite: bool = False,
    ):
        self.path = Path(path)
        self.size = (width, height)
        self._place = replacing(path, overwrite)
        self._rate, self._time_base = Fraction(rate), time_base or 1 / Fraction(rate)
        self._audio_from, self._span, self._crf = audio_from, span, crf
        self._count = 0

    def __enter__(self) -> VideoWriter:
        partial = self._place.__enter__()
        self._source: Any = None
        self._container: Any = None
        try:
            options = KEEP_NEGATIVE if partial.suffix in MATROSKA else {"movie_timescale": str(self._clock())}
            self._container = av.open(str(partial), "w", options={**options, **AT_ONCE})
            self._video = self._add_video()
            self._audio = self._open_audio() if self._audio_from is not None else iter(())
            self._pending = next(self._audio, None)
        except BaseException as error:
            self._close_files(quietly=True)
            self._place.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def write(self, image: np.ndarray, time: Fraction | None = None) -> None:
        """Append one frame, uint8 RGB [H, W, 3], at `time` seconds of the source's clock (None: at the next beat)."""
        if (image.shape[1], image.shape[0]) != self.size:
            raise ValueError(f"{self.path.name} is {self.size}, a frame of {image.shape[1::-1]} was given")
        at = self._count / self._rate if time is None else time - self._span[0]
        frame = self._converted(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24"))
        frame.time_base = self._time_base
        frame.pts = round(at / self._time_base)
        self._mux_audio_until(float(at))
        self._container.mux(self._video.encode(frame))
        self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if error is None:
            try:
                self._flush()
                self._mux_audio_until(float("inf"))
                self._close_files()
            except BaseException as late:
                self._close_files(quietly=True)
                self._place.__exit__(type(late), late, late.__traceback__)
                raise
        else:
            self._close_files(quietly=True)
        return self._place.__exit__(kind, error, trace)

    def _clock(self) -> int:
        """Ticks a second for the beginning of each track in MP4 and MOV, which FFmpeg would round to milliseconds."""
        rates = []
        if self._audio_from is not None:
            with av.open(str(self._audio_from)) as source:
                rates = [stream.sample_rate for stream in source.streams.audio if stream.sample_rate]
        ticks = lcm(1000, self._time_base.denominator, *rates)
        return ticks if ticks <= MOST_TICKS else min(self._time_base.denominator, MOST_TICKS)

    def _flush(self) -> None:
        self._container.mux(self._video.encode(None))

    def _add_video(self) -> Any:
        width, height = self.size
        stream: Any = self._container.add_stream(
            "libx264", rate=self._rate, options={"crf": str(self._crf), **REPEATABLE}
        )
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuv420p" if width % 2 == 0 and height % 2 == 0 else "yuv444p"
        context = stream.codec_context
        context.time_base = self._time_base
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED_RANGE
        return stream

    def _converted(self, frame: Any) -> Any:
        return frame.reformat(
            format=self._video.pix_fmt,
            dst_colorspace=BT709,
            dst_color_range=LIMITED_RANGE,
            interpolation=EXACT_COLOURS,
        )

    def _open_audio(self) -> Iterator[tuple[float, Any]]:
        """(seconds on the written clock, packet) of every audio packet inside the span."""
        assert self._audio_from is not None
        if not holds_sound(self.path.suffix, self._audio_from):
            codecs = ", ".join(dict.fromkeys(audio_codecs(self._audio_from)))
            raise OSError(f"{self.path.suffix} can't hold {codecs} audio; write to .mkv or .mov")
        self._source = av.open(str(self._audio_from))
        start, end = self._span
        streams = {}
        for stream in self._source.streams.audio:
            copied = streams[stream.index] = self._container.add_stream_from_template(stream)
            copied.metadata.update({key: stream.metadata[key] for key in NAMED if key in stream.metadata})
        return self._audio_packets(streams, start, end)

    def _audio_packets(
        self, streams: dict[int, Any], start: Fraction, end: Fraction | None
    ) -> Iterator[tuple[float, Any]]:
        if not streams:
            return
        for packet in self._source.demux([stream for stream in self._source.streams.audio]):
            if packet.dts is None or packet.pts is None:
                continue
            time, length = packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base
            if (start and time + length <= start) or (end is not None and time >= end):
                continue
            shift = round(start / packet.time_base)
            packet.stream = streams[packet.stream.index]
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            yield float(time - start), packet

    def _mux_audio_until(self, time: float) -> None:
        while self._pending is not None and self._pending[0] <= time:
            self._container.mux(self._pending[1])
            self._pending = next(self._audio, None)

    def _close_files(self, quietly: bool = False) -> None:
        for file in (self._container, self._source):
            if file is None:
                continue
            try:
                file.close()
            except (FFmpegError, OSError):
                if not quietly:  # a failed close is a file that is not whole; after an error that is known already
                    raise
        self._container = self._source = None


def audio_codecs(file: str | Path) -> list[str]:
    """FFmpeg's names of the codecs of a file's sound, one for each stream."""
    with av.open(str(file)) as container:
        return [stream.codec_context.name for stream in container.streams.audio]


def holds_sound(suffix: str, file: str | Path) -> bool:
    """Whether a container can hold all sound of a file. It is tried, in memory, with the first packet of each stream:
    some containers take a codec and then not its packets."""
    with av.open(str(file)) as source, av.open(BytesIO(), "w", format=CONTAINERS[suffix]) as trial:
        try:
            streams = {stream.index: trial.add_stream_from_template(stream) for stream in source.streams.audio}
            for packet in islice(source.demux(list(source.streams.audio)), LOOKED_AT) if streams else ():
                stream = streams.pop(packet.stream.index, None)
                if stream is not None and packet.dts is not None:
                    packet.stream = stream
                    trial.mux(packet)
                if not streams:
                    break
        except (FFmpegError, ValueError):
            return False
    return True


def container_for(audio_from: str | Path | None, suffixes: Sequence[str] = (".mp4", ".mov", ".mkv")) -> str:
    """The first of some containers, by suffix, that can hold a file's audio packets, in MP4 such as its players know.

    Raises:
        OSError: none of them can (the codecs are named).
    """
    if audio_from is None:
        return suffixes[0]
    codecs = set(audio_codecs(audio_from))
    for suffix in suffixes:
        if (suffix != ".mp4" or codecs <= IN_MP4) and holds_sound(suffix, audio_from):
            return suffix
    sound = f"the sound of {Path(audio_from).name} ({', '.join(sorted(codecs))})"
    raise OSError(f"{' or '.join(suffixes)} can't hold {sound}: choose another format, or leave the sound out")


class LosslessWriter(VideoWriter):
    """`VideoWriter` whose frames come back bit for bit: one PNG after another in MP4 or MOV, FFV1 in MKV.

    PNG, since ComfyUI's own decoder takes RGB of 8 bits as it is: the planar RGB of lossless H.264 comes out up to a
    grey level darker there. FFmpeg and what is built on it read such files (VLC, editors); browsers don't. Only for
    pixels that go on into another step: they take many times the space. `crf` is not used.
    """

    def _add_video(self) -> Any:
        matroska = self.path.suffix == ".mkv"  # which PyAV doesn't let hold PNG
        codec, form, options = ("ffv1", "bgr0", {}) if matroska else ("png", "rgb24", LOSSLESS)
        stream: Any = self._container.add_stream(codec, rate=self._rate, options=options)
        stream.width, stream.height = self.size
        stream.pix_fmt = form
        stream.codec_context.time_base = self._time_base
        return stream

    def _converted(self, frame: Any) -> Any:
        return frame.reformat(format=self._video.pix_fmt)

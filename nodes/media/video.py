"""Video files, read through PyAV: exact times, upright frames, and an honest end when the file is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Disposition

from ..host import check_cancelled
from .clip import Clip, ClipError, Frame, Look

# A container's duration is rounded and may include a long last frame, so only a larger gap means lost frames.
DURATION_SLACK_S = 0.5

# libswscale's SWS_BILINEAR, SWS_ACCURATE_RND and SWS_FULL_CHR_H_INT: without the latter two every pixel comes out
# about one grey level too dark.
EXACT_COLOURS = 0x2 | 0x40000 | 0x2000
# ComfyUI may still have PyAV 16, which converts all footage by BT.601; HD is BT.709.
BT709 = 1
# The number of H.273 for what a file doesn't say, and the matrices that libswscale knows.
UNSAID = 2
MATRICES = (BT709, UNSAID, 4, 5, 6, 7, 9)
# Transfers of H.273 whose levels are no longer those of a screen, and how they are called.
HDR = {16: "PQ", 18: "HLG"}
# Their files have packets for reference pictures that are never shown.
PACKETS_WITHOUT_FRAME = ("vp8", "libvpx")
LIBVPX = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
HONOURS_MATRIX = int(av.__version__.split(".")[0]) >= 17


class VideoClip(Clip):
    """One video stream of a file, or of a file held in memory.

    Args:
        source: a path, or a BytesIO with the whole file.
        window: (start, duration) in seconds of the container's clock, duration 0 = to the end. The frames with
            start <= time < start + duration are the clip, as in ComfyUI's trimmed VIDEO.
        allow_truncated: read up to where the file breaks off and say so in `warnings`, instead of raising there.

    A transport stream (.ts) promises no length, so one that was cut between two packets counts as whole.

    Raises:
        ClipError: missing, empty, not a video, no video stream, or not one frame that decodes.
    """

    def __init__(
        self,
        source: str | Path | BytesIO,
        window: tuple[float, float] = (0.0, 0.0),
        allow_truncated: bool = False,
    ):
        self._source = source
        self._window = window
        self._allow_truncated = allow_truncated
        self._pts: list[int] | None = None
        self._jumps: list[int] | None = None  # strictly rising; lets a read from the middle jump
        self.warnings = []
        self.width = self.height = 0
        if isinstance(source, BytesIO):
            self.name = "the video in memory"
        else:
            self.name, self.path = Path(source).name, str(source)
            _require_file(Path(source))
        with self._open() as container:
            stream = self._stream(container)
            self.rate = Fraction(stream.average_rate or stream.guessed_rate or stream.base_rate or 1)
            self.time_base = Fraction(stream.time_base or 1 / self.rate)
            if stream.codec_context.colorspace == BT709 and not HONOURS_MATRIX:
                self.warnings.append(f"PyAV {av.__version__} gets BT.709 colours slightly wrong: pip install -U av")
            duration = _claimed_duration(stream)
            self._claimed = stream.frames or (round(duration * self.rate) if duration else None)
            self.sound_in_memory = isinstance(source, BytesIO) and len(container.streams.audio) > 0
            self._clock = _beginning(container) if container.format.name == "mpegts" else Fraction(0)
            aspect, colours = Fraction(stream.sample_aspect_ratio or 1), _colours(stream.codec_context)
        first = next(self._decode(), None)
        if first is None:
            raise ClipError(f"{self.name}: not one frame of it is in the range asked for")
        self.width, self.height = _upright_size(first)
        self.look = Look(1 / aspect if _sideways(first) else aspect, *colours)
        if self.look.transfer in HDR:
            self.warnings.append(
                f"{self.name} is HDR ({HDR[self.look.transfer]}): its levels are used as they are, at 8 bits"
            )

    def read(self, start: int = 0) -> Iterator[Frame]:
        for index, frame in enumerate(self._decoded_from(start), start=start):
            time = index / self.rate if frame.pts is None else frame.pts * self.time_base
            yield Frame(index, time, _upright(frame))

    def stored(self) -> Iterator[Any]:
        """Every frame as PyAV decodes it, in the file's own pixel format and not turned: for alpha, and for more than 8
        bits. VP8 and VP9 are decoded by libvpx where they have alpha, as FFmpeg's own decoders drop it."""
        return self._decode(keep_alpha=True)

    def count(self) -> int:
        if self._pts is None:
            self._pts = [-1 if frame.pts is None else frame.pts for frame in self._decode()]
            self._jumps = self._pts if _rising(self._pts) else None
        return len(self._pts)

    def index(self) -> int:
        if self._jumps is None and self._pts is None:
            self._jumps = self._packet_times()
        return self.count() if self._jumps is None else len(self._jumps)

    def span(self) -> tuple[Fraction, Fraction | None]:
        start, duration = (Fraction(seconds) for seconds in self._window)
        return start or self._clock, start + duration if duration else None

    def expected_count(self) -> int | None:
        if self._pts is not None:
            return len(self._pts)
        start, duration = self._window
        if start == 0 and duration == 0:
            return self._claimed
        return round(duration * self.rate) if duration else None

    def _decoded_from(self, start: int) -> Iterator[Any]:
        """Decoded frames start, start + 1, ...: by a jump where the timestamps are known, else skipping."""
        if self._pts is not None and start >= len(self._pts):
            return
        if self._jumps is not None and 0 < start < len(self._jumps):
            target = self._jumps[start]
            frames = self._decode(seek=target)
            for frame in frames:
                if frame.pts > target:
                    break  # this container jumped too far: skip instead
                if frame.pts == target:
                    yield frame
                    yield from frames
                    return
        yield from islice(self._decode(), start, None)

    def _packet_times(self) -> list[int] | None:
        """Timestamps of the frames in the window as the packets have them; None where those can't be relied on."""
        start, duration = self._window
        with self._open() as container:
            stream = self._stream(container)
            if stream.codec_context.name in PACKETS_WITHOUT_FRAME:
                return None
            first = int(start / stream.time_base) if start else None
            last = int((start + duration) / stream.time_base) if duration else None
            times = []
            try:
                for packet in container.demux(stream):
                    check_cancelled()
                    if packet.is_corrupt or (packet.size and packet.pts is None):
                        return None
                    if packet.size and not packet.is_discard:
                        times.append(packet.pts)
            except (FFmpegError, ValueError):
                return None
        times = sorted(t for t in times if (first is None or t >= first) and (last is None or t < last))
        return times if times and _rising(times) else None

    def _decode(self, seek: int | None = None, keep_alpha: bool = False) -> Iterator[Any]:
        """Decoded frames inside the window; at a break a warning where that is allowed, else ClipError."""
        start, duration = self._window
        with self._open() as container:
            stream = self._stream(container)
            stream.thread_type = "AUTO"
            decoder: Any = stream.codec_context
            if keep_alpha and decoder.name in LIBVPX and stream.metadata.get("alpha_mode") == "1":
                decoder = av.CodecContext.create(LIBVPX[decoder.name], "r")
            first = int(start / stream.time_base)
            last = int((start + duration) / stream.time_base) if duration else None
            jump = seek if seek is not None else (first or None)
            if jump is not None:
                container.seek(jump, stream=stream)
            good, packets, end = 0, 0, None
            problem = None
            demuxed = container.demux(stream)
            while problem is None:
                try:
                    packet = next(demuxed, None)
                    if packet is None:
                        break
                    if packet.is_corrupt:
                        problem, packet = "the file ends in the middle of a frame", None
                    frames = decoder.decode(packet)
                except (FFmpegError, ValueError) as error:
                    problem, frames, packet = _reason(error), [], None
                check_cancelled()
                packets += packet is not None and packet.size > 0
                for frame in frames:
                    if frame.pts is not None and start and frame.pts < first:
                        continue
                    if last is not None and frame.pts is not None and frame.pts >= last:
                        return
                    if frame.is_corrupt and (seek is None or frame.pts is None or frame.pts >= seek):
                        problem = "damaged data"
                        break
                    if self.width and _upright_size(frame) != (self.width, self.height):
                        problem = f"the picture changes its size to {frame.width}x{frame.height}"
                        break
                    good, end = good + 1, end if frame.pts is None else float(frame.pts * stream.time_base)
                    yield frame
            problem = problem or self._missing_end(stream, packets if jump is None else None, end)
            if problem is not None:
                self._break_off(good if seek is None else None, end, problem)

    def _missing_end(self, stream: Any, packets: int | None, end: float | None) -> str | None:
        """What the container promises beyond what it holds, if anything; `packets` None = not read from its start."""
        if stream.frames:
            if packets is None or packets >= stream.frames:
                return None
            return f"the file promises {stream.frames} frames and holds {packets}"
        promised = _claimed_duration(stream)
        if promised is None or end is None or end + max(DURATION_SLACK_S, 3 / float(self.rate)) >= promised:
            return None
        return f"the file promises {promised:.2f} s and ends at {end:.2f} s"

    def _break_off(self, good: int | None, end: float | None, problem: str) -> None:
        frames = "" if good is None else f" after {good} frame{'' if good == 1 else 's'}"
        message = f"{self.name} breaks off{frames}{'' if end is None else f' at {end:.2f} s'}: {problem}"
        if good == 0 or not self._allow_truncated:
            raise ClipError(
                message + ("" if good == 0 else "; --allow-truncated (allow_truncated) reads the frames before")
            )
        if good is not None and message not in self.warnings:
            self.warnings.append(message)

    def _open(self) -> Any:
        source = self._source
        try:
            if isinstance(source, BytesIO):
                return av.open(BytesIO(source.getvalue()))  # a position of its own; the bytes are shared
            return av.open(str(source))
        except (FFmpegError, ValueError) as error:
            raise ClipError(f"{self.name} can't be opened as a video: {_reason(error)}") from error

    def _stream(self, container: Any) -> Any:
        for stream in container.streams.video:
            if not stream.disposition & Disposition.attached_pic:  # the cover of a song is no video
                return stream
        kinds = ", ".join(sorted({stream.type for stream in container.streams}))
        raise ClipError(f"{self.name} has no video stream{f', only {kinds}' if kinds else ' and no other'}")


def _rising(times: list[int]) -> bool:
    return all(a < b for a, b in zip(times, times[1:], strict=False))


def _require_file(path: Path) -> None:
    if not path.exists():
        raise ClipError(f"{path}: there is no such file")
    if path.stat().st_size == 0:
        raise ClipError(f"{path.name} is empty (0 bytes)")


def _colours(context: Any) -> tuple[int, int, int]:
    """Primaries, transfer and matrix; BT.709 for RGB, which has no matrix."""
    if context.format is None or context.format.is_rgb or (context.colorspace or UNSAID) not in MATRICES:
        return BT709, BT709, BT709
    return context.color_primaries or UNSAID, context.color_trc or UNSAID, context.colorspace or UNSAID


def _beginning(container: Any) -> Fraction:
    """Seconds at which the first picture or sound of a file is: the clock of a transport stream begins anywhere."""
    starts = [stream.start_time * stream.time_base for stream in (*container.streams.video, *container.streams.audio)
              if stream.start_time is not None]  # fmt: skip
    return Fraction(min(starts, default=0))


def _claimed_duration(stream: Any) -> float | None:
    """Seconds that the container promises for this stream; Matroska keeps them in a tag (h:m:s)."""
    if stream.duration is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    hours, minutes, seconds = (stream.metadata.get("DURATION", "") + "::").split(":")[:3]
    try:
        return float(hours) * 3600 + float(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def _upright(frame: Any) -> np.ndarray:
    image = frame.reformat(format="rgb24", interpolation=EXACT_COLOURS).to_ndarray()
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _upright_size(frame: Any) -> tuple[int, int]:
    return (frame.height, frame.width) if _sideways(frame) else (frame.width, frame.height)


def _sideways(frame: Any) -> bool:
    return round(frame.rotation / 90) % 2 == 1


def _reason(error: Exception) -> str:
    """FFmpeg's own words without its file name and error number."""
    return getattr(error, "strerror", None) or str(error)

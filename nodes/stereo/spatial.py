"""Say in an MP4 or MOV that its picture is stereo, and VR180: the boxes st3d and sv3d of Google's Spatial Media, v2.

FFmpeg writes them only as an experiment; they are a few bytes that belong into the video's sample description. Our
files have that after the pictures, so nothing else in them moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from .layouts import SIDE_BY_SIDE, TOP_BOTTOM

SUFFIXES = (".mp4", ".mov")
STEREO_MODE = {TOP_BOTTOM: 1, SIDE_BY_SIDE: 2}
# A quarter of the sphere is left out on either side, in 0.32 fixed point.
QUARTER = 0x3FFFFFFF
# The box to go on to in each, and the bytes of the list of sample entries before the first.
WITHIN = {b"trak": b"mdia", b"mdia": b"minf", b"minf": b"stbl", b"stbl": b"stsd"}
LIST_BYTES = 16


def describe_vr(file: Path, arrangement: str | None, half_equirect: bool) -> bool:
    """Write the boxes into a file of ours.

    Args:
        arrangement: SIDE_BY_SIDE or TOP_BOTTOM, left eye first; None: one eye.
        half_equirect: the picture is VR180; else only the arrangement is said.

    Returns:
        False for a container that has no such boxes, or a file whose description lies before its pictures.
    """
    if file.suffix not in SUFFIXES:
        return False
    boxes = b"" if arrangement is None else _full(b"st3d", bytes([STEREO_MODE[arrangement]]))
    if half_equirect:
        bounds = b"".join(value.to_bytes(4, "big") for value in (0, 0, QUARTER, QUARTER))
        projection = _box(b"proj", _full(b"prhd", bytes(12)) + _full(b"equi", bounds))
        boxes += _box(b"sv3d", _full(b"svhd", b"physics preserver\0") + projection)
    with file.open("r+b") as data:
        top = list(_top(data))
        kinds = [kind for kind, _, _ in top]
        if kinds[-1:] != [b"moov"]:
            return False
        _, start, size = top[-1]
        data.seek(start)
        moov = bytearray(data.read(size))
        _insert(moov, boxes)
        data.seek(start)
        data.write(moov)
    return True


def _box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


def _full(kind: bytes, content: bytes) -> bytes:
    return _box(kind, bytes(4) + content)


def _top(data: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Kind, place and size of every box of a file."""
    at = 0
    while True:
        data.seek(at)
        head = data.read(16)
        if len(head) < 8:
            return
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:16], "big") if size == 1 else size
        if size < 8:  # 0: as far as the file goes
            return
        yield head[4:8], at, size
        at += size


def _insert(moov: bytearray, boxes: bytes) -> None:
    """Add boxes at the end of the video's sample entry, and make everything around it so much larger."""
    for start, stop in _inside(moov, 8, len(moov)):
        if moov[start + 4 : start + 8] != b"trak":
            continue
        way = _way(moov, start, stop)
        if way:
            entry = way[-1]
            end = entry + int.from_bytes(moov[entry : entry + 4], "big")
            moov[end:end] = boxes
            for place in (0, *way):
                size = int.from_bytes(moov[place : place + 4], "big") + len(boxes)
                moov[place : place + 4] = size.to_bytes(4, "big")
            return


def _way(moov: bytearray, start: int, stop: int) -> list[int]:
    """Places of the boxes from a video's `trak` to its sample entry; nothing for sound."""
    way = [start]
    while (kind := WITHIN.get(bytes(moov[way[-1] + 4 : way[-1] + 8]))) is not None:
        found = {bytes(moov[a + 4 : a + 8]): (a, b) for a, b in _inside(moov, way[-1] + 8, stop)}
        if kind == b"stbl" and b"vmhd" not in found:
            return []
        place, stop = found[kind]
        way.append(place)
    return [*way, way[-1] + LIST_BYTES]


def _inside(data: bytearray, start: int, stop: int) -> Iterator[tuple[int, int]]:
    at = start
    while at + 8 <= stop:
        size = int.from_bytes(data[at : at + 4], "big")
        if size < 8:
            return
        yield at, at + size
        at += size

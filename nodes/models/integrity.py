"""Whether a model file is whole: its SHA-256, and what its own structure tells without opening it as a model."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import BinaryIO

BLOCK = 1 << 20


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file as 64 hex digits, with a progress bar where the output is a terminal."""
    from tqdm import tqdm

    digest = hashlib.sha256()
    with (
        open(file, "rb") as data,
        tqdm(total=file.stat().st_size, desc=f"checking {file.name}", unit="B", unit_scale=True, leave=False,
             disable=None) as bar,
    ):  # fmt: skip
        while block := data.read(BLOCK):
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()


def damage(file: Path, name: str = "") -> str | None:
    """What is wrong with a model file, told by its structure; None when nothing is.

    A cut-off file and a web page or a Git LFS pointer in its place are found in every format. Changed bytes are found
    in .pt and .zip, which carry checksums, and in the header of .safetensors; in .onnx only a hash can find them.

    Args:
        name: the name whose ending tells the format, when the file has another one while it arrives.
    """
    size = file.stat().st_size
    if size == 0:
        return "it is empty"
    with open(file, "rb") as data:
        start = data.read(64)
        if start.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
            return "it is a web page, not a model"
        if start.startswith(b"version https://git-lfs"):
            return "it is a Git LFS pointer of a few bytes, not the model"
        data.seek(0)
        suffix = Path(name or file.name).suffix.lower()
        if suffix == ".safetensors":
            return _safetensors_damage(data, size)
        if suffix == ".onnx":
            return _onnx_damage(data, size)
        if suffix == ".zip" or (suffix == ".pt" and not start.startswith(b"\x80")):  # \x80: PyTorch's format before 1.6
            return _zip_damage(data)
    return None


def _zip_damage(data: BinaryIO) -> str | None:
    try:
        with zipfile.ZipFile(data) as archive:
            bad = archive.testzip()
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        return f"it is cut off or no such file ({error})"
    return f"the checksum of {bad} in it is wrong" if bad else None


def _safetensors_damage(data: BinaryIO, size: int) -> str | None:
    """github.com/huggingface/safetensors#format: 8 bytes little-endian header length, a JSON header, the tensors."""
    length = int.from_bytes(data.read(8), "little")
    if not 2 <= length <= size - 8:
        return "its header is cut off, or it is no safetensors file"
    try:
        header = json.loads(data.read(length))
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return "its header is damaged"
    needed = 8 + length + max(ends, default=0)
    return None if needed == size else f"it has {size} bytes, and its header describes {needed}"


def _onnx_damage(data: BinaryIO, size: int) -> str | None:
    """Walk the fields of the outermost protobuf message (ONNX's ModelProto), whose field 7 is the graph."""
    fields = set()
    while data.tell() < size:
        key = _varint(data)
        if key is None:
            return "it is cut off"
        kind, number = key & 7, key >> 3
        length = {0: 0, 1: 8, 5: 4}.get(kind)
        if kind in (0, 2):
            value = _varint(data)
            if value is None:
                return "it is cut off"
            length = value if kind == 2 else 0
        if length is None or number == 0:
            return "it is no ONNX file"
        data.seek(length, 1)
        fields.add(number)
        if data.tell() > size:
            return "it is cut off" if 1 in fields else "it is no ONNX file"
    return None if {1, 7} <= fields else "it is no ONNX file"


def _varint(data: BinaryIO) -> int | None:
    value = 0
    for shift in range(0, 64, 7):
        byte = data.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            break
    return value

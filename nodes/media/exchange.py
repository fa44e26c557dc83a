"""Tracks in other shapes: ComfyUI's SAM3_TRACK_DATA, folders of PNG masks, COCO run-length JSON."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..host import progress
from .clip import ClipError
from .stills import natural_order, write_image
from .track import Track, TrackBuilder, unpack

RLE_SCHEMA = "physics-preserver/rle"
RLE_VERSION = 1

# What core's objects, which have no names, are called before their number.
NAMELESS = "object"


def to_socket(track: Track) -> dict[str, Any]:
    """The track as core's SAM3_TRACK_DATA, with our keys beside core's.

    Core wants rows of whole bytes, so a width that isn't a multiple of 8 is stretched to the next one by repeating
    columns; core scales masks back to `orig_size`, and `from_socket` takes the very same columns out again.
    """
    import torch

    packed = track.packed if track.mask_size[1] % 8 == 0 else _stretched(track).packed
    return {
        "packed_masks": torch.from_numpy(packed) if track.labels else None,
        "n_frames": len(track),
        "scores": [float(s) for s in track.scores.mean(axis=0)] if len(track) else [0.0] * len(track.labels),
        "orig_size": track.clip_size,
        "labels": list(track.labels),
        "frame_scores": track.scores,
        "mask_size": track.mask_size,
        "fps": track.rate,
        "times": track.times,
        "source": track.source,
        "tracker": track.tracker,
        "warnings": list(track.warnings),
        "soft_logits": track.soft,
    }


def from_socket(data: Mapping[str, Any]) -> Track:
    """A Track from SAM3_TRACK_DATA, ours or core's (whose objects get the labels "object 1", "object 2", ...).

    Raises:
        ValueError: not track data.
    """
    if not isinstance(data, Mapping) or "packed_masks" not in data or "n_frames" not in data:
        raise ValueError("this is no track data: it lacks packed_masks or n_frames")
    frames = int(data["n_frames"])
    height, width = (int(side) for side in data["orig_size"])
    tensor = data["packed_masks"]
    if tensor is None:
        packed = np.zeros((frames, 0, height, -(-width // 8)), np.uint8)
    else:
        packed = tensor.cpu().numpy() if hasattr(tensor, "cpu") else np.asarray(tensor)
    if packed.ndim != 4 or len(packed) != frames:
        raise ValueError(f"packed_masks is {list(packed.shape)}, not [{frames}, objects, height, width / 8]")
    objects = packed.shape[1]
    labels = tuple(data.get("labels") or (f"{NAMELESS} {n + 1}" for n in range(objects)))
    if "frame_scores" in data:
        scores = np.asarray(data["frame_scores"], np.float32)
    else:
        given = data.get("scores") or [1.0] * objects
        scores = np.tile(np.asarray(given, np.float32), (frames, 1)) * (packed.any(axis=(2, 3)))
    stretched = (packed.shape[2], packed.shape[3] * 8) if tensor is not None else (height, width)
    mask_size = tuple(data.get("mask_size") or stretched)
    track = Track(
        packed, labels, scores, (height, width), stretched, Fraction(data.get("fps") or 24), data.get("times"),
        str(data.get("source") or ""), str(data.get("tracker") or "SAM 3"), list(data.get("warnings") or []),
        data.get("soft_logits"),
    )  # fmt: skip
    return track if mask_size[1] % 8 == 0 or tensor is None else _unstretched(track, mask_size[1])


def write_masks(track: Track, folder: Path) -> None:
    """`mask_<label>/%05d.png` for every object and frame: 8 bit, 0 or 255, at the clip's size.

    Raises:
        ValueError: two labels would get the same folder.
    """
    folders = [folder / mask_folder(label) for label in track.labels]
    if len(set(folders)) != len(folders):
        raise ValueError(f"labels that can't be told apart as folder names: {', '.join(track.labels)}")
    for place in folders:
        place.mkdir(parents=True)
    for t in progress(range(len(track)), len(track), "writing masks"):
        for place, mask in zip(folders, track.masks(t), strict=True):
            write_image(place / f"{t:05d}.png", mask.view(np.uint8) * 255)


def read_masks(
    folder: Path, labels: tuple[str, ...], rate: Fraction, scores: np.ndarray | None = None, **about: Any
) -> Track:
    """The track in `mask_<label>` folders (above half = inside); scores default to 1 where a mask isn't empty.

    Raises:
        ClipError: a folder is missing or empty, folders of different lengths, a mask that can't be read.
    """
    files = {label: natural_order(folder / mask_folder(label)) for label in labels if _require(folder, label)}
    lengths = {label: len(names) for label, names in files.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise ClipError(f"{folder}: the mask folders have different numbers of frames: {lengths}")
    builder = None
    frames = next(iter(lengths.values()))
    for t in progress(range(frames), frames, "reading masks"):
        masks = np.stack([read_mask(files[label][t]) for label in labels])
        if builder is None:
            builder = TrackBuilder(labels, masks.shape[1:], rate, **about)
        builder.append(masks, np.asarray(masks.any(axis=(1, 2)) if scores is None else scores[t]))
    assert builder is not None
    return builder.finish()


def read_mask(file: Path) -> np.ndarray:
    """bool [H, W] from a grey or colour image: inside where it is above half. Raises ClipError."""
    image = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_GRAYSCALE) if file.is_file() else None
    if image is None:
        raise ClipError(f"{file}: not a mask image that can be read")
    return image > 127


def mask_folder(label: str) -> str:
    """Name of an object's folder; anything but letters, digits, "-" and "." becomes "_"."""
    return "mask_" + "".join(c if c.isalnum() or c in "-." else "_" for c in label)


def to_rle(track: Track) -> dict[str, Any]:
    """The track as a JSON-able dict of COCO's uncompressed run-length masks (column by column, starting with 0s)."""
    return {
        "schema": RLE_SCHEMA,
        "schema_version": RLE_VERSION,
        "size": list(track.mask_size),
        "clip_size": list(track.clip_size),
        "fps": str(track.rate),
        "times": None if track.times is None else [str(time) for time in track.times],
        "source": track.source,
        "tracker": track.tracker,
        "warnings": track.warnings,
        "objects": [
            {
                "label": label,
                "scores": [float(score) for score in track.scores[:, n]],
                "counts": [_runs(unpack(track.packed[t, n], track.mask_size[1])) for t in range(len(track))],
            }
            for n, label in enumerate(track.labels)
        ],
    }


def from_rle(data: Mapping[str, Any]) -> Track:
    """The track of `to_rle`. Raises ValueError for another schema or a newer version."""
    if data.get("schema") != RLE_SCHEMA or data.get("schema_version", 0) > RLE_VERSION:
        raise ValueError(
            f"this is {data.get('schema')} version {data.get('schema_version')}, not {RLE_SCHEMA} {RLE_VERSION}"
        )
    objects = data["objects"]
    height, width = data["size"]
    labels = tuple(item["label"] for item in objects)
    builder = TrackBuilder(labels, tuple(data["clip_size"]), Fraction(data["fps"]), data["source"], data["tracker"])
    for t in range(len(objects[0]["counts"]) if objects else 0):
        masks = np.stack([_from_runs(item["counts"][t], height, width) for item in objects])
        builder.append(
            masks,
            np.array([item["scores"][t] for item in objects]),
            Fraction(data["times"][t]) if data["times"] else None,
        )
    builder.warnings.extend(data["warnings"])
    return builder.finish()


def _runs(mask: np.ndarray) -> list[int]:
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def _from_runs(counts: list[int], height: int, width: int) -> np.ndarray:
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(width, height).T


def _columns(source: int, target: int) -> np.ndarray:
    """For each of `target` columns the nearest of `source` ones; widening and narrowing back is exact."""
    return np.floor((np.arange(target) + 0.5) * source / target).astype(np.intp)


def _stretched(track: Track) -> Track:
    width = track.mask_size[1]
    return _with_columns(track, _columns(width, -(-width // 8) * 8))


def _unstretched(track: Track, width: int) -> Track:
    return _with_columns(track, _columns(track.mask_size[1], width))


def _with_columns(track: Track, columns: np.ndarray) -> Track:
    builder = TrackBuilder(track.labels, track.clip_size, track.rate, track.source, track.tracker)
    builder.warnings.extend(track.warnings)
    for t in progress(range(len(track)), len(track), "converting"):
        masks = unpack(track.packed_masks(t), track.mask_size[1])[..., columns]
        builder.append(masks, track.scores[t], track.times[t] if track.times else None)
    narrowed = builder.finish()
    narrowed.soft = track.soft
    return narrowed


def _require(folder: Path, label: str) -> bool:
    if not (folder / mask_folder(label)).is_dir():
        raise ClipError(f"{folder}: there is no folder {mask_folder(label)}")
    return True

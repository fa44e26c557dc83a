"""The physics folder: what an extraction leaves on disk, and how every later step reads it back."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ..host import check_cancelled, progress
from .clip import Clip, ClipError, TrimmedClip
from .exchange import mask_folder, read_masks, write_masks
from .pose import Poses
from .pose_folder import read_poses, write_poses
from .stills import FolderClip, natural_order, write_image
from .track import Track
from .writer import replacing

SCHEMA = "physics-preserver/tracking"
SCHEMA_VERSION = 1
METADATA = "tracking_metadata.json"
FRAMES = "frames_original"


@dataclass
class Physics:
    """A physics folder that was read.

    Attributes:
        folder: where it is.
        metadata: `tracking_metadata.json` as it is on disk.
        track: the masks of all objects.
        poses: those of one object, where they were kept.
    """

    folder: Path
    metadata: dict[str, Any]
    track: Track
    poses: Poses | None = None

    def clip(self) -> FolderClip:
        """The source frames (JPEG copies, at the source's times)."""
        return FolderClip(self.folder / FRAMES, self.track.rate, self.track.times)


def require_free(folder: Path) -> None:
    """Raise FileExistsError for a folder with something in it; long work asks this before it begins."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is already there and not empty; choose another folder")


@contextmanager
def new_folder(folder: str | Path) -> Iterator[Path]:
    """A folder beside `folder` to fill; it takes that name when the block ends and is removed when it fails.

    Raises:
        FileExistsError: `folder` is there and not empty.
    """
    folder = Path(folder)
    require_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        if folder.exists():
            folder.rmdir()
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_physics(
    folder: str | Path,
    clip: Clip,
    track: Track,
    pairing: Mapping[str, Any] | None = None,
    relations: Mapping[str, Any] | None = None,
    poses: Poses | None = None,
) -> Physics:
    """Write frames, masks, poses and metadata; the folder appears when all of it is there.

    Args:
        folder: a new or empty folder.
        clip: the footage that `track` was made from.
        pairing, relations: JSON-able results of the extraction, kept as they are.
        poses: of one of the track's objects.

    Raises:
        FileExistsError: the folder has something in it.
        ClipError: the clip, the track and the poses have different sizes or numbers of frames.
    """
    if (clip.height, clip.width) != track.clip_size:
        raise ClipError(f"{clip.name} is {clip.width}x{clip.height}, its track {track.clip_size[::-1]}")
    if poses is not None and (poses.size, len(poses)) != (track.clip_size, len(track)):
        raise ClipError(
            f"the poses are {len(poses)} of {poses.size[::-1]}, the track {len(track)} of {track.clip_size[::-1]}"
        )
    with new_folder(folder) as partial:
        (partial / FRAMES).mkdir()
        frames = 0
        for frame in progress(clip, len(track), "writing"):
            write_image(partial / FRAMES / f"{frame.index:05d}.jpg", frame.image)
            frames += 1
        if frames != len(track):
            raise ClipError(f"{clip.name} has {frames} frames, its track {len(track)}")
        write_masks(track, partial)
        pose = None if poses is None else write_poses(poses, partial)
        metadata = {**describe(clip, track, pairing, relations), "pose": pose}
        (partial / METADATA).write_text(json.dumps(metadata, indent=1), encoding="utf-8")
    return Physics(Path(folder), metadata, track, poses)


def read_physics(folder: str | Path) -> Physics:
    """Read a physics folder.

    Raises:
        ClipError: no metadata, another schema, a newer version, or masks missing or unreadable (named).
    """
    folder = Path(folder)
    file = folder / METADATA
    if not file.is_file():
        raise ClipError(f"{folder} is no physics folder: it has no {METADATA}")
    try:
        metadata = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ClipError(f"{file} can't be read: {error}") from error
    if metadata.get("schema") != SCHEMA or metadata.get("schema_version", 0) > SCHEMA_VERSION:
        found = f"{metadata.get('schema')} version {metadata.get('schema_version')}"
        raise ClipError(f"{file} is {found}; this release reads {SCHEMA} up to version {SCHEMA_VERSION}")
    source, objects = metadata["source"], metadata["objects"]
    frames = source["frame_count"]
    found = len(natural_order(folder / FRAMES)) if (folder / FRAMES).is_dir() else 0
    if found != frames:
        raise ClipError(f"{folder / FRAMES} has {found} frames, {METADATA} says {frames}")
    scores = np.array([item["scores"] for item in objects], np.float32).reshape(len(objects), frames).T
    track = read_masks(
        folder,
        tuple(item["label"] for item in objects),
        Fraction(source["fps"]),
        scores,
        source=source["name"],
        tracker=metadata["tracker"],
    )
    if len(track) != frames:
        raise ClipError(f"{folder} has masks for {len(track)} frames, {METADATA} says {frames}")
    track.times = None if source["times"] is None else [Fraction(time) for time in source["times"]]
    track.warnings = list(metadata["warnings"])
    poses = read_poses(folder, metadata["pose"], track) if metadata.get("pose") else None
    return Physics(folder, metadata, track, poses)


def files_of(metadata: Mapping[str, Any]) -> Iterator[str]:
    """The files that lie beside the metadata, as "folder/name": whoever copies a physics folder needs them all."""
    frames = range(metadata["source"]["frame_count"])
    pose = metadata.get("pose")
    folders = [(FRAMES, "jpg"), *((item["masks"], "png") for item in metadata["objects"])]
    folders += [(pose["images"], "png"), (pose["json"], "json")] if pose else []
    for name, kind in folders:
        yield from (f"{name}/{t:05d}.{kind}" for t in frames)


def describe(
    clip: Clip, track: Track, pairing: Mapping[str, Any] | None, relations: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The metadata of a track, JSON-able. Boxes are [x1, y1, x2, y2] px, ends exclusive, null where not visible."""
    boxes, areas = track.boxes(), track.areas()
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "source": {
            "name": clip.name,
            "path": None if clip.path is None else str(Path(clip.path).resolve()),
            "sha256": _sha256(clip.path),
            "range": list(clip.frames) if isinstance(clip, TrimmedClip) else None,
            "width": clip.width,
            "height": clip.height,
            "fps": str(track.rate),
            "time_base": str(clip.time_base),
            "frame_count": len(track),
            "times": None if track.times is None else [str(time) for time in track.times],
        },
        "tracker": track.tracker,
        "versions": {name: found for name in ("physics-preserver", "opencv-python", "numpy", "av")
                     if (found := package_version(name))},
        "objects": [
            {
                "label": label,
                "masks": mask_folder(label),
                "frames_visible": int((areas[:, n] > 0).sum()),
                "scores": [float(score) for score in track.scores[:, n]],
                "boxes": [None if np.isnan(box[0]) else [float(side) for side in box] for box in boxes[:, n]],
            }
            for n, label in enumerate(track.labels)
        ],
        "pairing": pairing,
        "relations": relations,
        "warnings": [*clip.warnings, *track.warnings],
    }  # fmt: skip


def write_json(file: Path, data: Mapping[str, Any]) -> None:
    """Write JSON that carries a schema, whole or not at all; it replaces only a file of the same schema.

    Raises:
        FileExistsError: a file of that name is there which this tool did not write.
    """
    require_replaceable(file, data["schema"])
    with replacing(file, overwrite=file.exists()) as partial:
        partial.write_text(json.dumps(data, indent=1), encoding="utf-8")


def require_replaceable(file: Path, schema: str) -> None:
    """Raise FileExistsError for what is there and is no JSON of that schema; long work asks this before it begins."""
    if file.exists() and not (file.is_file() and _schema(file) == schema):
        raise FileExistsError(f"{file} is already there, and is no {schema}; choose another name")


def _schema(file: Path) -> str | None:
    try:
        return json.loads(file.read_text(encoding="utf-8")).get("schema")
    except (ValueError, AttributeError):
        return None


def _sha256(path: str | None) -> str | None:
    """Of a file, or of a folder's images one after another; None for frames in memory."""
    if path is None:
        return None
    digest = hashlib.sha256()
    for file in natural_order(Path(path)) if Path(path).is_dir() else [Path(path)]:
        with file.open("rb") as data:
            while block := data.read(1 << 20):
                check_cancelled()
                digest.update(block)
    return digest.hexdigest()


def package_version(name: str) -> str | None:
    """Version of an installed distribution, None when it isn't installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None

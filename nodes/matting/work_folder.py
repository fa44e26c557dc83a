"""Where a matte's run keeps what it has finished, so that a run that died goes on from the segment it was in."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..media.clip import ClipError
from ..media.folder import require_free, write_json
from ..media.stills import natural_order
from ..media.track import RELEASE_EVERY, Track, release
from ..media.writer import replacing

SCHEMA = "physics-preserver/matte-run"
SCHEMA_VERSION = 1
WORK, ABOUT, SUMMARY, CONFIG = "unfinished", "run.json", "run_summary.json", "config_used.json"
ANCHOR_MASK, PLAN = "anchor_mask.auto.png", "plan.json"
# Of a file, its size, its time and so much of its beginning, middle and end tell it from another one.
SAMPLE = 1 << 20


@dataclass(frozen=True)
class WorkFolder:
    """The folder of one run: results in it, and until they are there what they are made of, in `unfinished`."""

    folder: Path

    @property
    def work(self) -> Path:
        return self.folder / WORK

    def begin(self, identity: Mapping[str, Any]) -> bool:
        """Make the folder, or find the same run again.

        Args:
            identity: JSON-able: everything that the results depend on.

        Returns:
            Whether the run was finished already. One of other settings that has found nothing yet is begun anew.

        Raises:
            FileExistsError: something else is in that place, or a run of other input or settings (what differs is
                said).
        """
        about = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "identity": dict(identity)}
        summary, file = self.folder / SUMMARY, self.work / ABOUT
        before = summary if summary.is_file() else file
        if not before.is_file():
            require_free(self.folder)
            write_json(file, about)
            return False
        known = json.loads(before.read_text(encoding="utf-8"))
        # As JSON has it: tuples are lists there.
        differing = _differences(known.get("identity", {}), json.loads(json.dumps(about["identity"])))
        if differing and before == file and {item.name for item in self.work.iterdir()} <= {ABOUT, PLAN}:
            shutil.rmtree(self.work)  # it failed before anything was found, so that nothing is lost
            write_json(file, about)
            return False
        if differing:
            raise FileExistsError(
                f"{self.folder} holds a run with another {', '.join(differing)}; choose another folder, or remove this "
                "one"
            )
        return before == summary

    def segment(self, number: int) -> Path:
        return self.work / f"segment_{number:05d}"

    def finished(self, number: int) -> dict[str, Any] | None:
        """What `finish` kept of a segment; None when it is still to be made."""
        file = self.segment(number) / ABOUT
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None

    def renew(self, number: int) -> Path:
        """An empty folder for a segment that is made now."""
        folder = self.segment(number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def finish(self, number: int, about: Mapping[str, Any]) -> None:
        """Say that a segment's files are whole; written last."""
        write_json(
            self.segment(number) / ABOUT, {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **about}
        )  # fmt: skip

    def clear(self) -> None:
        """Remove the work folder, if it is still there, when all results are."""
        if not (self.folder / SUMMARY).is_file():
            raise FileNotFoundError(f"{self.folder / SUMMARY} is not there: the work folder is still needed")
        if self.work.exists():
            shutil.rmtree(self.work)


def save_track(folder: Path, name: str, track: Track) -> None:
    """Keep a track; its .json comes last and says that all of it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    _save_frames(folder / f"{name}_masks.npy", track.packed)
    if track.soft is not None:
        _save_frames(folder / f"{name}_soft.npy", track.soft)
    np.save(folder / f"{name}_scores.npy", track.scores, allow_pickle=False)
    write_json(
        folder / f"{name}.json",
        {
            "schema": SCHEMA, "schema_version": SCHEMA_VERSION, "labels": list(track.labels),
            "clip_size": list(track.clip_size), "mask_size": list(track.mask_size), "rate": str(track.rate),
            "times": None if track.times is None else [str(time) for time in track.times], "source": track.source,
            "tracker": track.tracker, "warnings": track.warnings, "soft": track.soft is not None,
        },
    )  # fmt: skip


def _save_frames(file: Path, array: np.ndarray) -> None:
    """Write an array frame by frame, whole or not at all; of one that is mapped only a few frames are in memory."""
    about = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    with replacing(file, overwrite=True) as partial, partial.open("wb") as data:
        np.lib.format.write_array_header_1_0(data, about)
        for t in range(len(array)):
            data.write(np.ascontiguousarray(array[t]).tobytes())
            if isinstance(array, np.memmap) and t % RELEASE_EVERY == 0:
                release(array)


def load_track(folder: Path, name: str) -> Track | None:
    """The track that `save_track` kept, its masks mapped from the file; None when it isn't whole."""
    file = folder / f"{name}.json"
    if not file.is_file():
        return None
    about = json.loads(file.read_text(encoding="utf-8"))
    arrays = {
        kind: np.load(folder / f"{name}_{kind}.npy", mmap_mode="r", allow_pickle=False)
        for kind in ("masks", *(["soft"] if about["soft"] else []))
    }
    times = about["times"]
    return Track(
        arrays["masks"], tuple(about["labels"]),
        np.load(folder / f"{name}_scores.npy", allow_pickle=False),
        (about["clip_size"][0], about["clip_size"][1]), (about["mask_size"][0], about["mask_size"][1]),
        Fraction(about["rate"]), None if times is None else [Fraction(time) for time in times], about["source"],
        about["tracker"], list(about["warnings"]), arrays.get("soft"),
    )  # fmt: skip


def identity_of(path: str | Path | None) -> dict[str, Any]:
    """What tells a file or a folder of images from another, without reading all of it.

    Raises:
        ClipError: frames in memory, of which nothing lasts beyond the run.
    """
    if path is None:
        raise ClipError("frames in memory can't be told from others after a crash; give a file or a folder of images")
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    files = natural_order(path) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        about = file.stat()
        digest.update(f"{file.name} {about.st_size} {about.st_mtime_ns}".encode())
        if len(files) == 1:
            with file.open("rb") as data:
                for place in (0, about.st_size // 2, max(0, about.st_size - SAMPLE)):
                    data.seek(place)
                    digest.update(data.read(SAMPLE))
    return {"name": path.name, "files": len(files), "bytes": sum(file.stat().st_size for file in files),
            "sha256": digest.hexdigest()}  # fmt: skip


def _differences(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key in sorted({*one, *other}):
        a, b = one.get(key), other.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += _differences(a, b, f"{prefix}{key}.") if prefix == "" and key == "settings" else [key] * (a != b)
        elif a != b:
            found.append(f"{prefix}{key} ({a} there, {b} now)".replace("settings.", ""))
    return found

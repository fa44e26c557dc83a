"""Which of the model files are on this disk, and whether they are whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import host
from .catalogue import CATALOGUE, FOLDERS, ModelFile, megabytes
from .integrity import damage, sha256_of

VERIFIED, WHOLE, UNKNOWN, DAMAGED, UNFINISHED = "verified", "whole", "unknown", "damaged", "unfinished"


@dataclass(frozen=True, slots=True)
class Checked:
    """One file on the disk. size in bytes; state: one of the five above; why: the state in words."""

    path: Path
    folder: str
    name: str
    size: int
    sha256: str
    state: str
    why: str


def where(entry: ModelFile) -> Path | None:
    """The first place at which a file of the catalogue lies, in its folders or anywhere below them."""
    for folder in host.model_folders(entry.folder):
        for file in sorted(folder.rglob(entry.name)):
            if file.is_file():
                return file
    return None


def files_there() -> list[tuple[str, Path]]:
    """Every file in the folders of all kinds that a stage could read, as (kind, path), and unfinished downloads."""
    found: dict[Path, str] = {}
    for kind, suffixes in FOLDERS.items():
        for folder in host.model_folders(kind):
            for file in sorted(folder.rglob("*")):
                if file.is_file() and file.name.lower().endswith((*suffixes, ".physics-preserver.part")):
                    found.setdefault(file.resolve(), kind)
    return [(kind, file) for file, kind in found.items()]


def check_file(kind: str, file: Path, catalogue: Sequence[ModelFile] = CATALOGUE) -> Checked:
    """Hash one file, recognise it by that or by its name, and tell whether it is whole."""
    size = file.stat().st_size
    if file.name.endswith(".physics-preserver.part"):
        name = file.name.removesuffix(".physics-preserver.part")
        return Checked(file, kind, name, size, "", UNFINISHED, f"{megabytes(size)} so far; `models get {name}` goes on")
    sha256 = sha256_of(file)
    broken = damage(file)
    same = next((entry for entry in catalogue if entry.sha256 == sha256 and not entry.member), None)
    if same:
        renamed = "" if same.name == file.name else f", under another name: it is {same.name}"
        return Checked(file, kind, same.name, size, sha256, VERIFIED, f"its SHA-256 is the catalogue's{renamed}")
    named = next((entry for entry in catalogue if entry.name == file.name and entry.folder == kind), None)
    if broken:
        return Checked(file, kind, file.name, size, sha256, DAMAGED, broken)
    if named and named.sha256 and not named.member:
        return Checked(file, kind, file.name, size, sha256, DAMAGED, f"its SHA-256 should be {named.sha256}")
    if named:
        return Checked(file, kind, file.name, size, sha256, WHOLE, "its structure is right; no hash is known for it")
    return Checked(file, kind, file.name, size, sha256, UNKNOWN, "not in the catalogue; its structure is right")

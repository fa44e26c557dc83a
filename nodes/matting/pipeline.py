"""A matte of a whole clip: streamed, in segments, after each of which a run that died goes on."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..about import version
from ..host import progress
from ..media.clip import ClipError, Frame
from ..media.folder import write_json
from ..media.writer import MATROSKA
from .anchor import Anchor, detections_data, detections_from
from .config import config_used
from .encodings import PREVIEW, STILLS, Encoding
from .finding import Found
from .footage import Footage, Sheet, learn_jumps
from .joining import join, joined_path
from .passes import Passes
from .profile import DECODE, Profile, peak_ram, ram_now
from .segments import CHECKS_FOLDER, STILLS_FOLDER, SegmentMaker, segment_file, stills_folder, video_files
from .settings import Job, Limits, Settings
from .still_writer import write_alpha
from .summary import summarise
from .work_folder import ANCHOR_MASK, CONFIG, PLAN, SCHEMA_VERSION, SUMMARY, WorkFolder, load_track, save_track

if TYPE_CHECKING:
    from .matte_model import MatteModel

SCHEMA = "physics-preserver/matte"
FOUND = "found.json"
# A segment holds as many frames as a quarter of the memory could, within these: what is lost when a run dies, and
# what the encoders of a segment may keep.
SHORTEST, LONGEST = 24, 480

# Makes the tracks, with the passes that an earlier run finished.
Find = Callable[[Settings, Profile, Passes], Found]


class Video(NamedTuple):
    """A video of a run: how it is written, of which picture, where, and the file whose sound it gets."""

    encoding: Encoding
    sheet: Sheet
    path: Path
    audio_from: str | None


def make_matte(
    footage: Footage,
    find: Find,
    out: Path,
    settings: Settings,
    limits: Limits,
    identity: Mapping[str, Any],
    model: MatteModel | None = None,
    name: str = "matte",
    notes: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Make the matte of a clip.

    Args:
        footage: the clip, as its eyes.
        find: makes the tracks, when they are not there yet.
        out: a new folder, or that of the same run, which is gone on with; one that is finished is only read.
        identity: JSON-able: what tells this run's input from another one's; see `identity_of`.
        model: for a learned method.
        name: the videos' name.
        notes: what was said about the settings.

    Returns:
        The summary, as run_summary.json has it.

    Raises:
        FileExistsError: `out` holds something else.
        OutOfMemory: see Limits and gpu_limits.
        EmptyBand, DetectionError, ClipError...: what the stages say.
    """
    videos = _videos(out, name, footage, settings)
    folder = WorkFolder(out)
    whole = {"input": dict(identity), "settings": settings.data(), "release": version()}
    if folder.begin(whole):
        if not limits.keep_segments:
            folder.clear()
        return json.loads((out / SUMMARY).read_text(encoding="utf-8"))
    chunk = _chunk(folder, footage, settings, limits)
    if limits.max_memory_gb and ram_now() is None:
        notes += ("max_memory_gb changed nothing: this system doesn't tell what a process has",)
    write_json(out / CONFIG, config_used(Job(settings, limits, notes), footage, out, chunk))
    profile = Profile(limits.max_memory_gb * 2**30)
    found, times = _found(folder, find, settings, profile)
    if videos:
        _require_rising(footage.clip.name, times)
    plan = [(start, min(start + chunk, len(times))) for start in range(0, len(times), chunk)]
    _make_segments(folder, plan, footage, found, settings, limits, model)
    started = time.perf_counter()
    files, warnings = _finish(folder, plan, footage, videos, settings, times)
    summary = summarise(folder, plan, footage, found, settings, limits, times, files, time.perf_counter() - started)
    if model is not None:
        summary["refiner"] = {"name": model.name, "file": model.file, "precision": str(model.dtype)}
    summary["warnings"] += warnings
    summary = {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "identity": whole, **summary, "notes": list(notes)}
    write_json(out / SUMMARY, summary)
    if not limits.keep_segments:
        folder.clear()
    return summary


def _found(folder: WorkFolder, find: Find, settings: Settings, profile: Profile) -> tuple[Found, list[Fraction]]:
    """The tracks: those that are there, or made now and kept."""
    place, file = folder.work / "tracks", folder.work / FOUND
    if not file.is_file():
        started = time.perf_counter()
        passes = Passes(folder.work / "passes")
        found = find(settings, profile, passes)
        for n, track in enumerate(found.tracks):
            save_track(place, f"eye{n}", track)
        if found.anchor.method != "by hand":
            mask = found.tracks[0].masks(found.anchor.frame).any(axis=0)
            write_alpha(folder.folder / ANCHOR_MASK, mask.astype(np.uint8) * 255)
        about = {
            "schema": SCHEMA, "schema_version": SCHEMA_VERSION, "anchor": found.anchor.data(),
            "about": found.about, "flagged": found.flagged,
            "detected": [{str(t): detections_data(seen) for t, seen in eye.items()} for eye in found.detected],
            **profile.taken(), "wall": time.perf_counter() - started, "peak_ram": peak_ram(),
        }  # fmt: skip
        write_json(file, about)
        passes.clear()
    about = json.loads(file.read_text(encoding="utf-8"))
    tracks = []
    while (track := load_track(place, f"eye{len(tracks)}")) is not None:
        tracks.append(track)
    at = about["anchor"]
    anchor = Anchor(at["frame"], [], at["method"], detections_from(at["boxes"]))
    detected = [{int(t): detections_from(seen) for t, seen in eye.items()} for eye in about["detected"]]
    found = Found(tracks, anchor, about["about"], about["flagged"], detected)
    if not tracks or len({len(track) for track in tracks}) != 1:
        raise ClipError(f"{place}: the tracks are not whole; remove {folder.folder} and run again")
    return found, [tracks[0].time(t) for t in range(len(tracks[0]))]


def _chunk(folder: WorkFolder, footage: Footage, settings: Settings, limits: Limits) -> int:
    """Frames of a segment, as it was planned when the run began."""
    file = folder.work / PLAN
    if not file.is_file():
        free = limits.max_memory_gb * 2**30 or _free_memory()
        frame = sum(sheet.size[0] * sheet.size[1] * 3 for sheet in footage.sheets)
        chunk = settings.chunk or int(min(max(free / 4 // frame, SHORTEST), LONGEST))
        write_json(file, {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "chunk": chunk})
    return json.loads(file.read_text(encoding="utf-8"))["chunk"]


def _free_memory() -> float:
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return 8.0 * 2**30


def _require_rising(name: str, times: list[Fraction]) -> None:
    """A video can't hold frames whose times stand still or go back."""
    for t, (before, at) in enumerate(pairwise(times), start=1):
        if at <= before:
            raise ClipError(
                f"{name}: frame {t} is shown at {float(at):.3f} s, the one before it at {float(before):.3f} s; a video "
                "needs times that rise: encode the clip anew, or choose png8 or png16 alone"
            )


def _make_segments(
    folder: WorkFolder,
    plan: list[tuple[int, int]],
    footage: Footage,
    found: Found,
    settings: Settings,
    limits: Limits,
    model: MatteModel | None,
) -> None:
    left = [number for number in range(len(plan)) if folder.finished(number) is None]
    if left and plan[left[0]][0]:
        learn_jumps(footage.clip)
    profile = Profile(limits.max_memory_gb * 2**30)
    maker = SegmentMaker(footage, found, settings, model, folder.work, profile)
    total = sum(plan[number][1] - plan[number][0] for number in left)
    passing = progress(_frames(footage, plan, left, profile), total, "matting", lambda: maker.shown)
    for number, frames in groupby(passing, lambda item: item[0]):
        began = time.perf_counter()
        start, stop = plan[number]
        about = maker.make(folder.renew(number), ((frame, images) for _, frame, images in frames))
        if about["frames"] != stop - start:
            raise ClipError(
                f"{footage.clip.name} ended after {start + about['frames']} frames; its track has {plan[-1][1]}"
            )
        about |= {"start": start, "stop": stop, **profile.taken(), "wall": time.perf_counter() - began}
        folder.finish(number, about | {"peak_ram": peak_ram()})


def _frames(
    footage: Footage, plan: list[tuple[int, int]], left: list[int], profile: Profile
) -> Iterator[tuple[int, Frame, list[np.ndarray]]]:
    """Every frame of the segments that are left, with its segment's number."""
    frames, at = iter(()), -1
    for number in left:
        start, stop = plan[number]
        if at != start:
            frames = footage.read(start)
        for _ in range(start, stop):
            with profile.stage(DECODE):
                item = next(frames, None)
            if item is None:
                return
            yield number, *item
        at = stop


def _videos(out: Path, name: str, footage: Footage, settings: Settings) -> list[Video]:
    """The videos of a run. Asked for before any work: a container that can't hold the sound is an error then."""
    found = []
    for encoding, sheets in video_files(footage, settings):
        for sheet in sheets:
            audio = sheet.audio_from if settings.audio else None
            path = joined_path(out / f"{name}_{encoding.name}{sheet.name}{sheet.tag}", encoding, audio)
            found.append(Video(encoding, sheet, path, audio))
    return found


def _finish(
    folder: WorkFolder,
    plan: list[tuple[int, int]],
    footage: Footage,
    videos: list[Video],
    settings: Settings,
    times: list[Fraction],
) -> tuple[dict[str, list[str]], list[str]]:
    """Make the results of the segments, over what a run left that died here. Returns the files by format, warnings."""
    out, files, warnings = folder.folder, dict[str, list[str]](), list[str]()
    for kind in settings.formats:
        if kind in STILLS:
            files[kind] = [stills_folder(settings, kind, sheet.name) for sheet in footage.sheets]
            for place in files[kind]:
                _take(folder.work / STILLS_FOLDER / place, out / place)
    for encoding, sheet, path, audio in videos:
        if encoding.suffix != path.suffix:
            warnings.append(f"{path.name}: {encoding.suffix} can't hold the clip's sound, so it is {path.suffix}")
        if settings.audio and sheet.clip.sound_in_memory:
            warnings.append(f"{path.name} has no sound: the clip's is in memory; save the clip and load the file")
        if sheet.clip.look.pixel_aspect != 1 and path.suffix in MATROSKA:
            aspect = sheet.clip.look.pixel_aspect
            warnings.append(
                f"{path.name} does not say that pixels are {aspect} times as wide as high; .mov and .mp4 do"
            )
        segments = [segment_file(folder.segment(n), encoding, sheet) for n in range(len(plan))]
        warnings += join(
            path, segments, times, sheet.size, sheet.clip.rate, sheet.clip.time_base, audio, sheet.clip.span(),
            lambda file, sheet=sheet, encoding=encoding: (
                None if encoding is PREVIEW else footage.describe(file, sheet)  # it is no stereo picture itself
            ),
        )  # fmt: skip
        files.setdefault(encoding.name, []).append(path.name)
    if (folder.work / STILLS_FOLDER / CHECKS_FOLDER).exists():
        _take(folder.work / STILLS_FOLDER / CHECKS_FOLDER, out / CHECKS_FOLDER)
    return files, warnings


def _take(source: Path, target: Path) -> None:
    if not target.exists():
        source.rename(target)

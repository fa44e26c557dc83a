"""What each command of the command line does with its arguments: one call into the engine, and words for the result."""

from __future__ import annotations

import json
import platform
import sys
from argparse import Namespace
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from . import host
from .extraction.extract import Extraction
from .extraction.extract import extract as run_extraction
from .extraction.onnx_runtime import installed_runtime
from .extraction.pose import estimate_poses
from .extraction.pose_choice import find_pose_model
from .extraction.pose_model import PoseModel
from .extraction.prompts import Prompt, PromptError, parse_prompts
from .extraction.sam2_model import find_sam2, load_sam2
from .extraction.subjects import find_detector, in_words, open_detector
from .extraction.tracking import track_masks
from .media.exchange import from_rle, read_mask, to_rle
from .media.folder import METADATA, package_version, read_physics, require_free, write_json, write_physics
from .media.open import open_clip
from .media.pose import Poses, person_of
from .models.catalogue import CATALOGUE, FOLDERS, find_entry, megabytes
from .models.present import DAMAGED, check_file, files_there, where
from .remote import command as remote

# What `validate` found in the generated clip, for `compare`.
FOUND_TRACK = "found_track.json"


@dataclass
class Result:
    """What a command ends with: data for --json, text for people, the exit code."""

    data: dict[str, Any]
    text: str
    code: int = 0


def extract(options: Namespace) -> Result:
    require_free(options.out)
    start, stop = options.frames
    clip = open_clip(options.clip, start, stop, Fraction(options.fps), options.allow_truncated)
    prompts = _prompts(options)
    model = load_sam2(find_sam2(options.sam2)) if options.sam2 else None
    detector = None
    if options.detector or not prompts:
        detector = open_detector(find_detector(options.detector) if options.detector else None)
    estimator = PoseModel(find_pose_model(options.pose)) if options.pose else None
    found = run_extraction(clip, prompts, detector, options.object, model, options.cuts)
    poses = estimate_poses(clip, found.track, estimator, person_of(found.track)) if estimator else None
    physics = write_physics(
        options.out,
        clip,
        found.track,
        found.pairing.to_dict() if found.pairing else None,
        found.relations.to_dict() if found.relations else None,
        poses,
    )
    data = {
        "folder": str(options.out),
        "frames": len(found.track),
        "objects": {item["label"]: item["frames_visible"] for item in physics.metadata["objects"]},
        "tracker": found.track.tracker,
        "pose": physics.metadata["pose"],
        "warnings": physics.metadata["warnings"],
    }
    return Result(data, _extracted(data, found, poses))


def _prompts(options: Namespace) -> list[Prompt]:
    """What --masks, --boxes, --points and --prompts show; points belong to the mask or box of their label."""
    points = dict(options.points)
    if len(points) < len(options.points):
        raise PromptError("--points has a label twice: write all its points one after another, LABEL=X,Y,X,Y")
    prompts = [
        Prompt(label, options.anchor, None, read_mask(file), points.pop(label, ())) for label, file in options.masks
    ]
    prompts += [Prompt(label, options.anchor, box, None, points.pop(label, ())) for label, box in options.boxes]
    prompts += [Prompt(label, options.anchor, points=of_label) for label, of_label in points.items()]
    return prompts + (parse_prompts(options.prompts.read_text(encoding="utf-8")) if options.prompts else [])


def _extracted(data: dict[str, Any], found: Extraction, poses: Poses | None) -> str:
    lines = [in_words(found.pairing)] if found.pairing else []
    lines += [f"{label}: seen on {frames} of {data['frames']} frames" for label, frames in data["objects"].items()]
    if found.relations:
        contact, airborne = (
            sum(1 for told in of if told) for of in (found.relations.contact, found.relations.airborne)
        )
        lines.append(f"in contact on {contact} frames, airborne on {airborne}")
    lines += [poses.in_words()] if poses else []
    lines += [f"warning: {warning}" for warning in data["warnings"]]
    return "\n".join([*lines, f"tracker: {data['tracker']}", f"written: {Path(data['folder']) / METADATA}"])


def condition(options: Namespace) -> Result:
    from .conditioning import command

    return Result(*command.condition(options))


def composite(options: Namespace) -> Result:
    from .conditioning import command

    return Result(*command.composite(options))


def validate(options: Namespace) -> Result:
    from .conditioning.vace import read_control
    from .validation.align import PlacedClip
    from .validation.chart import save_chart
    from .validation.findings import FAILED, PASSED
    from .validation.page import PAGE, REPORT, write_page
    from .validation.profile import load_profile
    from .validation.table import write_csv
    from .validation.validate import validate as judge

    profile = load_profile(options.profile)

    physics = read_physics(options.physics)
    generated = open_clip(options.generated, rate=physics.track.rate)
    generated.count()
    control = read_control(options.control) if options.control else {"crop": None, "frames": None}
    detector = open_detector(find_detector(options.detector)) if options.detector else None
    crop, frames = control["crop"], control["frames"]
    model = load_sam2(find_sam2(options.sam2)) if options.sam2 else None
    footage, follow = physics.clip(), partial(track_masks, detector=detector, model=model)
    said = control.get("warnings") or []  # none before version 2
    judged = judge(physics.track, footage, generated, follow, options.label, profile, crop, frames, said=said)
    report = judged.report
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / REPORT, report)
    write_csv(report, options.out / "frames.csv", overwrite=True)
    save_chart(report, options.out / "iou_chart.png", overwrite=True)
    write_json(options.out / FOUND_TRACK, to_rle(judged.found))
    placed = PlacedClip(footage, (generated.height, generated.width), crop, frames)
    write_page(options.out / PAGE, judged, placed, generated, overwrite=True)
    code = {PASSED: 0, FAILED: 1}.get(report["verdict"], 2)
    failed = [f"  {rule['text']}" for rule in report["rules"] if rule["verdict"] == FAILED]
    lines = [report["summary"], *failed, *(f"warning: {warning}" for warning in report["warnings"])]
    return Result(report, "\n".join([*lines, f"written: {options.out / PAGE} and more beside it"]), code)


def compare(options: Namespace) -> Result:
    from .conditioning.vace import read_control
    from .validation.compare import Comparison, write_compare
    from .validation.report import read

    rate = Fraction(options.fps)
    folder = options.source.is_dir() and (options.source / METADATA).is_file()
    physics = read_physics(options.source) if folder else None
    source = physics.clip() if physics else open_clip(options.source, rate=rate)
    generated = open_clip(options.generated, rate=source.rate)
    report = found = None
    if options.report:
        inside = options.report.is_dir()
        report = read(options.report / "iou_report.json" if inside else options.report)
        beside = (options.report if inside else options.report.parent) / FOUND_TRACK
        found = from_rle(json.loads(beside.read_text("utf-8"))) if beside.is_file() else None
    control = read_control(options.control) if options.control else {"crop": None, "frames": None}
    clips = Comparison(
        source, generated, physics.track if physics else None, found, report=report,
        crop=control["crop"] and tuple(control["crop"]), frames=control["frames"],
    )  # fmt: skip
    warnings = write_compare(options.out, clips, options.mode, options.height)
    data = {"file": str(options.out), "mode": options.mode, "warnings": warnings}
    return Result(data, "\n".join([*(f"warning: {warning}" for warning in warnings), f"written: {options.out}"]))


def demo(options: Namespace) -> Result:
    from .demo import run_demo

    require_free(options.out)
    data = run_demo(options.out)
    return Result(data, data["table"], 0 if data["as_expected"] else 1)


# What each back end is for, by the package that brings it; onnxruntime, which has several, is described by itself.
BACK_ENDS = {
    "sam2": "SAM 2 and 2.1 tracks",
    "ultralytics": "YOLO detection from .pt files",
    "rtmlib": "DWPose and RTMW poses",
    "torch": "SAM 2, YOLO from .pt files",
    "matplotlib": "charts",
}


def matte(options: Namespace) -> Result:
    from .matting import command

    return Result(*command.run(options))


def quality(options: Namespace) -> Result:
    from .matting import quality_command

    return Result(*quality_command.run(options))


def submit(options: Namespace) -> Result:
    return Result(*remote.submit(options))


def check(options: Namespace) -> Result:
    if options.server:
        return Result(*remote.check(options))
    if options.workflows:
        raise ValueError("workflows are checked against a server: --server HOST:PORT is needed with them")
    packages = {name: package_version(name) for name in ("numpy", "opencv-python", "av", *BACK_ENDS)}
    data = {
        "python": platform.python_version(),
        "packages": packages,
        "onnxruntime": installed_runtime().describe(),
        "model_folders": {kind: [str(folder) for folder in host.model_folders(kind)] for kind in FOLDERS},
        "models": {kind: host.list_models(kind, suffixes) for kind, suffixes in FOLDERS.items()},
    }
    lines = [f"Python {data['python']}"]
    for name, found in packages.items():
        purpose = f" ({BACK_ENDS[name]})" if name in BACK_ENDS else ""
        lines.append(f"{name}{purpose}: {found or 'not installed'}")
    lines.append(str(data["onnxruntime"]))
    lines += [f"models/{kind}: {', '.join(names) or 'none'}" for kind, names in data["models"].items()]
    lines.append("`models list` says which files there are, where they are looked for and where they come from")
    return Result(data, "\n".join([*lines, "embedded tracker, motion proposals: always there"]))


def models_list(options: Namespace) -> Result:
    folders = {kind: [str(folder) for folder in host.model_folders(kind)] for kind in FOLDERS}
    there = [(entry, where(entry)) for entry in CATALOGUE]
    files = [{**asdict(entry), "found": str(path) if path else None} for entry, path in there]
    lines = []
    for kind, places in folders.items():
        rows = [(entry, path) for entry, path in there if entry.folder == kind]
        uses = dict.fromkeys(f"{entry.stage} with {entry.needs}" for entry, _ in rows)
        lines += [f"models/{kind} ({', '.join(uses) or 'detectors of your own'}), looked for in:"]
        lines += [f"    {place}" for place in places]
        for entry, path in rows:
            facts = f"{entry.note}; {entry.size_text()}; {entry.licence}"
            lines += [f"  {entry.name}  ({facts})", f"      {f'here: {path}' if path else entry.url}"]
    lines.append("`models get NAME` fetches one of them into the first of its folders.")
    return Result({"folders": folders, "files": files}, "\n".join(lines))


def models_get(options: Namespace) -> Result:
    from .models.download import get

    entry = find_entry(options.name, CATALOGUE)
    lying = where(entry)
    if lying and not options.into:
        raise FileExistsError(f"{entry.name} is there already: {lying}; `models check` tells whether it is whole")
    folder = options.into or host.new_model_folder(entry.folder)
    print(f"{entry.name}: {entry.size_text()}, {entry.licence}, from {entry.url}", file=sys.stderr)
    fetched = get(entry, folder, partial(print, file=sys.stderr))
    data = {**asdict(fetched), "path": str(fetched.path), "name": entry.name, "licence": entry.licence}
    text = f"{fetched.proof}\nSHA-256: {fetched.sha256}\nwritten: {fetched.path} ({megabytes(fetched.size)})"
    return Result(data, text)


def models_check(options: Namespace) -> Result:
    checked = [check_file(kind, file) for kind, file in files_there()]
    damaged = [item for item in checked if item.state == DAMAGED]
    lines = [f"{item.state}: {item.path} ({megabytes(item.size)}): {item.why}" for item in checked]
    if damaged:
        lines.append("Delete what is damaged; `models get NAME` fetches it again.")
    data = {"files": [{**asdict(item), "path": str(item.path)} for item in checked], "damaged": len(damaged)}
    return Result(
        data, "\n".join(lines) or "no model files are there; `models list` says which there are", 3 if damaged else 0
    )

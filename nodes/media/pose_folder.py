"""Poses in the physics folder: a skeleton picture and a JSON file for every frame."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..host import progress
from .clip import ClipError
from .draw_pose import draw_pose
from .exchange import mask_folder
from .pose import KEYPOINTS, PoseError, Poses, read_people, to_pose_keypoints
from .stills import write_image
from .track import Track

JSON_FOLDER = "pose_json"


def image_folder(label: str) -> str:
    """Where the skeletons of one object go: "pose_skater" for "skater"."""
    return mask_folder(label).replace("mask", "pose", 1)


def write_poses(poses: Poses, folder: Path) -> dict[str, Any]:
    """Write `pose_<label>/%05d.png` (skeletons on black, the clip's size) and `pose_json/%05d.json` (core's form).

    Returns:
        What the metadata says of them.
    """
    pictures, texts = folder / image_folder(poses.label), folder / JSON_FOLDER
    for place in (pictures, texts):
        place.mkdir()
    for t, frame in enumerate(progress(to_pose_keypoints(poses), len(poses), "writing poses")):
        image = np.zeros((*poses.size, 3), np.uint8)
        draw_pose(image, poses.keypoints[t])
        write_image(pictures / f"{t:05d}.png", image)
        (texts / f"{t:05d}.json").write_text(json.dumps(frame), encoding="utf-8")
    return {
        "label": poses.label,
        "images": pictures.name,
        "json": texts.name,
        "estimator": poses.estimator,
        "frames_found": int(poses.present().any(axis=1).sum()),
        "warnings": list(poses.warnings),
    }


def read_poses(folder: Path, about: Mapping[str, Any], track: Track) -> Poses:
    """The poses that `write_poses` has left, exactly, but for the scores of absent points, which are 0.

    Args:
        about: what it returned.
        track: the track of the same folder, for size and times.

    Raises:
        ClipError: a file is missing or can't be read (it is named).
    """
    frames = []
    for t in progress(range(len(track)), len(track), "reading poses"):
        file = folder / about["json"] / f"{t:05d}.json"
        try:
            frames.append(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise ClipError(f"{file} can't be read: {error}") from error
    keypoints = np.full((len(track), KEYPOINTS, 3), (np.nan, np.nan, 0), np.float32)
    try:
        people, _ = read_people(frames, track.clip_size, threshold=0.0)
    except PoseError as error:
        raise ClipError(f"{folder / about['json']}: {error}") from error
    for t, here in enumerate(people):
        if here:
            keypoints[t] = here[0]
    return Poses(
        keypoints, track.clip_size, track.rate, track.times, about["label"], track.source, about["estimator"],
        list(about["warnings"]),
    )  # fmt: skip

"""A stereo clip's two tracks against each other, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..host import progress
from ..media.clip import ClipError
from ..media.track import Track
from .alignment import align
from .choices import THRESHOLD
from .consistency import AgreementReport, measure_agreement
from .layouts import StereoClip
from .rig import Rig


def check_clip(
    clip: StereoClip,
    rig: Rig,
    left: Track,
    right: Track,
    threshold: float = THRESHOLD,
    mattes: StereoClip | None = None,
) -> dict[str, Any]:
    """Measure how the masks of both eyes agree over a clip, with the lenses taken as they stand (see `alignment`).

    Args:
        clip: the footage.
        rig: its lenses, as far as they are known.
        left, right: a track of each eye. Objects belong together by label; one that an eye doesn't have is empty there.
        threshold: S-IoU below which a frame is listed.
        mattes: the clip's alpha as grey pictures in the same layout, for S-MAD.

    Returns:
        JSON-able, see `AgreementReport.report`, with what was measured and how.

    Raises:
        ClipError: the eyes' files differ in length, or a track or the mattes have another number of frames or another
            eye size than the clip.
    """
    clip.require_equal_length()
    labels = tuple(dict.fromkeys([*left.labels, *right.labels]))
    for track, eye in ((left, "left"), (right, "right")):
        if track.clip_size != clip.eye_size:
            raise ClipError(
                f"the {eye} eye's track is of {track.clip_size[1]}x{track.clip_size[0]} px, an eye of {clip.clip.name} "
                f"is {clip.eye_size[1]}x{clip.eye_size[0]}: choose the layout that the clip has"
            )
        if len(track) != len(left):
            raise ClipError(f"the left eye's track has {len(left)} frames, the right eye's {len(track)}")
    rig, lenses = align(rig, clip)
    found = AgreementReport(labels, threshold)
    done = 0
    for (one, other), alphas in progress(_with_alphas(clip, mattes), clip.expected_count(), "comparing eyes"):
        if done == len(left):
            raise ClipError(f"{clip.clip.name} goes on after the {done} frames of its tracks")
        masks = _masks(left, labels, done), _masks(right, labels, done)
        found.add(measure_agreement(rig, one, other, *masks, alphas))
        done += 1
    if done != len(left):
        raise ClipError(f"{clip.clip.name} has {done} frames, its tracks have {len(left)}")
    about = {
        "source": clip.clip.name,
        "layout": clip.layout.arrangement,
        "projection": type(rig.projection).__name__,
        "eye_size": list(rig.size),
        "working_size": list(rig.working_size),
        "baseline_m": rig.baseline,
        "nearest_m": rig.nearest,
        "lenses": lenses.data(),
    }
    return {**found.report(), **about}


def summary(report: dict[str, Any]) -> str:
    """The report in one line."""
    if not report["objects"]:
        return "there is nobody in either eye's track"
    below, counts = len(report["frames_below"]), len(report["frames_with_unequal_counts"])
    parts = [
        f"S-IoU {report['s_iou']:.3f} over {report['coverage']:.0%} of the masks"
        if report["s_iou"] is not None
        else "nothing could be compared",
        f"{below} of {report['frames']} frames below {report['threshold']:g}" if below else "no frame below the limit",
    ]
    if counts:
        parts.append(f"another number of objects in {counts} frames")
    if any(report["lenses"]["right_lens_turned"].values()):
        parts.append(
            f"the right lens stands askew by {report['lenses']['rows_off_px']:.1f} rows, which was allowed for"
        )
    return ", ".join(parts)


Pictures = tuple[np.ndarray, np.ndarray]


def _with_alphas(clip: StereoClip, mattes: StereoClip | None) -> Iterator[tuple[Pictures, Pictures | None]]:
    if mattes is None:
        for left, right in clip.pairs():
            yield (left.image, right.image), None
        return
    others = mattes.pairs()
    for left, right in clip.pairs():
        pair = next(others, None)
        if pair is None:
            raise ClipError(f"{mattes.clip.name} ends after {left.index} frames, {clip.clip.name} goes on")
        alphas = (frame.image.mean(axis=2, dtype=np.float32) / 255 for frame in pair)
        yield (left.image, right.image), (next(alphas), next(alphas))


def _masks(track: Track, labels: tuple[str, ...], t: int) -> np.ndarray:
    """bool [N, H, W] in the order of `labels`."""
    masks = track.masks(t)
    empty = np.zeros(track.clip_size, bool)
    every = [masks[track.index(label)] if label in track.labels else empty for label in labels]
    return np.stack(every) if every else np.zeros((0, *track.clip_size), bool)

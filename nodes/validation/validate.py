"""Source track, source footage and generated clip in, judgement out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from ..extraction.detection import PERSON, same_class
from ..extraction.shots import cuts_of
from ..media.clip import Clip
from ..media.track import Track
from .align import Crop, PlacedClip, comparison_size, place, require_same_picture
from .causes import name_causes
from .follow import NothingToFollow, TrackFunction, follow, track_shots
from .pictures import Pictures, compare_pictures
from .poses import placed_poses
from .profile import STANDARD, Profile
from .report import build
from .rules import length_rule
from .subjects import Measured
from .variants import VARIANTS, ChangedClip
from .verdict import report_on

if TYPE_CHECKING:
    from ..media.pose import Poses


@dataclass
class Judgement:
    """What `validate` found.

    Attributes:
        report: JSON-able, see `report.build`.
        expected, found: the source's track and the generated clip's, both in the generated clip's picture and timeline.
    """

    report: dict[str, Any]
    expected: Track
    found: Track


def validate(
    source: Track,
    footage: Clip,
    generated: Clip,
    track: TrackFunction,
    label: str | None = None,
    profile: Profile = STANDARD,
    crop: Crop | None = None,
    frames: Sequence[int | None] | None = None,
    poses: tuple[Poses, Poses] | None = None,
    said: Sequence[str] = (),
) -> Judgement:
    """Judge whether an object moves in a generated clip as it does in the source.

    All of the source's objects are tracked in the generated clip (they hold each other in place) from their masks on
    one frame of every shot of the source. The source's own footage, harmlessly changed, is tracked in the same way from
    the same masks: what the tracker gets wrong there is the floor of every measure, and nothing below it is held
    against the clip.

    Args:
        source: the source's track.
        footage: the clip that it was made from.
        generated: the clip to judge, in any size of the same proportions.
        track: the tracker, for example `nodes.extraction.tracking.track_masks`.
        label: the object to judge; None for the first that isn't a person. The person is judged with it.
        profile: the rules and their limits.
        crop: x1, y1, x2, y2 px of the source that the generated clip shows, as vace.json has it; None for all.
        frames: for each frame of the generated clip the source frame it shows, None for padding; None for all in order.
        poses: the person's keypoints in the source and in the generated clip.
        said: warnings of the conditioning, as vace.json has them; they go into the report before all others.

    Returns:
        A Judgement. Different lengths are a fault in it, not an error.

    Raises:
        AspectMismatch: the generated clip has other proportions than the source or its crop.
        KeyError: the source has no object `label`.
        ValueError: a track without objects, `frames` outside the source, footage of another size than its track.
    """
    label = main_label(source) if label is None else label
    source.index(label)
    if frames is not None and any(t is not None and not 0 <= t < len(source) for t in frames):
        raise ValueError(f"the frame mapping names frames that the source, of {len(source)}, doesn't have")
    if (footage.height, footage.width) != source.clip_size:
        raise ValueError(
            f"the source footage {footage.name} is {footage.width}x{footage.height}, its track was made on "
            f"{source.clip_size[1]}x{source.clip_size[0]}: give the clip that was tracked"
        )
    require_same_picture(source.clip_size, (generated.height, generated.width), crop)

    size = (generated.height, generated.width)
    masks = comparison_size(source, crop)
    expected = place(source, masks, crop, frames, size)
    labels = [label, *(other for other in source.labels if other != label)]
    original = _about(source.source or footage.name, len(source), source.clip_size, source.rate)
    person = person_label(labels)
    warnings = [*said, *_rate_warnings(source, generated)]
    placed = PlacedClip(footage, size, crop, frames)
    try:
        followed = follow(generated, expected, labels, track, cuts_of(placed))
    except NothingToFollow as reason:
        about = _about(generated.name, generated.count(), size, generated.rate)
        return _nothing_found(expected, label, profile, original, about, str(reason), warnings)
    found = place(followed.track, masks, clip_size=size)
    copies = [
        place(track_shots(ChangedClip(placed, change, name), followed.shown, track), masks, clip_size=size)
        for name, change in VARIANTS.items()
    ]
    padding = [] if frames is None else [t for t, frame in enumerate(frames) if frame is None]
    told = [name for name in (label, person) if name is not None and name in found.labels]
    pictures = compare_pictures(placed, generated, expected, found, list(dict.fromkeys(told)))
    report = judge_tracks(
        expected,
        found,
        copies,
        label,
        profile,
        [each.frame for each in followed.shown],
        padding,
        placed_poses(poses, source, crop, frames, size, len(found)),
        pictures,
    )
    return Judgement(
        {**report, "source": original, "warnings": [*warnings, *followed.warnings, *report["warnings"]]},
        expected,
        found,
    )


def judge_tracks(
    expected: Track,
    found: Track,
    copies: Sequence[Track],
    label: str,
    profile: Profile = STANDARD,
    prompted: int | Sequence[int] = (),
    padding: Sequence[int] = (),
    poses: tuple[np.ndarray, np.ndarray] | None = None,
    pictures: Pictures | None = None,
) -> dict[str, Any]:
    """The report on two tracks in one picture and timeline, however they were made.

    Args:
        expected, found: of the source and of the generated clip; one mask size and clip size.
        copies: tracks of harmless copies of the source: the floor. None means that the masks are taken for exact.
        label: the object; the person is judged with it where both tracks have one.
        prompted: the frames on which the tracker was shown the source's masks; they are not judged.
        padding: frames that show nothing of the source.
        poses: the person's keypoints in both clips, float64 [T, 133, 3], px of the picture.
        pictures: what the pictures themselves say; None where there are only tracks.
    """
    person = person_label(expected.labels)
    measured = Measured(expected, found, copies, label, person, prompted, padding, pictures)
    return report_on(
        measured,
        profile,
        _about(expected.source, len(expected), expected.clip_size, expected.rate),
        _about(found.source, len(found), found.clip_size, found.rate),
        found.warnings,
        poses,
    )


def _nothing_found(
    expected: Track,
    label: str,
    profile: Profile,
    original: Mapping[str, Any],
    generated: Mapping[str, Any],
    reason: str,
    warnings: Sequence[str],
) -> Judgement:
    """Only the lengths can be compared. `expected`: the source's track in the generated clip's picture."""
    size, rate = (generated["height"], generated["width"]), Fraction(generated["rate"])
    findings = length_rule(len(expected), generated["frames"], profile)
    report = build(
        label,
        person_label([label, *expected.labels]),
        findings,
        name_causes(findings, [], [], profile, size, float(rate)),
        np.zeros(0),
        np.zeros(0, bool),
        profile.to_dict(),
        {},
        {"source": [], "generated": [], "pairs": []},
        original,
        generated,
        (expected.tracker, ""),
        undecided=reason,
        warnings=warnings,
    )
    count, masks = len(expected.labels), expected.mask_size
    empty = Track(
        np.zeros((0, count, masks[0], -(-masks[1] // 8)), np.uint8),
        expected.labels,
        np.zeros((0, count), np.float32),
        size,
        masks,
        rate,
    )
    return Judgement(report, expected, empty)


def person_label(labels: Sequence[str]) -> str | None:
    """The person among a track's labels; None where there is none."""
    return next((label for label in labels if same_class(label) == PERSON), None)


def main_label(track: Track) -> str:
    """The object that a verdict is about unless the user says otherwise: the first that isn't the person."""
    if not track.labels:
        raise ValueError("the source track has no objects, so there is nothing to judge")
    return next((label for label in track.labels if same_class(label) != PERSON), track.labels[0])


def _about(name: str, frames: int, size: tuple[int, int], rate: Fraction) -> dict[str, Any]:
    return {"name": name, "frames": frames, "width": size[1], "height": size[0], "rate": str(rate)}


def _rate_warnings(source: Track, generated: Clip) -> list[str]:
    if generated.rate == source.rate:
        return []
    rates = [f"{float(rate):.6g}" for rate in (source.rate, generated.rate)]
    return [f"the source runs at {rates[0]} frames per second, the generated clip at {rates[1]}: compared one to one"]

"""The subject's track where it is there already: made by Track Objects, or by core's SAM 3."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..extraction.soft_logits import SoftLogits
from ..host import progress
from ..media.clip import Clip, ClipError
from ..media.exchange import NAMELESS
from ..media.track import Track, TrackBuilder
from .anchor import Anchor
from .finding import Found
from .scaled import working_size
from .settings import Settings
from .trimap import wanted_labels


def take_track(clip: Clip, settings: Settings, given: Track) -> Found:
    """The subject's objects of a track that was made elsewhere.

    Raises:
        ClipError: the track is of another clip.
        ValueError: it has no such object.
    """
    size = clip.height, clip.width
    frames = clip.count()
    if (frames, size) != (len(given), given.clip_size):
        raise ClipError(
            f"{clip.name} has {frames} frames of {clip.width}x{clip.height}, the track {len(given)} of "
            f"{given.clip_size[1]}x{given.clip_size[0]}: connect the clip that was tracked"
        )
    objects = subjects(given.labels, settings.subject)
    labels = tuple(given.labels[n] for n in objects)
    builder = TrackBuilder(labels, working_size(size, settings.scale), given.rate, given.source, given.tracker)
    logits = SoftLogits(len(objects)) if given.soft is not None and settings.trimap_source != "masks" else None
    first = None
    for t in progress(range(frames), frames, "reading the track"):
        masks = given.masks(t)[objects]
        if first is None and masks.any():
            first = t
        builder.append(masks, given.scores[t, objects], given.time(t))
        if logits is not None:
            logits.write(t, given.logits(t)[objects], range(len(objects)))
    if first is None:
        raise ClipError(f"the track shows no {', '.join(labels)} on any frame, so there is nothing to matte")
    taken = builder.finish()
    taken.warnings.extend(given.warnings)
    taken.soft = None if logits is None else logits.finish(frames)
    return Found([taken], Anchor(first, [], "track"), {"detector": None}, detected=[{}])


def subjects(labels: Sequence[str], subject: str) -> list[int]:
    """Places of the objects that are named by commas, those numbered "person 2" included; of all without a name.

    Core's objects have no names: unless one is named by its number ("object 2"), all are meant.

    Raises:
        ValueError: there is none of a name.
    """
    found: set[int] = set()
    nameless = bool(labels) and all(re.fullmatch(rf"{NAMELESS} \d+", label) for label in labels)
    for name in wanted_labels(subject):
        numbered = re.compile(rf"{re.escape(name)}( \d+)?")
        named = [n for n, label in enumerate(labels) if numbered.fullmatch(label)]
        if not named and (name.startswith(NAMELESS) or not nameless):
            raise ValueError(
                f"the track has no {name!r}, it has: {', '.join(labels) or 'no objects'}; name one of them as subject, "
                "or none for all of them"
            )
        found |= set(named)
    return sorted(found) or list(range(len(labels)))

"""What a user decides about a control: what is repainted, what guides it, and how its masks are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BACKGROUND, EVERYTHING = "background", "everything"
REPAINT = ("both", "person", "object", BACKGROUND, EVERYTHING)

NOTHING, POSE, ORIGINAL, EDGES, DEPTH = "nothing", "pose", "original", "edges", "depth"
GUIDES = (NOTHING, POSE, ORIGINAL, EDGES, DEPTH)
# Guides that come as a video of their own; the others are made from the clip.
GUIDES_FROM_VIDEO = (POSE, DEPTH)

TIGHT, BOX = "tight", "box"
SHAPES = (TIGHT, BOX)

# How a number of frames becomes 4 n + 1: the last are left out, or the last one is repeated.
TRIM, PAD = "trim", "pad"
FITS = (TRIM, PAD)

# In which a composite is made: the control's own, or the whole source's.
CONTROL, SOURCE = "control", "source"
SIZES = (CONTROL, SOURCE)


class ConditioningError(ValueError):
    """Footage, track or choices that no control can be made from, said in one sentence."""


@dataclass(frozen=True)
class Choices:
    """How a control is made.

    Attributes:
        repaint: what the model generates anew: "both" (every tracked object), "person", "object", "background" (all
            but the tracked objects) or "everything" (every pixel).
        guide: what the control video shows where the model generates: "nothing" (grey), "pose" or "depth" (the guide
            clip as it is), "original" (the clip's own pixels) or "edges" (white lines on black, of the clip).
        shape: "tight" masks follow the object, "box" covers its box, held steady over time.
        grow: px of the control video by which the region to generate is widened on all sides.
        latent_aligned: widen the masks so that what VACE reads of them covers what was meant on every frame.

    Raises:
        ConditioningError: a word that is no choice, a negative `grow`, boxes around the background.
    """

    repaint: str = "both"
    guide: str = NOTHING
    shape: str = TIGHT
    grow: int = 0
    latent_aligned: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (
            ("repaint", self.repaint, REPAINT),
            ("guide", self.guide, GUIDES),
            ("shape", self.shape, SHAPES),
        ):
            if value not in known:
                raise ConditioningError(f"{name} is {' or '.join(known)}, not {value!r}")
        if self.grow < 0:
            raise ConditioningError(f"a mask grows by 0 px or more, not {self.grow}")
        if self.shape == BOX and self.repaint == BACKGROUND:
            raise ConditioningError("box masks go around objects: with repaint = background choose tight masks")

    def in_words(self, labels: Sequence[str]) -> str:
        """What is repainted: the objects of a track by name, or what else it is."""
        whole = {BACKGROUND: "the background", EVERYTHING: "everything"}
        return whole.get(self.repaint) or " and ".join(self.labels(labels))

    def labels(self, labels: Sequence[str]) -> tuple[str, ...]:
        """The objects of a track that shape the mask: those repainted, or those that the background leaves standing.

        Raises:
            ConditioningError: the track has no objects, or none beside the person.
        """
        if self.repaint == EVERYTHING:
            return ()
        from ..extraction.extract import labels_of

        try:
            return labels_of(labels, "both" if self.repaint == BACKGROUND else self.repaint)
        except ValueError as error:
            raise ConditioningError(str(error)) from error

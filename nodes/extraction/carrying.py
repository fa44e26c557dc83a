"""Where on a person each kind of object is carried, and how large it is beside them."""

from __future__ import annotations

from dataclasses import dataclass

from .detection import BALLS, BOARDS, CYCLES, Box, box_distance


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is carried.

    zone: left, top, right, bottom as parts of the person's box (0..1 inside it); sides: range of the object's
    longer side in person heights; words: the place in a sentence.
    """

    zone: Box
    sides: tuple[float, float]
    words: str

    def gap(self, person: Box, thing: Box) -> float:
        """Distance of an object's box from the zone of a person's box, in heights of that person's box."""
        x, y, width, height = person[0], person[1], person[2] - person[0], person[3] - person[1]
        left, top, right, bottom = self.zone
        zone = (x + left * width, y + top * height, x + right * width, y + bottom * height)
        return box_distance(zone, thing) / height


PLACES: dict[str, Place] = {
    **dict.fromkeys(BOARDS, Place((-0.15, 0.67, 1.15, 1.15), (0.1, 2.0), "feet")),
    **dict.fromkeys(CYCLES, Place((-0.15, 0.35, 1.15, 1.30), (0.3, 2.5), "hips and feet")),
    **dict.fromkeys(BALLS, Place((-0.30, -0.10, 1.30, 1.10), (0.03, 0.5), "hands and feet")),
}
ANYWHERE = Place((-0.15, -0.15, 1.15, 1.15), (0.02, 3.0), "body")


def place_of(name: str) -> Place:
    """The place of a class name; anywhere at the body for a class without its own."""
    return PLACES.get(name, ANYWHERE)

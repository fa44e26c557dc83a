"""Relations in words."""

from physics_preserver.nodes.extraction.relations import Relations
from physics_preserver.nodes.extraction.words import relations_in_words


def test_ranges_name_their_first_and_last_frame() -> None:
    contact = [True, True, False, False, None, True]
    relations = Relations(
        person="person",
        object="board",
        contact=contact,
        distance_px=[1.0, 1.0, 9.0, 18.0, None, 1.0],
        distance=[0.01, 0.01, 0.1, 0.2, None, 0.01],
        height_px=[90.0] * 6,
        offset=[None] * 6,
        angle=[None] * 6,
        front=[None] * 6,
        airborne=[False, False, True, True, None, False],
        rise=[None] * 6,
    )
    assert relations_in_words(relations).splitlines() == [
        "person and board touch on 3 (0-1, 5) of 6 frames",
        "apart on 2 (2-3): by at most 0.20 of the person's height",
        "board in the air on 2 (2-3)",
        "one of the two is not visible on 1 (4)",
        "the camera was taken to stand still",
    ]

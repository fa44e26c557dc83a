"""Which detection continues a tracked object."""

import numpy as np
from physics_preserver.nodes.extraction.detection import Detection
from physics_preserver.nodes.extraction.gate import DetectionGate

LABELS = ("person", "skateboard")


def found(label: str, *box: float, score: float = 0.9) -> Detection:
    return Detection(label, score, box, "yolox")  # type: ignore[arg-type]


def masks(person: tuple[int, int, int, int] | None, board: tuple[int, int, int, int] | None) -> np.ndarray:
    drawn = np.zeros((2, 400, 600), bool)
    for mask, box in zip(drawn, (person, board), strict=True):
        if box is not None:
            mask[box[1] : box[3], box[0] : box[2]] = True
    return drawn


def test_the_nearest_of_a_class_is_taken():
    gate = DetectionGate(LABELS, masks((100, 50, 200, 300), (100, 300, 200, 330)))
    near, far = found("person", 110, 50, 210, 300), found("person", 400, 50, 500, 300, score=0.99)
    board = found("skateboard", 112, 300, 212, 332)
    assert gate.boxes([far, near, board]) == [near.box, board.box]


def test_what_is_too_far_away_is_another_object():
    gate = DetectionGate(LABELS, masks((100, 50, 200, 300), (100, 300, 200, 330)))
    assert gate.boxes([found("person", 450, 50, 550, 300), found("skateboard", 450, 300, 550, 330)]) == [None, None]


def test_a_board_called_by_a_related_name_is_the_board():
    gate = DetectionGate(LABELS, masks((100, 50, 200, 300), (100, 300, 200, 330)))
    assert gate.boxes([found("snowboard", 105, 300, 205, 330)])[1] is not None
    assert gate.boxes([found("bicycle", 105, 300, 205, 330)])[1] is None


def test_a_lost_board_is_found_again_at_the_feet_of_its_rider_and_not_elsewhere():
    gate = DetectionGate(LABELS, masks((100, 50, 200, 300), (100, 300, 200, 330)))
    for step in range(20):
        gate.update(masks((100 + 15 * step, 50, 200 + 15 * step, 300), None))
    at_the_feet, on_the_wall = found("skateboard", 390, 300, 480, 330), found("skateboard", 100, 20, 130, 120)
    assert gate.boxes([on_the_wall, at_the_feet])[1] == at_the_feet.box


def test_a_tracker_that_went_astray_is_called_back_to_the_rider():
    gate = DetectionGate(LABELS, masks((100, 50, 200, 300), (450, 20, 550, 60)))
    at_the_feet, unsure = found("skateboard", 100, 300, 200, 330), found("skateboard", 100, 300, 200, 330, score=0.2)
    assert gate.boxes([at_the_feet])[1] == at_the_feet.box
    assert gate.boxes([unsure])[1] is None
    continuing = found("skateboard", 455, 20, 555, 60, score=0.5)
    assert gate.boxes([at_the_feet, continuing])[1] == continuing.box

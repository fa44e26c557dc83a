"""Detections: labels, boxes, and the way to and from core's BOUNDING_BOX."""

import math

import pytest
from physics_preserver.nodes.extraction.detection import (
    COCO_CLASSES,
    DetectionError,
    accepted_labels,
    box_distance,
    box_iou,
    from_bounding_boxes,
    grow_box,
    to_bounding_boxes,
)

BOX = {"x": 10, "y": 20, "width": 30, "height": 40, "label": "skateboard", "score": 0.5}


def test_coco_classes_have_their_published_numbers():
    places = {0: "person", 1: "bicycle", 3: "motorcycle", 30: "skis", 31: "snowboard", 32: "sports ball"}
    places |= {36: "skateboard", 37: "surfboard", 56: "chair", 79: "toothbrush"}
    assert len(COCO_CLASSES) == len(set(COCO_CLASSES)) == 80
    assert {number: COCO_CLASSES[number] for number in places} == places


@pytest.mark.parametrize("value", [BOX, [BOX], [[BOX]]], ids=["dict", "list", "list of lists"])
def test_every_form_of_one_box_is_one_frame(value):
    (frame,) = from_bounding_boxes(value)
    (found,) = frame
    assert (found.label, found.score, found.box, found.source) == ("skateboard", 0.5, (10, 20, 40, 60), "user")


def test_frames_stay_apart_and_empty_ones_stay_empty():
    assert [len(frame) for frame in from_bounding_boxes([[BOX], [], [BOX, BOX]])] == [1, 0, 2]
    assert from_bounding_boxes([]) == [[]]
    assert from_bounding_boxes([[], [BOX]])[1][0].label == "skateboard"


def test_label_and_score_are_optional():
    ((found,),) = from_bounding_boxes({"x": 0, "y": 0, "width": 1, "height": 1}, label="board")
    assert (found.label, found.score) == ("board", 1.0)


def test_round_trip_keeps_everything():
    value = [[{**BOX, "metadata": {"source": "yolox"}}], []]
    assert to_bounding_boxes(from_bounding_boxes(value)) == value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("10,20,30,40", "str"),
        ([[10, 20, 30, 40]], "int"),
        ([BOX, [BOX]], "list"),
        ([[BOX], BOX], "dict"),
        ({"x": 1, "y": 2, "width": 3}, "width, height"),
        ({**BOX, "width": 0}, "no area"),
        ({**BOX, "height": -4}, "no area"),
        ({**BOX, "x": math.nan}, "finite"),
        ({**BOX, "x": "left"}, "needs x"),
        (7, "int"),
    ],
)
def test_malformed_boxes_are_named(value, said):
    with pytest.raises(DetectionError, match=said):
        from_bounding_boxes(value)


def test_a_board_may_be_called_another_board_but_not_a_ball():
    assert accepted_labels("skateboard")[0] == "skateboard"
    assert set(accepted_labels("skateboard")) == {"skateboard", "snowboard", "skis", "surfboard"}
    assert accepted_labels("Bike")[0] == "bicycle"
    assert accepted_labels("sports_ball")[0] == "sports ball"
    assert accepted_labels("pogo stick") == ("pogo stick",)


def test_box_geometry():
    assert box_iou((0, 0, 4, 4), (2, 0, 6, 4)) == pytest.approx(8 / 24)
    assert box_iou((0, 0, 1, 1), (1, 0, 2, 1)) == 0
    assert box_distance((0, 0, 1, 1), (4, 5, 6, 6)) == 5
    assert grow_box((10, 10, 30, 50), 0.5, (60, 35)) == (0, 0, 35, 60)

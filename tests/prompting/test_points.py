"""Prompts from a drawing and from KJNodes' strings, and in the shapes that other nodes read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from physics_preserver.nodes.extraction.prompts import Point, Prompt, PromptError
from physics_preserver.nodes.prompting.points import (
    bounding_boxes,
    collect_prompts,
    fault,
    point_strings,
    require_on_clip,
)

RIDER = Prompt("rider", 4, points=(Point(30, 20), Point(5.5, 60, False)))
BOARD = Prompt("board", 2, box=(10, 50, 42, 60))
LATER = Prompt("rider", 9, box=(1, 2, 3, 5), points=(Point(7, 8),))


def drawing(*objects: dict[str, Any]) -> str:
    about = {"schema": "physics-preserver/prompts", "schema_version": 1, "size": [128, 72]}
    return json.dumps({**about, "objects": list(objects)})


def shown(label: str, *prompts: dict[str, Any]) -> dict[str, Any]:
    return {"label": label, "prompts": list(prompts)}


def test_a_drawing_and_kjs_points_are_one_list():
    box = {"frame": 2, "box": [1, 2, 30, 40], "points": []}
    kj = ('[{"x": 5, "y": 6}, {"x": 7, "y": 8.5}]', '[{"x": 1, "y": 1}]')
    found = collect_prompts(drawing(shown("board", box)), *kj, "board", 7)
    assert [(p.label, p.frame, p.box) for p in found] == [("board", 2, (1, 2, 30, 40)), ("board 2", 7, None)]
    assert found[1].points == (Point(5, 6), Point(7, 8.5), Point(1, 1, False))
    assert [p.label for p in collect_prompts("", *kj, " ", 0)] == ["object"]


def test_empty_strings_of_kj_are_no_object():
    point = {"frame": 0, "box": None, "points": [{"x": 1, "y": 2, "positive": True}]}
    for nothing in ("", "[]", None):
        assert len(collect_prompts(drawing(shown("board", point)), nothing, nothing, "object", 0)) == 1


@pytest.mark.parametrize(
    ("objects", "positive", "negative", "message"),
    [
        ("", "", "", "nothing is prompted yet: add an object"),
        (drawing(shown("board")), "", "", "'board' is shown on no frame"),
        ("", "", '[{"x": 1, "y": 2}]', "points_negative alone show no object"),
        ("", "12, 34", "", "points"),
        ("{", "", "", "not JSON"),
    ],
)
def test_prompts_that_show_nothing_say_what_to_do(objects, positive, negative, message):
    with pytest.raises(PromptError, match=message):
        collect_prompts(objects, positive, negative, "object", 0)


def test_faults_of_a_drawing_are_known_before_a_run():
    assert fault("") is None and fault(" ") is None
    assert "not JSON" in (fault("{") or "")
    assert "'board' is shown on no frame" in (fault(drawing(shown("board"))) or "")


def test_kj_reads_one_objects_points_of_its_first_frame_with_points():
    both = [LATER, RIDER, BOARD]
    assert point_strings(both, "rider") == ('[{"x": 30, "y": 20}]', '[{"x": 5.5, "y": 60}]', 4)
    assert point_strings(both, "") == point_strings(both, "rider")
    assert point_strings([BOARD], "") == point_strings(both, "board") == ("[]", "[]", 0)
    with pytest.raises(PromptError, match="points_of names 'wheel'; the objects are: rider, board"):
        point_strings(both, "wheel")


def test_boxes_are_cores_on_the_frames_they_were_drawn_on():
    frames = bounding_boxes([RIDER, BOARD, LATER])
    assert len(frames) == 10 and [t for t, boxes in enumerate(frames) if boxes] == [2, 9]
    assert frames[2] == [{"x": 10, "y": 50, "width": 32, "height": 10, "label": "board", "score": 1.0}]
    assert bounding_boxes([RIDER]) == [[]]


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt("rider", 12, box=(0, 0, 5, 5)), "frame 12 and the clip ends with frame 11: delete that prompt"),
        (Prompt("rider", 3, points=(Point(128, 5),)), "frame 3 is at 128, 5 and the clip is 128x72"),
        (Prompt("rider", 3, points=(Point(5, -0.5),)), "is at 5, -0.5 and"),
        (Prompt("rider", 3, box=(0, 0, 129, 72)), "is at 129, 72 and"),
    ],
)
def test_prompts_of_another_clip_are_refused_with_their_place(prompt, message):
    require_on_clip([Prompt("rider", 11, box=(0, 0, 128, 72), points=(Point(127.9, 0),))], 128, 72, 12)
    with pytest.raises(PromptError, match=message):
        require_on_clip([prompt], 128, 72, 12)

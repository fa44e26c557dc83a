"""What a graph shows to the tracker: boxes in all of core's forms, masks, names."""

import json

import numpy as np
import pytest
from physics_preserver.nodes.extraction.prompts import (
    Point,
    Prompt,
    PromptError,
    parse_points,
    parse_prompts,
    prompts_to_dict,
    read_prompts,
)

BOX = {"x": 1, "y": 2, "width": 3, "height": 4}
PERSON, BOARD = {**BOX, "label": "person"}, {**BOX, "label": "skateboard"}
MASKS = np.zeros((2, 8, 8), np.float32)
MASKS[0, :4], MASKS[1, 4:] = 1.0, 0.6


def labels(*of, **more) -> list[str]:
    return [prompt.label for prompt in read_prompts(*of, **more)]


@pytest.mark.parametrize(
    ("boxes", "asked", "anchor"),
    [
        (BOX, -1, 0),
        ([BOX], -1, 0),
        ([BOX], 7, 7),
        ([[BOX]], 7, 7),
        ([[], [], [BOX]], -1, 2),
        ([[BOX], [], [BOX]], 2, 2),
    ],
)
def test_anchor_is_where_the_boxes_are(boxes, asked, anchor) -> None:
    [prompt] = read_prompts(boxes, anchor=asked)
    assert (prompt.frame, prompt.box) == (anchor, (1.0, 2.0, 4.0, 6.0))


def test_boxes_off_the_anchor_are_named() -> None:
    with pytest.raises(PromptError, match="no boxes on frame 1; frames with boxes: 0, 2"):
        read_prompts([[BOX], [], [BOX]], anchor=1)


def test_names_go_to_masks_and_then_to_boxes_without_one() -> None:
    assert labels([BOX, BOX], MASKS, ["a", "b", "c"]) == ["a", "b", "c", "object 4"]
    assert labels([BOARD, BOX], None, ["person", "skateboard"]) == ["skateboard", "person"]


def test_a_second_of_one_name_is_numbered() -> None:
    assert labels([PERSON, PERSON, BOARD]) == ["person", "person 2", "skateboard"]


def test_a_mask_replaces_the_box_of_its_name() -> None:
    by_label = {prompt.label: prompt for prompt in read_prompts([PERSON, BOARD], MASKS[1:], ["skateboard"])}
    assert by_label.keys() == {"person", "skateboard"}
    mask = by_label["skateboard"].mask
    assert mask is not None and by_label["skateboard"].box is None and by_label["person"].mask is None
    assert np.array_equal(mask, MASKS[1] > 0)


def test_nothing_connected_is_nothing_shown() -> None:
    assert read_prompts([[], []]) == []


def test_clicks_correct_the_one_object_that_is_shown_or_show_the_first_name() -> None:
    click = (Point(3, 4),)
    [masked] = read_prompts(None, MASKS[:1], ["board"], 5, click)
    assert (masked.label, masked.frame, masked.points) == ("board", 5, click) and masked.mask is not None
    [boxed] = read_prompts([BOARD], points=click)
    assert (boxed.label, boxed.points, boxed.box) == ("skateboard", click, (1.0, 2.0, 4.0, 6.0))
    [alone] = read_prompts(names=["board", "person"], anchor=2, points=click)
    assert (alone.label, alone.frame, alone.points, alone.box) == ("board", 2, click, None)
    third = read_prompts([PERSON, BOARD], names=["person", "skateboard", "helmet"], points=click)[2]
    assert (third.label, third.points) == ("helmet", click)


def socket(*objects: dict, **changed) -> dict:
    return {"schema": "physics-preserver/prompts", "schema_version": 1, "objects": list(objects), **changed}


def shown(label: str = "board", **prompt) -> dict:
    return {"label": label, "prompts": [{"frame": 0, "box": None, "points": [], **prompt}]}


def test_json_prompts_are_read_and_written_back_the_same() -> None:
    both = [{"x": 1.5, "y": 2, "positive": True}, {"x": 7, "y": 8, "positive": False}]
    board = shown(frame=3, points=both)
    board["prompts"].append({"frame": 9, "box": [1, 2, 3, 4.5], "points": []})
    data = socket(board, shown("person", box=[0, 0, 8, 8]))
    prompts = parse_prompts(json.dumps(data))
    assert [(p.label, p.frame, p.box) for p in prompts] == [
        ("board", 3, None),
        ("board", 9, (1, 2, 3, 4.5)),
        ("person", 0, (0, 0, 8, 8)),
    ]
    assert prompts[0].points == (Point(1.5, 2), Point(7, 8, False))
    assert prompts_to_dict(prompts) == data and json.loads(json.dumps(prompts_to_dict(prompts))) == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("{", "not JSON"),
        ([], "'list', not physics-preserver/prompts"),
        ({"objects": []}, "None, not physics-preserver/prompts"),
        (socket(schema="someone/else"), "'someone/else', not"),
        (socket(schema_version=2), "schema_version 2; this release reads up to 1"),
        (socket(schema_version="1"), "schema_version '1'"),
        (socket(objects={}), '"objects" is {}, not a list'),
        (socket(), "name no objects"),
        (socket(shown(""), shown()), "label ''"),
        (socket(shown(box=[0, 0, 1, 1]), shown(" board ")), "two objects in the prompts are named 'board'"),
        (socket({"label": "a", "prompts": []}), "'a' is shown on no frame"),
        (socket({"label": "a"}), "'a': \"prompts\" is None"),
        (socket(shown()), "'board' on frame 0 has neither a box nor points"),
        (socket(shown(frame=-1, box=[0, 0, 1, 1])), "on frame -1"),
        (socket(shown(frame=1.5, box=[0, 0, 1, 1])), "on frame 1.5"),
        (socket(shown(box=[0, 0, 1])), "four numbers"),
        (socket(shown(box=[0, 0, 1, float("nan")])), "four numbers"),
        (socket(shown(box=[5, 0, 1, 1])), "empty box"),
        (socket(shown(points=[{"x": 1}])), "no point with numbers"),
        (socket(shown(points=[[1, 2]])), "no point with numbers"),
        (socket(shown(points=[{"x": 1, "y": 2, "positive": 1}])), "positive is 1"),
    ],
)
def test_prompts_of_another_form_are_named(data, message) -> None:
    with pytest.raises(PromptError, match=message):
        parse_prompts(data)


def test_point_strings_are_kjnodes() -> None:
    assert parse_points('[{"x": 1, "y": 2}]', '[{"x": 3.5, "y": 4}]') == (Point(1, 2), Point(3.5, 4, False))
    assert parse_points("", " ") == ()
    for text in ("here", '{"x": 1}', "[[1, 2]]", '[{"x": "1", "y": 2}]'):
        with pytest.raises(PromptError, match="positive points"):
            parse_points(text)


def test_masks_have_no_place_in_json() -> None:
    with pytest.raises(ValueError, match="'a' is a mask"):
        prompts_to_dict([Prompt("a", mask=np.ones((2, 2), bool))])

"""What the graph shows to the tracker: boxes in all of core's forms, masks, names."""

import numpy as np
import pytest
from physics_preserver.nodes.extraction.prompts import read_prompts
from physics_preserver.nodes.extraction.tracking import PromptError

BOX = {"x": 1, "y": 2, "width": 3, "height": 4}
PERSON, BOARD = {**BOX, "label": "person"}, {**BOX, "label": "skateboard"}
MASKS = np.zeros((2, 8, 8), np.float32)
MASKS[0, :4], MASKS[1, 4:] = 1.0, 0.6


def labels(*of, **more) -> list[str]:
    return [prompt.label for prompt in read_prompts(*of, **more)[0]]


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
    prompts, found = read_prompts(boxes, anchor=asked)
    assert (found, prompts[0].box) == (anchor, (1.0, 2.0, 4.0, 6.0))


def test_boxes_off_the_anchor_are_named() -> None:
    with pytest.raises(PromptError, match="no boxes on frame 1; frames with boxes: 0, 2"):
        read_prompts([[BOX], [], [BOX]], anchor=1)


def test_names_go_to_masks_and_then_to_boxes_without_one() -> None:
    assert labels([BOX, BOX], MASKS, ["a", "b", "c"]) == ["a", "b", "c", "object 4"]
    assert labels([BOARD, BOX], None, ["person", "skateboard"]) == ["skateboard", "person"]


def test_a_second_of_one_name_is_numbered() -> None:
    assert labels([PERSON, PERSON, BOARD]) == ["person", "person 2", "skateboard"]


def test_a_mask_replaces_the_box_of_its_name() -> None:
    prompts, anchor = read_prompts([PERSON, BOARD], MASKS[1:], ["skateboard"])
    by_label = {prompt.label: prompt for prompt in prompts}
    assert by_label.keys() == {"person", "skateboard"} and anchor == 0
    mask = by_label["skateboard"].mask
    assert mask is not None and by_label["skateboard"].box is None and by_label["person"].mask is None
    assert np.array_equal(mask, MASKS[1] > 0)


def test_nothing_to_track() -> None:
    with pytest.raises(PromptError, match="connect boxes or masks"):
        read_prompts([[], []])

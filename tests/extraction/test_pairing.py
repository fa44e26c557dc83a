"""Pairing: made-up scenes in which it is plain whose object it is, and the two real clips."""

import json

import numpy as np
import pytest
from physics_preserver.nodes.extraction.detection import Detection, DetectionError, box_iou
from physics_preserver.nodes.extraction.observe import observe
from physics_preserver.nodes.extraction.pairing import Pairing, pair
from physics_preserver.nodes.extraction.tracklets import link
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import Scene

SIZE = (720, 1280)
FRAMES = 20


def seen(label, x, y, width, height, score=0.8):
    """A detection centred at x, y."""
    return Detection(label, score, (x - width / 2, y - height / 2, x + width / 2, y + height / 2), "yolox")


def skater(t, speed=30.0, x=200.0):
    """A person who rolls along, their board under their feet."""
    here = x + speed * t
    return [seen("person", here, 400, 80, 200), seen("skateboard", here, 500, 90, 24)]


def still_camera(frames=FRAMES):
    return np.tile(np.eye(2, 3), (frames, 1, 1))


def test_the_ridden_board_and_not_the_one_on_the_wall():
    leaning = seen("skateboard", 640, 450, 40, 120, 0.95)
    found = pair([[*skater(t), leaning] for t in range(FRAMES)], "skateboard", SIZE, still_camera())
    assert found.object is not None
    assert found.object.box[1] == 488  # the board under the feet
    assert found.measures["person_travel"] > 1 and found.measures["object_travel"] > 1
    (other,) = found.alternatives
    assert other.object is not None and other.object.box[1] == 390
    assert other.measures["object_travel"] == 0 and other.score < found.score / 2


def test_a_following_camera_doesnt_make_the_wall_board_belong():
    """The skater stays in the middle of the picture, the wall and its board pass by behind the feet."""
    frames = [[*skater(t, 0, 640), seen("skateboard", 940 - 30 * t, 480, 40, 120, 0.95)] for t in range(FRAMES)]
    pan = np.tile(np.array([[1.0, 0, -30], [0, 1, 0]]), (FRAMES, 1, 1))
    for camera in (pan, None):
        found = pair(frames, "skateboard", SIZE, camera)
        assert found.object is not None and found.object.box[1] == 488
    assert pair(frames, "skateboard", SIZE, pan).measures["object_travel"] > 2  # against the ground, not the picture


def test_of_two_people_with_boards_the_one_who_rides():
    waiting = [seen("person", 1000, 380, 100, 240, 0.95), seen("skateboard", 1000, 505, 100, 26, 0.95)]
    found = pair([waiting + skater(t) for t in range(FRAMES)], "skateboard", SIZE, still_camera())
    assert found.person.width == 80 and found.object is not None and found.object.width == 90


def test_a_bystander_does_not_get_the_board():
    bystander = seen("person", 1150, 330, 160, 400, 0.95)
    found = pair([[bystander, *skater(t)] for t in range(FRAMES)], "skateboard", SIZE, still_camera())
    assert found.person.width == 80 and found.score > 0.6


def test_a_person_without_an_object_is_said_to_be_alone():
    far = seen("skateboard", 1200, 100, 90, 24)
    found = pair([[skater(t)[0], far] for t in range(FRAMES)], "skateboard", SIZE, still_camera())
    assert found.object is None and found.person.label == "person"
    assert "No skateboard" in found.warnings[0]
    nothing = pair([[skater(t)[0]] for t in range(FRAMES)], ["snowboard", "skis"], SIZE)
    assert nothing.object is None and "snowboard or skis" in nothing.warnings[0]


def test_alone_the_one_who_moves_and_not_the_one_who_stands():
    stands = seen("person", 900, 400, 90, 210)
    found = pair([[stands, skater(t)[0]] for t in range(FRAMES)], "skateboard", SIZE, still_camera())
    assert found.person.width == 80


def test_nobody_is_an_error_that_says_what_was_there():
    with pytest.raises(DetectionError, match="found: dog, skateboard"):
        pair([[seen("dog", 100, 100, 50, 50), seen("skateboard", 300, 300, 90, 24)]])
    with pytest.raises(DetectionError, match="found: nothing"):
        pair([[], []])


def test_a_moving_proposal_stands_in_for_a_person_and_says_so():
    frames = [[Detection("moving 1", 0.5, (100 + 20 * t, 200, 200 + 20 * t, 400), "motion")] for t in range(FRAMES)]
    found = pair(frames, "skateboard", SIZE)
    assert found.person.label == "moving 1" and found.object is None
    assert "proposal" in found.warnings[0]


@pytest.mark.parametrize(
    ("wanted", "label", "place", "size"),
    [
        ("bicycle", "bicycle", (0, 90), (150, 100)),
        ("bicycle", "motorcycle", (0, 90), (150, 100)),
        ("sports ball", "sports ball", (55, -20), (24, 24)),
        ("ball", "sports ball", (-55, -20), (24, 24)),
        ("snowboard", "snowboard", (0, 100), (160, 30)),
        ("broom", "broom", (50, 40), (20, 150)),
    ],
)
def test_other_objects_are_carried_elsewhere(wanted, label, place, size):
    frames = []
    for t in range(FRAMES):
        x = 200 + 30 * t
        frames.append(
            [seen("person", x, 400, 80, 200), seen(label, x + place[0], 400 + place[1], size[0], size[1], 0.6)]
        )
        frames[-1].append(seen(label, 1000, 100, size[0], size[1], 0.9))
    found = pair(frames, wanted, SIZE, still_camera())
    assert found.object is not None and found.score > 0.5
    assert found.object.centre[0] - found.person.centre[0] == place[0]


def test_a_board_under_another_name_is_found_and_gets_the_asked_one():
    names = ["snowboard" if t % 3 else "skateboard" for t in range(FRAMES)]
    frames = [[skater(t)[0], seen(names[t], 200 + 30 * t, 500, 90, 24, 0.5)] for t in range(FRAMES)]
    found = pair(frames, "skateboard", SIZE, still_camera())
    assert found.object is not None and found.object.label == "skateboard"
    assert found.measures["frames_together"] == FRAMES
    assert any("calls it snowboard" in reason for reason in found.reasons)
    assert pair(frames, "sports ball", SIZE, still_camera()).object is None


def test_the_anchor_shows_both_whole_and_clearly():
    frames = []
    for t in range(FRAMES):
        person, board = skater(t, speed=40, x=30)  # the first frames are cut by the left edge
        score = 0.9 if t == 12 else 0.6
        frames.append(
            [seen("person", *person.centre, 80, 200, score), seen("skateboard", *board.centre, 90, 24, score)]
        )
    frames[0][0] = Detection("person", 0.99, (0, 300, 70, 500), "yolox")
    frames[0][1] = Detection("skateboard", 0.99, (0, 488, 75, 512), "yolox")
    indices = [2 * t for t in range(FRAMES)]
    assert pair(frames, "skateboard", SIZE, still_camera(), indices).anchor == 24


def test_a_board_that_comes_back_is_one_board():
    frames = [skater(t) if not 6 <= t < 16 else skater(t)[:1] for t in range(24)]
    found = pair(frames, "skateboard", SIZE, still_camera(24))
    assert found.measures["frames_together"] == 14
    assert not [other for other in found.alternatives if other.object is not None]


def test_part_of_the_vehicle_is_not_its_rider():
    def rider(t):
        x = 200 + 25 * t
        engine = seen("person", x + 40, 445, 60, 80, 0.95)
        return [engine, seen("person", x, 400, 90, 160, 0.6), seen("motorcycle", x + 20, 450, 240, 140, 0.9)]

    found = pair([rider(t) for t in range(FRAMES)], "motorcycle", SIZE, still_camera())
    assert found.person.width == 90


def test_the_result_is_json_and_doesnt_depend_on_the_order_of_boxes():
    frames = [[*skater(t), seen("person", 1000, 380, 100, 240), seen("skis", 640, 450, 40, 120)] for t in range(FRAMES)]
    one = pair(frames, "skateboard", SIZE, still_camera())
    two = pair([frame[::-1] for frame in frames], "skateboard", SIZE, still_camera())
    assert isinstance(one, Pairing) and one.to_dict() == two.to_dict()
    read = json.loads(json.dumps(one.to_dict()))
    assert read["anchor"] == one.anchor and read["object"]["label"] == "skateboard"
    assert len(read["reasons"]) == 3 and all(reason.endswith(".") for reason in read["reasons"])


def test_a_single_frame_is_enough_to_pair_by_place():
    found = pair([[*skater(0), seen("skateboard", 900, 200, 40, 120)]], "skateboard", SIZE)
    assert found.object is not None and found.object.width == 90 and found.anchor == 0


def test_linking_keeps_two_crossing_people_apart():
    frames = [
        [seen("person", 100 + 40 * t, 400, 80, 200), seen("person", 900 - 40 * t, 420, 80, 200)] for t in range(21)
    ]
    tracks = link(frames, lambda item: True)
    assert len(tracks) == 2
    for track in tracks:
        ys = {item.centre[1] for item in track.found.values()}
        assert len(track.found) == 21 and len(ys) == 1


@pytest.fixture(scope="module")
def nano(shared_data):
    pytest.importorskip("onnxruntime")
    from physics_preserver.nodes.extraction.yolo import load_detector

    return load_detector(shared_data / "weights" / "yolox_nano.onnx")


@pytest.mark.parametrize(
    ("name", "start", "wanted", "person", "thing"),  # boxes read off the pictures
    [
        ("skateboarder", 136, "skateboard", (270, 136, 490, 575), (247, 547, 450, 586)),
        ("biker", 16, ["bicycle", "motorcycle"], (617, 170, 760, 325), (613, 210, 888, 395)),
    ],
)
def test_real_clips(nano, shared_data, name, start, wanted, person, thing):
    clip = open_clip(shared_data / "clips" / f"{name}.mp4", start=start)
    looked = observe(clip, nano, frames=16)
    found = pair(looked.detections, wanted, looked.size, looked.camera, looked.frames)
    assert found.object is not None and found.score > 0.5
    assert box_iou(found.person.box, person) > 0.5 and box_iou(found.object.box, thing) > 0.4


def test_the_scenes_leaning_board_is_left_on_the_wall(nano):
    """The rendered skater rolls past another board that leans on the wall."""
    scene = Scene(640, 360, exposures=1)
    looked = observe(scene, nano, frames=36, step=6)
    found = pair(looked.detections, "skateboard", looked.size, looked.camera, looked.frames)
    truth = scene.truth(found.anchor)
    ys, xs = np.nonzero(truth.whole[1])
    assert found.object is not None
    assert box_iou(found.object.box, (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)) > 0.5

"""VACE control: geometry, polarity, grey and length, checked on pictures whose every pixel is known."""

import json
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest
from gradient_clip import scene, track_of
from physics_preserver.nodes.conditioning.choices import Choices, ConditioningError
from physics_preserver.nodes.conditioning.plan import plan_control
from physics_preserver.nodes.conditioning.vace import GREY, control_frames, float_control, read_control, write_control
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.stills import ArrayClip

DEFAULTS = Choices()


def control(choices=DEFAULTS, size=(64, 96), frames=5, guide=None, **planned):
    clip, track = scene(size, frames)
    plan = plan_control(size, frames, **planned)
    return clip, track, plan, list(control_frames(clip, track, plan, choices, guide))


REPAINTED: dict[str, Any] = {
    "person": lambda person, board: person,
    "object": lambda person, board: board,
    "both": lambda person, board: person | board,
    "background": lambda person, board: ~(person | board),
    "everything": lambda person, board: np.ones_like(person),
}


@pytest.mark.parametrize("repaint", REPAINTED)
def test_original_outside_grey_inside_mask_one_where_it_generates(repaint):
    clip, track, _, frames = control(Choices(repaint))
    assert len(frames) == 5
    for t, (image, mask) in enumerate(frames):
        expected = REPAINTED[repaint](*track.masks(t))
        assert mask.dtype == bool and np.array_equal(mask, expected)
        assert np.array_equal(image[~mask], clip.frame(t).image[~mask])
        assert (image[mask] == GREY).all()
        values = float_control(image, mask, Choices(repaint))
        assert values.dtype == np.float32 and (values[mask] == 0.5).all()
        assert np.allclose(values[~mask] * 255, clip.frame(t).image[~mask])


def test_poses_stand_inside_the_mask():
    images = np.full((5, 64, 96, 3), 77, np.uint8)
    choices = Choices("person", "pose")
    clip, _, _, frames = control(choices, guide=ArrayClip(images, Fraction(16)))
    for t, (image, mask) in enumerate(frames):
        assert (image[mask] == 77).all() and np.array_equal(image[~mask], clip.frame(t).image[~mask])
        assert float_control(image, mask, choices)[mask] == pytest.approx(77 / 255)


def test_the_source_is_left_as_it_was():
    clip, _, _, _ = control()
    assert np.array_equal(clip.frame(0).image, scene()[0].frame(0).image)


@pytest.mark.parametrize(
    ("source", "choices", "size"),
    [
        ((720, 1280), {}, (720, 1280)),
        ((480, 854), {}, (480, 848)),
        ((1080, 1920), {}, (1072, 1920)),
        ((720, 1280), {"width": 832, "height": 480}, (480, 832)),
        ((720, 1280), {"width": 832}, (464, 832)),
        ((1920, 1080), {"height": 832}, (832, 464)),
        ((720, 1280), {"width": 850, "height": 487}, (480, 848)),
    ],
)
def test_sizes_are_multiples_of_16_and_nothing_is_stretched(source, choices, size):
    plan = plan_control(source, 5, **choices)
    assert (plan.height, plan.width) == size
    x1, y1, x2, y2 = plan.crop
    assert 0 <= x1 < x2 <= source[1] + 1e-9 and 0 <= y1 < y2 <= source[0] + 1e-9
    assert (x2 - x1) / (y2 - y1) == pytest.approx(size[1] / size[0], rel=1.5e-3)
    # Cover, not letterbox: one side of the source is used whole, and the crop is centred to the pixel.
    assert max((x2 - x1) / source[1], (y2 - y1) / source[0]) == pytest.approx(1, abs=2e-3)
    assert abs(x1 - (source[1] - x2)) <= 1.01 / plan.scale[0] and abs(y1 - (source[0] - y2)) <= 1.01 / plan.scale[1]
    assert bool(plan.notes) == (choices.get("width") == 850 or (not choices and source != (720, 1280)))


def test_picture_and_mask_move_together_through_scale_and_crop():
    # The gradient says where every control pixel comes from; the mask must be the same place's mask.
    _, track, plan, frames = control(Choices("person"), size=(360, 640), width=400, height=240)
    (image, mask), (scale_x, scale_y) = frames[0], plan.scale
    source = track.mask(0, "person")
    rows, columns = np.nonzero(~mask)
    x = (columns + 0.5) / scale_x + plan.crop[0]
    y = (rows + 0.5) / scale_y + plan.crop[1]
    assert np.abs(image[rows, columns, 0] - np.floor(x) * 255 // 640).max() <= 2
    assert np.abs(image[rows, columns, 1] - np.floor(y) * 255 // 360).max() <= 2
    rows, columns = np.nonzero(mask)
    box = (np.array([columns.min(), columns.max() + 1]) / scale_x + plan.crop[0]).tolist()
    truth = np.nonzero(source.any(axis=0))[0]
    assert box == pytest.approx([truth.min(), truth.max() + 1], abs=0.6 / scale_x)
    assert mask.sum() == pytest.approx(source.sum() * scale_x * scale_y, rel=0.12)


@pytest.mark.parametrize(("frames", "trimmed", "padded"), [(1, 1, 1), (2, 1, 5), (5, 5, 5), (81, 81, 81), (84, 81, 85)])
def test_length_is_4n_plus_1(frames, trimmed, padded):
    assert plan_control((64, 96), frames).frames == tuple(range(trimmed))
    plan = plan_control((64, 96), frames, fit="pad")
    assert plan.frames == (*range(frames), *[None] * (padded - frames))
    assert (plan.length - 1) % 4 == 0


def test_padding_repeats_the_last_frame_with_its_own_mask():
    _, _, plan, frames = control(Choices("object"), frames=7, fit="pad")
    assert len(frames) == 9 and plan.frames[-2:] == (None, None)
    for image, mask in frames[7:]:
        assert np.array_equal(image, frames[6][0]) and np.array_equal(mask, frames[6][1])


def test_growing_adds_every_pixel_within_reach_and_no_other():
    _, track, _, frames = control(Choices("object", grow=5))
    disk = np.hypot(*np.mgrid[-5:6, -5:6]) <= 5
    expected = cv2.dilate(track.mask(0, "board").astype(np.uint8), disk.astype(np.uint8)) > 0
    assert np.array_equal(frames[0][1], expected)


def test_socket_bytes_are_those_of_the_tensors():
    plan = plan_control((480, 832), 81)
    image, mask = np.zeros((81, 480, 832, 3), np.float32), np.zeros((81, 480, 832), np.float32)
    assert plan.socket_bytes() == image.nbytes + 2 * mask.nbytes


def test_frames_are_made_one_at_a_time():
    clip, track = scene(frames=81)
    read = []

    class Counting(ArrayClip):
        def read(self, start=0):
            for frame in super().read(start):
                read.append(frame.index)
                yield frame

    counting = Counting(np.stack([frame.image for frame in clip]), Fraction(16))
    next(control_frames(counting, track, plan_control((64, 96), 81), Choices("object")))
    assert read == [0]


def test_what_does_not_belong_together_is_refused():
    clip, track = scene()
    plan = plan_control((64, 96), 5)

    def message(error, *args, **kwargs):
        with pytest.raises(error) as caught:
            list(control_frames(*args, **kwargs))
        return str(caught.value)

    assert "128x96" in message(ConditioningError, scene((96, 128))[0], track, plan, Choices())
    assert "8" in message(ConditioningError, *scene(frames=8), plan_control((64, 96), 9), Choices())
    assert "ends after 5" in message(ConditioningError, clip, scene(frames=9)[1], plan_control((64, 96), 9), Choices())
    wrong: dict[str, Any]
    for wrong in ({"repaint": "wheel"}, {"guide": "sketch"}, {"shape": "round"}, {"grow": -1}):
        with pytest.raises(ConditioningError, match=str(*wrong.values())):
            Choices(**wrong)
    bad: dict[str, Any]
    for bad in ({"frames": 0}, {"frames": 5, "width": 8, "height": 64}, {"frames": 5, "fit": "loop"}):
        with pytest.raises(ConditioningError):
            plan_control((64, 96), **bad)


def test_the_folder_holds_what_was_made(tmp_path):
    clip, track = scene(frames=7)
    plan = plan_control((64, 96), 7, fit="pad")
    written = write_control(tmp_path / "out", clip, track, plan, Choices(grow=2))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "control.mp4",
        "mask.mp4",
        "masks",
        "vace.json",
    ]
    on_disk = json.loads((tmp_path / "out" / "vace.json").read_text())
    assert on_disk == written == read_control(tmp_path / "out")
    assert (on_disk["width"], on_disk["height"], on_disk["length"], on_disk["rate"]) == (96, 64, 9, "16")
    assert on_disk["frames"] == [0, 1, 2, 3, 4, 5, 6, None, None] and on_disk["crop"] == [0, 0, 96, 64]

    made = list(control_frames(clip, track, plan, Choices(grow=2)))
    video, matte = (open_clip(tmp_path / "out" / name) for name in ("control.mp4", "mask.mp4"))
    assert video.count() == matte.count() == 9 and video.rate == 16
    for index, (image, mask) in enumerate(made):
        png = cv2.imread(str(tmp_path / "out" / "masks" / f"{index:05d}.png"), cv2.IMREAD_UNCHANGED)
        assert png is not None and np.array_equal(png, mask.astype(np.uint8) * 255)
        inside = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert np.abs(video.frame(index).image[inside].astype(int) - GREY).max() <= 8  # H.264 is lossy
        assert np.abs(video.frame(index).image.astype(int) - image).mean() < 3
        assert np.count_nonzero((matte.frame(index).image[..., 0] > 127) != mask) == 0

    with pytest.raises(FileExistsError):
        write_control(tmp_path / "out", clip, track, plan, Choices())


def test_other_folders_and_newer_controls_are_refused(tmp_path):
    with pytest.raises(ConditioningError, match="no control folder"):
        read_control(tmp_path)
    (tmp_path / "vace.json").write_text(json.dumps({"schema": "physics-preserver/vace", "schema_version": 99}))
    with pytest.raises(ConditioningError, match="version 99.*reads up to 2"):
        read_control(tmp_path)
    for other in ({"schema": "physics-preserver/rle"}, [1]):
        (tmp_path / "vace.json").write_text(json.dumps(other))
        with pytest.raises(ConditioningError, match="not physics-preserver/vace"):
            read_control(tmp_path)


def test_folders_of_version_1_are_read(tmp_path):
    old = {"schema": "physics-preserver/vace", "schema_version": 1, "crop": [0, 0, 96, 64], "frames": [0, 1, 2, 3, 4]}
    (tmp_path / "vace.json").write_text(json.dumps(old))
    assert read_control(tmp_path) == old


def test_what_vace_misses_of_the_masks_is_told_and_aligned_masks_miss_nothing(tmp_path):
    frames = np.zeros((17, 64, 96), bool)
    for t in range(17):
        frames[t, 20:40, 5 * t : 5 * t + 10] = True  # no pixel is in three frames one after another
    clip, track = scene(frames=17)[0], track_of(np.zeros_like(frames), frames)
    plan = plan_control((64, 96), 17)
    told = write_control(tmp_path / "plain", clip, track, plan, Choices("object"))["warnings"]
    assert "of 17 frames VACE reads a mask that leaves out" in told[0] and "100%" in told[0] and "aligned" in told[0]
    assert write_control(tmp_path / "aligned", clip, track, plan, Choices("object", latent_aligned=True))["notes"] == []
    still = track_of(np.zeros_like(frames), np.repeat(frames[:1], 17, axis=0))
    assert write_control(tmp_path / "still", clip, still, plan, Choices("object"))["warnings"] == []


def test_a_failed_run_leaves_nothing(tmp_path):
    clip, _ = scene(frames=5)
    with pytest.raises(ConditioningError):
        write_control(tmp_path / "out", clip, scene(frames=9)[1], plan_control((64, 96), 9), Choices())
    assert list(tmp_path.iterdir()) == []

"""The composite: kept pixels to the bit, colours at the seam, frames, times and sound of the source."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import audio_packets, with_audio
from gradient_clip import RATE, scene, track_of
from physics_preserver.nodes.conditioning.choices import Choices, ConditioningError
from physics_preserver.nodes.conditioning.composite import Pasting, composite_frames, write_composite
from physics_preserver.nodes.conditioning.latents import consumed
from physics_preserver.nodes.conditioning.plan import plan_control, plan_of
from physics_preserver.nodes.conditioning.vace import control_frames, describe
from physics_preserver.nodes.media.clip import TrimmedClip
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.validation.align import require_same_picture

SIZE = (64, 96)


class Made:
    """A source of noise, its control, and a generated clip of other noise."""

    def __init__(self, frames: int = 5, size=SIZE, choices: Choices | None = None, **planned: Any):
        _, track = scene(size, frames)
        rng = np.random.default_rng(1)
        self.clip = ArrayClip(rng.integers(0, 256, (frames, *size, 3), np.uint8), RATE)
        self.plan = plan_control(size, frames, **planned)
        choices = choices or Choices("person", latent_aligned=True)
        made = list(control_frames(self.clip, track, self.plan, choices))
        self.masks = list(consumed([mask for _, mask in made], self.plan.length))
        self.control = describe(self.clip, track, self.plan, choices)
        shape = (self.plan.length, self.plan.height, self.plan.width, 3)
        self.generated = ArrayClip(rng.integers(0, 256, shape, np.uint8), RATE)

    def composite(self, pasting: Pasting, generated=None) -> list:
        return list(composite_frames(self.clip, generated or self.generated, self.masks, self.control, pasting))


@pytest.mark.parametrize("match", [False, True])
@pytest.mark.parametrize("feather", [0, 1, 7])
@pytest.mark.parametrize("planned", [{}, {"width": 64, "height": 64}, {"width": 192, "height": 96}])
def test_kept_pixels_are_the_controls_own_to_the_bit(match, feather, planned):
    made = Made(9, **planned)
    frames = made.composite(Pasting("control", feather, match))
    assert len(frames) == 9
    for t, (frame, mask) in enumerate(zip(frames, made.masks, strict=True)):
        assert np.array_equal(frame.image[~mask], made.plan.image(made.clip.frame(t).image)[~mask])
        assert mask.any() and not mask.all() and frame.time == Fraction(t, 16)


def test_inside_stands_what_was_generated():
    made = Made()
    for t, frame in enumerate(made.composite(Pasting("control", 0, False))):
        mask = made.masks[t]
        assert np.array_equal(frame.image[mask], made.generated.frame(t).image[mask])


def test_the_feather_lies_inside_and_rises_with_depth():
    inside = np.zeros((5, *SIZE), bool)
    inside[:, 12:52, 20:76] = True
    made = Made()
    black, white = (ArrayClip(np.full((5, *SIZE, 3), value, np.uint8), RATE) for value in (0, 255))
    frame = next(composite_frames(black, white, inside, made.control, Pasting("control", 8, False)))
    row = frame.image[32, :, 0].astype(int)
    assert not row[:20].any() and (row[28:68] == 255).all() and not row[76:].any()
    assert (np.diff(row[19:29]) > 0).all() and 0 < row[20] < 255


@pytest.mark.parametrize("planned", [{"width": 64, "height": 64}, {"width": 192, "height": 96}, {"width": 48}])
def test_pasted_back_at_full_size_every_other_pixel_is_the_sources_own(planned):
    made = Made(9, **planned)
    # Left white where it generates, so that what was pasted is known by its colour.
    white = ArrayClip(np.full((9, made.plan.height, made.plan.width, 3), 255, np.uint8), RATE)
    _, track = scene(SIZE, 9)
    for t, frame in enumerate(made.composite(Pasting("source", 0, False), white)):
        original = made.clip.frame(t).image
        assert frame.image.shape == original.shape
        pasted = (frame.image != original).any(axis=2)
        assert (frame.image[pasted] == 255).all()
        x1, y1, x2, y2 = made.plan.crop
        columns, rows = np.flatnonzero(pasted.any(axis=0)), np.flatnonzero(pasted.any(axis=1))
        assert columns[0] >= x1 - 0.5 and columns[-1] < x2 + 0.5 and rows[0] >= y1 - 0.5 and rows[-1] < y2 + 0.5
        # It covers the person, as the mask does: to the rounding of half a control pixel.
        reach = 1 + round(0.5 / min(made.plan.scale))
        person = cv2.erode(track.mask(t, "person").astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8)) > 0
        person[:, : int(np.ceil(x1)) + 1], person[:, int(x2) - 1 :] = False, False
        assert (frame.image[person] == 255).all()


def test_what_is_pasted_stands_where_it_was_taken():
    """A gradient through scale and crop and back again comes out where it went in."""
    clip, track = scene((128, 192), 5)
    for width, height in ((96, 96), (352, 256)):
        plan = plan_control((128, 192), 5, width, height)
        generated = ArrayClip(np.stack([plan.image(frame.image) for frame in clip]), RATE)
        masks = [np.ones((plan.height, plan.width), bool)] * 5
        control = describe(clip, track, plan, Choices())
        for frame in composite_frames(clip, generated, masks, control, Pasting("source", 0, False)):
            x1, y1, x2, y2 = (round(side) for side in plan.crop)
            inside = (slice(y1 + 3, y2 - 3), slice(x1 + 3, x2 - 3))
            assert np.abs(frame.image[inside].astype(int) - clip.frame(frame.index).image[inside]).max() <= 2


def test_lead_in_and_padding_are_dropped_and_validation_is_told():
    made = Made(7, lead_in=4, fit="pad")
    assert made.plan.length == 13
    frames = made.composite(Pasting("control", 0, False))
    assert [frame.index for frame in frames] == list(range(7))
    for t, frame in enumerate(frames):
        mask = made.masks[4 + t]
        assert np.array_equal(frame.image[mask], made.generated.frame(4 + t).image[mask])


class Shifted(Made):
    """Generated is the source with a colour shift that differs over the picture and drifts, and another person."""

    def __init__(self, frames: int = 29):
        super().__init__(frames, (192, 288), Choices("person", grow=10))
        x = np.linspace(0, 1, 288)[None, :, None]
        clean = np.full((192, 288, 3), (150, 120, 90.0))
        clean[96:] = (90, 110, 100)
        self.clip = ArrayClip(np.stack([np.rint(clean).astype(np.uint8)] * frames), RATE)
        drift = np.sin(np.arange(frames) / 12)[:, None, None, None]
        self.shift = np.array([16, -9, 6.0]) * (0.5 + x) + drift * np.array([4, 0, -4.0])
        rng = np.random.default_rng(4)
        images = clean + self.shift + rng.normal(0, 3, (frames, 192, 288, 3))
        person = scene((192, 288), frames)[1]
        self.person = np.stack([person.mask(t, "person") for t in range(frames)])
        images[self.person] = (200, 40, 160)
        self.generated = ArrayClip(np.clip(np.rint(images), 0, 255).astype(np.uint8), RATE)

    def errors(self, frames: list) -> np.ndarray:
        """float [T, 3]: mean difference from the source in the ring between the person and the mask's edge."""
        return np.array([
            (frame.image[mask & ~person].astype(float) - self.clip.frame(t).image[mask & ~person]).mean(axis=0)
            for t, (frame, mask, person) in enumerate(zip(frames, self.masks, self.person, strict=True))
        ])  # fmt: skip


def test_colours_match_at_the_seam_and_do_not_flicker():
    made = Shifted()
    off, on = (made.errors(made.composite(Pasting("control", 0, match))) for match in (False, True))
    assert np.abs(off).max(axis=0).min() > 5
    assert np.abs(on).max() < 2.0
    assert np.abs(np.diff(on, axis=0)).max() < 0.7  # of 255; the shift itself drifts by a third of a level


def test_what_the_generator_drew_beside_the_mask_is_no_colour_shift():
    made = Shifted(9)
    images = np.stack([frame.image for frame in made.generated])
    thing = np.zeros_like(made.person)
    thing[:, 100:130, 60:110] = True
    images[thing & ~np.stack(made.masks)] = 255  # a white thing next to the person's feet
    made.generated = ArrayClip(images, RATE)
    assert np.abs(made.errors(made.composite(Pasting("control", 0, True)))).max() < 4


def test_a_mask_over_everything_leaves_the_generated_picture_as_it_is():
    made = Made(5, choices=Choices("everything"))
    for t, frame in enumerate(made.composite(Pasting("control", 6, True))):
        assert np.array_equal(frame.image, made.generated.frame(t).image)


def test_a_generated_clip_of_another_size_is_scaled():
    made = Made(5)
    large = np.stack([cv2.resize(f.image, (192, 128), interpolation=cv2.INTER_NEAREST) for f in made.generated])
    for t, frame in enumerate(made.composite(Pasting("control", 0, False), ArrayClip(large, RATE))):
        assert np.array_equal(frame.image[made.masks[t]], made.generated.frame(t).image[made.masks[t]])


def test_what_does_not_belong_together_is_refused():
    made = Made(9)
    longer = ArrayClip(np.zeros((13, *SIZE, 3), np.uint8), RATE)
    with pytest.raises(ConditioningError, match="has 13 frames, the control 9.*Trim Video Latent"):
        made.composite(Pasting(), longer)
    with pytest.raises(ConditioningError, match="has 5 frames, the control 9$"):
        made.composite(Pasting(), ArrayClip(np.zeros((5, *SIZE, 3), np.uint8), RATE))
    with pytest.raises(ConditioningError, match="64x64 px, the control 96x64"):
        made.composite(Pasting(), ArrayClip(np.zeros((9, 64, 64, 3), np.uint8), RATE))
    with pytest.raises(ConditioningError, match="made for 96x64 px, images is 64x96"):
        list(composite_frames(scene((96, 64), 9)[0], made.generated, made.masks, made.control, Pasting()))
    with pytest.raises(ConditioningError, match="masks are 64x32 px"):
        list(composite_frames(made.clip, made.generated, [np.ones((32, 64), bool)] * 9, made.control, Pasting()))
    with pytest.raises(ConditioningError, match="masks end after 4"):
        list(composite_frames(made.clip, made.generated, made.masks[:4], made.control, Pasting()))
    for wrong in ({"size": "half"}, {"feather": -2}):
        with pytest.raises(ConditioningError, match=str(*wrong.values())):
            Pasting(**wrong)  # type: ignore[arg-type]


def test_one_frame_of_each_clip_is_held():
    made = Made(17)
    read: list[tuple[str, int]] = []

    class Counting(ArrayClip):
        def read(self, start=0):
            for frame in super().read(start):
                read.append((self.name, frame.index))
                yield frame

    clips = []
    for name, source in (("source", made.clip), ("generated", made.generated)):
        clips.append(Counting(np.stack([frame.image for frame in source]), RATE))
        clips[-1].name = name
    source, generated = clips
    frames = composite_frames(source, generated, iter(made.masks), made.control, Pasting())
    for t, _ in enumerate(frames):
        assert len(read) == 2 * (t + 1)


@pytest.fixture(scope="module")
def file_with_sound(tmp_path_factory) -> Path:
    return with_audio(tmp_path_factory.mktemp("sound") / "source.mp4", frames=24, rate=24)


@pytest.mark.parametrize("size", ["control", "source"])
def test_the_file_holds_the_kept_pixels_to_the_bit_with_times_and_sound(tmp_path, file_with_sound, size):
    clip = open_clip(file_with_sound)
    height, width = clip.height, clip.width
    person = np.zeros((24, height, width), bool)
    person[:, 10:30, 12:30] = True
    track = track_of(person, np.zeros_like(person))
    plan = plan_control((height, width), 24, 48, 32, lead_in=4)
    choices = Choices("person", grow=2, latent_aligned=True)
    masks = list(consumed([mask for _, mask in control_frames(clip, track, plan, choices)], plan.length))
    control = describe(clip, track, plan, choices)
    rng = np.random.default_rng(2)
    generated = ArrayClip(rng.integers(0, 256, (plan.length, plan.height, plan.width, 3), np.uint8), RATE)
    after, notes = write_composite(tmp_path / "out.mp4", clip, generated, masks, control, Pasting(size))
    made = open_clip(tmp_path / "out.mp4")
    assert (made.count(), made.width, made.height) == (21, after["width"], after["height"])
    assert [frame.time for frame in made] == [frame.time for frame in clip][:21] and made.rate == clip.rate
    expected = composite_frames(clip, generated, masks, control, Pasting(size))
    for ours, frame, source in zip(expected, made, clip):  # noqa: B905  the source goes on
        assert np.array_equal(ours.image, frame.image)
        if size == "control":
            kept = ~masks[4 + frame.index]
            assert np.array_equal(frame.image[kept], plan.image(source.image)[kept])
        else:
            assert (frame.image == source.image).all(axis=2).mean() > 0.5
    sound, kept_sound = audio_packets(file_with_sound), audio_packets(tmp_path / "out.mp4")
    assert 0 < len(kept_sound) < len(sound) and [data for _, data in kept_sound] == [
        data for _, data in sound[: len(kept_sound)]
    ]
    assert float(kept_sound[-1][0]) < 21 / 24
    assert any("4 of 25 generated frames" in note for note in notes)
    # What it says of itself is what validation needs.
    assert after["frames"] == list(range(21)) and after["lead_in"] == 0
    require_same_picture((height, width), (made.height, made.width), tuple(after["crop"]))
    assert plan_of(after).image(np.zeros((height, width, 3), np.uint8)).shape[:2] == (made.height, made.width)


def test_a_part_of_a_file_has_its_part_of_the_sound(tmp_path, file_with_sound):
    clip = TrimmedClip(open_clip(file_with_sound), 6, 15)
    person = np.zeros((9, clip.height, clip.width), bool)
    person[:, 10:30, 12:30] = True
    track = track_of(person, np.zeros_like(person))
    plan = plan_control((clip.height, clip.width), 9)
    masks = [mask for _, mask in control_frames(clip, track, plan, Choices("person"))]
    generated = ArrayClip(np.zeros((9, plan.height, plan.width, 3), np.uint8), RATE)
    write_composite(tmp_path / "out.mp4", clip, generated, masks, describe(clip, track, plan, Choices()), Pasting())
    made = open_clip(tmp_path / "out.mp4")
    assert [frame.time for frame in made] == [Fraction(t, 24) for t in range(9)]
    whole, part = ([data for _, data in audio_packets(file)] for file in (file_with_sound, tmp_path / "out.mp4"))
    assert part and part[0] != whole[0] and any(whole[k : k + len(part)] == part for k in range(len(whole)))


def test_controls_of_version_1_still_composite():
    made = Made(9, width=64, height=64)
    old = {key: value for key, value in made.control.items() if key not in ("lead_in", "guide", "shape", "labels")}
    old |= {"schema_version": 1, "repaint": ["person"]}
    new, was = (
        [frame.image for frame in composite_frames(made.clip, made.generated, made.masks, control, Pasting())]
        for control in (made.control, old)
    )
    assert np.array_equal(new, was)


def test_a_run_that_is_interrupted_leaves_nothing(tmp_path):
    made = Made(9)

    def masks():
        yield from made.masks[:5]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_composite(tmp_path / "out.mp4", made.clip, made.generated, masks(), made.control, Pasting())
    assert list(tmp_path.iterdir()) == []

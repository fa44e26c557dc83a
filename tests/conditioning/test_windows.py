"""Windows over a clip: every frame made once, lengths that VACE takes, and kept frames that it really reads as kept."""

from __future__ import annotations

import pytest
from physics_preserver.nodes.conditioning.choices import ConditioningError
from physics_preserver.nodes.conditioning.latents import latent_of, read_frame
from physics_preserver.nodes.conditioning.windows import Window, keepable, plan_range, plan_windows, whole_length


@pytest.mark.parametrize("overlap", [2, 6, 10, 18])
@pytest.mark.parametrize("window", [26, 49, 81])
@pytest.mark.parametrize("frames", [1, 2, 5, 20, 21, 22, 49, 50, 81, 82, 85, 151, 152, 153, 200, 223, 1000])
def test_every_frame_is_made_in_lengths_that_vace_takes(frames: int, window: int, overlap: int) -> None:
    windows = plan_windows(frames, window, overlap)
    assert (windows[0].start, windows[-1].stop) == (0, frames)
    for one in windows:
        assert one.length % 4 == 1 and one.length <= window
    made = [frame for one in windows[:-1] for frame in range(*one.new)]
    assert made == list(range(len(made)))
    first, stop = windows[-1].new
    assert len(made) - 3 <= first <= len(made) < stop == frames


@pytest.mark.parametrize("frames", [82, 83, 151, 152, 153, 200, 1000])
def test_a_window_is_shown_what_the_one_before_made_and_is_as_long(frames: int) -> None:
    windows = plan_windows(frames, 81, 10)
    for before, window in zip(windows, windows[1:], strict=False):
        assert before.start < window.start <= window.new[0] <= before.stop
        assert window.kept >= 10
        assert window.length == 81 and window.padding == 0


def test_known_plans() -> None:
    assert plan_windows(81) == (Window(0, 81),)
    assert plan_windows(82, 81, 10) == (Window(0, 81), Window(1, 82, kept=78))
    assert plan_windows(200, 81, 10) == (Window(0, 81), Window(71, 152, kept=10), Window(119, 200, kept=30))
    assert plan_windows(1) == (Window(0, 1),)
    assert plan_windows(7, 81) == (Window(0, 7, padding=2),)


@pytest.mark.parametrize("length", [5, 9, 17, 21, 49, 81])
def test_kept_frames_are_read_as_kept_and_the_others_as_generated(length: int) -> None:
    """By core's own arithmetic: nearest-exact from `length` mask frames to its latents."""
    torch = pytest.importorskip("torch")
    for kept in range(2, length - 3, 4):
        mask = torch.ones(1, 1, length, 1, 1)
        mask[:, :, :kept] = 0
        latents = (length - 1) // 4 + 1
        read = torch.nn.functional.interpolate(mask, size=(latents, 1, 1), mode="nearest-exact").flatten().tolist()
        assert read == [0.0] * ((kept - 2) // 4 + 1) + [1.0] * (latents - (kept - 2) // 4 - 1), (length, kept)


RANGES = [(0, 1), (0, 9), (1, 4), (5, 12), (40, 61), (37, 38), (61, 73), (72, 73), (0, 73)]


@pytest.mark.parametrize("window", [26, 81])
@pytest.mark.parametrize("start, stop", [*RANGES, (30, 70)])
def test_a_range_is_made_between_frames_that_are_kept(start: int, stop: int, window: int) -> None:
    windows = plan_range(73, start, stop, window, 10)
    made = {frame for one in windows for frame in range(*one.new)}
    assert set(range(start, stop)) <= made
    assert min(made) == start and max(made) < stop + 4, "at most 4 more, which VACE's reading takes along"
    for one in windows:
        assert one.length % 4 == 1 and one.length <= window and 0 <= one.start < one.stop <= 73
    assert windows[0].kept == min(10, start) or windows[0].kept == keepable(start)
    if stop <= 60:
        assert windows[-1].kept_after >= min(8, window - stop + start - 10)


@pytest.mark.parametrize("start, stop", [(10, 14), (30, 50), (37, 38), (40, 61), (43, 45), (50, 58)])
def test_vace_reads_generate_for_all_of_a_range_and_keep_on_both_sides(start: int, stop: int) -> None:
    """By core's own arithmetic."""
    torch = pytest.importorskip("torch")
    (window,) = plan_range(100, start, stop, 81, 10)
    mask = torch.zeros(1, 1, window.length, 1, 1)
    mask[:, :, window.kept : window.length - window.padding - window.kept_after] = 1
    latents = (window.length - 1) // 4 + 1
    read = torch.nn.functional.interpolate(mask, size=(latents, 1, 1), mode="nearest-exact").flatten().tolist()
    for latent, value in enumerate(read):
        frames = range(max(0, 4 * latent - 3), 4 * latent + 1)
        wanted = any(start <= window.start + frame < stop for frame in frames)
        assert value == wanted, (latent, read)


def test_numbers_are_lowered_to_what_vace_takes() -> None:
    assert [whole_length(n) for n in (1, 4, 5, 80, 81, 84)] == [1, 1, 5, 77, 81, 81]
    assert [keepable(n) for n in (0, 1, 2, 5, 6, 9, 10, 80)] == [0, 0, 2, 2, 6, 6, 10, 78]
    assert plan_windows(200, 84, 13) == plan_windows(200, 81, 10)


def test_impossible_plans_are_said_with_the_value() -> None:
    with pytest.raises(ConditioningError, match="no frames"):
        plan_windows(0)
    with pytest.raises(ConditioningError, match="frames 5 to 79 are no part of a clip of 73"):
        plan_range(73, 5, 80)
    with pytest.raises(ConditioningError, match="not 1"):
        plan_windows(100, 81, 1)
    with pytest.raises(ConditioningError, match="overlap of 80.*choose an overlap of 74 or less"):
        plan_windows(100, 81, 80)
    with pytest.raises(ConditioningError, match="overlap of 2.*choose longer windows"):
        plan_windows(100, 5, 2)


def test_a_lead_in_takes_room_of_the_first_window_alone() -> None:
    windows = plan_windows(200, 81, 10, lead_in=6)
    assert windows[0] == Window(0, 73, lead_in=8) and {one.length for one in windows} == {81}
    assert [one.lead_in for one in windows[1:]] == [0] * (len(windows) - 1) and windows[-1].stop == 200
    assert all(a.stop - b.start >= b.kept > 0 for a, b in zip(windows, windows[1:], strict=False))
    (only,) = plan_windows(20, 81, 10, lead_in=4)
    assert only == Window(0, 20, padding=1, lead_in=4) and only.length == 25
    with pytest.raises(ConditioningError, match="a lead-in of 16 leaves a window of 21 frames too little"):
        plan_windows(60, 21, 6, lead_in=16)
    with pytest.raises(ConditioningError, match="0 frames or more, not -1"):
        plan_windows(60, lead_in=-1)


@pytest.mark.parametrize(("start", "stop"), [(0, 9), (0, 60), (6, 20)])
def test_a_range_at_the_clips_start_gets_a_lead_in_and_others_do_not(start: int, stop: int) -> None:
    windows = plan_range(100, start, stop, 41, 6, lead_in=4)
    assert [one.lead_in for one in windows] == [4 if start == 0 else 0] + [0] * (len(windows) - 1)
    assert all(one.length % 4 == 1 and one.length <= 41 for one in windows)
    last = windows[-1]
    for frame in range(last.start, last.stop):
        read = last.start - last.lead_in + read_frame(latent_of(frame - last.start + last.lead_in), last.length)
        if last.start + last.kept <= frame < stop:
            assert read < last.stop - last.kept_after, "a frame to make would be read as kept"

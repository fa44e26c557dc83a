"""What tells a spilled mask from an object, and another object from none: what shows there, and where it goes."""

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.validation.flicker import Flicker
from physics_preserver.nodes.validation.structure import edge_field
from physics_preserver.nodes.validation.traces import Traveller, spilled
from physics_preserver.nodes.validation.validate import validate

HEIGHT, WIDTH, FRAMES = 120, 320, 40
GONE = slice(12, 30)


def texture(seed: int, height: int, width: int) -> np.ndarray:
    """uint8 [H, W, 3]: soft blotches of many colours."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 2)
    return np.clip(128 + 60 * soft / soft.std(), 0, 255).astype(np.uint8)


GROUND = texture(0, HEIGHT, WIDTH)
THING, ANOTHER = texture(1, 30, 60), texture(2, 44, 40)


def mask(t: int) -> np.ndarray:
    """bool [H, W]: a thing that goes 4 px to the right every frame."""
    out = np.zeros((HEIGHT, WIDTH), bool)
    out[50:80, 20 + 4 * t : 80 + 4 * t] = True
    return out


def picture(t: int, thing: np.ndarray | None) -> np.ndarray:
    image = GROUND.copy()
    if thing is not None:
        x, y = 50 + 4 * t - thing.shape[1] // 2, 65 - thing.shape[0] // 2
        image[y : y + thing.shape[0], x : x + thing.shape[1]] = thing
    return image


def clip(name: str, instead: np.ndarray | None = THING) -> ArrayClip:
    """The thing on its way; on the frames GONE `instead`."""
    gone = range(FRAMES)[GONE]
    made = ArrayClip(np.stack([picture(t, instead if t in gone else THING) for t in range(FRAMES)]), Fraction(24))
    made.name = name
    return made


def track(masks) -> Track:
    builder = TrackBuilder(("thing",), (HEIGHT, WIDTH), Fraction(24), "source", "truth")
    for one in masks:
        builder.append(one[None], np.asarray([one.any()], np.float32))
    return builder.finish()


TRUTH = [mask(t) for t in range(FRAMES)]
NOTHING = np.zeros((HEIGHT, WIDTH), bool)


def judged(generated: ArrayClip, found, copies=None, source=None) -> dict[str, Any]:
    """The report, where the tracker finds `found` in the generated clip and `copies` (the truth) in the source's."""

    def tracker(of, masks, frame):
        return track(found if of is generated else copies or TRUTH)

    return validate(track(source or TRUTH), clip("source"), generated, tracker).report


def causes(report: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(cause["name"], cause["start"], cause["stop"]) for cause in report["causes"]]


@pytest.mark.parametrize(("instead", "name"), [(ANOTHER, "swapped"), (None, "lost")])
def test_where_an_object_is_gone_what_goes_its_way_tells_another_one_from_none(instead, name):
    """The tracker finds nothing there in either case: only the pictures can tell."""
    found = [NOTHING if t in range(FRAMES)[GONE] else one for t, one in enumerate(TRUTH)]
    report = judged(clip("generated", instead), found)
    assert causes(report) == [(name, GONE.start, GONE.stop)], report["summary"]


def test_what_the_source_shows_as_well_has_not_appeared():
    """The source's own track and its copies' lose the thing for the last frames, the generated clip's does not."""
    lost = TRUTH[:30] + [NOTHING] * (FRAMES - 30)
    report = judged(clip("generated"), TRUTH, copies=lost, source=lost)
    assert report["verdict"] == "passed" and causes(report) == []
    gone = clip("source", None)
    appeared = [NOTHING if t in range(FRAMES)[GONE] else one for t, one in enumerate(TRUTH)]
    there = validate(
        track(appeared), gone, clip("generated"), lambda of, *_: track(TRUTH if of.name == "generated" else appeared)
    ).report
    assert ("appeared", GONE.start, GONE.stop) in causes(there), "what is really there is still a fault"


def test_a_mask_that_takes_background_with_it_is_not_judged():
    """A tracker that swallows a piece of wall next to the thing on many frames isn't the clip's fault."""
    wide = [one.copy() for one in TRUTH]
    for one in wide[8:30]:
        one[40:110] |= np.roll(one, 60, axis=1)[65]
    report = judged(clip("generated"), wide)
    assert report["verdict"] == "passed" and causes(report) == []


def test_a_source_track_that_strays_over_the_background_is_not_judged():
    """Where the copies disagree with the source's track, and what it holds doesn't go its way, nothing is known."""
    stray = TRUTH[:10] + [np.roll(TRUTH[10], (-(t - 10) % 40, -3 * (t - 10)), axis=(0, 1)) for t in range(10, FRAMES)]
    report = judged(clip("generated"), stray, source=stray)
    assert report["verdict"] == "could not judge" and report["coverage"] < 0.5


def test_a_mask_spills_where_both_pictures_show_the_same():
    own, other = edge_field(picture(5, THING)), edge_field(picture(5, None))
    beyond = np.roll(mask(5), 100, axis=1) | mask(5)
    assert spilled(own, own, mask(5), beyond) > 0.99
    assert abs(spilled(own, edge_field(texture(9, HEIGHT, WIDTH)), mask(5), beyond)) < 0.2
    assert np.isnan(spilled(own, other, mask(5), mask(5)))


@pytest.mark.parametrize(("instead", "share"), [(THING, 1.0), (ANOTHER, 1.0), (None, 0.0)])
def test_the_share_of_an_objects_way_that_something_goes(instead, share):
    traveller, clips = Traveller(FRAMES), (clip("source"), clip("generated", instead))
    flickers = [Flicker(), Flicker()]
    for t in range(FRAMES):
        for flicker, of in zip(flickers, clips, strict=True):
            flicker.step(of.frame(t).image, mask(t)[None])
        traveller.step(t, [flicker.back for flicker in flickers], mask(t), mask(t))
    assert traveller.travel.way[1:] == pytest.approx(4, abs=0.1) and np.isnan(traveller.travel.way[0])
    inside = slice(GONE.start + 1, GONE.stop - 1)
    assert traveller.travel.share(inside) == pytest.approx(share, abs=0.15)
    assert traveller.travel.share(slice(0, 1)) is None
    assert not traveller.travel.strays().any()

"""Gross faults are found, called by their names and put on the right frames; a mask's edge 1 px off is no fault.

Facts, on tracks without error; how often it holds on real clips is measured by tests/benchmarks/planted_faults.py.
"""

import numpy as np
import pytest
from faults import Fault, all_faults, grown, planted_track
from motions import Motion
from perfect import PerfectTracker
from physics_preserver.nodes.media.track import Track
from physics_preserver.nodes.validation.validate import judge_tracks

SMALL = (180, 320)
MOTIONS = {
    "ollie": Motion("ollie", SMALL, person=100, thing=50, seconds=2.5, seed=1),
    "throw": Motion("throw", SMALL, person=100, thing=20, seconds=2.5, seed=2),
}
TRACKS = {name: motion.track() for name, motion in MOTIONS.items()}
GROSS = [
    (name, fault)
    for name, motion in MOTIONS.items()
    for fault in all_faults(TRACKS[name], motion.labels[1], flight=motion.flight)
    if fault.gross
]


def report_on(name: str, found: Track) -> dict:
    source = TRACKS[name]
    return judge_tracks(source, found, [source, source], MOTIONS[name].labels[1], prompted=0)


@pytest.mark.parametrize(("name", "fault"), GROSS, ids=[f"{name} {fault.name}" for name, fault in GROSS])
def test_a_gross_fault_is_found_named_and_placed(name: str, fault: Fault):
    report = report_on(name, planted_track(TRACKS[name], fault))
    assert report["verdict"] == "failed"
    named = [cause for cause in report["causes"] if cause["name"] in fault.names and fault.label in (None, cause["of"])]
    assert named, report["causes"]
    if fault.kind == "length":
        return
    told, true = np.zeros((2, len(TRACKS[name])), bool)
    true[fault.start : fault.stop] = True
    for cause in named:
        told[cause["start"] : cause["stop"]] = True
    assert (told & true).sum() / (told | true).sum() >= (0.4 if fault.kind == "airtime" else 0.7)


@pytest.mark.parametrize("name", MOTIONS)
@pytest.mark.parametrize("px", [0, 1, -1])
def test_edges_moved_by_a_pixel_pass(name: str, px: int):
    source = TRACKS[name]
    assert report_on(name, grown(source, px) if px else source)["verdict"] == "passed"


@pytest.mark.parametrize("name", MOTIONS)
def test_edges_that_wobble_pass(name: str):
    source = TRACKS[name]
    tracker = PerfectTracker(source, rough=True)
    prompts = {label: source.mask(0, label) for label in source.labels}
    clip = tracker.show(source, "wobbling")
    tracks = [tracker(clip, prompts, 0) for _ in range(3)]
    assert judge_tracks(source, tracks[0], tracks[1:], source.labels[1], prompted=0)["verdict"] == "passed"

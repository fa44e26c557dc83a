"""Does the validator find planted faults, call them by their names, and leave harmless changes alone?

    python tests/benchmarks/planted_faults.py [DATA] [--only exact scene real] [--clip NAME ...] [--quick] [--cache DIR]

Three kinds of clips: "exact" are tracks without pictures, as a perfect tracker finds them (what the measures can see),
"scene" is the rendered ollie through the embedded tracker, "real" is footage whose objects were cut out, moved and
pasted back, through the embedded tracker too. DATA is the folder with clips/, davis/ and weights/, for "real" only.

Prints a row for every fault and size: found (the verdict is "failed"), named (a cause with the right name on the
right frames), frames (overlap of the named range with the true one, median), could not judge; and for every harmless
change how many clips were failed falsely. --cache keeps tracks by the names of what was tracked: empty it when the
tracker or the planting changes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "validation"))

from faults import PERSON, Fault, all_faults, faithful, grown
from motions import DrawnClip, Motion
from perfect import PerfectTracker
from physics_preserver.nodes.extraction.extract import extract
from physics_preserver.nodes.extraction.subjects import open_detector
from physics_preserver.nodes.extraction.tracking import track_masks
from physics_preserver.nodes.media.clip import Clip
from physics_preserver.nodes.media.exchange import read_mask
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.stills import ArrayClip
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.validation.follow import TrackFunction
from physics_preserver.nodes.validation.profile import Profile, load_profile
from physics_preserver.nodes.validation.validate import judge_tracks, validate
from planting import RESTYLES, Background, PlantedClip, PlantedScene, RestyledClip, encoded

RATE = Fraction(24)
DAVIS = ("scooter-black", "breakdance", "kite-surf", "motocross-jump", "bmx-trees")
# Stretches of the two longer clips in which person and object are in the picture.
SHOTS = {"skateboarder": ("skateboard", 52, 112), "biker": ("bicycle", 30, 90)}
FRAMES, HEIGHT = 50, 360
EXPOSURES = 3
WOBBLING = "edges wobble by 1 px"
# The take-off and the landing of the scene's board, frames.
FLIGHT = (29, 44)


@dataclass
class Result:
    """What the validator said about one planted clip."""

    kind: str
    clip: str
    fault: str
    restyle: str
    harmless: bool
    gross: bool
    verdict: str
    named: bool
    frames: float | None
    causes: list[str]
    truth: tuple[int, int]
    seconds: float


@dataclass
class Case:
    """A clip to judge, made when it is needed."""

    fault: Fault
    restyle: str
    make: Callable[[], Clip]


@dataclass
class Source:
    """A clip with what is known of it, and the ways to plant faults in it.

    Attributes:
        footage: the source's pictures.
        given: its track, as the validator gets it.
        label: the object to judge.
        cases: what is planted.
        track: follows objects in the pictures.
    """

    name: str
    footage: Clip
    given: Track
    label: str
    cases: list[Case]
    track: TrackFunction

    def judge(self, clip: Clip, profile: Profile) -> dict[str, Any]:
        """The validator's report."""
        if not isinstance(self.track, PerfectTracker):
            return validate(self.given, self.footage, clip, self.track, self.label, profile).report
        prompts = {label: self.given.mask(0, label) for label in self.given.labels}
        found, *copies = (self.track(of, prompts, 0) for of in (clip, self.footage, self.footage))
        return judge_tracks(self.given, found, copies, self.label, profile, prompted=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="folder with clips/, davis/ and weights/")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--clip", nargs="+", help="clips whose names contain one of these")
    parser.add_argument("--fault", nargs="+", help="faults whose names contain one of these")
    parser.add_argument("--quick", action="store_true", help="fewer clips, and no faults on restyled ones")
    parser.add_argument("--cache", type=Path, help="folder that keeps tracks between runs")
    parser.add_argument("--profile", default="standard")
    parser.add_argument("--json", type=Path, help="write every single result")
    parser.add_argument("--verbose", action="store_true", help="print a line for every clip")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    profile = load_profile(options.profile)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.only:
            for source in KINDS[kind](options, Path(folder)):
                for case in source.cases:
                    if options.fault and not any(part in case.fault.name for part in options.fault):
                        continue
                    results.append(judged(kind, source, case, profile))
                    if options.verbose:
                        print(said(results[-1]), flush=True)
                if options.json:
                    options.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    print("\n".join(table(results)))


def judged(kind: str, source: Source, case: Case, profile: Profile) -> Result:
    """Run the validator on one planted clip."""
    start = time.process_time()
    report = source.judge(case.make(), profile)
    fault = case.fault
    total = max(len(fault.steps), len(source.given))
    wrong = np.zeros(total, bool)
    wrong[fault.start : fault.stop] = True
    rightly = np.zeros(total, bool)
    named = False
    for cause in report["causes"]:
        whole = len(source.given.labels) == 1 and cause["of"] == "clip"  # one object is all that could be late
        right = cause["name"] in fault.names and (fault.label in (None, cause["of"]) or whole)
        overlaps = fault.kind == "length" or wrong[cause["start"] : cause["stop"]].any()
        if right and overlaps:
            named = True
            rightly[cause["start"] : cause["stop"]] = True
    both = np.count_nonzero(rightly | wrong)
    return Result(
        kind,
        source.name,
        fault.name,
        case.restyle,
        not fault.names,
        fault.gross,
        report["verdict"],
        named,
        np.count_nonzero(rightly & wrong) / both if named and both and fault.kind != "length" else None,
        [f"{cause['name']} {cause['of']} {cause['start']}-{cause['stop']}" for cause in report["causes"]]
        + ([f"({report['undecided']})"] if report["undecided"] else []),
        (fault.start, fault.stop),
        time.process_time() - start,
    )


def said(result: Result) -> str:
    overlap = "" if result.frames is None else f" {result.frames:.2f}"
    right = {True: "named" + overlap, False: ""}[result.named]
    what = f"{result.fault}{f' on {result.restyle}' if result.restyle else ''}"
    truth = "" if result.harmless else f"[{result.truth[0]},{result.truth[1]})"
    return (
        f"{result.kind:6}{result.clip:24}{what:42}{truth:10}{result.verdict:16}{right:11}"
        f"{'; '.join(result.causes)[:150]}  ({result.seconds:.1f} s)"
    )


def table(results: Sequence[Result]) -> list[str]:
    """Two tables in Markdown: faults and harmless changes, a group of columns for every kind of clip."""
    kinds = [kind for kind in KINDS if any(result.kind == kind for result in results)]
    lines = []
    for harmless, what, heads in (
        (False, "fault", ("found", "named", "frames", "could not judge")),
        (True, "harmless change", ("false alarms", "could not judge")),
    ):
        rows: dict[str, dict[str, list[Result]]] = {}
        for result in results:
            if result.harmless == harmless:
                rows.setdefault(row_name(result), {}).setdefault(result.kind, []).append(result)
        lines.append(f"| {what} | " + " | ".join(f"{kind}: {head}" for kind in kinds for head in heads) + " |")
        lines.append("|---" * (1 + len(heads) * len(kinds)) + "|")
        for name, own in rows.items():
            found = [cell for kind in kinds for cell in cells(own.get(kind, []), harmless)]
            lines.append(f"| {name} | " + " | ".join(found) + " |")
        lines.append("")
    return lines


def row_name(result: Result) -> str:
    if result.harmless:
        return result.restyle or result.fault
    return result.fault + (", restyled" if result.restyle else "")


def cells(own: Sequence[Result], harmless: bool) -> list[str]:
    """Of one row and one kind of clip: failed n of N, of them named m, median overlap of the frames, not judged."""
    if not own:
        return [""] * (2 if harmless else 4)
    found = [result for result in own if result.verdict == "failed"]
    unsure = sum(result.verdict == "could not judge" for result in own)
    count, unjudged = f"{len(found)} of {len(own)}", str(unsure or "")
    if harmless:
        return [count, unjudged]
    named = [result for result in found if result.named]
    overlaps = [result.frames for result in named if result.frames is not None]
    return [count, f"{len(named)} of {len(found)}", f"{np.median(overlaps):.2f}" if overlaps else "", unjudged]


def exact_sources(options: argparse.Namespace, folder: Path) -> Iterator[Source]:
    """Motions of many sizes, rates and paces, and the scene's true masks, with a tracker that makes no error."""
    motions = [
        Motion("roll", thing=70),
        Motion("ollie", seed=1),
        Motion("throw", thing=26, rate=30, seed=2),
        Motion("swing", thing=80, seed=3),
        Motion("roll", person=60, thing=22, seed=4),
        Motion("ollie", (480, 854), 30, 2.5, person=300, thing=150, seed=5),
        Motion("throw", person=90, thing=12, rate=60, seconds=2, seed=6),
        Motion("swing", (480, 854), 60, 2, person=220, thing=160, seed=7),
        Motion("roll", (720, 1280), 24, 3, person=500, thing=250, seed=8),
        Motion("throw", (480, 854), 24, 3, person=260, thing=60, seed=9),
    ]
    for number, motion in enumerate(motions[: 4 if options.quick else None]):
        height = motion.size[0]
        name = f"{motion.kind} {motion.thing:g} px {height}p {motion.rate} fps"
        if _wanted(name, options):
            yield from exact_source(name, motion.track(), motion.labels[1], motion.flight, number)
    for number, (height, rate) in enumerate(((360, 24), (180, 30), (540, 60))):
        name = f"scene {height}p {rate} fps"
        if _wanted(name, options) and not (options.quick and number):
            scene = Scene(height * 16 // 9, height, 3 * rate, rate)
            flight = round(FLIGHT[0] * rate / 24), round(FLIGHT[1] * rate / 24)
            yield from exact_source(name, scene.track(), "skateboard", flight, number)


def exact_source(name: str, truth: Track, label: str, flight: tuple[int, int] | None, seed: int) -> list[Source]:
    """The same clip for a tracker without error and for one whose edges wobble by 1 px."""
    sources = []
    for restyle, tracker in (("", PerfectTracker(truth)), (WOBBLING, PerfectTracker(truth, True, seed))):
        cases = [
            Case(fault, restyle, partial(tracker.plant, fault)) for fault in all_faults(truth, label, seed, flight)
        ]
        same = faithful(truth)
        cases.append(Case(same, restyle, partial(tracker.plant, same)))
        if not restyle:
            cases.append(Case(same, "edges 1 px out", partial(tracker.show, grown(truth, 1), "grown")))
            cases.append(Case(same, "edges 1 px in", partial(tracker.show, grown(truth, -1), "shrunk")))
        sources.append(Source(name, DrawnClip(truth, name), truth, label, cases, tracker))
    return sources


def scene_sources(options: argparse.Namespace, folder: Path) -> Iterator[Source]:
    """The rendered ollie and, as a generator would make it, the same in another style."""
    track = cached(track_masks, options.cache)
    for seed in range(1 if options.quick else 2):
        name = f"ollie seed {seed}"
        if not _wanted(name, options):
            continue
        truth = Scene(seed=seed).track()

        def draw(fault: Fault, style: str, seed: int = seed) -> Clip:
            scene = PlantedScene(fault, seed=seed, style=style, exposures=EXPOSURES)
            scene.name = f"{scene.name}, seed {seed}"
            return scene

        same = faithful(truth)
        footage = draw(same, "original")
        given = track(footage, {label: truth.mask(0, label) for label in truth.labels}, 0)
        cases = [Case(same, "", partial(draw, same, "original")), Case(same, "reskin", partial(draw, same, "reskin"))]
        cases += restyled_cases(same, partial(draw, same, "original"), truth, folder)
        for fault in all_faults(truth, "skateboard", seed, FLIGHT):
            cases.append(Case(fault, "", partial(draw, fault, "original")))
            if not options.quick and fault.gross:
                cases.append(Case(fault, "reskin", partial(draw, fault, "reskin")))
        yield Source(name, footage, given, "skateboard", cases, track)


def real_sources(options: argparse.Namespace, folder: Path) -> Iterator[Source]:
    """DAVIS sequences, cut along their true masks, and two longer clips, cut along what a detector guides."""
    if options.data is None:
        raise SystemExit("real clips need the folder DATA (or: --only exact scene)")
    names = [name for name in (*DAVIS, *SHOTS) if _wanted(name, options)]
    for number, name in enumerate(names[: 2 if options.quick and not options.clip else None]):
        if name in SHOTS:
            footage, cut, track = shot(options, name)
            given = cut
        else:
            footage, cut = davis(options.data / "davis" / name)
            track = cached(track_masks, options.cache)
            given = track(footage, {label: cut.mask(0, label) for label in cut.labels}, 0)
        label = next(label for label in cut.labels if label != PERSON)
        background = Background(footage, cut)

        def plant(fault: Fault, footage: Clip = footage, cut: Track = cut, background: Background = background) -> Clip:
            return PlantedClip(footage, cut, fault, background)

        same = faithful(cut)
        cases = [Case(same, "", partial(plant, same)), *restyled_cases(same, partial(plant, same), cut, folder)]
        for fault in all_faults(cut, label, number):
            cases.append(Case(fault, "", partial(plant, fault)))
            if not options.quick and fault.gross:
                for restyle in RESTYLES[::4]:
                    cases.append(Case(fault, restyle.__name__, partial(restyled, partial(plant, fault), restyle)))
        yield Source(name, footage, given, label, cases, track)


def restyled_cases(fault: Fault, make: Callable[[], Clip], masks: Track, folder: Path) -> list[Case]:
    """A clip in every harmless restyle."""
    cases = [Case(fault, change.__name__, partial(restyled, make, change, masks)) for change in RESTYLES]
    return [*cases, Case(fault, "re-encoded", lambda: low_quality(make(), folder))]


def restyled(make: Callable[[], Clip], change: Any, masks: Track | None = None) -> Clip:
    return RestyledClip(make(), change, masks)


def low_quality(clip: Clip, folder: Path) -> Clip:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        low = in_memory(encoded(clip, Path(place) / "low.mp4"))
    low.name = f"{clip.name}, re-encoded"
    return low


def in_memory(clip: Clip) -> Clip:
    images = ArrayClip(np.stack([frame.image for frame in clip]), clip.rate)
    images.name = clip.name
    return images


def davis(folder: Path) -> tuple[Clip, Track]:
    """The first frames of a sequence, and its true masks."""
    footage = in_memory(open_clip(folder / "frames", stop=FRAMES, rate=RATE))
    footage.name = folder.name
    builder = TrackBuilder(("object",), (footage.height, footage.width), RATE, footage.name, "truth")
    for file in sorted((folder / "masks").glob("*.png"))[: footage.count()]:
        builder.append(read_mask(file)[None], np.ones(1))
    return footage, builder.finish()


def shot(options: argparse.Namespace, name: str) -> tuple[Clip, Track, TrackFunction]:
    """Part of a longer clip at 360p, the track that `extract` makes of it, and a tracker with the same detector."""
    thing, start, stop = SHOTS[name]
    clip = open_clip(options.data / "clips" / f"{name}.mp4", start, stop)
    size = (round(clip.width * HEIGHT / clip.height), HEIGHT)
    images = [cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA) for frame in clip]
    footage = ArrayClip(np.stack(images), clip.rate)
    footage.name = name
    detector = open_detector(options.data / "weights" / "yolox_nano.onnx")
    look = cached(lambda clip, masks, frame: extract(clip, [], detector, (thing,)).track, options.cache)
    return footage, look(footage, {}, 0), cached(partial(track_masks, detector=detector), options.cache)


def cached(track: TrackFunction, folder: Path | None) -> TrackFunction:
    """A tracker that remembers what it found in `folder`, by the clip's name, size and length and by the prompts."""
    if folder is None:
        return track
    folder.mkdir(parents=True, exist_ok=True)

    def remember(clip: Clip, masks: Mapping[str, np.ndarray], frame: int) -> Track:
        about = [clip.name, clip.width, clip.height, clip.count(), str(clip.rate), list(masks), frame]
        key = hashlib.sha256(json.dumps(about).encode())
        for mask in masks.values():
            key.update(np.packbits(mask).tobytes())
        file = folder / f"{key.hexdigest()[:32]}.npz"
        if not file.exists():
            found = track(clip, masks, frame)
            np.savez_compressed(file, packed=np.asarray(found.packed), scores=found.scores, labels=list(found.labels),
                                mask_size=found.mask_size, tracker=found.tracker)  # fmt: skip
        data = np.load(file)
        labels, (height, width) = tuple(str(label) for label in data["labels"]), data["mask_size"]
        size, masked = (clip.height, clip.width), (int(height), int(width))
        return Track(
            data["packed"], labels, data["scores"], size, masked, clip.rate, None, clip.name, str(data["tracker"])
        )

    return remember


def _wanted(name: str, options: argparse.Namespace) -> bool:
    return not options.clip or any(part in name for part in options.clip)


KINDS = {"exact": exact_sources, "scene": scene_sources, "real": real_sources}

if __name__ == "__main__":
    main()

"""The closed loop: make only the ranges that failed anew, judge again, keep the better, until it passes or a limit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from ..media.clip import Clip
from ..media.patched import Patch, PatchedClip
from ..media.writer import LosslessWriter
from ..validation.validate import Judgement
from .choices import EDGES, NOTHING, TIGHT, Choices, ConditioningError
from .ends import Ends
from .reskin import SEEDS, Footage, Generate, make_window
from .run_folder import is_whole
from .windows import plan_range

SCHEMA_VERSION = 1

# Ranges this close are made together: between them there would be no room for frames to go on from.
MERGED_GAP = 8
# Between the seeds of two attempts, so that none is one of Reskin Long Clip's windows.
SEED_STEP = 1_000_003

# Judges a clip as Validate Physics does.
Judge = Callable[[Clip], Judgement]
# Where a range is kept that an attempt has made: (a name for all that went before, start, stop) -> file.
Place = Callable[[str, int, int], Path]


@dataclass(frozen=True)
class Rung:
    """What one attempt changes beside the seed.

    Attributes:
        about: in words.
        strength: factor on the control's strength.
        grow: factor on the px by which masks are grown; below 1 they are tight as well.
        edges: the model is shown the edges of the source, where it would be shown nothing.
    """

    about: str
    strength: float = 1.0
    grow: float = 1.0
    edges: bool = False

    def choices(self, choices: Choices) -> Choices:
        """The user's choices on this rung."""
        shape = choices.shape if self.grow == 1 else TIGHT
        guide = EDGES if self.edges and choices.guide == NOTHING else choices.guide
        return replace(choices, shape=shape, grow=int(choices.grow * self.grow), guide=guide)


# An attempt after the last rung is the last one again, with another seed.
LADDER = (
    Rung("a fresh seed"),
    Rung("a fresh seed, control 1.25 times as strong", strength=1.25),
    Rung("a fresh seed, control 1.25 times as strong, tight masks grown by half", strength=1.25, grow=0.5),
    Rung("a fresh seed, control 1.5 times as strong, tight masks, edges as guide", strength=1.5, grow=0.0, edges=True),
)


@dataclass
class Repaired:
    """What `repair` found.

    Attributes:
        clip: the clip, with what was made better.
        report: of that clip, with `repair` in it: what was tried.
        summary: in words.
        judgement: with that report; None where nothing was replaced, and the clip is as it had been judged before.
    """

    clip: PatchedClip
    report: dict[str, Any]
    summary: str
    judgement: Judgement | None = None


def repair(
    footage: Footage,
    generated: Clip,
    report: Mapping[str, Any],
    generator: Callable[[float], Generate],
    judge: Judge,
    place: Place,
    seed: int,
    attempts: int,
    window: int,
    overlap: int,
    lead_in: int = 0,
) -> Repaired:
    """Repair a generated clip.

    In each attempt every failing range of the best clip so far is made anew, shown the frames on both sides; what comes
    back is judged as a whole, and of each range the better one is kept: on fewer frames failing, then on a higher mean
    overlap. All other frames stay as they came.

    Args:
        footage: the source, frame for frame with the generated clip.
        generated: the clip, of the size of `footage.plan`.
        report: of Validate Physics on it.
        generator: from a factor on the control's strength to what runs the model.
        judge: see Judge.
        place: see Place. A file that is there already, from a run that broke off, is used.
        seed: of the run that made the clip. Run n of attempt k, both from 0, has seed + (k + 1) * SEED_STEP + n.
        attempts: at most.
        window, overlap, lead_in: as for `plan_range`; a longer range takes several windows.

    Raises:
        ConditioningError: the clip has another size or length than the footage, or the report another length.
    """
    _require_match(footage, generated, report)
    total, best, current = len(footage), PatchedClip(generated), dict(report)
    judgement: Judgement | None = None
    tried: list[dict[str, Any]] = []
    for attempt in range(attempts):
        ranges = repairable(current, total)
        if not ranges:
            break
        rung = LADDER[min(attempt, len(LADDER) - 1)]
        chosen = replace(footage, choices=rung.choices(footage.choices))
        first_seed = (seed + (attempt + 1) * SEED_STEP) % SEEDS
        seeds = count(first_seed)
        generate = generator(rung.strength)
        past = _name_of(tried)
        patches = [
            make_range(chosen, best, *part, generate, seeds, place(past, *part), window, overlap, lead_in)
            for part in ranges
        ]
        candidate = PatchedClip(best, patches)
        found = judge(candidate)
        judged = found.report
        taken = [is_better(part, current, judged) for part in ranges]
        said = [
            {
                "start": start,
                "stop": stop,
                "before": standing((start, stop), current),
                "after": standing((start, stop), judged),
                "taken": better,
            }
            for (start, stop), better in zip(ranges, taken, strict=True)
        ]
        if any(taken):
            kept = [patch for patch, better in zip(patches, taken, strict=True) if better]
            best = PatchedClip(generated, [*best.patches, *kept])
            judgement = found if all(taken) else judge(best)
            current = judgement.report
        tried.append(
            {
                "attempt": attempt + 1,
                "about": rung.about,
                "seed": first_seed,
                "strength_factor": rung.strength,
                "choices": asdict(chosen.choices),
                "ranges": said,
                "verdict": current["verdict"],
                "score": current["score"],
            }
        )
    done = _told(best, current, report, tried, attempts)
    return done if judgement is None else replace(done, judgement=replace(judgement, report=done.report))


def needs_repair(report: Mapping[str, Any]) -> str | None:
    """Why a clip is left untouched, None where there is something to repair."""
    if report["verdict"] == "passed":
        return "it passes"
    if report["verdict"] != "failed":
        return f"it could not be judged: {report['undecided']}"
    if not report["failing_ranges"]:
        return "it fails as a whole, on no range of frames that could be made anew"
    return None


def repairable(report: Mapping[str, Any], total: int) -> list[tuple[int, int]]:
    """The failing ranges, half-open, in order, those close to each other merged; none unless the clip failed."""
    if report["verdict"] != "failed":
        return []
    merged: list[tuple[int, int]] = []
    for start, stop in sorted((part["start"], min(part["stop"], total)) for part in report["failing_ranges"]):
        if start >= stop:
            continue
        if merged and start - merged[-1][1] <= MERGED_GAP:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, stop))
    return merged


def make_range(
    footage: Footage,
    clip: Clip,
    start: int,
    stop: int,
    generate: Generate,
    seeds: count[int],
    file: Path,
    window: int,
    overlap: int,
    lead_in: int = 0,
) -> Patch:
    """Make frames start <= t < stop of `clip` anew, into a lossless file, and have them meet those around them.

    A file that is there and whole is left as it is.
    """
    windows = plan_range(len(footage), start, stop, window, overlap, lead_in)
    if is_whole(file, stop - start):
        for _ in windows:
            next(seeds)
        return Patch(start, stop, file)
    height, width = footage.size
    made: list[np.ndarray] = []
    ends = Ends(clip, start, stop, len(footage))
    with LosslessWriter(file, width, height, clip.rate, overwrite=True) as video:
        for number, one in enumerate(windows):
            if number == 0:
                before = _images(clip, one.start, one.kept)
            else:
                skipped = one.start - windows[number - 1].start
                before = made[skipped : skipped + one.kept]
            after = _images(clip, one.stop - one.kept_after, one.kept_after)
            made, _ = make_window(footage, one, before, after, generate, next(seeds) % SEEDS)
            last = number + 1 == len(windows)
            first, end = max(start, one.start), stop if last else windows[number + 1].start
            for image in ends.meet(made[first - one.start : end - one.start], first, last):
                video.write(image)
    return Patch(start, stop, file)


def standing(part: tuple[int, int], report: Mapping[str, Any]) -> dict[str, Any]:
    """How a range stands in a report: {failing: frames in it that fail, score: mean overlap or None}."""
    start, stop = part
    failing = np.zeros(stop, bool)
    for bad in report["failing_ranges"]:
        failing[bad["start"] : bad["stop"]] = True
    scores = [score for score in report["all_scores"][start:stop] if score is not None]
    return {"failing": int(failing[start:].sum()), "score": float(np.mean(scores)) if scores else None}


def is_better(part: tuple[int, int], before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a range got better; never where nothing could be judged any more."""
    if after["verdict"] not in ("passed", "failed"):
        return False
    old, new = standing(part, before), standing(part, after)
    return (-new["failing"], new["score"] or 0.0) > (-old["failing"], old["score"] or 0.0)


def _images(clip: Clip, start: int, frames: int) -> list[np.ndarray]:
    return [frame.image for frame in islice(clip.read(start), frames)] if frames else []


def _require_match(footage: Footage, generated: Clip, report: Mapping[str, Any]) -> None:
    if (generated.height, generated.width) != footage.size:
        raise ConditioningError(
            f"{generated.name} is {generated.width}x{generated.height}, VACE would make it "
            f"{footage.size[1]}x{footage.size[0]}: give the clip as it was generated"
        )
    frames = generated.index()
    if frames != len(footage):
        raise ConditioningError(
            f"{generated.name} has {frames} frames, the source {len(footage)}: connect `control`, if VACE Control "
            "changed the length"
        )
    if report["total_frames"] != frames:
        raise ConditioningError(f"the report is of {report['total_frames']} frames, {generated.name} has {frames}")


def _told(
    clip: PatchedClip, report: dict[str, Any], first: Mapping[str, Any], tried: Sequence[dict[str, Any]], limit: int
) -> Repaired:
    total = first["total_frames"]
    replaced = _spans(clip, total)
    frames = sum(stop - start for start, stop in replaced)
    stopped = "passed" if report["passed"] else "limit" if len(tried) == limit else "nothing left to repair"
    about = {
        "schema_version": SCHEMA_VERSION,
        "before": {"verdict": first["verdict"], "score": first["score"], "failing_ranges": first["failing_ranges"]},
        "attempts": list(tried),
        "limit": limit,
        "stopped": stopped,
        "replaced": [list(part) for part in replaced],
        "untouched_frames": total - frames,
    }
    tries = f"{len(tried)} attempt{'' if len(tried) == 1 else 's'}"
    lines = [f"{report['verdict']} after {tries}: {report['summary']}"]
    for one in tried:
        for part in one["ranges"]:
            lines.append(
                f"attempt {one['attempt']} ({one['about']}, seed {one['seed']}): frames {part['start']} to "
                f"{part['stop'] - 1}: {_in_words(part['before'])} became {_in_words(part['after'])}, "
                f"{'taken' if part['taken'] else 'not taken'}"
            )
    made = ", ".join(f"{start} to {stop - 1}" for start, stop in replaced) or "none"
    lines.append(f"frames made anew: {made}; {total - frames} of {total} are as they came")
    return Repaired(clip, {**report, "repair": about}, "\n".join(lines))


def _spans(clip: PatchedClip, total: int) -> list[tuple[int, int]]:
    """The half-open ranges of frames that are not the clip's own."""
    found: list[tuple[int, int]] = []
    for t in range(total):
        if clip.patch_at(t) is None:
            continue
        if found and found[-1][1] == t:
            found[-1] = (found[-1][0], t + 1)
        else:
            found.append((t, t + 1))
    return found


def _name_of(tried: Sequence[Mapping[str, Any]]) -> str:
    """A name that is the same only after the same attempts with the same outcome."""
    outcome = [[part["start"], part["stop"], part["taken"]] for one in tried for part in one["ranges"]]
    digest = hashlib.sha256(json.dumps(outcome).encode()).hexdigest()[:8]
    return f"attempt_{len(tried) + 1:02d}_{digest}"


def _in_words(part: Mapping[str, Any]) -> str:
    score = "" if part["score"] is None else f", overlap {part['score']:.2f}"
    return f"{part['failing']} failing{score}"

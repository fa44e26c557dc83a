"""The whole line on a rendered clip whose truth is known: extract, condition, restyle, validate, and compare."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .conditioning.choices import Choices
from .conditioning.plan import plan_control
from .conditioning.vace import write_control
from .extraction.extract import Extraction, extract
from .extraction.relations import Relations
from .extraction.tracking import Prompt, track_masks
from .host import progress
from .media.clip import Clip
from .media.folder import write_json, write_physics
from .media.open import open_clip
from .media.overlay import draw_difference, draw_overlay
from .media.preview import Touch, write_preview
from .media.scene import LABELS, Scene, Truth
from .media.sheet import Row, contact_sheet
from .media.stills import write_image
from .media.track import Track
from .media.writer import VideoWriter
from .validation.chart import render_chart, save_chart
from .validation.region import jaccard
from .validation.validate import judge_tracks, validate

SCHEMA, SCHEMA_VERSION = "physics-preserver/demo", 1
OBJECT = LABELS[1]
# Width of a contact sheet's cells, in picture heights.
VIEW = 1.0
# Rolling, crouched, rising, feet off the board, where one landed and the other did not, behind the pole, rolling.
SHEET_FRAMES = (4, 24, 33, 40, 48, 56, 68)


@dataclass(frozen=True)
class Case:
    """A clip to judge: the scene that it was rendered from, and in words what was done to the source."""

    name: str
    words: str
    scene: Scene


@dataclass
class Outcome:
    """One judged clip beside its truth.

    Attributes:
        report: of `validate`.
        track: what the tracker found in it.
        true: what the same rules say about the true masks of source and clip; its verdict is the expected one.
        agreement: mean J of the found and the true masks of this clip, by label.
    """

    report: dict[str, Any]
    track: Track
    true: dict[str, Any]
    agreement: dict[str, float] = field(default_factory=dict)


def run_demo(out: str | Path) -> dict[str, Any]:
    """Render, extract, condition, restyle three times, validate, and write pictures and figures.

    Args:
        out: a new or empty folder. It gets the clips, the physics folder, the control video, a report and a chart for
            every restyled clip, `contact_sheet.png`, `charts.png`, `timeline.png`, `overlay.mp4` and `demo.json`.

    Returns:
        What demo.json holds; "table" is text for people, "as_expected" is True when every verdict is right.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    scene = Scene()
    cases = [
        Case("reskin", "restyled, every mask kept", Scene(style="reskin")),
        Case("drift", "restyled, the board drifts away", Scene(style="reskin", fault="drift")),
        Case("late_landing", "restyled, the landing 6 frames late", Scene(style="reskin", fault="late_landing")),
    ]
    with _Timed(seconds, "render"):
        clip = render(scene, out / "source.mp4")
        generated = [render(case.scene, out / f"{case.name}.mp4") for case in cases]
        truths = [scene.truth(t) for t in range(scene.count())]
        truth = scene.track()
    with _Timed(seconds, "extract"):
        # The one thing of the truth that the line is given, as a user gives it with --masks.
        prompts = [Prompt(label, mask=truth.mask(0, label)) for label in LABELS]
        found = extract(clip, prompts, None)
        assert found.relations is not None  # two objects were prompted
        write_physics(out / "physics", clip, found.track, None, found.relations.to_dict())
    with _Timed(seconds, "condition"):
        plan = plan_control((clip.height, clip.width), len(found.track))
        write_control(out / "control", clip, found.track, plan, Choices())
    with _Timed(seconds, "validate"):
        outcomes = [
            judge_case(case, made, clip, found.track, truth) for case, made in zip(cases, generated, strict=True)
        ]
    with _Timed(seconds, "pictures"):
        for case, outcome in zip(cases, outcomes, strict=True):
            save_chart(outcome.report, out / f"chart_{case.name}.png", overwrite=True)
            write_json(out / f"report_{case.name}.json", outcome.report)
        write_preview(out / "overlay.mp4", clip, found.track, found.relations.to_dict())
        clips = [clip, open_clip(out / "control" / "control.mp4"), *generated]
        write_image(out / "contact_sheet.png", draw_sheet(clips, found, cases, outcomes))
        height = max(len(render_chart(outcome.report)) for outcome in outcomes)
        charts = [
            Row(case.words, [render_chart(outcome.report, height=height)])
            for case, outcome in zip(cases, outcomes, strict=True)
        ]
        write_image(out / "charts.png", contact_sheet(charts, [""], cell_width=1000))
        write_image(out / "timeline.png", draw_timeline(found.relations, truths))
    agreement = {label: float(jaccard(found.track, truth, label).mean()) for label in LABELS}
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "as_expected": all(o.report["verdict"] == o.true["verdict"] for o in outcomes),
        "source": {"agreement": agreement, "relations": relation_figures(found.relations, truths)},
        "cases": {case.name: _figures(case, outcome) for case, outcome in zip(cases, outcomes, strict=True)},
        "frames": len(truth),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
    }
    data["table"] = _table(data, out)
    write_json(out / "demo.json", data)
    return data


def render(scene: Scene, file: Path) -> Clip:
    """Write a scene as MP4, and open it as any other footage."""
    with VideoWriter(file, scene.width, scene.height, scene.rate) as video:
        for frame in progress(scene, scene.count(), f"rendering {file.stem}"):
            video.write(frame.image, frame.time)
    return open_clip(file)


def judge_case(case: Case, clip: Clip, footage: Clip, source: Track, truth: Track) -> Outcome:
    """Validate one clip against the source's footage and track, and say what its true masks would have given."""
    judged = validate(source, footage, clip, track_masks, OBJECT)
    expected = case.scene.track()
    true = judge_tracks(truth, expected, (), OBJECT, prompted=0)
    agreement = {label: float(jaccard(judged.found, expected, label).mean()) for label in LABELS}
    return Outcome(judged.report, judged.found, true, agreement)


def relation_figures(relations: Relations, truths: Sequence[Truth]) -> dict[str, Any]:
    """Contact and airborne beside the truth: share of frames that are right, and both's frames, half-open."""
    figures = {}
    for name in ("contact", "airborne"):
        told = np.array([value is True for value in getattr(relations, name)])
        true = np.array([getattr(truth, name) for truth in truths])
        off = name == "contact"  # the interesting part of contact is where there is none
        figures[name] = {
            "right": float((told == true).mean()),
            "found": _ranges(told != off),
            "true": _ranges(true != off),
        }
    return figures


def draw_sheet(
    clips: Sequence[Clip], found: Extraction, cases: Sequence[Case], outcomes: Sequence[Outcome]
) -> np.ndarray:
    """A contact sheet, uint8 [H, W, 3] RGB, of `clips`: source, control, and one for every case."""
    track = found.track
    views = [_view(track, t) for t in SHEET_FRAMES]
    source, control, *generated = (
        [clip.frame(t).image[:, view] for t, view in zip(SHEET_FRAMES, views, strict=True)] for clip in clips
    )

    def masks(of: Track) -> list[np.ndarray]:
        return [of.masks(t)[..., view] for t, view in zip(SHEET_FRAMES, views, strict=True)]

    touches = [_touch(found, t) for t in SHEET_FRAMES]
    overlay = [
        draw_overlay(image, each, track.labels, touch)
        for image, each, touch in zip(source, masks(track), touches, strict=True)
    ]
    rows = [Row("source", source), Row("what moves, and how the two touch", overlay), Row("VACE control", control)]
    legend = f"  ({OBJECT}: green where the source has it too, blue missing, red too much)"
    for case, outcome, images in zip(cases, outcomes, generated, strict=True):
        where = track.index(OBJECT), outcome.track.index(OBJECT)
        compared = [
            draw_difference(image, expected[where[0]], is_at[where[1]])
            for image, expected, is_at in zip(images, masks(track), masks(outcome.track), strict=True)
        ]
        rows.append(Row(f"{case.words}: {outcome.report['verdict']}{legend}", compared))
        legend = ""
    return contact_sheet(rows, [f"frame {t}" for t in SHEET_FRAMES], cell_width=260)


def _touch(found: Extraction, t: int) -> Touch | None:
    relations = found.relations
    return None if relations is None else Touch(relations.contact[t], relations.airborne[t])


def _view(track: Track, t: int) -> slice:
    """Columns of frame t around the rider (the middle of the picture, should the rider be lost)."""
    height, width = track.clip_size
    wide = min(width, round(VIEW * height))
    middle = track.centroids()[t, 0, 0]
    left = round((width if np.isnan(middle) else 2 * middle) / 2 - wide / 2)
    left = min(max(left, 0), width - wide)
    return slice(left, left + wide)


def draw_timeline(relations: Relations, truths: Sequence[Truth]) -> np.ndarray:
    """Contact and airborne over the frames, found above true, uint8 [H, W, 3] RGB."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.4), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    lines = []
    for name, colour in (("contact", "#009E73"), ("airborne", "#E69F00")):
        told = np.array([value is True for value in getattr(relations, name)])
        lines.append((f"{name}, found", told, colour, 1.0))
        lines.append((f"{name}, true", np.array([getattr(truth, name) for truth in truths]), colour, 0.45))
    for row, (_, values, colour, alpha) in enumerate(lines):
        spans = [(start - 0.5, stop - start) for start, stop in _ranges(values)]
        axes.broken_barh(spans, (row + 0.12, 0.76), facecolors=colour, alpha=alpha)
    axes.set_yticks([row + 0.5 for row in range(len(lines))], [line[0] for line in lines])
    axes.set(xlim=(-0.5, len(truths) - 0.5), ylim=(len(lines), 0), xlabel="frame")
    axes.spines[["top", "right"]].set_visible(False)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _figures(case: Case, outcome: Outcome) -> dict[str, Any]:
    found, true = ([[part["start"], part["stop"]] for part in report["failing_ranges"]]
                   for report in (outcome.report, outcome.true))  # fmt: skip
    return {
        "words": case.words,
        "verdict": outcome.report["verdict"],
        "expected": outcome.true["verdict"],
        "avg_iou": outcome.report["avg_iou"],
        "true_avg_iou": outcome.true["avg_iou"],
        "failing": found,
        "truly_failing": true,
        "agreement": outcome.agreement,
        "tracker": outcome.track.tracker,
    }


def _ranges(values: np.ndarray) -> list[list[int]]:
    """Half-open ranges of the True frames of bool [T]."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], values, [False]]).astype(np.int8)))
    return [[int(start), int(stop)] for start, stop in edges.reshape(-1, 2)]


def _said(ranges: Sequence[Sequence[int]]) -> str:
    """Frames in words, both ends included."""
    return ", ".join(str(a) if b - a == 1 else f"{a}-{b - 1}" for a, b in ranges) or "none"


def _table(data: dict[str, Any], out: Path) -> str:
    person, board = LABELS
    source, relations = data["source"]["agreement"], data["source"]["relations"]
    lines = [
        f"source, {data['frames']} frames, both objects shown by their masks on frame 0:",
        f"  J of the track against the truth {source[person]:.2f} {person}, {source[board]:.2f} {board}",
        *(
            f"  {words} on frames {_said(relations[name]['found'])}, in truth {_said(relations[name]['true'])}"
            for name, words in (("contact", "no contact"), ("airborne", "airborne"))
        ),
        "",
        f"{'clip':14}{'verdict':9}{'expected':10}{'J':>5}{'true J':>8}  {'fails on frames':24}{'truly':18}"
        "J of the track",
    ]
    for name, case in data["cases"].items():
        mean = "  -" if case["avg_iou"] is None else f"{case['avg_iou']:.2f}"
        against = f"{case['agreement'][person]:.2f} {person}, {case['agreement'][board]:.2f} {board}"
        lines.append(
            f"{name:14}{case['verdict']:9}{case['expected']:10}{mean:>5}{case['true_avg_iou']:8.2f}  "
            f"{_said(case['failing']):24}{_said(case['truly_failing']):18}{against}"
        )
    took = ", ".join(f"{name} {value} s" for name, value in data["seconds"].items())
    return "\n".join([*lines, "", took, f"written: {out / 'contact_sheet.png'} and more beside it"])


class _Timed:
    """Notes how long a block took, in seconds."""

    def __init__(self, notes: dict[str, float], name: str):
        self._notes, self._name = notes, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._notes[self._name] = time.perf_counter() - self._start

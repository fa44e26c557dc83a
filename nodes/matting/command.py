"""`matte` on the command line: its arguments, and what it prints."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..models.weights import PRECISIONS
from .config import LIMITS, PLACES, SETTINGS, Config, read_config
from .encodings import ENCODINGS, STILLS
from .matte import matte
from .methods import FLAG, FORMATS, METHODS, MODES, PROJECTIONS, REPROCESS, SCALES, SOURCES, STEREO
from .summary import in_words

DESCRIPTION = f"""\
Make the matte of a clip of any length: find the subject, track it, refine its edges, write alpha or a keyed video with
the clip's own sound. A run that died or was interrupted goes on from the segment it was in, by the same command; one
that was still tracking begins that pass over the clip again (of two eyes, a pass that was done is kept).

Formats: {", ".join(f"{name} (PNG)" for name in STILLS)},
{chr(10).join(f"  {name:11s} {item.suffix}  {item.holds}; {item.note}" for name, item in ENCODINGS.items())}

Straight colours are not multiplied by alpha. Where a container can't hold the clip's sound, .webm and .mov become
.mkv, and .mp4 becomes .mov or .mkv; where none can, that is said before any work.

Beside them: qc/ with trimaps, alphas, confidence and overlays, config_used.json, run_summary.json."""

EXAMPLES = """\
examples:
  matte dancer.mp4 --out dancer --detector yolox_nano.onnx --formats prores4444 green-h264
  matte dancer.mp4 --out dancer --boxes person=540,80,760,560 --method "closed form" --scale 0.5
  matte frames/ --out shot --fps 25 --masks person=first.png
  matte vr.mp4 --out vr --stereo sbs --projection hequirect --detector yolox_nano.onnx --formats green-hevc
  matte --config job.yaml

"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `matte`. What isn't given stays as the config, or else the default, has it."""
    add = parser.add_argument
    add("clip", nargs="?", metavar="CLIP", help="a video file or a folder of images")
    add("--out", metavar="DIR", help="a new folder, or that of the same run, which is gone on with")
    add("--config", type=Path, metavar="FILE", help="settings as .yaml, .toml or .json; arguments go before them")
    add("--subject", metavar="CLASS", help="whom to keep, a class of the detector (default: person)")
    add("--detector", metavar="FILE", help="YOLO or YOLOX weights; without, what moves is proposed")
    add("--confidence", type=float, metavar="P", help="least score of a detection (default: 0.5)")
    add("--newcomers", type=float, metavar="S",
        help="look for more people every S seconds, with the detector (default: 0, don't)")  # fmt: skip
    add("--anchor", type=int, metavar="N",
        help="the frame, counted from the first one taken, on which the subject is shown, or from which on it is "
        "looked for (default: the first usable)")  # fmt: skip
    add("--boxes", nargs="+", metavar="LABEL=X1,Y1,X2,Y2",
        help="the subject by hand, px of the anchor frame, in stereo of its left eye")  # fmt: skip
    add("--masks", nargs="+", metavar="LABEL=FILE.png",
        help="the subject as masks for the anchor frame, white inside; a single FILE.png needs no label")  # fmt: skip
    add("--sam2", metavar="FILE", help="track with SAM 2.1 (default: the embedded tracker)")
    add("--scale", type=float, choices=SCALES, help="share of the size that is worked at (default: 1)")
    add("--trimap-source", choices=SOURCES, help="default: auto")
    add("--foreground", type=float, metavar="P", help="of logits: surely inside from here on (default: 0.97)")
    add("--background", type=float, metavar="P", help="of logits: surely outside up to here (default: 0.03)")
    add("--inside", type=float, metavar="PX", help="of masks: the band's width inside the outline (default: 10)")
    add("--outside", type=float, metavar="PX", help="of masks: the band's width outside it (default: 10)")
    add("--method", choices=METHODS, help="how edges are refined (default: guided, which needs no weights)")
    add("--model", metavar="FILE", help="checkpoint for mematte and vitmatte")
    add("--tile", type=int, metavar="PX", help="side of a tile (default: as the method has it)")
    add("--overlap", type=int, metavar="PX", help="what neighbouring tiles share")
    add("--reuse", type=float, metavar="LEVELS", help="reuse a matte on frames that differ less (default: 0)")
    add("--precision", choices=PRECISIONS, help="of models (default: auto)")
    add("--formats", nargs="+", choices=FORMATS, metavar="FORMAT", help="what to write, see above (default: png16)")
    add("--key-colour", metavar="RRGGBB", help="for the green formats (default: 00ff00)")
    add("--filmed-colours", dest="clean_colours", action="store_false", default=None,
        help="write the frame's colours at edges, not the subject's own")  # fmt: skip
    add("--no-audio", dest="audio", action="store_false", default=None, help="leave the sound out")
    add("--qc-every", type=int, metavar="N", help="pictures to look at of every N-th frame, 0: none (default: 24)")
    add("--frames", metavar="A:B", help="frames A to B-1 only")
    add("--fps", metavar="RATE", help="rate of a folder of images (default: 24)")
    add("--chunk", type=int, metavar="N", help="frames of a segment (default: as memory allows, 24 to 480)")
    add("--stereo", choices=STEREO, help="how two eyes lie in the footage (default: none)")
    add("--second", metavar="CLIP", help="the other eye's file, for --stereo files")
    add("--squeezed", action="store_true", default=None, help="each eye is stored at half its width or height")
    add("--right-first", action="store_true", default=None, help="the right eye is the left half, or the upper one")
    add("--projection", choices=PROJECTIONS, help="default: hequirect")
    add("--field-of-view", type=float, metavar="DEG", help="of fisheye and flat footage (default: 180)")
    add("--mode", choices=MODES, help="how the eyes are kept consistent (default: master_slave)")
    add("--threshold", type=float, metavar="P", help="least likeness of the eyes (default: 0.8)")
    add("--on-mismatch", choices=(REPROCESS, FLAG), help="what to do below it (default: flag)")
    add("--track-every", type=int, metavar="N", help="master_slave: the other eye's own masks on every N-th frame")
    add("--parallel-eyes", action="store_true", default=None, help="refine both eyes at the same time")
    add("--separate-eyes", action="store_true", default=None, help="write a file for each eye")
    add("--packed-alpha", action="store_true", default=None, help="also a fisheye video with alpha in its corners")
    add("--max-memory-gb", type=float, metavar="GB", help="stop, keeping what is finished, beyond it (on Linux)")
    add("--max-vram-gb", type=float, metavar="GB", help="the most that torch's models may take of the GPU")
    add("--price-per-hour", type=float, metavar="PRICE", help="of the machine: tells what a minute of footage costs")
    add("--keep-segments", action="store_true", default=None, help="leave the work folder there")


def run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The summary, and words for it."""
    config = read_config(options.config) if options.config else Config()
    for name in (*PLACES, *SETTINGS, *LIMITS):
        value = getattr(options, name, None)
        if value is not None:
            config.values[name] = _pairs(name, value) if name in ("boxes", "masks") else value
    if options.frames:
        config.values |= dict(zip(("start", "stop"), _range(options.frames), strict=True))
    clip, out = config.values.get("clip"), config.values.get("out")
    if not clip or not out:
        raise ValueError("a clip and --out are needed, here or in the config (clip, out)")
    summary = matte(clip, Path(out), config.job())
    lines = [*in_words(summary), *(f"note: {note}" for note in summary["notes"]), f"written: {out}"]
    return summary, "\n".join(lines)


def _pairs(name: str, values: list[str]) -> dict[str, Any] | str:
    if name == "masks" and len(values) == 1 and "=" not in values[0]:
        return values[0]
    found = {}
    for text in values:
        label, equals, value = text.partition("=")
        if not equals or not label or not value:
            raise ValueError(f"--{name}: {text!r} is not of the form LABEL=VALUE")
        if label in found:
            raise ValueError(f"--{name}: {label!r} is there twice; every object needs a label of its own")
        found[label] = value if name == "masks" else value.split(",")
    return found


def _range(text: str) -> tuple[int, int | None]:
    start, colon, stop = text.partition(":")
    try:
        found = int(start or 0), int(stop) if stop else None
    except ValueError:
        colon = ""
        found = 0, None
    if not colon:
        raise ValueError(f"--frames: {text!r} is not a range A:B")
    return found

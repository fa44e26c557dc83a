"""The command line: arguments in, one call into the engine, a few lines or one JSON object out."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import commands
from .conditioning import command as conditioning
from .extraction.onnx_runtime import OnnxRuntimeError
from .extraction.pose_model import PoseModelError
from .extraction.prompts import Point
from .matting import command as matting
from .matting import quality_command as quality
from .media.clip import ClipError
from .remote import command as remote
from .remote.errors import RemoteError
from .validation.modes import COMPARE_MODES

UNUSABLE, INTERRUPTED = 3, 130

UNUSABLE_ERRORS = (ClipError, OnnxRuntimeError, PoseModelError, ValueError, KeyError, IndexError, OSError, ImportError)

EXIT_CODES = """\
exit codes:
  0    done; for validate, and for submit where the workflow validates: the physics survived
  1    validate, submit: the physics did not survive; demo: a verdict was not as expected; check --server: a workflow
       can't run there
  2    validate, submit: it could not be judged
  3    the input or the arguments can't be used (the reason is on stderr), or the server does not accept them; models
       check: a file is damaged
  4    submit: a node failed on the server or held the job back, somebody cancelled it there, or a file that it made is
       gone
  5    submit, check --server: no server answers, or it stayed away, or was restarted twice under the job
  130  interrupted; nothing half-written is left behind, and submit's job is cancelled on the server
"""

EXTRACT = """\
Find the person and the object in a clip, track both, and write the physics folder:

  frames_original/%05d.jpg   mask_<label>/%05d.png   tracking_metadata.json
  with --pose also            pose_<label>/%05d.png   pose_json/%05d.json

Without --boxes, --masks, --points, --prompts or --detector, whatever moves against the background is proposed, and the
output says that it is a proposal."""

EXTRACT_EXAMPLES = """\
examples:
  extract skater.mp4 --out skater
  extract skater.mp4 --out skater --detector yolox_nano.onnx
  extract biker.mp4 --out biker --detector yolox_nano.onnx --object bicycle --frames 0:120
  extract skater.mp4 --out skater --detector yolo11n.pt --pose performance
  extract skater.mp4 --out skater --boxes person=540,80,760,560 skateboard=560,530,740,590
  extract frames/ --out skater --masks skateboard=board_on_first_frame.png
  extract skater.mp4 --out skater --points skateboard=740,190,688,195,785,180- --anchor 80
  extract skater.mp4 --out skater --prompts clicks.json --sam2 sam2.1_hiera_small.pt

"""

MODELS_GET = """\
Fetch one model file from its official place into the ComfyUI models folder (COMFYUI_PATH, or the ComfyUI that
this pack is installed in), or else into the user's cache. An interrupted download is kept as a .part file beside
it and gone on with by the same command; the file gets its name when it is whole and verified."""

MODELS_GET_EXAMPLES = """\
examples:
  models get yolox_nano.onnx
  COMFYUI_PATH=~/ComfyUI python -m physics_preserver models get sam2.1_hiera_tiny.pt

"""


COMPARE = """\
Write source and generated clip into one video: side by side, wiped, overlaid (half of each) or the
difference of their colours. Frame t stands beside frame t; the source's times and sound are kept."""


class Parser(argparse.ArgumentParser):
    """argparse, with the exit code for input that can't be used."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(UNUSABLE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    options = build_parser().parse_args(arguments)
    try:
        result = options.run(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except (RemoteError, *UNUSABLE_ERRORS) as error:
        if options.debug:
            raise
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        print(f"physics-preserver {options.command}: {text}", file=sys.stderr)
        code, details = (error.exit_code, error.details) if isinstance(error, RemoteError) else (UNUSABLE, {})
        if options.json:
            print(json.dumps({**details, "error": text}))
        return code
    try:
        print(json.dumps(result.data) if options.json else result.text, flush=True)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return result.code


def build_parser() -> Parser:
    parser = Parser(
        prog="physics-preserver",
        description="Keep the motion, change everything else.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="command")
    _extract(subparsers)
    _condition(subparsers)
    _composite(subparsers)
    _validate(subparsers)
    _compare(subparsers)
    _demo(subparsers)
    _matte(subparsers)
    _quality(subparsers)
    _submit(subparsers)
    _check(subparsers)
    _models(subparsers)
    return parser


def _command(subparsers: Any, name: str, run: Any, summary: str, description: str = "", examples: str = "") -> Parser:
    parser = subparsers.add_parser(
        name,
        help=summary,
        description=description or summary[0].upper() + summary[1:] + ".",
        epilog=examples + EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text, for scripts")
    parser.add_argument("--debug", action="store_true", help="show the full traceback of an error")
    return parser


def _extract(subparsers: Any) -> None:
    summary = "find and track person and object, write the physics folder"
    parser = _command(subparsers, "extract", commands.extract, summary, EXTRACT, EXTRACT_EXAMPLES)
    parser.add_argument("clip", metavar="CLIP", help="a video file or a folder of images")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    parser.add_argument(
        "--boxes", nargs="+", default=[], type=_box, metavar="LABEL=X1,Y1,X2,Y2",
        help="what to track, as boxes on the anchor frame: px, right and down, ends exclusive",
    )  # fmt: skip
    parser.add_argument(
        "--masks", nargs="+", default=[], type=_mask, metavar="LABEL=FILE.png",
        help="what to track, as mask images for the anchor frame (white = inside)",
    )  # fmt: skip
    parser.add_argument(
        "--points", nargs="+", default=[], type=_points, metavar="LABEL=X,Y[+|-],...",
        help="what to track, as points on the anchor frame: on the object, or with - after Y beside it; with a box or "
        "a mask of that label they correct it",
    )  # fmt: skip
    parser.add_argument(
        "--prompts", type=Path, metavar="FILE.json",
        help="what to track, as Prompt Objects writes it: points and boxes on any frames",
    )  # fmt: skip
    parser.add_argument(
        "--anchor", type=int, default=0, metavar="N",
        help="frame of --boxes, --masks and --points, counted from 0 within --frames (default: 0)",
    )  # fmt: skip
    parser.add_argument(
        "--sam2", metavar="FILE",
        help="track with SAM 2 or 2.1: a checkpoint's path, or its name in models/sam2 (default: the embedded tracker)",
    )  # fmt: skip
    parser.add_argument(
        "--no-cuts", dest="cuts", action="store_false",
        help="take the clip for one shot; else nothing is carried over a scene cut",
    )  # fmt: skip
    parser.add_argument(
        "--detector", metavar="FILE",
        help="YOLO (.pt, .onnx) or YOLOX (.onnx) weights: a path, or a name in models/detection, ultralytics or "
        "yolo. Used to find the pair, and on every frame to keep masks from leaking",
    )  # fmt: skip
    parser.add_argument(
        "--pose", metavar="FILE|MODE",
        help="also estimate the person's pose: performance, balanced or lightweight look for their DWPose or RTMW "
        "file in models/dwpose, or give an .onnx file. Needs rtmlib and onnxruntime",
    )  # fmt: skip
    parser.add_argument(
        "--object", nargs="+", default=["skateboard"], metavar="LABEL",
        help="what the person rides or holds: skateboard, snowboard, skis, surfboard, bicycle, "
        "sports ball, or another class of the detector (default: skateboard)",
    )  # fmt: skip
    parser.add_argument("--frames", type=_range, default=(0, None), metavar="A:B", help="frames A to B-1 only")
    parser.add_argument(
        "--fps", type=_rate, default="24", metavar="RATE", help="rate of a folder of images (default: 24)"
    )
    parser.add_argument("--allow-truncated", action="store_true", help="read a damaged file up to where it breaks off")


def _condition(subparsers: Any) -> None:
    summary = "make VACE control video and masks from a physics folder"
    conditioning.add_arguments(_command(subparsers, "condition", commands.condition, summary))


def _composite(subparsers: Any) -> None:
    summary = "put the original back wherever the generator was not to change it"
    conditioning.add_composite_arguments(
        _command(subparsers, "composite", commands.composite, summary, conditioning.COMPOSITE)
    )


def _validate(subparsers: Any) -> None:
    summary = "measure whether the physics survived in a generated clip"
    parser = _command(subparsers, "validate", commands.validate, summary)
    parser.add_argument("physics", type=Path, metavar="DIR", help="a folder that extract wrote")
    parser.add_argument("generated", metavar="GENERATED", help="the generated video, or a folder of its frames")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR",
        help="where report.html, iou_report.json, frames.csv and iou_chart.png go",
    )  # fmt: skip
    parser.add_argument("--label", help="the object to judge (default: the first that is not the person)")
    parser.add_argument(
        "--profile", default="standard", metavar="P",
        help="strict (masks overlap by more than .90 on every frame), standard, loose, or a .toml file of your own "
        "limits (default: standard)",
    )  # fmt: skip
    parser.add_argument(
        "--detector", metavar="FILE",
        help="YOLO or YOLOX weights to guide the tracker in the generated clip, as extract may have had",
    )  # fmt: skip
    parser.add_argument(
        "--sam2", metavar="FILE",
        help="track with SAM 2 or 2.1, as extract may have: a checkpoint's path, or its name in models/sam2",
    )  # fmt: skip
    parser.add_argument(
        "--control", type=Path, metavar="DIR",
        help="what condition wrote for this generation: its crop and its choice of frames are taken into account",
    )  # fmt: skip


def _compare(subparsers: Any) -> None:
    summary = "write source and generated clip into one video, to look at"
    parser = _command(subparsers, "compare", commands.compare, summary, COMPARE)
    parser.add_argument(
        "source", type=Path, metavar="SOURCE",
        help="the original: a folder that extract wrote (its outlines are drawn), a video, or a folder of images",
    )  # fmt: skip
    parser.add_argument("generated", metavar="GENERATED", help="the generated video, or a folder of its frames")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.mp4", help="a new video")
    parser.add_argument(
        "--report", type=Path, metavar="DIR|FILE",
        help="what validate wrote for these clips: adds every frame's score and causes, and the outlines it found",
    )  # fmt: skip
    parser.add_argument("--mode", choices=COMPARE_MODES, default=COMPARE_MODES[0], help="default: side by side")
    parser.add_argument(
        "--control", type=Path, metavar="DIR",
        help="what condition wrote for this generation: its crop and its choice of frames are taken into account",
    )  # fmt: skip
    parser.add_argument("--height", type=int, metavar="PX", help="of one picture (default: the generated clip's)")
    parser.add_argument(
        "--fps", type=_rate, default="24", metavar="RATE", help="rate of folders of images (default: 24)"
    )


def _demo(subparsers: Any) -> None:
    parser = _command(subparsers, "demo", commands.demo, "run the whole line on a rendered clip with known truth")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")


def _matte(subparsers: Any) -> None:
    summary = "make the matte of a clip, flat or stereo"
    matting.add_arguments(_command(subparsers, "matte", commands.matte, summary, matting.DESCRIPTION, matting.EXAMPLES))


def _quality(subparsers: Any) -> None:
    summary = "measure a matte, with or without a true alpha"
    quality.add_arguments(
        _command(subparsers, "quality", commands.quality, summary, quality.DESCRIPTION, quality.EXAMPLES)
    )


def _submit(subparsers: Any) -> None:
    summary = "run a workflow on a ComfyUI server, and fetch what it makes"
    remote.add_arguments(_command(subparsers, "submit", commands.submit, summary, remote.DESCRIPTION, remote.EXAMPLES))


def _check(subparsers: Any) -> None:
    summary = "say which back ends and models this installation has, or what a server can run"
    remote.add_check_arguments(_command(subparsers, "check", commands.check, summary))


def _models(subparsers: Any) -> None:
    summary = "list, fetch and check model files"
    models = subparsers.add_parser("models", help=summary, description=summary[0].upper() + summary[1:] + ".")
    actions = models.add_subparsers(dest="action", required=True, metavar="action")
    _command(
        actions, "list", commands.models_list, "say what each stage can use, where it is looked for, what is there"
    )
    get = _command(actions, "get", commands.models_get, "fetch one file by name", MODELS_GET, MODELS_GET_EXAMPLES)
    get.add_argument("name", metavar="NAME", help="a name that `models list` shows")
    get.add_argument(
        "--into", type=Path, metavar="DIR",
        help="another folder than the first that `models list` shows, such as one of ComfyUI's extra model paths",
    )  # fmt: skip
    _command(actions, "check", commands.models_check, "hash the files that are there, name what is damaged or unknown")


def _named(text: str) -> tuple[str, str]:
    label, equals, value = text.partition("=")
    if not equals or not label.strip() or not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form LABEL=VALUE")
    return label.strip(), value


def _box(text: str) -> tuple[str, tuple[float, float, float, float]]:
    label, value = _named(text)
    try:
        x1, y1, x2, y2 = (float(side) for side in value.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not four numbers X1,Y1,X2,Y2") from None
    if x1 >= x2 or y1 >= y2:
        raise argparse.ArgumentTypeError(f"{value!r} is empty: X1 < X2 and Y1 < Y2 are needed")
    return label, (x1, y1, x2, y2)


def _points(text: str) -> tuple[str, tuple[Point, ...]]:
    label, value = _named(text)
    numbers = value.split(",")
    try:
        pairs = [(float(x), float(y.rstrip("+-")), not y.endswith("-"))
                 for x, y in zip(numbers[::2], numbers[1::2], strict=True)]  # fmt: skip
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is not points X,Y or X,Y- one after another") from None
    return label, tuple(Point(x, y, positive) for x, y, positive in pairs)


def _mask(text: str) -> tuple[str, Path]:
    label, value = _named(text)
    return label, Path(value)


def _range(text: str) -> tuple[int, int | None]:
    start, colon, stop = text.partition(":")
    try:
        first, last = int(start or 0), int(stop) if stop else None
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range A:B") from None
    if not colon or first < 0 or (last is not None and last <= first):
        raise argparse.ArgumentTypeError(f"{text!r} is not a range A:B with 0 <= A < B")
    return first, last


def _rate(text: str) -> str:
    from fractions import Fraction

    try:
        positive = Fraction(text) > 0
    except (ValueError, ZeroDivisionError):
        positive = False
    if not positive:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate such as 24, 29.97 or 30000/1001")
    return text

"""`quality` on the command line: its arguments, and one call."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..media.folder import require_replaceable, write_json
from ..media.open import open_clip
from .alphas import open_alphas
from .quality import SCHEMA, matte_quality, quality_in_words

DESCRIPTION = """\
Measure a matte: against a true alpha as matting papers do, and without one by its edges, its stairs, its flicker and
its drop-outs. Alpha is read at the depth it is stored in, from the alpha channel where there is one (ProRes 4444, FFV1,
QuickTime RLE, VP9, PNG), else from the grey. What each measure is: web/docs/PP_MatteQuality.md."""

EXAMPLES = """\
examples:
  quality shot/alpha --clip shot.mp4
  quality shot/matte.mov --truth true_alpha/ --out quality.json
  quality guess.png --truth true.png --trimap trimap.png

"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("alpha", metavar="ALPHA", help="the matte: a video, a folder of pictures, or one picture")
    add(
        "--truth", metavar="TRUTH", help="the true alpha, frame for frame: SAD, MAD, MSE, Grad, Conn, dtSSD, boundary F"
    )
    add("--clip", metavar="CLIP", help="the picture: adds flicker beyond what the picture itself moves")
    add("--trimap", metavar="TRIMAP", help="measure SAD, MAD, MSE, Grad and Conn over its unknown pixels alone")
    add("--out", type=Path, metavar="FILE.json", help="write the report there, with the values of every frame")


def run(options: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The report, and a table for people."""
    if options.out is not None:
        if options.out.suffix.lower() != ".json":
            raise ValueError(f"--out: {options.out} is no .json file")
        require_replaceable(options.out, SCHEMA)
    true = open_alphas(options.truth) if options.truth else None
    clip, trimap = (open_clip(place) if place else None for place in (options.clip, options.trimap))
    found = matte_quality(open_alphas(options.alpha), true, clip, trimap)
    text = quality_in_words(found)
    if options.out is not None:
        write_json(options.out, found)
        text += f"\nwritten: {options.out}"
    return found, text

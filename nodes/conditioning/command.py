"""`condition` and `composite` on the command line: their arguments, and what they print."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path
from typing import Any

from .choices import FITS, GUIDES, REPAINT, SHAPES, SIZES

COMPOSITE = """\
Put the original back wherever the generator was not to change it: outside the masks that condition made, as VACE reads
them, every pixel is the source's, to the bit. Inside, the seam is feathered and the generated colours are brought to
the original's. Written without loss (PNG in MP4), with the source's times and a copy of its sound."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `condition`."""
    parser.add_argument("physics", type=Path, metavar="DIR", help="a folder that extract wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new or empty folder")
    parser.add_argument(
        "--repaint", choices=REPAINT, default="both",
        help="what the generator may change (default: both); everything else is kept",
    )  # fmt: skip
    parser.add_argument(
        "--guide", choices=GUIDES, default="nothing",
        help="what is shown where it generates: grey, a pose or depth video (--guide-video), the original's pixels, or "
        "its edges (default: nothing)",
    )  # fmt: skip
    parser.add_argument(
        "--guide-video", metavar="VIDEO", help="the drawn pose, the depth or any other control, for --guide pose|depth"
    )
    parser.add_argument("--width", type=int, help="px, made a multiple of 16 (default: the clip's)")
    parser.add_argument("--height", type=int, help="px, made a multiple of 16 (default: the clip's)")
    parser.add_argument(
        "--length", choices=FITS, default=FITS[0],
        help="how the number of frames becomes 4n+1 (default: trim)",
    )  # fmt: skip
    parser.add_argument(
        "--shape", choices=SHAPES, default="tight", help="masks along the outline, or a box for each object"
    )
    parser.add_argument("--grow", type=int, default=0, metavar="PX", help="widen the masks by so many px")
    parser.add_argument(
        "--latent-aligned", action="store_true",
        help="widen the masks so that what VACE reads of them covers what was meant on every frame",
    )  # fmt: skip
    parser.add_argument(
        "--references", type=Path, nargs="+", default=[], metavar="IMAGE",
        help="what the new person or object looks like; they are laid side by side on white into reference.png",
    )  # fmt: skip
    parser.add_argument(
        "--lead-in", type=int, default=0, metavar="N",
        help="frames before the first into which a reference image may bleed, to be dropped afterwards (4, 8...)",
    )  # fmt: skip


def add_composite_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `composite`."""
    parser.add_argument("physics", type=Path, metavar="DIR", help="a folder that extract wrote")
    parser.add_argument("generated", metavar="GENERATED", help="the generated video, or a folder of its frames")
    parser.add_argument(
        "--control", type=Path, required=True, metavar="DIR", help="what condition wrote for this generation"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.mp4", help="a new video")
    parser.add_argument(
        "--size", choices=SIZES, default=SIZES[0],
        help="the control's part of the picture in its size, or the source's whole picture (default: control)",
    )  # fmt: skip
    parser.add_argument(
        "--feather", type=int, default=6, metavar="PX", help="how far the seam is soft, inside the mask (default: 6)"
    )
    parser.add_argument("--no-colour-match", action="store_true", help="leave the generated colours as they are")


def condition(options: Namespace) -> tuple[dict[str, Any], str]:
    """Run `condition`: what --json prints, and the text for people."""
    from ..media.folder import read_physics
    from ..media.open import open_clip
    from ..media.stills import read_image
    from .choices import Choices
    from .plan import plan_control
    from .references import reference_sheet
    from .vace import write_control

    physics = read_physics(options.physics)
    track = physics.track
    choices = Choices(options.repaint, options.guide, options.shape, options.grow, options.latent_aligned)
    size = (options.width, options.height)
    plan = plan_control(track.clip_size, len(track), *size, options.length, options.lead_in)
    guide = open_clip(options.guide_video, rate=track.rate) if options.guide_video else None
    images = [read_image(file) for file in options.references]
    sheet = reference_sheet(images, plan.width, plan.height) if images else None
    data = write_control(options.out, physics.clip(), track, plan, choices, guide, sheet)
    lines = [f"{plan.length} frames of {plan.width}x{plan.height}, repainting {choices.in_words(track.labels)}"]
    return {"folder": str(options.out), **data}, "\n".join([*lines, *data["notes"], f"written: {options.out}"])


def composite(options: Namespace) -> tuple[dict[str, Any], str]:
    """Run `composite`: what --json prints, and the text for people."""
    from ..media.exchange import read_mask
    from ..media.folder import read_physics
    from ..media.open import open_clip
    from ..media.stills import natural_order
    from .composite import Pasting, write_composite
    from .latents import consumed
    from .vace import read_control

    physics = read_physics(options.physics)
    control = read_control(options.control)
    generated = open_clip(options.generated, rate=physics.track.rate)
    files = natural_order(options.control / control["files"]["masks"])
    masks = consumed((read_mask(file) for file in files), control["length"])
    pasting = Pasting(options.size, options.feather, not options.no_colour_match)
    after, notes = write_composite(options.out, physics.clip(), generated, masks, control, pasting)
    data = {"file": str(options.out), "control": after, "notes": notes}
    lines = [f"{after['length']} frames of {after['width']}x{after['height']}", *notes, f"written: {options.out}"]
    return data, "\n".join(lines)

"""What players read off a file's name: how the eyes lie, and in which projection."""

from __future__ import annotations

from ..matting.settings import Settings
from .layouts import SEPARATE, SIDE_BY_SIDE, TOP_BOTTOM

# The names of the command line, as the stereo stage has them.
ARRANGEMENT = {"sbs": SIDE_BY_SIDE, "tb": TOP_BOTTOM, "files": SEPARATE}


def player_tag(settings: Settings) -> str:
    """What a file's name ends with: "_LR_180", "_TB_180", "_LR_FISHEYE190", "_LR" for flat footage.

    Left to right and top to bottom, "RL" and "BT" with the right eye first; eyes in files of their own have none.
    """
    if settings.stereo == "files" or settings.separate_eyes:
        eyes = ""
    else:
        first, second = ("L", "R") if settings.stereo == "sbs" else ("T", "B")
        eyes = f"_{second}{first}" if settings.right_first else f"_{first}{second}"
    if settings.projection == "hequirect":
        return f"{eyes}_180"
    return eyes + (fisheye_tag(settings.field_of_view) if settings.projection == "fisheye" else "")


def fisheye_tag(degrees: float) -> str:
    """ "_FISHEYE190" as DeoVR has it for that one lens, HereSphere's "_180_FISHEYE_F180" for all others."""
    return "_FISHEYE190" if degrees == 190 else f"_180_FISHEYE_F{degrees:g}"

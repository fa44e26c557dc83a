"""What VACE misses of masks drawn frame by frame, and what it costs to align them, on real clips with true masks.

    python tests/benchmarks/vace_masks.py DAVIS

DAVIS has <sequence>/frames and <sequence>/masks. "missed": the share of a frame's mask that the one VACE reads leaves
out. "area": of the aligned masks as consumed, in areas of the drawn ones. "grey": the share of the picture that shows
grey on a frame whose latent says keep, at worst.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import numpy as np
from physics_preserver.nodes.conditioning.choices import Choices
from physics_preserver.nodes.conditioning.latents import MISSED, consumed, left_out
from physics_preserver.nodes.conditioning.plan import plan_control
from physics_preserver.nodes.conditioning.vace import control_frames
from physics_preserver.nodes.media.exchange import read_mask
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.stills import natural_order
from physics_preserver.nodes.media.track import Track, TrackBuilder

ROW = "{:<16} {:>6} {:>13} {:>6} {:>6} {:>15} {:>5} {:>6}"


def true_track(folder: Path) -> Track:
    builder = None
    for file in natural_order(folder):
        mask = read_mask(file)
        builder = builder or TrackBuilder(("object",), mask.shape, Fraction(24))
        builder.append(mask[None], np.ones(1))
    assert builder is not None
    return builder.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("davis", type=Path)
    print(ROW.format("sequence", "frames", "with a miss", "mean", "worst", "aligned: missed", "area", "grey"))
    for place in sorted(path.parent for path in parser.parse_args().davis.glob("*/masks")):
        if not (place / "frames").is_dir():
            continue
        clip, track = open_clip(place / "frames"), true_track(place / "masks")
        plan = plan_control(track.clip_size, len(track))
        drawn, widened = (
            [mask for _, mask in control_frames(clip, track, plan, Choices(latent_aligned=aligned))]
            for aligned in (False, True)
        )
        plain, read = (list(consumed(masks, plan.length)) for masks in (drawn, widened))
        missed = [left_out(mask, seen) for mask, seen in zip(drawn, plain, strict=True)]
        still = max(left_out(mask, seen) for mask, seen in zip(drawn, read, strict=True))
        area = np.mean([mask.sum() for mask in read]) / np.mean([mask.sum() for mask in drawn])
        grey = max((mask & ~seen).mean() for mask, seen in zip(widened, read, strict=True))
        misses = f"{sum(share > MISSED for share in missed)}"
        print(ROW.format(place.name, plan.length, misses, f"{np.mean(missed):.2f}", f"{max(missed):.2f}",
                         f"{still:.2f}", f"{area:.1f}", f"{grey:.3f}"))  # fmt: skip


if __name__ == "__main__":
    main()

"""The demo's comparison with the truth, without running the demo."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from physics_preserver.nodes.demo import SHEET_FRAMES, Case, Outcome, draw_sheet, relation_figures
from physics_preserver.nodes.extraction.extract import Extraction
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.stills import ArrayClip


def test_relations_are_compared_with_the_truth():
    truths: Any = [SimpleNamespace(contact=t not in (3, 4), airborne=2 <= t < 6) for t in range(8)]
    found: Any = SimpleNamespace(
        contact=[True, True, True, False, None, True, True, True],
        airborne=[None, False, True, True, True, False, None, True],
    )
    figures = relation_figures(found, truths)
    assert figures["contact"] == {"right": 1.0, "found": [[3, 5]], "true": [[3, 5]]}
    assert figures["airborne"] == {"right": 6 / 8, "found": [[2, 5], [7, 8]], "true": [[2, 6]]}


def test_sheet_shows_every_case():
    scene = Scene(96, 54, exposures=1)
    track, clip = scene.track(), ArrayClip(np.stack([frame.image for frame in scene]), scene.rate)
    outcome = Outcome({"verdict": "passed"}, track, {})
    sheet = draw_sheet([clip] * 3, Extraction(track, None, None), [Case("reskin", "restyled", scene)], [outcome])
    assert sheet.shape[1] > 260 * len(SHEET_FRAMES) and sheet.dtype == np.uint8

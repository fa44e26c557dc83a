"""What the report viewer is given: bounded in size however long the clip is, whole, and safe with any text."""

from __future__ import annotations

import base64
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from physics_preserver.nodes.media.clip import Clip, Frame
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.validation.page import DOCUMENT, script, write_folder, write_page, write_report
from physics_preserver.nodes.validation.validate import Judgement, validate
from physics_preserver.nodes.validation.viewer_data import (
    MAX_PICTURES,
    OUTLINE_UNIT,
    PICTURE_SIDE,
    choose_frames,
    data_url,
    document,
    outline,
    picture_size,
    records,
)
from sample_report import PERSON, report, sample

NASTY = "</script><img src=x onerror=alert(1)>&\"'\u2028"
DATA = re.compile(r'<script type="application/json" id="([^"]*)">(.*?)</script>', re.DOTALL)


class Noise(Clip):
    """Frames that compress badly."""

    def __init__(self, frames: int, width: int = 960, height: int = 540):
        self.width, self.height, self.rate, self.time_base = width, height, Fraction(24), Fraction(1, 24)
        self.name, self.warnings, self._frames = "noise", [], frames

    def read(self, start: int = 0):
        images = [np.random.default_rng(n).integers(0, 256, (self.height, self.width, 3), np.uint8) for n in range(3)]
        for t in range(start, self._frames):
            yield Frame(t, t / self.rate, images[t % 3])

    def count(self) -> int:
        return self._frames


def long_report(frames: int) -> dict[str, Any]:
    scores = np.full(frames, 0.95)
    scores[500:510] = 0.3
    scores[frames - 1000 : frames - 998] = 0.1
    made = report("board", scores, np.full(frames, 1.0))
    made["causes"] = [
        {"name": "shifted", "of": "board", "start": 500, "stop": 510, "worst_frame": 503, "text": "low"},
        {
            "name": "lost",
            "of": "board",
            "start": frames - 1000,
            "stop": frames - 998,
            "worst_frame": frames - 999,
            "text": "gone",
        },
    ]
    made["failing_ranges"] = [{**cause, "worst_iou": 0.1, "cause": cause["name"]} for cause in made["causes"]]
    return made


def noisy_track(frames: int, size: tuple[int, int] = (540, 960)) -> Track:
    packed = np.random.default_rng(0).integers(0, 256, (1, 1, size[0], size[1] // 8), np.uint8)
    return Track(
        np.broadcast_to(packed, (frames, *packed.shape[1:])), ("board",), np.ones((frames, 1), np.float32), size, size,
        Fraction(24),
    )  # fmt: skip


def data_of(page: Path) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in DATA.findall(page.read_text("utf-8"))}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    judgement, source, generated = sample(NASTY, frames=30)
    file = tmp_path_factory.mktemp("page") / "report.html"
    write_page(file, judgement, source, generated)
    return file


def test_page_holds_report_and_every_frame(page: Path) -> None:
    data = data_of(page)
    assert data.keys() == {"report", *(f"frame-{t}" for t in range(30))}
    assert data["report"]["pictures"] == list(range(30))
    assert data["report"]["left_out"] == []
    picture = base64.b64decode(data["frame-7"]["generated"].partition(",")[2])
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None and image.shape == (180, 320, 3)


def test_no_text_of_the_report_becomes_markup(page: Path) -> None:
    text = page.read_text("utf-8")
    assert NASTY[:9] + "<img" not in text and "<img" not in text
    data = data_of(page)["report"]
    assert data["report"]["label"] == NASTY and NASTY in data["report"]["measures"]
    # As many closing tags as opening ones: none came from data.
    assert len(re.findall(r"</script", text)) == len(re.findall(r"<script ", text)) == 32


def test_page_names_no_address(page: Path) -> None:
    text = DATA.sub("", page.read_text("utf-8"))
    assert set(re.findall(r"\w+://[^\"'\s]*", text)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "default-src 'none'" in text and not re.search(r"^import ", text, re.MULTILINE)


def test_page_of_a_long_noisy_clip_stays_below_its_budget(tmp_path: Path) -> None:
    frames = 2000
    track = noisy_track(frames, (90, 160))
    judgement = Judgement(long_report(frames), track, track)
    write_page(tmp_path / "page.html", judgement, Noise(frames, 160, 90), Noise(frames, 160, 90))
    data = data_of(tmp_path / "page.html")["report"]
    assert len(data["pictures"]) == MAX_PICTURES
    assert f"pictures of {frames - MAX_PICTURES} of {frames} frames" in data["left_out"][0]
    assert (tmp_path / "page.html").stat().st_size < 25_000_000


def test_records_of_large_noise_stay_below_their_share() -> None:
    track = noisy_track(MAX_PICTURES)
    made = list(records(track, track, Noise(3), Noise(3), range(MAX_PICTURES), picture_size(Noise(1))))
    assert len(made) == 3 and all(len(json.dumps(record)) < 20_000_000 / MAX_PICTURES for _, record in made)


def test_failing_frames_and_their_neighbours_are_shown_first() -> None:
    shown = set(choose_frames(long_report(5000)))
    assert len(shown) == MAX_PICTURES
    assert {0, 4999, *range(498, 512), *range(3998, 4004)} <= shown
    rest = sorted(shown - set(range(490, 520)) - set(range(3990, 4010)))
    assert max(np.diff(rest)) < 3 * 5000 / MAX_PICTURES


def test_where_most_frames_fail_they_are_thinned_and_the_worst_stays() -> None:
    made = long_report(5000)
    made["causes"][0] |= {"start": 100, "stop": 4900, "worst_frame": 4777}
    shown = choose_frames(made, limit=50)
    assert len(shown) == 50 and {0, 503, 4001, 4777, 4999} <= set(shown)


def test_document_of_an_hour_is_bounded_and_keeps_the_worst_values() -> None:
    frames = 24 * 3600
    made = long_report(frames)
    made["warnings"] = ["w" * 5000] * 1000
    data = document(made, [0], (270, 480), ("board",))
    assert len(json.dumps(data)) < 4_000_000
    assert data["stride"] > 1 and any("worst of" in text for text in data["left_out"])
    assert min(data["report"]["measures"]["board"]["region"]["values"]) == 0.1


def test_document_has_no_nan() -> None:
    made = report("board", np.full(20, 0.9), np.ones(20))
    made["measures"]["board"]["region"]["values"][3] = float("nan")
    made["rules"][0]["value"] = float("inf")
    text = json.dumps(document(made, [0], (270, 480), ("board",)), allow_nan=False)
    assert json.loads(text)["report"]["measures"]["board"]["region"]["values"][3] is None


def test_a_clip_that_ends_early_has_no_picture_there() -> None:
    track = noisy_track(4, (90, 160))
    made = dict(records(track, track, Noise(2, 160, 90), Noise(4, 160, 90), [1, 3], (90, 160)))
    assert made[1]["source"] and made[3]["source"] is None and made[3]["generated"]


def test_folder_holds_the_same_and_a_broken_clip_leaves_none(tmp_path: Path) -> None:
    judgement, source, generated = sample(frames=6)
    write_folder(tmp_path / "kept", judgement, source, generated)
    names = {file.name for file in (tmp_path / "kept").iterdir()}
    assert names == {DOCUMENT, *(f"{t}.json" for t in range(6))}

    class Broken(Noise):
        def read(self, start: int = 0):
            yield from super().read(start)
            raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        write_folder(tmp_path / "none", judgement, Broken(3), generated)
    with pytest.raises(OSError, match="broken"):
        write_page(tmp_path / "page.html", judgement, Broken(3), generated)
    assert [file.name for file in tmp_path.iterdir()] == ["kept"]


def test_what_a_node_keeps_is_the_same_page_and_the_report(tmp_path: Path) -> None:
    judgement, source, generated = sample(NASTY, frames=6)
    shown = write_report(tmp_path / "kept", judgement, source, generated, "repaired_")
    assert [file["filename"] for file in shown["physics_files"]] == ["repaired_report.html", "repaired_iou_report.json"]
    assert all((tmp_path / file["subfolder"] / file["filename"]).is_file() for of in shown.values() for file in of)
    write_page(tmp_path / "page.html", judgement, source, generated)
    assert (tmp_path / "kept" / "repaired_report.html").read_bytes() == (tmp_path / "page.html").read_bytes()
    assert json.loads((tmp_path / "kept" / "repaired_iou_report.json").read_text("utf-8")) == judgement.report


def test_outline_is_where_the_mask_ends() -> None:
    mask = np.zeros((100, 200), bool)
    mask[20:60, 40:120] = True
    (line,) = outline(mask, (50, 100))
    points = np.cumsum(np.array(line).reshape(-1, 2), axis=0) * OUTLINE_UNIT
    # Pixel centres of the rim: 40.5 to 119.5 across, 20.5 to 59.5 down, at half size.
    assert points.min(axis=0) == pytest.approx([20.25, 10.25], abs=0.2)
    assert points.max(axis=0) == pytest.approx([59.75, 29.75], abs=0.2)
    assert len(points) == 4


def test_outline_of_a_hole_is_drawn_too() -> None:
    mask = np.zeros((60, 60), bool)
    mask[10:50, 10:50] = True
    mask[20:40, 20:40] = False
    assert len(outline(mask, (60, 60))) == 2
    assert outline(np.zeros((60, 60), bool), (60, 60)) == []


def test_pictures_are_small_and_never_enlarged() -> None:
    assert picture_size(Noise(1, 1920, 1080)) == (270, PICTURE_SIDE)
    assert picture_size(Noise(1, 1080, 1920)) == (PICTURE_SIDE, 270)
    assert picture_size(Noise(1, 64, 36)) == (36, 64)
    noise = next(Noise(1).read()).image
    assert len(data_url(noise, (270, 480), 30_000)) <= 30_000 < len(data_url(noise, (270, 480), 10**9))


def test_script_is_all_modules_in_order() -> None:
    text = script()
    assert text.count("export function showReport") == 1 and "import" not in re.sub(r"//.*", "", text)
    assert "</" not in text  # nothing that could end the script element


def test_a_verdict_without_measures_has_a_page(tmp_path: Path) -> None:
    nothing = TrackBuilder(("board",), (90, 160), Fraction(24))
    for _ in range(5):
        nothing.append(np.zeros((1, 90, 160), bool), np.zeros(1))
    clip = Noise(5, 160, 90)
    judgement = validate(nothing.finish(), clip, clip, lambda *_: pytest.fail("there is nothing to track"))
    assert judgement.report["verdict"] == "could not judge" and len(judgement.found) == 0
    write_page(tmp_path / "page.html", judgement, clip, clip)
    data = data_of(tmp_path / "page.html")
    assert data["report"]["labels"] == ["board"] and data["report"]["pictures"] == [0, 1, 2, 3, 4]
    assert data["frame-2"]["outlines"] == {"board": {"expected": [], "found": []}}


def test_person_has_outlines_too() -> None:
    judgement, source, generated = sample(frames=3)
    made = dict(records(judgement.expected, judgement.found, source, generated, [1], (180, 320)))
    assert made[1]["outlines"].keys() == {PERSON, "skateboard"} and all(
        made[1]["outlines"][label][kind] for label in (PERSON, "skateboard") for kind in ("expected", "found")
    )

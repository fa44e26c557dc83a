"""`quality` on the command line: a table and a JSON of the same figures; what can't be judged is said, with code 3."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from mattes import disc_alpha, disc_image
from physics_preserver.nodes import cli
from physics_preserver.nodes.matting.encodings import ENCODINGS, alpha_levels
from physics_preserver.nodes.matting.joining import SegmentWriter
from physics_preserver.nodes.matting.quality import MEASURES
from physics_preserver.nodes.matting.still_writer import write_alpha
from physics_preserver.nodes.media.stills import write_image

FRAMES = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("quality")
    for name in ("clip", "empty", "short"):
        (place / name).mkdir()
    with SegmentWriter(place / "matte.mov", ENCODINGS["prores4444"], (96, 160), Fraction(24)) as video:
        for t in range(FRAMES):
            alpha = disc_alpha(t)
            video.write(disc_image(t), np.clip(alpha * 0.9, 0, 1), (0, 0, 0))
            write_alpha(place / "truth" / f"{t}.png", alpha_levels(alpha, 16))
            write_image(place / "clip" / f"{t}.png", disc_image(t))
            write_image(place / "empty" / f"{t}.png", np.zeros((96, 160), np.uint8))
    write_image(place / "short" / "0.png", np.zeros((96, 160), np.uint8))
    write_image(place / "small.png", np.zeros((10, 12), np.uint8))
    return place


def run(capsys, *arguments) -> tuple[int, str, str]:
    code = cli.main(["quality", *(str(argument) for argument in arguments)])
    out, err = capsys.readouterr()
    return code, out, err


def test_table_and_file_have_every_measure(folder, tmp_path, capsys):
    out = tmp_path / "new" / "quality.json"
    code, text, _ = run(
        capsys, folder / "matte.mov", "--truth", folder / "truth", "--clip", folder / "clip", "--out", out
    )
    found = json.loads(out.read_text())
    assert code == 0 and set(found["mean"]) == set(MEASURES) and found["frames"] == FRAMES
    assert all(name.replace("_", " ") in text for name in MEASURES) and str(out) in text
    assert found["read_from"] == {"matte": "alpha plane, 12 bits", "truth": "grey, 16 bits"}
    inside = np.mean([disc_alpha(t).mean() for t in range(FRAMES)])
    assert found["mean"]["mad"] == pytest.approx(1000 * 0.1 * inside, rel=0.01)
    assert run(capsys, folder / "matte.mov", "--out", out)[0] == 0  # its own file is replaced
    assert "mad" not in json.loads(out.read_text())["mean"]


def test_one_json_object_for_scripts(folder, capsys):
    code, text, _ = run(capsys, folder / "truth", "--json")
    found = json.loads(text)
    assert code == 0 and found["schema"] == "physics-preserver/matte-quality" and found["dropped_frames"] == 0


def test_a_still_has_no_measures_of_time(folder, capsys):
    still = folder / "truth" / "0.png"
    code, text, _ = run(capsys, still, "--truth", still, "--json")
    found = json.loads(text)
    assert code == 0 and found["mean"]["mad"] == 0 and "dtssd" not in found["mean"] and "one frame" in found["notes"][0]


def test_an_empty_matte_can_be_compared_and_not_judged_alone(folder, capsys):
    code, _, error = run(capsys, folder / "empty")
    assert code == cli.UNUSABLE and "no subject" in error and "with a truth" in error
    code, text, _ = run(capsys, folder / "empty", "--truth", folder / "truth", "--json")
    found = json.loads(text)
    area = np.mean([disc_alpha(t).sum() for t in range(FRAMES)])
    assert code == 0 and found["mean"]["sad"] == pytest.approx(area / 1000, rel=1e-3)
    assert found["mean"]["edge_softness"] is None and "5 of 5 frames have no subject" in found["notes"][0]
    found = json.loads(run(capsys, folder / "empty", "--truth", folder / "empty", "--json")[1])
    assert found["mean"]["sad"] == 0 and "truth has no subject" in found["notes"][-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("truth", "--truth", "short"), "the truth ends after 1 frames"),
        (("short", "--truth", "truth"), "the matte has 1 frames, the truth more"),
        (("truth", "--clip", "small.png"), "the matte is 160x96, the clip 12x10"),
        (("nothing.mov",), "no such file"),
        (("clip",), "coloured picture without alpha"),
        (("truth", "--out", "quality.txt"), "is no .json file"),
        (("truth", "--out", "taken.json"), "already there"),
    ],
)
def test_what_cannot_be_judged_is_said(folder, capsys, arguments, message):
    (folder / "taken.json").write_text('{"schema": "other"}')
    names = [part if part.startswith("--") else folder / part for part in arguments]
    code, out, error = run(capsys, *names)
    assert code == cli.UNUSABLE and message in error and error.count("\n") == 1 and not out
    assert (folder / "taken.json").read_text() == '{"schema": "other"}'

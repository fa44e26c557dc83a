"""The command line as a script uses it: exit codes, one JSON object, one clear sentence for bad input."""

import json
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from clips import shades
from onnx_nets import save_pose
from physics_preserver.nodes.cli import main
from physics_preserver.nodes.media.folder import read_physics
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import LABELS, Scene
from physics_preserver.nodes.media.stills import read_image, write_image
from physics_preserver.nodes.media.writer import VideoWriter

WIDTH, HEIGHT = 640, 360
FRAMES = 10  # of the scene's 72: the skater rolls


@pytest.fixture(scope="module")
def footage(tmp_path_factory) -> Path:
    """A short skate clip as MP4 and as a folder of frames, with the true masks of its first frame."""
    folder = tmp_path_factory.mktemp("footage")
    scene = Scene(WIDTH, HEIGHT, exposures=1)
    (folder / "frames").mkdir()
    with VideoWriter(folder / "clip.mp4", WIDTH, HEIGHT, Fraction(24)) as video:
        for frame in islice(scene, FRAMES):
            video.write(frame.image)
            write_image(folder / "frames" / f"{frame.index:05d}.jpg", frame.image)
    for label, mask in zip(LABELS, scene.truth(0).masks, strict=True):
        write_image(folder / f"{label}.png", mask.astype(np.uint8) * 255)
    return folder


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def extracted(footage, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("extracted") / "physics"
    masks = [f"{label}={footage / label}.png" for label in ("person", "skateboard")]
    assert main(["extract", str(footage / "frames"), "--out", str(out), "--masks", *masks, "--fps", "24"]) == 0
    return out


def test_extract_writes_a_mask_for_every_frame_of_a_folder(extracted):
    for label in ("person", "skateboard"):
        assert [file.name for file in sorted((extracted / f"mask_{label}").iterdir())] == [
            f"{t:05d}.png" for t in range(FRAMES)
        ]
    physics = read_physics(extracted)
    assert len(physics.metadata["relations"]["contact"]) == FRAMES
    assert physics.metadata["source"]["name"] == "frames"


def test_extract_tells_a_script_what_it_found(footage, tmp_path, capsys):
    boxes = ["person=100,70,270,310", "skateboard=120,290,250,325"]
    code, out, _ = run(
        capsys,
        "extract",
        footage / "clip.mp4",
        "--out",
        tmp_path / "o",
        "--boxes",
        *boxes,
        "--frames",
        "2:6",
        "--json",
    )
    told = json.loads(out)
    assert code == 0 and told["frames"] == 4 and set(told["objects"]) == {"person", "skateboard"}
    assert read_physics(tmp_path / "o").metadata["source"]["range"] == [2, 6]


def test_extract_estimates_the_pose_of_the_tracked_person(footage, tmp_path, capsys):
    pytest.importorskip("rtmlib")
    pytest.importorskip("onnxruntime")
    model = save_pose(tmp_path / "tiny.onnx", (256, 192))
    masks = [f"{label}={footage / label}.png" for label in ("person", "skateboard")]
    out = tmp_path / "physics"
    arguments = ("extract", footage / "clip.mp4", "--out", out, "--masks", *masks, "--frames", "0:4")
    code, said, _ = run(capsys, *arguments, "--pose", model)
    assert code == 0 and "tiny.onnx (192x256, 133 points) by rtmlib" in said and "a pose of person on" in said
    assert len(list((out / "pose_person").iterdir())) == len(list((out / "pose_json").iterdir())) == 4
    assert read_physics(out).metadata["pose"]["label"] == "person"


def test_a_pose_model_that_is_missing_is_one_sentence_before_any_work(footage, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    arguments = ("extract", footage / "clip.mp4", "--out", tmp_path / "physics", "--pose", "lightweight")
    code, _, error = run(capsys, *arguments)
    assert code == 3 and "Mode lightweight: rtmw-dw-l-m" in error and "models get" in error
    assert not (tmp_path / "physics").exists()


def test_extract_takes_points_and_prompts_on_different_frames(footage, tmp_path, capsys):
    clicks = {"frame": 3, "box": None, "points": [{"x": 160, "y": 240, "positive": True}]}
    prompts = {"schema": "physics-preserver/prompts", "schema_version": 1}
    prompts["objects"] = [{"label": "legs", "prompts": [clicks]}]
    (tmp_path / "clicks.json").write_text(json.dumps(prompts))
    points = "skateboard=180,309,150,312,180,250-"
    code, out, err = run(
        capsys, "extract", footage / "clip.mp4", "--out", tmp_path / "o", "--points", points,
        "--prompts", tmp_path / "clicks.json", "--no-cuts", "--json",
    )  # fmt: skip
    assert code == 0 and json.loads(out)["objects"] == {"skateboard": FRAMES, "legs": FRAMES}, err
    board = read_physics(tmp_path / "o").track.mask(0, "skateboard")
    assert board[309, 180] and board[312, 150] and not board[250, 180]


def test_condition_and_validate_follow(extracted, footage, tmp_path, capsys):
    code, out, _ = run(capsys, "condition", extracted, "--out", tmp_path / "control", "--json")
    control = json.loads(out)
    assert code == 0 and (control["width"], control["height"], control["length"]) == (640, 352, 9)
    assert len(list((tmp_path / "control" / "masks").iterdir())) == 9
    code, out, _ = run(capsys, "validate", extracted, footage / "clip.mp4", "--out", tmp_path / "report", "--json")
    report = json.loads(out)
    assert code == 0 and report["passed"] and report["total_frames"] == FRAMES
    assert {file.name for file in (tmp_path / "report").iterdir()} == {
        *("iou_report.json", "iou_chart.png", "report.html", "frames.csv", "found_track.json"),
    }
    assert len((tmp_path / "report" / "frames.csv").read_text("utf-8").splitlines()) == FRAMES + 1
    code, out, _ = run(
        capsys, "compare", extracted, footage / "clip.mp4", "--report", tmp_path / "report", "--mode", "wipe",
        "--out", tmp_path / "compared.mp4", "--json",
    )  # fmt: skip
    assert code == 0 and json.loads(out)["warnings"] == []
    compared = open_clip(tmp_path / "compared.mp4")
    assert (compared.count(), compared.width) == (FRAMES, WIDTH) and compared.height > HEIGHT + 40
    code, out, _ = run(
        capsys, "validate", extracted, tmp_path / "control" / "control.mp4", "--out", tmp_path / "grey",
        "--control", tmp_path / "control",
    )  # fmt: skip
    assert code == 1, "a clip in which the objects are grey holes passed"


def test_condition_with_choices_and_composite(extracted, footage, tmp_path, capsys):
    reference = tmp_path / "board.png"
    write_image(reference, np.full((30, 20, 3), (200, 40, 90), np.uint8))
    code, out, err = run(
        capsys, "condition", extracted, "--out", tmp_path / "control", "--repaint", "object", "--guide", "pose",
        "--guide-video", footage / "clip.mp4", "--shape", "box", "--grow", 12, "--latent-aligned", "--lead-in", 4,
        "--width", 320, "--references", reference, reference, "--json",
    )  # fmt: skip
    assert code == 0, err
    control = json.loads(out)
    assert control["frames"] == [None] * 4 + list(range(9)) and control["labels"] == ["skateboard"]
    chosen = {"repaint": "object", "guide": "pose", "shape": "box", "grow": 12, "latent_aligned": True, "lead_in": 4}
    assert {key: control[key] for key in chosen} == chosen and control["files"]["reference"] == "reference.png"
    size = (control["height"], control["width"])
    assert read_image(tmp_path / "control" / "reference.png").shape[:2] == size
    code, out, err = run(
        capsys, "composite", extracted, tmp_path / "control" / "control.mp4", "--control", tmp_path / "control",
        "--out", tmp_path / "composite.mp4", "--size", "source", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert json.loads(out)["control"]["frames"] == list(range(9))
    made, source = open_clip(tmp_path / "composite.mp4"), read_physics(extracted).clip()
    assert (made.count(), made.width, made.height) == (9, WIDTH, HEIGHT)
    for frame, original in zip(made, islice(source, 9), strict=True):
        assert (frame.image == original.image).all(axis=2).mean() > 0.7


def test_condition_says_what_a_guide_lacks(extracted, tmp_path, capsys):
    code, _, err = run(capsys, "condition", extracted, "--out", tmp_path / "control", "--guide", "depth")
    assert code == 3 and "guide = depth needs a guide video" in err and not (tmp_path / "control").exists()


def test_a_clip_of_another_length_fails_by_that_name(extracted, footage, tmp_path, capsys):
    with VideoWriter(tmp_path / "short.mp4", WIDTH, HEIGHT, Fraction(24)) as video:
        for frame in islice(Scene(WIDTH, HEIGHT, exposures=1), FRAMES - 2):
            video.write(frame.image)
    code, out, _ = run(capsys, "validate", extracted, tmp_path / "short.mp4", "--out", tmp_path / "r", "--json")
    assert code == 1 and "length" in [cause["name"] for cause in json.loads(out)["causes"]]


UNUSABLE = {
    "no report": (
        ["compare", "{clip}", "{clip}", "--report", "{tmp}/empty", "--out", "{tmp}/c.mp4"],
        "iou_report.json",
    ),
    "low picture": (["compare", "{clip}", "{clip}", "--height", "4", "--out", "{tmp}/c.mp4"], "4 px"),
    "busy video": (["compare", "{clip}", "{clip}", "--out", "{clip}"], "already there"),
    "no such file": (["extract", "{tmp}/gone.mp4", "--out", "{tmp}/o"], "there is no such file"),
    "not a video": (["extract", "{tmp}/notes.mp4", "--out", "{tmp}/o"], "can't be opened as a video"),
    "empty folder": (["extract", "{tmp}/empty", "--out", "{tmp}/o"], "no images"),
    "busy folder": (["extract", "{clip}", "--out", "{tmp}"], "not empty"),
    "box outside": (["extract", "{clip}", "--out", "{tmp}/o", "--boxes", "a=900,900,950,950"], "not inside 640x360"),
    "box reversed": (["extract", "{clip}", "--out", "{tmp}/o", "--boxes", "a=90,90,10,10"], "is empty"),
    "box of words": (["extract", "{clip}", "--out", "{tmp}/o", "--boxes", "a=left"], "not four numbers"),
    "empty mask": (["extract", "{clip}", "--out", "{tmp}/o", "--masks", "a={tmp}/black.png"], "covers nothing"),
    "small mask": (
        ["extract", "{clip}", "--out", "{tmp}/o", "--masks", "a={tmp}/small.png"],
        "is 64x48, the clip 640x360",
    ),
    "no mask": (["extract", "{clip}", "--out", "{tmp}/o", "--masks", "a={tmp}/gone.png"], "not a mask image"),
    "anchor beyond": (
        ["extract", "{clip}", "--out", "{tmp}/o", "--boxes", "a=9,9,90,90", "--anchor", "99"],
        "10 frames",
    ),
    "point outside": (
        ["extract", "{clip}", "--out", "{tmp}/o", "--points", "a=700,10"],
        "point 700, 10 for 'a' is not",
    ),
    "point beside only": (["extract", "{clip}", "--out", "{tmp}/o", "--points", "a=9,9-"], "only negative points"),
    "half a point": (["extract", "{clip}", "--out", "{tmp}/o", "--points", "a=9,9,9"], "is not points X,Y"),
    "points twice": (["extract", "{clip}", "--out", "{tmp}/o", "--points", "a=9,9", "a=8,8"], "a label twice"),
    "foreign prompts": (["extract", "{clip}", "--out", "{tmp}/o", "--prompts", "{tmp}/other.json"], "'other', not"),
    "no prompts file": (["extract", "{clip}", "--out", "{tmp}/o", "--prompts", "{tmp}/gone.json"], "gone.json"),
    "no sam2": (["extract", "{clip}", "--out", "{tmp}/o", "--points", "a=9,9", "--sam2", "gone.pt"], "gone.pt"),
    "bad sam2": (
        ["extract", "{clip}", "--out", "{tmp}/o", "--points", "a=9,9", "--sam2", "{tmp}/notes.pt"],
        "notes.pt",
    ),
    "empty range": (["extract", "{clip}", "--out", "{tmp}/o", "--frames", "9:3"], "not a range"),
    "range beyond": (["extract", "{clip}", "--out", "{tmp}/o", "--frames", "90:"], "none from 90"),
    "no detector": (["extract", "{clip}", "--out", "{tmp}/o", "--detector", "gone.onnx"], "gone.onnx"),
    "bad detector": (["extract", "{clip}", "--out", "{tmp}/o", "--detector", "{tmp}/notes.onnx"], "notes.onnx"),
    "two names": (
        ["extract", "{clip}", "--out", "{tmp}/o", "--boxes", "a=9,9,90,90", "a=9,9,80,80"],
        "label of its own",
    ),
    "no physics": (["condition", "{tmp}/empty", "--out", "{tmp}/o"], "no physics folder"),
    "no command": (["explode"], "invalid choice"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_bad_input_is_one_sentence_and_exit_code_3(name, footage, tmp_path, capsys):
    (tmp_path / "notes.mp4").write_bytes(b"dear diary " * 100)
    (tmp_path / "notes.onnx").write_bytes(b"dear diary " * 100)
    (tmp_path / "notes.pt").write_bytes(b"dear diary " * 100)
    (tmp_path / "other.json").write_text('{"schema": "other"}')
    (tmp_path / "empty").mkdir()
    write_image(tmp_path / "black.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    write_image(tmp_path / "small.png", np.full((48, 64), 255, np.uint8))
    arguments, message = UNUSABLE[name]
    code, out, err = run(capsys, *(argument.format(tmp=tmp_path, clip=footage / "clip.mp4") for argument in arguments))
    assert code == 3 and message in err and "Traceback" not in err and out == ""
    assert not (tmp_path / "o").exists() and not (tmp_path / ".o.partial").exists()


def test_a_truncated_clip_is_read_to_the_break_when_asked(tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (40, 96, 128, 3), np.uint8)
    from clips import write_gop

    whole = write_gop(tmp_path / "whole.mp4", list(noise), gop=10).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 6 // 10])
    box = ["--boxes", "a=20,20,90,80"]
    code, _, err = run(capsys, "extract", tmp_path / "cut.mp4", "--out", tmp_path / "o", *box)
    assert code == 3 and "breaks off after" in err and not (tmp_path / "o").exists()
    code, out, _ = run(
        capsys, "extract", tmp_path / "cut.mp4", "--out", tmp_path / "o", *box, "--allow-truncated", "--json"
    )
    told = json.loads(out)
    assert code == 0 and 18 <= told["frames"] <= 24 and "breaks off after" in told["warnings"][0]


def test_interrupting_leaves_nothing_behind(footage, tmp_path, capsys, monkeypatch):
    from physics_preserver.nodes.media import exchange

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(exchange, "write_image", stop)
    code, _, err = run(
        capsys,
        "extract",
        footage / "clip.mp4",
        "--out",
        tmp_path / "o",
        "--boxes",
        "a=100,70,270,310",
        "--frames",
        ":4",
    )
    assert code == 130 and "interrupted" in err and list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing_behind(footage, tmp_path, capsys, monkeypatch):
    from physics_preserver.nodes.media import folder

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "write_image", full)
    code, _, err = run(
        capsys,
        "extract",
        footage / "clip.mp4",
        "--out",
        tmp_path / "o",
        "--boxes",
        "a=100,70,270,310",
        "--frames",
        ":4",
    )
    assert code == 3 and "No space left" in err and list(tmp_path.iterdir()) == []


def test_check_lists_back_ends_and_never_fails(capsys):
    code, out, _ = run(capsys, "check", "--json")
    assert code == 0 and json.loads(out)["packages"]["numpy"]


def test_a_folder_of_flat_frames_has_nothing_to_propose(tmp_path, capsys):
    (tmp_path / "grey").mkdir()
    for n, image in enumerate(shades(6)):
        write_image(tmp_path / "grey" / f"{n}.png", image * 0 + 90)
    code, _, err = run(capsys, "extract", tmp_path / "grey", "--out", tmp_path / "o")
    assert code == 3 and err.strip() and not (tmp_path / "o").exists()

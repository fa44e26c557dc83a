"""A matte's settings from files: this tool's own names, those of earlier tools, and no others."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from physics_preserver.nodes import cli
from physics_preserver.nodes.matting.config import config_used, read_config
from physics_preserver.nodes.matting.footage import FlatFootage
from physics_preserver.nodes.matting.settings import Job, Limits, Settings
from physics_preserver.nodes.media.stills import ArrayClip

# The configuration that the project's first VR180 document has, with its extensions.
FIRST = """
input:
  video_path: "clip.mp4"
processing:
  scale_factor: 0.5
  chunk_size: 600
  overlap_frames: 60
  memory_pipeline: false
  streaming_output: true
  parallel_eyes: false
  max_memory_gb: 40
detection:
  confidence_threshold: 0.7
  model: "yolov8n"
matting:
  use_disparity_mapping: true
  memory_offload: true
  fp16: true
output:
  path: "result"
  format: "greenscreen"
  background_color: [0, 200, 30]
  maintain_sbs: true
hardware:
  device: "cuda"
  max_vram_gb: 10
audio: {preserve_audio: true, verify_sync: true, audio_codec: "copy"}
stereo: {consistency_mode: "master_slave", validation_threshold: 0.8, correction_method: "transfer"}
performance: {profile_enabled: true, preserve_intermediates: false}
debugging:
  log_intermediate_workflow: true
  save_detection_visualization: false
  frame_count_validation: true
"""


def write(folder, text, name="job.yaml"):
    if name.endswith(".yaml"):
        pytest.importorskip("yaml")
    (folder / name).write_text(text)
    return folder / name


def test_the_first_documents_config_is_understood(tmp_path):
    config = read_config(write(tmp_path, FIRST))
    job = config.job()
    settings, limits = job.settings, job.limits
    assert (config.values["clip"], config.values["out"]) == ("clip.mp4", "result")
    assert (settings.scale, settings.chunk, settings.confidence, settings.detector) == (0.5, 600, 0.7, "yolov8n.pt")
    assert (settings.formats, settings.key_colour) == (("green-h264",), (0, 200, 30))
    assert (settings.mode, settings.threshold, settings.separate_eyes) == ("master_slave", 0.8, False)
    assert settings.stereo == "sbs" and any("side by side, as output.maintain_sbs is" in note for note in job.notes)
    config.values["stereo"] = "tb"  # as the command line does
    assert config.job().settings.stereo == "tb"
    assert (limits.max_memory_gb, limits.max_vram_gb, limits.device) == (40.0, 10.0, "cuda")
    assert any("overlap_frames has no effect" in note for note in job.notes)
    assert settings.on_mismatch == "reprocess" and any("correction_method transfer" in note for note in job.notes)


@pytest.mark.parametrize(
    ("model", "file"), [("yolov8s", "yolov8s.pt"), ("yolox_nano", "yolox_nano.onnx"), ("a.pt", "a.pt")]
)
def test_a_model_without_a_suffix_has_its_makers(tmp_path, model, file):
    text = json.dumps({"detection": {"model": model}})
    assert read_config(write(tmp_path, text, "job.json")).job().settings.detector == file


@pytest.mark.parametrize(
    "order", [("consistency_mode", "correction_method"), ("correction_method", "consistency_mode")]
)
@pytest.mark.parametrize("mode", ["independent", "master_slave", "joint"])
def test_a_correction_never_changes_the_mode(tmp_path, order, mode):
    values = {"consistency_mode": mode, "correction_method": "transfer"}
    text = json.dumps({"stereo": {key: values[key] for key in order}})
    assert read_config(write(tmp_path, text, "job.json")).job().settings.mode == mode


@pytest.mark.parametrize("keys", [("subject", "anchor_mask"), ("anchor_mask", "subject")])
def test_an_anchor_mask_is_the_subjects(tmp_path, keys):
    values = {"subject": "dog", "anchor_mask": "a.png"}
    config = read_config(write(tmp_path, json.dumps({key: values[key] for key in keys}), "job.json"))
    assert config.job().settings.masks == (("dog", "a.png"),)


def test_the_config_that_a_run_writes_is_read_back_as_the_same_job(tmp_path):
    clip = FlatFootage(ArrayClip(np.zeros((3, 32, 48, 3), np.uint8), Fraction(24)))
    clip.clip.path = tmp_path / "clip.mp4"
    chosen = Settings(
        detector="yolox_nano.onnx",
        boxes=(("a", (1.0, 2.0, 3.0, 4.0)),),
        stop=30,
        start=4,
        fps="30000/1001",
        masks=(("b", str(tmp_path / "b.png")),),
        key_colour=(1, 2, 3),
        formats=("png8", "vp9"),
        scale=0.5,
    )
    job = Job(chosen, Limits(max_vram_gb=4, price_per_hour=0.5), ("something was said",))
    file = write(tmp_path, json.dumps(config_used(job, clip, tmp_path / "out", chunk=120)), "config_used.json")
    read = read_config(file)
    assert read.values["clip"] == str(tmp_path / "clip.mp4") and read.values["out"] == str(tmp_path / "out")
    assert read.job().limits == job.limits
    assert read.job().settings == replace(chosen, chunk=120, tile=512, overlap=64)


def test_the_flat_tools_keys_are_understood_flat_and_grouped(tmp_path):
    flat = {"input": "in.mp4", "output_dir": "out", "frame_start": 0, "frame_end": 30, "anchor_mask": "a.png",
            "trimap_fg_threshold": 0.97, "trimap_bg_threshold": 0.03, "mematte_checkpoint": "MEMatte_ViTS_DIM.pth",
            "precision": "fp16", "device": "auto"}  # fmt: skip
    grouped = {"io": {key: flat[key] for key in ("input", "output_dir", "frame_start", "frame_end")},
               "segmentation": {"anchor_mask": "a.png"}, "runtime": {"precision": "fp16", "device": "auto"},
               "refinement": {key: flat[key] for key in flat if key[:3] in ("tri", "mem")}}  # fmt: skip
    jobs = [read_config(write(tmp_path, json.dumps(data), "job.json")).job() for data in (flat, grouped)]
    assert jobs[0] == jobs[1]
    settings = jobs[0].settings
    assert (settings.start, settings.stop, settings.masks) == (0, 31, (("person", "a.png"),))
    assert (settings.method, settings.model, settings.precision) == ("mematte", "MEMatte_ViTS_DIM.pth", "fp16")


def test_own_names_in_toml(tmp_path):
    text = 'clip = "a.mp4"\nscale = 0.25\nformats = ["png8", "ffv1"]\nkey_colour = "#0011ff"\nfps = 25\n'
    settings = read_config(write(tmp_path, text + "[boxes]\nperson = [1, 2, 3, 4]\n", "job.toml")).job().settings
    assert settings.scale == 0.25 and settings.key_colour == (0, 17, 255) and settings.fps == "25"
    assert settings.boxes == (("person", (1.0, 2.0, 3.0, 4.0)),) and settings.formats == ("png8", "ffv1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"scalee": 0.5}', "there is no 'scalee'; did you mean 'scale'"),
        ('{"processing": {"chunk_sise": 5}}', "there is no 'processing.chunk_sise'; did you mean 'chunk_size'"),
        ('{"scale": 0.3}', "scale is 0.3; it is one of 0.25, 0.5, 1.0"),
        ('{"chunk": "many"}', "chunk is 'many'; it is a whole number"),
        ('{"audio": {"audio_codec": "aac"}}', "audio.audio_codec: 'aac' is not there: sound is copied"),
        ('{"stereo": {"correction_method": "average"}}', "'average' is not there: it is transfer, reprocess, ensemble"),
        ('{"processing": 5}', "'processing' is a section with keys of its own, not 5"),
        ('{"boxes": {"person": [1, 2, 3]}}', "it is a label with four numbers, x1, y1, x2, y2, for each object"),
        ('{"boxes": {"person": ["a", 2, 3, 4]}}', "it is a label with four numbers"),
        ('{"masks": 7}', "it is a label with a file, for each object"),
        ('{"fps": "fast"}', "fps is 'fast'; it is a rate such as 24"),
        ('{"tile": 100, "overlap": 80}', "tiles of 100 px can't overlap by 80 px"),
        ('{"foreground": 0.02}', "are probabilities"),
        ('{"newcomers": 2}', "newcomers need a detector"),
        ('{"schema": "physics-preserver/track"}', "this is another tool's file"),
        ('{"processing": {"memory_pipeline": true}}', "frames are streamed"),
        ('{"refine_enabled": false}', "a matte is always refined"),
        ('{"auto_anchor": false}', "auto_anchor is off and there is no anchor_mask"),
        ('{"output": {"format": "gif"}}', "'gif' is no format; there are: alpha, greenscreen, png8"),
        ('{"device": "cpu"}', "'cpu' can't be chosen here"),
        ('{"skip_iou_threshold": 0.98}', "write reuse: 2"),
        ("[1]", "keys and values"),
        ("{", "can't be read as JSON"),
    ],
)
def test_what_a_config_may_not_say(tmp_path, text, said):
    with pytest.raises(ValueError) as error:
        read_config(write(tmp_path, text, "job.json")).job()
    assert said in str(error.value)


def test_arguments_go_before_the_config(tmp_path, capsys, monkeypatch):
    seen = []
    monkeypatch.setattr("physics_preserver.nodes.matting.command.matte", lambda *given: seen.append(given))
    file = write(tmp_path, '{"clip": "a.mp4", "out": "o", "scale": 0.5, "inside": 3}', "job.json")
    arguments = ["matte", "--config", str(file), "--scale", "1", "--frames", "2:9", "--boxes", "person=1,2,3,4"]
    with pytest.raises(TypeError):  # nothing to put into words
        cli.main(arguments)
    (clip, out, job) = seen[0]
    assert (clip, str(out), job.settings.scale, job.settings.inside) == ("a.mp4", "o", 1.0, 3.0)
    assert (job.settings.start, job.settings.stop) == (2, 9)
    assert job.settings.boxes == (("person", (1.0, 2.0, 3.0, 4.0)),)
    for given, masks in (
        (["a.png"], (("person", "a.png"),)),
        (["x=a.png", "y=b.png"], (("x", "a.png"), ("y", "b.png"))),
    ):
        with pytest.raises(TypeError):
            cli.main(["matte", "a.mp4", "--out", "o", "--masks", *given])
        assert seen[-1][2].settings.masks == masks
    assert cli.main(["matte", "a.mp4", "--out", "o", "--masks", "x=a.png", "x=b.png"]) == 3
    assert "'x' is there twice" in capsys.readouterr().err
    assert cli.main(["matte", "--out", "o"]) == 3 and "a clip and --out are needed" in capsys.readouterr().err


def test_stereo_options_need_stereo_footage():
    with pytest.raises(ValueError, match="for stereo footage"):
        Settings(packed_alpha=True)
    with pytest.raises(ValueError, match="needs the other eye's file"):
        Settings(stereo="files")

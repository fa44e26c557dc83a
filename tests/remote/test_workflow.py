"""Workflows changed by title: which node is meant, which values fit, where files go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from physics_preserver.nodes.remote import Workflow

INFO = {
    "LoadVideo": {"input": {"required": {"file": ["COMBO", {"options": ["a.mp4"], "video_upload": True}]}}},
    "VHS_LoadVideo": {"input": {"required": {"video": [["a.mp4"]], "force_rate": ["FLOAT", {}]}}},
    "LoadImage": {"input": {"required": {"image": [["a.png"], {"image_upload": True}]}}},
    "Sample": {
        "input": {
            "required": {
                "model": ["MODEL", {}],
                "seed": ["INT", {"min": 0}],
                "cfg": ["FLOAT", {}],
                "tiled": ["BOOLEAN", {}],
                "sampler": [["euler", "dpmpp_2m"]],
                "prompt": ["STRING", {"multiline": True}],
                "parts": ["COMBO", {"options": ["head", "hand", "foot"], "multiselect": True}],
                "size": ["COMBO", {"options": [16, 32]}],
            },
            "optional": {"boxes": ["BOUNDING_BOXES", {}]},
        }
    },
    "SaveVideo": {
        "input": {
            "required": {
                "format": [
                    "COMFY_DYNAMICCOMBO_V3",
                    {
                        "options": [
                            {"key": "auto", "inputs": {"required": {}}},
                            {"key": "mp4", "inputs": {"required": {"crf": ["INT", {}]}}},
                        ]
                    },
                ]
            }
        }
    },
}


def node(kind: str, title: str, **inputs: object) -> dict:
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}


@pytest.fixture
def workflow() -> Workflow:
    return Workflow.of(
        {
            "1": node("LoadVideo", "Load the clip", file="a.mp4"),
            "2": node("LoadVideo", "Load the generated clip", file="a.mp4"),
            "3": node("Sample", "KSampler v1.5", model=["1", 0], seed=1, sampler="euler"),
            "4": node("SaveVideo", "Save", **{"format": "mp4", "format.crf": 20}),
            "7": node("LoadImage", "Twin", image="a.png"),
            "9": node("LoadImage", "Twin", image="a.png"),
        }
    )


def fitted(workflow: Workflow) -> dict:
    return workflow.fitted(INFO)[0]


@pytest.mark.parametrize(
    ("address", "text", "value"),
    [
        ("KSampler v1.5.seed", "7", 7),
        ("Sample.cfg", "6.5", 6.5),
        ("#3.tiled", "off", False),
        ("KSampler v1.5.sampler", "dpmpp_2m", "dpmpp_2m"),
        ("KSampler v1.5.prompt", "a = b, 'c'", "a = b, 'c'"),
        ("KSampler v1.5.parts", "head, foot", {"__value__": ["head", "foot"]}),
        ("KSampler v1.5.size", "32", 32),
        ("KSampler v1.5.boxes", '[{"x": 1}]', {"__value__": [{"x": 1}]}),
    ],
)
def test_text_becomes_a_value_of_the_inputs_type(workflow, address, text, value):
    name = address.rpartition(".")[2]
    assert fitted(workflow.with_value(address, text))["3"]["inputs"][name] == value


def test_the_input_of_a_choice_is_named_with_dots(workflow):
    assert fitted(workflow.with_value("Save.format.crf", "12"))["4"]["inputs"]["format.crf"] == 12
    with pytest.raises(ValueError, match="has no input 'format.codec'"):
        fitted(workflow.with_value("Save.format.codec", "h264"))


@pytest.mark.parametrize(
    ("address", "value", "why"),
    [
        ("Sample.seed", "1.5", "'1.5' is not a whole number"),
        ("Sample.seed", True, "True is not a whole number"),
        ("Sample.cfg", "nan", "'nan' is not a number"),
        ("Sample.tiled", "maybe", "not true or false"),
        ("Sample.sampler", "eular", "its choices are euler, dpmpp_2m"),
        ("Sample.steps", "3", "has no input 'steps'; it has model, seed"),
        ("Sample.model", "wan", "takes a link of type MODEL"),
        ("Sample.prompt", 3, "3 is not text"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_would(workflow, address, value, why):
    with pytest.raises(ValueError, match=why):
        fitted(workflow.with_value(address, value))


def test_titles_go_before_classes_and_several_are_an_error_that_lists_them(workflow):
    with pytest.raises(ValueError, match=r"'Twin' is 2 nodes: Twin \(LoadImage, #7\); Twin \(LoadImage, #9\).*#7"):
        workflow.with_value("Twin.image", "a.png")
    with pytest.raises(ValueError, match="'LoadVideo' is 2 nodes: Load the clip"):
        workflow.with_value("LoadVideo.file", "a.mp4")
    with pytest.raises(ValueError, match="no node is called 'Load the clap'; did you mean 'Load the clip'"):
        workflow.with_value("Load the clap.file", "a.mp4")
    titled = Workflow.of({**workflow.graph, "5": node("SaveVideo", "LoadVideo", format="auto")})
    assert titled.find("LoadVideo") == "5"


def test_a_file_goes_to_the_only_node_that_loads_such_a_file(workflow, tmp_path: Path):
    clip = tmp_path / "b.mp4"
    clip.write_bytes(b"clip")
    with pytest.raises(ValueError, match=r"2 places take a video: Load the clip \(LoadVideo, #1\).file; .*#2\).file"):
        workflow.with_file("", clip, "video").fitted(INFO)
    one = Workflow.of({"1": node("VHS_LoadVideo", "Clip", video="a.mp4"), "2": node("LoadImage", "Face", image="x")})
    placed = one.with_file("", clip, "video").fitted(INFO)[1]
    assert [(upload.node, upload.input, upload.file) for upload in placed] == [("1", "video", clip)]
    for address in ("Load the clip", "Load the clip.file", "#1"):
        assert workflow.with_file(address, clip, "video").fitted(INFO)[1][0].node == "1"
    with pytest.raises(ValueError, match="loads no video"):
        workflow.with_file("#7", clip, "video").fitted(INFO)
    twice = workflow.with_file("#1", clip).with_file("#1", Path(__file__))
    with pytest.raises(ValueError, match="can't be both"):
        twice.fitted(INFO)
    with pytest.raises(FileNotFoundError, match="nothing.mp4"):
        workflow.with_file("#1", tmp_path / "nothing.mp4")


def test_a_change_gives_a_new_workflow(workflow):
    changed = workflow.with_value("Sample.seed", 8)
    assert fitted(workflow)["3"]["inputs"]["seed"] == 1 and fitted(changed)["3"]["inputs"]["seed"] == 8
    assert workflow.graph["3"]["inputs"]["seed"] == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"nodes": [], "links": []}', r"graph editor's format.*Export \(API\)"),
        ("[]", r"not a workflow in API format.*Export \(API\)"),
        ('{"1": {"inputs": {}}}', "entry '1' has no class_type"),
        ("\x89PNG", r"is not JSON.*Export \(API\)"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_how_to_export(tmp_path: Path, content, why):
    file = tmp_path / "flow.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=why):
        Workflow.load(file)


def test_every_shipped_workflow_is_read_and_every_title_finds_its_node():
    folder = Path(__file__).resolve().parents[2] / "workflows" / "api"
    files = sorted(folder.glob("*.json"))
    assert files
    for file in files:
        workflow = Workflow.load(file)
        assert workflow.graph == json.loads(file.read_text())
        assert all(workflow.find(f"#{node_id}") == node_id for node_id in workflow.graph)

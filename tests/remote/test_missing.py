"""What a server lacks for a workflow, from its /object_info alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from physics_preserver.nodes.remote import Workflow
from physics_preserver.nodes.remote.check import in_words
from physics_preserver.nodes.remote.missing import file_inputs, missing_nodes, missing_values, shipped
from physics_preserver.nodes.remote.packs import pack_of

INFO = {
    "VAELoader": {"input": {"required": {"vae_name": [["wan\\there.safetensors"]]}}},
    "KSampler": {"input": {"required": {"sampler_name": [["euler"]], "model": ["MODEL"], "new": ["INT", {}]}}},
    "PP_TrackObjects": {"input": {"required": {"detector": ["COMBO", {"options": ["none"]}]}}},
}


def flow(**nodes: dict) -> Workflow:
    return Workflow.of({key.strip("n"): {"_meta": {"title": f"Title {key}"}, **node} for key, node in nodes.items()})


def node(kind: str, **inputs: object) -> dict:
    return {"class_type": kind, "inputs": inputs}


def test_nodes_are_named_with_their_pack():
    workflow = flow(
        n1=node("UnetLoaderGGUF"),
        n2=node("UnetLoaderGGUF"),
        n3=node("Unheard"),
        n4=node("PP_New"),
        n5=node("VAELoader"),
    )
    found = missing_nodes(workflow, INFO)
    assert [(item.name, item.where) for item in found] == [
        ("UnetLoaderGGUF", "ComfyUI-GGUF"), ("Unheard", ""), ("PP_New", "Physics Preserver")
    ]  # fmt: skip
    assert "older than this workflow" in found[2].hint and not found[0].hint
    assert "Install Missing Custom Nodes" in found[1].in_words()


def test_models_choices_and_inputs():
    workflow = flow(
        n1=node("VAELoader", vae_name="gone.safetensors"),
        n2=node("VAELoader", vae_name="there.safetensors"),
        n3=node("KSampler", sampler_name="eular", model=["9", 0]),
        n4=node("PP_TrackObjects", detector="yolox_nano.onnx"),
        n5=node("WanVideoVAELoader", model_name="wan.safetensors"),
    )
    found = {item.name: item for item in missing_values(workflow, INFO)}
    assert set(found) == {
        "gone.safetensors", "there.safetensors", "eular", "new", "yolox_nano.onnx", "wan.safetensors"
    }  # fmt: skip
    assert found["gone.safetensors"].where == "vae" and not found["gone.safetensors"].hint
    assert "it is there as 'wan\\\\there.safetensors'" in found["there.safetensors"].hint
    assert (found["eular"].kind, found["new"].kind) == ("choice", "input")
    catalogued = found["yolox_nano.onnx"]
    assert catalogued.where == "detection" and catalogued.url.endswith("/yolox_nano.onnx")
    assert "can't be seen without the node" in found["wan.safetensors"].hint


def test_the_editors_twin_says_where_a_model_comes_from(tmp_path: Path):
    (tmp_path / "api").mkdir()
    loader = {"properties": {"models": [{"name": "gone.safetensors", "url": "https://x/gone", "directory": "vae/wan"}]}}
    (tmp_path / "flow.json").write_text(json.dumps({"nodes": [{}, loader]}))
    (tmp_path / "api" / "flow.json").write_text(json.dumps({"1": node("VAELoader", vae_name="gone.safetensors")}))
    (found,) = missing_values(Workflow.load(tmp_path / "api" / "flow.json"), INFO)
    assert (found.where, found.url) == ("vae/wan", "https://x/gone")


def test_the_packs_of_node_classes():
    for kind in ("PP_TrackObjects", "VHS_LoadVideo", "WanVideoSampler", "LoadWanVideoT5TextEncoder", "UnetLoaderGGUF"):
        assert pack_of(kind), kind
    assert pack_of("KSampler") is None


def test_the_text_says_where_a_thing_comes_from_once():
    item = {
        "kind": "model",
        "name": "a.gguf",
        "used": "X",
        "where": "vae",
        "url": "https://x/a",
        "hint": "",
        "text": "t",
    }
    one = {"name": "one", "can_run": False, "missing": [item], "files": []}
    found = {
        "url": "http://h", "comfyui": "1", "python": "3", "torch": "2", "memory": {"total": None, "free": 2**30},
        "devices": [], "pack": {"installed": False, "version": None, "folder": None, "here": "0.1.0"},
        "workflows": [one, {**one, "name": "two"}, {"name": "ok", "can_run": True, "missing": [], "files": ["A.file"]}],
    }  # fmt: skip
    lines = in_words(found).splitlines()
    assert lines[2].startswith("Physics Preserver: not installed there; get it from")
    assert lines[3:] == [
        "one: can NOT run, for want of", "  models/vae/a.gguf", "      https://x/a",
        "two: can NOT run, for want of", "  models/vae/a.gguf", "ok: can run; it reads A.file",
    ]  # fmt: skip


RECORDED = json.loads((Path(__file__).resolve().parents[1] / "workflows" / "object_info.json").read_text())


def test_the_packs_are_called_as_their_folders_are():
    of_packs = {
        kind: info["python_module"] for kind, info in RECORDED.items() if "custom_nodes" in info["python_module"]
    }
    assert of_packs
    assert {kind: f"custom_nodes.{getattr(pack_of(kind), 'name', None)}" for kind in of_packs} == of_packs
    assert not [kind for kind in RECORDED if kind not in of_packs and pack_of(kind)], "core's nodes belong to no pack"


@pytest.mark.parametrize("file", shipped(), ids=lambda file: file.stem)
def test_a_server_with_all_packs_lacks_only_models_and_says_where_they_come_from(file: Path):
    workflow = Workflow.load(file)
    assert all(item.name.startswith("PP_") for item in missing_nodes(workflow, RECORDED))
    missing = missing_values(workflow, RECORDED)
    assert all(item.kind == "model" and item.where and item.url for item in missing), missing
    assert any(spec.accepts == "video" for _, spec in file_inputs(workflow, RECORDED))

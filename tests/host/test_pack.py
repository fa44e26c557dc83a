"""The pack in a real ComfyUI: it loads, says what it has, and serves its pages."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from comfyui import PACK, PACK_NAME, Server, find_comfyui, python_of

NODES = {
    "PP_DetectSubjects": ["BOUNDING_BOX", "INT", "PHYSICS_PAIRING", "STRING"],
    "PP_LoadSAM2": ["PP_SAM2_MODEL"],
    "PP_TrackObjects": ["SAM3_TRACK_DATA", "STRING"],
    "PP_ObjectRelations": ["PHYSICS_RELATIONS", "STRING"],
    "PP_PreviewTrack": ["VIDEO"],
    "PP_SavePhysics": ["STRING"],
    "PP_EstimatePose": ["POSE_KEYPOINT", "STRING"],
    "PP_DrawPose": ["VIDEO"],
    "PP_LoadPhysics": ["SAM3_TRACK_DATA", "PHYSICS_RELATIONS", "POSE_KEYPOINT"],
    "PP_PromptObjects": ["PHYSICS_PROMPTS", "STRING", "STRING", "INT", "BOUNDING_BOX"],
    "PP_PreviewPrompts": ["MASK"],
    "PP_ApproveTracks": ["SAM3_TRACK_DATA"],
    "PP_VACEControl": ["IMAGE", "MASK", "INT", "INT", "INT", "PHYSICS_CONTROL", "STRING", "IMAGE", "MASK"],
    "PP_ReskinLongClip": ["VIDEO", "STRING", "PHYSICS_CONTROL"],
    "PP_ReskinWindow": ["PP_RESKIN_DONE"],
    "PP_ReskinJoin": ["VIDEO", "STRING"],
    "PP_CompositeKeptPixels": ["VIDEO", "PHYSICS_CONTROL", "STRING"],
    "PP_MatteVideo": ["VIDEO", "STRING", "STRING", "MASK"],
    "PP_MatteVR180Video": ["VIDEO", "STRING", "STRING", "VIDEO"],
    "PP_StereoConsistency": ["STRING", "BOOLEAN", "FLOAT", "STRING"],
    "PP_RepairPhysics": ["VIDEO", "PHYSICS_REPORT", "BOOLEAN", "STRING"],
    "PP_LoadMatteModel": ["PP_MATTE_MODEL"],
    "PP_MakeTrimap": ["VIDEO", "MASK", "STRING"],
    "PP_RefineMatte": ["VIDEO", "MASK", "STRING"],
    "PP_MatteQuality": ["STRING", "STRING"],
    "PP_ValidatePhysics": ["PHYSICS_REPORT", "BOOLEAN", "FLOAT", "IMAGE", "MASK", "STRING", "SAM3_TRACK_DATA"],
    "PP_CompareClips": ["VIDEO"],
}

# They take no footage, or not from a user.
WITHOUT_FRAMES = {
    *("PP_LoadPhysics", "PP_LoadSAM2", "PP_ReskinWindow", "PP_ReskinJoin", "PP_LoadMatteModel", "PP_MakeTrimap"),
}

OPTIONAL = ("cv2", "sam2", "ultralytics", "rtmlib", "onnxruntime", "matplotlib", "pymatting", "transformers")

LOAD_WITHOUT = """
import asyncio, importlib.util, sys
sys.argv = ["main.py", "--cpu"]
sys.path.insert(0, {comfyui!r})
import comfy.options
comfy.options.enable_args_parsing()  # or --cpu isn't read
import comfy.samplers  # ComfyUI is there before any pack
for name in [name for name in sys.modules if name.partition(".")[0] in {absent!r}]:
    del sys.modules[name]

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
spec = importlib.util.spec_from_file_location("pack_x_", {init!r}, submodule_search_locations=[{pack!r}])
pack = importlib.util.module_from_spec(spec)
sys.modules["pack_x_"] = pack
spec.loader.exec_module(pack)
extension = asyncio.run(pack.comfy_entrypoint())
print(*sorted(node.GET_SCHEMA().node_id for node in asyncio.run(extension.get_node_list())))
"""


@pytest.fixture(scope="module")
def info(comfyui: Server) -> dict:
    return comfyui.get("/object_info")


def test_pack_is_imported(comfyui: Server) -> None:
    lines = [line for line in comfyui.log.splitlines() if PACK_NAME in line]
    # Other words for errors stand in the log as well, of tests before this one that ask for what can't be done.
    assert lines and not any("IMPORT FAILED" in line or "Cannot import" in line for line in lines), lines


def test_every_node_is_there_and_no_other(info: dict) -> None:
    assert {name: about["output"] for name, about in info.items() if name.startswith("PP_")} == NODES


@pytest.mark.parametrize("name", NODES)
def test_node_explains_itself(info: dict, name: str) -> None:
    about = info[name]
    inputs = {**about["input"]["required"], **about["input"].get("optional", {})}
    assert about["category"].startswith("physics preserver/")
    assert about["description"].endswith(".") and about["search_aliases"]
    assert [key for key, (_, options) in inputs.items() if not options.get("tooltip")] == []
    assert all(about["output_tooltips"])


@pytest.mark.parametrize("name", sorted(set(NODES) - WITHOUT_FRAMES))
def test_frames_come_as_video_or_image(info: dict, name: str) -> None:
    inputs = {**info[name]["input"]["required"], **info[name]["input"].get("optional", {})}
    frames = {kind for key, (kind, _) in inputs.items() if key in ("clip", "generated", "pose")}
    assert frames - {"POSE_KEYPOINT"} == {"VIDEO,IMAGE"}


@pytest.mark.parametrize("name", NODES)
def test_help_page_names_every_input_and_output(comfyui: Server, info: dict, name: str) -> None:
    page = comfyui.read(f"/extensions/{PACK_NAME}/docs/{name}.md").decode()
    about = info[name]
    named = [*about["input_order"]["required"], *about["input_order"].get("optional", []), *about["output_name"]]
    assert [key for key in named if f"`{key}`" not in page] == []


def test_template_is_listed_and_the_api_graph_is_not(comfyui: Server) -> None:
    listed = comfyui.get("/workflow_templates")[PACK_NAME]
    assert sorted(listed) == sorted(file.stem for file in (PACK / "workflows").glob("*.json"))
    for name in listed:
        assert comfyui.get(f"/api/workflow_templates/{PACK_NAME}/{name}.json")["nodes"]
        assert comfyui.read(f"/api/workflow_templates/{PACK_NAME}/{name}.jpg").startswith(b"\xff\xd8")


def test_loads_with_none_of_the_optional_packages(comfyui: Server, tmp_path: Path) -> None:
    folder = find_comfyui()
    assert folder is not None
    script = LOAD_WITHOUT.format(comfyui=str(folder), absent=OPTIONAL, init=str(PACK / "__init__.py"), pack=str(PACK))
    done = subprocess.run([str(python_of(folder)), "-B", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1:] == [" ".join(sorted(NODES))], done.stderr

"""Graphs posted to a real ComfyUI, and what comes out of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from clips import audio_packets, with_audio
from comfyui import PACK, PromptError, Server
from graphs import MOTION, Graph, compare, control, drawn_boxes, load, node, text, track, validate, write_clip
from physics_preserver.nodes.media.folder import Physics, read_physics
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import LABELS, Scene
from physics_preserver.nodes.validation.region import mask_jaccard

WORKFLOW = PACK / "workflows" / "api" / "extract_and_validate.json"

# All 5 seconds at 720p take two minutes.
REAL_FRAMES = 24


@pytest.fixture(scope="module")
def tracked(scene: Scene) -> Graph:
    """The scene, tracked from its true boxes: clip is node 1, track node 3."""
    return {"1": load("scene.mp4"), "2": drawn_boxes(scene), "3": track("1", "2")}


def frames_in(file: Path) -> int:
    with av.open(str(file)) as container:
        return sum(1 for _ in container.decode(video=0))


def shown(server: Server, entry: dict) -> Path:
    """The file of a preview."""
    image = entry["images"][0]
    return server.base / image["type"] / image["subfolder"] / image["filename"]


def saved(server: Server, outputs: dict, of: str) -> Path:
    return Path(outputs[of]["text"][0])


def test_shipped_workflow_on_the_scene(comfyui: Server, scene: Scene, backwards: Path) -> None:
    graph = json.loads(WORKFLOW.read_text())
    rename(graph, "scene.mp4", backwards.name)
    outputs = comfyui.run(graph)
    videos = [shown(comfyui, entry) for entry in outputs.values() if entry.get("animated") == [True]]
    assert {frames_in(file) for file in videos} == {scene.count()} and len(videos) >= 2


def test_shipped_workflow_on_a_real_clip(comfyui: Server, shared_data: Path) -> None:
    start = open_clip(shared_data / "clips" / "skateboarder.mp4", stop=REAL_FRAMES)
    write_clip(comfyui.input / "skateboarder.mp4", start)
    graph = json.loads(WORKFLOW.read_text())
    rename(graph, "skateboarder.mp4", "skateboarder.mp4")
    outputs = comfyui.run(graph)
    videos = [shown(comfyui, entry) for entry in outputs.values() if entry.get("animated") == [True]]
    assert {frames_in(file) for file in videos} == {REAL_FRAMES}


def rename(graph: Graph, source: str, generated: str) -> None:
    """Put other files into the two LoadVideo nodes, of which the first is the source."""
    files = iter((source, generated))
    for name in sorted(graph, key=int):
        if graph[name]["class_type"] == "LoadVideo":
            graph[name]["inputs"]["file"] = next(files)


def test_saved_folder_holds_the_truth(comfyui: Server, scene: Scene, tracked: Graph) -> None:
    graph = {
        **tracked,
        "4": node("PP_ObjectRelations", track=["3", 0], clip=["1", 0], person="", object=""),
        "5": node("PP_SavePhysics", clip=["1", 0], track=["3", 0], relations=["4", 0], filename_prefix="physics/truth"),
        "6": text("5", 0),
    }
    physics = read_physics(saved(comfyui, comfyui.run(graph), "6"))
    assert physics.track.labels == LABELS
    first = [mask_jaccard(*pair) for pair in zip(physics.track.masks(0), scene.truth(0).masks, strict=True)]
    assert min(first) > 0.3  # a box says less than a mask, and the board is 60 px long
    assert len(physics.metadata["relations"]["contact"]) == scene.count()


def test_saving_again_takes_another_folder(comfyui: Server, tracked: Graph) -> None:
    def save(label: str) -> Path:
        kept = node("PP_SavePhysics", clip=["1", 0], track=["3", 0], filename_prefix="physics/again")
        named = {**tracked, "3": track("1", "2", labels=label)}
        return saved(comfyui, comfyui.run({**named, "5": kept, "6": text("5", 0)}), "6")

    assert [save("a, b").name, save("c, d").name] == ["again_00001_", "again_00002_"]


@pytest.mark.parametrize("prefix", ["../outside", "/tmp/outside", "physics/../../outside", ""])
def test_saving_outside_of_output_is_refused(comfyui: Server, tracked: Graph, prefix: str) -> None:
    graph = {**tracked, "5": node("PP_SavePhysics", clip=["1", 0], track=["3", 0], filename_prefix=prefix)}
    with pytest.raises(PromptError, match="output folder|names no folder"):
        comfyui.run(graph)
    assert not list(comfyui.base.glob("outside*"))


def test_loading_gives_the_track_back(comfyui: Server, scene: Scene, tracked: Graph) -> None:
    save = node("PP_SavePhysics", clip=["1", 0], track=["3", 0], filename_prefix="physics/back")
    folder = saved(comfyui, comfyui.run({**tracked, "5": save, "6": text("5", 0)}), "6")
    name = f"physics/{folder.name} [output]"
    assert (
        name
        in comfyui.get("/object_info/PP_LoadPhysics")["PP_LoadPhysics"]["input"]["required"]["folder"][1]["options"]
    )
    graph = {
        "1": load("scene.mp4"),
        "3": node("PP_LoadPhysics", folder=name),
        "5": node("PP_SavePhysics", clip=["1", 0], track=["3", 0], filename_prefix="physics/twice"),
        "6": text("5", 0),
    }
    once, twice = read_physics(folder), read_physics(saved(comfyui, comfyui.run(graph), "6"))
    assert np.array_equal(once.track.packed, twice.track.packed)
    assert once.metadata["objects"] == twice.metadata["objects"]


@pytest.mark.parametrize("folder", ["../../etc", "physics/none [output]", "physics/none"])
def test_loading_elsewhere_is_refused(comfyui: Server, folder: str) -> None:
    graph = {"1": node("PP_LoadPhysics", folder=folder), "2": text("1", 0)}
    with pytest.raises(PromptError, match="leads out of|is no physics folder"):
        comfyui.run(graph)


@pytest.fixture(scope="module")
def judged(comfyui: Server, scene: Scene, backwards: Path, tracked: Graph) -> dict[str, Any]:
    """The scene judged against itself (node 5) and against its reverse (node 6)."""
    graph = {**tracked, "4": load(backwards.name), "5": validate("3", "1"), "6": validate("3", "4")}
    graph |= {"7": text("5", 1), "8": text("5", 2), "9": text("6", 1), "10": text("6", 5)}
    graph |= {"11": node("MaskToImage", mask=["6", 4]), "12": node("PreviewImage", images=["11", 0])}
    graph |= {"13": node("PreviewImage", images=["6", 3])}
    compared = {"report": ["6", 0], "source_track": ["3", 0], "generated_track": ["6", 6]}
    graph |= {"14": compare("1", "4", **compared), "15": compare("1", "4", mode="wipe", height=96)}
    return comfyui.run(graph)


def test_same_clip_passes_and_its_reverse_fails(judged: dict[str, Any]) -> None:
    passed, score, reverse, summary = (judged[name]["text"][0] for name in ("7", "8", "9", "10"))
    assert (passed, reverse) == ("True", "False"), summary
    assert float(score) > 0.9 and summary.startswith("skateboard: failed: ")


def test_report_is_shown_from_the_temporary_folder(comfyui: Server, scene: Scene, judged: dict[str, Any]) -> None:
    about = judged["6"]["physics_report"][0]
    query = f"/view?subfolder={about['subfolder']}&type={about['type']}&filename="
    shown_report = comfyui.get(query + about["filename"])
    assert shown_report["report"]["verdict"] == "failed" and shown_report["frames"] == scene.count()
    frame = comfyui.get(query + f"{shown_report['pictures'][12]}.json")
    assert frame["source"].startswith("data:image/jpeg;base64,") and frame["outlines"]["skateboard"]["expected"]


def test_failing_frames_come_as_masks(comfyui: Server, scene: Scene, judged: dict[str, Any]) -> None:
    masks = [cv2.imread(str(comfyui.temp / image["filename"]), 0) for image in judged["12"]["images"]]
    assert len(masks) == scene.count() and all(mask is not None and mask.shape == (16, 16) for mask in masks)
    about = judged["6"]["physics_report"][0]
    query = f"/view?subfolder={about['subfolder']}&type={about['type']}&filename={about['filename']}"
    ranges = comfyui.get(query)["report"]["failing_ranges"]
    failing = {t for part in ranges for t in range(part["start"], part["stop"])}
    assert failing and {t for t, mask in enumerate(masks) if mask is not None and mask.min() == 255} == failing
    assert {t for t, mask in enumerate(masks) if mask is not None and mask.max() == 0} == set(range(25)) - failing


def test_chart_is_a_picture(comfyui: Server, judged: dict[str, Any]) -> None:
    assert cv2.imread(str(shown(comfyui, judged["13"]))) is not None


def test_comparison_has_every_frame(comfyui: Server, scene: Scene, judged: dict[str, Any]) -> None:
    beside, wiped = (shown(comfyui, judged[name]) for name in ("14", "15"))
    assert frames_in(beside) == frames_in(wiped) == scene.count()
    sizes = []
    for file in (beside, wiped):
        with av.open(str(file)) as container:
            sizes.append((container.streams.video[0].width, container.streams.video[0].height))
    assert sizes[0][0] == 2 * scene.width and sizes[0][1] > scene.height + 40
    assert sizes[1] == (168, 96)


def test_limits_of_the_user_are_checked_and_used(comfyui: Server, tracked: Graph) -> None:
    with pytest.raises(PromptError, match="there is no rule 'offsett'"):
        comfyui.run({**tracked, "5": validate("3", "1", limits="[offsett]\nlimit = 3")})
    outputs = comfyui.run({**tracked, "5": validate("3", "1", limits="flicker = false\n[offset]\nlimit = 3.5")})
    about = outputs["5"]["physics_report"][0]
    query = f"/view?subfolder={about['subfolder']}&type={about['type']}&filename={about['filename']}"
    limits = comfyui.get(query)["report"]["profile"]["limits"]
    assert limits["offset"]["limit"] == 3.5 and "flicker" not in limits and limits["region"]["limit"] == 0.6


def test_image_batches_give_what_a_video_gives(comfyui: Server, scene: Scene, tracked: Graph) -> None:
    def physics(clip: dict) -> Physics:
        graph = {**tracked, **clip, "3": track("9", "2")}
        graph["5"] = node("PP_SavePhysics", clip=["9", 0], track=["3", 0], filename_prefix="physics/kind")
        return read_physics(saved(comfyui, comfyui.run({**graph, "6": text("5", 0)}), "6"))

    frames = node("GetVideoComponents", video=["1", 0])
    as_video = physics({"9": load("scene.mp4")})
    as_image = physics({"9": frames})
    as_made_video = physics({"8": frames, "9": node("CreateVideo", images=["8", 0], fps=24.0)})
    assert np.array_equal(as_made_video.track.packed, as_image.track.packed)
    for ours, core in zip(as_video.clip(), as_image.clip(), strict=True):
        assert np.abs(ours.image.astype(int) - core.image).mean() < 3
    assert (as_image.track.labels, len(as_image.track)) == (as_video.track.labels, len(as_video.track))


def test_core_nodes_read_our_track(comfyui: Server, scene: Scene, tracked: Graph) -> None:
    graph = {
        **tracked,
        "4": node("SAM3_TrackPreview", track_data=["3", 0], opacity=0.5, fps=24.0),
        "5": node("SAM3_TrackToMask", track_data=["3", 0], object_indices="1"),
        "6": node("MaskToImage", mask=["5", 0]),
        "7": node("PreviewImage", images=["6", 0]),
        "8": node("PP_SavePhysics", clip=["1", 0], track=["3", 0], filename_prefix="physics/core"),
        "9": text("8", 0),
    }
    outputs = comfyui.run(graph)
    ours = read_physics(saved(comfyui, outputs, "9")).track
    assert frames_in(shown(comfyui, outputs["4"])) == scene.count()
    assert len(outputs["7"]["images"]) == scene.count()
    for t, image in enumerate(outputs["7"]["images"]):
        core = cv2.imread(str(comfyui.temp / image["filename"]), cv2.IMREAD_GRAYSCALE)
        assert core is not None
        wrong = np.count_nonzero((core > 127) != ours.mask(t, ours.labels[1]))
        assert wrong <= 0.1 * ours.areas()[t, 1] + 4


def test_our_nodes_read_core_tracks(comfyui: Server, scene: Scene) -> None:
    graph = {
        "1": load("scene.mp4"),
        "3": node("TEST_CoreTrack", frames=scene.count(), width=scene.width, height=scene.height),
        "4": node("PP_PreviewTrack", clip=["1", 0], track=["3", 0]),
        "5": node("PP_SavePhysics", clip=["1", 0], track=["3", 0], filename_prefix="physics/core_made"),
        "6": text("5", 0),
        "7": node("PP_ObjectRelations", track=["3", 0], clip=["1", 0], person="", object="object 2"),
        "8": text("7", 1),
    }
    outputs = comfyui.run(graph)
    read = read_physics(saved(comfyui, outputs, "6")).track
    assert read.labels == ("object 1", "object 2")
    assert np.diff(read.centroids()[:, 0, 0]).mean() == pytest.approx(scene.width / 100, rel=0.05)
    assert "object 1 and object 2" in outputs["8"]["text"][0]


def test_masks_prompt_as_well(comfyui: Server, scene: Scene) -> None:
    for label, mask in zip(LABELS, scene.truth(0).masks, strict=True):
        cv2.imwrite(str(comfyui.input / f"{label}.png"), mask.astype(np.uint8) * 255)
    graph = {"1": load("scene.mp4")}
    graph |= {str(10 + n): node("LoadImageMask", image=f"{label}.png", channel="red") for n, label in enumerate(LABELS)}
    graph["4"] = node("BatchMasksNode", **{"masks.mask0": ["10", 0], "masks.mask1": ["11", 0]})
    graph["3"] = track("1", masks=["4", 0], labels=", ".join(LABELS))
    graph["5"] = node("PP_SavePhysics", clip=["1", 0], track=["3", 0], filename_prefix="physics/masks")
    graph["6"] = text("5", 0)
    read = read_physics(saved(comfyui, comfyui.run(graph), "6")).track
    assert read.labels == LABELS
    assert np.array_equal(read.masks(0), scene.truth(0).masks)


def test_control_fits_core_vace(comfyui: Server, scene: Scene, tracked: Graph) -> None:
    graph = {
        **tracked,
        "4": control("1", "3", length="pad", grow=2),
        "5": text("4", 2),
        "6": text("4", 3),
        "7": text("4", 4),
    }
    graph |= {"8": node("PreviewImage", images=["4", 0]), "9": node("MaskPreview", mask=["4", 1])}
    outputs = comfyui.run(graph)
    width, height, length = (int(outputs[name]["text"][0]) for name in ("5", "6", "7"))
    assert (width, height, length) == (scene.width // 16 * 16, scene.height // 16 * 16, scene.count())
    assert len(outputs["8"]["images"]) == len(outputs["9"]["images"]) == length
    picture = cv2.imread(str(comfyui.temp / outputs["8"]["images"][0]["filename"]))
    mask = cv2.imread(str(comfyui.temp / outputs["9"]["images"][0]["filename"]), cv2.IMREAD_GRAYSCALE)
    assert picture is not None and mask is not None and picture.shape[:2] == mask.shape == (height, width)
    assert set(np.unique(picture[mask > 127])) == {127}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("yolox_x.onnx", r"(?s)yolox_x\.onnx .*models/detection.*https://.*Apache-2\.0"),
        ("../../yolox_huge.onnx", r"(?s)yolox_huge\.onnx .*models/detection.*known.*yolox_nano\.onnx.*models list"),
    ],
)
def test_missing_model_says_where_it_goes_and_comes_from(comfyui: Server, scene: Scene, name: str, said: str) -> None:
    (comfyui.base / "yolox_huge.onnx").touch()
    detect = node("PP_DetectSubjects", clip=["1", 0], detector=name, object="skateboard", frames=8)
    with pytest.raises(PromptError, match=said):
        comfyui.run({"1": load("scene.mp4"), "2": detect, "3": text("2", 3)})


def test_nothing_to_track_says_so(comfyui: Server, scene: Scene) -> None:
    kept = node("PP_PreviewTrack", clip=["1", 0], track=["3", 0])
    with pytest.raises(PromptError, match="nothing to track"):
        comfyui.run({"1": load("scene.mp4"), "3": track("1"), "4": kept})


def test_empty_mask_says_so(comfyui: Server, scene: Scene) -> None:
    graph = {"1": load("scene.mp4"), "2": node("SolidMask", value=0.0, width=scene.width, height=scene.height)}
    graph |= {
        "3": track("1", masks=["2", 0], labels="skateboard"),
        "4": node("PP_PreviewTrack", clip=["1", 0], track=["3", 0]),
    }
    with pytest.raises(PromptError, match="'skateboard' covers nothing"):
        comfyui.run(graph)


def test_motion_is_proposed_without_a_model(comfyui: Server, scene: Scene) -> None:
    detect = node("PP_DetectSubjects", clip=["1", 0], detector=MOTION, object="skateboard", frames=24)
    outputs = comfyui.run({"1": load("scene.mp4"), "2": detect, "3": text("2", 3)})
    assert "proposal" in outputs["3"]["text"][0]


def test_preview_keeps_the_audio_of_the_part(comfyui: Server) -> None:
    source = with_audio(comfyui.input / "sound.mp4", frames=24, rate=24)
    graph = {"1": load("sound.mp4")}
    graph |= {"2": node("Video Slice", video=["1", 0], start_time=0.25, duration=0.5, strict_duration=False)}
    graph |= {"3": node("TEST_CoreTrack", frames=24, width=64, height=48)}
    graph |= {"4": node("TEST_CoreTrack", frames=12, width=64, height=48)}
    graph |= {"5": node("PP_PreviewTrack", clip=["1", 0], track=["3", 0])}
    graph |= {"6": node("PP_PreviewTrack", clip=["2", 0], track=["4", 0])}
    outputs = comfyui.run(graph)
    whole, part = (shown(comfyui, outputs[name]) for name in ("5", "6"))
    assert (frames_in(whole), frames_in(part)) == (24, 12)
    sound = [data for _, data in audio_packets(source)]
    assert [data for _, data in audio_packets(whole)] == sound
    kept = audio_packets(part)
    assert 0 < len(kept) < len(sound) and {data for _, data in kept} <= set(sound)
    assert float(kept[-1][0]) < 0.5


def test_control_that_does_not_fit_into_memory_is_refused(comfyui: Server, scene: Scene, tracked: Graph) -> None:
    large = control("1", "3", width=16384, height=16384, length="pad")
    with pytest.raises(PromptError, match=r"25 frames of 16384x16384 needs 125\.0 GiB and \d+\.\d GiB are free"):
        comfyui.run({**tracked, "4": large, "5": text("4", 6)})

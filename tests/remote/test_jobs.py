"""What the client does when a server misbehaves: nothing is lost, overwritten or left half-written."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fake_comfyui import WORKFLOW, FakeComfyUI
from physics_preserver.nodes.remote import JobLost, JobStopped, NodeFailed, Refused, Server, ServerDown, Step, Workflow
from physics_preserver.nodes.remote import jobs as jobs_module

CLIP = b"not really a clip" * 5000


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_module, "RETRY_S", 0.02)


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    clip = tmp_path / "mein Clip ü.mp4"
    clip.write_bytes(CLIP)
    return Workflow.of(WORKFLOW).with_file("Load the clip", clip, "video")


def saved(*names: str, subfolder: str = "") -> dict[str, Any]:
    """A history in which "Paint it" saved files."""
    return {"outputs": {"2": {"images": [{"filename": n, "subfolder": subfolder, "type": "output"} for n in names]}}}


def run(fake: FakeComfyUI, workflow: Workflow, out: Path | None = None, patience: float = 1.0) -> list[str]:
    """Run it; what was noted on the way."""
    notes: list[str] = []

    def note(step: Step) -> None:
        notes.extend([step.text] if step.text else [])

    with Server(fake.address) as server:
        job = server.submit(workflow, note)
        job.wait(note, patience)
        if out:
            job.download(out, note)
    return notes


def test_a_file_is_sent_once_and_never_over_another(workflow):
    with FakeComfyUI() as fake:
        run(fake, workflow)
        (name,) = fake.inputs
        assert name.startswith("mein_Clip-") and name.endswith(".mp4") and fake.inputs[name] == CLIP
        assert fake.prompts[0]["prompt"]["1"]["inputs"]["file"] == name
        run(fake, workflow)
        assert fake.uploads == [name], "the second run finds the first one's file"
    with FakeComfyUI(inputs={name: b"cut off"}) as other:
        run(other, workflow)
        assert other.inputs[name] == b"cut off"
        used = other.prompts[0]["prompt"]["1"]["inputs"]["file"]
        assert used != name and other.inputs[used] == CLIP


def test_a_file_that_is_too_big_is_said_before_it_is_sent(workflow):
    with FakeComfyUI(max_upload_size=1000) as fake, pytest.raises(Refused, match="--max-upload-size 16"):
        run(fake, workflow)
    assert not fake.uploads and not fake.prompts


def test_a_workflow_that_is_half_valid_is_refused_and_taken_out_again(workflow):
    errors = [{"message": "Value not in list", "details": "model: 'x'", "extra_info": {"input_name": "model"}}]
    answer = {"node_errors": {"2": {"errors": errors, "class_type": "Paint"}}}
    with FakeComfyUI(hold="pending", answer=answer) as fake:
        with pytest.raises(Refused, match=r"Paint it \(Paint, #2\): Value not in list: model: 'x'"):
            run(fake, workflow)
        assert fake.cancelled == [fake.prompts[0]["prompt_id"]]


def test_a_missing_model_is_named_with_its_folder(workflow):
    missing = Workflow.of({**WORKFLOW, "2": {**WORKFLOW["2"], "class_type": "Paint"}})
    missing.graph["2"]["inputs"] = {"clip": ["1", 0], "lora_name": "no.safetensors", "model": "gone.safetensors"}
    errors = [{"message": "Value not in list", "details": "", "extra_info": {"input_name": "model"}}]
    answer = {"error": {"message": "failed"}, "node_errors": {"2": {"errors": errors, "class_type": "Paint"}}}
    with FakeComfyUI(status=400, answer=answer) as fake, pytest.raises(Refused, match=r"model gone.safetensors in the"):
        run(fake, missing)


def test_missing_nodes_are_said_before_anything_is_sent(workflow):
    absent = Workflow.of({**workflow.graph, "3": {"class_type": "VHS_LoadVideo", "inputs": {}}})
    with FakeComfyUI() as fake, pytest.raises(Refused, match=r"VHS_LoadVideo, of ComfyUI-VideoHelperSuite, from http"):
        run(fake, absent)
    assert not fake.uploads and not fake.prompts


def test_downloads_are_whole_or_begun_anew_and_never_overwrite(workflow, tmp_path):
    files = {"a.png": b"A" * 3_000_000, "sub/a.png": b"B" * 10}
    outcome = saved("a.png")
    outcome["outputs"]["1"] = saved("a.png", subfolder="sub")["outputs"]["2"]
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    with FakeComfyUI(outputs=files, outcome=outcome, drops=2) as fake:
        notes = run(fake, workflow, out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == {
        "a.png": b"mine", "a-2.png": files["a.png"], "a-3.png": files["sub/a.png"],
    }  # fmt: skip
    assert sum("once more" in note for note in notes) == 2


def test_a_download_that_keeps_breaking_off_leaves_nothing(workflow, tmp_path):
    with FakeComfyUI(outputs={"a.png": b"A" * 3_000_000}, outcome=saved("a.png"), drops=999) as fake:
        with Server(fake.address) as server:
            job = server.submit(workflow)
            job.wait()
            with pytest.raises(ServerDown):
                job.download(tmp_path / "out", patience_s=0.1)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", ["../../escaped.png", "..\\escaped.png", "/escaped.png"])
def test_the_servers_names_do_not_lead_out_of_the_folder(workflow, tmp_path, name):
    with FakeComfyUI(outputs={name: b"x"}, outcome=saved(name)) as fake:
        run(fake, workflow, tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["escaped.png"]


def test_a_job_that_a_restart_lost_is_submitted_once_more(workflow):
    with FakeComfyUI(lose=1) as fake:
        notes = run(fake, workflow)
    assert len(fake.prompts) == 2 and fake.prompts[0]["prompt"] == fake.prompts[1]["prompt"]
    assert any("submitted again" in note for note in notes)


def test_a_file_that_a_restart_lost_is_sent_again(workflow):
    with FakeComfyUI(lose=1) as fake, Server(fake.address) as server:
        job = server.submit(workflow)
        fake.inputs.clear()
        job.wait(patience_s=1)
        assert len(fake.uploads) == 2 and fake.inputs == {fake.uploads[0]: CLIP}
        assert job.submissions == 2


def test_a_job_that_kills_its_server_twice_is_given_up_with_the_node_that_ran(workflow):
    node = {"value": 3, "max": 9, "state": "running", "display_node_id": "2"}
    message = {"type": "progress_state", "data": {"nodes": {"2": node}}}
    with FakeComfyUI(lose=9, messages=[message]) as fake:
        with pytest.raises(JobLost, match="restarted 2 times"):
            run(fake, workflow)
    assert len(fake.prompts) == 2


def test_a_server_behind_a_proxy_is_waited_for_and_the_job_is_not_doubled(workflow):
    with FakeComfyUI(away=6) as fake:
        notes = run(fake, workflow)
    assert len(fake.prompts) == 1 and any("is back" in note for note in notes)


def test_a_job_whose_acknowledgement_is_lost_is_not_doubled(workflow):
    with FakeComfyUI(cut=1) as fake:
        run(fake, workflow)
    assert len(fake.prompts) == 1


def test_a_job_that_the_server_never_got_is_submitted_again(workflow):
    with FakeComfyUI(cut=1, lose=1) as fake:
        notes = run(fake, workflow)
    assert len(fake.prompts) == 2 and any("has not got the job" in note for note in notes)


def test_patience_has_an_end(workflow):
    with FakeComfyUI(away=100_000) as fake, pytest.raises(ServerDown, match="away for 0 s while it had job"):
        run(fake, workflow, patience=0.2)


def test_a_job_that_somebody_removed_is_no_lost_job(workflow):
    with FakeComfyUI(hold="pending") as fake, Server(fake.address) as server:
        job = server.submit(workflow)
        fake.queue.clear()
        with pytest.raises(JobStopped, match="taken out of the server's queue"):
            job.wait()
        assert len(fake.prompts) == 1


def test_what_fails_is_named_and_what_was_made_before_it_is_kept(workflow):
    error = {
        "node_id": "2",
        "node_type": "Paint",
        "exception_message": "too dark\n",
        "exception_type": "a.b.ValueError",
    }
    outcome = {**saved("a.png"), "status": {"messages": [["execution_start", {}], ["execution_error", error]]}}
    with FakeComfyUI(outcome=outcome) as fake, Server(fake.address) as server:
        job = server.submit(workflow)
        with pytest.raises(NodeFailed, match=r"Paint it \(Paint, #2\) failed on the server: too dark \[ValueError\]"):
            job.wait()
        assert [file.filename for file in job.files] == ["a.png"]


def test_a_node_that_holds_a_run_back_is_no_success(workflow):
    held = {"node_id": "2", "exception_type": "ExecutionBlocked", "exception_message": "Execution Blocked: look first"}
    outcome = {"status": {"messages": [["execution_success", {}]]}}
    with FakeComfyUI(messages=[{"type": "execution_error", "data": held}], outcome=outcome) as fake:
        with Server(fake.address) as server:
            job = server.submit(workflow)
            with pytest.raises(JobStopped, match="stopped before Paint it: look first"):
                job.wait()


def test_cancel_takes_out_this_job_and_says_what_became_of_it(workflow):
    with FakeComfyUI(hold="pending") as fake, Server(fake.address) as server:
        job, other = server.submit(workflow), server.submit(workflow)
        assert job.cancel() == "the job is out of the server's queue"
        assert fake.cancelled == [job.id] and other.id in fake.queue


@pytest.mark.parametrize("address", ["127.0.0.1:1", "http://127.0.0.1:1/comfy"])
def test_a_dead_server_is_one_sentence(workflow, address):
    with pytest.raises(ServerDown, match=r"^no ComfyUI answers at http://127.0.0.1:1(/comfy)?: Connection refused$"):
        with Server(address) as server:
            server.submit(workflow)


def test_a_file_that_was_deleted_on_the_server_is_told_and_the_others_are_fetched(workflow, tmp_path):
    with FakeComfyUI(outputs={"b.png": b"b"}, outcome=saved("a.png", "b.png")) as fake, Server(fake.address) as server:
        job = server.submit(workflow)
        job.wait()
        assert [file.path.name for file in job.download(tmp_path / "out")] == ["b.png"]
        assert [file.filename for file in job.lost] == ["a.png"]
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["b.png"]


def test_it_works_where_an_event_loop_runs_already_as_in_a_notebook(workflow):
    async def cell(address: str) -> int:
        with Server(address) as server:
            job = server.submit(workflow)
            job.wait()
            return job.submissions

    with FakeComfyUI() as fake:
        assert asyncio.run(cell(fake.address)) == 1


def physics(masks: str = "mask_board") -> tuple[dict[str, bytes], dict[str, Any]]:
    """A server's physics folder of three frames, and the history of the job that made it."""
    metadata = {"source": {"frame_count": 3}, "objects": [{"masks": masks}], "pose": None}
    names = [
        f"{folder}/{t:05d}.{kind}" for folder, kind in (("frames_original", "jpg"), (masks, "png")) for t in range(3)
    ]
    files = {f"physics/clip_1/{name}": name.encode() * 1000 for name in names}
    files["physics/clip_1/tracking_metadata.json"] = json.dumps(metadata).encode()
    place = {"filename": "tracking_metadata.json", "subfolder": "physics/clip_1", "type": "output"}
    return files, {"outputs": {"2": {"physics_folder": [place]}}}


def test_a_physics_folder_is_fetched_whole_also_where_it_breaks_off(workflow, tmp_path):
    files, outcome = physics()
    with FakeComfyUI(outputs=files, outcome=outcome, drops=5) as fake:
        run(fake, workflow, tmp_path / "out")
    there = tmp_path / "out" / "clip_1"
    found = {f"physics/clip_1/{file.relative_to(there).as_posix()}": file.read_bytes()
             for file in there.rglob("*") if file.is_file()}  # fmt: skip
    assert found == files and [file.name for file in (tmp_path / "out").iterdir()] == ["clip_1"]


def test_a_physics_folder_that_lacks_a_file_is_lost_and_leaves_nothing(workflow, tmp_path):
    files, outcome = physics()
    del files["physics/clip_1/mask_board/00001.png"]
    with FakeComfyUI(outputs=files, outcome=outcome) as fake, Server(fake.address) as server:
        job = server.submit(workflow)
        job.wait()
        assert job.download(tmp_path / "out") == [] and len(job.lost) == 1
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("masks", ["..", "../..", "/tmp", "a/b", "a\\b", "C:"])
def test_a_physics_folder_does_not_lead_out_of_its_place(workflow, tmp_path, masks):
    files, outcome = physics(masks)
    with FakeComfyUI(outputs=files, outcome=outcome) as fake, pytest.raises(ValueError, match="no file of its folder"):
        run(fake, workflow, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())

"""Long clips in ComfyUI: the node that plans windows, and the two that it expands to."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from comfy_api.latest import InputImpl, io, ui
from comfy_execution.graph_utils import GraphBuilder

from .. import host
from .input_nodes import (
    Control,
    clip_inputs,
    guide_inputs,
    lead_in_input,
    mask_inputs,
    model_inputs,
    picture_inputs,
    sampling_inputs,
    size_inputs,
    window_inputs,
)
from .native_nodes import Sampling, folder_of_run, footage_of

if TYPE_CHECKING:
    import numpy as np

    from .reskin import Footage
    from .run_folder import RunFolder

Job = io.Custom("PP_RESKIN_JOB")
Done = io.Custom("PP_RESKIN_DONE")


@dataclass(frozen=True)
class ReskinJob:
    """What all windows of a run share. It is passed as it is, so that nothing above the node runs again."""

    footage: Footage
    sampling: Sampling
    reference: np.ndarray | None
    run: RunFolder


class ReskinLongClip(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_ReskinLongClip",
            display_name="Reskin Long Clip",
            category="physics preserver/conditioning",
            description=(
                "Repaints a clip of any length with Wan VACE, in windows that each go on from the last frames of the "
                "one before. A run that was cancelled or crashed goes on with the window it was in."
            ),
            search_aliases=["wan", "vace", "long video", "context windows", "extend video", "sliding window"],
            inputs=[
                *clip_inputs(),
                *model_inputs(),
                *picture_inputs(),
                *mask_inputs(),
                *size_inputs(832, 480),
                *sampling_inputs(),
                *window_inputs(),
                io.String.Input(
                    "filename_prefix",
                    default="physics/reskin",
                    tooltip="Name of the run's folder inside ComfyUI's output; a key of all settings is added.",
                ),
                *guide_inputs(),
                lead_in_input(optional=True),
            ],
            outputs=[
                io.Video.Output("video", tooltip="As many frames as the clip, at its times, with its file's sound."),
                io.String.Output("notes", tooltip="Windows, seeds, how they were joined, and what had been finished."),
                Control.Output(
                    "control", tooltip="For Validate Physics and Compare Clips: which part of the picture is shown."
                ),
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            is_output_node=True,
            enable_expand=True,
        )

    @classmethod
    def execute(
        cls,
        clip: Any,
        track: Any,
        width: int,
        height: int,
        window: int,
        overlap: int,
        filename_prefix: str,
        repaint: str,
        guide: str,
        shape: str,
        grow: int,
        latent_aligned: bool,
        guide_video: Any = None,
        references: Any = None,
        lead_in: int = 0,
        **sampling: Any,
    ) -> io.NodeOutput:
        from ..media.exchange import from_socket
        from ..media.open import open_clip
        from ..media.writer import container_for
        from .choices import Choices
        from .plan import plan_control
        from .references import reference_sheet
        from .run_folder import RunFolder
        from .vace import describe
        from .windows import plan_windows

        run_settings = Sampling(**sampling)
        tracked = from_socket(track)
        source = open_clip(clip, rate=tracked.rate)
        plan = plan_control(tracked.clip_size, 1, width or None, height or None)
        choices = Choices(repaint, guide, shape, grow, latent_aligned)
        footage = footage_of(source, tracked, plan, choices, guide_video, range(len(tracked)))
        windows = plan_windows(len(tracked), window, overlap, lead_in)
        control = describe(source, tracked, replace(plan, frames=tuple(footage.frames)), choices)
        folder, notes = folder_of_run(cls.hidden, filename_prefix, ("filename_prefix",))
        run = RunFolder(folder, windows, footage.size, source.rate, container_for(source.audio_file()))
        finished = run.begin()
        notes += [*plan.notes, _planned(run, sampling["seed"])]
        if run.result.is_file():
            found = _shown(run, [*notes, "this very run was finished before: its video is used"])
            return io.NodeOutput(*found.args, control, ui=found.ui)
        if finished:
            notes.append(f"the first {finished} of {len(windows)} windows were finished before and are used")
        for note in notes:
            logging.info("Physics Preserver, Reskin Long Clip: %s", note)
        sheet = None if references is None else reference_sheet(references, plan.width, plan.height)
        job = ReskinJob(footage, run_settings, sheet, run)
        graph, done = GraphBuilder(), notes
        for number in range(finished, len(windows)):
            done = graph.node("PP_ReskinWindow", job=job, number=number, before=done).out(0)
        joined = graph.node("PP_ReskinJoin", job=job, done=done)
        return io.NodeOutput(joined.out(0), joined.out(1), control, expand=graph.finalize())


class ReskinWindow(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_ReskinWindow",
            display_name="Reskin Window",
            category="physics preserver/conditioning",
            description="One window of Reskin Long Clip, which makes this node by itself.",
            search_aliases=["vace window"],
            inputs=[
                Job.Input("job", tooltip="What all windows share."),
                io.Int.Input("number", default=0, min=0, tooltip="Which window, from 0."),
                Done.Input("before", tooltip="The window before is finished; what there is to say so far."),
            ],
            outputs=[Done.Output("done", tooltip="This window is finished.")],
            is_dev_only=True,
        )

    @classmethod
    def execute(cls, job: ReskinJob, number: int, before: Sequence[str]) -> io.NodeOutput:
        from .reskin import run_window

        generate = job.sampling.generate(job.reference)
        seam = run_window(job.run, job.footage, number, generate, job.sampling.seed)
        window = job.run.windows[number]
        said = f"window {number + 1} of {len(job.run.windows)}: frames {window.start} to {window.stop - 1}"
        if seam is not None:
            said += f"; the {window.kept} frames it shares with the one before {seam.describe()}"
        logging.info("Physics Preserver, Reskin Long Clip: %s", said)
        return io.NodeOutput([*before, said])


class ReskinJoin(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="PP_ReskinJoin",
            display_name="Reskin Join",
            category="physics preserver/conditioning",
            description="The end of Reskin Long Clip, which makes this node by itself: one video of all windows.",
            search_aliases=["vace windows join"],
            inputs=[
                Job.Input("job", tooltip="What all windows share."),
                Done.Input("done", tooltip="The last window is finished; what there is to say."),
            ],
            outputs=[
                io.Video.Output("video", tooltip="The whole clip."),
                io.String.Output("notes", tooltip="What there was to say."),
            ],
            is_dev_only=True,
        )

    @classmethod
    def execute(cls, job: ReskinJob, done: Sequence[str]) -> io.NodeOutput:
        from .reskin import write_result

        write_result(job.run, job.footage.clip)
        return _shown(job.run, done)


def _planned(run: RunFolder, seed: int) -> str:
    count, (height, width) = len(run.windows), run.size
    first = run.windows[0]
    said = f"{run.windows[-1].stop} frames of {width}x{height} in {count} window{'s' if count > 1 else ''}"
    padded = f", padded by {first.padding}" if first.padding else ""
    padded += f", the first {first.lead_in} of them lead-in, which is dropped" if first.lead_in else ""
    seeds = f"seed {seed}" if count == 1 else f"seeds {seed} and on, one more for each window"
    return f"{said} of {first.length} frames{padded}, {seeds}"


def _shown(run: RunFolder, notes: Sequence[str]) -> io.NodeOutput:
    name, subfolder = host.in_output(run.result)
    shown = ui.PreviewVideo([ui.SavedResult(name, subfolder, io.FolderType.output)])
    return io.NodeOutput(InputImpl.VideoFromFile(str(run.result)), "\n".join(notes), ui=shown)

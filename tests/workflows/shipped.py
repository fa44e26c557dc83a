"""The graphs that the pack ships, each described once; build_workflows.py writes them to workflows/."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from parts import (
    JUDGED,
    MENDED,
    NEGATIVE,
    PROMPT,
    SAM2,
    SAY_IT,
    STEPS,
    WHAT_CHANGES,
    WHICH_CLIP,
    WHICH_DETECTOR,
    WINDOWS,
    WRAPPER_TEXT,
    WRAPPER_VACE,
    WRAPPER_VAE,
    WRAPPER_WAN,
    compare,
    control,
    files,
    follow,
    gguf_models,
    judge,
    keep,
    load_clip,
    native_models,
    paste_back,
    sample,
    save,
    texts,
    windows,
)
from sheet import Sheet


def extract(sheet: Sheet) -> None:
    clip = load_clip(sheet, WHICH_CLIP)
    sheet.group("2  Find and follow")
    found = sheet.node("PP_DetectSubjects", clip=clip)
    sheet.node("PreviewAny", "Why these subjects", source=found["reasons"], tall=180)
    sheet.column()
    tracked = sheet.node("PP_TrackObjects", clip=clip, boxes=found["boxes"])
    sheet.note("Which detector?", WHICH_DETECTOR)
    sheet.group("3  What they do to each other")
    related = sheet.node("PP_ObjectRelations", track=tracked["track"], clip=clip)
    sheet.node("PreviewAny", "Relations in words", source=related["summary"], tall=200)
    sheet.group("4  See it and keep it", 420)
    about: dict[str, Any] = {"clip": clip, "track": tracked["track"], "relations": related["relations"]}
    sheet.node("PP_PreviewTrack", **about, tall=400)
    sheet.node("PP_SavePhysics", **about, pairing=found["pairing"])
    sheet.note(
        "What is kept?",
        "## The physics folder\n\nFrames, a mask for each object, boxes and relations go to **output/physics**. "
        "**Load Physics** reads them back.",
    )


def extract_and_validate(sheet: Sheet) -> None:
    clip = load_clip(sheet, WHICH_CLIP)
    sheet.group("2  Find and follow")
    found = sheet.node("PP_DetectSubjects", clip=clip)
    sheet.node("PreviewAny", "Why these subjects", source=found["reasons"], tall=180)
    sheet.column()
    track = sheet.node("PP_TrackObjects", clip=clip, boxes=found["boxes"])["track"]
    sheet.note("Which detector?", WHICH_DETECTOR)
    sheet.group("3  See it and keep it")
    related = sheet.node("PP_ObjectRelations", track=track, clip=clip)
    sheet.node("PreviewAny", "Relations in words", source=related["summary"], tall=200)
    about: dict[str, Any] = {"clip": clip, "track": track, "relations": related["relations"]}
    sheet.node("PP_SavePhysics", **about, pairing=found["pairing"])
    sheet.column(420)
    overlay = sheet.node("PP_PreviewTrack", **about, tall=400)["overlay"]
    sheet.node("SaveVideo", "Save the preview", video=overlay, filename_prefix="video/physics_preview", tall=400)
    sheet.group("4  Did the physics survive?")
    generated = sheet.node("LoadVideo", "Load the generated clip", file="generated.mp4", tall=400)["VIDEO"]
    sheet.note(
        "Which generated clip?",
        "## Choose what to judge\n\n**Load the generated clip** takes what a generator made of the first clip: as many "
        "frames, the same proportions.",
    )
    sheet.column(680)
    verdict = sheet.node("PP_ValidatePhysics", source=track, clip=clip, generated=generated, tall=1000)
    compare(sheet, clip, track, generated, verdict)


def prompt_and_track(sheet: Sheet) -> None:
    clip = load_clip(
        sheet,
        "## Choose your clip\n\nPick it in **Load the clip**, or drop a file there. Its frames then show in **Prompt "
        "Objects** at once.\n\nA clip from anywhere else works too: press **Load frames** there.",
    )
    sheet.group("2  Show the objects", 620)
    drawn = sheet.node("PP_PromptObjects", clip=clip, in_api={"objects": json.dumps(DRAWN)}, tall=780)
    sheet.note(
        "How to draw",
        "**Add object**, name it, click on it or drag a box around it. **Preview mask** shows at once what the tracker "
        "will start from. Correct it with Shift-clicks, or on a later frame. Then **Run**.",
    )
    sheet.group("3  Follow them")
    sam2 = sheet.node("PP_LoadSAM2", bypassed=True, models=[SAM2], checkpoint=SAM2.name)
    sheet.note(
        "Which tracker?",
        "## SAM 2.1, or nothing to download\n\nAs it is, the embedded tracker follows what you drew: no model, for a "
        "first try.\n\nFor good masks put a SAM 2.1 checkpoint into **models/sam2**, press **R**, choose it in **Load "
        "SAM 2.1** and switch that node on (Ctrl+B). **Preview mask** then uses it as well.\n\n" + files(SAM2),
    )
    sheet.column()
    track = sheet.node("PP_TrackObjects", clip=clip, prompts=drawn["prompts"], sam2=sam2["sam2"])["track"]
    sheet.group("4  Look and approve", 560)
    approved = sheet.node("PP_ApproveTracks", track=track, clip=clip, tall=640)["track"]
    sheet.note(
        "Approve",
        "## The graph stops here\n\nLook at the masks, then press **Approve and go on**: only what comes behind this "
        "node runs.\n\nNot good? Go back to **Prompt Objects**, correct, and run again: a track that changes has to be "
        "approved again.",
    )
    sheet.group("5  Go on", 480)
    sheet.node("PP_PreviewTrack", clip=clip, track=approved, tall=440)
    sheet.note(
        "What comes after",
        "## Approved masks only\n\nEverything behind **Approve Tracks** waits for you: put **Save Physics**, **VACE "
        "Control** and your generator here.",
    )


DRAWN = {
    "schema": "physics-preserver/prompts",
    "schema_version": 1,
    "objects": [
        {"label": "person", "prompts": [{"frame": 0, "box": [100, 60, 220, 300], "points": []}]},
        {
            "label": "skateboard",
            "prompts": [
                {
                    "frame": 0,
                    "box": None,
                    "points": [{"x": 160, "y": 310, "positive": True}, {"x": 160, "y": 250, "positive": False}],
                }
            ],
        },
    ],
}


def validate(sheet: Sheet) -> None:
    clip = load_clip(sheet, "## Choose both clips\n\nHere the original, beside it what a generator made of it.")
    sheet.column()
    generated = sheet.node("LoadVideo", "Load the generated clip", file="generated.mp4", tall=400)["VIDEO"]
    sheet.note(
        "Which generated clip?",
        "As many frames as the original, and the same proportions. If **VACE Control** cut or trimmed, wire its "
        "**control** into **Validate Physics** and **Compare Clips**.",
    )
    track = follow(sheet, clip)
    sheet.group("3  Did the physics survive?", 680)
    verdict = sheet.node("PP_ValidatePhysics", source=track, clip=clip, generated=generated, tall=1000)
    compare(sheet, clip, track, generated, verdict)
    sheet.note("Passed or failed?", JUDGED)


def reskin_native(sheet: Sheet) -> None:
    clip = load_clip(sheet)
    track = follow(sheet, clip)
    made = control(sheet, clip, track)
    model, text, vae = native_models(sheet)
    frames = sample(sheet, model, texts(sheet, text), vae, made)
    judge(sheet, clip, track, keep(sheet, clip, frames, made))


def reskin_gguf(sheet: Sheet) -> None:
    clip = load_clip(sheet)
    track = follow(sheet, clip)
    made = control(sheet, clip, track)
    model, text, vae = gguf_models(sheet)
    frames = sample(sheet, model, texts(sheet, text, first=False), vae, made, tiled=True)
    judge(sheet, clip, track, keep(sheet, clip, frames, made))


def reskin_wanvideowrapper(sheet: Sheet) -> None:
    clip = load_clip(sheet)
    track = follow(sheet, clip)
    made = control(sheet, clip, track)
    sheet.group("4  The model, and what it is told")
    module = sheet.node("WanVideoVACEModelSelect", "VACE", vace_model=WRAPPER_VACE.name, models=[WRAPPER_VACE])
    model = sheet.node(
        "WanVideoModelLoader", "Load Wan", model=WRAPPER_WAN.name, extra_model=module["extra_model"],
        models=[WRAPPER_WAN],
    )  # fmt: skip
    vae = sheet.node("WanVideoVAELoader", "Load Wan's VAE", model_name=WRAPPER_VAE.name, models=[WRAPPER_VAE])
    sheet.column(400)
    text = sheet.node(
        "LoadWanVideoT5TextEncoder", "Load the text encoder", model_name=WRAPPER_TEXT.name, models=[WRAPPER_TEXT]
    )
    words = sheet.node(
        "WanVideoTextEncode", "Prompts", t5=text["wan_t5_model"], positive_prompt=PROMPT, negative_prompt=NEGATIVE
    )
    sheet.note("What does it become?", SAY_IT)
    older = (
        "Drawn for WanVideoWrapper 1.4.6. Releases before autumn 2025 call the loader's **extra_model** *vace_model*: "
        "wire **VACE** there. Its text encoder takes no *scaled* fp8 file. With a GGUF main model take one that has "
        "VACE built in, and leave **VACE** out."
    )
    sheet.note("Which files?", files(WRAPPER_WAN, WRAPPER_VACE, WRAPPER_TEXT, WRAPPER_VAE, more=older))
    sheet.group("5  Generate")
    told = sheet.node(
        "WanVideoVACEEncode",
        vae=vae["vae"],
        num_frames=made["length"],
        **made.outputs("width", "height"),
        input_frames=made["control_video"],
        input_masks=made["control_masks"],
        ref_images=made["reference_image"],
    )
    sheet.note("How long, how good?", STEPS)
    sheet.column()
    sampled = sheet.node(
        "WanVideoSampler",
        model=model["model"],
        image_embeds=told["vace_embeds"],
        text_embeds=words["text_embeds"],
        steps=20,
        cfg=6.0,
        shift=8.0,
    )
    frames = sheet.node("WanVideoDecode", vae=vae["vae"], samples=sampled["samples"])["images"]
    judge(sheet, clip, track, keep(sheet, clip, frames, made))


def reskin_vhs(sheet: Sheet) -> None:
    sheet.group("1  The clip")
    loaded = sheet.node(
        "VHS_LoadVideo", "Load the clip", video="clip.mp4", force_rate=16, frame_load_cap=81, format="Wan", tall=560
    )
    clip = loaded["IMAGE"]
    rate = sheet.node("VHS_VideoInfo", "Its rate", video_info=loaded["video_info"])["loaded_fps🟦"]
    sheet.note(
        "Which clip?",
        WHICH_CLIP + "\n\nIt is read at **16** frames a second, Wan's own, and 81 of them. All of them are in memory "
        "as floats: for long or large clips take **reskin_native**, which streams.",
    )
    track = follow(sheet, clip, rate)
    made = control(sheet, clip, track)
    model, text, vae = native_models(sheet)
    frames = sample(sheet, model, texts(sheet, text), vae, made)
    whole = paste_back(sheet, clip, frames, made)
    images = sheet.node("GetVideoComponents", video=whole["video"])["images"]
    sheet.node(
        "VHS_VideoCombine",
        "Save the clip",
        images=images,
        frame_rate=rate,
        audio=loaded["audio"],
        filename_prefix="reskin",
        format="video/h264-mp4",
        tall=560,
    )
    judge(sheet, clip, track, whole)


def reskin_long_clip(sheet: Sheet) -> None:
    clip = load_clip(
        sheet, WHICH_CLIP + "\n\nIt may have **any length**: frames are read as they are needed, and so is the result."
    )
    track = follow(sheet, clip)
    model, text, vae = native_models(sheet, number=3)
    words = texts(sheet, text)
    shifted, made = windows(sheet, clip, track, model, vae, words)
    sheet.column(340)
    sheet.note("What may change?", WHAT_CHANGES)
    sheet.note("How does it go on?", WINDOWS)
    sheet.node("PreviewAny", "What was done", source=made["notes"], tall=240)
    sheet.group("5  Did the physics survive?", 680)
    about = made.outputs("control")
    verdict = sheet.node("PP_ValidatePhysics", source=track, clip=clip, generated=made["video"], tall=1000, **about)
    compare(sheet, clip, track, made["video"], verdict, **about)
    sheet.note("And now?", JUDGED)


def repair_loop(sheet: Sheet) -> None:
    clip = load_clip(sheet, WHICH_CLIP)
    track = follow(sheet, clip)
    model, text, vae = native_models(sheet, number=3)
    words = texts(sheet, text)
    shifted, made = windows(sheet, clip, track, model, vae, words)
    sheet.group("5  Did the physics survive?", 600)
    generated, about = made["video"], made.outputs("control")
    verdict = sheet.node("PP_ValidatePhysics", source=track, clip=clip, generated=generated, tall=1000, **about)
    sheet.group("6  Mend what failed", 420)
    mended = sheet.node(
        "PP_RepairPhysics",
        report=verdict["report"],
        generated=generated,
        clip=clip,
        track=track,
        model=shifted["MODEL"],
        vae=vae,
        positive=words[0],
        negative=words[1],
        **{"guide": "edges", "grow": 8, "latent_aligned": True},
        tall=960,
        **about,
    )
    sheet.column(380)
    save(sheet, mended["video"], "video/repaired")
    sheet.note("How is it mended?", MENDED)
    sheet.group("7  And now?", 520)
    sheet.node(
        "PP_CompareClips", source=clip, generated=mended["video"], report=mended["report"], source_track=track,
        tall=520, **about,
    )  # fmt: skip
    sheet.node("PreviewAny", "Every attempt in words", source=mended["summary"], tall=300)


def matte_video(sheet: Sheet) -> None:
    clip = load_clip(
        sheet, "## Choose your clip\n\nPick it in **Load the clip**, or drop a file there. It may be of any length."
    )
    sheet.group("2  The matte", 640)
    made = sheet.node("PP_MatteVideo", clip=clip, tall=860)
    sheet.note(
        "Who is kept?",
        "## The subject\n\nAs it is, what moves most. For everyone of a class choose a **detector**, or connect boxes. "
        "**Load SAM 2.1** and **Load Matte Model** make it finer; nothing has to be downloaded for a first try.",
    )
    sheet.group("3  What came of it", 420)
    sheet.node("PreviewAny", "The run in words", source=made["summary"], tall=220)
    sheet.node("PreviewAny", "Where the files are", source=made["folder"], tall=120)
    sheet.note(
        "Which format?",
        "## What is written\n\n**prores4444** for editing, **ffv1** lossless, **vp9** for browsers, **grey** for a "
        "matte alone, **green** over any key colour. Stopped in the middle? Run again: it goes on where it was.",
    )


def matte_vr180(sheet: Sheet) -> None:
    clip = load_clip(
        sheet,
        "## Choose your VR180 clip\n\nPick it in **Load the clip**, or drop a file there: both eyes side by side, or "
        "one above the other. It may be of any length.",
    )
    sheet.group("2  The matte of both eyes", 460)
    made = sheet.node("PP_MatteVR180Video", clip=clip, format="green-hevc", tall=1060)
    sheet.note(
        "How do the eyes lie?",
        "## Layout and projection\n\nSet **layout** and **projection** as the footage has them. **master_slave** "
        "carries the left eye's masks to the right one; frames on which the eyes differ are listed.",
    )
    sheet.group("3  What came of it", 420)
    sheet.node("PreviewAny", "The run in words", source=made["summary"], tall=220)
    sheet.node("PreviewAny", "Where the files are", source=made["folder"], tall=120)
    sheet.note(
        "For headsets",
        "## Passthrough\n\n**green-hevc** works with chroma passthrough; **packed_alpha** also writes a fisheye video "
        "with alpha in its corners. Names end as players read them.",
    )


SHIPPED: dict[str, Callable[[Sheet], None]] = {
    one.__name__: one
    for one in (
        *(extract, validate, extract_and_validate, prompt_and_track),
        *(matte_video, matte_vr180),
        *(reskin_native, reskin_gguf, reskin_wanvideowrapper, reskin_vhs),
        *(reskin_long_clip, repair_loop),
    )
}

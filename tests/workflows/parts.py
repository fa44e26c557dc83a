"""What the shipped graphs have in common: groups of nodes, the models they load, and the notes beside them."""

from __future__ import annotations

from typing import Any

from sheet import Link, Model, Node, Sheet

PROMPT = (
    "A skater in a copper diving suit with a round brass helmet rides a glowing neon skateboard through a skatepark at "
    "dusk, cinematic light, sharp focus"
)
NEGATIVE = (
    "static, blurred details, subtitles, painting, overall grey, worst quality, low quality, JPEG artefacts, ugly, "
    "extra fingers, badly drawn hands, deformed limbs, fused fingers, three legs, walking backwards"
)

HUB = "https://huggingface.co"
WAN = f"{HUB}/Comfy-Org/Wan_2.1_ComfyUI_repackaged/resolve/main/split_files"
KIJAI = f"{HUB}/Kijai/WanVideo_comfy/resolve/main"


def repackaged(directory: str, name: str, gigabytes: float) -> Model:
    return Model(name, f"{WAN}/{directory}/{name}", directory, gigabytes)


def kijais(directory: str, name: str, gigabytes: float) -> Model:
    return Model(name, f"{KIJAI}/{name}", directory, gigabytes)


VACE = repackaged("diffusion_models", "wan2.1_vace_1.3B_fp16.safetensors", 4.3)
TEXT = repackaged("text_encoders", "umt5_xxl_fp8_e4m3fn_scaled.safetensors", 6.7)
VAE = repackaged("vae", "wan_2.1_vae.safetensors", 0.25)
VACE_GGUF = Model(
    "Wan2.1-VACE-1.3B-Q8_0.gguf",
    f"{HUB}/samuelchristlie/Wan2.1-VACE-1.3B-GGUF/resolve/main/Wan2.1-VACE-1.3B-Q8_0.gguf",
    "diffusion_models",
    2.3,
)
TEXT_GGUF = Model(
    "umt5-xxl-encoder-Q8_0.gguf",
    f"{HUB}/city96/umt5-xxl-encoder-gguf/resolve/main/umt5-xxl-encoder-Q8_0.gguf",
    "text_encoders",
    6.0,
)
SAM2 = Model(
    "sam2.1_hiera_small.pt",
    "https://dl.fbaipublicfiles.com/segment_anything_2/092824/sam2.1_hiera_small.pt",
    "sam2",
    0.18,
)
WRAPPER_WAN = kijais("diffusion_models", "Wan2_1-T2V-1_3B_bf16.safetensors", 2.8)
WRAPPER_VACE = kijais("diffusion_models", "Wan2_1-VACE_module_1_3B_bf16.safetensors", 1.5)
WRAPPER_TEXT = kijais("text_encoders", "umt5-xxl-enc-fp8_e4m3fn.safetensors", 6.7)
WRAPPER_VAE = kijais("vae", "Wan2_1_VAE_bf16.safetensors", 0.25)

WHICH_CLIP = (
    "## Choose your clip\n\nPick it in **Load the clip**, or drop a file there. The person and what they ride or hold "
    "should be seen within the first two seconds."
)
UP_TO_81 = (
    "\n\nWan makes up to **81 frames** well. For a longer clip open the workflow **reskin_long_clip**, or cut this one "
    "with core's **Video Slice**."
)
WHICH_DETECTOR = (
    "## Choose a detector\n\n**motion (no model)** runs at once. It proposes whatever moves, as one object.\n\n"
    "To track person *and* object, put a YOLOX file into **models/detection**, press **R** and choose it in **Detect "
    "Subjects** and **Track Objects**. Name the object: skateboard, bicycle, sports ball…\n\n"
    "Or draw both boxes with core's **Create Bounding Boxes** and wire them into **boxes**, or open the workflow "
    "**prompt_and_track**."
)
WHAT_CHANGES = (
    "## Choose what may change\n\n**repaint**: both, the person, the object, the background, or everything.\n\n"
    "**guide**: what the model is shown there. *edges* needs no model and holds the motion; *nothing* is freest; for "
    "*pose* wire **Estimate Pose** and **Draw Pose** into **guide_video**.\n\n"
    "**shape**: *box* and a larger **grow** leave room for another silhouette.\n\n"
    "**references**: wire a **Load Image** with the new look, best on white."
)
SAY_IT = (
    "## Say what it becomes\n\nDescribe the **whole picture**, also what stays: place, light, camera. Then the new "
    "person or object in detail."
)
STEPS = (
    "## Steps\n\n20 steps and cfg 6 are Wan's own. For a first look 10 do.\n\n**strength** over 1 holds more to the "
    "control, under 1 to the words."
)
WINDOWS = (
    "## Windows\n\n81 frames go through the model together. Each window is shown the last frames that the one before "
    "has made, and goes on from there; where they meet, colours fade over.\n\nStopped, crashed? **Run** the same graph "
    "again: it goes on with the window it was in. Finished windows and the result lie in **output/physics**."
)
MENDED = (
    "## Only what failed\n\nEvery failing range is made anew between the frames around it; all other frames stay as "
    "they are, to the bit. The clip is judged again, and the better take of each range is kept.\n\n**max_attempts** is "
    "how often it tries: first another seed, then a stronger control, then tighter masks. A clip that passed comes out "
    "as it went in.\n\nLeave **guide**, **grow** and the like as they are in **Reskin Long Clip**."
)
JUDGED = (
    "## Passed or failed?\n\nThe report names each rule and its worst frames. Failed? Another **seed**, a stronger "
    "**guide**, or the workflow **repair_loop**, which mends only the frames that failed."
)


KEPT = (
    "## The original, and in it the new\n\nOutside the masks every pixel is the original's. **size** *source* pastes "
    "the new part into the clip's own frames; *control* gives the model's size.\n\n**Save the clip** makes a file that "
    "any player shows. With its format on *auto* it keeps the lossless one, for further work."
)


def load_clip(sheet: Sheet, note: str = WHICH_CLIP + UP_TO_81) -> Link:
    """Group 1."""
    sheet.group("1  The clip")
    clip = sheet.node("LoadVideo", "Load the clip", file="clip.mp4", tall=400)["VIDEO"]
    sheet.note("Which clip?", note)
    return clip


def follow(sheet: Sheet, clip: Link, fps: Link | None = None) -> Link:
    """Group 2: detect and track; the track. `fps` is of a clip that is a batch of images."""
    sheet.group("2  Find and follow")
    found = sheet.node("PP_DetectSubjects", clip=clip)
    sheet.note("Which detector?", WHICH_DETECTOR)
    sheet.column()
    rate: dict[str, Any] = {} if fps is None else {"fps": fps}
    tracked = sheet.node("PP_TrackObjects", clip=clip, boxes=found["boxes"], **rate)
    sheet.node("PP_PreviewTrack", clip=clip, track=tracked["track"], tall=340)
    return tracked["track"]


def control(sheet: Sheet, clip: Link, track: Link) -> Node:
    """Group 3: VACE Control, at the size that 8 GB of graphics memory take."""
    sheet.group("3  What may change", 360)
    made = sheet.node("PP_VACEControl", clip=clip, track=track, guide="edges", width=832, grow=8, latent_aligned=True)
    sheet.note("What may change?", WHAT_CHANGES)
    return made


def files(*models: Model, more: str = "") -> str:
    """A note's text: which files there are, how large, and where they go."""
    lines = [f"[{one.name}]({one.url}): {one.gigabytes:g} GB, into **models/{one.directory}**" for one in models]
    return "\n\n".join(["## Files", *lines, *([more] if more else [])])


def native_models(sheet: Sheet, number: int = 4) -> tuple[Link, Link, Link]:
    """The first column of a group: MODEL, CLIP and VAE."""
    sheet.group(f"{number}  The model, and what it is told")
    model = sheet.node("UNETLoader", "Load Wan VACE", unet_name=VACE.name, models=[VACE])
    clip = sheet.node("CLIPLoader", "Load the text encoder", clip_name=TEXT.name, type="wan", models=[TEXT])
    vae = sheet.node("VAELoader", "Load Wan's VAE", vae_name=VAE.name, models=[VAE])
    sizes = (
        "**1.3B** makes 480p (832 wide). **14B** (wan2.1_vace_14B_fp16, 34.7 GB) also makes 720p: load it, and set "
        "**VACE Control** to 1280 wide."
    )
    sheet.note("Which model?", files(VACE, TEXT, VAE, more=sizes))
    return model["MODEL"], clip["CLIP"], vae["VAE"]


def gguf_models(sheet: Sheet) -> tuple[Link, Link, Link]:
    """The same with GGUF: the recipe for 8 GB of graphics memory."""
    sheet.group("4  The model, and what it is told")
    model = sheet.node("UnetLoaderGGUF", "Load Wan VACE (GGUF)", unet_name=VACE_GGUF.name, models=[VACE_GGUF])
    clip = sheet.node("CLIPLoader", "Load the text encoder", clip_name=TEXT.name, type="wan", models=[TEXT])
    vae = sheet.node("VAELoader", "Load Wan's VAE", vae_name=VAE.name, models=[VAE])
    sheet.node(
        "CLIPLoaderGGUF", "Or a GGUF text encoder", clip_name=TEXT_GGUF.name, type="wan", models=[TEXT_GGUF],
        bypassed=True,
    )  # fmt: skip
    other = (
        "A GGUF text encoder instead: switch **Or a GGUF text encoder** on (Ctrl+B) and wire its CLIP to both prompts."
    )
    sheet.note("Which files?", files(VACE_GGUF, TEXT, VAE, TEXT_GGUF, more=other))
    sheet.column(400)
    sheet.note("Does the GGUF have all of VACE?", GGUF_WARNING)
    return model["MODEL"], clip["CLIP"], vae["VAE"]


GGUF_WARNING = (
    "## Look at the console once\n\nWith a whole file it says **Requested to load WAN21_Vace**.\n\n"
    "**unet unexpected: vace_blocks…** means that the file was made without the layer vace_patch_embedding, as has "
    "been reported for GGUFs of VACE 1.3B. Then Wan sees neither control nor masks, and repaints the whole clip. Mend "
    "the file with ComfyUI-GGUF's tools/fix_5d_tensors.py, or take the fp16 file of **reskin_native** (4.3 GB): it "
    "runs with 8 GB too."
)


def texts(sheet: Sheet, clip: Link, first: bool = True) -> tuple[Link, Link]:
    """A column with the words; positive and negative."""
    if first:
        sheet.column(400)
    positive = sheet.node("CLIPTextEncode", "Prompt", clip=clip, text=PROMPT, tall=180)
    negative = sheet.node("CLIPTextEncode", "Negative prompt", clip=clip, text=NEGATIVE, tall=180)
    sheet.note("What does it become?", SAY_IT)
    return positive["CONDITIONING"], negative["CONDITIONING"]


def sample(sheet: Sheet, model: Link, words: tuple[Link, Link], vae: Link, made: Node, tiled: bool = False) -> Link:
    """Group 5: native nodes from VACE Control to frames."""
    sheet.group("5  Generate")
    told = sheet.node(
        "WanVaceToVideo",
        positive=words[0],
        negative=words[1],
        vae=vae,
        **made.outputs("control_video", "control_masks", "reference_image"),
        **made.outputs("width", "height", "length"),
    )
    shifted = sheet.node("ModelSamplingSD3", model=model, shift=8.0)
    sheet.note("How long, how good?", STEPS)
    sheet.column()
    sampled = sheet.node(
        "KSampler",
        model=shifted["MODEL"],
        positive=told["positive"],
        negative=told["negative"],
        latent_image=told["latent"],
        steps=20,
        cfg=6.0,
        sampler_name="uni_pc",
        scheduler="simple",
    )
    trimmed = sheet.node("TrimVideoLatent", samples=sampled["LATENT"], trim_amount=told["trim_latent"])
    if tiled:  # whole frames of a whole clip don't fit into 8 GB
        return sheet.node("VAEDecodeTiled", samples=trimmed["LATENT"], vae=vae)["IMAGE"]
    return sheet.node("VAEDecode", samples=trimmed["LATENT"], vae=vae)["IMAGE"]


def keep(sheet: Sheet, clip: Link, frames: Link, made: Node) -> Node:
    """Group 6: Composite Kept Pixels, which gives the clip and what it shows of the source; and the clip saved."""
    whole = paste_back(sheet, clip, frames, made)
    save(sheet, whole["video"], "video/reskin")
    sheet.note("What is saved?", KEPT)
    return whole


def save(sheet: Sheet, video: Link, prefix: str) -> None:
    """A file that any player shows, of a lossless one, which few do."""
    playable: dict[str, Any] = {"format": "mp4", "format.codec": "h264", "format.codec.encoding": "re-encode"}
    playable |= {"format.codec.encoding.crf": 16.0}
    sheet.node("SaveVideo", "Save the clip", video=video, filename_prefix=prefix, tall=420, **playable)


def windows(
    sheet: Sheet, clip: Link, track: Link, model: Link, vae: Link, words: tuple[Link, Link]
) -> tuple[Node, Node]:
    """Group 4: Reskin Long Clip, and the model as it takes it."""
    sheet.group("4  Generate, window by window", 420)
    shifted = sheet.node("ModelSamplingSD3", model=model, shift=8.0)
    made = sheet.node(
        "PP_ReskinLongClip",
        clip=clip,
        track=track,
        model=shifted["MODEL"],
        vae=vae,
        positive=words[0],
        negative=words[1],
        guide="edges",
        grow=8,
        latent_aligned=True,
        height=0,
        tall=1000,
    )
    return shifted, made


def paste_back(sheet: Sheet, clip: Link, frames: Link, made: Node) -> Node:
    sheet.group("6  Put back what stays", 420)
    about: dict[str, Any] = {"masks": made["consumed_masks"], "control": made["control"]}
    return sheet.node("PP_CompositeKeptPixels", clip=clip, generated=frames, size="source", **about)


def judge(sheet: Sheet, clip: Link, track: Link, whole: Node) -> None:
    """The last group: Validate Physics and a comparison."""
    sheet.group("7  Did the physics survive?", 680)
    generated, about = whole["video"], whole["control"]
    verdict = sheet.node("PP_ValidatePhysics", source=track, clip=clip, generated=generated, control=about, tall=1000)
    compare(sheet, clip, track, generated, verdict, control=about)
    sheet.note("And now?", JUDGED)


def compare(sheet: Sheet, clip: Link, track: Link, generated: Link, verdict: Node, **more: Any) -> None:
    """A column with the comparison and the verdict in words."""
    sheet.column(520)
    tracks: dict[str, Any] = {"source_track": track, "generated_track": verdict["found"]}
    sheet.node(
        "PP_CompareClips", source=clip, generated=generated, report=verdict["report"], tall=520, **tracks, **more
    )
    sheet.node("PreviewAny", "Verdict", source=verdict["summary"], tall=180)

"""A matte in one call, flat or stereo: what the command and the nodes do."""

from __future__ import annotations

import hashlib
import json
import uuid
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..media.clip import Clip, TrimmedClip
from ..media.open import open_clip
from ..media.track import Track
from .finding import Found, find_flat
from .footage import FlatFootage, Footage
from .given_track import take_track
from .gpu import gpu_limits, with_fitting_tile
from .methods import LEARNED
from .passes import Passes
from .pipeline import make_matte
from .profile import Profile, TimedClip
from .settings import Job, Settings
from .work_folder import identity_of

if TYPE_CHECKING:
    from ..extraction.sam2_model import SAM2Model
    from .matte_model import MatteModel


def matte(
    source: Any,
    out: Path,
    job: Job,
    second: Any = None,
    sam2: SAM2Model | None = None,
    model: MatteModel | None = None,
    track: Track | None = None,
) -> dict[str, Any]:
    """Make the matte of a clip; a run that died goes on where it was.

    Args:
        source: path of a video or of a folder of images, or a ComfyUI VIDEO.
        out: see `make_matte`.
        second: the other eye's footage, in place of the settings' file.
        sam2, model: loaded models, in place of the settings' files.
        track: the subject's track through flat footage, if it is there already.

    Returns:
        The summary; see `make_matte` for errors.

    Raises:
        ValueError: a track, and what would find the subject anew.
    """
    with gpu_limits(job, loaded=sam2 is not None or model is not None) as limited:
        return _matte(source, out, limited, second, sam2, model, track)


def _matte(
    source: Any,
    out: Path,
    job: Job,
    second: Any,
    sam2: SAM2Model | None,
    model: MatteModel | None,
    track: Track | None,
) -> dict[str, Any]:
    settings = job.settings
    if track is not None and (settings.boxes or settings.masks or settings.stereo != "none"):
        raise ValueError("a track says already where the subject is: take away the boxes and masks, or the track")
    clip = _open(source, settings)
    other = _open(second if second is not None else settings.second, settings) if settings.stereo == "files" else None
    if settings.method in LEARNED and model is None:
        model = _load_model(settings)
    settings = with_fitting_tile(settings, job.limits, model)
    identity = describe_input(clip, other, settings, sam2, model, track)
    name = Path(clip.name).stem or "matte"
    if settings.stereo == "none":
        footage: Footage = FlatFootage(clip)

        def find(chosen: Settings, profile: Profile, passes: Passes) -> Found:
            timed = TimedClip(clip, profile)
            if track is not None:
                return take_track(timed, chosen, track)
            return find_flat(timed, chosen, profile, sam2, passes)

        return make_matte(footage, find, out, settings, job.limits, identity, model, f"{name}_matte", job.notes)
    from ..stereo.finding import find_stereo
    from ..stereo.footage import StereoFootage
    from ..stereo.layouts import Layout, StereoClip
    from ..stereo.names import ARRANGEMENT

    layout = Layout(ARRANGEMENT[settings.stereo], settings.squeezed, settings.right_first)

    def find_eyes(chosen: Settings, profile: Profile, passes: Passes) -> Found:
        one, two = (None if eye is None else TimedClip(eye, profile) for eye in (clip, other))
        assert one is not None
        return find_stereo(StereoClip(one, layout, two), chosen, profile, sam2, passes)

    footage = StereoFootage(StereoClip(clip, layout, other), settings)
    return make_matte(footage, find_eyes, out, settings, job.limits, identity, model, f"{name}_matte", job.notes)


def run_key(
    source: Any,
    job: Job,
    second: Any = None,
    sam2: SAM2Model | None = None,
    model: MatteModel | None = None,
    track: Track | None = None,
) -> str:
    """Hex digits that stand for a run's input and settings: the name of a folder in which it is found again."""
    settings = job.settings
    other = _open(second, settings) if second is not None else None
    identity = describe_input(_open(source, settings), other, settings, sam2, model, track)
    return hashlib.sha256(json.dumps([identity, settings.data()]).encode()).hexdigest()


def describe_input(
    clip: Clip,
    other: Clip | None,
    settings: Settings,
    sam2: SAM2Model | None = None,
    model: MatteModel | None = None,
    track: Track | None = None,
) -> dict[str, Any]:
    """What tells a run's input from another's, JSON-able: footage, mask files and models."""
    found: dict[str, Any] = {"clip": _about(clip), "masks": [identity_of(file) for _, file in settings.masks]}
    if other is not None:
        found["second"] = _about(other)
    if track is not None:
        found["track"] = _fingerprint(track)
    if sam2 is not None:
        found["sam2"] = [sam2.name, sam2.file, str(sam2.dtype)]
    elif settings.sam2:
        from ..extraction.sam2_model import find_sam2

        found["sam2"] = identity_of(find_sam2(settings.sam2))
    if settings.detector:
        from ..extraction.subjects import find_detector

        found["detector"] = identity_of(find_detector(settings.detector))
    if model is not None and settings.model:
        from .checkpoints import find_matte_model

        found["model"] = identity_of(find_matte_model(settings.model))
    elif model is not None:
        found["model"] = [model.name, model.file]
    if model is not None:  # "auto" is another type on another machine, and segments of both would be put together
        found["computed_in"] = str(model.dtype)
    return found


def _fingerprint(track: Track) -> str:
    digest = hashlib.sha256(json.dumps([track.labels, track.mask_size, track.clip_size]).encode())
    for t in range(len(track)):
        digest.update(track.packed_masks(t).tobytes())
        if track.soft is not None:
            digest.update(track.logits(t).tobytes())
    return digest.hexdigest()


def _about(clip: Clip) -> dict[str, Any]:
    start, end = clip.frames if isinstance(clip, TrimmedClip) else (0, None)
    if clip.path is None:  # frames in memory are gone with the run, so that it can't be gone on with
        return {"memory": uuid.uuid4().hex}
    return {**identity_of(clip.path), "span": [str(side) for side in _span(clip)], "frames": [start, end]}


def _span(clip: Clip) -> tuple[Fraction | None, Fraction | None]:
    return (None, None) if isinstance(clip, TrimmedClip) else clip.span()


def _open(source: Any, settings: Settings) -> Clip:
    if isinstance(source, (str, Path)) and "%" in Path(source).name and not Path(source).exists():
        raise FileNotFoundError(f"{source}: there is no such file; of numbered images name the folder that they are in")
    return open_clip(source, settings.start, settings.stop, Fraction(settings.fps))


def _load_model(settings: Settings) -> MatteModel:
    from .checkpoints import find_matte_model
    from .matte_model import load_matte_model

    if not settings.model:
        raise ValueError(f"the method {settings.method!r} needs a checkpoint: name one as model, or choose guided")
    return load_matte_model(find_matte_model(settings.model), settings.precision)

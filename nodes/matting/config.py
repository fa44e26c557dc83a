"""A matte's settings from a file: YAML, TOML or JSON, with this tool's own names or those of earlier tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sized
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from .footage import Footage
from .methods import FORMATS, INDEPENDENT, MASTER_SLAVE, REPROCESS
from .refine import tile_of
from .settings import Job, Limits, Settings

SCHEMA = "physics-preserver/matte-config"
SCHEMA_VERSION = 1

# Names that are neither settings nor limits: what is matted, and where the result goes.
PLACES = ("clip", "out")
SETTINGS = tuple(item.name for item in fields(Settings))
LIMITS = tuple(item.name for item in fields(Limits))
OWN = (*PLACES, *SETTINGS, *LIMITS)

# Settings that have a whole number, a number, a word, a yes or no, by the type of their default.
_KINDS = {item.name: type(item.default) for kind in (Settings, Limits) for item in fields(kind)} | {
    "stop": int, "clip": str, "out": str,
}  # fmt: skip


class ConfigError(ValueError):
    """A config file that can't be used, said in one sentence with the key."""


@dataclass
class Config:
    """What a config file, or the command line, asks for: values by their own names, and what is to be said of it."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    anchor_needed: bool = False

    def job(self) -> Job:
        """Checked settings.

        Raises:
            ConfigError: a value of another type.
            ValueError: see Settings.
        """
        values = dict(self.values)
        if isinstance(values.get("masks"), (str, Path)):
            values["masks"] = {values.get("subject", Settings.subject): str(values["masks"])}
        values = {name: _typed(name, value) for name, value in values.items()}
        if self.anchor_needed and not (values.get("masks") or values.get("boxes")):
            raise ConfigError("auto_anchor is off and there is no anchor_mask: give one, or leave auto_anchor on")
        return Job(
            Settings(**{name: value for name, value in values.items() if name in SETTINGS}),
            Limits(**{name: value for name, value in values.items() if name in LIMITS}),
            tuple(self.notes),
        )


def config_used(job: Job, footage: Footage, out: Path, chunk: int) -> dict[str, Any]:
    """JSON-able: what a run uses, with what was left to the tool filled in; `read_config` reads the same job from it.

    Frames in memory have no name there.
    """
    settings = job.settings
    tile, overlap = tile_of(settings.method, settings.tile, settings.overlap)
    used = {**settings.data(), **asdict(job.limits), "chunk": chunk, "tile": tile, "overlap": overlap}
    places = {"clip": footage.clip.path, "second": footage.eyes[1].path if settings.stereo == "files" else None}
    used |= {name: str(Path(file).absolute()) for name, file in places.items() if file is not None}
    used["masks"] = [(label, str(Path(file).absolute())) for label, file in settings.masks]
    return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, "out": str(out), **used, "notes": list(job.notes)}


def read_config(file: Path) -> Config:
    """Read a config file.

    Raises:
        ConfigError: it can't be read as what its suffix says, has an unknown key (the nearest known one is named), or
            asks for something that is not there.
        ModuleNotFoundError: YAML, and PyYAML is not installed.
    """
    data = _parse(file)
    if not isinstance(data, Mapping):
        raise ConfigError(f"{file}: a config has keys and values, this is a {type(data).__name__}")
    config = Config()
    for key, value in data.items():
        if isinstance(value, Mapping) and key in SECTIONS:
            for inner, item in value.items():
                _take(config, str(inner), item, str(key), file)
        elif key in SECTIONS and key not in (*FLAT, *OWN):
            raise ConfigError(f"{file.name}: {key!r} is a section with keys of its own, not {value!r}")
        else:
            _take(config, str(key), value, "", file)
    sections = {key: value for key, value in data.items() if isinstance(value, Mapping)}
    named = [f"{section}.{key}" for section, key in FOR_STEREO if key in sections.get(section, {})]
    if named and "stereo" not in config.values:
        config.values["stereo"] = "sbs"
        config.notes.append(
            f"the clip is taken for two eyes side by side, as {named[0]} is for those; --stereo changes it"
        )
    return config


def _take(config: Config, key: str, value: Any, section: str, file: Path) -> None:
    handler = SECTIONS.get(section, {}).get(key) or FLAT.get(key)
    place = f"{section}.{key}" if section else key
    if handler is None and key in OWN:
        config.values[key] = value
        return
    if handler is None:
        known = [*SECTIONS.get(section, {}), *OWN] if section else [*SECTIONS, *FLAT, *OWN]
        raise ConfigError(f"{file.name}: there is no {place!r}; {_nearest(key, known)}")
    try:
        handler(config, value)
    except ConfigError as error:
        raise ConfigError(f"{file.name}: {place}: {error}") from None


def _nearest(name: str, known: list[str]) -> str:
    """Words for a message about an unknown name: the one that was probably meant."""
    found = get_close_matches(name, known, 1, 0.5)
    return f"did you mean {found[0]!r}?" if found else f"there are: {', '.join(sorted(known))}"


def _parse(file: Path) -> Any:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is no text file: {error}") from None
    kind = file.suffix.lower()
    try:
        if kind in (".yaml", ".yml"):
            return _yaml(text)
        if kind == ".toml":
            try:
                import tomllib
            except ModuleNotFoundError:  # Python 3.10
                import tomli as tomllib
            return tomllib.loads(text)
        if kind == ".json":
            return json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{file} can't be read as {kind[1:].upper()}: {error}") from None
    raise ConfigError(f"{file}: a config is .yaml, .toml or .json")


def _yaml(text: str) -> Any:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "a .yaml config needs the package PyYAML, which is not installed: pip install PyYAML, or write it as .toml"
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error).replace("\n", " ")) from None


def _typed(name: str, value: Any) -> Any:
    if name == "boxes":
        return _pairs(name, value, lambda box: tuple(float(side) for side in box))
    if name == "masks":
        return _pairs(name, value, str)
    if name == "formats":
        return (value,) if isinstance(value, str) else tuple(value)
    if name == "key_colour":
        return _colour(value)
    kind = _KINDS.get(name, object)
    if name == "fps" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if name == "stop" and value is None:
        return None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (int, float, str, bool) and type(value) is not kind:
        raise ConfigError(f"{name} is {value!r}; it is a {_WORDS[kind]}")
    return value


_WORDS = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def _pairs(name: str, value: Any, convert: Callable[[Any], Any]) -> tuple[tuple[str, Any], ...]:
    items = value.items() if isinstance(value, Mapping) else value
    if not isinstance(value, Sized):
        items = value = (value,)
    try:
        found = tuple((str(label), convert(item)) for label, item in items)
    except (TypeError, ValueError):
        found = ()
    if len(found) < len(value) or (name == "boxes" and any(len(box) != 4 for _, box in found)):
        meant = "a label with four numbers, x1, y1, x2, y2" if name == "boxes" else "a label with a file"
        raise ConfigError(f"{name} is {value!r}; it is {meant}, for each object")
    return found


def _colour(value: Any) -> tuple[int, int, int]:
    if isinstance(value, str):
        text = value.removeprefix("#")
        parts = [text[n : n + 2] for n in (0, 2, 4)] if len(text) == 6 and "," not in text else None
        try:
            levels = [int(part, 16) for part in parts] if parts else [int(part) for part in text.split(",")]
        except ValueError:
            levels = []
    else:
        levels = list(value)
    if len(levels) != 3 or not all(isinstance(level, int) for level in levels):
        raise ConfigError(f"the colour {value!r} is not #RRGGBB or three levels of 0..255")
    return levels[0], levels[1], levels[2]


# What earlier tools' keys mean here. Each takes the config and the key's value.
Handler = Callable[[Config, Any], None]


def _as(name: str, convert: Callable[[Any], Any] = lambda value: value) -> Handler:
    def take(config: Config, value: Any) -> None:
        config.values[name] = convert(value)

    return take


def _only(allowed: Any, why: str) -> Handler:
    def take(config: Config, value: Any) -> None:
        if value != allowed:
            raise ConfigError(f"{value!r} is not there: {why}")

    return take


def _without_effect(why: str) -> Handler:
    def take(config: Config, value: Any) -> None:
        config.notes.append(why)

    return take


def _detector(value: Any) -> str:
    """A file; names of models without a suffix have the one that their makers give them."""
    text = str(value)
    if "." in text or not text:
        return text
    return f"{text}.onnx" if text.startswith("yolox") else f"{text}.pt"


def _format(config: Config, value: Any) -> None:
    named = {"alpha": ("png16",), "greenscreen": ("green-h264",)}
    wanted = named.get(value) if isinstance(value, str) else None
    config.values["formats"] = wanted or ((value,) if isinstance(value, str) else tuple(value))
    if wanted is None and not set(config.values["formats"]) <= set(FORMATS):
        raise ConfigError(f"{value!r} is no format; there are: alpha, greenscreen, {', '.join(FORMATS)}")


def _disparity(config: Config, value: Any) -> None:
    if "mode" not in config.values:
        config.values["mode"] = MASTER_SLAVE if value else INDEPENDENT


def _correction(config: Config, value: Any) -> None:
    meant = {
        "transfer": "in the mode master_slave every frame is carried over; in the others those that fail are",
        REPROCESS: "",
        "ensemble": "frames that fail are made in several ways, and of each object the likest is taken",
    }
    if value not in meant:
        raise ConfigError(f"{value!r} is not there: it is {', '.join(meant)} (or set on_mismatch: flag)")
    config.values["on_mismatch"] = REPROCESS
    if meant[value]:
        config.notes.append(f"correction_method {value}: {meant[value]}")


def _chunk(config: Config, value: Any) -> None:
    config.values["chunk"] = value
    if value == 0:
        config.notes.append("chunk_size 0: segments are as long as memory allows; the clip is tracked in one go anyway")


def _device(config: Config, value: Any) -> None:
    if value not in ("auto", "cuda"):
        raise ConfigError(
            f"{value!r} can't be chosen here: models run on the first GPU, or on the processor where there is none "
            "or CUDA_VISIBLE_DEVICES is empty"
        )
    config.values["device"] = value


def _skip_iou(config: Config, value: Any) -> None:
    if 0 < float(value) < 1:
        raise ConfigError(
            "frames are reused by how much their colours differ: write reuse: 2 (grey levels of 255) instead"
        )
    config.values["reuse"] = 0.0


def _checkpoint(config: Config, value: Any) -> None:
    config.values |= {"method": "mematte", "model": str(value)}


def _auto_anchor(config: Config, value: Any) -> None:
    config.anchor_needed = not value


_ALWAYS = "it is always done"
_EXTERNAL = "models are found in ComfyUI's folders or by their path; there is no other rule about where they lie"

SECTIONS: dict[str, dict[str, Handler]] = {
    "input": {"video_path": _as("clip")},
    "processing": {
        "scale_factor": _as("scale"),
        "chunk_size": _chunk,
        "overlap_frames": _without_effect(
            "overlap_frames has no effect: the clip is tracked in one go, so segments need no overlap"
        ),
        "memory_pipeline": _only(False, "frames are streamed"),
        "streaming_output": _only(True, "frames are streamed"),
        "parallel_eyes": _as("parallel_eyes"),
        "max_memory_gb": _as("max_memory_gb"),
    },
    "detection": {"confidence_threshold": _as("confidence"), "model": _as("detector", _detector)},
    "matting": {
        "use_disparity_mapping": _disparity,
        "memory_offload": _without_effect("memory_offload has no effect: no frames stay on the GPU"),
        "fp16": _as("precision", lambda value: "auto" if value else "fp32"),
    },
    "output": {
        "path": _as("out"),
        "format": _format,
        "background_color": _as("key_colour"),
        "maintain_sbs": _as("separate_eyes", lambda value: not value),
    },
    "hardware": {"device": _device, "max_vram_gb": _as("max_vram_gb")},
    "audio": {
        "preserve_audio": _as("audio"),
        "verify_sync": _only(True, _ALWAYS),
        "audio_codec": _only("copy", "sound is copied and never encoded again"),
    },
    "stereo": {
        "consistency_mode": _as("mode"),
        "validation_threshold": _as("threshold"),
        "correction_method": _correction,
    },
    "performance": {
        "profile_enabled": _only(True, _ALWAYS),
        "preserve_intermediates": _as("keep_segments"),
    },
    "debugging": {
        "log_intermediate_workflow": _without_effect(
            "log_intermediate_workflow has no effect: run_summary.json always has each segment's and each stage's time"
        ),
        "save_detection_visualization": lambda config, value: config.values.setdefault("qc_every", 24 if value else 0),
        "frame_count_validation": _only(True, _ALWAYS),
    },
    "io": {"input": _as("clip"), "output_dir": _as("out")},
    "segmentation": {},
    "refinement": {},
    "runtime": {},
}  # fmt: skip

# Keys that only the tool for side-by-side VR180 had.
FOR_STEREO = (
    ("output", "maintain_sbs"), ("matting", "use_disparity_mapping"), ("stereo", "consistency_mode"),
    ("stereo", "validation_threshold"), ("stereo", "correction_method"), ("processing", "parallel_eyes"),
)  # fmt: skip

FLAT: dict[str, Handler] = {
    "schema": _only(SCHEMA, "this is another tool's file"),
    "schema_version": _only(SCHEMA_VERSION, "it was written by another release"),
    "notes": lambda config, value: None,
    "input": _as("clip"),
    "output_dir": _as("out"),
    "frame_start": _as("start"),
    "frame_end": _as("stop", lambda value: None if value is None or value < 0 else value + 1),
    "anchor_mask": _as("masks"),
    "auto_anchor": _auto_anchor,
    "sam_model": _as("sam2"),
    "trimap_fg_threshold": _as("foreground"),
    "trimap_bg_threshold": _as("background"),
    "skip_iou_threshold": _skip_iou,
    "alpha_format": _format,
    "refine_enabled": _only(True, "a matte is always refined"),
    "mematte_checkpoint": _checkpoint,
    "mematte_repo_dir": _without_effect("mematte_repo_dir has no effect: MEMatte is part of this pack"),
    "allow_external_paths": _without_effect(_EXTERNAL),
    "device": _device,
}

"""What a server says of its nodes' inputs (/object_info), and values made to fit it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")

# What the editor's upload button leaves in an input's description, and what --video and --image mean by it.
UPLOADS = {"video_upload": "video", "image_upload": "image", "audio_upload": "audio", "file_upload": "file"}

# Loaders whose upload button is a script of their pack, which /object_info doesn't tell.
UPLOADERS = {
    ("VHS_LoadVideo", "video"): "video",
    ("VHS_LoadVideoFFmpeg", "video"): "video",
    ("VHS_LoadAudioUpload", "audio"): "audio",
}

SHOWN_CHOICES = 12


@dataclass(frozen=True)
class InputSpec:
    """One input of a node. kind: the server's type name, "COMBO" for every list of choices; options: its choices;
    accepts: "video", "image", "audio" or "file" where a file of the server's input folder is meant, else ""."""

    name: str
    kind: str
    options: tuple[Any, ...] = ()
    accepts: str = ""
    multiple: bool = False
    required: bool = True
    more: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # choice -> the inputs that come with it


def specs_of(class_type: str, info: Mapping[str, Any]) -> dict[str, InputSpec]:
    """The inputs of one node class by name, without those that a choice brings (see `find_spec`).

    Args:
        info: the class's entry of /object_info.
    """
    return _specs(class_type, info.get("input", {}))


def find_spec(class_type: str, info: Mapping[str, Any], name: str, inputs: Mapping[str, Any]) -> InputSpec | None:
    """One input; `name` is as in an API-format workflow, with dots where a choice brings inputs: "format.codec".

    Args:
        inputs: the node's values, which decide what a choice brings.
    """
    specs, prefix = specs_of(class_type, info), ""
    while True:
        rest = name.removeprefix(prefix)
        if rest in specs:
            return specs[rest]
        head = rest.partition(".")[0]
        chosen = inputs.get(prefix + head)
        if head == rest or head not in specs or not isinstance(chosen, str):
            return None
        specs = _specs(class_type, specs[head].more.get(chosen, {}))
        prefix += f"{head}."


def _specs(class_type: str, sections: Mapping[str, Any]) -> dict[str, InputSpec]:
    found = {}
    for section in ("required", "optional"):
        for name, described in (sections.get(section) or {}).items():
            found[name] = _spec(class_type, name, described, section == "required")
    return found


def _spec(class_type: str, name: str, described: Any, required: bool) -> InputSpec:
    kind, extra = described[0], described[1] if len(described) > 1 else {}
    options = kind if isinstance(kind, list) else extra.get("options", ())
    if any(isinstance(option, dict) for option in options):  # a choice that brings inputs
        more = {option["key"]: option.get("inputs", {}) for option in options}
        return InputSpec(name, "COMBO", tuple(more), required=required, more=more)
    accepts = next((means for key, means in UPLOADS.items() if extra.get(key)), "")
    return InputSpec(
        name,
        "COMBO" if isinstance(kind, list) else str(kind),
        tuple(options),
        accepts or UPLOADERS.get((class_type, name), ""),
        bool(extra.get("multiselect")),
        required,
    )


def fit(value: Any, spec: InputSpec, label: str) -> Any:
    """A value as the workflow's JSON must have it: text is read as the input's type, lists are wrapped.

    Args:
        label: "Title.input", for errors.

    Raises:
        ValueError: it is of another type, or not among the choices.
    """
    fitted = _fit(value, spec, label)
    return {"__value__": fitted} if isinstance(fitted, list) else fitted


def _fit(value: Any, spec: InputSpec, label: str) -> Any:
    if spec.kind == "INT":
        return _whole(value, label)
    if spec.kind == "FLOAT":
        return _number(value, label)
    if spec.kind == "BOOLEAN":
        return _truth(value, label)
    if spec.kind == "STRING":
        return value if isinstance(value, str) else _wrong(value, "text", label)
    if spec.kind == "COMBO":
        return [_choice(one, spec, label) for one in _several(value)] if spec.multiple else _choice(value, spec, label)
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        if "STRING" in spec.kind.split(","):
            return value
        return _wrong(value, f"JSON for an input of type {spec.kind}", label)


def _whole(value: Any, label: str) -> int:
    try:
        if not isinstance(value, bool) and int(value) == (value if not isinstance(value, str) else int(value)):
            return int(value)
    except (TypeError, ValueError):
        pass
    return _wrong(value, "a whole number", label)


def _number(value: Any, label: str) -> float:
    try:
        if not isinstance(value, bool) and math.isfinite(float(value)):
            return float(value)
    except (TypeError, ValueError):
        pass
    return _wrong(value, "a number", label)


def _truth(value: Any, label: str) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in (*TRUE, *FALSE):
        return str(value).lower() in TRUE
    return _wrong(value, "true or false", label)


def _several(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value)


def _choice(value: Any, spec: InputSpec, label: str) -> Any:
    if value in spec.options or spec.accepts:  # a file's name is the server's to judge: it also knows subfolders
        return value
    as_text = {str(option): option for option in spec.options}
    if str(value) in as_text:
        return as_text[str(value)]
    raise ValueError(f"{label}: {value!r} is not a choice of this server; {choices_in_words(value, spec.options)}")


def choices_in_words(value: Any, options: tuple[Any, ...]) -> str:
    """ "its choices are a, b, c", the nearest ones first where there are many."""
    names = [str(option) for option in options]
    if not names:
        return "it has no choices at all"
    near = get_close_matches(str(value), names, SHOWN_CHOICES, 0.3)
    shown = names if len(names) <= SHOWN_CHOICES else [*near, *(n for n in names if n not in near)][:SHOWN_CHOICES]
    rest = len(names) - len(shown)
    return f"its choices are {', '.join(shown)}{f' and {rest} more' if rest else ''}"


def _wrong(value: Any, wanted: str, label: str) -> Any:
    raise ValueError(f"{label}: {value!r} is not {wanted}")

"""Profiles: which rules a verdict has and where their limits lie, read from small TOML files that a user can write."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).parent / "profiles"
SCHEMA_VERSION = 1
FILE_KEYS = ("schema_version", "name", "about", "base")

# What may be asked for: rule -> key -> (lowest, highest). A rule that a profile doesn't have is measured, not judged.
# share: share of the judged frames that may miss the limit; run: so many in a row may miss it.
_SHARE, _RUN = (0.0, 1.0), (0, 1_000_000)
RULES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "length": {"limit": (0, 1_000_000)},
    "coverage": {"limit": (0.0, 1.0)},
    "missing": {"run": _RUN},
    "region": {"limit": (0.0, 1.0), "edge": (0.0, 0.1), "share": _SHARE, "run": _RUN},
    "boundary": {"limit": (0.0, 1.0), "share": _SHARE, "run": _RUN},
    "offset": {
        "limit": (0.0, 1000.0),
        "steady": (0.0, 1000.0),
        "least_px": (0.0, 1000.0),
        "share": _SHARE,
        "run": _RUN,
    },
    "scale": {"limit": (0.0, 10_000.0), "steady": (0.0, 10_000.0), "share": _SHARE, "run": _RUN},
    "orientation": {"limit": (0.0, 90.0), "steady": (0.0, 90.0), "share": _SHARE, "run": _RUN},
    "timing": {"limit": (0.0, 100_000.0)},
    "contact": {"run": _RUN},
    "limb": {"run": _RUN},
    "events": {"limit": (0.0, 100_000.0)},
    "airtime": {"limit": (0.0, 10_000.0)},
    "swapped": {"limit": (0.0, 1.0)},
    "pose": {"limit": (0.0, 1.0), "share": _SHARE, "run": _RUN},
    "flicker": {"limit": (0.0, 1.0)},
}


class ProfileError(ValueError):
    """A profile that can't be used; the message is one sentence for its author."""


@dataclass(frozen=True)
class Profile:
    """The rules of a verdict.

    Attributes:
        name: for the report.
        rules: rule -> key -> number, checked against RULES; a rule that isn't there is not judged.
        about: one line for people who choose.
    """

    name: str
    rules: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    about: str = ""

    def __post_init__(self) -> None:
        for rule, keys in self.rules.items():
            _check_rule(self.name, rule, keys)
            lacking = [key for key in RULES[rule] if key not in keys]
            if lacking:
                raise ProfileError(f"profile {self.name}: [{rule}] lacks {', '.join(lacking)}")

    def get(self, rule: str) -> Mapping[str, float] | None:
        """The keys of one rule, None where this profile doesn't judge it."""
        return self.rules.get(rule)

    def limit(self, rule: str, key: str = "limit") -> float | None:
        """One number of one rule, None where this profile doesn't judge it."""
        keys = self.rules.get(rule)
        return None if keys is None else keys[key]

    def to_dict(self) -> dict[str, Any]:
        """For the report: {name, limits}."""
        return {"name": self.name, "limits": {rule: dict(keys) for rule, keys in self.rules.items()}}


def profile_names() -> list[str]:
    """The profiles that come with the pack, the usual one first."""
    names = sorted(file.stem for file in FOLDER.glob("*.toml"))
    return sorted(names, key=lambda name: name != "standard")


def load_profile(name: str | Path) -> Profile:
    """A profile by its name ("strict", "standard", "loose"), or from a .toml file.

    Raises:
        ProfileError: no such profile, not TOML, an unknown rule or key, a value of another type or out of range.
    """
    if str(name) in profile_names():
        file = FOLDER / f"{name}.toml"
    else:
        file = Path(name)
        if file.suffix != ".toml" or not file.is_file():
            raise ProfileError(f"there is no profile {str(name)!r}: give {', '.join(profile_names())} or a .toml file")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ProfileError(f"{file} can't be read: {error}") from error
    return parse_profile(text, file.stem)


def parse_profile(text: str, name: str) -> Profile:
    """A profile from TOML; `base = "standard"` takes over the rules that it doesn't name, `rule = false` drops one.

    Raises:
        ProfileError: as `load_profile`.
    """
    data = _parse(text, name)
    version = data.get("schema_version", SCHEMA_VERSION)
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise ProfileError(f"profile {name} has schema_version {version!r}; this release reads up to {SCHEMA_VERSION}")
    for key in ("name", "about", "base"):
        if not isinstance(data.get(key, ""), str):
            raise ProfileError(f"profile {name}: {key} is a text, not {data[key]!r}")
    base = load_profile(data["base"]) if "base" in data else Profile(name)
    rules = {rule: value for rule, value in data.items() if rule not in FILE_KEYS}
    return _merged(base, rules, data.get("name", name), data.get("about", ""))


def with_limits(profile: Profile, text: str) -> Profile:
    """The profile with some limits replaced, given as TOML: `[offset]`, `limit = 3`; empty text changes nothing.

    Raises:
        ProfileError: as `load_profile`.
    """
    if not text.strip():
        return profile
    data = _parse(text, "limits")
    named = [key for key in data if key in FILE_KEYS]
    if named:
        raise ProfileError(f"limits change rules only; {named[0]!r} belongs into a profile file")
    return _merged(profile, data, f"{profile.name}, with limits changed", profile.about)


def _parse(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{name} is not TOML: {error}") from error


def _merged(base: Profile, changes: Mapping[str, Any], name: str, about: str) -> Profile:
    rules = {rule: dict(keys) for rule, keys in base.rules.items()}
    for rule, value in changes.items():
        _check_rule(name, rule, {} if value is False else value)
        if value is False:
            rules.pop(rule, None)
        else:
            rules[rule] = {**rules.get(rule, {}), **value}
    return Profile(name, rules, about)


def _check_rule(name: str, rule: str, keys: Any) -> None:
    if rule not in RULES:
        raise ProfileError(f"profile {name}: there is no rule {rule!r}; the rules are {', '.join(RULES)}")
    if not isinstance(keys, Mapping):
        raise ProfileError(f"profile {name}: {rule} is a table such as [{rule}], or false, not {keys!r}")
    for key, value in keys.items():
        if key not in RULES[rule]:
            raise ProfileError(f"profile {name}: [{rule}] has no {key!r}; it has {', '.join(RULES[rule])}")
        low, high = RULES[rule][key]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ProfileError(f"profile {name}: {key} of [{rule}] is a number, not {value!r}")
        if not low <= value <= high:
            raise ProfileError(f"profile {name}: {key} of [{rule}] is {value}, it lies in {low:g} to {high:g}")
        if key == "run" and not isinstance(value, int):
            raise ProfileError(f"profile {name}: run of [{rule}] is a whole number of frames, not {value!r}")


STANDARD = load_profile("standard")

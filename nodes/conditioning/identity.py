"""What a run stands on, as one short key: the part of the workflow above a node, and the files that it names."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ..about import version

KEY_LENGTH = 16

# A node as ComfyUI has it: class_type, inputs, and is_changed, what the node itself says of its files.
GetNode = Callable[[str], Mapping[str, Any]]
# From a text to the files that it may name.
FindFiles = Callable[[str], Collection[Path]]


class NeverTheSame(ValueError):
    """A node says that its output differs on every run, so nothing that was made from it can be used again."""


def workflow_key(get_node: GetNode, node: str, find_files: FindFiles, without: Collection[str] = ()) -> str:
    """A key that changes with everything above and on a node that can change what it makes.

    That is: every node above it, with its kind, its values and how it is linked; what each node says of its own files
    (ComfyUI's fingerprints); size and time of every file that a value names; and the pack's version. Names of nodes
    don't matter.

    Args:
        get_node: a node of the workflow by its id.
        node: the id to begin at.
        find_files: see FindFiles.
        without: inputs of the node itself that don't matter, such as a file name prefix.

    Returns:
        KEY_LENGTH hexadecimal digits.

    Raises:
        NeverTheSame: a node above says that it is never the same twice; the message names it.
    """
    keys: dict[str, str] = {}

    def key_of(name: str, skip: Collection[str]) -> str:
        if name not in keys:
            found = get_node(name)
            own = [found["class_type"], _stable(found.get("is_changed"), found["class_type"])]
            for socket, value in sorted(found["inputs"].items()):
                if socket in skip:
                    continue
                if _is_link(value):
                    own.append([socket, "link", key_of(value[0], ()), value[1]])
                else:
                    own.append([socket, value, _files(value, find_files)])
            text = json.dumps(own, sort_keys=True, default=repr)
            keys[name] = hashlib.sha256(text.encode()).hexdigest()
        return keys[name]

    own_and_above = key_of(node, without)
    return hashlib.sha256(f"{version()} {own_and_above}".encode()).hexdigest()[:KEY_LENGTH]


def _stable(value: Any, kind: str) -> Any:
    for one in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(one, float) and math.isnan(one):
            raise NeverTheSame(f"{kind} says that its output differs on every run")
    return value


def _files(value: Any, find_files: FindFiles) -> list[tuple[str, int, int]]:
    if not isinstance(value, str) or not value or len(value) > 1024 or "\n" in value:
        return []
    about = ((str(file), file.stat()) for file in sorted(find_files(value)))
    return [(name, found.st_size, found.st_mtime_ns) for name, found in about]


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int)

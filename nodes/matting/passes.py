"""Tracks of passes over a clip that are finished, so that a run that dies while it tracks doesn't make them again."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from ..extraction.prompts import Prompt
from ..media.track import Track
from .work_folder import load_track, save_track


class Passes:
    """The passes of one run in one folder, counted in the order in which they are asked for."""

    def __init__(self, folder: Path):
        self._folder, self._asked = folder, 0

    def track(self, clip: str, prompts: Sequence[Prompt], make: Callable[[], Track]) -> Track:
        """The track of the next pass: the kept one of a pass that was shown the same in the same clip, or a new one."""
        self._asked += 1
        name = f"pass{self._asked}_{_digest(clip, prompts)}"
        found = load_track(self._folder, name)
        if found is None:
            found = make()
            save_track(self._folder, name, found)
        return found

    def clear(self) -> None:
        """Forget them, when what they were for is kept."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _digest(clip: str, prompts: Sequence[Prompt]) -> str:
    digest = hashlib.sha256(clip.encode())
    for prompt in prompts:
        digest.update(json.dumps(asdict(replace(prompt, mask=None))).encode())
        digest.update(b"" if prompt.mask is None else prompt.mask.tobytes())
    return digest.hexdigest()[:16]

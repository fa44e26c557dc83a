"""Clips that a widget may look at: each under a token, which the server hands out and only the server can read."""

from __future__ import annotations

import shutil
import threading
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..host import progress
from ..media.clip import Clip
from ..media.scrub import Scrubber
from ..media.stills import FolderClip, write_image

# Clips that can be looked at, and files that are held open for it; the ones looked at last.
KEPT, OPEN = 16, 3


@dataclass(frozen=True)
class ShownClip:
    """A clip on the shelf; `folder` holds its frames where they had to be written first."""

    token: str
    name: str
    rate: Fraction
    scrubber: Scrubber
    folder: Path | None

    def facts(self) -> dict[str, Any]:
        """What a widget needs to know: token, name, width and height (px), frames, rate (frames per second)."""
        clip = self.scrubber.clip
        size = {"width": clip.width, "height": clip.height, "frames": self.scrubber.count()}
        return {"token": self.token, "name": self.name, **size, "rate": float(self.rate)}


class Shelf:
    """The clips that are shown now. A file is read where it lies; frames in memory are written once as JPEG."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown: OrderedDict[str, ShownClip] = OrderedDict()
        self._tokens: dict[Any, str] = {}

    def put(self, clip: Clip, source: Any, new_folder: Callable[[], Path]) -> ShownClip:
        """Make a clip viewable; the same file, or the same object in memory, keeps its token.

        Args:
            source: what the clip was opened from, by which frames in memory are recognised.
            new_folder: names a folder that isn't there yet, for such frames.

        Raises:
            ClipError, OSError: the frames can't be read or written.
        """
        key = _file_key(clip) or id(source)
        with self._lock:
            shown = self._shown.get(self._tokens.get(key, ""))
        if shown is not None:
            return shown
        folder = None if clip.path is not None else _write_frames(clip, new_folder())
        viewed = clip if folder is None else FolderClip(folder, clip.rate)
        shown = ShownClip(uuid.uuid4().hex, clip.name, clip.rate, Scrubber(viewed), folder)
        with self._lock:
            self._tokens[key] = shown.token
            self._shown[shown.token] = shown
            gone = [self._shown.popitem(last=False)[1] for _ in range(len(self._shown) - KEPT)]
            self._tokens = {key: token for key, token in self._tokens.items() if token in self._shown}
        if folder is not None:
            weakref.finalize(source, self._forget, key).atexit = False  # its id may be another object's next
        for old in gone:
            _drop(old)
        return shown

    def _forget(self, key: Any) -> None:
        self._tokens.pop(key, None)

    def get(self, token: str) -> ShownClip:
        """The clip with this token. Raises KeyError when there is none (any more)."""
        with self._lock:
            shown = self._shown[token]
            self._shown.move_to_end(token)
            idle = list(self._shown.values())[:-OPEN]
        for other in idle:
            other.scrubber.close()
        return shown


SHELF = Shelf()


def _file_key(clip: Clip) -> tuple | None:
    if clip.path is None:
        return None
    about = Path(clip.path).stat()
    return clip.path, clip.span(), about.st_mtime_ns, about.st_size


def _write_frames(clip: Clip, folder: Path) -> Path:
    folder.mkdir(parents=True)
    try:
        for frame in progress(clip, clip.expected_count(), "preparing frames"):
            write_image(folder / f"{frame.index:06d}.jpg", frame.image)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return folder


def _drop(shown: ShownClip) -> None:
    shown.scrubber.close()
    if shown.folder is not None:
        shutil.rmtree(shown.folder, ignore_errors=True)

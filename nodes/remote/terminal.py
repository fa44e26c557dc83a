"""Steps as lines of a terminal, or of a log file, where nothing can be written over."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from .steps import DONE, NOTE, RUNNING, WAITING, Step

# Seconds between two lines about one node in a log.
LOG_EVERY_S = 10.0


class Terminal:
    """Call it with each step. In a terminal the running node has one line that changes; in a log a new line now and
    then. What is ready stays, with the seconds it took; quick nodes without steps make one line."""

    def __init__(self, out: TextIO | None = None):
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self._began: dict[str, float] = {}
        self._logged: dict[str, float] = {}
        self._open = False

    def __call__(self, step: Step) -> None:
        if step.state == NOTE:
            self._line(step.text)
        elif step.state == WAITING:
            self._line(f"waiting: {step.value:.0f} job{'s' if step.value > 1 else ''} before this one")
        elif step.state == RUNNING:
            self._running(step)
        elif step.state == DONE:
            took = time.monotonic() - self._began.pop(self._key(step), time.monotonic())
            self._logged.pop(self._key(step), None)
            self._line(f"{_count(step)}{step.title}: done in {took:.1f} s")

    def close(self) -> None:
        """Leave the changing line."""
        if self._open:
            self._out.write("\r\x1b[K")
            self._out.flush()
        self._open = False

    def _running(self, step: Step) -> None:
        now, key = time.monotonic(), self._key(step)
        self._began.setdefault(key, now)
        text = f"{_count(step)}{step.title}{_steps(step)}"
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._out.write(f"\r\x1b[K{text[:width]}")
            self._out.flush()
            self._open = True
        elif now - self._logged.setdefault(key, now) >= LOG_EVERY_S:
            self._logged[key] = now
            self._line(text)

    def _line(self, text: str) -> None:
        self.close()
        self._out.write(f"{text}\n")
        self._out.flush()

    def _key(self, step: Step) -> str:
        return step.node_id or step.title


def _count(step: Step) -> str:
    return f"[{min(step.finished + 1, step.nodes)}/{step.nodes}] " if step.nodes and step.state == RUNNING else (
        f"[{step.finished}/{step.nodes}] " if step.nodes else ""
    )  # fmt: skip


def _steps(step: Step) -> str:
    if step.maximum <= 1:
        return ""
    if not step.node_id:  # bytes of a file
        return f": {step.value / 1e6:.1f} of {step.maximum / 1e6:.1f} MB"
    return f": step {step.value:.0f} of {step.maximum:.0f}"

"""A strip below a compared picture: the score over the whole clip, the causes, and where in it this frame is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from ..media.overlay import FONT
from .chart import CAUSES, OTHER_CAUSE
from .viewer_data import frame_count

# Share of the picture's height, and the least px at which its two lines of text can be read.
SHARE, LEAST = 0.16, 44
PAGE, TEXT, SOFT, PLOT, CURVE = (18, 21, 27), (236, 239, 244), (150, 158, 170), (38, 43, 51), (86, 180, 233)
SCORE = "region"


class ScoreStrip:
    """Draws the strip; everything but the cursor and the words is drawn once.

    Args:
        report: of `validate`, schema version 2.
        width: px of the picture above.
        picture_height: px; `height` is that of the strip, even.
    """

    def __init__(self, report: Mapping[str, Any], width: int, picture_height: int):
        self.height = max(LEAST, round(SHARE * picture_height)) // 2 * 2
        self._report, self._width = report, width
        self._total = max(1, frame_count(report))
        self._measure = report["measures"].get(report["label"], {}).get(SCORE)
        self._letter = self.height / 5.2
        self._left = round(min(0.34 * width, 17 * self._letter))
        self._top, self._bottom = round(0.12 * self.height), round(0.7 * self.height)
        self._page = self._background()

    def draw(self, t: int) -> np.ndarray:
        """uint8 [height, width, 3] RGB for frame t."""
        page = self._page.copy()
        x = round(self._x(t))
        cv2.line(page, (x, self._top // 2), (x, self.height - 2), TEXT, max(1, self.height // 40), cv2.LINE_AA)
        for n, (text, colour) in enumerate(zip(self.words(t), (TEXT, SOFT), strict=True)):
            self._write(page, text, 0.6 * self._letter, (n + 1) * 0.42 * self.height, colour)
        return page

    def words(self, t: int) -> tuple[str, str]:
        """Frame and score, and below it why it fails or isn't judged."""
        values = self._measure["values"] if self._measure else []
        value = values[t] if t < len(values) else None
        score = "" if value is None else f"  J {value:.2f}"
        why = next((part["why"] for part in self._report["not_judged"] if part["start"] <= t < part["stop"]), None)
        causes = [part["name"] for part in self._report["causes"] if part["start"] <= t < part["stop"]]
        failing = any(part["start"] <= t < part["stop"] for part in self._report["failing_ranges"])
        return f"frame {t}{score}", ", ".join(dict.fromkeys(causes)) or (
            f"not judged: {why}" if why else "fails" * failing
        )

    def _background(self) -> np.ndarray:
        page = np.full((self.height, self._width, 3), PAGE, np.uint8)
        page[self._top : self._bottom, self._left :] = PLOT
        lane = slice(round(0.76 * self.height), round(0.92 * self.height))
        for part in self._report["not_judged"]:
            columns = self._columns(part)
            grey = page[self._top : self._bottom, columns]
            rows, across = np.indices(grey.shape[:2])
            grey[(rows + across) % 6 < 2] = SOFT
        for part in self._report["causes"]:
            colour = CAUSES.get(part["name"], OTHER_CAUSE)[0]
            rgb = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)])
            columns = self._columns(part)
            page[lane, columns] = rgb
            over = page[self._top : self._bottom, columns]
            over[:] = np.round(0.7 * over + 0.3 * rgb).astype(np.uint8)
        if self._measure is not None:
            if self._measure["limit"] is not None:
                y = self._y(self._measure["limit"])
                for x in range(self._left, self._width, 12):
                    cv2.line(page, (x, y), (min(x + 7, self._width), y), SOFT, 1)
            points = [
                None if value is None else (round(self._x(t)), self._y(value))
                for t, value in enumerate(self._measure["values"])
            ]
            for a, b in zip(points, points[1:], strict=False):
                if a is not None and b is not None:
                    cv2.line(page, a, b, CURVE, max(1, self.height // 40), cv2.LINE_AA)
        return page

    def _columns(self, part: Mapping[str, Any]) -> slice:
        left, right = (round(self._x(part[end] - 0.5)) for end in ("start", "stop"))
        return slice(left, max(right, left + 2))

    def _x(self, t: float) -> float:
        return self._left + (t + 0.5) * (self._width - self._left - 8) / self._total

    def _y(self, value: float) -> int:
        return round(self._bottom - min(max(value, 0.0), 1.0) * (self._bottom - self._top))

    def _write(self, page: np.ndarray, text: str, x: float, y: float, colour: tuple[int, int, int]) -> None:
        scale, stroke = self._letter / 21, max(1, round(self._letter / 12))
        room = self._left - 1.2 * self._letter
        while text and cv2.getTextSize(text, FONT, scale, stroke)[0][0] > room:
            text = text[:-2] + "~" if len(text) > 2 else ""
        cv2.putText(page, text, (round(x), round(y)), FONT, scale, colour, stroke, cv2.LINE_AA)

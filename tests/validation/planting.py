"""Pictures with a planted fault: real footage with its objects cut out and pasted back, the synthetic scene drawn anew.

Everything is streamed and deterministic. Restyles, which must not change a verdict, are here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from faults import PERSON, Fault, Put, Step, other_shape, paste_order
from physics_preserver.nodes.extraction.stabilise import accumulate, camera_motion
from physics_preserver.nodes.media.clip import Clip, Frame
from physics_preserver.nodes.media.figure import Figure, Part
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.track import Track, TrackBuilder
from physics_preserver.nodes.media.writer import VideoWriter

# Frames whose background fills a hole, nearest first; further away the camera's motion is no longer known well.
NEIGHBOURS = (2, 4, 6, 9, 12, 16, 20, 25, 30)
# Share of the picture's height by which a mask is grown before what it hides is painted out: motion blur, soft edges.
HOLE = 0.012
EDGE = 1.0  # softness of a pasted edge, px
KEPT_FRAMES = 64


class PlantedClip(Clip):
    """Real footage with a planted fault: objects are cut out by their masks, the background behind them is filled in
    from neighbouring frames, and they are pasted back where the fault has them.

    Args:
        footage: the source.
        cut: what to cut along: its true masks, or the best there are.
        fault: its steps are for the same frames.
        name: of the result.
    """

    def __init__(self, footage: Clip, cut: Track, fault: Fault, background: Background, name: str = ""):
        self.name, self.path = name or f"{footage.name}, {fault.name}", None
        self.width, self.height = footage.width, footage.height
        self.rate, self.time_base, self.warnings = footage.rate, footage.time_base, []
        self._cut, self._fault, self._background = cut, fault, background

    def read(self, start: int = 0) -> Iterator[Frame]:
        for t, step in enumerate(self._fault.steps[start:], start):
            yield Frame(t, t / self.rate, self._draw(step))

    def count(self) -> int:
        return len(self._fault.steps)

    def _draw(self, step: Step) -> np.ndarray:
        shown = round(step.frame)
        if not step.puts:
            return self._background.frame(shown)
        touched = [self._cut.index(label) for label in step.puts]
        image = self._background.without(shown, touched).astype(np.float32)
        for n in paste_order(self._cut, step):
            label = self._cut.labels[n]
            if label not in step.puts:
                if label != PERSON and PERSON in step.puts:  # it is before the person, who was touched
                    self._paste(image, shown, n, np.eye(2, 3), False)
                continue
            put = step.puts[label]
            if put is not None:
                self._paste(image, round(put.frame), n, put.matrix, put.swapped)
        return np.clip(image + 0.5, 0, 255).astype(np.uint8)

    def _paste(self, image: np.ndarray, frame: int, n: int, matrix: np.ndarray, swapped: bool) -> None:
        mask = self._cut.masks(frame)[n]
        if not mask.any():
            return
        picture = self._background.frame(frame)
        if swapped:
            picture = _foreign(picture, mask)
            mask = other_shape(mask)
        alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), EDGE)
        size = image.shape[1::-1]
        if not np.array_equal(matrix, np.eye(2, 3)):
            alpha = cv2.warpAffine(alpha, matrix, size, flags=cv2.INTER_LINEAR)
            picture = cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        image += alpha[..., None] * (picture - image)


class Background:
    """The frames of a clip, and what they show where the objects were taken out.

    A pixel behind an object comes from the nearest frame that shows it, brought here by the camera's motion; what no
    neighbour shows is inpainted. Frames are kept in memory: this is for test clips.
    """

    def __init__(self, footage: Clip, cut: Track):
        self._frames = [frame.image for frame in footage]
        self._cut = cut
        chain, self._stretch = accumulate(camera_motion(footage, cut))
        self._to_first = [np.vstack([matrix, [0, 0, 1]]) for matrix in chain]
        self._without = lru_cache(KEPT_FRAMES)(self._fill)
        side = 2 * max(2, round(HOLE * footage.height)) + 1
        self._grow = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))

    def frame(self, t: int) -> np.ndarray:
        return self._frames[t]

    def without(self, t: int, objects: list[int]) -> np.ndarray:
        """uint8 [H, W, 3]: frame t with these objects (numbers in the track) painted out."""
        return self._without(t, tuple(objects))

    def _fill(self, t: int, objects: tuple[int, ...]) -> np.ndarray:
        image = self._frames[t].copy()
        masks = self._cut.masks(t)
        others = [n for n in range(len(masks)) if n not in objects]
        hole = self._grown(np.logical_or.reduce(masks[list(objects)]))
        if others:
            hole &= ~masks[others].any(axis=0)
        todo = hole.copy()
        size = (image.shape[1], image.shape[0])
        for k in NEIGHBOURS:
            for other in (t - k, t + k):
                if not todo.any() or not 0 <= other < len(self._frames) or self._stretch[other] != self._stretch[t]:
                    continue
                bring = (np.linalg.inv(self._to_first[t]) @ self._to_first[other])[:2]
                free = (~self._grown(np.logical_or.reduce(self._cut.masks(other)))).astype(np.uint8)
                free = cv2.warpAffine(free, bring, size, flags=cv2.INTER_NEAREST).view(bool) & todo
                if free.any():
                    image[free] = cv2.warpAffine(self._frames[other], bring, size, flags=cv2.INTER_LINEAR)[free]
                    todo &= ~free
        if todo.any():
            image = cv2.inpaint(image, todo.astype(np.uint8), 5, cv2.INPAINT_TELEA)
        soft = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), EDGE)[..., None]
        return np.clip(self._frames[t] * (1 - soft) + image * soft + 0.5, 0, 255).astype(np.uint8)

    def _grown(self, mask: np.ndarray) -> np.ndarray:
        return cv2.dilate(mask.view(np.uint8), self._grow).view(bool)


class PlantedScene(Scene):
    """The synthetic scene with a planted fault, drawn and not pasted: motion blur, shadow and occlusion are right.

    Args:
        fault: steps for the frames of a scene of the same arguments.
    """

    def __init__(self, fault: Fault, **scene):
        self._steps = fault.steps
        self._length = len(fault.steps)
        super().__init__(**scene)
        self.name = f"{self.name}, {fault.name}"

    def count(self) -> int:
        return self._length

    def read(self, start: int = 0) -> Iterator[Frame]:
        for index in range(start, self._length):
            yield Frame(index, index / self.rate, self.render(index))

    def track(self) -> Track:
        builder = TrackBuilder(("person", "skateboard"), (self.height, self.width), self.rate, self.name, "truth")
        for index in range(self._length):
            masks = self.truth(index).masks
            builder.append(masks, np.asarray(masks.any(axis=(1, 2)), np.float32), index / self.rate)
        return builder.finish()

    def _step(self, index: float) -> tuple[Step, float]:
        """The step of the exposure that an instant belongs to, and how far it is from the exposure's middle."""
        t = min(max(round(index), 0), self._length - 1)
        return self._steps[t], index - t

    def _camera(self, index: float) -> np.ndarray:
        step, offset = self._step(index)
        return super()._camera(step.frame + offset)

    def _figure(self, index: float) -> Figure:
        step, offset = self._step(index)
        now = super()._figure(step.frame + offset)
        parts = {"person": now.person, "skateboard": now.board}
        for label, put in step.puts.items():
            parts[label] = [] if put is None else self._parts(label, put, offset)
        return replace(now, person=parts["person"], board=parts["skateboard"])

    def _parts(self, label: str, put: Put, offset: float) -> list[Part]:
        figure = super()._figure(put.frame + offset)
        parts = figure.person if label == "person" else figure.board
        if not put.swapped:
            return parts
        middle = np.concatenate([part.outline for part in parts]).mean(axis=0)
        radius = 0.16  # m: about the area of a board seen from the side
        turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)[:, None]
        outline = middle + radius * np.hstack([np.cos(turn), np.sin(turn)])
        corner = middle - radius
        frame = np.column_stack([[2 * radius, 0], [0, 2 * radius], corner])
        return [Part(label, "shirt", outline, frame)]

    def _view(self, label: str, index: float) -> np.ndarray:
        step, offset = self._step(index)
        put = step.puts.get(label)
        if put is None:
            return self._camera(index)
        camera = super()._camera(put.frame + offset)
        turn = put.matrix[:, :2]
        return np.column_stack([turn @ camera[:, :2], turn @ camera[:, 2] + put.matrix[:, 2]])


Restyle = Callable[[np.ndarray, int, np.ndarray | None], np.ndarray]


class RestyledClip(Clip):
    """Another clip with every picture changed by change(image, t, masks), masks bool [N, H, W] of its objects."""

    def __init__(self, clip: Clip, change: Restyle, masks: Track | None = None):
        self.name, self.path = f"{clip.name}, {change.__name__}", None
        self.width, self.height = clip.width, clip.height
        self.rate, self.time_base, self.warnings = clip.rate, clip.time_base, []
        self._clip, self._change, self._masks = clip, change, masks

    def read(self, start: int = 0) -> Iterator[Frame]:
        for frame in self._clip.read(start):
            masks = None if self._masks is None else self._masks.masks(frame.index)
            yield Frame(frame.index, frame.time, self._change(frame.image, frame.index, masks))

    def count(self) -> int:
        return self._clip.count()


def recoloured(image: np.ndarray, t: int, masks: np.ndarray | None) -> np.ndarray:
    """Hue turned by 120 degrees, tones lifted; uint8 [H, W, 3] RGB in and out."""
    turned = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    turned[..., 0] = (turned[..., 0].astype(int) + 60) % 180
    return np.clip(cv2.cvtColor(turned, cv2.COLOR_HSV2RGB).astype(float) ** 0.9 * 1.4, 0, 255).astype(np.uint8)


def object_recoloured(image: np.ndarray, t: int, masks: np.ndarray | None) -> np.ndarray:
    """Only the objects in other colours."""
    assert masks is not None
    alpha = cv2.GaussianBlur(np.logical_or.reduce(masks).astype(np.float32), (0, 0), EDGE)[..., None]
    return np.clip(image + alpha * (recoloured(image, t, masks).astype(np.float32) - image), 0, 255).astype(np.uint8)


def blurred(image: np.ndarray, t: int, masks: np.ndarray | None) -> np.ndarray:
    """Out of focus: sigma .3 % of the height."""
    return cv2.GaussianBlur(image, (0, 0), 0.003 * image.shape[0])


def noisy(image: np.ndarray, t: int, masks: np.ndarray | None) -> np.ndarray:
    """Noise of 8 levels, another on every frame."""
    rng = np.random.default_rng((7, t))
    return np.clip(image + rng.normal(0, 8, image.shape), 0, 255).astype(np.uint8)


def painted(image: np.ndarray, t: int, masks: np.ndarray | None) -> np.ndarray:
    """Texture smoothed away, eight tones per channel left: a style that keeps edges."""
    return cv2.bilateralFilter(image, 9, 60, 9) // 32 * 32 + 16


RESTYLES: tuple[Restyle, ...] = (recoloured, object_recoloured, blurred, noisy, painted)


def encoded(clip: Clip, file: Path, crf: int = 38) -> Clip:
    """Written with x264 at low quality and opened again."""
    with VideoWriter(file, clip.width, clip.height, clip.rate, crf=crf) as video:
        for frame in clip:
            video.write(frame.image)
    return open_clip(file)


def _foreign(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture's size in stripes of the colour opposite to the object's."""
    mean = picture[mask].mean(axis=0)
    rows = np.arange(picture.shape[0])[:, None, None] // 4 % 2
    return np.broadcast_to(np.clip(255 - mean + 50 * rows, 0, 255), picture.shape).astype(np.uint8)

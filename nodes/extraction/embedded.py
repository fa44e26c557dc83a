"""The tracker that needs no weights: several objects together, from their masks on one frame, with OpenCV and numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from .box_masks import masks_from_boxes
from .colour_model import ColourMemory, LocalColour, Palette, count_colours, sigmoid
from .detection import Box
from .flow import Window, grid, layer_motion, round_trip_error, sample, window_around
from .layers import LayerEvidence, Scene, background_levels, object_levels, pair_levels
from .outline import bounds, keep_components, refine_outline, signed_distance

# Working size of the window around an object, px, whatever the frame's size: a quarter of 854x480. The distances
# below are in working px. All were chosen on five DAVIS sequences, forward and backward (tests/benchmarks/
# davis_tracker.py), where most single changes move the mean J by no more than .02; a third less MEMORY costs .06 and
# a quarter less BUDGET, with the same distances, .05.
BUDGET = 427 * 240
# The window reaches this many times the object's mean side beyond it, and this share of the frame's longer side.
REACH = 0.6
REACH_FRAME = 0.03
# Weights of the evidence, in log-likelihood ratios: expected outline, colours here, colours ever, layered motion.
SHAPE, LOCAL, MEMORY, MOTION = 1.0, 2.5, 3.0, 1.5
# Softness of the expected outline, px, and the most it says.
SHAPE_STEP = 2.5
SHAPE_LIMIT = 2.0
# Cells of the local colours, px.
CELL = 32
# An object's motion is read this far inside its outline, px, and where flow there and back agree to this, px.
CORE = 13
ROUND_TRIP = 1.5
OBJECT_SIGMA = 8.0
SCENE_SIGMA = 24.0
# Likeness of a mask's colours to the object's, against its usual likeness: below the first it is not learned from,
# below the second it is another thing and the object is lost; found again from the third, in a box from the fourth.
SURE, LOST, FOUND, FOUND_IN_BOX = 0.9, 0.8, 0.8, 0.5
# Frames after which an object's colours are no longer doubted.
YOUNG = 24
# A mask has leaked when it fills its box so many times as much as it used to.
LEAKING = 1.25
# A detector's box keeps the mask inside it, with this margin on each side.
BOX_MARGIN = 0.13
# Below this an object has hardly a core, px.
SMALL = 400
# Specks below this are dropped, px, unless the object itself is about as small.
SPECK = 15
# Places tried for each lost object.
PLACES = 4
# A cut: less than this of the colours in common, and this mean difference in tone, in pictures of about CUT_SIZE px.
CUT_COMMON = 0.5
CUT_TONE = 30.0
CUT_SIZE = 96 * 54


@dataclass(slots=True)
class _Object:
    """What is known of one object. Sizes and places in frame px."""

    mask: np.ndarray
    area: float = 0.0
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    extent: np.ndarray = field(default_factory=lambda: np.zeros(2))
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    memory: ColourMemory | None = None
    layers: LayerEvidence = field(default_factory=LayerEvidence)
    scene: Scene | None = None
    likeness: float = 1.0
    usual_likeness: float | None = None
    missing: int = 0
    boxed: bool = False
    learned: int = 0
    usual_fill: float = 0.0

    def moved_to(self, mask: np.ndarray) -> None:
        """Take the mask of a new frame, bool [H, W]."""
        self.mask = mask
        if not mask.any():
            self.missing += 1
            return
        box = bounds(mask)
        centre_x2, centre_y2 = box[0] + box[2], box[1] + box[3]
        if self.missing == 0 and self.area > 0 and self.sure:
            move = np.array([centre_x2 - self.box[0] - self.box[2], centre_y2 - self.box[1] - self.box[3]]) / 2
            self.velocity = 0.7 * self.velocity + 0.3 * move
        self.missing, self.box = 0, box
        # These fall slowly, so that they still tell the size when the object is gone behind something.
        self.extent = np.maximum(np.array([box[2] - box[0], box[3] - box[1]], float), 0.95 * self.extent)
        self.area = max(float(np.count_nonzero(mask)), 0.95 * self.area)

    @property
    def sure(self) -> bool:
        return self.likeness > SURE

    def compare(self, counts: np.ndarray) -> float:
        """Likeness of colour counts to this object's, 1 being usual."""
        if self.memory is None:
            return 1.0
        return self.memory.similarity(counts) / (self.usual_likeness or 1.0)


class EmbeddedTracker:
    """Follows objects from frame to frame; what it keeps does not grow with the clip."""

    def __init__(self, image: np.ndarray, masks: np.ndarray):
        """Start on one frame.

        Args:
            image: RGB uint8 [H, W, 3].
            masks: bool [N, H, W], one for each object; where they overlap the smaller object keeps the pixel. An
                object with an empty mask is lost until a box shows it.

        Raises:
            ValueError: another type or shape (it is named).
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image must be uint8 [H, W, 3], got {image.dtype} {list(image.shape)}")
        if masks.ndim != 3 or masks.dtype != bool or masks.shape[1:] != image.shape[:2]:
            wanted = f"bool [N, {image.shape[0]}, {image.shape[1]}]"
            raise ValueError(f"masks must be {wanted} as the image, got {masks.dtype} {list(masks.shape)}")
        self.size: tuple[int, int] = (image.shape[0], image.shape[1])
        self._image = image
        self._thumb = self._thumbnail(image)
        self._whole = window_around((0, 0, self.size[1], self.size[0]), self.size, BUDGET)
        self._palette = Palette(cv2.cvtColor(self._whole.crop(image), cv2.COLOR_RGB2LAB))
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._objects = [_Object(mask) for mask in masks]
        for thing, mask in zip(self._objects, exclusive(masks), strict=True):
            thing.moved_to(mask)

    def step(self, image: np.ndarray, boxes: Sequence[Box | None] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Go on to the next frame.

        Args:
            image: RGB uint8 [H, W, 3], of the size the tracker started with.
            boxes: for each object where a detector sees it on this frame, (x1, y1, x2, y2) px, or None. A mask is kept
                inside its box. An object that ever had a box is found again only in a box, where it also takes back
                the pixels that another object has taken meanwhile.

        Returns:
            masks: bool [N, H, W], never overlapping; empty for a lost object.
            scores: float32 [N], 0..1: how sure each pixel is and how like the object's the colours are; 0 when lost,
                at most 0.5 on the frame where an object is found again.

        Raises:
            ValueError: another frame size, or not one box for each object.
        """
        if image.shape != (*self.size, 3) or image.dtype != np.uint8:
            wanted = f"uint8 [{self.size[0]}, {self.size[1]}, 3]"
            raise ValueError(f"every frame must be {wanted} as the first, got {image.dtype} {list(image.shape)}")
        count = len(self._objects)
        boxes = [None] * count if boxes is None else boxes
        if len(boxes) != count:
            raise ValueError(f"boxes must have one entry for each of the {count} objects, got {len(boxes)}")
        thumb = self._thumbnail(image)
        masks, scores = np.zeros((count, *self.size), bool), np.zeros(count, np.float32)
        cut = _is_cut(self._thumb, thumb)
        if not cut:
            for box, members in self._groups():
                self._follow(image, window_around(box, self.size, BUDGET), members, boxes, masks, scores)
        for n, (thing, box) in enumerate(zip(self._objects, boxes, strict=True)):
            if box is not None:
                thing.boxed = True
                if masks[n].any():
                    self._tighten(n, image, box, masks)
                else:
                    scores[n] = self._take_from_box(n, image, box, masks)
            elif not (masks[n].any() or thing.boxed or cut):
                masks[n], scores[n] = self._look_for(n, image, np.logical_not(masks.any(0)))
        for thing, mask in zip(self._objects, masks, strict=True):
            thing.moved_to(mask.copy())
        self._image, self._thumb = image, thumb
        return masks, scores

    def place(self, masks: Mapping[int, np.ndarray]) -> None:
        """Take other masks for true on the frame of the last step; what was learned of these objects before is dropped.

        Args:
            masks: bool [H, W] by number of the object, without overlap. The other objects give up these pixels.
        """
        for n, mask in masks.items():
            self._objects[n] = _Object(mask, boxed=self._objects[n].boxed)
            self._objects[n].moved_to(mask)
        taken = np.logical_or.reduce(list(masks.values()))
        for n, thing in enumerate(self._objects):
            if n not in masks and (thing.mask & taken).any():
                thing.mask = thing.mask & ~taken
                if thing.mask.any():
                    thing.box = bounds(thing.mask)
                else:
                    thing.missing += 1

    def _thumbnail(self, image: np.ndarray) -> np.ndarray:
        h, w = self.size
        scale = min(1.0, (CUT_SIZE / (h * w)) ** 0.5)
        return cv2.resize(image, (max(round(w * scale), 8), max(round(h * scale), 8)), interpolation=cv2.INTER_AREA)

    def _colours(self, image: np.ndarray) -> np.ndarray:
        return self._palette.index(cv2.cvtColor(image, cv2.COLOR_RGB2LAB))

    def _groups(self) -> list[tuple[Box, list[int]]]:
        """Objects seen on the last frame, together where their windows would overlap, with the window's box."""
        groups: list[tuple[Box, list[int]]] = []
        for n, thing in enumerate(self._objects):
            if thing.missing or not thing.area:
                continue
            x0, y0, x1, y1 = thing.box
            reach = REACH * ((x1 - x0) * (y1 - y0)) ** 0.5 + REACH_FRAME * max(self.size)
            box: Box = (x0 - reach, y0 - reach, x1 + reach, y1 + reach)
            members, apart = [n], []
            for other, others in groups:
                if box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]:
                    box = (min(box[0], other[0]), min(box[1], other[1]), max(box[2], other[2]), max(box[3], other[3]))
                    members = others + members
                else:
                    apart.append((other, others))
            groups = [*apart, (box, members)]
        return groups

    def _follow(
        self,
        image: np.ndarray,
        window: Window,
        members: list[int],
        boxes: Sequence[Box | None],
        masks: np.ndarray,
        scores: np.ndarray,
    ) -> None:
        """Move the objects `members` on to `image` inside one window; writes into masks and scores."""
        before, now = window.crop(self._image), window.crop(image)
        grey_before, grey_now = (cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (before, now))
        forward = self._flow.calc(grey_before, grey_now, None)  # pyright: ignore
        backward = self._flow.calc(grey_now, grey_before, None)  # pyright: ignore
        trusted = round_trip_error(forward, backward) < ROUND_TRIP
        here = grid(window.height, window.width)
        colours_before, colours = (self._colours(x) for x in (before, now))
        covers = [window.crop_mask(self._objects[n].mask) for n in members]
        hard = [cover > 0.5 for cover in covers]
        local = LocalColour(colours_before, hard, CELL)

        union = np.logical_or.reduce(hard)
        free = cv2.dilate(union.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
        scene_motion = layer_motion(forward, (free & trusted).astype(np.float32), SCENE_SIGMA)
        scene = Scene.seen(before, union, window, self._objects[members[0]].scene).moved(scene_motion)
        scene_levels = background_levels(now, scene, backward, scene_motion)

        followed, evidence, priors, levels = [], [], [], []
        for i, n in enumerate(members):
            thing = self._objects[n]
            fg, bg = local.totals[i]
            if thing.memory is None:
                thing.memory = ColourMemory(fg, bg)
            else:
                thing.memory.update(bg, fg if thing.sure else None)
            motion = _object_motion(forward, covers[i], hard[i], trusted)
            prior = (sample(covers[i], here + motion, cv2.BORDER_CONSTANT) > 0.5).astype(np.uint8)
            if not prior.any():
                continue
            signed = signed_distance(prior)
            level = pair_levels(scene_levels, object_levels(now, before, backward, motion))
            # Each colour cue counts as far as it could tell the object from the rest on the frame it was learned on.
            seen = np.abs(sigmoid(local.look_up(i, colours_before, here)) - hard[i])
            local_trust = np.clip(1 - 2.5 * cv2.blur(seen, (15, 15)), 0, 1).astype(np.float32)
            table = thing.memory.table()
            total = (
                SHAPE * np.clip(signed / SHAPE_STEP, -SHAPE_LIMIT, SHAPE_LIMIT)
                + LOCAL * local.look_up(i, colours, here + backward) * sample(local_trust, here + backward)
                + MEMORY * table[colours] * _agreement(sigmoid(table)[colours_before], hard[i])
                + MOTION * thing.layers.judge(level, prior, signed)
            )
            followed.append(n)
            evidence.append(total)
            # Optical flow overlooks a small thing that moves by its own size; then it may be found beside the prior.
            small = np.count_nonzero(prior) < SMALL
            priors.append((cv2.dilate(prior, np.ones((CORE, CORE), np.uint8)) if small else prior) > 0)
            levels.append(level)
        if not followed:
            return

        best = np.argmax(evidence, axis=0)
        for i, n in enumerate(followed):
            thing = self._objects[n]
            least = min(SPECK, 0.3 * thing.area * float(window.scale.prod()))
            mask = keep_components((evidence[i] > 0) & (best == i), priors[i], least)
            if not mask.any():
                continue
            counts = count_colours(colours[mask])
            thing.likeness = thing.compare(counts)
            if thing.likeness < LOST:
                continue
            if thing.sure:
                thing.learned += 1
                thing.layers.learn(levels[i], mask)
                usual = thing.likeness * (thing.usual_likeness or 1.0)
                thing.usual_likeness = 0.9 * (thing.usual_likeness or usual) + 0.1 * usual
            thing.scene = scene
            allowed = ~window.view(masks.transpose(1, 2, 0)).any(2)
            box = boxes[n]
            if box is not None:
                allowed &= window.view(_inside(box, self.size))
            window.view(masks[n])[:] = window.enlarge(refine_outline(now, mask)) & allowed
            scores[n] = min(1.0, float(sigmoid(evidence[i][mask]).mean()) * min(thing.likeness, 1.0) ** 0.5)

    def _take_from_box(self, n: int, image: np.ndarray, box: Box, masks: np.ndarray) -> float:
        """Score of a lost object in its box; its mask is written into `masks` and taken from the others."""
        thing = self._objects[n]
        others = [mask for k, mask in enumerate(masks) if k != n and mask.any()]
        # Another object may have swallowed this one, or may just be of the same colour beside it.
        found = [masks_from_boxes(image, [box, *map(bounds, others)])[0]]
        if others:
            found.append(masks_from_boxes(image, [box], np.logical_or.reduce(others))[0])
        likeness, best = max((self._likeness(thing, image, mask), -k) for k, mask in enumerate(found))
        if likeness < FOUND_IN_BOX:
            if thing.learned >= YOUNG or not found[0].any():
                return 0.0
            # Hardly seen before: its colours were learned from a wrong mask, and the detector knows it by its kind.
            best, self._objects[n] = 0, _Object(thing.mask, boxed=True, missing=thing.missing)
        masks &= ~found[-best]
        masks[n] = found[-best]
        return 0.5 * min(likeness, 1.0)

    def _likeness(self, thing: _Object, image: np.ndarray, mask: np.ndarray) -> float:
        """How like the object's the colours in a mask are, bool [H, W]; 0 for an empty one."""
        if not mask.any():
            return 0.0
        window = window_around(bounds(mask), self.size, BUDGET)
        return thing.compare(count_colours(self._colours(window.crop(image))[window.crop_mask(mask) > 0.5]))

    def _tighten(self, n: int, image: np.ndarray, box: Box, masks: np.ndarray) -> None:
        """Cut a mask that fills its box as the object never did: it has leaked into what lies around the object."""
        thing = self._objects[n]
        fill = np.count_nonzero(masks[n]) / max(1.0, (box[2] - box[0]) * (box[3] - box[1]))
        if thing.usual_fill and fill > LEAKING * thing.usual_fill:
            rivals = [bounds(mask) for k, mask in enumerate(masks) if k != n and mask.any()]
            tight = masks[n] & masks_from_boxes(image, [box, *rivals])[0]
            if np.count_nonzero(tight) > 0.3 * np.count_nonzero(masks[n]):
                masks[n] = tight
        else:
            thing.usual_fill = 0.9 * (thing.usual_fill or fill) + 0.1 * fill

    def _look_for(self, n: int, image: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, float]:
        """Mask, bool [H, W], and score of a lost object where `free`, bool [H, W], allows; empty when not found."""
        thing = self._objects[n]
        nothing = np.zeros(self.size, bool), 0.0
        window = self._whole
        # What has just gone is mostly hidden, and another thing would be found; flow may just have missed a small one.
        if thing.memory is None or (thing.missing == 0 and thing.area * float(window.scale.prod()) > SMALL):
            return nothing
        colours = self._colours(window.crop(image))
        likely = sigmoid(2 * thing.memory.table_against(count_colours(colours)))[colours]
        likely[window.crop_mask(free) < 0.5] = 0
        area = thing.area * float(window.scale.prod())
        side = np.maximum(thing.extent * window.scale, 5)
        place = (np.array([thing.box[0] + thing.box[2], thing.box[1] + thing.box[3]]) / 2) * window.scale
        place = place + thing.velocity * window.scale * min(thing.missing, 10)
        reach = (0.5 + 0.1 * thing.missing) * side.max() + 0.01 * max(window.width, window.height) * thing.missing
        best, found = 0.0, None
        for near in _likely_places(likely, side, place, reach):
            mask = keep_components(near & (likely > 0.5), near, SPECK)
            if 0.3 * area < np.count_nonzero(mask) < 2.5 * area:
                likeness = thing.compare(count_colours(colours[mask]))
                if likeness > best:
                    best, found = likeness, mask
        if found is None or best < FOUND:
            return nothing
        mask = np.zeros(self.size, bool)
        window.view(mask)[:] = window.enlarge(found)
        return mask & free, 0.5 * min(best, 1.0)


def exclusive(masks: np.ndarray) -> np.ndarray:
    """The masks without overlap; the smaller object keeps the pixel, as a board drawn over its rider should."""
    out, taken = masks.copy(), np.zeros(masks.shape[1:], bool)
    for n in np.argsort(masks.sum((1, 2)), kind="stable"):
        out[n] &= ~taken
        taken |= out[n]
    return out


def _is_cut(before: np.ndarray, now: np.ndarray) -> bool:
    def shares(image: np.ndarray) -> np.ndarray:
        counts = cv2.calcHist([image], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3)
        return counts / image[..., 0].size

    common = float(np.minimum(shares(before), shares(now)).sum())
    return common < CUT_COMMON and float(cv2.absdiff(before, now).mean()) > CUT_TONE


def _inside(box: Box, size: tuple[int, int]) -> np.ndarray:
    """bool [H, W]: within a box and its margin."""
    x0, y0, x1, y1 = box
    dx, dy = BOX_MARGIN * (x1 - x0), BOX_MARGIN * (y1 - y0)
    mask = np.zeros(size, bool)
    mask[max(round(y0 - dy), 0) : max(round(y1 + dy), 0), max(round(x0 - dx), 0) : max(round(x1 + dx), 0)] = True
    return mask


def _object_motion(forward: np.ndarray, cover: np.ndarray, hard: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    core = cv2.erode(hard.astype(np.uint8), np.ones((CORE, CORE), np.uint8)) > 0
    weight = (core & trusted).astype(np.float32)
    # A thing too thin to have a core moves as the flow on it says.
    return layer_motion(forward, weight if weight.sum() >= 20 else cover, OBJECT_SIGMA)


def _agreement(probability: np.ndarray, mask: np.ndarray) -> float:
    """0..1: how well a soft labelling, float32 [h, w], separates a mask; both sides count the same."""
    if not mask.any() or mask.all():
        return 0.0
    error = 0.5 * (float((1 - probability[mask]).mean()) + float(probability[~mask].mean()))
    return min(max(1 - 2.5 * error, 0.0), 1.0)


def _likely_places(likely: np.ndarray, side: np.ndarray, place: np.ndarray, reach: float) -> list[np.ndarray]:
    """Boxes, as bool [h, w], where much of `likely` is in an object-sized box and little around it, near `place`.

    side, place: px (x, y). reach: px, the standard deviation of how far from `place` the object may be.
    """

    def mean(size: np.ndarray) -> np.ndarray:
        return cv2.blur(likely, (int(size[0]) | 1, int(size[1]) | 1), borderType=cv2.BORDER_CONSTANT)

    here = grid(*likely.shape)
    inner, outer = mean(side), mean(1.6 * side)
    ring = (1.6**2 * outer - inner) / (1.6**2 - 1)
    distance = ((here - place.astype(np.float32)) ** 2).sum(2)
    goal = ((inner - ring) * np.exp(-0.5 * distance / reach**2)).astype(np.float32)
    places = []
    for _ in range(PLACES):
        _, top, _, (x, y) = cv2.minMaxLoc(goal)
        if top <= 0.02:
            break
        near = (np.abs(here[..., 0] - x) < 0.6 * side[0]) & (np.abs(here[..., 1] - y) < 0.6 * side[1])
        goal[near] = 0
        places.append(near)
    return places

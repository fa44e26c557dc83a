"""The tracker that needs no weights: several objects together, from their masks on one frame, with OpenCV and numpy."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .colour_model import GlobalColour, LocalColour, Palette, llr
from .flow import grid, layer_backward, sample, window_around

NAME = "embedded"
VERSION = "1"

Box = tuple[float, float, float, float]

BUDGET = 427 * 240
CELL = 32
W_SHAPE = 1.0
W_LOCAL = 2.5
W_GLOBAL = 3.0
W_MOTION = 1.5
DUMP = None
FEED = True
MCAP = 4.0
FAR = 0
FIRST_W = 3.0
KEEP_G = 0.9
TBLUR = 15
LAYER_SIGMA = 8.0

SHAPE_LIMIT = 2.0
BAND = 3
ERODE = 13
MARGIN = 0.6
BOX_MARGIN = 0.13
MIN_AREA = 15
LOST_SIMILARITY = 0.35
FOUND_SIMILARITY = 0.6
THUMB = 96 * 54
CUT_CORRELATION = 0.5
REFINE = True


BG_SIGMA = 24.0
FLOW_STEPS = np.array([0.5, 1.5, 4.0], np.float32)
TONE_STEPS = np.array([4, 8, 14, 28], np.int32)
KEEP_LAYERS = 0.95
USE_RB = 1
USE_RF = 1
NEAR = 15



def _excess(image, expected):
    """uint8 [h, w]: how far each colour is outside the 3x3 neighbourhood it was expected in, largest channel."""
    k = np.ones((3, 3), np.uint8)
    over = cv2.subtract(image, cv2.dilate(expected, k))
    under = cv2.subtract(cv2.erode(expected, k), image)
    return np.maximum(over, under).max(2)


def _tone_levels(d):
    return _TONE_LUT[d]


_TONE_LUT = np.searchsorted(TONE_STEPS, np.arange(256), side="right").astype(np.int32)


def _flow_levels(flow, layer):
    d = flow - layer
    return np.searchsorted(FLOW_STEPS**2, d[..., 0] ** 2 + d[..., 1] ** 2).astype(np.int32)


def _transfer(a, src, dst, fill=0):
    s, d = src.scale, dst.scale
    M = np.array([[s[0] / d[0], 0, (dst.x0 - src.x0) * s[0]], [0, s[1] / d[1], (dst.y0 - src.y0) * s[1]]], np.float32)
    return cv2.warpAffine(
        a,
        M,
        (dst.width, dst.height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=fill,
    )


class _Object:
    def __init__(self):
        self.memory = None
        self.layers = None
        self.scene = None
        self.area = 0.0
        self.box = None
        self.missing = 0


def _agree(p, mask):
    if not mask.any() or mask.all():
        return 0.0
    e = 0.5 * ((1 - p[mask]).mean() + p[~mask].mean())
    return float(np.clip(1 - 2.5 * e, 0, 1))


def _sigmoid(x):
    return 1.0 / (1.0 + cv2.exp(-x))


def _bounds(mask):
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    return x, y, x + w, y + h


class EmbeddedTracker:
    def __init__(self, image: np.ndarray, masks: np.ndarray):
        image, masks = np.asarray(image), np.asarray(masks)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image must be uint8 [H, W, 3], got {image.dtype} {list(image.shape)}")
        if masks.ndim != 3 or masks.dtype != bool or masks.shape[1:] != image.shape[:2]:
            raise ValueError(
                f"masks must be bool [N, {image.shape[0]}, {image.shape[1]}] as the image, "
                f"got {masks.dtype} {list(masks.shape)}"
            )
        self.size = image.shape[:2]
        self._image = image
        self._masks = _exclusive(masks)
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        whole = window_around((0, 0, self.size[1], self.size[0]), self.size, BUDGET)
        self._whole = whole
        small = cv2.cvtColor(whole.crop(image), cv2.COLOR_RGB2LAB)
        self._palette = Palette(small)
        self._thumb = self._make_thumb(image)
        self._objects = [_Object() for _ in masks]
        for o, m in zip(self._objects, self._masks):
            if m.any():
                o.box, o.area = _bounds(m), float(m.sum())

    def step(self, image: np.ndarray, boxes: Sequence[Box | None] | None = None):
        n = len(self._objects)
        image = np.asarray(image)
        if image.shape != (*self.size, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"every frame must be uint8 [{self.size[0]}, {self.size[1]}, 3] as the first, got {image.dtype} {list(image.shape)}"
            )
        boxes = [None] * n if boxes is None else list(boxes)
        if len(boxes) != n:
            raise ValueError(f"boxes must have one entry for each of the {n} objects, got {len(boxes)}")
        thumb = self._make_thumb(image)
        cut = _is_cut(self._thumb, thumb)
        raw = np.zeros_like(self._masks)
        shown = np.zeros_like(self._masks)
        scores = np.zeros(n, np.float32)
        active = [] if cut else [k for k in range(n) if self._masks[k].any()]
        for group in self._groups(active):
            self._propagate(image, group, boxes, raw, shown, scores)
        for k in range(n):
            if not raw[k].any() and self._objects[k].memory is not None or boxes[k] is not None and not raw[k].any():
                self._search(image, k, boxes[k], raw, shown, scores)
        for k, o in enumerate(self._objects):
            if raw[k].any():
                o.missing, o.box = 0, _bounds(raw[k])
                # Falls slowly, so that it still tells the size before an occlusion when the object is gone.
                o.area = max(float(raw[k].sum()), 0.95 * o.area)
            else:
                o.missing += 1
        self._image, self._masks, self._thumb = image, raw, thumb
        return shown, scores

    def _make_thumb(self, image):
        h, w = self.size
        s = min(1.0, (THUMB / (h * w)) ** 0.5)
        return cv2.resize(image, (max(round(w * s), 8), max(round(h * s), 8)), interpolation=cv2.INTER_AREA)

    def _reach(self, k):
        x0, y0, x1, y1 = self._objects[k].box
        m = MARGIN * ((x1 - x0) * (y1 - y0)) ** 0.5 + 0.03 * max(self.size)
        return x0 - m, y0 - m, x1 + m, y1 + m

    def _groups(self, active):
        groups = []
        for k in active:
            reach, members, rest = self._reach(k), [k], []
            for other, ids in groups:
                if reach[0] < other[2] and other[0] < reach[2] and reach[1] < other[3] and other[1] < reach[3]:
                    reach = (
                        min(reach[0], other[0]),
                        min(reach[1], other[1]),
                        max(reach[2], other[2]),
                        max(reach[3], other[3]),
                    )
                    members = ids + members
                else:
                    rest.append((other, ids))
            groups = [*rest, (reach, members)]
        return groups

    def _propagate(self, image, group, boxes, raw, shown, scores):
        reach, active = group
        win = window_around(reach, self.size, BUDGET)
        A, B = win.crop(self._image), win.crop(image)
        ga, gb = cv2.cvtColor(A, cv2.COLOR_RGB2GRAY), cv2.cvtColor(B, cv2.COLOR_RGB2GRAY)
        forward, backward = self._dis.calc(ga, gb, None), self._dis.calc(gb, ga, None)
        g = grid(*ga.shape)
        at = g + backward
        round_trip = forward + sample(backward, g + forward)
        error = np.sqrt(round_trip[..., 0] ** 2 + round_trip[..., 1] ** 2)
        ia = self._palette.index(cv2.cvtColor(A, cv2.COLOR_RGB2LAB))
        ib = self._palette.index(cv2.cvtColor(B, cv2.COLOR_RGB2LAB))
        soft = [win.crop(self._masks[k].astype(np.uint8) * 255).astype(np.float32) / 255 for k in active]
        hard = [s > 0.5 for s in soft]
        local = LocalColour(ia, hard, CELL)
        union = np.logical_or.reduce(hard)
        far = cv2.dilate(union.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
        bg_back = layer_backward(forward, (far & (error < 1.5)).astype(np.float32), BG_SIGMA)
        scene, known = A, cv2.dilate(union.astype(np.uint8), np.ones((5, 5), np.uint8)) ^ 1
        lead = self._objects[active[0]]
        if lead.scene is not None:
            old, old_known, old_win = lead.scene
            scene = np.where(known[..., None] > 0, A, _transfer(old, old_win, win))
            known = np.maximum(known, _transfer(old_known, old_win, win))
        expected = sample(scene, g + bg_back)
        db = _tone_levels(_excess(B, expected))
        db[sample(known, g + bg_back, cv2.BORDER_CONSTANT) == 0] = 5
        rb = _flow_levels(backward, bg_back) * USE_RB
        shared = (rb * 6 + db) * 4
        scene_known = known
        logits, cues, ids = [], [], []
        for j, k in enumerate(active):
            o = self._objects[k]
            if o.memory is None:
                o.memory = GlobalColour(local.fg_raw[j], local.bg_raw[j], FIRST_W, KEEP_G)
            else:
                o.memory.update(local.fg_raw[j], local.bg_raw[j])
            table = o.memory.table()
            pl = _sigmoid(local.look_up(j, ia, g))
            trust = np.clip(1 - 2.5 * cv2.blur(np.abs(pl - hard[j]), (TBLUR, TBLUR)), 0, 1).astype(np.float32)
            tg = _agree(_sigmoid(table[ia]), hard[j])
            u8 = hard[j].astype(np.uint8)
            core = cv2.erode(u8, np.ones((ERODE, ERODE), np.uint8))
            weight = ((core > 0) & (error < 1.5)).astype(np.float32)
            if weight.sum() < 20:
                weight = np.maximum(soft[j], 1e-3 * (soft[j] > 0))
            back = layer_backward(forward, weight, LAYER_SIGMA)
            prior = sample(soft[j], g + back, cv2.BORDER_CONSTANT)
            ph = (prior > 0.5).astype(np.uint8)
            if not ph.any():
                continue
            sd = cv2.distanceTransform(ph, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - ph, cv2.DIST_L2, 3)
            shape = np.clip(sd / 2.5, -SHAPE_LIMIT, SHAPE_LIMIT)
            if FAR:
                shape -= np.maximum(-sd - FAR, 0) / 5
            lc = local.look_up(j, ib, at) * sample(trust, at)
            gc = table[ib] * tg
            df = np.minimum(_tone_levels(_excess(B, sample(A, g + back))), 3)
            q = (shared + df) * 4 + _flow_levels(backward, back) * USE_RF
            pe = cv2.erode(ph, np.ones((5, 5), np.uint8)) > 0
            if pe.sum() < 20:
                pe = ph > 0
            pb = cv2.dilate(ph, np.ones((9, 9), np.uint8)) == 0
            if NEAR:
                pb &= sd > -NEAR
            now = _layer_counts(q, pe, pb)
            counts = now if o.layers is None else [KEEP_LAYERS * a + (1 - KEEP_LAYERS) * b for a, b in zip(o.layers, now)]
            mo = llr(counts[0], counts[1], 2e-3, MCAP).ravel()[q]
            logit = W_SHAPE * shape + W_LOCAL * lc + W_GLOBAL * gc + W_MOTION * mo
            if boxes[k] is not None:
                logit = np.where(win.crop(_inside(boxes[k], self.size).astype(np.uint8)) > 0, logit, -20.0)
            logits.append(logit)
            cues.append((ph, q))
            ids.append(k)
        if not ids:
            return
        stack = np.stack(logits)
        best = stack.argmax(0)
        for i, k in enumerate(ids):
            o = self._objects[k]
            m = _components((stack[i] > 0) & (best == i), cues[i][0])
            if not m.any():
                continue
            similarity = o.memory.similarity(np.bincount(ib[m], minlength=local.fg_raw[0].size))
            if similarity < LOST_SIMILARITY:
                continue
            near_m = cv2.dilate(m.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
            if NEAR:
                near_m &= cv2.distanceTransform(1 - m.astype(np.uint8), cv2.DIST_L2, 3) < NEAR
            o.layers = _layer_counts(cues[i][1], m, near_m)
            o.scene = (sample(scene, g + bg_back), sample(scene_known, g + bg_back, cv2.BORDER_CONSTANT), win)
            p = float(_sigmoid(stack[i][m]).mean())
            scores[k] = min(1.0, p * similarity**0.5)
            free = ~shown.any(0)
            if boxes[k] is not None:
                free &= _inside(boxes[k], self.size)
            _put(raw, k, _refine(B, m) if FEED else m, win, free)
            if DUMP is not None:
                DUMP.append((B, m, win, stack[i].copy(), prior))
            _put(shown, k, _refine(B, m) if REFINE else m, win, free)

    def _search(self, image, k, box, raw, shown, scores):
        o = self._objects[k]
        taken = shown.any(0)
        if box is not None:
            m = mask_from_box(image, box) & ~taken
            if o.memory is not None and m.any():
                win = window_around(_bounds(m), self.size, BUDGET)
                ix = self._palette.index(cv2.cvtColor(win.crop(image), cv2.COLOR_RGB2LAB))
                hm = win.crop(m.astype(np.uint8) * 255) > 127
                s = o.memory.similarity(np.bincount(ix[hm], minlength=o.memory.first[0].size)) if hm.any() else 0.0
                if s < LOST_SIMILARITY:
                    return
                scores[k] = 0.5 * s
            else:
                scores[k] = 0.3 if m.any() else 0.0
            raw[k] = shown[k] = m
            return
        if o.missing < 1:
            return
        win = self._whole
        ix = self._palette.index(cv2.cvtColor(win.crop(image), cv2.COLOR_RGB2LAB))
        x0, y0, x1, y1 = o.box
        fx, fy = win.scale
        area = o.area * fx * fy
        p = _sigmoid(2 * o.memory.table()[ix])
        r = max(int(0.1 * area**0.5), 1)
        p = cv2.blur(p, (2 * r + 1, 2 * r + 1))
        lab_n, lab, stats, centre = cv2.connectedComponentsWithStats((p > 0.5).astype(np.uint8))
        best, found = 0.0, None
        reach = (0.5 + 0.15 * o.missing) * area**0.5 + 0.02 * max(win.width, win.height) * o.missing
        here = np.array([(x0 + x1) / 2 * fx, (y0 + y1) / 2 * fy])
        for i in range(1, lab_n):
            a = stats[i, cv2.CC_STAT_AREA]
            if not 0.3 * area < a < 3 * area or np.hypot(*(centre[i] - here)) > reach:
                continue
            m = lab == i
            s = o.memory.similarity(np.bincount(ix[m], minlength=o.memory.first[0].size))
            if s > best:
                best, found = s, m
        if found is None or best < FOUND_SIMILARITY:
            return
        scores[k] = 0.5 * best
        _put(raw, k, found, win, ~taken)
        _put(shown, k, found, win, ~taken)


def mask_from_box(image: np.ndarray, box: Box) -> np.ndarray:
    h, w = image.shape[:2]
    x0, y0 = max(int(round(box[0])), 0), max(int(round(box[1])), 0)
    x1, y1 = min(int(round(box[2])), w), min(int(round(box[3])), h)
    mask = np.zeros((h, w), bool)
    if x1 <= x0 or y1 <= y0:
        return mask
    mask[y0:y1, x0:x1] = True
    m = 0.35 * max(x1 - x0, y1 - y0) + 8
    win = window_around((x0 - m, y0 - m, x1 + m, y1 + m), (h, w), BUDGET // 2)
    inside = win.crop(mask.astype(np.uint8) * 255) > 127
    if inside.sum() < 40 or (~inside).sum() < 40:
        return mask
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
    cv2.setRNGSeed(0)
    cv2.grabCut(win.crop(image), labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    found = labels == cv2.GC_PR_FGD
    if found.sum() < 0.1 * inside.sum():
        return mask
    size = (win.x1 - win.x0, win.y1 - win.y0)
    up = cv2.resize(found.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
    view = mask[win.y0 : win.y1, win.x0 : win.x1]
    view &= up
    return mask


def _exclusive(masks):
    out = masks.copy()
    taken = np.zeros(masks.shape[1:], bool)
    # The smaller object wins where two masks overlap: a board drawn over a person.
    for k in np.argsort([m.sum() for m in masks], kind="stable"):
        out[k] &= ~taken
        taken |= out[k]
    return out


def _is_cut(a, b):
    def hist(x):
        h = cv2.calcHist([x], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3).ravel()
        return h / h.sum()

    return np.minimum(hist(a), hist(b)).sum() < CUT_CORRELATION and np.abs(a.astype(np.float32) - b).mean() > 30


def _inside(box, size):
    """bool [H, W]: within the box and its margin."""
    x0, y0, x1, y1 = box
    mx, my = BOX_MARGIN * (x1 - x0), BOX_MARGIN * (y1 - y0)
    mask = np.zeros(size, bool)
    mask[max(round(y0 - my), 0) : max(round(y1 + my), 0), max(round(x0 - mx), 0) : max(round(x1 + mx), 0)] = True
    return mask


def _put(stack, k, m, win, free):
    size = (win.x1 - win.x0, win.y1 - win.y0)
    up = cv2.resize(m.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
    up &= free[win.y0 : win.y1, win.x0 : win.x1]
    stack[k, win.y0 : win.y1, win.x0 : win.x1] = up


def _layer_counts(q, fg, bg):
    out = []
    for m in (fg, bg):
        h = np.bincount(q[m], minlength=4 * 6 * 4 * 4).astype(np.float32)
        out.append(h / (h.sum() + 10))
    return out


def _components(m, prior):
    n, lab, stats, _ = cv2.connectedComponentsWithStats(m.astype(np.uint8), connectivity=8)
    inside = np.bincount(lab[prior > 0], minlength=n)
    area = stats[:, cv2.CC_STAT_AREA]
    keep = (inside >= 0.2 * area) & (area >= MIN_AREA)
    keep[0] = False
    return keep[lab]


def _refine(image, mask, band=2, radius=8):
    """Move the outline within a band to where the colours on its two sides, measured around each pixel, meet."""
    u = mask.astype(np.uint8)
    x, y, w, h = cv2.boundingRect(u)
    p = band + radius
    sl = np.s_[max(y - p, 0) : y + h + p, max(x - p, 0) : x + w + p]
    u = u[sl]
    lab = cv2.cvtColor(np.ascontiguousarray(image[sl]), cv2.COLOR_RGB2LAB).astype(np.float32)
    square = cv2.transform(lab * lab, np.ones((1, 3), np.float32))
    kernel = np.ones((2 * band + 1, 2 * band + 1), np.uint8)
    outer, inner = cv2.dilate(u, kernel) == 0, cv2.erode(u, kernel) > 0

    def fit(side):
        n = cv2.blur(side, (2 * radius + 1, 2 * radius + 1)) + 1e-4
        mean = cv2.blur(lab * side[..., None], (2 * radius + 1, 2 * radius + 1)) / n[..., None]
        var = cv2.blur(square * side, (2 * radius + 1, 2 * radius + 1)) / n
        spread = np.maximum(var - (mean * mean).sum(2), 0) + 60
        return ((lab - mean) ** 2).sum(2) / spread, spread, n

    df, vf, nf = fit(inner.astype(np.float32))
    db, vb, nb = fit(outer.astype(np.float32))
    evidence = np.clip(1.5 * (db - df) + 1.5 * cv2.log(vb / vf), -3, 3) * ((nf > 0.02) & (nb > 0.02))
    signed = cv2.distanceTransform(u, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - u, cv2.DIST_L2, 3)
    p = cv2.GaussianBlur(_sigmoid(evidence + np.clip(signed, -4, 4)), (0, 0), 1.0) > 0.5
    p = np.where(inner, True, np.where(outer, False, p))
    # What an opening or a closing would remove is too thin for this: spokes, lines, gaps.
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    small = np.ones((3, 3), np.uint8)
    p |= (u > 0) & (cv2.dilate(cv2.morphologyEx(u, cv2.MORPH_OPEN, disk), small) == 0)
    p &= ~((u == 0) & (cv2.erode(cv2.morphologyEx(u, cv2.MORPH_CLOSE, disk), small) > 0))
    out = np.zeros_like(mask)
    out[sl] = p
    return out

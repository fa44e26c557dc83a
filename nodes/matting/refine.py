"""One refiner for all methods: built once, then frame by frame from picture and trimap to alpha."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from .closed_form import closed_form_alpha
from .guided import guided_alpha
from .methods import DEFAULT_METHOD, LEARNED, METHODS
from .tiles import Solve, Tally, in_tiles
from .trimap import INSIDE, OUTSIDE, UNKNOWN

if TYPE_CHECKING:
    from .matte_model import MatteModel

# Side of a tile and what neighbours share, px. Closed form takes 1 KiB a pixel; MEMatte and ViTMatte see more at once.
TILES = {"guided": (512, 64), "closed form": (512, 96), "mematte": (1024, 128), "vitmatte": (1024, 128)}

# A frame is like the last one that was refined when no more than this share of its trimap's band is another: trackers'
# outlines waver by that much on a still picture. Whether something moved is told by the colours.
SAME_BAND = 0.1


@dataclass
class RefineReport:
    """What a refiner did so far. Frames are counted from 0 in the order they came."""

    method: str
    frames: int = 0
    tiles: Tally = field(default_factory=Tally)
    reused: int = 0
    without_subject: int = 0
    without_band: list[int] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "method": self.method,
            "frames": self.frames,
            "tiles_run": self.tiles.run,
            "tiles_skipped": self.tiles.skipped,
            "frames_reused": self.reused,
            "frames_without_subject": self.without_subject,
            "frames_without_band": list(self.without_band),
        }


@dataclass(frozen=True, slots=True)
class _Kept:
    """The last frame that was refined: its trimap, and of its band the colours and the alpha."""

    trimap: np.ndarray
    colours: np.ndarray
    alpha: np.ndarray


class Refiner:
    """Refines frame after frame; use it in a `with` block, or `close` it. See `open_refiner`."""

    def __init__(self, method: str, solve: Solve, tile: int, overlap: int, reuse: float):
        self._solve: Solve | None = solve
        self._tile, self._overlap, self._reuse = tile, overlap, reuse
        self._kept: _Kept | None = None
        self.report = RefineReport(method)

    def refine(self, image: np.ndarray, trimap: np.ndarray, prior: np.ndarray | None = None) -> np.ndarray:
        """The alpha of one frame.

        Args:
            image: uint8 [H, W, 3] RGB.
            trimap: uint8 [H, W] of 0, 128, 255.
            prior: the mask that the trimap was made of, bool or float [H, W] in 0..1. Guided and closed form lean on
                it where colours don't tell; the learned methods don't look at it.

        Returns:
            float32 [H, W], 0..1; exactly 0 and 1 where the trimap is known.

        Raises:
            ValueError: sizes that differ, or a trimap with other values.
        """
        if self._solve is None:
            raise ValueError("this refiner is closed")
        _require_fitting(image, trimap, prior)
        index, self.report.frames = self.report.frames, self.report.frames + 1
        unknown = trimap == UNKNOWN
        if not unknown.any():
            if (trimap == INSIDE).any():
                self.report.without_band.append(index)
            else:
                self.report.without_subject += 1
            return (trimap == INSIDE).astype(np.float32)
        alpha = self._again(image, trimap, unknown)
        if alpha is not None:
            self.report.reused += 1
            return alpha
        alpha = in_tiles(image, trimap, self._solve, self._tile, self._overlap, prior, self.report.tiles)
        self._kept = _Kept(trimap.copy(), image[unknown], alpha[unknown])
        return alpha

    def close(self) -> None:
        """Let go of the method and of what is kept of the last frame."""
        self._solve = self._kept = None

    def __enter__(self) -> Refiner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _again(self, image: np.ndarray, trimap: np.ndarray, unknown: np.ndarray) -> np.ndarray | None:
        """The alpha of the last refined frame, where this one is as good as the same; else None."""
        kept = self._kept
        if kept is None or kept.trimap.shape != trimap.shape:
            return None
        before = kept.trimap == UNKNOWN
        others = np.count_nonzero(trimap != kept.trimap)
        if others > (SAME_BAND * len(kept.alpha) if self._reuse else 0):
            return None
        apart = np.abs(image[before].astype(np.int16) - kept.colours)
        if apart.mean() > self._reuse:
            return None
        alpha = np.zeros(trimap.shape, np.float32)
        alpha[kept.trimap == INSIDE] = 1
        alpha[before] = kept.alpha
        alpha[trimap == OUTSIDE] = 0
        alpha[trimap == INSIDE] = 1
        return alpha


def open_refiner(
    method: str = DEFAULT_METHOD,
    model: MatteModel | None = None,
    tile: int = 0,
    overlap: int = -1,
    reuse: float = 0.0,
) -> Refiner:
    """A refiner of one method.

    Args:
        method: "guided" (embedded: no weights, fast), "closed form" (pymatting; finer, slow), "mematte" or "vitmatte".
        model: for the latter two: from `load_matte_model`, of that kind.
        tile, overlap: px; 0 and -1 take those of TILES. Memory grows with the tile, not with the frame. A frame that
            is smaller is one tile.
        reuse: a frame takes the alpha of the last refined one when its colours in the band differ by no more than
            this on average, in grey levels of 255, and its trimap nowhere but in a tenth of the band. 0: only when both
            are equal to the bit, which changes nothing.

    Raises:
        ValueError: an unknown method, a model that is missing, of the other kind or not needed, or numbers that make
            no sense.
        ModuleNotFoundError: pymatting is not installed (the message says how to get it), when a frame is refined.
    """
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r} to refine with; it is one of {', '.join(METHODS)}")
    if method in LEARNED and model is None:
        raise ValueError(f"the method {method!r} needs a model: connect Load Matte Model, or choose {DEFAULT_METHOD!r}")
    if model is not None and model.kind != method:
        raise ValueError(f"{model.name} is for the method {model.kind!r}, and {method!r} was chosen")
    if reuse < 0:
        raise ValueError(f"reuse is {reuse:g} grey levels; it can't be less than 0")
    tile, overlap = tile_of(method, tile, overlap)
    if model is not None:
        model.ready(tile)
        return Refiner(model.name, model.solve, tile, overlap, reuse)
    return Refiner(method, guided_alpha if method == "guided" else closed_form_alpha, tile, overlap, reuse)


def tile_of(method: str, tile: int = 0, overlap: int = -1) -> tuple[int, int]:
    """Side of a method's tiles and what neighbours share, px: what was chosen, for 0 and -1 those of TILES.

    Raises:
        ValueError: tiles that overlap by more than half.
    """
    usual = TILES[method]
    tile = tile or usual[0]
    overlap = min(usual[1], tile // 4) if overlap < 0 else overlap
    if not 0 <= overlap <= tile // 2:
        raise ValueError(f"tiles of {tile} px can't overlap by {overlap} px: 0 to half the tile")
    return tile, overlap


def _require_fitting(image: np.ndarray, trimap: np.ndarray, prior: np.ndarray | None) -> None:
    size = image.shape[:2]
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"an image is uint8 [H, W, 3], not {image.dtype} {list(image.shape)}")
    if trimap.shape != size:
        raise ValueError(
            f"the frame is {size[1]}x{size[0]} and its trimap {'x'.join(str(side) for side in trimap.shape[::-1])}; "
            "they have to be of one size"
        )
    if prior is not None and prior.shape != size:
        raise ValueError(f"the frame is {size[1]}x{size[0]}, the mask {list(prior.shape[::-1])}")

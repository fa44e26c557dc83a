"""What a user can choose about a matte of a whole clip, checked before any work begins."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

from ..models.weights import PRECISIONS
from .methods import (
    DEFAULT_METHOD,
    FLAG,
    FORMATS,
    MASTER_SLAVE,
    METHODS,
    MODES,
    PROJECTIONS,
    REPROCESS,
    SCALES,
    SOURCES,
    STEREO,
)
from .refine import tile_of
from .trimap import TrimapChoices


@dataclass(frozen=True)
class Settings:
    """Everything that the pixels of a matte depend on, and how it is written.

    Attributes:
        subject: class of the detector that is wanted; every one of them is tracked.
        detector: a detector's file or name; "" proposes what moves.
        confidence: detections that score less are not taken for the subject.
        anchor: the frame, counted from `start`, on which the subject is shown, or from which on it is looked for; -1:
            the first usable one.
        boxes: (label, (x1, y1, x2, y2)) px of the clip on the anchor frame (frame 0 for -1).
        masks: (label, file) of masks for the same frame, white inside; of another size they are scaled. In stereo
            boxes and masks are the left eye's.
        sam2: a SAM 2.1 checkpoint's file or name; "" is the embedded tracker.
        newcomers: look for more of the subject every so many seconds of the clip, with the detector, which must be
            surer of them (see anchor's SURE); 0: only on the anchor frame.
        scale: share of the clip's size that everything but the last step works at, one of SCALES.
        trimap_source, foreground, background, inside, outside: see TrimapChoices; px of the size worked at. In stereo
            trimaps are made from masks.
        method, model, tile, overlap, reuse: see `open_refiner`; `model` is a file or a name.
        precision: of learned models: one of PRECISIONS.
        formats: what is written, of FORMATS.
        key_colour: RGB 0..255, for formats that lay the subject over one colour.
        clean_colours: estimate the subject's own colours at its edges; else the frame's colours are written.
        audio: copy the source's sound into videos.
        qc_every: write pictures to look at for every so many frames; 0: none.
        start, stop: half-open range of frames; stop None = to the end.
        fps: rate of a folder of images.
        chunk: frames of a segment, after each of which a run can go on; 0: as memory allows.
        stereo: one of STEREO. squeezed, right_first: see stereo's Layout.
        second: the second file, for "files".
        projection: one of PROJECTIONS. field_of_view: degrees, of fisheye and flat footage.
        mode: one of MODES. threshold: likeness of the eyes below which `on_mismatch` applies (REPROCESS or FLAG).
        track_every: frames between two at which the other eye's own masks are made, for master_slave; 0: never.
        parallel_eyes: refine both eyes at the same time.
        separate_eyes: write a file for each eye instead of the footage's own layout.
        packed_alpha: also write a fisheye video with the alpha in its corners, for headsets.
        preview: also write a small video of clip, alpha and composite, and show it while it is made.

    Raises:
        ValueError: a value that makes no sense (it is named).
    """

    subject: str = "person"
    detector: str = ""
    confidence: float = 0.5
    anchor: int = -1
    boxes: tuple[tuple[str, tuple[float, float, float, float]], ...] = ()
    masks: tuple[tuple[str, str], ...] = ()
    sam2: str = ""
    newcomers: float = 0.0
    scale: float = 1.0
    trimap_source: str = "auto"
    foreground: float = 0.97
    background: float = 0.03
    inside: float = 10.0
    outside: float = 10.0
    method: str = DEFAULT_METHOD
    model: str = ""
    tile: int = 0
    overlap: int = -1
    reuse: float = 0.0
    precision: str = "auto"
    formats: tuple[str, ...] = ("png16",)
    key_colour: tuple[int, int, int] = (0, 255, 0)
    clean_colours: bool = True
    audio: bool = True
    qc_every: int = 24
    start: int = 0
    stop: int | None = None
    fps: str = "24"
    chunk: int = 0
    stereo: str = "none"
    squeezed: bool = False
    right_first: bool = False
    second: str = ""
    projection: str = "hequirect"
    field_of_view: float = 180.0
    mode: str = MASTER_SLAVE
    threshold: float = 0.8
    on_mismatch: str = FLAG
    track_every: int = 0
    parallel_eyes: bool = False
    separate_eyes: bool = False
    packed_alpha: bool = False
    preview: bool = False

    def __post_init__(self) -> None:
        for name, allowed in (
            ("scale", SCALES), ("trimap_source", SOURCES), ("method", METHODS), ("stereo", STEREO),
            ("projection", PROJECTIONS), ("mode", MODES), ("on_mismatch", (REPROCESS, FLAG)),
            ("precision", PRECISIONS),
        ):  # fmt: skip
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name} is {value!r}; it is one of {', '.join(map(str, allowed))}")
        unknown = [name for name in self.formats if name not in FORMATS]
        if unknown or not self.formats:
            raise ValueError(f"format {', '.join(unknown) or 'none'}: formats are of {', '.join(FORMATS)}")
        if len(set(self.formats)) < len(self.formats):
            raise ValueError(f"a format is named twice: {', '.join(self.formats)}")
        for name, least in (("qc_every", 0), ("chunk", 0), ("start", 0), ("newcomers", 0), ("anchor", -1),
                            ("track_every", 0), ("reuse", 0)):  # fmt: skip
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; it can't be less than {least}")
        for name in ("confidence", "threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name):g}; it is between 0 and 1")
        TrimapChoices(self.trimap_source, self.foreground, self.background, self.inside, self.outside)
        tile_of(self.method, self.tile, self.overlap)
        try:
            rate = Fraction(self.fps)
        except (ValueError, ZeroDivisionError):
            rate = Fraction(0)
        if rate <= 0:
            raise ValueError(f"fps is {self.fps!r}; it is a rate such as 24, 29.97 or 30000/1001")
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(f"frames {self.start}:{self.stop} is not a range")
        if len(self.key_colour) != 3 or not all(0 <= level <= 255 for level in self.key_colour):
            raise ValueError(f"the key colour {list(self.key_colour)} is not three levels of 0..255")
        if (self.stereo == "files") != bool(self.second):
            raise ValueError('stereo "files" needs the other eye\'s file as `second`, and nothing else has one')
        if self.stereo == "none" and (self.separate_eyes or self.packed_alpha or self.parallel_eyes):
            raise ValueError("separate_eyes, packed_alpha and parallel_eyes are for stereo footage: choose a layout")
        if self.newcomers and not self.detector:
            raise ValueError("newcomers need a detector: without one nobody can be told from who is there already")
        if self.newcomers and self.stereo != "none" and self.mode != MASTER_SLAVE:
            raise ValueError(f"newcomers need the mode {MASTER_SLAVE} in stereo, so that both eyes get the same people")
        if self.trimap_source == "logits" and self.stereo != "none":
            raise ValueError("in stereo trimaps are made from masks, the same way in both eyes: choose auto or masks")
        if self.packed_alpha and self.projection == "flat":
            raise ValueError("packed alpha is for VR180 footage, not for flat stereo")

    def data(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)


@dataclass(frozen=True)
class Limits:
    """What a run may use, and what it tells; the pixels don't depend on it.

    Attributes:
        max_memory_gb: stop, with what is finished kept, when the process grows beyond it; 0: no limit. Only on Linux.
        max_vram_gb: the most that models may take of the GPU, see `gpu_limits`; 0: no limit. A learned method's tile
            that was left open is made smaller for it.
        price_per_hour: of the machine, for the estimate of what a minute of footage costs; 0: no estimate.
        keep_segments: leave the work folder where it is when the run is done.
        device: "cuda": fail where models would run on the processor.
    """

    max_memory_gb: float = 0.0
    max_vram_gb: float = 0.0
    price_per_hour: float = 0.0
    keep_segments: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("max_memory_gb", "max_vram_gb", "price_per_hour"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it can't be less than 0")


@dataclass(frozen=True)
class Job:
    """Settings and limits as a config file or a command gives them, with what has to be said about them."""

    settings: Settings = field(default_factory=Settings)
    limits: Limits = field(default_factory=Limits)
    notes: tuple[str, ...] = ()

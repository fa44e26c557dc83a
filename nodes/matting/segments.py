"""One segment of a matte: frames in, refined, and written to the files of that segment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..media.clip import Frame
from ..media.track import Track
from .checks import write_checks
from .colours import foreground_colours
from .encodings import ENCODINGS, PACKED, PREVIEW, STILLS, Encoding, alpha_levels
from .finding import Found
from .footage import Footage, Sheet
from .joining import SegmentWriter
from .preview import draw_preview, preview_size
from .profile import COLOURS, ENCODE, REFINE, UPSAMPLE, Profile
from .refine import Refiner, open_refiner
from .scaled import enlarge, shrink
from .settings import Settings
from .still_writer import write_alpha
from .trimap import TrimapChoices, Trimaps

if TYPE_CHECKING:
    from .matte_model import MatteModel

STILLS_FOLDER, CHECKS_FOLDER = "stills", "qc"


@dataclass
class _Eye:
    """What one eye is refined with; made anew for every segment, so that a segment depends on nothing before it."""

    track: Track
    trimaps: Trimaps
    refiner: Refiner

    def alpha(self, t: int, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Trimap and alpha of frame t, and its picture, all at the size worked at."""
        small = shrink(image, self.track.clip_size)
        trimap = self.trimaps.at(t)
        masks = self.track.masks(t)
        prior = np.asarray(masks.any(axis=0))
        return trimap, self.refiner.refine(small, trimap, prior), small


class SegmentMaker:
    """Makes the segments of one run.

    Attributes:
        shown: the preview of the frame made last, uint8 [H, W, 3] RGB; None where none is wanted, or made yet.
    """

    def __init__(
        self, footage: Footage, found: Found, settings: Settings, model: MatteModel | None, work: Path, profile: Profile
    ):
        self._footage, self._found, self._settings, self._model = footage, found, settings, model
        self._work, self._profile = work, profile
        self.shown: np.ndarray | None = None

    def make(self, folder: Path, frames: Iterable[tuple[Frame, list[np.ndarray]]]) -> dict[str, Any]:
        """Write the files of one segment, and say what came of it, JSON-able."""
        with ExitStack() as stack:
            eyes = [self._eye(stack, track) for track in self._found.tracks]
            videos = self._videos(stack, folder)
            pool = stack.enter_context(ThreadPoolExecutor(len(eyes))) if self._settings.parallel_eyes else None
            done = 0
            for frame, images in frames:
                self._frame(frame.index, images, eyes, videos, pool)
                done += 1
            return {
                "frames": done,
                "trimap": [eye.trimaps.report.data() for eye in eyes],
                "refine": [eye.refiner.report.data() for eye in eyes],
            }

    def _eye(self, stack: ExitStack, track: Track) -> _Eye:
        chosen = self._settings
        choices = TrimapChoices(
            chosen.trimap_source, chosen.foreground, chosen.background, chosen.inside, chosen.outside
        )  # fmt: skip
        refiner = open_refiner(chosen.method, self._model, chosen.tile, chosen.overlap, chosen.reuse)
        return _Eye(track, Trimaps(track, choices), stack.enter_context(refiner))

    def _videos(self, stack: ExitStack, folder: Path) -> dict[str, list[SegmentWriter]]:
        """For each video format a writer for each sheet."""

        def writer(kind: Encoding, sheet: Sheet) -> SegmentWriter:
            file, clip = segment_file(folder, kind, sheet), sheet.clip
            return stack.enter_context(SegmentWriter(file, kind, sheet.size, clip.rate, clip.look))

        return {
            kind.name: [writer(kind, sheet) for sheet in sheets]
            for kind, sheets in video_files(self._footage, self._settings)
        }

    def _frame(
        self,
        t: int,
        images: Sequence[np.ndarray],
        eyes: Sequence[_Eye],
        videos: dict[str, list[SegmentWriter]],
        pool: ThreadPoolExecutor | None,
    ) -> None:
        with self._profile.stage(REFINE):
            if pool is None:
                found = [eye.alpha(t, image) for eye, image in zip(eyes, images, strict=True)]
            else:
                found = list(pool.map(lambda eye, image: eye.alpha(t, image), eyes, images))
        with self._profile.stage(UPSAMPLE):
            whole = [enlarge(alpha, trimap, image)
                     for (trimap, alpha, _), image in zip(found, images, strict=True)]  # fmt: skip
        every = self._settings.qc_every
        if every and (t % every == 0 or any(seen.get(t) for seen in self._found.detected)):
            with self._profile.stage(ENCODE):
                self._check(t, eyes, found)
        self._write(t, images, whole, videos)

    def _write(
        self,
        t: int,
        images: Sequence[np.ndarray],
        alphas: Sequence[np.ndarray],
        videos: dict[str, list[SegmentWriter]],
    ) -> None:
        colours = list(images)
        coloured = {PACKED.name, *(name for name, encoding in ENCODINGS.items() if encoding.has_colours)}
        if self._settings.clean_colours and not coloured.isdisjoint(videos):
            with self._profile.stage(COLOURS):
                colours = [foreground_colours(*pair) for pair in zip(images, alphas, strict=True)]
        with self._profile.stage(ENCODE):
            sheets, pictures = self._footage.compose(alphas), self._footage.compose(colours)
            whole = self._whole_pictures(images, colours, alphas)
            for name, writers in videos.items():
                if name in whole:
                    opaque = np.ones(whole[name].shape[:2], np.float32)
                    writers[0].write(whole[name], opaque, self._settings.key_colour)
                    continue
                for writer, picture, alpha in zip(writers, pictures, sheets, strict=True):
                    writer.write(picture if ENCODINGS[name].has_colours else None, alpha, self._settings.key_colour)
            for name in set(self._settings.formats) & set(STILLS):
                for sheet, alpha in zip(self._footage.sheets, sheets, strict=True):
                    folder = self._work / STILLS_FOLDER / stills_folder(self._settings, name, sheet.name)
                    write_alpha(folder / f"{t:06d}.png", alpha_levels(alpha, STILLS[name]))

    def _whole_pictures(
        self, images: Sequence[np.ndarray], colours: Sequence[np.ndarray], alphas: Sequence[np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Pictures of all eyes in which the alpha is drawn already, uint8 [H, W, 3], by the encoding's name."""
        found = {}
        if self._footage.extra is not None:
            found[PACKED.name] = self._footage.pack(colours, alphas)
        if self._settings.preview:
            self.shown = found[PREVIEW.name] = draw_preview(images, alphas, colours, self._settings.key_colour)
        return found

    def _check(self, t: int, eyes: Sequence[_Eye], found: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
        tracks = [eye.track for eye in eyes]
        masks = [track.masks(t) for track in tracks]
        scores = [
            float(min((track.scores[t, n] for n, mask in enumerate(seen) if mask.any()), default=1.0))
            for track, seen in zip(tracks, masks, strict=True)
        ]
        detected = [seen.get(t, []) for seen in self._found.detected]
        save = partial(write_checks, self._work / STILLS_FOLDER / CHECKS_FOLDER, t)
        trimaps, alphas, images = zip(*found, strict=True)
        save(images, trimaps, alphas, masks, [track.labels for track in tracks], scores, detected)


def video_files(footage: Footage, settings: Settings) -> list[tuple[Encoding, list[Sheet]]]:
    """What is written as video, and of which pictures."""
    found = [(ENCODINGS[name], list(footage.sheets)) for name in settings.formats if name in ENCODINGS]
    if footage.extra is not None:
        found.append((PACKED, [footage.extra]))
    if settings.preview:
        eye = footage.eyes[0]
        size = preview_size((eye.height, eye.width), len(footage.eyes))
        found.append((PREVIEW, [Sheet("", size, footage.sheets[0].clip)]))
    return found


def segment_file(folder: Path, kind: Encoding, sheet: Sheet) -> Path:
    """Where one format of one sheet of a segment lies."""
    return folder / f"{kind.name}{sheet.name}{kind.suffix}"


def stills_folder(settings: Settings, name: str, sheet: str) -> str:
    """Folder of numbered pictures: "alpha", with the format's name where there are two of them."""
    both = len(set(settings.formats) & set(STILLS)) > 1
    return f"alpha_{name}{sheet}" if both else f"alpha{sheet}"

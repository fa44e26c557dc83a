"""The report viewer's two homes: one HTML file that opens from disk, and a folder that the graph editor reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ..media.clip import Clip
from ..media.folder import write_json
from ..media.writer import replacing
from .report import VIEWER
from .viewer_data import choose_frames, document, picture_size, records

if TYPE_CHECKING:
    from .validate import Judgement

WEB = Path(__file__).resolve().parents[2] / "web"
# The viewer's modules, each after the ones it imports from.
MODULES = ("report_style.js", "report_chart.js", "report_frames.js", "report_viewer.js")
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)

DOCUMENT = "report.json"
# What is kept of a report for people and for scripts; one that a repair made has REPAIRED before it.
PAGE, REPORT, REPAIRED = "report.html", "iou_report.json", "repaired_"

# Under this name a node lists the files of `write_report`.
FILES = "physics_files"

# Nothing may be fetched: pictures are data, style and script are in the file.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; background: #ffffff; }}
@media (prefers-color-scheme: dark) {{ :root {{ background: #17191d; }} }}
body {{ margin: 0 auto; max-width: 1280px; }}
noscript {{ display: block; padding: 1em; font-family: system-ui, sans-serif; }}
</style>
</head>
<body>
<main id="viewer"></main>
<noscript>{summary} The chart and the pictures need JavaScript, which is off.</noscript>
"""
START = """
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const load = async (frame) => read(`frame-${frame}`);
const viewer = showReport(document.getElementById("viewer"), read("report"), load);
document.addEventListener("keydown", (event) => viewer.key(event));
"""


def write_page(file: str | Path, judgement: Judgement, source: Clip, generated: Clip, overwrite: bool = False) -> None:
    """Write a report as one HTML file that needs no server and fetches nothing; at most 25 MB, streamed.

    Frames that get no pictures (see `choose_frames`) show those of the nearest one, and say so.

    Args:
        source, generated: the clips in the judgement's timeline and picture, see `align.PlacedClip`.
        overwrite: replace a file that is there.

    Raises:
        FileExistsError: the file is there and `overwrite` is not set.
        ClipError: a clip breaks off.
    """
    report = judgement.report
    frames, size = choose_frames(report), picture_size(generated)
    written: list[int] = []

    def texts() -> Iterator[tuple[int, str]]:
        for t, record in records(judgement.expected, judgement.found, source, generated, frames, size):
            written.append(t)
            yield t, _text(record)

    _write_page(
        file, report, texts(), lambda: _text(document(report, written, size, judgement.expected.labels)), overwrite
    )


def write_report(folder: Path, judgement: Judgement, source: Clip, generated: Clip, prefix: str = "") -> dict[str, Any]:
    """`write_folder`, with PAGE and REPORT beside it; `prefix` stands before the names of both.

    Returns:
        What a node shows of them, when the folder is one in ComfyUI's temporary folder: under VIEWER and FILES.
    """
    write_folder(folder, judgement, source, generated)
    report = judgement.report
    frames = sorted((int(file.stem), file) for file in folder.glob("*.json") if file.name != DOCUMENT)
    texts = ((t, file.read_text("utf-8")) for t, file in frames)
    _write_page(folder / (prefix + PAGE), report, texts, lambda: (folder / DOCUMENT).read_text("utf-8"), False)
    write_json(folder / (prefix + REPORT), report)
    place = {"subfolder": folder.name, "type": "temp"}
    return {
        VIEWER: [{"filename": DOCUMENT, **place}],
        FILES: [{"filename": prefix + name, **place} for name in (PAGE, REPORT)],
    }


def write_folder(folder: Path, judgement: Judgement, source: Clip, generated: Clip) -> None:
    """Write what the viewer fetches into a new folder: report.json, and <frame>.json for each frame with pictures.

    Args: as `write_page`. A folder that can't be finished is removed again.
    """
    report = judgement.report
    frames, size = choose_frames(report), picture_size(generated)
    folder.mkdir(parents=True)
    written: list[int] = []
    try:
        for t, record in records(judgement.expected, judgement.found, source, generated, frames, size):
            written.append(t)
            (folder / f"{t}.json").write_text(_text(record), "utf-8")
        about = document(report, written, size, judgement.expected.labels)
        (folder / DOCUMENT).write_text(_text(about), "utf-8")
    except BaseException:
        for name in (*(f"{t}.json" for t in written), DOCUMENT):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()
        raise


def script() -> str:
    """The viewer's modules as one. Raises RuntimeError where a module imports one that isn't before it."""
    parts = []
    for n, name in enumerate(MODULES):
        text = (WEB / name).read_text("utf-8")
        unknown = set(IMPORT.findall(text)) - set(MODULES[:n])
        if unknown:
            raise RuntimeError(f"{name} imports {', '.join(unknown)}, which doesn't come before it in MODULES")
        parts.append(IMPORT.sub("", text))
    return "\n".join(parts)


def _write_page(
    file: str | Path,
    report: Mapping[str, Any],
    frames: Iterable[tuple[int, str]],
    about: Callable[[], str],
    overwrite: bool,
) -> None:
    """The page of these records, JSON each, and then of the document, which may be known only after them."""
    with replacing(file, overwrite) as partial, partial.open("w", encoding="utf-8", newline="\n") as page:
        title = escape(f"{report['label']}: {report['verdict']}")
        page.write(HEAD.format(policy=POLICY, title=title, summary=escape(report["summary"])))
        for t, text in frames:
            _write_data(page, f"frame-{t}", text)
        _write_data(page, "report", about())
        page.write(f'<script type="module">\n{script()}{START}</script>\n</body>\n</html>\n')


def _text(data: Mapping[str, Any]) -> str:
    return json.dumps(data, allow_nan=False)


def _write_data(page: IO[str], name: str, text: str) -> None:
    # JSON in a script element ends at the first "</script", whatever text it stands in.
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    page.write(f'<script type="application/json" id="{name}">{safe}</script>\n')

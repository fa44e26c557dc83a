"""Write the shipped graphs: workflows/*.json for the editor, workflows/api/*.json for the API, and what they need.

Needs a ComfyUI, and a folder with the packs that the graphs use (see PACKS); starts a server of its own with them.
Then object_info.json records what the server says of the nodes that aren't ours, so that tests check without them.

    python tests/workflows/build_workflows.py PACKS_FOLDER
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))

from comfyui import PACK, PACK_NAME, Server, find_comfyui
from sheet import Info, Sheet
from shipped import SHIPPED

# Folder, registry id, version: the graphs are drawn for these, and were tried with them.
PACKS = {
    "ComfyUI-GGUF": ("comfyui-gguf", "2.0.0"),
    "ComfyUI-VideoHelperSuite": ("comfyui-videohelpersuite", "1.7.9"),
    "ComfyUI-WanVideoWrapper": ("ComfyUI-WanVideoWrapper", "1.4.6"),
}
RECORD = Path(__file__).with_name("object_info.json")
FOLDER = PACK / "workflows"


def sheets(info: Info) -> dict[str, Sheet]:
    """Every shipped graph by its name."""
    packs = {**PACKS, PACK_NAME: (PACK_NAME, _version())}
    made = {name: Sheet(info, packs) for name in SHIPPED}
    for name, sheet in made.items():
        SHIPPED[name](sheet)
    return made


def recorded(info: Info, made: dict[str, Sheet]) -> dict[str, Any]:
    """What a server says of the nodes used that aren't ours: inputs, outputs, and where they come from."""
    used = sorted({node.kind for sheet in made.values() for node in sheet.nodes})
    kept = ("input", "input_order", "output", "output_name", "display_name", "python_module")
    others = (kind for kind in used if not kind.startswith("PP_"))
    return {kind: _plain({part: info[kind][part] for part in kept}) for kind in others}


def text_of(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def by_line(graph: dict[str, Any]) -> str:
    """JSON with each node, link and group on a line of its own."""
    parts = []
    for name, value in graph.items():
        rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in value) if isinstance(value, list) else ""
        text = f"[\n{rows}\n]" if rows else json.dumps(value)
        parts.append(f"{json.dumps(name)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs", type=Path, help="folder that holds " + ", ".join(PACKS))
    packs = [parser.parse_args().packs / name for name in PACKS]
    comfyui = find_comfyui()
    if comfyui is None:
        raise SystemExit("no ComfyUI here: COMFYUI_PATH can name one")
    with tempfile.TemporaryDirectory() as base:
        server = Server(comfyui, Path(base), packs)
        try:
            info = server.get("/object_info")
        finally:
            server.stop()
    made = sheets(info)
    RECORD.write_text(text_of(recorded(info, made)), "utf-8")
    for name, sheet in made.items():
        (FOLDER / f"{name}.json").write_text(by_line(sheet.editor_form()), "utf-8")
        (FOLDER / "api" / f"{name}.json").write_text(text_of(sheet.api_form()), "utf-8")
        print(f"{name}: {len(sheet.nodes)} nodes")


def _plain(value: Any) -> Any:
    """Without what the checks don't need: tooltips and formats of packs."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items() if name not in ("tooltip", "formats")}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _version() -> str:
    found = re.search(r'^version = "(.+)"', (PACK / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


if __name__ == "__main__":
    main()

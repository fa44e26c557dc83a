"""The headless door: python -m physics_preserver, or python with the path of this folder where nothing is installed."""

import importlib.util
import sys
from pathlib import Path

if not __package__:  # run by path, as from ComfyUI's custom_nodes: the folder itself becomes the package
    spec = importlib.util.spec_from_file_location(
        "physics_preserver", Path(__file__).absolute().with_name("__init__.py")
    )
    assert spec and spec.loader
    sys.modules["physics_preserver"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)

from physics_preserver.nodes.cli import main

if __name__ == "__main__":
    sys.exit(main())

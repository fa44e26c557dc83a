"""What every test may ask for: the folder of shared clips, where it exists."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real clips, ground truth and reference outputs; a test that needs them is skipped by name without them."""
    folder = Path(os.environ.get("PHYSICS_PRESERVER_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder} (PHYSICS_PRESERVER_DATA names another place)")
    return folder

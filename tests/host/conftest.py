"""Clips that the server's LoadVideo can name."""

from __future__ import annotations

from pathlib import Path

import pytest
from comfyui import Server
from graphs import write_clip
from physics_preserver.nodes.media.scene import Scene
from physics_preserver.nodes.media.writer import VideoWriter

# Even, as 4:2:0 wants it, and no multiple of 8, which packed rows would like.
SIZE = (340, 194)
FRAMES = 25


@pytest.fixture(scope="session")
def scene(comfyui: Server) -> Scene:
    """The source; "scene.mp4" in the server's input."""
    source = Scene(*SIZE, FRAMES, exposures=2)
    write_clip(comfyui.input / "scene.mp4", source)
    return source


@pytest.fixture(scope="session")
def backwards(comfyui: Server, scene: Scene) -> Path:
    """The scene from its end to its start."""
    file = comfyui.input / "backwards.mp4"
    with VideoWriter(file, *SIZE, scene.rate) as video:
        for frame in scene.backwards(FRAMES - 1):
            video.write(frame.image)
    return file

"""Clips that widgets look at: one token for one clip, frames in memory written once, old ones put away."""

from __future__ import annotations

import gc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import number_of, shades, write_gop
from physics_preserver.nodes.media.open import open_clip
from physics_preserver.nodes.prompting.shelf import KEPT, Shelf


@pytest.fixture
def folders(tmp_path):
    """Names new folders, and remembers them."""
    made: list[Path] = []

    def new() -> Path:
        made.append(tmp_path / f"frames{len(made)}")
        return made[-1]

    new.made = made  # type: ignore[attr-defined]
    return new


def batch(start: int = 0) -> np.ndarray:
    return np.stack(shades(6))[start:]


def test_a_file_is_read_where_it_lies_and_keeps_its_token(tmp_path, folders):
    file = write_gop(tmp_path / "clip.mp4", shades(12), gop=6)
    shelf = Shelf()
    shown = shelf.put(open_clip(file), file, folders)
    facts = {"token": shown.token, "name": "clip.mp4", "width": 64, "height": 48, "frames": 12, "rate": 24.0}
    assert shown.facts() == facts and folders.made == []
    assert shelf.put(open_clip(file), file, folders).token == shown.token
    assert number_of(shelf.get(shown.token).scrubber.image(7)) == 7
    file.unlink()
    write_gop(file, shades(8), gop=4)
    assert shelf.put(open_clip(file), file, folders).token != shown.token, "another file under the same name"


def test_frames_in_memory_are_written_once_for_one_batch(folders):
    shelf, images = Shelf(), batch()
    first = shelf.put(open_clip(images, rate=Fraction(12)), images, folders)
    assert shelf.put(open_clip(images), images, folders).token == first.token
    assert [len(list(folder.iterdir())) for folder in folders.made] == [6]
    assert [number_of(first.scrubber.image(t)) for t in (5, 0, 3)] == [5, 0, 3]
    assert first.facts()["rate"] == 12.0


def test_another_batch_at_the_same_place_in_memory_is_another_clip(folders):
    shelf, tokens = Shelf(), set()
    for start in range(5):
        images = batch(start)
        tokens.add(shelf.put(open_clip(images), images, folders).token)
        del images
        gc.collect()
    assert len(tokens) == 5


def test_a_cancelled_writing_leaves_no_folder(folders, monkeypatch):
    def cancelled(items, *_):
        yield next(iter(items))
        raise KeyboardInterrupt

    monkeypatch.setattr("physics_preserver.nodes.prompting.shelf.progress", cancelled)
    images = batch()
    with pytest.raises(KeyboardInterrupt):
        Shelf().put(open_clip(images), images, folders)
    assert not folders.made[0].exists()


def test_the_oldest_are_put_away_with_what_was_written_for_them(folders):
    shelf = Shelf()
    kept = [batch() for _ in range(KEPT + 2)]
    tokens = [shelf.put(open_clip(images), images, folders).token for images in kept]
    assert [folder.exists() for folder in folders.made] == [False] * 2 + [True] * KEPT
    for token in (*tokens[:2], "guessed"):
        with pytest.raises(KeyError):
            shelf.get(token)
    assert number_of(shelf.get(tokens[-1]).scrubber.image(4)) == 4
    assert shelf.put(open_clip(kept[0]), kept[0], folders).token not in tokens

"""The small video that a node shows: clip, alpha and composite of every frame, at the clip's times."""

import numpy as np
import pytest
from clips import audio_packets, with_audio
from mattes import DISC_SIZE as SIZE
from mattes import disc_image, read_back
from physics_preserver.nodes.matting.matte import matte
from physics_preserver.nodes.matting.preview import PANEL, draw_preview, preview_size
from physics_preserver.nodes.media.open import open_clip
from test_matte import disc_clip, grey, job


@pytest.mark.parametrize("size", [(96, 160), (3072, 3072), (1081, 1921), (7, 5), (40, 4000)])
def test_panels_are_even_small_and_of_the_eyes_proportions(size):
    height, width = preview_size(size, 2)
    assert height % 4 == 0 and width % 6 == 0 and max(height / 2, width / 3) <= max(PANEL, *size)
    factor = min(1.0, PANEL / max(size))
    assert (height / 2, width / 3) == pytest.approx((size[0] * factor, size[1] * factor), abs=2)


def test_an_eye_is_a_row_of_clip_alpha_and_composite():
    image = np.full((640, 960, 3), (200, 40, 10), np.uint8)
    alpha = np.zeros((640, 960), np.float32)
    alpha[:, 480:] = 0.6
    other = np.full_like(image, 90)
    drawn = draw_preview([image, other], [alpha, alpha * 0 + 1], [image, other], (0, 0, 250))
    assert drawn.shape == (*preview_size((640, 960), 2), 3)
    height, width = drawn.shape[0] // 2, drawn.shape[1] // 3
    top, bottom = drawn[:height], drawn[height:]
    assert (top[:, :width] == (200, 40, 10)).all() and (bottom[:, :width] == 90).all()
    assert (top[:, width : width + width // 2 - 2] == 0).all() and (top[:, 3 * width // 2 + 2 : 2 * width] == 153).all()
    assert (bottom[:, width : 2 * width] == 255).all() and (bottom[:, 2 * width :] == 90).all()
    assert (top[:, 2 * width : 5 * width // 2 - 2] == (0, 0, 250)).all()
    assert (top[:, 5 * width // 2 + 2 :] == (120, 24, 106)).all()


def test_a_run_writes_it_with_every_frame_its_time_and_sound(tmp_path):
    sound = with_audio(tmp_path / "sound.mp4", audio_seconds=2)
    clip = disc_clip(tmp_path / "disc.mp4", frames=20, audio=sound)
    summary = matte(clip, tmp_path / "out", job(preview=True, chunk=6, key_colour=(255, 0, 0)))
    assert summary["files"] == {"png16": ["alpha"], "preview": ["disc_matte_preview.mp4"]}
    times, pictures, _ = read_back(tmp_path / "out/disc_matte_preview.mp4", "colours")
    assert times == [frame.time for frame in open_clip(clip)]
    assert [data for _, data in audio_packets(tmp_path / "out/disc_matte_preview.mp4")] == [
        data for _, data in audio_packets(sound)
    ]
    for t in (3, 19):
        image, alpha, keyed = (pictures[t][:, n * SIZE[1] : (n + 1) * SIZE[1]].astype(int) for n in range(3))
        true = grey(tmp_path / f"out/alpha/{t:06d}.png") / 65535
        assert np.abs(image - disc_image(t)).mean() < 6
        assert np.abs(alpha / 255 - true[..., None]).mean() < 0.02
        assert np.abs(keyed[true == 0] - (255, 0, 0)).mean() < 10

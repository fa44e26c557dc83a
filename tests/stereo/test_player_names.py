"""What players read off a name."""

import pytest
from physics_preserver.nodes.matting.settings import Settings
from physics_preserver.nodes.stereo.names import player_tag


@pytest.mark.parametrize(
    ("chosen", "tag"),
    [
        ({"stereo": "sbs"}, "_LR_180"),
        ({"stereo": "sbs", "right_first": True}, "_RL_180"),
        ({"stereo": "tb"}, "_TB_180"),
        ({"stereo": "tb", "right_first": True}, "_BT_180"),
        ({"stereo": "sbs", "projection": "flat", "field_of_view": 70}, "_LR"),
        ({"stereo": "sbs", "projection": "fisheye", "field_of_view": 190}, "_LR_FISHEYE190"),
        ({"stereo": "sbs", "projection": "fisheye", "field_of_view": 200}, "_LR_180_FISHEYE_F200"),
        ({"stereo": "sbs", "separate_eyes": True}, "_180"),
        ({"stereo": "files", "second": "right.mp4"}, "_180"),
    ],
)
def test_the_name_says_how_the_eyes_lie_and_in_which_projection(chosen, tag):
    assert player_tag(Settings(**chosen)) == tag

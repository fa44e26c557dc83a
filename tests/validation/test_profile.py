"""Profile files: the ones that come with the pack, a user's own, and what is wrong with a bad one."""

import pytest
from physics_preserver.nodes.validation.profile import (
    RULES,
    ProfileError,
    load_profile,
    parse_profile,
    profile_names,
    with_limits,
)


def test_the_packs_profiles_load_and_the_usual_one_comes_first():
    assert profile_names() == ["standard", "loose", "strict"]
    strict, standard, loose = (load_profile(name) for name in ("strict", "standard", "loose"))
    assert strict.get("region") == {"limit": 0.9, "edge": 0, "share": 0, "run": 0} and strict.get("offset") is None
    for rule in loose.rules:
        if rule not in ("coverage", "region", "boundary", "pose"):
            assert all(loose.rules[rule][key] >= standard.rules[rule][key] for key in standard.rules[rule]), rule
    assert set(standard.rules) <= set(RULES)


def test_a_users_file_takes_over_a_base_and_changes_it(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('name = "my rules"\nbase = "standard"\npose = false\n[offset]\nlimit = 3\n')
    mine, standard = load_profile(file), load_profile("standard")
    assert mine.name == "my rules" and mine.get("pose") is None
    assert mine.rules["offset"] == {**standard.rules["offset"], "limit": 3}
    assert mine.rules["timing"] == standard.rules["timing"]
    changed = with_limits(standard, "[timing]\nlimit = 90")
    assert changed.limit("timing") == 90 and standard.limit("timing") != 90 and "changed" in changed.name
    assert with_limits(standard, "  \n") is standard


BAD = {
    "[offsets]\nlimit = 3": "no rule 'offsets'",
    "[offset]\nlimits = 3": r"\[offset\] has no 'limits'; it has limit, steady",
    "[region]\nlimit = 1.5": "limit of .region. is 1.5, it lies in 0 to 1",
    "[region]\nlimit = nan": "is nan",
    '[region]\nlimit = "high"': "is a number, not 'high'",
    "[region]\nlimit = true": "is a number, not True",
    "[missing]\nrun = 1.5": "whole number",
    "offset = 3": "is a table",
    "[offset]\nlimit = 3": "lacks steady",
    "schema_version = 9": "schema_version 9",
    "name = 3": "name is a text",
    'base = "harsh"': "no profile 'harsh': give standard, loose, strict",
    "[offset": "is not TOML",
}


@pytest.mark.parametrize("text", BAD)
def test_a_bad_profile_is_one_sentence(text):
    with pytest.raises(ProfileError, match=BAD[text]) as error:
        parse_profile(text, "mine")
    assert "\n" not in str(error.value)


def test_limits_are_checked_like_a_profile():
    with pytest.raises(ProfileError, match="belongs into a profile file"):
        with_limits(load_profile("standard"), 'name = "x"')
    with pytest.raises(ProfileError, match="no profile"):
        load_profile("/nowhere/mine.toml")

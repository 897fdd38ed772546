"""What settings say, and what was so before it was written down."""

from nas.settings import setting


def test_a_setting_is_what_was_recorded() -> None:
    assert setting({"scale": 2, "space": "msrresnet"}, "scale") == 2
    assert setting({"scale": 2, "space": "msrresnet"}, "space") == "msrresnet"


def test_before_there_were_scales_all_was_x4() -> None:
    assert setting({}, "scale") == 4
    assert setting({}, "space") is None

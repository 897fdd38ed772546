"""HR and LR by the names of files: equal, or different by what marks the side."""

import re
from pathlib import Path

import pytest

from sr.data.layouts import LR_ALONE, not_of_scale
from sr.data.left_out import LeftOut
from sr.data.matching import HR_ALONE, NEITHER, match_names, split_by_names, without_other_scales
from sr.scale import SCALES


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("0001", "0001"),
        ("0001", "0001x4"),
        ("0001", "0001X4"),
        ("baby", "baby_x4"),
        ("baby", "baby-x4"),
        ("baby_HR", "baby_LR"),
        ("baby_HR_x4", "baby_LRBI_x4"),
        ("baby_HR_x4", "baby_LR_x4"),
        ("baby_HR", "babyx4"),
        ("baby_GT", "baby"),
        ("img_001_SRF_4_HR", "img_001_SRF_4_LR"),
        ("0001_s001", "0001_s001"),
        ("0001_s001", "0001x4_s001"),
        ("a b", "a bx4"),
        ("bébé", "bébéx4"),
        ("a.b", "a.bx4"),
    ],
)
def test_names_that_differ_by_their_mark_are_a_pair(hr: str, lr: str) -> None:
    large, small = Path("HR", f"{hr}.png"), Path("LR", f"{lr}.jpg")
    found = match_names([large], [small])
    assert found.pairs == ((large, small),)
    assert found.left_out == ()
    for scale in SCALES:
        pair = tuple(path.with_name(re.sub(r"(?<=[xX])4|(?<=SRF_)4", str(scale), path.name)) for path in (large, small))
        assert match_names(pair[:1], pair[1:], scale).pairs == (pair,)


def test_an_equal_name_goes_before_one_with_a_mark() -> None:
    hr = [Path("HR/a.png"), Path("HR/ax4.png")]
    lr = [Path("LR/a.png"), Path("LR/ax4.png")]
    assert match_names(hr, lr).pairs == tuple(zip(hr, lr, strict=True))


def test_what_has_no_partner_is_named_on_both_sides() -> None:
    found = match_names([Path("HR/a.png"), Path("HR/b.png")], [Path("LR/bx4.png"), Path("LR/cx4.png")])
    assert found.pairs == ((Path("HR/b.png"), Path("LR/bx4.png")),)
    assert found.left_out == (LeftOut(Path("HR/a.png"), HR_ALONE), LeftOut(Path("LR/cx4.png"), LR_ALONE))


def test_both_sides_in_one_folder_are_told_apart() -> None:
    names = ["img_001_SRF_4_A+", "img_001_SRF_4_HR", "img_001_SRF_4_LR", "img_001_SRF_4_bicubic"]
    found = split_by_names([Path(f"{name}.png") for name in names])
    assert found is not None
    assert found.pairs == ((Path("img_001_SRF_4_HR.png"), Path("img_001_SRF_4_LR.png")),)
    assert [(each.path.stem, each.reason) for each in found.left_out] == [(names[0], NEITHER), (names[3], NEITHER)]


def test_lr_of_div2k_in_the_folder_of_hr_is_no_hr() -> None:
    found = split_by_names([Path("0001.png"), Path("0001x4.png"), Path("0002.png")])
    assert found is not None
    assert found.pairs == ((Path("0001.png"), Path("0001x4.png")),)
    assert found.left_out == (LeftOut(Path("0002.png"), HR_ALONE),)


@pytest.mark.parametrize("names", [["a", "b"], ["a", "a_x4"], ["ax4", "bx4"], ["a_HR", "b_HR"], ["a_LR", "b"], ["x4"]])
def test_a_folder_without_such_pairs_is_not_divided(names: list[str]) -> None:
    assert split_by_names([Path(f"{name}.png") for name in names]) is None


@pytest.mark.parametrize("scale", SCALES)
def test_lr_of_other_scales_in_the_folder_of_hr_is_neither(scale: int) -> None:
    lr = {each: [Path(f"0001x{each}.png"), Path(f"0002_LRBI_x{each}.png")] for each in SCALES}
    hr = [Path("0001.png"), Path("0002_HR.png"), Path("box2.png")]
    used, left_out = without_other_scales([*hr, *(path for paths in lr.values() for path in paths)], scale)
    assert used == (*hr, *lr[scale])
    others = [path for each, paths in lr.items() if each != scale for path in paths]
    assert list(left_out) == [LeftOut(path, not_of_scale(scale)) for path in others]

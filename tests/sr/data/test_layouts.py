"""The table of layouts: which folder of HR goes with which of LR, for the trees that people have."""

import re

import pytest

from sr.data.layouts import (
    OTHER_DEGRADATION,
    OTHER_HR,
    OTHER_LR,
    is_lr,
    is_usual_lr,
    label_of,
    not_of_scale,
    other_form,
    recognise,
    rules,
)
from sr.scale import SCALES

# Folders that directly hold pictures, then the pairings.
TREES = {
    "DIV2K": (
        ["DIV2K_train_HR", "DIV2K_train_LR_bicubic/X4", "DIV2K_valid_HR", "DIV2K_valid_LR_bicubic/X4"],
        {"DIV2K_train_HR": "DIV2K_train_LR_bicubic/X4", "DIV2K_valid_HR": "DIV2K_valid_LR_bicubic/X4"},
    ),
    "DIV2K without LR": (["DIV2K_train_HR"], {"DIV2K_train_HR": None}),
    "DIV2K as Kaggle nests it": (
        ["DIV2K_train_HR/DIV2K_train_HR", "DIV2K_train_LR_bicubic_X4/DIV2K_train_LR_bicubic/X4"],
        {"DIV2K_train_HR/DIV2K_train_HR": "DIV2K_train_LR_bicubic_X4/DIV2K_train_LR_bicubic/X4"},
    ),
    "DIV2K flat": (
        ["DIV2K_train_HR", "DIV2K_train_LR_bicubic_X4/X4"],
        {"DIV2K_train_HR": "DIV2K_train_LR_bicubic_X4/X4"},
    ),
    "Flickr2K": (["Flickr2K_HR", "Flickr2K_LR_bicubic/X4"], {"Flickr2K_HR": "Flickr2K_LR_bicubic/X4"}),
    "DF2K of several folders": (
        ["DIV2K/DIV2K_train_HR", "DIV2K/DIV2K_train_LR_bicubic/X4", "Flickr2K/Flickr2K_HR",
         "Flickr2K/Flickr2K_LR_bicubic/X4"],
        {"DIV2K/DIV2K_train_HR": "DIV2K/DIV2K_train_LR_bicubic/X4",
         "Flickr2K/Flickr2K_HR": "Flickr2K/Flickr2K_LR_bicubic/X4"},
    ),
    "DF2K in one": (["DF2K_HR", "DF2K_LR_bicubic/X4"], {"DF2K_HR": "DF2K_LR_bicubic/X4"}),
    "DF2K's sub-images": (["DF2K_HR_sub", "DF2K_bicLRx4_sub"], {"DF2K_HR_sub": "DF2K_bicLRx4_sub"}),
    "EDSR's benchmark": (["HR", "LR_bicubic/X4"], {"HR": "LR_bicubic/X4"}),
    "EDSR's benchmark, nested": (
        ["Set5/HR", "Set5/LR_bicubic/X4", "Set14/HR", "Set14/LR_bicubic/X4"],
        {"Set14/HR": "Set14/LR_bicubic/X4", "Set5/HR": "Set5/LR_bicubic/X4"},
    ),
    "HR + LRx4": (["HR", "LRx4"], {"HR": "LRx4"}),
    "HR_x4 + LR_x4": (["HR_x4", "LR_x4"], {"HR_x4": "LR_x4"}),
    "HR + LR": (["HR", "LR"], {"HR": "LR"}),
    "hr + lr": (["hr", "lr"], {"hr": "lr"}),
    "GT + LQ": (["GT", "LQ"], {"GT": "LQ"}),
    "Set5_HR + Set5_LRBI_x4": (["Set5_HR", "Set5_LRBI_x4"], {"Set5_HR": "Set5_LRBI_x4"}),
    "RCAN's benchmark": (
        ["HR/Set5/x4", "HR/Set14/x4", "LR/LRBI/Set5/x4", "LR/LRBI/Set14/x4"],
        {"HR/Set14/x4": "LR/LRBI/Set14/x4", "HR/Set5/x4": "LR/LRBI/Set5/x4"},
    ),
    "sides of several sets": (["HR/Set5", "LR_bicubic/X4/Set5"], {"HR/Set5": "LR_bicubic/X4/Set5"}),
    "BasicSR's Set5": (["GTmod12", "LRbicx4"], {"GTmod12": "LRbicx4"}),
    "BasicSR's Set5 with GTmod4": (["Set5/GTmod4", "Set5/LRbicx4"], {"Set5/GTmod4": "Set5/LRbicx4"}),
    "BasicSR's originals": (["original", "LRbicx4"], {"original": "LRbicx4"}),
    "BasicSR's sub-images": (
        ["DIV2K_train_HR_sub", "DIV2K_train_LR_bicubic/X4_sub"],
        {"DIV2K_train_HR_sub": "DIV2K_train_LR_bicubic/X4_sub"},
    ),
    "SelfExSR": (["Set5/image_SRF_4"], {"Set5/image_SRF_4": None}),
    "KAIR": (["trainH", "trainL"], {"trainH": "trainL"}),
    "parts above sides": (["train/HR", "train/LR", "val/HR", "val/LR"], {"train/HR": "train/LR", "val/HR": "val/LR"}),
    "parts below sides": (["HR/train", "LRx4/train"], {"HR/train": "LRx4/train"}),
    "HR in the folder itself": (["", "LRx4"], {"": "LRx4"}),
    "train + val": (["train", "val"], {"train": None, "val": None}),
    "originals of several sets": (["Set5/original"], {"Set5/original": None}),
    "no layout": (["", "holiday", "raw/2019"], {}),
    "pictures with a part of them aside": (["", "original", "test"], {}),
}  # fmt: skip


@pytest.mark.parametrize("tree", TREES)
def test_folders_that_belong_together_are_found(tree: str) -> None:
    folders, pairings = TREES[tree]
    layout = recognise(folders)
    assert {each.hr: each.lr for each in layout.pairings} == pairings
    assert layout.unused == {}


def at(scale: int, text: str) -> str:
    """What a tree of x4 is called at another scale; HR cropped to multiples of 12 is so at every one."""
    return re.sub(r"(?<=[xX_])4", str(scale), text)


@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("tree", TREES)
def test_the_same_folders_of_another_scale_are_found_where_it_is_asked_for(tree: str, scale: int) -> None:
    folders, pairings = TREES[tree]
    layout = recognise([at(scale, each) for each in folders], scale)
    expected = {at(scale, hr): lr and at(scale, lr) for hr, lr in pairings.items()}
    assert {each.hr: each.lr for each in layout.pairings} == expected
    assert layout.unused == {}


def test_of_three_scales_the_one_asked_for_is_taken() -> None:
    folders = ["DIV2K_train_HR", *(f"DIV2K_train_LR_bicubic/X{scale}" for scale in SCALES)]
    for scale in SCALES:
        (pairing,) = recognise(folders, scale).pairings
        assert pairing.lr == f"DIV2K_train_LR_bicubic/X{scale}"
        for other in set(SCALES) - {scale}:
            assert other_form(f"DIV2K_train_LR_bicubic/X{other}", scale) == not_of_scale(scale)


def test_the_case_of_folders_does_not_matter() -> None:
    for folders in (["div2k_TRAIN_hr", "div2k_TRAIN_lr_BICUBIC/x4"], ["Hr", "lR_BiCuBic/X4"]):
        (pairing,) = recognise(folders).pairings
        assert [pairing.hr, pairing.lr] == folders


@pytest.mark.parametrize(
    ("folders", "pairing", "unused"),
    [
        (["HR", "LR_bicubic/X4", "LRx4"], ("HR", "LR_bicubic/X4"), {"LRx4": OTHER_LR}),
        (["HR", "LR", "LRx4"], ("HR", "LRx4"), {"LR": OTHER_LR}),
        (["GTmod12", "GTmod4", "LRbicx4"], ("GTmod12", "LRbicx4"), {"GTmod4": OTHER_HR}),
        (["GTmod12", "original", "LRbicx4"], ("GTmod12", "LRbicx4"), {"original": OTHER_HR}),
        (["image_SRF_4", "original"], ("image_SRF_4", None), {"original": OTHER_HR}),
        (["DIV2K_train_HR", "DIV2K_train_HR_sub"], ("DIV2K_train_HR", None), {"DIV2K_train_HR_sub": OTHER_HR}),
        (
            ["DIV2K_train_HR", "DIV2K_train_HR_sub", "DIV2K_train_LR_bicubic/X4", "DIV2K_train_LR_bicubic/X4_sub"],
            ("DIV2K_train_HR", "DIV2K_train_LR_bicubic/X4"),
            {"DIV2K_train_HR_sub": OTHER_HR, "DIV2K_train_LR_bicubic/X4_sub": OTHER_LR},
        ),
    ],
)
def test_of_several_forms_one_is_used_and_the_others_are_named(
    folders: list[str], pairing: tuple[str, str | None], unused: dict[str, str]
) -> None:
    layout = recognise(folders)
    assert [(each.hr, each.lr) for each in layout.pairings] == [pairing]
    assert layout.unused == unused


def test_originals_may_exceed_their_lr_by_a_crop_to_12() -> None:
    assert recognise(["original", "LRbicx4"]).pairings[0].slack == 12
    assert recognise(["GTmod12", "LRbicx4"]).pairings[0].slack == 4
    assert recognise(["original", "LRbicx3"], 3).pairings[0].slack == 12
    assert recognise(["GTmod12", "LRbicx3"], 3).pairings[0].slack == 3


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("DIV2K_train_LR_bicubic/X2", not_of_scale(4)),
        ("DIV2K_train_LR_x8", not_of_scale(4)),
        ("LRbicx3", not_of_scale(4)),
        ("LRx2", not_of_scale(4)),
        ("HR/Set5/x2", not_of_scale(4)),
        ("Set5/image_SRF_2", not_of_scale(4)),
        ("DIV2K_train_LR_bicubic/X2_sub", not_of_scale(4)),
        ("DIV2K_train_LR_unknown/X4", OTHER_DEGRADATION),
        ("DIV2K_train_LR_wild", OTHER_DEGRADATION),
        ("DIV2K_train_LR_mild", OTHER_DEGRADATION),
        ("LR/LRBD/Set5/x4", OTHER_DEGRADATION),
        ("DIV2K_train_LR_bicubic/X4", None),
        ("Flickr2K_HR", None),
        ("mix2", None),
        ("Set5/image_SRF_4", None),
        ("noise", None),
    ],
)
def test_other_scales_and_degradations_are_told_by_their_names(folder: str, reason: str | None) -> None:
    assert other_form(folder) == reason
    if reason:
        assert recognise([folder]).pairings == ()


def test_folders_of_lr_are_told_by_their_names() -> None:
    for name in ("LR", "LRx4", "lr_bicubic", "LRbicx2", "Set5_LRBI_x4", "X4", "LQ", "DIV2K_train_LR_unknown", "trainL"):
        assert is_lr(name), name
    for name in ("HR", "photos", "Clr", "lrt", "GTmod12", "original", "full", "gallery", "runs_lr0.1"):
        assert not is_lr(name), name


def test_what_lr_is_usually_called_is_known() -> None:
    for name in ("LRx4", "LR", "Set5_LRBI_x4", "DIV2K_train_LR_bicubic/X4"):
        assert is_usual_lr(name), name
    for name in ("X4", "HR", "makes_lr0", "DIV2K_train_LR_bicubic/X2", "photos"):
        assert not is_usual_lr(name), name


def test_what_pictures_are_for_is_told_by_the_names_of_folders() -> None:
    for folder, label in (
        ("DIV2K_train_HR", "train"), ("DIV2K_valid_HR", "val"), ("val/HR", "val"), ("testH", "test"),
        ("Flickr2K_HR", "train"), ("Flickr2K_valid_HR", "val"), ("Set5/HR", "val"), ("HR", None), ("trainer", None),
    ):  # fmt: skip
        assert label_of(folder) == label, folder


@pytest.mark.parametrize("scale", SCALES)
def test_every_rule_says_who_has_it_so(scale: int) -> None:
    assert all(rule.example for rule in rules(scale))

"""Pairs in real folders: every layout as files, LR that lies beside, and what is refused."""

from pathlib import Path

import pytest

from sr.data.finding import BELOW, NO_PART, Group, find
from sr.data.layouts import OTHER_DEGRADATION, not_of_scale
from sr.data.places import Place
from sr.errors import InputError
from sr.scale import SCALES

# A layout of the field: its files, then the pairs.
LAYOUTS = {
    "DIV2K": (
        ["DIV2K_train_HR/0001.png", "DIV2K_train_LR_bicubic/X4/0001x4.png"],
        [("DIV2K_train_HR/0001.png", "DIV2K_train_LR_bicubic/X4/0001x4.png")],
    ),
    "EDSR": (["HR/baby.png", "LR_bicubic/X4/babyx4.png"], [("HR/baby.png", "LR_bicubic/X4/babyx4.png")]),
    "BasicSR": (
        ["Set5/GTmod12/baby.png", "Set5/LRbicx4/baby.png"],
        [("Set5/GTmod12/baby.png", "Set5/LRbicx4/baby.png")],
    ),
    "RCAN": (
        ["HR/Set5/x4/baby_HR_x4.png", "LR/LRBI/Set5/x4/baby_LRBI_x4.png"],
        [("HR/Set5/x4/baby_HR_x4.png", "LR/LRBI/Set5/x4/baby_LRBI_x4.png")],
    ),
    "SelfExSR": (
        ["image_SRF_4/img_001_SRF_4_HR.png", "image_SRF_4/img_001_SRF_4_LR.png"],
        [("image_SRF_4/img_001_SRF_4_HR.png", "image_SRF_4/img_001_SRF_4_LR.png")],
    ),
    "SelfExSR, flat": (
        ["img_001_SRF_4_HR.png", "img_001_SRF_4_LR.png"],
        [("img_001_SRF_4_HR.png", "img_001_SRF_4_LR.png")],
    ),
    "all in one folder": (["0001.png", "0001x4.png"], [("0001.png", "0001x4.png")]),
    "sub-images": (
        ["DIV2K_train_HR_sub/0001_s001.png", "DIV2K_train_LR_bicubic/X4_sub/0001_s001.png"],
        [("DIV2K_train_HR_sub/0001_s001.png", "DIV2K_train_LR_bicubic/X4_sub/0001_s001.png")],
    ),
    "HR in the folder itself": (["a.png", "LRx4/a.png"], [("a.png", "LRx4/a.png")]),
    "originals": (["Set5/original/baby.png"], [("Set5/original/baby.png", None)]),
    "a plain folder": (["b.png", "a.JPG"], [("a.JPG", None), ("b.png", None)]),
    "names with spaces and letters of all kinds": (
        ["HR/été 写真.png", "LRx4/été 写真.png"],
        [("HR/été 写真.png", "LRx4/été 写真.png")],
    ),
}


def touch(top: Path, *names: str) -> Path:
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()
    return top


def pairs_of(groups: list[Group], top: Path) -> list[tuple[str, str | None]]:
    return [
        (each.hr.relative_to(top).as_posix(), each.lr and each.lr.relative_to(top).as_posix())
        for group in groups
        for each in group.sources
    ]


def reasons(groups: list[Group], top: Path) -> dict[str, str]:
    return {each.path.relative_to(top).as_posix(): each.reason for group in groups for each in group.left_out}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_pairs_of_every_layout_are_found(tmp_path: Path, layout: str) -> None:
    files, expected = LAYOUTS[layout]
    groups = find(Place(touch(tmp_path, *files)))
    assert pairs_of(groups, tmp_path) == expected
    assert reasons(groups, tmp_path) == {}
    assert [note for group in groups for note in group.notes] == []


def test_lr_that_is_not_used_is_named(tmp_path: Path) -> None:
    touch(
        tmp_path, "HR/a.png", "LR_bicubic/X4/ax4.png", "LR_bicubic/X2/ax2.png", "LR_unknown/X4/ax4.png", "masks/a.png"
    )
    groups = find(Place(tmp_path))
    assert pairs_of(groups, tmp_path) == [("HR/a.png", "LR_bicubic/X4/ax4.png")]
    assert reasons(groups, tmp_path) == {
        "LR_bicubic/X2": not_of_scale(4), "LR_unknown/X4": OTHER_DEGRADATION, "masks": NO_PART,
    }  # fmt: skip


@pytest.mark.parametrize(
    "files",
    [
        ["HR/a.png", "LR_mine/a.png"],
        ["DIV2K_valid_HR/0801.png", "DIV2K_valid_LR/strange/0801.png"],
        ["a.png", "LR_mine/a.png"],
        ["Set5/HR/a.png", "Set5/lowres/a.png"],
        ["HR/a.png", "LR_bicubic/X4/a.npy"],
        ["DIV2K_train_HR/a.png", "DIV2K_train_LR_bicubic_X4.lmdb/data.mdb"],
        ["a.png", "LRx4/a.npy"],
    ],
)
def test_lr_that_is_not_understood_is_refused_by_its_name(tmp_path: Path, files: list[str]) -> None:
    touch(tmp_path, *files)
    named = str(Path(files[1]).parent)
    with pytest.raises(InputError, match=f"holds {named}, which is not understood as the LR x4 of .*; name it LRx4"):
        find(Place(tmp_path))


@pytest.mark.parametrize(
    "files",
    [
        ["DIV2K_train_HR/a.png", "DIV2K_train_LR_bicubic_X4.zip"],
        ["DF2K/DIV2K_train_HR/a.png", "DF2K/DIV2K_train_LR_bicubic.tar.gz"],
        ["HR/a.png", "LRx4.h5", "HR.zip"],
        ["a.png", "LRx4.ZIP"],
    ],
)
def test_lr_that_is_packed_is_refused_by_its_name(tmp_path: Path, files: list[str]) -> None:
    touch(tmp_path, *files)
    with pytest.raises(InputError, match=f"holds {files[1]}, as if with the LR of .*; unpack it, or move it away"):
        find(Place(tmp_path))


@pytest.mark.parametrize(
    "files",
    [
        ["HR/a.png", "LR_bicubic/X4/ax4.png", "LR_bicubic_X4.zip"],
        ["DIV2K_train_HR/a.png", "DIV2K_valid_LR_bicubic_X4.zip"],
        ["DIV2K_train_HR/a.png", "DIV2K_train_LR_bicubic_X2.zip", "DIV2K_train_LR_unknown_X4.zip"],
        ["HR/a.png", "HR.zip", "LR.txt"],
        ["a.png", "LRx4/a.png", "LRx4.zip"],
    ],
)
def test_packed_files_are_no_matter_where_lr_is_there_or_they_hold_none_of_it(tmp_path: Path, files: list[str]) -> None:
    assert [hr for hr, _ in pairs_of(find(Place(touch(tmp_path, *files))), tmp_path)] == [files[0]]


@pytest.mark.parametrize(
    ("files", "given", "lr"),
    [
        (["HR/a.png", "LR_bicubic/X4/ax4.png"], "HR", "LR_bicubic/X4/ax4.png"),
        (["DIV2K_valid_HR/a.png", "DIV2K_valid_LR_bicubic/X4/ax4.png"], "DIV2K_valid_HR",
         "DIV2K_valid_LR_bicubic/X4/ax4.png"),
        (["GTmod12/a.png", "LRbicx4/a.png", "LRbicx2/a.png"], "GTmod12", "LRbicx4/a.png"),
        (["HR/a.png", "LRx4/a.png"], "HR/a.png", "LRx4/a.png"),
    ],
)  # fmt: skip
def test_lr_beside_the_hr_that_is_given_is_used_and_said(tmp_path: Path, files: list[str], given: str, lr: str) -> None:
    groups = find(Place(touch(tmp_path, *files) / given))
    assert pairs_of(groups, tmp_path) == [(files[0], lr)]
    (note,) = [note for group in groups for note in group.notes]
    assert note == f"LR of {tmp_path / files[0].split('/')[0]} is read from {(tmp_path / lr).parent}"


def test_lr_beside_the_hr_that_is_given_is_named_where_it_is_not_used(tmp_path: Path) -> None:
    groups = find(Place(touch(tmp_path, "HR/a.png", "LR_bicubic/X2/ax2.png") / "HR"))
    assert pairs_of(groups, tmp_path) == [("HR/a.png", None)]
    assert [note for group in groups for note in group.notes] == [
        f"LR of {tmp_path / 'HR'} is made: LR_bicubic/X2 beside it is not its LR x4"
    ]


@pytest.mark.parametrize("scale", SCALES)
def test_lr_of_the_scale_asked_for_is_used_and_that_of_others_is_named(tmp_path: Path, scale: int) -> None:
    others = set(SCALES) - {scale}
    folders = {each: f"DIV2K_train_LR_bicubic/X{each}" for each in SCALES}
    touch(tmp_path, "DIV2K_train_HR/0001.png", *(f"{folder}/0001x{each}.png" for each, folder in folders.items()))
    pair = ("DIV2K_train_HR/0001.png", f"{folders[scale]}/0001x{scale}.png")
    groups = find(Place(tmp_path), scale)
    assert pairs_of(groups, tmp_path) == [pair]
    assert reasons(groups, tmp_path) == {folders[each]: not_of_scale(scale) for each in others}
    # Beside HR that is given alone.
    groups = find(Place(tmp_path / "DIV2K_train_HR"), scale)
    assert pairs_of(groups, tmp_path) == [pair]


def test_lr_of_another_scale_among_hr_is_left_out(tmp_path: Path) -> None:
    groups = find(Place(touch(tmp_path, "0001.png", "0001x4.png")), 2)
    assert pairs_of(groups, tmp_path) == [("0001.png", None)]
    assert reasons(groups, tmp_path) == {"0001x4.png": not_of_scale(2)}


def test_lr_that_is_not_understood_is_refused_with_the_names_of_its_scale(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"as the LR x2 of HR; name it LRx2 or LR_bicubic/X2"):
        find(Place(touch(tmp_path, "HR/a.png", "LR_mine/a.png")), 2)


def test_a_folder_of_lr_given_as_hr_is_said(tmp_path: Path) -> None:
    groups = find(Place(touch(tmp_path, "DIV2K_train_LR_bicubic/X4/0001x4.png") / "DIV2K_train_LR_bicubic" / "X4"))
    (note,) = [note for group in groups for note in group.notes]
    assert "is named like LR, but its pictures are taken as HR" in note


def test_pictures_below_a_plain_folder_are_left_out_or_taken(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "2019/b.png", "2019/may/c.png", "2019/notes.txt")
    groups = find(Place(tmp_path))
    assert pairs_of(groups, tmp_path) == [("a.png", None)]
    assert reasons(groups, tmp_path) == {"2019": BELOW, "2019/may": BELOW}
    groups = find(Place(tmp_path, recursive=True))
    assert pairs_of(groups, tmp_path) == [("a.png", None), ("2019/b.png", None), ("2019/may/c.png", None)]
    assert reasons(groups, tmp_path) == {"2019/notes.txt": "no picture"}


def test_recursive_takes_what_is_no_part_of_the_layout_as_well(tmp_path: Path) -> None:
    touch(tmp_path, "HR/a.png", "LRx4/a.png", "LRx2/a.png", "more/b.png", "1/2/3/4/5/6/c.png")
    groups = find(Place(tmp_path, recursive=True))
    assert sorted(pairs_of(groups, tmp_path), key=str) == [
        ("1/2/3/4/5/6/c.png", None), ("HR/a.png", "LRx4/a.png"), ("more/b.png", None),
    ]  # fmt: skip
    assert reasons(groups, tmp_path) == {"LRx2": not_of_scale(4)}


def test_a_folder_without_pictures_says_where_they_are(tmp_path: Path) -> None:
    touch(tmp_path, "deep/a.png", "deep/b.png", "x.ppm")
    with pytest.raises(
        InputError, match=r"no pictures in .* itself; 2 lie below it, in deep: .*--recursive \(left out 1"
    ):
        find(Place(tmp_path))
    touch(tmp_path / "other", "x.ppm")
    with pytest.raises(InputError, match=r"no pictures in .*left out 1: 1 of an extension that .* \(x\.ppm\)"):
        find(Place(tmp_path / "other"))


def test_the_folders_of_the_shared_data_are_known(shared: Path) -> None:
    for name, count in (("Set5", 5), ("Set14", 14)):
        (group,) = [each for each in find(Place(shared / "data" / name)) if each.sources]
        assert len(group.sources) == count
        assert all(each.lr is not None for each in group.sources)
    groups = find(Place(shared / "data"))
    assert [(group.label, len(group.sources)) for group in groups if group.sources] == [
        ("val", 14), ("val", 5), ("train", 400),
    ]  # fmt: skip

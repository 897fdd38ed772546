"""What a folder holds: pictures, and the reason for everything else."""

from pathlib import Path

import pytest

from sr.data.listing import DOUBLED_NAME, HIDDEN, NO_PICTURE, NOT_THERE, ONLY_NAMED, scan
from sr.errors import InputError


def touch(top: Path, *names: str) -> None:
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()


def test_every_file_is_a_picture_or_has_its_reason(tmp_path: Path) -> None:
    pictures = ["a.PNG", "b c.jpg", "ünïcode.JpEg", "写真.tif"]
    others = {"._a.png": HIDDEN, "Thumbs.db": HIDDEN, ".DS_Store": HIDDEN, "x.txt": NO_PICTURE, "none": NO_PICTURE,
              "y.gif": ONLY_NAMED, "z.JFIF": ONLY_NAMED, "w.avif": ONLY_NAMED, "v.ppm": ONLY_NAMED,
              "u.tga": ONLY_NAMED}  # fmt: skip
    touch(tmp_path, *pictures, *others)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "lost.png").symlink_to(tmp_path / "nowhere.png")
    (folder,) = scan(tmp_path)[:1]
    assert [path.name for path in folder.pictures] == sorted(pictures)
    assert {each.path.name: each.reason for each in folder.left_out} == others | {"lost.png": NOT_THERE}


def test_of_a_doubled_name_the_one_without_loss_is_used(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.png", "b.jpeg", "b.JPG", "A.png")
    (folder,) = scan(tmp_path)
    assert [path.name for path in folder.pictures] == ["A.png", "a.png", "b.JPG"]
    assert [(each.path.name, each.reason, each.detail) for each in folder.left_out] == [
        ("a.jpg", DOUBLED_NAME, "a.png is used"),
        ("b.jpeg", DOUBLED_NAME, "b.JPG is used"),
    ]


def test_links_are_followed_but_nothing_is_listed_twice(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.png", "elsewhere.png")
    (tmp_path / "real" / "loop").symlink_to(tmp_path)
    (tmp_path / "real" / "b.png").symlink_to(tmp_path / "elsewhere.png")
    folders = {each.relative: [path.name for path in each.pictures] for each in scan(tmp_path / "real")}
    assert folders == {"": ["a.png", "b.png"], "loop": ["elsewhere.png"]}


def test_folders_below_are_listed_to_a_depth(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b/c.png", "b/d/e.png", ".git/f.png", "__MACOSX/g.png")
    assert [each.relative for each in scan(tmp_path)] == ["", "b", "b/d"]
    assert [each.relative for each in scan(tmp_path, 1)] == ["", "b"]
    assert [each.relative for each in scan(tmp_path, 0)] == [""]


def test_no_folder_is_an_input_error(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    for path in (tmp_path / "absent", tmp_path / "a.png"):
        with pytest.raises(InputError, match="no folder at"):
            scan(path)

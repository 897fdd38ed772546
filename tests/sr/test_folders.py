"""Folders gone through: each once, in order, with what is not entered."""

import os
from pathlib import Path

import pytest

from sr.folders import is_hidden, walk


def touch(top: Path, *names: str) -> None:
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).touch()


def test_a_folder_comes_before_those_in_it_and_all_are_sorted(tmp_path: Path) -> None:
    touch(tmp_path, "b", "a", "two/c", "one/d", "one/.git/e")
    listed = walk(tmp_path)
    assert [each.relative for each in listed] == ["", "one", "two"]
    assert [[path.name for path in each.files] for each in listed] == [["a", "b"], ["d"], ["c"]]
    assert [[path.name for path in each.hidden] for each in listed] == [[], [".git"], []]


def test_depth_is_how_many_folders_below_are_entered(tmp_path: Path) -> None:
    touch(tmp_path, "one/two/a", ".hidden/b")
    assert [each.relative for each in walk(tmp_path, 1)] == ["", "one"]
    (top,) = walk(tmp_path, 0)
    assert top.hidden == ()


def test_links_are_followed_and_nothing_is_listed_twice(tmp_path: Path) -> None:
    touch(tmp_path, "real/a")
    (tmp_path / "real" / "loop").symlink_to(tmp_path)
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    assert [each.relative for each in walk(tmp_path / "real")] == ["", "loop"]
    assert [path.name for path in walk(tmp_path)[0].files] == ["lost"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_told_by_the_one_above(tmp_path: Path) -> None:
    touch(tmp_path, "closed/a", "b")
    (tmp_path / "closed").chmod(0)
    (top,) = walk(tmp_path)
    (tmp_path / "closed").chmod(0o755)
    assert top.closed == ((tmp_path / "closed", "Permission denied"),)


def test_no_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        walk(tmp_path / "absent")


@pytest.mark.parametrize(("name", "expected"), [("._a.png", True), ("Thumbs.DB", True), ("@eaDir", True), ("a", False)])
def test_notes_of_systems_are_hidden(name: str, *, expected: bool) -> None:
    assert is_hidden(name) is expected

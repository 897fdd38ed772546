"""Lists of HR in text files."""

from pathlib import Path

import pytest

from sr.data.list_file import read_list
from sr.data.listing import NOT_THERE
from sr.errors import InputError


def test_a_line_is_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a.png", "with space.png", "deep/b.gif", "0001_s001.png", "lr/a.png", "here.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "lists").mkdir()
    path = tmp_path / "lists" / "train.txt"
    lines = ["# HR", "", "../with space.png", "../0001_s001.png (480,480,3)", f"{tmp_path / 'deep' / 'b.gif'}",
             "../a.png\t../lr/a.png", "here.png", "absent.png", "x" * 5000]  # fmt: skip
    path.write_text("\r\n".join(lines), encoding="utf-8-sig")
    monkeypatch.chdir(tmp_path)
    found, left_out = read_list(path)
    assert [(hr.resolve(), lr and lr.resolve()) for hr, lr in found] == [
        (tmp_path / "with space.png", None),
        (tmp_path / "0001_s001.png", None),
        (tmp_path / "deep" / "b.gif", None),
        (tmp_path / "a.png", tmp_path / "lr" / "a.png"),
        (tmp_path / "here.png", None),
    ]
    assert [(each.path.name[:10], each.reason) for each in left_out] == [
        ("absent.png", NOT_THERE),
        ("x" * 10, NOT_THERE),
    ]


def test_what_is_no_text_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot read the list of pictures"):
        read_list(tmp_path / "list.txt")

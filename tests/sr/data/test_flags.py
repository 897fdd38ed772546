"""The flags for pictures: repeated, with commas, and with the folders below."""

from pathlib import Path

import pytest

from sr.command import Parser
from sr.data.flags import add_pictures, add_recursive
from sr.errors import InputError


@pytest.fixture
def parser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parser:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "list.txt").touch()
    monkeypatch.chdir(tmp_path)
    made = Parser(prog="python -m sr.some", description="Does it.", example="python -m sr.some")
    add_pictures(made, "--data", "HR pictures")
    add_pictures(made, "--val", "HR pictures")
    add_recursive(made, "data", "val")
    return made


@pytest.mark.parametrize(
    ("argv", "data", "val"),
    [
        ([], None, None),
        (["--data", "a"], "a", None),
        (["--data", "a,b"], "a,b", None),
        (["--data", "a", "--data", "b", "--val", "c"], "a,b", "c"),
        (["--recursive", "--data", "a"], "a/**", None),
        (["--data", "a", "--recursive", "--data", "b", "--val", "c"], "a/**,b/**", "c/**"),
        (["--recursive", "--data", "list.txt,a"], "list.txt,a/**", None),
    ],
)
def test_what_is_given_is_one_path(parser: Parser, argv: list[str], data: str | None, val: str | None) -> None:
    args = parser.parse_args(argv)
    assert (args.data, args.val) == (data and Path(data), val and Path(val))
    assert set(vars(args)) == {"data", "val"}


def test_recursive_names_what_is_not_there(parser: Parser) -> None:
    with pytest.raises(InputError, match="no folder at absent"):
        parser.parse_args(["--data", "absent", "--recursive"])

"""Places as people give them."""

from pathlib import Path

import pytest

from sr.data.places import Place, joined, places
from sr.errors import InputError


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a", "b", "a,b", "with space"):
        (tmp_path / name).mkdir()
    (tmp_path / "list.txt").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a", [("a", False)]),
        (Path("a"), [("a", False)]),
        (["a", Path("b")], [("a", False), ("b", False)]),
        ("b,a", [("b", False), ("a", False)]),
        ("b, a", [("b", False), ("a", False)]),
        ("b,a,", [("b", False), ("a", False)]),
        ("a,b", [("a,b", False)]),
        ("b,a,b", [("b", False), ("a,b", False)]),
        ("a/**", [("a", True)]),
        ("a/**,b", [("a", True), ("b", False)]),
        ("list.txt,with space", [("list.txt", False), ("with space", False)]),
    ],
)
def test_commas_divide_what_is_not_there_as_a_whole(
    top: Path, given: str | Path | list[str | Path], expected: list[tuple[str, bool]]
) -> None:
    assert top.is_dir()
    assert places(given) == tuple(Place(Path(path), recursive) for path, recursive in expected)


@pytest.mark.parametrize(
    ("given", "named"), [("absent", "absent"), ("a,absent", "absent"), ([], r"'\[\]'"), ("", "''")]
)
def test_what_is_not_there_is_named(top: Path, given: str | list[str], named: str) -> None:
    assert top.is_dir()
    with pytest.raises(InputError, match=f"no folder at {named}"):
        places(given)


def test_a_list_longer_than_any_name_is_taken_apart(top: Path) -> None:
    assert top.is_dir()
    assert len(places(",".join(["b"] * 150))) == 150


def test_places_joined_are_the_same_places(top: Path) -> None:
    assert top.is_dir()
    given = places(["b", "a/**", "list.txt"])
    assert places(joined(given)) == given

"""The page of a pruning or a league lies in its folder, or is going to."""

import os
from pathlib import Path

import pytest

from sr.errors import InputError
from sr.report.kept_page import kept_page
from sr.report.live import NotYetError


@pytest.mark.parametrize(
    ("name", "begun", "what"), [("page.html", "asked.json", "pruning"), ("league.html", "trainings", "league")]
)
def test_page_is_found_before_and_after_it_is_written(tmp_path: Path, name: str, begun: str, what: str) -> None:
    assert kept_page(tmp_path) is None
    (tmp_path / begun).touch()
    found = kept_page(tmp_path)
    assert found is not None
    with pytest.raises(NotYetError, match=f"the {what} in .* has no page yet: it comes "):
        found.read()
    before = found.stamp()
    found.path.write_text("a page")
    assert found.path == tmp_path / name
    assert found.read() == "a page"
    assert found.stamp() != before
    (tmp_path / begun).unlink()
    assert kept_page(tmp_path) == found, "a folder of which only the page was kept"


def test_stamp_changes_with_each_page(tmp_path: Path) -> None:
    (tmp_path / "league.html").write_text("first")
    found = kept_page(tmp_path)
    assert found is not None
    before = found.stamp()
    os.utime(found.path, ns=(1, 1))
    assert found.stamp() != before


def test_file_that_is_no_page_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"\xff\xfe")
    found = kept_page(tmp_path)
    assert found is not None
    with pytest.raises(InputError, match=r"page\.html cannot be read"):
        found.read()

"""The page of a pruning or a league lies in its folder, or is going to."""

import os
from pathlib import Path

import pytest

from sr.errors import InputError
from sr.report.kept_page import kept_page
from sr.report.live import NotYetError


@pytest.mark.parametrize(
    ("name", "begun", "what"), [("page.html", "asked.json", "pruning"), ("league.html", "runtimes-0f.json", "league")]
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


def test_pruning_says_how_far_each_method_is_before_there_is_a_page(tmp_path: Path) -> None:
    (tmp_path / "asked.json").touch()
    found = kept_page(tmp_path)
    assert found is not None
    stamps = [found.stamp()]
    for name in ("group/gates.state", "group/plan.json", "dense/network.pth"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        stamps.append(found.stamp())
    (tmp_path / "magnitude").mkdir()
    assert len(set(stamps)) == 4, "each is news"
    with pytest.raises(NotYetError, match=r"So far: dense is pruned and trained on, group is pruned$"):
        found.read()


def test_league_counts_its_trainings_before_there_is_a_page(tmp_path: Path) -> None:
    (tmp_path / "runtimes-0f.json").touch()
    (tmp_path / "trainings" / "a").mkdir(parents=True)
    (tmp_path / "trainings" / "a" / "100-0.json").touch()
    (tmp_path / "trainings" / "a" / "100-1.pth").touch()
    found = kept_page(tmp_path)
    assert found is not None
    with pytest.raises(NotYetError, match="So far: learning rates chosen: 0, trainings done: 1"):
        found.read()


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

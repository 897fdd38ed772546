"""The file of a league."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from baselines.league.archive import Archive, read_archive
from sr.errors import InputError
from sr.files import write_json


def test_a_league_is_read_from_its_file_as_it_was(archive: Archive, tmp_path: Path) -> None:
    write_json(tmp_path / "league.json", archive.to_json())
    assert read_archive(tmp_path / "league.json") == archive


def test_one_network_under_two_titles_was_trained_once(archive: Archive) -> None:
    assert len(archive.trainings) == 7
    twins = [*archive.standings.standings, replace(archive.standings.standings[0], title="twin")]
    assert len(replace(archive, standings=replace(archive.standings, standings=tuple(twins))).trainings) == 7


@pytest.mark.parametrize("change", [{"networks": [1]}, {"command": None}, {"bicubic": []}, {"torch": 2}])
def test_a_file_that_holds_something_else_is_refused_in_one_line(
    archive: Archive, tmp_path: Path, change: dict[str, object]
) -> None:
    path = tmp_path / "league.json"
    path.write_text(json.dumps(archive.to_json() | change), encoding="utf-8")
    with pytest.raises(InputError, match=r"league.json is no file that benchmarks/league.py --json wrote"):
        read_archive(path)
    with pytest.raises(InputError, match=r"nothing.json is no file that .* wrote: FileNotFoundError"):
        read_archive(tmp_path / "nothing.json")

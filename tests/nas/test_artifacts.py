"""Where weights lie, and that those of one search stay together."""

from pathlib import Path

import pytest

from nas.artifacts import weights_folder
from sr.errors import InputError


def test_weights_lie_in_the_search_s_folder_by_a_path_that_every_node_can_use(tmp_path: Path) -> None:
    folder = weights_folder(tmp_path / "out", None)
    assert folder == tmp_path / "out" / "candidates"
    assert folder.is_absolute()


def test_weights_elsewhere_are_found_in_the_search_s_folder_too(tmp_path: Path) -> None:
    there = weights_folder(tmp_path / "out", tmp_path / "shared")
    (there / "some.pth").touch()
    assert (tmp_path / "out" / "candidates" / "some.pth").exists()
    assert weights_folder(tmp_path / "out", tmp_path / "shared") == there == tmp_path / "shared"


def test_weights_that_lie_elsewhere_already_are_not_left_behind(tmp_path: Path) -> None:
    (tmp_path / "out" / "candidates").mkdir(parents=True)
    with pytest.raises(InputError, match=r"the weights of this search lie in .*candidates; give that, or move them$"):
        weights_folder(tmp_path / "out", tmp_path / "shared")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"^--artifacts .*file/shared: .*; name a folder that can be written$"):
        weights_folder(tmp_path / "out", tmp_path / "file" / "shared")

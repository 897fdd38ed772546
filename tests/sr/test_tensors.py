"""Tensors on disk: back bit for bit, and nothing that a file holds is run."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from sr.errors import InputError
from sr.tensors import read_tensors, write_tensors

CONTENT = {
    "steps": 3,
    "name": "gates",
    "nested": [{"half": torch.rand(4).bfloat16()}, None, 0.5],
    "strided": torch.rand(6, 5).T,
}


class Intruder:
    """A pickle of it makes a folder where it is loaded carelessly."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


def test_tensors_and_plain_values_come_back_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "some.state"
    write_tensors(path, CONTENT)
    back = read_tensors(path)
    assert list(back) == list(CONTENT)
    assert (back["steps"], back["name"], back["nested"][1:]) == (3, "gates", [None, 0.5])
    assert back["nested"][0]["half"].dtype == torch.bfloat16
    assert torch.equal(back["nested"][0]["half"], CONTENT["nested"][0]["half"])  # type: ignore[index]
    assert torch.equal(back["strided"], CONTENT["strided"])
    assert back["strided"].stride() == CONTENT["strided"].stride()  # type: ignore[union-attr]
    assert [each.name for each in path.parent.iterdir()] == ["some.state"]


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write") as caught:
        write_tensors(tmp_path / "file" / "some.state", CONTENT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "write",
    [
        lambda path, content: path.write_bytes(pickle.dumps(content, protocol=2)),
        lambda path, content: torch.save(content, path),
    ],
)
def test_a_pickle_is_not_run(tmp_path: Path, write) -> None:
    write(tmp_path / "some.state", Intruder(tmp_path / "mark"))
    with pytest.raises(pickle.UnpicklingError):
        read_tensors(tmp_path / "some.state")
    assert not (tmp_path / "mark").exists()

"""The command that fetches data: what it refuses, in one line each."""

from pathlib import Path

import pytest

from sr.command import BAD_INPUT, run
from sr.data.__main__ import main


def test_the_command_fails_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, why in (
        (["set5", "--to", str(tmp_path)], "set5"),
        (["div2k"], "--to"),
        (["div2k", "--to", str(tmp_path), "--parts", "test"], "--parts must be train, valid"),
        (["div2k", "--to", str(tmp_path), "--scale", "5"], "--scale is one of 2, 3, 4, got 5"),
        (["div2k", "--to", str(tmp_path), "--url", "file:///etc"], "--url must start with http"),
        (["div2k", "--to", str(tmp_path), "--checksums", str(tmp_path / "none")], "cannot read the checksums"),
    ):
        assert run(main, arguments) == BAD_INPUT
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert why in captured.err

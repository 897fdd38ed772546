"""Whatever bytes a name is of, it stays in its line."""

import os
from pathlib import Path

import pytest

from sr.printable import printable


@pytest.mark.parametrize(
    ("name", "shown"),
    [("plain é 猫.png", "plain é 猫.png"), ("two\nlines\t\x1b[31m", "two\\nlines\\t\\x1b[31m"),
     (os.fsdecode(b"\xff.png"), "\\udcff.png")],
)  # fmt: skip
def test_what_is_printed_is_one_line_of_utf_8(name: str, shown: str) -> None:
    assert printable(Path(name)) == shown
    printable(name).encode("utf-8")

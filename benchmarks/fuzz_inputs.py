"""What users might do, drawn by hypothesis: so that a case that fails is made as small as it still fails."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzz_case import Case
from fuzz_command_lines import command_lines, flags_of
from fuzz_files import checkpoints, searched
from fuzz_networks import engine_files, networks
from fuzz_pictures import pictures
from fuzz_records import records
from hypothesis import strategies as st

from paretosr.__main__ import COMMANDS


@dataclass(frozen=True)
class Whole:
    """What cases are made from: the files of a search, what checkpoints hold, the flags of commands by their names."""

    search: Mapping[str, bytes]
    checkpoints: Mapping[str, dict[str, Any]]
    flags: Mapping[str, tuple[str, ...]]

    @classmethod
    def made(cls, folder: Path) -> "Whole":
        """Make it in an empty folder."""
        (folder / "search").mkdir(parents=True)
        return cls(searched(folder / "search"), checkpoints(folder), {name: flags_of(name) for name in COMMANDS})


# By the name of a kind what draws it, and its share of all cases.
KINDS: dict[str, tuple[Callable[[Whole], st.SearchStrategy[Case]], float]] = {
    "pictures": (lambda _: pictures(), 0.3),
    "checkpoints": (lambda whole: networks(whole.checkpoints), 0.2),
    "records": (lambda whole: records(whole.search), 0.15),
    "ONNX": (lambda _: engine_files(), 0.15),
    "command lines": (lambda whole: command_lines(whole.flags), 0.2),
}

"""What python -m nas.compare is asked for; free of torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sr.constraints import as_paths
from sr.errors import InputError
from sr.files import StrPath


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """Which searches stand on one page.

    Attributes:
        runs: Their folders, at least two. Held as `Path`s.
        out: The page. Held as a `Path`.

    Raises:
        InputError: Where a value breaks its constraint.
    """

    runs: Sequence[StrPath]
    out: StrPath = "comparison.html"

    def __post_init__(self) -> None:
        as_paths(self, "out")
        different = {each.resolve() for each in self.folders}
        if len(different) != len(self.folders) or len(different) < 2:
            raise InputError(
                f"a comparison takes two different folders of searches or more, got {', '.join(map(str, self.folders))}"
            )

    @property
    def folders(self) -> list[Path]:
        """The folders of the searches."""
        return [Path(each) for each in self.runs]

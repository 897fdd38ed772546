"""What python -m nas.report is asked for; free of torch."""

from dataclasses import dataclass

from sr.constraints import as_paths
from sr.errors import InputError
from sr.files import StrPath

DEFAULT_PORT = 8765


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Which page is wanted, and how it is shown.

    Attributes:
        run: The folder of a search, a pruning or a league. Held as a `Path`.
        storage: Where its study is kept; None for the journal in the folder.
        out: The page; None for the one in the folder. Held as a `Path`.
        open: Whether a browser shows it.
        serve: Whether it is served on loopback and kept fresh while the run goes on.
        port: Where it is served, 0 for any that is free.

    Raises:
        InputError: Where a value breaks its constraint.
    """

    run: StrPath
    storage: str | None = None
    out: StrPath | None = None
    open: bool = False
    serve: bool = False
    port: int = DEFAULT_PORT

    def __post_init__(self) -> None:
        as_paths(self, "run", "out")
        if not 0 <= self.port <= 65535:
            raise InputError(f"--port must be within 0 and 65535, got {self.port}")
        if self.serve and self.out is not None:
            raise InputError("--serve writes no file and --out names one; give one of them")

"""Which page a folder shows: a search's is made of its record, that of another run lies there as it was made."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nas.report.page import PAGE, search_page
from nas.report.run import JOURNAL, load_run, stamp_of
from sr.errors import InputError
from sr.report.kept_page import kept_page


@dataclass(frozen=True)
class ShownPage:
    """A page.

    Attributes:
        path: Where it lies.
        build: Returns it as HTML; raises InputError where there is none yet.
        stamp: Returns what changes whenever it does.
        is_made_anew: Whether `build` makes it, and does not only read the file.
    """

    path: Path
    build: Callable[[], str]
    stamp: Callable[[], str]
    is_made_anew: bool


def shown_page(folder: Path, storage: str | None = None) -> ShownPage:
    """Return the page of a run.

    Args:
        folder: Of a search, a pruning or a league.
        storage: Where the study of a search is kept; None for the journal in the folder.

    Raises:
        InputError: Where there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"no folder at {folder}; name the --out of a search, a pruning or a league")
    kept = None if storage is not None or (folder / JOURNAL).is_file() else kept_page(folder)
    if kept is not None:
        return ShownPage(kept.path, kept.read, kept.stamp, is_made_anew=False)
    return ShownPage(
        folder / PAGE,
        lambda: search_page(load_run(folder, storage)),
        lambda: stamp_of(folder, storage),
        is_made_anew=True,
    )

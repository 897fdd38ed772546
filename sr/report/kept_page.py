"""The page that a pruning or a league writes itself: found in its folder, whether it is there yet or not."""

from dataclasses import dataclass
from pathlib import Path

from sr.errors import InputError
from sr.report.live import NotYetError

# What keeps a page: its name, when the page comes, and what lies in the folder from the beginning on.
_KINDS = {
    "page.html": ("pruning", "at its end", "asked.json"),
    "league.html": ("league", "once all networks have been trained by the first seed", "trainings"),
}


@dataclass(frozen=True)
class KeptPage:
    """A page as it lies in the folder of a run.

    Attributes:
        path: The file.
        what: What wrote it, or will: a pruning or a league.
        comes: When it does.
    """

    path: Path
    what: str
    comes: str

    def read(self) -> str:
        """Return the page.

        Raises:
            NotYetError: Where it is not there yet.
            InputError: Where it cannot be read.
        """
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NotYetError(
                f"the {self.what} in {self.path.parent} has no page yet: it comes {self.comes}; --serve shows it then"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{self.path} cannot be read: {error}; the same {self.what} writes it anew") from error

    def stamp(self) -> str:
        """Return what changes whenever the page is written."""
        try:
            return str(self.path.stat().st_mtime_ns)
        except FileNotFoundError:
            return "-"


def kept_page(folder: Path) -> KeptPage | None:
    """Return the page that the run in a folder writes itself; None where neither it nor such a run is there."""
    for name, (what, comes, begun) in _KINDS.items():
        if (folder / name).is_file() or (folder / begun).exists():
            return KeptPage(folder / name, what, comes)
    return None

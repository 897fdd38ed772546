"""The page that a run writes itself: found in its folder, whether it is there yet or not."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sr.errors import InputError
from sr.report.live import NotYetError


@dataclass(frozen=True)
class _Kind:
    """A kind of run that writes its page itself.

    Attributes:
        what: What it is called.
        page: The name of its page.
        comes: When that comes.
        begun: The pattern of what lies in its folder from the beginning on.
        so_far: Returns in words what a folder holds before there is a page; empty for nothing.
    """

    what: str
    page: str
    comes: str
    begun: str
    so_far: Callable[[Path], str]


@dataclass(frozen=True)
class KeptPage:
    """A page as it lies in the folder of a run, or is going to.

    Attributes:
        path: The file.
        kind: What writes it.
    """

    path: Path
    kind: _Kind

    def read(self) -> str:
        """Return the page.

        Raises:
            NotYetError: Where it is not there yet.
            InputError: Where it cannot be read.
        """
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            so_far = self.kind.so_far(self.path.parent)
            raise NotYetError(
                f"the {self.kind.what} in {self.path.parent} has no page yet: it comes {self.kind.comes}, and --serve "
                f"shows it then{so_far and f'. So far: {so_far}'}"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{self.path} cannot be read: {error}; the same {self.kind.what} writes it anew"
            ) from error

    def stamp(self) -> str:
        """Return what changes whenever the page, or what is said before there is one, does."""
        try:
            return str(self.path.stat().st_mtime_ns)
        except FileNotFoundError:
            return self.kind.so_far(self.path.parent)


def kept_page(folder: Path) -> KeptPage | None:
    """Return the page that the run in a folder writes itself; None where neither it nor such a run is there."""
    for kind in _KINDS:
        if (folder / kind.page).is_file() or any(folder.glob(kind.begun)):
            return KeptPage(folder / kind.page, kind)
    return None


def _pruned_so_far(folder: Path) -> str:
    """Say how far each method of a pruning is, by the files that it leaves one after another."""
    left = {"network.pth": "pruned and trained on", "plan.json": "pruned", "gates.state": "being pruned"}
    found = []
    for method in sorted(each for each in folder.iterdir() if each.is_dir()):
        state = next((words for name, words in left.items() if (method / name).is_file()), None)
        if state is not None:
            found.append(f"{method.name} is {state}")
    return ", ".join(found)


def _trained_so_far(folder: Path) -> str:
    """Say how far a league is, by the files that it leaves."""
    rates, trainings = (len(list(folder.glob(each))) for each in ("rates/*.json", "trainings/*/*.json"))
    return f"learning rates chosen: {rates}, trainings done: {trainings}"


_KINDS = (
    _Kind("pruning", "page.html", "at its end", "asked.json", _pruned_so_far),
    _Kind("league", "league.html", "once each has been trained by one seed", "runtimes-*.json", _trained_so_far),
    # Of a search whose record is not here: what goes on has none yet.
    _Kind("search", "pareto.html", "at its end", "pareto.html", lambda _: ""),
)

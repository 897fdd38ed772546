"""Where pictures are, as people give it: folders, trees of folders, lists and pictures, with commas between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sr.errors import InputError
from sr.files import StrPath

# DIR/** stands for DIR and all folders below it.
TREE = "**"


@dataclass(frozen=True)
class Place:
    """A folder, a list of pictures or a picture; recursive: with all folders below it."""

    path: Path
    recursive: bool = False

    def __str__(self) -> str:
        return str(self.path / TREE) if self.recursive else str(self.path)


def places(given: StrPath | Sequence[StrPath]) -> tuple[Place, ...]:
    """Return the places that a text, a path or several of them name.

    Args:
        given: Each is a place, or places with commas between; a name that has a comma itself is found as well, since
            the longest that is there is taken. DIR/** is DIR with all folders below it.

    Raises:
        InputError: Where one is not there.
    """
    texts = [given] if isinstance(given, str) or not isinstance(given, Sequence) else given
    found = tuple(place for text in texts for place in _split(str(text)))
    if not found:
        raise InputError(f"no folder at {str(given)!r}; name a folder that holds pictures")
    return found


def joined(given: Sequence[Place]) -> Path:
    """Return places as the one path that `places` takes apart again."""
    return Path(",".join(str(place) for place in given))


def _split(text: str) -> list[Place]:
    """Take a text apart at its commas, the longest name that is there first."""
    pieces, found, start = text.split(","), [], 0
    while start < len(pieces):
        if not pieces[start].strip():
            start += 1
            continue
        ends = range(len(pieces), start, -1)
        candidates = ((end, _place(",".join(pieces[start:end]))) for end in ends)
        start_of_next, place = next((each for each in candidates if each[1]), (start, None))
        if place is None:
            raise InputError(f"no folder at {pieces[start].strip()}; name a folder that holds pictures")
        found.append(place)
        start = start_of_next
    return found


def _place(text: str) -> Place | None:
    """Return the place that a text names as a whole; None where there is none."""
    for each in (text, text.strip()):
        path = Path(each)
        if _exists(path):
            return Place(path)
        if path.name == TREE and _exists(path.parent):
            return Place(path.parent, recursive=True)
    return None


def _exists(path: Path) -> bool:
    """Return whether there is such a file or folder; what no file system can hold is not there."""
    try:
        return path.exists()
    except (OSError, ValueError):  # too long as a name: several places, as yet in one
        return False

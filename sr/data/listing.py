"""What lies in a folder and below it: its pictures, and every other file with the reason why it is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sr.data.left_out import LeftOut
from sr.errors import InputError
from sr.folders import Listed, is_hidden, walk
from sr.pictures.suffixes import UNUSUAL, USUAL

HIDDEN = "hidden"
NO_PICTURE = "no picture"
ONLY_NAMED = "of an extension that is read only where a file is named"
DOUBLED_NAME = "of a doubled name"
NOT_THERE = "not there"
CLOSED = "in a folder that cannot be read"


@dataclass(frozen=True)
class Folder:
    """A folder.

    Attributes:
        path: Where it is.
        relative: The same from the top of what is looked at, with slashes; empty for the top itself.
        pictures: Those directly in it, sorted, no two of one name.
        left_out: All its other files.
    """

    path: Path
    relative: str
    pictures: tuple[Path, ...]
    left_out: tuple[LeftOut, ...]


def scan(top: Path, depth: int | None = None) -> list[Folder]:
    """List a folder and those below it, sorted; links are followed, but no folder is listed twice.

    Args:
        top: The folder.
        depth: How many folders below it are entered; None for all.

    Raises:
        InputError: Where it is no folder or cannot be read.
    """
    if not top.is_dir():
        raise InputError(f"no folder at {top}; name a folder that holds pictures")
    try:
        listed = walk(top, depth)
    except OSError as error:
        raise InputError(f"cannot read the folder {top}: {error.strerror or error}") from error
    return [_folder(each) for each in listed]


def _folder(listed: Listed) -> Folder:
    pictures, left_out = sorted_out(listed.files)
    closed = tuple(LeftOut(path, CLOSED, why) for path, why in listed.closed)
    return Folder(listed.path, listed.relative, pictures, (*left_out, *closed))


def sorted_out(files: Sequence[Path]) -> tuple[tuple[Path, ...], tuple[LeftOut, ...]]:
    """Divide the files of a folder into pictures, sorted, and what is left out with its reason."""
    left_out: list[LeftOut] = []
    named: dict[str, list[Path]] = {}
    for path in sorted(files):
        suffix = path.suffix.lower()
        if reason := _reason(path, suffix):
            left_out.append(LeftOut(path, reason))
        else:
            named.setdefault(path.stem, []).append(path)
    pictures = []
    for same in named.values():
        kept, *others = sorted(same, key=lambda path: (USUAL.index(path.suffix.lower()), path.name))
        pictures.append(kept)
        left_out += [LeftOut(path, DOUBLED_NAME, f"{kept.name} is used") for path in others]
    return tuple(sorted(pictures)), tuple(left_out)


def _reason(path: Path, suffix: str) -> str:
    """Return why a file is not taken from its folder; empty where it is."""
    if is_hidden(path.name):
        return HIDDEN
    if suffix in UNUSUAL:
        return ONLY_NAMED
    if suffix not in USUAL:
        return NO_PICTURE
    return "" if path.is_file() else NOT_THERE

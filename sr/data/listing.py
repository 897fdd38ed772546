"""What lies in a folder and below it: its pictures, and every other file with the reason why it is none."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sr.data.left_out import LeftOut
from sr.errors import InputError

# Formats of few colours, of lost detail or of other uses: read where a picture is named, not picked up in a folder.
NAMED_ONLY = (".apng", ".avif", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".pbm", ".pcx", ".pgm", ".pnm", ".ppm", ".tga")
# Picked up; of pictures with one name the first stands for all: what is stored without loss before JPEG.
PICKED_UP = (".png", ".tif", ".tiff", ".bmp", ".webp", ".jpg", ".jpeg")
_SYSTEM_FILES = ("desktop.ini", "ehthumbs.db", "thumbs.db")
_SYSTEM_FOLDERS = ("__macosx", "@eadir")

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
        return list(_walk(top, "", depth, set()))
    except OSError as error:
        raise InputError(f"cannot read the folder {top}: {error.strerror or error}") from error


def _walk(path: Path, relative: str, depth: int | None, seen: set[str]) -> Iterator[Folder]:
    """Yield a folder and those below it; raises OSError where it cannot be read."""
    real = os.path.realpath(path)
    if real in seen:
        return
    seen.add(real)
    entries = sorted(path.iterdir(), key=lambda each: each.name)
    folders = [each for each in entries if each.is_dir()]
    closed: list[LeftOut] = []
    below: list[Folder] = []
    for folder in folders:
        if depth == 0 or _is_hidden(folder.name, _SYSTEM_FOLDERS):
            continue
        try:
            inner = f"{relative}/{folder.name}" if relative else folder.name
            below += _walk(folder, inner, None if depth is None else depth - 1, seen)
        except OSError as error:
            closed.append(LeftOut(folder, CLOSED, error.strerror or str(error)))
    pictures, left_out = sorted_out([each for each in entries if not each.is_dir()])
    yield Folder(path, relative, pictures, (*left_out, *closed))
    yield from below


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
        kept, *others = sorted(same, key=lambda path: (PICKED_UP.index(path.suffix.lower()), path.name))
        pictures.append(kept)
        left_out += [LeftOut(path, DOUBLED_NAME, f"{kept.name} is used") for path in others]
    return tuple(sorted(pictures)), tuple(left_out)


def _reason(path: Path, suffix: str) -> str:
    """Return why a file is not taken from its folder; empty where it is."""
    if _is_hidden(path.name, _SYSTEM_FILES):
        return HIDDEN
    if suffix in NAMED_ONLY:
        return ONLY_NAMED
    if suffix not in PICKED_UP:
        return NO_PICTURE
    return "" if path.is_file() else NOT_THERE


def _is_hidden(name: str, known: Sequence[str]) -> bool:
    """Return whether a name is that of a note of the system or a file manager, such as ._a.png or Thumbs.db."""
    return name.startswith(".") or name.lower() in known

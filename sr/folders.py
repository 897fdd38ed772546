"""Folders gone through: sorted, links followed, none listed twice, and what systems keep there for themselves apart."""

import os
from dataclasses import dataclass
from pathlib import Path

_SYSTEM_NAMES = frozenset(("desktop.ini", "ehthumbs.db", "thumbs.db", "__macosx", "@eadir"))


@dataclass(frozen=True)
class Listed:
    """A folder.

    Attributes:
        path: Where it is.
        relative: The same from the top of what is gone through, with slashes; empty for the top itself.
        files: All in it that is no folder, sorted: links that lead nowhere too.
        hidden: The folders in it that are not entered for their names.
        closed: Those that cannot be read, and why.
    """

    path: Path
    relative: str
    files: tuple[Path, ...]
    hidden: tuple[Path, ...]
    closed: tuple[tuple[Path, str], ...]


def walk(top: Path, depth: int | None = None) -> list[Listed]:
    """List a folder and those below it, each before its own.

    Args:
        top: The folder.
        depth: How many folders below it are entered; None for all.

    Raises:
        OSError: Where it cannot be read; of those below it that cannot, the folder above tells.
    """
    return _walk(top, "", depth, set())


def is_hidden(name: str) -> bool:
    """Return whether a name is that of a note of the system or a file manager, such as ._a.png or Thumbs.db."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def _walk(path: Path, relative: str, depth: int | None, seen: set[str]) -> list[Listed]:
    """List a folder and those below it; raises OSError where it cannot be read."""
    real = os.path.realpath(path)
    if real in seen:
        return []
    seen.add(real)
    entries = [(each, each.is_dir()) for each in sorted(path.iterdir(), key=lambda each: each.name)]
    folders = [] if depth == 0 else [each for each, is_folder in entries if is_folder]
    hidden = tuple(each for each in folders if is_hidden(each.name))
    closed: list[tuple[Path, str]] = []
    below: list[Listed] = []
    for folder in folders:
        if folder in hidden:
            continue
        inner = f"{relative}/{folder.name}" if relative else folder.name
        try:
            below += _walk(folder, inner, None if depth is None else depth - 1, seen)
        except OSError as error:
            closed.append((folder, error.strerror or str(error)))
    files = tuple(each for each, is_folder in entries if not is_folder)
    return [Listed(path, relative, files, hidden, tuple(closed)), *below]

"""Lists of pictures in a text file: a line for each HR, its LR behind a tab where there is one."""

import re
from pathlib import Path

from sr.data.left_out import LeftOut
from sr.data.listing import NOT_THERE
from sr.errors import InputError

LIST_SUFFIXES = (".list", ".lst", ".txt")
# BasicSR's lists have the shape behind the name: 0001_s001.png (480,480,3).
_SHAPE = re.compile(r"\s+\(\d+,\s*\d+(?:,\s*\d+)?\)$")

Listed = tuple[Path, Path | None]


def read_list(path: Path) -> tuple[tuple[Listed, ...], tuple[LeftOut, ...]]:
    """Read a list of HR pictures, or of HR and LR, one a line; empty lines and those that begin with # say nothing.

    Args:
        path: The list; its paths are from its own folder, or from the one that the command runs in.

    Returns:
        The pictures that are there, in the order of the list, and those that are not.

    Raises:
        InputError: Where it cannot be read as text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the list of pictures {path}: {error}") from error
    found: list[Listed] = []
    left_out = []
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        hr, *lr = (_placed(path.parent, text) for text in line.split("\t")[:2])
        missing = [each for each in (hr, *lr) if not _is_file(each)]
        left_out += [LeftOut(each, NOT_THERE) for each in missing]
        if not missing:
            found.append((hr, lr[0] if lr else None))
    return tuple(found), tuple(left_out)


def _placed(folder: Path, text: str) -> Path:
    """Return where the picture of a line is: from the list's folder if it is there, else from the current one."""
    for name in (text.strip(), _SHAPE.sub("", text.strip())):
        for path in (folder / name, Path(name)):
            if _is_file(path):
                return path
    return folder / text.strip()


def _is_file(path: Path) -> bool:
    """Return whether there is such a file; a line too long to be a name is none."""
    try:
        return path.is_file()
    except OSError:
        return False

"""Files that are either complete or absent: written to a temporary name beside the target, then renamed."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sr.errors import InputError

StrPath = str | os.PathLike[str]
# A temporary name takes so much of the name to be: with all of it one of 255 bytes would be too long.
_SHOWN = 40


def as_path(value: StrPath) -> Path:
    """Return a path that was given as text or as a path; raises InputError for anything else."""
    if not isinstance(value, str | os.PathLike):
        raise InputError(f"a path is text or a path, got {value!r}")
    return Path(value)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are not there; raises InputError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(_unwritable(folder, error)) from error


@contextlib.contextmanager
def replacing(path: StrPath) -> Iterator[Path]:
    """Yield a temporary path beside `path` that takes its place when the block ends without an error.

    Raises:
        InputError: Where the folder cannot be written or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.stem[:_SHOWN]}.", suffix=path.suffix, delete=False
        ) as handle:
            temporary = Path(handle.name)
    except OSError as error:
        raise InputError(_unwritable(path, error)) from error
    try:
        yield temporary
        # NamedTemporaryFile makes it private; what we ship is an ordinary file.
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise InputError(_unwritable(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> str:
    """Say in one line why `path` could not be written."""
    return f"cannot write {path}: {error.strerror or error}; name a folder that can be written and has room"


def write_text(path: StrPath, text: str) -> None:
    """Write `text` as UTF-8, complete or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: StrPath, content: bytes) -> None:
    """Write `content`, complete or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: StrPath, value: Any) -> None:  # noqa: ANN401 - anything JSON can hold
    """Write a value as indented JSON with a closing newline, complete or not at all.

    Raises:
        ValueError: Where it holds NaN or infinity.
        InputError: Where the file cannot be written.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")

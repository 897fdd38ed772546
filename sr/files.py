"""Files that are either complete or absent: written to a temporary name beside the target, then renamed."""

import contextlib
import functools
import json
import os
import re
import shutil
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import portalocker

from sr.errors import InputError

StrPath = str | os.PathLike[str]
# What zipfile raises for an archive that is damaged; names that are no UTF-8 are a ValueError.
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, RuntimeError)
# A temporary name takes so many bytes of the name to be: with all of it one of 255 would be too long.
_SHOWN = 120
# By which what a kill left is known for ours, whatever it was to become.
_MARK = "paretosr-"
_OURS = re.compile(rf"\..*\.{_MARK}\w{{8}}(\..*)?", re.DOTALL)
# Held in a folder of ours for as long as it is used.
_LOCK = "lock"
# What is younger may be another process's that has made it and not locked it yet.
_FRESH_SECONDS = 10.0
# Where an open file can be neither replaced nor removed, which does for a lock.
_OPEN_IS_HELD = os.name == "nt"


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
        _remove_left(path.parent.absolute())
        handle = tempfile.NamedTemporaryFile(  # noqa: SIM115 - held until the file has its name
            dir=path.parent, prefix=f".{_shown(path.stem)}.{_MARK}", suffix=path.suffix, delete=False
        )
    except OSError as error:
        raise InputError(_unwritable(path, error)) from error
    temporary = Path(handle.name)
    with handle:
        try:
            _held(handle)
            yield temporary
            if _OPEN_IS_HELD:
                handle.close()
            # NamedTemporaryFile makes it private; what we ship is an ordinary file.
            temporary.chmod(0o644)
            temporary.replace(path)
        except OSError as error:
            raise InputError(_unwritable(path, error)) from error
        finally:
            if _OPEN_IS_HELD:
                handle.close()
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch_folder(where: StrPath) -> Iterator[Path]:
    """Yield a new folder inside another for files that go with the block.

    What killed processes left of such folders goes with the next one that is made there.

    Raises:
        InputError: Where the folder cannot be written or the disk is full.
    """
    where = Path(where)
    try:
        where.mkdir(parents=True, exist_ok=True)
        _remove_left(where.absolute())
        folder = Path(tempfile.mkdtemp(dir=where, prefix=f".scratch.{_MARK}"))
        lock = (folder / _LOCK).open("wb")
        # Apart from the lock, so that nothing but the user's own is found there.
        (folder / "files").mkdir()
    except OSError as error:
        raise InputError(_unwritable(where, error)) from error
    try:
        with lock:
            _held(lock)
            yield folder / "files"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _shown(stem: str) -> str:
    """Return as many whole characters of a name as a temporary name has room for."""
    return os.fsencode(stem)[:_SHOWN].decode("utf-8", "ignore")


def _held(handle: IO[Any]) -> bool:
    """Lock an open file until it is closed, which the system does for who is killed; return whether it could be."""
    if _OPEN_IS_HELD:
        return True
    try:
        portalocker.lock(handle, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.LockException:
        # Another process has it, or this file system knows no locks.
        return False
    return True


@functools.cache
def _remove_left(folder: Path) -> None:
    """Remove what processes that were killed left in a folder; once a process, as folders may hold many files."""
    left: list[Path] = []
    # A folder may be such that one writes there and lists nothing.
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        left = [folder / entry.name for entry in entries if _OURS.fullmatch(entry.name)]
    for path in left:
        # What is another user's, or gone by now, is nothing to this run.
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime >= _FRESH_SECONDS:
                _remove_if_left(path)


def _remove_if_left(path: Path) -> None:
    """Remove a file or a folder of ours where nobody holds it; raises OSError where that cannot be told."""
    if not path.is_dir():
        with path.open("r+b") as handle:
            is_left = _held(handle)
            if is_left and not _OPEN_IS_HELD:
                path.unlink()
        if is_left and _OPEN_IS_HELD:
            path.unlink()
        return
    is_left = True
    # Without a lock in it its process was killed as it made the folder.
    with contextlib.suppress(FileNotFoundError), (path / _LOCK).open("r+b") as handle:
        is_left = _held(handle)
    if is_left:
        # First: where an open file cannot be removed, all the rest stays too.
        (path / _LOCK).unlink(missing_ok=True)
        shutil.rmtree(path)


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

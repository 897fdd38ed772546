"""A study's journal in a file: a record is in it whole or not at all, whatever kills the process that writes it.

Optuna's own writer appends behind whatever is there: behind half a record that a kill or a full disk left, the next one
makes a line that nobody can read, and the study is lost. Its lock is a link that outlives its process. Here half a
record is cut off before anything is added, and the lock is the system's, which ends with its holder.
"""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import portalocker
from optuna.storages.journal import BaseJournalBackend, JournalFileBackend

from sr.errors import InputError
from sr.waiting import waiting_for

_POLL_SECONDS, _LONGEST_POLL_SECONDS = 0.001, 0.1
# Read at once from the end of the file, where the last whole record is looked for.
_BLOCK = 1 << 16


class Journal(BaseJournalBackend):
    """What Optuna's JournalStorage reads and writes; made where it is not there.

    Args:
        path: The file. Beside it lies its lock, PATH.lock.

    Raises:
        OSError: Where the file is not there and cannot be made.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._file = JournalFileBackend(path)

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Return the records from a number on; one that is not whole yet, or was torn, is none.

        Raises:
            InputError: Where a line within is no record.
        """
        try:
            yield from self._file.read_logs(log_number_from)
        except ValueError as error:
            raise InputError(
                f"{self._path} is damaged: it holds a line that is no record; take its copy, or name another --out"
            ) from error

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add records, on disk before returning; what a kill tore is cut off before.

        Raises:
            InputError: Where that cannot be, as on a full disk; the file holds what it held before then.
        """
        content = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        try:
            with locked(self._path.with_name(self._path.name + ".lock")), self._path.open("r+b", buffering=0) as file:
                end = _end_of_whole(file)
                try:
                    _write(file, end, content)
                except OSError:
                    # Taking back needs no room.
                    file.truncate(end)
                    raise
        except OSError as error:
            raise InputError(
                f"cannot write {self._path}: {error.strerror or error}; make room, or mend its folder, and go on with "
                f"--resume"
            ) from error


def _end_of_whole(file: IO[bytes]) -> int:
    """Return how many bytes at the beginning of a journal are whole lines."""
    position = file.seek(0, os.SEEK_END)
    if position:
        file.seek(position - 1)
        if file.read(1) == b"\n":
            return position
    while position:
        begin = max(0, position - _BLOCK)
        file.seek(begin)
        newline = file.read(position - begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        position = begin
    return 0


def _write(file: IO[bytes], where: int, content: bytes) -> None:
    """Write all of `content` where the whole lines end; a full disk may take a part of it before it says so."""
    if file.seek(0, os.SEEK_END) > where:
        file.truncate(where)
    file.seek(where)
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]
    os.fsync(file.fileno())


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file alone; what waits for it is told who holds it.

    Raises:
        OSError: Where the file cannot be made.
        InputError: Where the file system has no locks.
    """
    if path.is_symlink():
        # Optuna's own lock, of an earlier version's process that was killed.
        path.unlink(missing_ok=True)
    with path.open("a+", encoding="utf-8") as handle:
        if not _taken(path, handle):
            with waiting_for(f"{path}, which {_holder(path)} holds"):
                seconds = _POLL_SECONDS
                while not _taken(path, handle):
                    time.sleep(seconds)
                    seconds = min(2 * seconds, _LONGEST_POLL_SECONDS)
        try:
            _sign(handle)
            yield
        finally:
            portalocker.unlock(handle)


def _taken(path: Path, handle: IO[str]) -> bool:
    """Take a lock where nobody holds it; return whether it is ours."""
    try:
        portalocker.lock(handle, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return False
    except portalocker.LockException as error:
        raise InputError(
            f"cannot lock {path}: {error.strerror or error}; this file system has no locks: keep the study in a "
            f"database, by --storage"
        ) from error
    return True


def _sign(handle: IO[str]) -> None:
    """Write who holds the lock into it, for those who wait."""
    handle.seek(0)
    text = f"process {os.getpid()} on {socket.gethostname()}"
    # The lock holds without it: on a full disk that is all.
    with contextlib.suppress(OSError):
        if handle.read() != text:
            handle.truncate(0)
            handle.write(text)
            handle.flush()


def _holder(path: Path) -> str:
    """Return who holds a lock, as far as it says so."""
    return path.read_text("utf-8", errors="replace") or "another process"

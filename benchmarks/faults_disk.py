"""A small disk that can be filled."""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SECONDS = 5.0


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Yield a folder on a disk of its own, of so many megabytes; an ordinary one for who may not mount."""
    folder.mkdir()
    is_mounted = os.geteuid() == 0 and _call("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        if is_mounted:
            _call("umount", "-l", str(folder))


def _call(program: str, *arguments: str) -> bool:
    """Call a program of the system; return whether it is there and did what it was to do."""
    path = shutil.which(program)
    return path is not None and subprocess.run([path, *arguments], check=False, capture_output=True).returncode == 0  # noqa: S603


def fill(disk: Path, processes: Sequence[int]) -> str:
    """Fill the small disk for a few seconds; where it is none, refuse the processes longer files as a full one does.

    Returns:
        What was done, in words.
    """
    if os.path.ismount(disk):
        ballast = disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        megabytes = ballast.stat().st_size / 1e6
        time.sleep(SECONDS)
        ballast.unlink()
        return f"the {megabytes:.0f} MB left on it filled for {SECONDS:g} s"
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limits in ((1, unlimited[1]), unlimited):
        for pid in processes:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        time.sleep(SECONDS)
    return f"files limited to 1 byte for {SECONDS:g} s"

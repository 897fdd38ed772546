"""A real PostgreSQL of one's own: on loopback, in a folder, run by an ordinary user, and stopped without a word."""

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sr.errors import InputError

_USER = "paretosr"
# Where a distribution keeps the programs of a server, one folder for each version.
_INSTALLED = Path("/usr/lib/postgresql")
# PostgreSQL refuses to be run by root.
_ORDINARY_USERS = ("postgres", "nobody")


def why_no_database() -> str:
    """Say what is missing for a PostgreSQL; nothing where all is there."""
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed; pip install 'paretosr[cluster]'"
    if _programs() is None:
        return f"no initdb on the PATH or below {_INSTALLED}; install PostgreSQL's server"
    if os.geteuid() == 0 and _ordinary_user() is None:
        return f"it is not run by root, and there is no user {' or '.join(_ORDINARY_USERS)}"
    return ""


def server_version() -> str:
    """Return which PostgreSQL is installed; empty for none."""
    programs = _programs()
    if programs is None:
        return ""
    return subprocess.run(  # noqa: S603 - one of the server's own
        [programs / "initdb", "--version"], capture_output=True, text=True, check=False
    ).stdout.strip()


def _programs() -> Path | None:
    """Return the folder of the server's programs, of the latest version; None for none."""
    found = sorted(_INSTALLED.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    named = shutil.which("initdb")
    if named is not None:
        found.append(Path(named))
    return found[-1].parent if found else None


def _ordinary_user() -> str | None:
    """Return a user who may run the server for root."""
    there = {user.pw_name for user in pwd.getpwall()}
    return next((name for name in _ORDINARY_USERS if name in there), None)


@dataclass(frozen=True)
class Database:
    """A server in a folder; made by `of`."""

    folder: Path
    port: int

    @classmethod
    def of(cls, folder: Path) -> "Database":
        """Make a server in a new folder, not started yet; raises InputError where that fails."""
        folder.mkdir(parents=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if os.geteuid() == 0:
            shutil.chown(folder, _ordinary_user())
        made = cls(folder, port)
        made._call("initdb", "-D", "data", "-A", "trust", "-U", _USER, "-E", "UTF8")
        return made

    @property
    def url(self) -> str:
        """What --storage takes."""
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self._call("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self, *, gently: bool) -> None:
        """Stop it: gently it ends what it does, else as a power cut would."""
        self._call("pg_ctl", "-D", "data", "-w", "-m", "fast" if gently else "immediate", "stop")

    def restart(self) -> None:
        """Stop and start it again, as an update does."""
        self.stop(gently=True)
        self.start()

    def _call(self, program: str, *arguments: str) -> None:
        """Call one of its programs in its folder; raises InputError where that fails."""
        programs = _programs()
        assert programs is not None
        user = _ordinary_user() if os.geteuid() == 0 else None
        log = self.folder / f"{program}.log"
        # A file, not a pipe: the server inherits it and would keep a pipe open.
        with log.open("ab") as output:
            done = subprocess.run(  # noqa: S603 - one of the server's own
                [programs / program, *arguments],
                cwd=self.folder, user=user, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False,
            )  # fmt: skip
        if done.returncode:
            said = log.read_text("utf-8", errors="replace").strip().splitlines()
            raise InputError(f"{program} failed: {said[-1] if said else 'without a word'}; see {self.folder}")

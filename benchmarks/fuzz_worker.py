"""A process that runs one case after another by the commands' own `main`, and watches what they do."""

import contextlib
import hashlib
import importlib
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import Any

from fuzz_case import CRASH, HANG, OUT, Case, Outcome, problem_of

from sr.command import DONE, run

# What the commands load late, so that no case pays for it.
_LOADED = ("torch", "sr.upscaling", "sr.measure.evaluation", "sr.exporting", "nas.pipeline", "nas.report.page",
           "nas.calibration.run", "prune.pipeline", "baselines.official_weights", "baselines.table",
           "sr.quantization.run", "onnxruntime")  # fmt: skip
_MEMORY_BYTES = 6 * 2**30
_STARTS_SECONDS = 120.0
_SETTLES_SECONDS = 1.0
# Which all processes of a user share, and so stay.
_LOCKS = f"tmp/paretosr-{os.getuid()}"
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
# Events of Python that change what lies at a path, and which of their arguments are the path.
_CHANGES = {"os.remove": (0,), "os.rmdir": (0,), "os.mkdir": (0,), "os.rename": (0, 1), "os.link": (1,),
            "os.symlink": (1,), "os.truncate": (0,)}  # fmt: skip
_ROOT = str(Path(__file__).resolve().parents[1])


class Worker:
    """Runs cases in a process of its own, which is killed and replaced where a case takes too long.

    Args:
        context: Makes processes.
        folder: Where it works.
        seconds: That a case may take.
    """

    def __init__(self, context: SpawnContext, folder: Path, seconds: float) -> None:
        self._context, self._folder, self._seconds = context, folder, seconds
        self._process: SpawnProcess | None = None
        self._connection: Any = None
        self._cases = 0

    def outcome(self, case: Case) -> Outcome:
        """Run a case; in a fresh process too where one died of it that had run others before.

        A user's command has a process of its own: what hundreds of others left in one is no fault of the case.
        """
        outcome = self._tried(case)
        if outcome.problem.startswith(CRASH) and self._cases > 1:
            outcome = replace(self._tried(case), is_again=True)
        return outcome

    def _tried(self, case: Case) -> Outcome:
        if self._process is None:
            self._start()
            self._cases = 0
        self._cases += 1
        try:
            self._connection.send(case)
            if self._connection.poll(self._seconds):
                found: Outcome = self._connection.recv()
                return found
        except (EOFError, ConnectionError):
            code = self._stop()
            return Outcome(None, f"{CRASH} ({code})", "", 0.0)
        where = self._where()
        self._stop()
        return Outcome(None, f"{HANG}: {case.command}", where, self._seconds)

    def _start(self) -> None:
        self._connection, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs, self._folder))
        self._process.start()
        theirs.close()
        if not self._connection.poll(_STARTS_SECONDS):
            raise RuntimeError("the process of the cases does not start")
        self._connection.recv()

    def _where(self) -> str:
        """Return what a case that does not end said so far."""
        said = self._folder / "stderr"
        return said.read_text("utf-8", "backslashreplace")[-2000:] if said.is_file() else ""

    def _stop(self) -> int | None:
        """Kill it, where it lives; return its exit code."""
        assert self._process is not None
        # One that died by itself has its own code.
        self._process.join(1.0)
        self._process.kill()
        self._process.join()
        code, self._process = self._process.exitcode, None
        self._connection.close()
        return code

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._stop()


class _Watch:
    """Notes what Python writes, makes and removes outside some folders; a hook of the interpreter cannot be taken away.

    What is named from an open folder, as by who removes a whole tree, is not seen: the folder itself is.
    """

    def __init__(self) -> None:
        self._allowed: tuple[str, ...] = ("/",)
        self._found: set[str] = set()
        sys.addaudithook(self._note)

    def begin(self, *allowed: Path) -> None:
        """Begin anew."""
        self._allowed, self._found = ("/dev/", "/proc/", *(f"{path}/" for path in allowed)), set()

    def end(self) -> frozenset[str]:
        """Return what was changed elsewhere."""
        self._allowed = ("/",)
        return frozenset(self._found)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            if arguments[2] & _WRITES:
                self._note_path(arguments[0])
        elif event in _CHANGES:
            for index in _CHANGES[event]:
                self._note_path(arguments[index], is_new=event == "os.mkdir")

    def _note_path(self, given: object, *, is_new: bool = False) -> None:
        if not isinstance(given, str | bytes | os.PathLike):
            return
        path = os.path.abspath(os.fsdecode(given))  # noqa: PTH100 - a hook that makes no objects
        # A folder that is there is asked for again and again, and stays as it is.
        if not path.startswith(self._allowed) and not (is_new and os.path.lexists(path)):
            self._found.add(path)


def _serve(connection: Connection, folder: Path) -> None:
    """Run the cases that come, until none does."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_BYTES, resource.RLIM_INFINITY))
    home = folder / "home"
    os.environ |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}
    home.mkdir(parents=True, exist_ok=True)
    sys.stdout.reconfigure(encoding="utf-8", errors="strict")  # type: ignore[union-attr] - a file, as it is here
    for name in _LOADED:
        importlib.import_module(name)
    watch = _Watch()
    connection.send("ready")
    while True:
        try:
            case: Case = connection.recv()
        except EOFError:
            return
        connection.send(_outcome(case, folder, watch))


def _outcome(case: Case, folder: Path, watch: _Watch) -> Outcome:
    place = folder / "case"
    # A folder that cannot be removed stays, and its case is told by what it changed.
    shutil.rmtree(place, ignore_errors=True)
    (place / "tmp").mkdir(parents=True)
    case.write(place)
    tempfile.tempdir = str(place / "tmp")
    os.environ["TMPDIR"] = tempfile.tempdir
    before = _snapshot(place)
    os.chdir(place)
    main = importlib.import_module(case.command).main
    began = time.perf_counter()
    raised = ""
    with _captured(folder):
        watch.begin(place, folder / "home")
        try:
            code = run(main, list(case.argv))
        except SystemExit as error:
            code = DONE if error.code is None else error.code if isinstance(error.code, int) else -1
        except BaseException as error:  # noqa: BLE001 - whatever a command raises is what is looked for
            raised, code = _where(error), -1
            traceback.print_exc()
        elsewhere = watch.end()
    seconds = time.perf_counter() - began
    os.chdir(folder)
    said = (folder / "stderr").read_text("utf-8", "backslashreplace")
    after = _snapshot(place)
    if set(after) - set(before):
        # A process that the case started may be about to remove it.
        time.sleep(_SETTLES_SECONDS)
        after = _snapshot(place)
    problem = raised or problem_of(code, said, before, after, elsewhere)
    return Outcome(None if raised else code, problem, f"exit code {code}; it said\n{said[-6000:]}", seconds)


@contextlib.contextmanager
def _captured(folder: Path) -> Iterator[None]:
    """Send what is said, by libraries below Python too, into files."""
    kept = [os.dup(stream) for stream in (1, 2)]
    for stream, name in ((1, "stdout"), (2, "stderr")):
        # A new file: what a case started may still write into its own.
        (folder / name).unlink(missing_ok=True)
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, stream)
        os.close(file)
    try:
        yield
    finally:
        for shown in (sys.stdout, sys.stderr):
            # What could not be written to a stream of UTF-8 was told by its error already.
            with contextlib.suppress(UnicodeError):
                shown.flush()
        for stream, before in zip((1, 2), kept, strict=True):
            os.dup2(before, stream)
            os.close(before)


def _where(error: BaseException) -> str:
    """Return what was raised and by which of our functions, which cases of one cause share."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename.startswith(_ROOT)]
    ours = [each for each in frames if not each.filename.startswith(str(Path(__file__).parent))]
    last = ours[-1] if ours else frames[-1]
    return f"{type(error).__name__} in {Path(last.filename).relative_to(_ROOT)}, {last.name}"


def _snapshot(folder: Path) -> dict[str, str]:
    """Return a digest of everything in a folder by its path, but for what lies in OUT and the locks of devices."""
    found = {}
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if Path(here, name) not in (folder / OUT, folder / _LOCKS)]
        below = os.path.relpath(here, folder)
        for name in names:
            path = Path(here, name)
            # What a process that the case started removes at this moment is not there.
            with contextlib.suppress(FileNotFoundError):
                content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
                found[os.path.normpath(os.path.join(below, name))] = hashlib.sha256(content).hexdigest()  # noqa: PTH118
        found[os.path.normpath(below)] = "a folder"
    return found

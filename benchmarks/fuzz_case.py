"""One input of a command, and what the command made of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sr.command import BAD_INPUT, DONE, NOTHING_MEETS_BUDGET, SOME_FAILED
from sr.files import write_bytes, write_text

# Where a command may write, from the folder that it runs in; all else there has to stay as it is.
OUT = "out"
CODES = (DONE, SOME_FAILED, BAD_INPUT, NOTHING_MEETS_BUDGET)
HANG, CRASH = "does not end", "the process died"


@dataclass(frozen=True)
class Case:
    """What a user might do.

    Attributes:
        kind: Of input, see `fuzz_inputs.KINDS`.
        command: The module of the command.
        argv: What follows it; paths are from the folder that it runs in.
        files: What lies there: contents by their paths.
    """

    kind: str
    command: str
    argv: tuple[str, ...]
    files: Mapping[str, bytes]

    def __repr__(self) -> str:
        """Return it in short: hypothesis shows what fails, and contents of files are long."""
        return f"Case({self.kind!r}, {self.command!r}, {self.argv!r})"

    def write(self, folder: Path) -> None:
        """Write the files into a folder."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def keep(self, folder: Path, said: str) -> None:
        """Keep the case with what was wrong with it."""
        for name, content in self.files.items():
            write_bytes(folder / name, content)
        command = " ".join(["python", "-m", self.command.removesuffix(".__main__"), *map(ascii, self.argv)])
        write_text(folder / "problem.txt", f"{command}\n\n{said}\n".encode("utf-8", "backslashreplace").decode())


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        code: The exit code; None where it did not come to one.
        problem: What is wrong, the same for cases of one cause; empty where nothing is.
        detail: What was said and done.
        seconds: That it took.
        is_again: Whether a process that had run others before died of it, and it is of a fresh one.
    """

    code: int | None
    problem: str = ""
    detail: str = ""
    seconds: float = 0.0
    is_again: bool = False


def problem_of(
    code: int, said: str, before: Mapping[str, str], after: Mapping[str, str], elsewhere: frozenset[str]
) -> str:
    """Return what is wrong with a command that came to its end; empty where nothing is.

    Args:
        code: Its exit code.
        said: On standard error.
        before: A digest of everything outside OUT by its path, before it ran.
        after: The same when it had run.
        elsewhere: What it wrote outside its folder.
    """
    if code not in CODES:
        return f"exit code {code}"
    if "Traceback (most recent call last)" in said:
        return f"a traceback is said: {_plain(said.strip().splitlines()[-1])}"
    if changed := sorted(name for name in before if after.get(name) != before[name]):
        return f"changes {_plain(changed[0])} of the user's"
    if more := sorted(set(after) - set(before)):
        return f"writes {_plain(more[0])} outside {OUT}"
    return f"writes {_plain(min(elsewhere))}" if elsewhere else _problem_of_words(code, said)


def _problem_of_words(code: int, said: str) -> str:
    """Return what is wrong with what a command said with its exit code."""
    lines = said.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    if code == BAD_INPUT and (len(errors) != 1 or lines[-1] != errors[0]):
        return f"exit code {BAD_INPUT} without its one line"
    if code == BAD_INPUT and not errors[0].isprintable():
        return "its line holds what no line can"
    if code == SOME_FAILED and not errors:
        return f"exit code {SOME_FAILED} without a word"
    return ""


def _plain(text: str) -> str:
    """Return a text without what differs between two cases of one cause."""
    return re.sub(r"[0-9a-f]{8,}|\d+|_?[a-z0-9_]{8}(?=\.|$)", "#", text)[:160]

"""What every command shares: its flags, its exit codes, and how it fails."""

import argparse
import itertools
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sr.addresses import without_password
from sr.constraints import AUTO, EXECUTIONS
from sr.data.flags import NOTED, add_pictures, add_recursive
from sr.errors import InputError
from sr.printable import printable
from sr.run_file import RUN_FILE, as_text, read_run
from sr.scale import DEFAULT_SCALE, SCALES
from sr.terminal import be_quiet, say

# The variable that a shell sets which asks for completions; see argcomplete. It holds at which word the command begins.
IS_COMPLETING = "_ARGCOMPLETE"
DONE, SOME_FAILED, BAD_INPUT, NOTHING_MEETS_BUDGET, INTERRUPTED = 0, 1, 2, 3, 130


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and exit code 2, and whose help ends in an example.

    Args:
        prog: How the command is called.
        description: What it does, in a sentence or two.
        example: A call of it.
    """

    # Of the class, for argparse adds --help before there can be one.
    _heading: argparse._ArgumentGroup | None = None

    def __init__(self, *, prog: str, description: str, example: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self._alternatives: tuple[tuple[str, ...], ...] | None = None
        self._completes = IS_COMPLETING in os.environ
        self.add_argument("--quiet", action="store_true", help="show warnings, errors and what came out alone")

    def heading(self, title: str) -> None:
        """Have the flags that are added from now on stand under a heading in the help."""
        self._heading = self.add_argument_group(title)

    def add_argument(self, *args: Any, **kwargs: Any) -> argparse.Action:  # noqa: ANN401 - argparse's interface
        """Add a flag under the last heading, where there was one."""
        if self._heading is None:
            return super().add_argument(*args, **kwargs)
        return self._heading.add_argument(*args, **kwargs)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401
        """Parse, the flags of a --config file first; that --recursive was given is in the paths, and no value.

        Nor is --quiet one, which is of the terminal and of no command.
        """
        if self._completes:
            self._complete()
        argv = list(sys.argv[1:] if args is None else args)
        found, rest = super().parse_known_args([*self._from_file(argv), *argv], namespace)
        if hasattr(found, NOTED):
            delattr(found, NOTED)
        be_quiet(quiet=found.quiet)
        del found.quiet
        return found, rest

    def _complete(self) -> None:
        """Answer the shell that asks how its line may go on, and end the process."""
        import argcomplete

        # It parses the line for that.
        self._completes = False
        argcomplete.autocomplete(self)

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raise InputError instead of printing the usage."""
        raise InputError(f"{message}; see {self.prog} --help")

    def add_shared(self, *names: str, out: str | None = None) -> None:
        """Add those of the flags that commands share: out, data, val, scale, device, execution, seed, json."""
        flags: dict[str, Callable[[], object]] = {
            "out": lambda: self.add_argument("--out", type=Path, metavar="DIR", default=out and Path(out),
                                             help="folder for the results" + (f" (default {out})" if out else "")),
            "data": lambda: add_pictures(self, "--data",
                                         "HR pictures to train on (default: those inside scikit-image)"),
            "val": lambda: add_pictures(self, "--val",
                                        "HR pictures to validate on, HR and LR in a layout of the field, or DIV2K"),
            "scale": lambda: self.add_argument("--scale", type=int, metavar="|".join(map(str, SCALES)),
                                               default=DEFAULT_SCALE, help="how many times as high and wide as LR SR "
                                               f"is (default {DEFAULT_SCALE})"),
            "device": lambda: self.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]|mps",
                                                help="where networks run (default auto: the GPU where there is one, "
                                                "of several the one with the most free memory)"),
            "execution": lambda: self.add_argument("--execution", choices=EXECUTIONS, default=AUTO,
                                                   help="how torch launches a network on a CUDA device: in one graph "
                                                   "or kernel by kernel (default auto: in a graph where it can be)"),
            "seed": lambda: self.add_argument("--seed", type=int, default=0, metavar="N", help="default 0"),
            "json": lambda: self.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here"),
        }  # fmt: skip
        for name in names:
            flags[name]()
        if pictures := [name for name in names if name in ("data", "val")]:
            add_recursive(self, *pictures)

    def add_config(self, *alternatives: tuple[str, ...]) -> None:
        """Add --config, a file of flags as `sr.run_file` writes it; those on the command line stand in their place.

        alternatives: Flags that exclude each other: one on the command line stands in the place of all the others.
        """
        self.add_argument("--config", type=Path, metavar=RUN_FILE,
                          help="flags from this file, such as the one in a run's folder; those given here stand in "
                          "their place")  # fmt: skip
        self._alternatives = alternatives

    def _from_file(self, argv: Sequence[str]) -> list[str]:
        """Return the flags of the file behind --config that are not given in `argv`, as they are typed."""
        if self._alternatives is None:
            return []
        given = self._given(argv)
        path = given.get("--config")
        if not path:
            return []
        # What takes the place of others is given as they are.
        out = {other for flags in self._alternatives if given.keys() & set(flags) for other in flags}
        tokens: list[str] = []
        for name, value in read_run(path).items():
            option, action = f"--{name}", self._action_of(name, path)
            if option in out or any(each in given for each in action.option_strings):
                continue
            tokens += _tokens(option, action, value, path)
        return tokens

    def _given(self, argv: Sequence[str]) -> dict[str, str]:
        """Return the flags in `argv` by their whole names, each with what follows it."""
        found: dict[str, str] = {}
        flags = list(itertools.takewhile(lambda each: each != "--", argv))
        for index, typed in enumerate(flags):
            name, equals, value = typed.partition("=")
            if name in self._option_string_actions:
                whole = [name]
            else:
                whole = [
                    each for each in self._option_string_actions if name.startswith("--") and each.startswith(name)
                ]
            # What is short for several argparse refuses.
            if len(whole) == 1:
                found[whole[0]] = value if equals else "".join(flags[index + 1 : index + 2])
        return found

    def _action_of(self, name: str, path: str) -> argparse.Action:
        """Return what a name in a file stands for; raises InputError where it is nothing of this command."""
        for action in self._actions:
            is_flag = f"--{name}" in action.option_strings
            if (is_flag or (not action.option_strings and action.dest == name)) and name not in ("config", "help"):
                return action
        raise InputError(f"--config {path}: {self.prog} has no {name!r}; see {self.prog} --help")


def _tokens(option: str, action: argparse.Action, value: object, path: str) -> list[str]:
    """Return a value of a file as it is typed; a positional argument that is not given takes it itself."""
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise InputError(f"--config {path}: {option[2:]} is true or false, got {value!r}")
        return [option] if value else []
    text = as_text(value)
    if text is None:
        raise InputError(f"--config {path}: {option[2:]} takes a number, text or a list of them, got {value!r}")
    if action.option_strings:
        return [f"{option}={text}"]
    action.nargs, action.default = "?", text
    return []


def listing(package: str, about: str, commands: Mapping[str, str]) -> str:
    """Return the commands of a package, a line each.

    Args:
        package: Its name.
        about: What it is for, in a sentence.
        commands: What each does by its name in the package.
    """
    width = max(map(len, commands))
    lines = [f"  python -m {package}.{name:{width}}  {what}" for name, what in commands.items()]
    return "\n".join(
        [about, "", "commands:", *lines, "", f"python -m {package}.COMMAND --help tells the flags of each."]
    )


def list_commands(package: str, about: str, commands: Mapping[str, str], argv: Sequence[str] | None) -> int:
    """Say the commands of a package; returns the exit code, and raises InputError where anything else is wanted."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given and given not in (["-h"], ["--help"]):
        meant = given[0] if given[0] in commands else next(iter(commands))
        raise InputError(f"python -m {package} lists commands and takes nothing, got {given[0]!r}; "
                         f"python -m {package}.{meant} runs one")  # fmt: skip
    say(listing(package, about, commands))
    return DONE


def parse_duration(text: str) -> float:
    """Return the seconds of 90, 90s, 10m or 1.5h; raises InputError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if seconds <= 0:
        raise InputError(f"--time-limit is a duration over zero such as 90s, 10m or 1.5h, got {text!r}")
    return seconds


def command_line(module: str, argv: Sequence[str] | None) -> str:
    """Return the command as a user types it, for others to read.

    argv: what follows it, None for that of this process.
    """
    typed = sys.argv[1:] if argv is None else argv
    return shlex.join(["python", "-m", module, *map(without_password, typed)])


def run(main: Callable[[list[str] | None], int], argv: list[str] | None = None) -> int:
    """Run a command's `main` and turn what goes wrong into one line and the exit code that says what it was."""
    try:
        return main(argv)
    except InputError as error:
        say(f"error: {printable(error)}", to_stderr=True)
        return BAD_INPUT
    except OSError as error:
        # A full disk or a vanished folder, wherever it strikes.
        say(printable(f"error: {error.filename or 'the system'}: {error.strerror or error}"), to_stderr=True)
        return BAD_INPUT
    except (MemoryError, RuntimeError) as error:
        # Here, as no command loads torch to answer --help: where this strikes it is loaded.
        from sr.memory import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        say("error: the device has too little memory for this; use smaller sizes, or --device cpu", to_stderr=True)
        return BAD_INPUT
    except KeyboardInterrupt:
        say("interrupted", to_stderr=True)
        return INTERRUPTED

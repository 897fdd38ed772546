"""What every command shares: its flags, its exit codes, and how it fails."""

import argparse
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sr.constraints import AUTO, EXECUTIONS
from sr.data.flags import NOTED, add_pictures, add_recursive
from sr.errors import InputError
from sr.printable import printable
from sr.terminal import say

DONE, SOME_FAILED, BAD_INPUT, NOTHING_MEETS_BUDGET, INTERRUPTED = 0, 1, 2, 3, 130


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and exit code 2, and whose help ends in an example.

    Args:
        prog: How the command is called.
        description: What it does, in a sentence or two.
        example: A call of it.
    """

    def __init__(self, *, prog: str, description: str, example: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401
        """Parse; that --recursive was given is in the paths, and no value of its own."""
        found, rest = super().parse_known_args(args, namespace)
        if hasattr(found, NOTED):
            delattr(found, NOTED)
        return found, rest

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raise InputError instead of printing the usage."""
        raise InputError(f"{message}; see {self.prog} --help")

    def add_shared(self, *names: str, out: str | None = None) -> None:
        """Add those of the flags that commands share: out, data, val, device, execution, seed, json."""
        flags: dict[str, Callable[[], object]] = {
            "out": lambda: self.add_argument("--out", type=Path, metavar="DIR", default=out and Path(out),
                                             help="folder for the results" + (f" (default {out})" if out else "")),
            "data": lambda: add_pictures(self, "--data",
                                         "HR pictures to train on (default: those inside scikit-image)"),
            "val": lambda: add_pictures(self, "--val",
                                        "HR pictures to validate on, HR and LR in a layout of the field, or DIV2K"),
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


def parse_duration(text: str) -> float:
    """Return the seconds of 90, 90s, 10m or 1.5h; raises InputError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if seconds <= 0:
        raise InputError(f"--time-limit is a duration over zero such as 90s, 10m or 1.5h, got {text!r}")
    return seconds


def command_line(module: str, argv: Sequence[str] | None) -> str:
    """Return the command as a user types it; argv: what follows it, None for that of this process."""
    return shlex.join(["python", "-m", module, *(sys.argv[1:] if argv is None else argv)])


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

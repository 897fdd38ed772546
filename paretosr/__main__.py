"""Command: lists the commands of the project, and runs them."""

import argparse
import importlib
import importlib.metadata
import os
import sys

import baselines.__main__
import nas.__main__
import prune.__main__
import sr.__main__
from sr.command import DONE, IS_COMPLETING, run
from sr.errors import InputError
from sr.terminal import say

# The name of each command, its package and its name there.
_NAMES = {
    "search": ("nas", "search"),
    "report": ("nas", "report"),
    "compare": ("nas", "compare"),
    "pick": ("nas", "export"),
    "prune": ("prune", "run"),
    "evaluate": ("sr", "evaluate"),
    "upscale": ("sr", "upscale"),
    "export": ("sr", "export"),
    "quantize": ("sr", "quantize"),
    "calibrate": ("nas", "calibrate"),
    "table": ("baselines", "table"),
    "train": ("baselines", "train"),
    "convert": ("baselines", "convert"),
    "data": ("sr", "data"),
}
# Packages that are commands themselves.
_PACKAGES = ("nas.report", "sr.data")
_ABOUT = {"nas": nas.__main__, "prune": prune.__main__, "sr": sr.__main__, "baselines": baselines.__main__}


def _module(package: str, name: str) -> str:
    """Return the module that a command is."""
    module = f"{package}.{name}"
    return f"{module}.__main__" if module in _PACKAGES else module


# The name of each command, the module that it is, and what it does.
COMMANDS: dict[str, tuple[str, str]] = {
    command: (_module(package, name), _ABOUT[package].COMMANDS[name]) for command, (package, name) in _NAMES.items()
}


def main(argv: list[str] | None = None) -> int:
    """Run the command that is named first, or list all of them; returns the exit code."""
    if IS_COMPLETING in os.environ:
        return _complete()
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        say(usage())
        return DONE
    if name == "--version":
        say(f"paretosr {importlib.metadata.version('paretosr')}")
        return DONE
    if name not in COMMANDS:
        raise InputError(f"a command is one of {', '.join(COMMANDS)}, got {name!r}; see paretosr --help")
    code: int = importlib.import_module(COMMANDS[name][0]).main(rest)
    return code


def _complete() -> int:
    """Answer the shell that asks how its line goes on: by the names of commands, or as the command named there does."""
    import argcomplete
    from argcomplete.lexers import split_line

    _, _, _, words, _ = split_line(os.environ["COMP_LINE"], int(os.environ["COMP_POINT"]))
    begins = int(os.environ[IS_COMPLETING])
    name = next(iter(words[begins:]), None)
    if name in COMMANDS:
        # For that command its own name is where the line begins.
        os.environ[IS_COMPLETING] = str(begins + 1)
        code: int = importlib.import_module(COMMANDS[name][0]).main([])
        return code
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--version", action="store_true")
    argcomplete.autocomplete(parser)
    return DONE


def usage() -> str:
    """Return the list of the commands."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join([
        "usage: paretosr COMMAND ...", "",
        "Find, prune and ship a super-resolution network that meets a runtime budget on your own device.", "",
        "commands:", *lines, "",
        "paretosr COMMAND --help tells the flags of a command; paretosr --version the version.",
        'eval "$(register-python-argcomplete paretosr)" has the shell complete all of them.', "",
        "example:", "  paretosr search --budget-ms 40",
    ])  # fmt: skip


def entry() -> int:
    """Run as a program."""
    return run(main)


if __name__ == "__main__":
    sys.exit(entry())

"""Command: lists the commands of the search."""

import sys

from sr.command import list_commands, run

# What each command does, by its name in this package.
COMMANDS = {
    "search": "find, train and export a network within a runtime budget",
    "report": "show the page of a search, a pruning or a league, or serve it while they go on",
    "compare": "put searches, engines and devices on one page",
    "export": "export any network that a search found",
    "calibrate": "say which cheap score ranks networks as full training does here",
}


def main(argv: list[str] | None = None) -> int:
    """Say the commands, a line each; returns the exit code."""
    return list_commands(
        "nas", "Find a network within a runtime budget, and look at what a search found.", COMMANDS, argv
    )


if __name__ == "__main__":
    sys.exit(run(main))

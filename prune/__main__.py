"""Command: lists the commands of the pruning."""

import sys

from sr.command import list_commands, run

# What each command does, by its name in this package.
COMMANDS = {
    "run": "prune a network until it is as fast as asked",
}


def main(argv: list[str] | None = None) -> int:
    """Say the commands, a line each; returns the exit code."""
    return list_commands("prune", "Make a network that you have faster or smaller.", COMMANDS, argv)


if __name__ == "__main__":
    sys.exit(run(main))

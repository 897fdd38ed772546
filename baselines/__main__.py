"""Command: lists the commands for the hand-designed networks of the field."""

import sys

from sr.command import list_commands, run

# What each command does, by its name in this package.
COMMANDS = {
    "table": "measure the hand-designed networks of the field on this device",
    "train": "train a hand-designed network by its paper's recipe",
    "convert": "turn official weights of a hand-designed network into a checkpoint",
}


def main(argv: list[str] | None = None) -> int:
    """Say the commands, a line each; returns the exit code."""
    return list_commands("baselines", "The hand-designed networks of the field.", COMMANDS, argv)


if __name__ == "__main__":
    sys.exit(run(main))

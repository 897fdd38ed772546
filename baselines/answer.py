"""A flag that answers and ends the command, as --help does: what takes PyTorch to know is no part of the help."""

import argparse
from collections.abc import Callable
from typing import cast


class Answer(argparse.Action):
    """Calls its `const` where the flag is met, before anything else is missed, and exits with 0."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Answer and exit."""
        cast("Callable[[], None]", self.const)()
        parser.exit()

"""A flag that answers and ends the command, as --help does: what takes PyTorch to know is no part of the help."""

import argparse
from collections.abc import Callable
from typing import cast


class Answer(argparse.Action):
    """Calls its `const` where the flag is met, before anything else is missed, and exits with 0.

    `const` is given the values of the flags before it, and the defaults of the others.
    """

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object) -> None:
        """Answer and exit."""
        cast("Callable[[argparse.Namespace], None]", self.const)(namespace)
        parser.exit()

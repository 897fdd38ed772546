"""The flags that say where pictures are: given once or often, with commas, and --recursive for the folders below."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sr.data.places import Place, joined, places

# Where the namespace notes that the flag was given; `sr.command.Parser` takes it away again, for it is in the paths.
NOTED = "_recursive"


def add_pictures(parser: argparse.ArgumentParser, flag: str, about: str) -> None:
    """Add a flag for pictures; its value is one path that `sr.data.places.places` takes apart, None without it.

    Args:
        parser: Of the command.
        flag: Its name, with the dashes.
        about: What the pictures are for; how they may be given is added to it.
    """
    parser.add_argument(
        flag, action=_Pictures, metavar="DIR",
        help=f"{about}; several with commas, or the flag again; a list of HR in a text file",
    )  # fmt: skip


def add_recursive(parser: argparse.ArgumentParser, *dests: str) -> None:
    """Add --recursive, which gives the folders of the flags `dests` with all that lie below them."""
    parser.add_argument(
        "--recursive", dest=NOTED, action=_Recursive, nargs=0, default=False, const=dests,
        help="take pictures from the folders below as well",
    )  # fmt: skip


class _Pictures(argparse.Action):
    """Adds what is given to what was given before."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's interface
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        before = getattr(namespace, self.dest)
        given = Path(str(values)) if before is None else Path(f"{before},{values}")
        setattr(namespace, self.dest, _as_trees(given) if getattr(namespace, NOTED, False) else given)


class _Recursive(argparse.Action):
    """Makes trees of the folders given before and, by the flag that it leaves, of those that follow."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's interface
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,  # noqa: ARG002
        option_string: str | None = None,  # noqa: ARG002
    ) -> None:
        setattr(namespace, self.dest, True)
        for dest in self.const:
            before = getattr(namespace, dest, None)
            if before is not None:
                setattr(namespace, dest, _as_trees(before))


def _as_trees(given: Path) -> Path:
    """Return places with every folder as DIR/**."""
    return joined([Place(place.path, recursive=place.path.is_dir()) for place in places(given)])

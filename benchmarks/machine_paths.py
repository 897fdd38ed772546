"""What benchmarks write down: commands and what was said, without the folders of the machine that they ran on."""

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_INSTALLED = re.compile(r"/[^\s\"',:;=]*/(?:site|dist)-packages/")
# Not what follows a word, as in and/or, nor the address of a URL.
_ABSOLUTE = re.compile(r"(?<![\w.:/-])/(?:[^\s\"'`,:;=()\[\]<>/]+/)*([^\s\"'`,:;=()\[\]<>/]+)")


def shown_command(name: str, argv: Sequence[str] | None = None) -> str:
    """Return how a benchmark was called, absolute paths by their last name.

    Args:
        name: Of its file.
        argv: What follows; None for what this process was called with.
    """
    given = [_shortened(each) for each in (sys.argv[1:] if argv is None else argv)]
    return shlex.join(["python", f"benchmarks/{name}", *given])


def without_folders(text: str) -> str:
    """Return a text with the files of this repository as seen from it, and all others by their last name."""
    text = _INSTALLED.sub("", text.replace(f"{_ROOT}/", ""))
    return _ABSOLUTE.sub(r"\1", text)


def _shortened(argument: str) -> str:
    """Return an argument, of which each of several paths may be absolute, as in --data=/a,/b."""
    parts = re.split("([=,])", argument)
    return "".join(Path(each).name if each.startswith("/") else each for each in parts)

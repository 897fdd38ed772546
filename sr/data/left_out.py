"""What of the pictures given is not used, and why: counted, named, and said in one line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sr.printable import printable

# So many names stand for the rest of their reason; a manifest lists all.
SHOWN_NAMES = 3


@dataclass(frozen=True)
class LeftOut:
    """A file that is not used, or a folder of which none is.

    Attributes:
        path: The file or the folder.
        reason: Why, in words that follow a number: "3 too small ...".
        detail: What is so of this one, such as its size; empty where the reason says all.
        count: How many pictures it stands for.
    """

    path: Path
    reason: str
    detail: str = ""
    count: int = 1


def summary(left_out: Sequence[LeftOut]) -> str:
    """Return the line that counts and names what is left out, reason by reason; empty where nothing is."""
    reasons: dict[str, list[LeftOut]] = {}
    for each in left_out:
        reasons.setdefault(each.reason, []).append(each)
    parts = [f"{_total(each)} {reason} ({_names(each)})" for reason, each in reasons.items()]
    return f"left out {_total(left_out)}: {', '.join(parts)}" if parts else ""


def _total(left_out: Iterable[LeftOut]) -> int:
    return sum(each.count for each in left_out)


def _names(left_out: Sequence[LeftOut]) -> str:
    """Return the first few names, by their paths where two files have the same."""
    shown = left_out[:SHOWN_NAMES]
    unique = len({each.path.name for each in shown}) == len(shown)
    names = [
        printable(f"{each.path.name if unique else each.path}{': ' if each.detail else ''}{each.detail}")
        for each in shown
    ]
    return ", ".join(names + ["..."] * (len(left_out) > SHOWN_NAMES))

"""Which checkpoint of a search's folder is meant."""

import csv
from pathlib import Path

from nas.training.rung_training import weights_path
from sr.errors import InputError

CHOSEN = "chosen"


def checkpoint_of(folder: Path, pick: str) -> Path:
    """Return the checkpoint of a network that a search found.

    Args:
        folder: Of the search.
        pick: `chosen`, the number of a trial, or the key of an architecture, as `trials.csv` has them.

    Raises:
        InputError: Where there is no such network, or it has no weights.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of a search; name its --out")
    if pick == CHOSEN:
        path = folder / CHOSEN / "network.pth"
        if not path.is_file():
            raise InputError(f"{folder} has no chosen network (yet); --pick a trial, or let the search come to its end")
        return path
    keys = _keys(folder / "trials.csv")
    key = keys.get(pick, pick if pick in keys.values() else "")
    path = weights_path(folder / "candidates", key)
    if not path.is_file():
        raise InputError(
            f"{folder} keeps no weights of {pick!r}: it is not in trials.csv, was not trained, or was so poor that "
            f"they were removed"
        )
    return path


def _keys(table: Path) -> dict[str, str]:
    """Return the key of every trial by its number; nothing where there is no table."""
    try:
        with table.open(encoding="utf-8", newline="") as file:
            return {row["number"]: row["key"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return {}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} is no table of a search's trials: {error}") from error

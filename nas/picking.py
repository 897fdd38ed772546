"""Which network of a search is meant: its checkpoint, and what the search measured of it."""

import csv
from pathlib import Path
from typing import Any

from nas.optuna_backend.stored import recorded
from nas.report.run import JOURNAL
from nas.training.rung_training import weights_path
from nas.trial import Trial
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


def figures_of(folder: Path, pick: str, storage: str | None = None) -> dict[str, Any] | None:
    """Return what the record of a search says of a candidate, as the card of its export takes it.

    Args:
        folder: Of the search.
        pick: As for `checkpoint_of`.
        storage: Where its study is kept; None for the journal in the folder.

    Returns:
        JSON values as `measurement.json` has them; None for the chosen network, beside which that lies, and where the
        record is not here or does not hold the candidate.

    Raises:
        InputError: Where the record cannot be read.
    """
    if pick == CHOSEN or (storage is None and not (folder / JOURNAL).is_file()):
        return None
    _, trials = recorded(storage or str(folder / JOURNAL))
    found = [each for each in trials if pick in (str(each.number), each.architecture.key) and each.state == "trained"]
    return _figures(found[0]) if found else None


def _figures(trial: Trial) -> dict[str, Any]:
    """Return the measurement of a trained candidate, its quality that of the weights that it kept."""
    assert trial.measurement is not None
    assert trial.measurement.quality is not None
    values, first = trial.measurement.to_json(), trial.measurement.quality
    judged_on = f"the centres of {first.pictures} validation pictures"
    if trial.rungs:
        judged_on += f" after a short training of {trial.rungs[-1].steps:,} steps"
    if len(trial.rungs) > 1:
        # Later rungs are judged over RGB alone.
        values["quality"] = {"psnr": trial.last_psnr, "psnr_y": None, "ssim": None, "pictures": first.pictures}
    return values | {"judged_on": judged_on}


def _keys(table: Path) -> dict[str, str]:
    """Return the key of every trial by its number; nothing where there is no table."""
    try:
        with table.open(encoding="utf-8", newline="") as file:
            return {row["number"]: row["key"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return {}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} is no table of a search's trials: {error}") from error

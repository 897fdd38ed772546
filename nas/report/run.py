"""A search as its page shows it: while it goes on, and after it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from nas.optuna_backend.stored import recorded
from nas.optuna_backend.times import TrialTimes, trial_times
from nas.report.ending import Ending, read_ending
from nas.settings import setting
from nas.trial import Trial, front_of, trained_once
from sr.addresses import without_password
from sr.errors import InputError
from sr.measure.target import Conditions
from sr.report.live import NotYetError
from sr.report.samples import FOLDER, LISTED, Sample, read_samples

JOURNAL = "study.journal"
# How the search was asked for: there before anything else of it is.
_COMMAND = "command.txt"


@dataclass(frozen=True, eq=False)
class Run:
    """A search.

    Attributes:
        folder: Where its results lie.
        settings: Of its study.
        trials: By number.
        ending: What it came to; None while it goes on, and where nothing was within the budget.
        command: How it was asked for; empty where that was not kept.
        worked_on: When candidates were.
        samples: Crops of pictures, nothing where none were kept.
    """

    folder: Path
    settings: Mapping[str, Any]
    trials: tuple[Trial, ...]
    ending: Ending | None
    command: str = ""
    worked_on: TrialTimes = field(default_factory=TrialTimes)
    samples: tuple[Sample, ...] = ()

    @property
    def budget_ms(self) -> float:
        """What nine runs of ten were to keep to."""
        return float(self.settings["budget_ms"])

    @property
    def scale(self) -> int:
        """How many times as high and wide the pictures become."""
        return int(setting(self.settings, "scale"))

    @property
    def conditions(self) -> Conditions:
        """What its runtimes are of."""
        values = self.settings["conditions"]
        return Conditions(**{**values, "lr_size": tuple(values["lr_size"])})

    @cached_property
    def measured(self) -> list[Trial]:
        """The measured candidates, each network once, by number."""
        once = [each for each in self.trials if each.measurement is not None and each.duplicate_of is None]
        return sorted(once, key=lambda each: each.number)

    @cached_property
    def trained(self) -> list[Trial]:
        """The trained candidates, each network once, by number."""
        return sorted(trained_once(self.trials), key=lambda each: each.number)

    @cached_property
    def front(self) -> list[Trial]:
        """The trained candidates that none dominates in PSNR, runtime and activations, best PSNR first."""
        return front_of(self.trials)

    @property
    def is_going_on(self) -> bool:
        """Whether it has not come to an end, as far as the record tells."""
        return self.settings.get("phase") != "done"


def run_of(
    folder: Path, settings: Mapping[str, Any], trials: Sequence[Trial], storage: str, study: str | None = None
) -> Run:
    """Return a search by its record and what lies in its folder.

    Args:
        folder: Of the search.
        settings: Of its study.
        trials: All that are told.
        storage: Where the study is kept.
        study: Its name; None for the only one.

    Raises:
        InputError: Where a file is not what a search leaves.
    """
    times = trial_times(storage, study)
    command = folder / _COMMAND
    said = command.read_text(encoding="utf-8", errors="replace").strip() if command.is_file() else ""
    samples = tuple(read_samples(folder / FOLDER))
    found = Run(folder, settings, tuple(trials), read_ending(folder, settings), said, times, samples)
    try:
        _ = found.conditions, found.budget_ms, found.scale
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{without_password(storage)} holds settings that are none of a search: {error}; take its copy"
        ) from error
    return found


def load_run(folder: Path, storage: str | None = None) -> Run:
    """Return the search in a folder, finished or not.

    Args:
        folder: Of the search.
        storage: Where its study is kept; None for the journal in the folder.

    Raises:
        NotYetError: Where it has only begun.
        InputError: Where there is none.
    """
    if not folder.is_dir():
        raise InputError(f"no folder at {folder}; name the folder of a search")
    place = storage or str(folder / JOURNAL)
    command = folder / _COMMAND
    if storage is None and not (folder / JOURNAL).is_file() and command.is_file():
        raise NotYetError(
            f"the search in {folder} has only begun, or keeps its record in a database; look again in a minute, or "
            f"give the --storage that {command} names"
        )
    settings, trials = recorded(place)
    if "conditions" not in settings:
        raise NotYetError(f"the search in {folder} has only begun and measured nothing yet; look again in a minute")
    return run_of(folder, settings, trials, place)


def stamp_of(folder: Path, storage: str | None = None) -> str:
    """Return what changes whenever a search's record or its ending does.

    Of a database nothing tells without reading it: its stamp changes every half minute.
    """
    if storage is not None and "://" in storage:
        return str(int(datetime.now(UTC).timestamp()) // 30)
    watched = (Path(storage) if storage else folder / JOURNAL, folder / "chosen" / "measurement.json",
               folder / "ending.json", folder / FOLDER / LISTED)  # fmt: skip
    return " ".join(str(each.stat().st_mtime_ns) if each.is_file() else "-" for each in watched)

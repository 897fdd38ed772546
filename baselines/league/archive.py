"""A league as a file: all of its figures, how they came about, and nothing of the folders of the machine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.league.record import Result
from baselines.league.standings import Standings
from sr.errors import InputError
from sr.measure.measurement import of_json


@dataclass(frozen=True)
class Archive:
    """What a file holds.

    Attributes:
        standings: All networks.
        command: That which it was held by.
        recipe: Of every training; rates and seeds aside.
        rates: Learning rates that each network chose from.
        share: It chose by trainings of one in so many of the steps.
        pictures: How many there were to train on.
        date: When the file was written, in the ISO's form.
        python: Its version.
        torch: Its version where the file was written; what trained them is said with each training.
    """

    standings: Standings
    command: str
    recipe: Mapping[str, Any]
    rates: tuple[float, ...]
    share: int
    pictures: int
    date: str
    python: str
    torch: str

    @property
    def trainings(self) -> list[Result]:
        """The results of all trainings; one network under two titles was trained once."""
        found: list[Result] = []
        for standing in self.standings.standings:
            found += [each for each in standing.results if each not in found]
        return found

    def to_json(self) -> dict[str, Any]:
        """Return JSON values from which `from_json` makes an equal one."""
        return self.standings.to_json() | {
            "recipe": dict(self.recipe),
            "rates": list(self.rates),
            "share": self.share,
            "pictures": self.pictures,
            "command": self.command,
            "date": self.date,
            "python": self.python,
            "torch": self.torch,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Archive":
        """Make what `to_json` described; raises KeyError or TypeError for anything else."""
        made = cls(
            standings=Standings.from_json(values),
            command=values["command"],
            recipe=values["recipe"],
            rates=tuple(values["rates"]),
            share=values["share"],
            pictures=values["pictures"],
            date=values["date"],
            python=values["python"],
            torch=values["torch"],
        )
        return of_json(made)


def read_archive(path: Path) -> Archive:
    """Return what a file of a league holds; raises InputError where there is none or it is something else."""
    try:
        return Archive.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is no file that benchmarks/league.py --json wrote: {type(error).__name__}: {error}"
        ) from error

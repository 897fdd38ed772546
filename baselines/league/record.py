"""What became of each training, a file each, named by all that it depends on: the same command goes on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from baselines.league.entries import Entry
from baselines.league.setup import SHARE, Setup
from sr.errors import InputError
from sr.files import write_json
from sr.measure.quality import Quality

# What differs between trainings of one lineage, or says nothing of their outcome.
_ITS_OWN = ("steps", "seed", "learning_rate", "memory_format")


@dataclass(frozen=True)
class Result:
    """What a training came to.

    Attributes:
        steps: How many there were.
        seed: What its first weights and its patches are drawn from.
        learning_rate: The highest one.
        seconds: How long the steps took.
        quality: Of the deployed network, by the name of the validation pictures; nothing where the training failed.
        unsolved: Why its last convolution was not solved for; else empty.
        failure: Why the training failed; else empty.
        trained_on: The device and PyTorch's version; empty in files that are older than this.
    """

    steps: int
    seed: int
    learning_rate: float
    seconds: float
    quality: Mapping[str, Quality] = field(default_factory=dict)
    unsolved: str = ""
    failure: str = ""
    trained_on: str = ""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Result":
        """Make the result whose fields these are; raises TypeError or KeyError for anything else."""
        quality = {name: Quality(**each) for name, each in values["quality"].items()}
        return cls(**{**values, "quality": quality})


def lineage(entry: Entry, setup: Setup) -> str:
    """Return what all trainings of an entry share, whatever their seed and length, as a name.

    It changes with the network and its code, the recipe, the learning rates and how they are chosen, and the pictures,
    not with the device: what a GPU has trained stands beside runtimes of any other.
    """
    recipe = {name: value for name, value in asdict(setup.recipe).items() if name not in _ITS_OWN}
    parts = [entry.identity, recipe, list(setup.rates), SHARE, list(setup.train.names)]
    return digest(parts)


def digest(value: Any) -> str:  # noqa: ANN401 - anything JSON can hold
    """Return a name for JSON values that no others share."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def path_of(entry: Entry, steps: int, seed: int, setup: Setup) -> Path:
    """Return the file of a training's result; its checkpoint and its state lie beside it."""
    return setup.folder / "trainings" / lineage(entry, setup) / f"{steps}-{seed}.json"


def read_result(path: Path) -> Result | None:
    """Return the result in a file, None where there is none; raises InputError where it is something else."""
    values = read(path)
    try:
        return None if values is None else Result.from_json(values["result"])
    except (TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is no result of a training; remove it, and it is trained again") from error


def write_result(path: Path, entry: Entry, result: Result) -> None:
    """Write a result with what it is of, for people."""
    about = {"title": entry.title, "family": entry.description.family, "config": dict(entry.description.config)}
    write_json(path, about | {"result": asdict(result)})


def results_of(entry: Entry, setup: Setup) -> list[Result]:
    """Return the results of an entry's trainings of every length and seed, the shortest first."""
    found = [read_result(path) for path in (setup.folder / "trainings" / lineage(entry, setup)).glob("*.json")]
    return sorted((each for each in found if each is not None), key=lambda each: (each.steps, each.seed))


def read(path: Path) -> Any:  # noqa: ANN401 - anything JSON can hold
    """Return the JSON values in a file, None where there is no file; raises InputError where it holds none."""
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not what an earlier run left there; remove it, it is made anew") from error

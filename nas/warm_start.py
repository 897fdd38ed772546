"""A search that begins with what an earlier one of the same conditions found out."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nas.evaluate import Setup
from nas.optuna_backend.stored import recorded
from nas.settings import setting
from nas.study import Study
from nas.training.rung_training import weights_path
from nas.trial import Trial
from search_spaces.space import SearchSpace
from sr.errors import InputError
from sr.files import replacing
from sr.training.recipe import Recipe

# How it proposes need not be the same.
_MAY_DIFFER = "sampler"


def earlier_recipe(run: Path, setup: Setup) -> Recipe:
    """Return the recipe of the earlier search with the steps that are asked for now; see `take_trials`."""
    settings, _ = recorded(str(run / "study.journal"))
    was = Recipe(**settings["recipe"])
    return replace(setup.recipe, precision=was.precision, memory_format=was.memory_format)


def check_same(run: Path, settings: Mapping[str, Any]) -> None:
    """Raise InputError where an earlier search was of other conditions than these settings of a new one."""
    was, _ = recorded(str(run / "study.journal"))
    for name, value in settings.items():
        earlier = setting(was, name)
        if name != _MAY_DIFFER and earlier != value:
            raise InputError(
                f"--warm-start takes a search of the same conditions, but the {name} of {run} was {earlier} and is now "
                f"{value}; give the same flags"
            )


def take_trials(run: Path, study: Study, space: SearchSpace, weights: Path) -> int:
    """Tell a new study the trials of an earlier search, and copy the weights that its candidates left.

    Where it was killed in between it goes on: what was told stands first in the study, in the same order.

    Args:
        run: The folder of the earlier search.
        study: The new one, which holds nothing else.
        space: That of both.
        weights: The new search's folder of weights.

    Returns:
        How many trials were taken; those that were put off are left out.

    Raises:
        InputError: Where the folder holds no search.
    """
    _, trials = recorded(str(run / "study.journal"))
    weights.mkdir(parents=True, exist_ok=True)
    numbers, before = dict[int, int](), iter(study.trials)
    for trial in trials:
        if trial.state in ("trained", "infeasible") and (trial.duplicate_of is None or trial.duplicate_of in numbers):
            told = next(before, None)
            numbers[trial.number] = _retold(trial, numbers, study, space) if told is None else told.number
            path = weights_path(run / "candidates", trial.architecture.key)
            if path.is_file():
                with replacing(weights / path.name) as temporary:
                    shutil.copyfile(path, temporary)
    return len(numbers)


def _retold(trial: Trial, numbers: Mapping[int, int], study: Study, space: SearchSpace) -> int:
    """Tell a study a trial of another one; return its number there."""
    number, architecture = study.ask(lambda *_: space.encode(trial.architecture))
    original = None if trial.duplicate_of is None else numbers[trial.duplicate_of]
    study.tell(replace(trial, number=number, architecture=architecture, duplicate_of=original, seconds=0.0))
    return number

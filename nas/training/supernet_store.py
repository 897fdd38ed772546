"""The supernet of a search: trained once for what is within the budget, and loaded by a search that goes on."""

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from nas.evaluate import Setup
from nas.remembered import remembered
from nas.training.population import Population, affordable
from nas.training.sandwich import Sandwich
from nas.training.supernet import train, untrained
from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet
from sr.errors import InputError
from sr.progress import Message, Report, no_report
from sr.tensors import read_tensors, write_tensors
from sr.training.autotune import autotune, seconds_per_step
from sr.training.recipe import Recipe

# Proposals that its population is chosen from.
_DRAWS = 400
# Without a time limit: so many times the steps of a candidate.
_STEPS_TIMES = 4
_FEWEST_STEPS, _PLANNING_STEPS = 20, 10


def train_or_load_supernet(
    space: SearchSpace,
    setup: Setup,
    allowed: Callable[[Architecture], bool],
    seconds: float,
    out: Path,
    report: Report = no_report,
) -> Supernet:
    """Return the supernet of what is allowed, trained for so many seconds or, where that is infinite, by the steps.

    It lies in `out`/supernet.pth then; a killed training goes on. Raises InputError where that is of another space.
    """
    population = remembered_population(space, allowed, setup.recipe.seed, out / "supernet.population.json")
    supernet = untrained(space, population, setup.recipe.seed)
    path = out / "supernet.pth"
    if path.exists():
        return _read(path, supernet)
    recipe = remembered_recipe(supernet, population, setup, seconds, out / "supernet.recipe.json")
    size = f"{population.num_feat_most} features, {population.positions} positions"
    report(Message(f"supernet: {size}, {recipe.steps:,} steps"))
    state = out / "supernet.state"
    supernet = train(supernet, population, recipe, setup.train, setup.target.device, state=state, report=report)
    write_tensors(path, supernet.state_dict())
    state.unlink(missing_ok=True)
    return supernet


def remembered_population(
    space: SearchSpace, allowed: Callable[[Architecture], bool], seed: int, path: Path
) -> Population:
    """Return what is allowed of a space, as it was when `path` was written; raises InputError for a broken file."""

    def accepted() -> list[str]:
        keys: list[str] = []

        def accepts(architecture: Architecture) -> bool:
            if allowed(architecture):
                keys.append(architecture.key)
                return True
            return False

        affordable(space, accepts, seed, _DRAWS)
        return keys

    keys = set(remembered(path, accepted))
    return affordable(space, lambda architecture: architecture.key in keys, seed, _DRAWS)


def remembered_recipe(supernet: Supernet, population: Population, setup: Setup, seconds: float, path: Path) -> Recipe:
    """Return how a supernet is trained in about so many seconds, as it was found out when `path` was written.

    Raises InputError for a broken file.
    """
    return Recipe(**remembered(path, lambda: asdict(_planned(supernet, population, setup, seconds))))


def _planned(supernet: Supernet, population: Population, setup: Setup, seconds: float) -> Recipe:
    """Return how a supernet is trained in about so many seconds on this device."""
    # A teacher of its own distils into it already, and no last layer is that of all its networks.
    plain = replace(setup.recipe, distillation=0.0, solve_output=False)
    if math.isinf(seconds):
        return replace(plain, steps=_STEPS_TIMES * plain.steps)
    sandwich = Sandwich(supernet, population, seed=plain.seed)
    autotuned = autotune(sandwich, plain, setup.train, setup.target.device)
    step = seconds_per_step(sandwich, autotuned, setup.train, setup.target.device, steps=_PLANNING_STEPS)
    return replace(autotuned, steps=max(_FEWEST_STEPS, int(seconds / step)))


def _read(path: Path, supernet: Supernet) -> Supernet:
    """Read the weights of an earlier run; raises InputError where they are of another supernet."""
    try:
        supernet.load_state_dict(read_tensors(path))
    except Exception as error:
        raise InputError(f"{path} is not the supernet of this search; remove it to train one") from error
    return supernet.eval()

"""The supernet of a search: trained once for what is within the budget, and read by a search that goes on."""

import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from nas.evaluate import Setup
from nas.supernet import Population, Sandwich, affordable, train, untrained
from search_spaces.architecture import Architecture
from search_spaces.space import SearchSpace
from search_spaces.supernet import Supernet
from sr.command import say
from sr.errors import InputError
from sr.files import write_bytes, write_json
from sr.recipe import Recipe
from sr.settling import seconds_per_step, settle

# Proposals that its population is chosen from.
DRAWS = 400
# Without a time limit: so many times the steps of a candidate.
STEPS_TIMES = 4
FEWEST_STEPS, PLANNING_STEPS = 20, 10


def raised(
    space: SearchSpace, setup: Setup, allowed: Callable[[Architecture], bool], seconds: float, out: Path
) -> Supernet:
    """Return the supernet of what is allowed, trained for so many seconds or, where that is infinite, by the steps.

    It lies in `out`/supernet.pth then; a killed training goes on. Raises InputError where that is of another space.
    """
    population = population_of(space, allowed, setup.recipe.seed, out / "supernet.population.json")
    supernet = untrained(space, population, setup.recipe.seed)
    path = out / "supernet.pth"
    if path.exists():
        return read(path, supernet)
    recipe = recipe_of(supernet, population, setup, seconds, out / "supernet.recipe.json")
    say(f"supernet: {population.num_feat_most} features, {population.positions} positions, {recipe.steps:,} steps")
    state = out / "supernet.state"
    supernet = train(supernet, population, recipe, setup.train, setup.device, state=state)
    buffer = io.BytesIO()
    torch.save(supernet.state_dict(), buffer)
    write_bytes(path, buffer.getvalue())
    state.unlink(missing_ok=True)
    return supernet


def population_of(space: SearchSpace, allowed: Callable[[Architecture], bool], seed: int, path: Path) -> Population:
    """Return what is allowed of a space, as it was when `path` was written; raises InputError for a broken file."""

    def accepted() -> list[str]:
        keys: list[str] = []

        def accepts(architecture: Architecture) -> bool:
            if allowed(architecture):
                keys.append(architecture.key)
                return True
            return False

        affordable(space, accepts, seed, DRAWS)
        return keys

    keys = set(found_once(path, accepted))
    return affordable(space, lambda architecture: architecture.key in keys, seed, DRAWS)


def recipe_of(supernet: Supernet, population: Population, setup: Setup, seconds: float, path: Path) -> Recipe:
    """Return how a supernet is trained in about so many seconds, as it was found out when `path` was written.

    Raises InputError for a broken file.
    """
    return Recipe(**found_once(path, lambda: asdict(planned(supernet, population, setup, seconds))))


def found_once(path: Path, find: Callable[[], Any]) -> Any:  # noqa: ANN401 - anything JSON can hold
    """Return the JSON values that were found when `path` was written: a device that is asked again answers otherwise.

    A training that goes on must be the one that was begun. Raises InputError for a file that holds none.
    """
    if not path.exists():
        write_json(path, find())
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not what an earlier run left there; remove it, or name another --out") from error


def planned(supernet: Supernet, population: Population, setup: Setup, seconds: float) -> Recipe:
    """Return how a supernet is trained in about so many seconds on this device."""
    # A teacher of its own distils into it already, and no last layer is that of all its networks.
    plain = replace(setup.recipe, distillation=0.0, solve_output=False)
    if math.isinf(seconds):
        return replace(plain, steps=STEPS_TIMES * plain.steps)
    sandwich = Sandwich(supernet, population, seed=plain.seed)
    settled = settle(sandwich, plain, setup.train, setup.device)
    step = seconds_per_step(sandwich, settled, setup.train, setup.device, steps=PLANNING_STEPS)
    return replace(settled, steps=max(FEWEST_STEPS, int(seconds / step)))


def read(path: Path, supernet: Supernet) -> Supernet:
    """Read the weights of an earlier run; raises InputError where they are of another supernet."""
    try:
        supernet.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        raise InputError(f"{path} is not the supernet of this search; remove it to train one") from error
    return supernet.eval()

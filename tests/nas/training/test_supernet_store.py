"""The supernet of a search: trained once, and the same one when the search goes on."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas.evaluate import Setup
from nas.samplers.protocol import accept_all
from nas.training.population import affordable
from nas.training.supernet_store import remembered_population, remembered_recipe, train_or_load_supernet
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET_SPACE
from search_spaces.supernet import Supernet
from sr.errors import InputError
from sr.progress import Event, Message, Step

SPACE = replace(
    MSRRESNET_SPACE, name="small", kinds=("branched_conv", "idle"), num_feat=(8, 12), positions=2,
    upsampler=("one_step",), image_skip=("nearest",), aggregation=("none",), seeds=(),
)  # fmt: skip


def narrow(architecture: Architecture) -> bool:
    return architecture.num_feat == 8


def equal(first: Supernet, second: Supernet) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def supernet(setup: Setup, tmp_path: Path) -> Supernet:
    return train_or_load_supernet(SPACE, setup, narrow, math.inf, tmp_path)


def test_supernet_holds_what_is_allowed_and_lies_in_its_file(supernet: Supernet, tmp_path: Path) -> None:
    assert (supernet.num_feat, supernet.positions, supernet.training) == (8, 2, False)
    assert {path.name for path in tmp_path.iterdir()} == {
        "supernet.pth", "supernet.population.json", "supernet.recipe.json",
    }  # fmt: skip


def test_search_that_goes_on_reads_the_supernet(setup: Setup, supernet: Supernet, tmp_path: Path) -> None:
    # Even where the device would now allow other networks.
    again = train_or_load_supernet(SPACE, setup, accept_all, math.inf, tmp_path)
    assert equal(again, supernet)
    assert not again.training


@pytest.mark.numeric
def test_killed_training_goes_on_as_it_was_begun(setup: Setup, supernet: Supernet, tmp_path: Path) -> None:
    (tmp_path / "supernet.pth").unlink()
    # With another time limit it is still the same training.
    assert equal(train_or_load_supernet(SPACE, setup, accept_all, 1e-6, tmp_path), supernet)


@pytest.mark.numeric
def test_equal_seeds_give_equal_supernets_and_others_do_not(setup: Setup, supernet: Supernet, tmp_path: Path) -> None:
    assert equal(train_or_load_supernet(SPACE, setup, narrow, math.inf, tmp_path / "beside"), supernet)
    other = replace(setup, recipe=replace(setup.recipe, seed=5))
    assert not equal(train_or_load_supernet(SPACE, other, narrow, math.inf, tmp_path / "other"), supernet)


def test_training_reports_its_size_and_its_steps(setup: Setup, tmp_path: Path) -> None:
    events: list[Event] = []
    train_or_load_supernet(SPACE, setup, narrow, math.inf, tmp_path, events.append)
    steps = 4 * setup.recipe.steps
    assert events[0] == Message(f"supernet: 8 features, 2 positions, {steps} steps")
    reported = [event for event in events if isinstance(event, Step)]
    assert {(step.label, step.total) for step in reported} == {("supernet", steps)}
    assert (reported[-1].done, reported[-1].ended) == (steps, True)


@pytest.mark.parametrize("content", [b"a text", None])
def test_another_file_in_its_place_is_named(content: bytes | None, setup: Setup, tmp_path: Path) -> None:
    path = tmp_path / "supernet.pth"
    if content is None:
        torch.save(Supernet(SPACE, 12, 1).state_dict(), path)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"supernet\.pth is not the supernet of this search; remove it"):
        train_or_load_supernet(SPACE, setup, narrow, math.inf, tmp_path)


def test_steps_are_those_that_fit_into_the_time(setup: Setup, tmp_path: Path) -> None:
    distilling = replace(setup, recipe=replace(setup.recipe, distillation=0.5, solve_output=True))
    population = affordable(SPACE, narrow, 0, 20)
    supernet = Supernet(SPACE, 8, 2)

    def recipe_of(seconds: float, setup: Setup = setup) -> tuple[int, float, bool]:
        recipe = remembered_recipe(supernet, population, setup, seconds, tmp_path / f"{seconds}.json")
        return recipe.steps, recipe.distillation, recipe.solve_output

    assert recipe_of(math.inf, distilling) == (4 * setup.recipe.steps, 0.0, False)
    # However short the time, there are a few.
    assert recipe_of(1e-6, distilling) == (20, 0.0, False)
    assert recipe_of(1e6)[0] > 20


def test_recipe_is_what_it_was_when_the_search_began(setup: Setup, tmp_path: Path) -> None:
    population, supernet = affordable(SPACE, narrow, 0, 20), Supernet(SPACE, 8, 2)
    first = remembered_recipe(supernet, population, setup, math.inf, tmp_path / "recipe.json")
    assert remembered_recipe(supernet, population, setup, 1e-6, tmp_path / "recipe.json") == first
    assert json.loads((tmp_path / "recipe.json").read_text())["steps"] == first.steps


def test_population_is_what_it_was_when_the_search_began(tmp_path: Path) -> None:
    first = remembered_population(SPACE, narrow, 3, tmp_path / "population.json")
    second = remembered_population(SPACE, accept_all, 3, tmp_path / "population.json")
    assert (first.largest, first.smallest, first.num_feat_most) == (second.largest, second.smallest, 8)
    assert remembered_population(SPACE, accept_all, 3, tmp_path / "other.json").num_feat_most == 12

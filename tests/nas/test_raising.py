"""The supernet of a search: trained once, and the same one when the search goes on."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nas import raising
from nas.engine import accept_all
from nas.evaluate import Setup
from nas.raising import FEWEST_STEPS, STEPS_TIMES, found_once, planned, population_of, raised
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET_SPACE
from search_spaces.supernet import Supernet
from sr.errors import InputError

SPACE = replace(MSRRESNET_SPACE, name="small", num_feat=(8, 12), positions=2, upsampler=("one_step",), seeds=())


def narrow(architecture: Architecture) -> bool:
    return architecture.num_feat == 8


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raising, "DRAWS", 20)
    monkeypatch.setattr(raising, "FEWEST_STEPS", 3)
    monkeypatch.setattr(raising, "PLANNING_STEPS", 2)


def equal(first: Supernet, second: Supernet) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture
def supernet(setup: Setup, tmp_path: Path) -> Supernet:
    return raised(SPACE, setup, narrow, math.inf, tmp_path)


def test_it_holds_what_is_allowed_and_lies_in_its_file(supernet: Supernet, tmp_path: Path) -> None:
    assert (supernet.num_feat, supernet.positions, supernet.training) == (8, 2, False)
    assert {path.name for path in tmp_path.iterdir()} == {
        "supernet.pth", "supernet.population.json", "supernet.recipe.json",
    }  # fmt: skip


def test_a_search_that_goes_on_reads_it(setup: Setup, supernet: Supernet, tmp_path: Path) -> None:
    # Even where the device would now allow other networks.
    again = raised(SPACE, setup, accept_all, math.inf, tmp_path)
    assert equal(again, supernet)
    assert not again.training


def test_a_training_that_was_killed_goes_on_as_it_was_begun(setup: Setup, supernet: Supernet, tmp_path: Path) -> None:
    (tmp_path / "supernet.pth").unlink()
    # With another time limit it is still the same training.
    assert equal(raised(SPACE, setup, accept_all, 1e-6, tmp_path), supernet)


def test_equal_seeds_raise_equal_supernets(setup: Setup, supernet: Supernet, tmp_path: Path) -> None:
    assert equal(raised(SPACE, setup, narrow, math.inf, tmp_path / "beside"), supernet)
    other = replace(setup, recipe=replace(setup.recipe, seed=5))
    assert not equal(raised(SPACE, other, narrow, math.inf, tmp_path / "other"), supernet)


@pytest.mark.parametrize("content", [b"a text", None])
def test_another_file_in_its_place_is_named(content: bytes | None, setup: Setup, tmp_path: Path) -> None:
    path = tmp_path / "supernet.pth"
    if content is None:
        torch.save(Supernet(SPACE, 12, 1).state_dict(), path)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"supernet\.pth is not the supernet of this search; remove it"):
        raised(SPACE, setup, narrow, math.inf, tmp_path)


def test_the_steps_are_those_that_fit_into_the_time(setup: Setup) -> None:
    distilling = replace(setup, recipe=replace(setup.recipe, distillation=0.5))
    population = raising.affordable(SPACE, narrow, 0, 20)
    supernet = Supernet(SPACE, 8, 2)
    free = planned(supernet, population, distilling, math.inf)
    assert (free.steps, free.distillation) == (STEPS_TIMES * setup.recipe.steps, 0.0)
    short, long = (planned(supernet, population, setup, seconds).steps for seconds in (1e-6, 60.0))
    assert short == raising.FEWEST_STEPS < FEWEST_STEPS < long


def test_a_population_is_what_it_was(tmp_path: Path) -> None:
    first = population_of(SPACE, narrow, 3, tmp_path / "population.json")
    second = population_of(SPACE, accept_all, 3, tmp_path / "population.json")
    assert (first.largest, first.smallest, first.num_feat_most) == (second.largest, second.smallest, 8)
    assert population_of(SPACE, accept_all, 3, tmp_path / "other.json").num_feat_most == 12


def test_what_was_found_once_is_not_looked_for_again(tmp_path: Path) -> None:
    path, answers = tmp_path / "found.json", iter([{"steps": 3}, {"steps": 4}])
    assert [found_once(path, lambda: next(answers)) for _ in range(2)] == [{"steps": 3}] * 2
    path.write_text("{")
    with pytest.raises(InputError, match=r"found\.json is not what an earlier run left there"):
        found_once(path, dict)

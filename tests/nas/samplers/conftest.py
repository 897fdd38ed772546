"""A small space, and a search by chance over it that samplers learn from."""

from collections.abc import Callable

import pytest

from nas.samplers.protocol import SearchProblem
from nas.samplers.random_search import RandomSearch
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import repeated
from search_spaces.space import SearchSpace

Outcome = Callable[[int, Architecture], Trial]
SPACE = SearchSpace(
    name="small",
    positions=4,
    kinds=("residual_leaky", "branched_conv", "inverted_x3", "identity"),
    num_feat=(8, 16, 24, 32, 48),
    upsampler=("two_step", "one_step", "nearest_conv"),
    image_skip=("nearest",),
    aggregation=("none",),
    seeds=(
        repeated(8, "branched_conv", 1),
        repeated(8, "residual_leaky", 2),
        repeated(48, "residual_leaky", 4, upsampler="two_step"),
    ),
)
# About a third of the draws of SPACE meet it.
BUDGET_MS = 12.0


@pytest.fixture(scope="session")
def problem() -> SearchProblem:
    return SearchProblem(SPACE, 0, BUDGET_MS)


@pytest.fixture(scope="session")
def judge(outcome_within: Callable[[float], Outcome]) -> Outcome:
    """Return what makes the trial of an architecture within the problem's budget, or over it."""
    return outcome_within(BUDGET_MS)


@pytest.fixture(scope="session")
def observed(judge: Outcome) -> tuple[Trial, ...]:
    """The seeds and draws of the space, as a search by chance would leave them."""
    sampler = RandomSearch(SearchProblem(SPACE, 1, BUDGET_MS))
    trials = [judge(number, seed) for number, seed in enumerate(SPACE.seeds)]
    for number in range(len(trials), 40):
        trials.append(judge(number, SPACE.decode(sampler.propose(number, trials))))
    return tuple(trials)

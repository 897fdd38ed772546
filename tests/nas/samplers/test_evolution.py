"""Samplers that vary what was trained: how near they stay, whom they breed from, and who wins a tournament."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from nas.samplers.evolution import Evolution, _fitnesses
from nas.samplers.protocol import Picks, SearchProblem
from nas.samplers.random_search import RandomSearch
from nas.trial import Trial, front_of, trained_once
from search_spaces.architecture import Architecture

Outcome = Callable[[int, Architecture], Trial]


def changed(picks: Picks, parents: Sequence[Trial], problem: SearchProblem) -> int:
    """Return how many choices have the value of no parent: a child has what its parents have but for mutations."""
    known = [problem.space.encode(trial.architecture.canonical) for trial in parents]
    return sum(all(value != parent[name] for parent in known) for name, value in picks.items())


def test_fitness_is_budget_then_rank_then_crowding(problem: SearchProblem, observed: tuple[Trial, ...]) -> None:
    # A tournament shows no more than who of two was the better one.
    fitness = _fitnesses(observed, problem.budget_ms)
    by_number = {trial.number: trial for trial in observed}
    front = {trial.number for trial in front_of(observed)}
    order = sorted(fitness, key=lambda number: fitness[number])
    assert set(order[: len(front)]) == front
    states = [by_number[number].state for number in order]
    assert states == sorted(states, key=["trained", "infeasible"].index)
    slow = [by_number[number].measurement for number in order if by_number[number].state == "infeasible"]
    runtimes = [measurement.runtime.p90_ms for measurement in slow if measurement is not None]
    assert runtimes == sorted(runtimes)


@pytest.mark.parametrize("aging", [1, 2, 4])
def test_parents_are_the_latest_of_the_trained(aging: int, problem: SearchProblem, observed: tuple[Trial, ...]) -> None:
    trained = trained_once(observed)
    sampler = Evolution(problem, aging=aging)
    assert all(changed(sampler.propose(number, observed), trained[-aging:], problem) <= 3 for number in range(40, 60))


def test_all_of_the_trained_are_parents_where_none_age(problem: SearchProblem, observed: tuple[Trial, ...]) -> None:
    trained, sampler = trained_once(observed), Evolution(problem)
    children = [sampler.propose(number, observed) for number in range(40, 70)]
    assert all(changed(child, trained, problem) <= 3 for child in children)
    assert not all(changed(child, trained[-1:], problem) <= 3 for child in children)
    # Who is over the budget, or was answered from the record, is none.
    first = trained[0]
    others = [trial for trial in observed if trial.state == "infeasible"]
    copies = [replace(trial, number=50 + trial.number, duplicate_of=trial.number) for trial in trained[1:]]
    for number in range(100, 120):
        assert changed(sampler.propose(number, [first, *others, *copies]), [first], problem) <= 3


def test_fastest_measured_are_parents_until_one_was_trained(
    problem: SearchProblem, observed: tuple[Trial, ...]
) -> None:
    infeasible = [trial for trial in observed if trial.state == "infeasible"]
    sampler = Evolution(problem)
    assert all(changed(sampler.propose(number, infeasible[:1]), infeasible[:1], problem) <= 3 for number in range(20))
    failed = [replace(trial, state="failed", measurement=None) for trial in infeasible]
    chance = RandomSearch(problem)
    assert sampler.propose(60, failed) == chance.propose(60, failed)

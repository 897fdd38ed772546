"""Single changes of what is good: the best's first, in turn by what is changed, and nothing twice."""

import math
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.larger_sizes import is_larger_size
from nas.samplers.neighbours import NeighboursOrModel, changes
from nas.samplers.protocol import SearchProblem
from nas.samplers.random_search import RandomSearch
from nas.successive_halving import Rung
from nas.trial import Trial, front_of, trained_once
from search_spaces import SPACES
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import MSRRESNET_SPACE, repeated

Outcome = Callable[[int, Architecture], Trial]
# Of six proposals one is the global sampler's and one fills the front.
NEIGHBOURS = [number for number in range(40, 70) if number % 6 not in (0, 5)]


def differing(left: Architecture, right: Architecture) -> set[str]:
    """Return the names of the choices in which two architectures differ."""
    names = ("num_feat", "upsampler", "image_skip", "aggregation", "norm", "blocks")
    return {name for name in names if getattr(left.canonical, name) != getattr(right.canonical, name)}


@pytest.mark.parametrize("name", sorted(SPACES))
@settings(max_examples=10)
@given(st.randoms(use_true_random=False))
def test_every_change_is_a_single_choice_within_the_space(name: str, rng: random.Random) -> None:
    space = SPACES[name]
    drawn = space.decode(space.sample(rng))
    for what, changed in changes(space, drawn).items():
        assert changed
        for each in changed:
            assert space.decode(space.encode(each)).key == each.key
            (choice,) = differing(each, drawn)
            kinds = [(old.kind, new.kind) for old, new in zip(drawn.canonical.blocks, each.blocks, strict=True)]
            moved = {(old, new) for old, new in kinds if old != new}
            match what:
                case "skip":
                    assert choice in {"image_skip", "aggregation"}
                case "width":
                    assert choice == "num_feat"
                case "upsampler":
                    assert choice == "upsampler"
                case _:
                    ((old, new),) = moved
                    assert new != "identity"
                    # A kind in all its places, or in one.
                    here = sum(pair == (old, new) for pair in kinds)
                    assert here == (1 if what == "kind somewhere" else sum(before == old for before, _ in kinds))


def test_changes_are_all_that_there_are_but_for_far_widths() -> None:
    found = changes(MSRRESNET_SPACE, repeated(16, "residual_leaky", 3))
    skips = {each.image_skip for each in found["skip"] if each.aggregation == "none"}
    assert skips == {"none", "bilinear", "bicubic", "learned"}
    assert {each.aggregation for each in found["skip"] if each.image_skip == "nearest"} == {"long_skip", "concat"}
    assert [each.num_feat for each in found["width"]] == [8, 12, 20, 24, 28, 32]
    kinds = len(MSRRESNET_SPACE.kinds) - 2
    assert (len(found["kind everywhere"]), len(found["kind somewhere"]), len(found["upsampler"])) == (
        kinds, 3 * kinds, 2,
    )  # fmt: skip
    assert next(iter(found)) == "skip"


def sampler_of(problem: SearchProblem) -> NeighboursOrModel:
    return NeighboursOrModel(problem, RandomSearch(problem))


def test_neighbours_of_the_best_are_asked_first_and_none_twice(problem: SearchProblem, judge: Outcome) -> None:
    space = problem.space
    best, second = repeated(16, "residual_leaky", 2), repeated(8, "inverted_x3", 3)
    trials = [judge(0, best), judge(1, second)]
    assert trials[0].psnr > trials[1].psnr
    count = len({each.key for turn in changes(space, best).values() for each in turn})
    sampler, parents = sampler_of(problem), list[int]()
    for number in (number for number in range(2, 6 * count) if number % 6 not in (0, 5)):
        found = space.decode(sampler.propose(number, trials))
        assert found.key not in {trial.architecture.key for trial in trials}
        parents.append(0 if len(differing(found, best)) == 1 and is_change(problem, found, best) else 1)
        # None of them is any good: the parents stay who they are.
        trials.append(replace(judge(number, found), state="infeasible"))
        if len(parents) == count + 4:
            break
    assert parents[:count] == [0] * count
    assert parents[count:] == [1] * 4


def test_the_best_that_was_promoted_is_tried_in_the_form_that_trains_better_first(judge: Outcome) -> None:
    problem = SearchProblem(MSRRESNET_SPACE, 0, 40.0)
    best, other = repeated(16, "residual_leaky", 2), repeated(8, "inverted_x3", 3)
    trials = [judge(0, best), judge(1, other)]
    better = repeated(16, "symmetric_residual", 2)

    def proposed() -> str:
        return problem.space.decode(sampler_of(problem).propose(2, trials)).key

    assert proposed() != better.key
    trials[0] = replace(trials[0], rungs=(Rung(100, 25.0, 1.0), Rung(400, 25.5, 1.0)))
    assert proposed() == better.key
    trials.append(judge(2, better))
    assert proposed() not in {better.key, best.key}
    without = replace(problem, space=replace(MSRRESNET_SPACE, kinds=("residual_leaky", "idle", "identity"), seeds=()))
    assert without.space.decode(sampler_of(without).propose(2, trials[:1])).key != better.key


def test_a_kind_that_is_behind_another_is_tried_in_the_form_that_trains_better_too(judge: Outcome) -> None:
    problem = SearchProblem(MSRRESNET_SPACE, 0, 40.0)
    ranked = [repeated(16, "branched_conv", 3), repeated(16, "residual_leaky", 2), repeated(16, "residual_leaky", 1)]
    trials = [
        replace(judge(number, each), rungs=(Rung(100, 25.0, 1.0), Rung(400, 25.5 - 0.1 * number, 1.0)))
        for number, each in enumerate(ranked)
    ]
    assert all(each.state == "trained" for each in trials)
    for number, better in enumerate((repeated(16, "wide_conv", 3), repeated(16, "symmetric_residual", 2)), start=3):
        found = problem.space.decode(sampler_of(problem).propose(2, trials))
        assert found.summary == better.summary
        trials.append(judge(number, found))
    # Not that of the second best of a kind.
    found = problem.space.decode(sampler_of(problem).propose(2, trials))
    assert found.summary != repeated(16, "symmetric_residual", 1).summary


def test_the_best_that_was_promoted_is_tried_in_larger_sizes(judge: Outcome) -> None:
    # Four blocks of 16 channels fill the budget, or one of 32; all others take more.
    def share(each: Architecture) -> float:
        per_block = {16: 0.24, 32: 0.96}.get(each.num_feat, 2.0)
        return per_block * len(each.canonical.blocks)

    problem = SearchProblem(MSRRESNET_SPACE, 0, 40.0, lambda each: share(each) <= 1, budget_share=share)
    best = repeated(16, "symmetric_residual", 2, image_skip="learned")
    trials = [judge(0, repeated(8, "inverted_x3", 3)), judge(1, best)]
    trials[1] = replace(trials[1], rungs=(Rung(100, 25.0, 1.0), Rung(400, 25.5, 1.0)))
    for wanted in (replace(best, blocks=best.blocks[:1] * 4), replace(best, num_feat=32, blocks=best.blocks[:1])):
        assert is_larger_size(wanted, best)
        assert problem.space.decode(sampler_of(problem).propose(2, trials)).key == wanted.key
        trials.append(judge(len(trials), wanted))
    # There is no other one within the budget.
    assert not is_larger_size(problem.space.decode(sampler_of(problem).propose(2, trials)), best)
    # After three of them something else is tried, whatever there is.
    roomy = replace(problem, budget_share=lambda each: share(each) / 2, is_predicted_feasible=lambda _: True)
    third = problem.space.decode(sampler_of(roomy).propose(2, trials))
    assert is_larger_size(third, best)
    trials.append(judge(len(trials), third))
    assert not is_larger_size(problem.space.decode(sampler_of(roomy).propose(2, trials)), best)
    # Where runtimes are not known there is no budget to fill.
    unknown = SearchProblem(MSRRESNET_SPACE, 0, 40.0)
    assert not is_larger_size(unknown.space.decode(sampler_of(unknown).propose(2, trials[:2])), best)


def is_change(problem: SearchProblem, found: Architecture, parent: Architecture) -> bool:
    return found.key in {each.key for turn in changes(problem.space, parent).values() for each in turn}


def test_kinds_of_change_take_turns(problem: SearchProblem, judge: Outcome) -> None:
    best = repeated(16, "residual_leaky", 2)
    turns = list(changes(problem.space, best))
    # The space of these tests leaves no choice of skip or aggregation.
    assert turns == ["width", "kind everywhere", "kind somewhere", "upsampler"]
    for number in NEIGHBOURS:
        found = problem.space.decode(sampler_of(problem).propose(number, [judge(0, best)]))
        wanted = changes(problem.space, best)[turns[number % 4]]
        assert found.key in {each.key for each in wanted}


def test_of_one_turn_the_change_of_highest_acquisition_is_proposed(problem: SearchProblem, judge: Outcome) -> None:
    best = repeated(16, "residual_leaky", 2)
    for sign in (1, -1):
        wide = replace(problem, acquisition=lambda each, sign=sign: float(sign * each.num_feat))
        # The turn of the width.
        found = wide.space.decode(sampler_of(wide).propose(44, [judge(0, best)]))
        assert found.num_feat == (32 if sign > 0 else 8)


def test_neighbours_are_predicted_feasible_and_unseen(problem: SearchProblem, observed: tuple[Trial, ...]) -> None:
    narrow = replace(problem, is_predicted_feasible=lambda each: each.num_feat <= 16)
    seen = {trial.architecture.key for trial in observed}
    for number in NEIGHBOURS:
        found = problem.space.decode(sampler_of(narrow).propose(number, observed))
        assert found.num_feat <= 16
        assert found.key not in seen


def test_neighbours_are_brought_to_the_budget(problem: SearchProblem, observed: tuple[Trial, ...]) -> None:
    def share(each: Architecture) -> float:
        return each.num_feat * (2 + len(each.canonical.blocks)) / 90

    aiming = replace(problem, budget_share=share, is_predicted_feasible=lambda each: share(each) <= 1)
    for number in (*NEIGHBOURS, 42, 48):
        assert share(problem.space.decode(sampler_of(aiming).propose(number, observed))) <= 1


@pytest.mark.parametrize("budget", [150.0, 900.0, 1100.0])
def test_space_without_empty_positions_is_not_left(budget: float, outcome_within: Callable[[float], Outcome]) -> None:
    """There depth is no choice."""
    space = SPACES["neptuneai"]
    problem = SearchProblem(space, 0, budget, budget_share=lambda each: each.num_feat * len(each.blocks) / budget)
    trials = [outcome_within(math.inf)(number, seed) for number, seed in enumerate(space.seeds[:2])]
    for number in range(12):
        picks = sampler_of(problem).propose(number, trials)
        assert space.encode(space.decode(picks)) == picks


def test_global_sampler_is_asked_at_first_and_every_sixth_time(
    problem: SearchProblem, observed: tuple[Trial, ...]
) -> None:
    chance, mixed = RandomSearch(problem), sampler_of(problem)

    def key(picks: dict[str, int | str]) -> str:
        return problem.space.decode(picks).key

    assert key(mixed.propose(5, [])) == key(chance.propose(5, []))
    same = [n for n in range(40, 60) if key(mixed.propose(n, observed)) == key(chance.propose(n, observed))]
    assert same == [42, 48, 54]


def test_mutations_of_the_front_fill_it_below_the_budget(problem: SearchProblem, observed: tuple[Trial, ...]) -> None:
    front, space = front_of(observed), problem.space
    for number in (41, 47, 53):
        picks = sampler_of(problem).propose(number, observed)
        encoded = [space.encode(parent.architecture.canonical) for parent in front]
        assert min(sum(picks[name] != parent[name] for name in picks) for parent in encoded) <= 3


def test_mutation_is_proposed_where_no_neighbour_is_left(problem: SearchProblem, judge: Outcome) -> None:
    best = repeated(16, "residual_leaky", 2)
    everything = [each for turn in changes(problem.space, best).values() for each in turn]
    trials = [judge(0, best), *(replace(judge(1 + n, each), state="infeasible") for n, each in enumerate(everything))]
    assert trained_once(trials) == trials[:1]
    found = problem.space.decode(sampler_of(problem).propose(43, trials))
    assert found.key not in {trial.architecture.key for trial in trials}

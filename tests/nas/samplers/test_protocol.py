"""What samplers share: draws that are worth an evaluation, seeds of a space, and the seeds of draws."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from nas.samplers.protocol import SearchProblem, accept_all, first_worthwhile, proposal_seed, then_mutations
from nas.samplers.random_search import samples
from nas.trial import Trial
from search_spaces.architecture import Architecture
from search_spaces.msrresnet import repeated


def test_last_draw_is_taken_where_none_is_worthwhile(problem: SearchProblem) -> None:
    draws: Sequence[Architecture] = [repeated(width, "branched_conv", 1) for width in (8, 16, 24, 32)]
    wide = replace(problem, is_predicted_feasible=lambda architecture: architecture.num_feat > 24)
    picks = [problem.space.encode(architecture) for architecture in draws]
    assert first_worthwhile(wide, [], picks) == picks[3]
    assert accept_all(draws[0])


def test_draws_that_were_seen_are_passed_over(problem: SearchProblem, observed: tuple[Trial, ...]) -> None:
    space = problem.space
    new = repeated(8, "inverted_x3", 4, upsampler="two_step")
    assert new.key not in {trial.architecture.key for trial in observed}
    draws = [space.encode(observed[0].architecture), space.encode(new), space.encode(observed[1].architecture)]
    assert space.decode(first_worthwhile(problem, observed, draws)).key == new.key
    assert first_worthwhile(problem, observed, draws[2:]) == draws[2]


def test_of_several_worthwhile_draws_the_one_of_highest_acquisition_is_taken(problem: SearchProblem) -> None:
    deep = replace(
        problem,
        is_predicted_feasible=lambda each: each.num_feat > 8,
        acquisition=lambda each: float(len(each.canonical.blocks)),
    )
    draws = [problem.space.encode(each) for each in (
        repeated(width, "inverted_x3", depth, upsampler="two_step")
        for width, depth in ((8, 3), (16, 1), (16, 2), (16, 3))
    )]  # fmt: skip
    assert first_worthwhile(deep, [], draws) == draws[1]
    # Of the first two, which the one that is predicted infeasible is none of.
    assert first_worthwhile(deep, [], draws, best_of=2) == draws[2]
    assert first_worthwhile(deep, [], draws, best_of=9) == draws[3]
    assert first_worthwhile(deep, [], draws[:1], best_of=2) == draws[0]


def test_draws_are_mutated_once_there_were_so_many(problem: SearchProblem) -> None:
    drawn = list(itertools.islice(samples(problem, 7), 3))
    assert len({tuple(picks.values()) for picks in drawn}) == 3
    got = list(itertools.islice(then_mutations(problem, 7, iter(drawn), 2), 30))
    assert got[:2] == drawn[:2]
    for picks in got[2:]:
        changed = min(sum(picks[name] != parent[name] for name in picks) for parent in drawn[:2])
        assert changed <= 3
    assert len({tuple(picks.values()) for picks in got}) > 10
    assert list(itertools.islice(then_mutations(problem, 7, iter(drawn), 2), 30)) == got


def test_seeds_of_neighbouring_trials_and_draws_differ(problem: SearchProblem) -> None:
    seeds = {
        proposal_seed(replace(problem, seed=seed), number, draw)
        for seed, number, draw in itertools.product(range(10), range(50), range(4))
    }
    assert len(seeds) == 2000
    # What a search proposes must not change from one version to the next.
    assert [proposal_seed(problem, 3), proposal_seed(problem, 3, 2)] == [14336078875154693868, 8942412850709870177]


def test_fastest_unseen_draw_is_taken_where_all_are_predicted_over_the_budget(problem: SearchProblem) -> None:
    over = replace(problem, is_predicted_feasible=lambda _: False, budget_share=lambda each: each.num_feat / 4)
    draws = [problem.space.encode(repeated(width, "branched_conv", 1)) for width in (24, 8, 16)]
    assert first_worthwhile(over, [], draws) == draws[1]
